//! The TOML word for word: every key optional, unknown keys refused. The only file that knows
//! the `toml` crate.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) server: ServerTable,
    pub(super) memory: MemoryTable,
    pub(super) log: LogTable,
    pub(super) deadlines: DeadlinesTable,
    pub(super) routing: RoutingTable,
    pub(super) providers: BTreeMap<String, ProviderTable>,
    pub(super) models: BTreeMap<String, ModelTable>,
    pub(super) clients: Vec<ClientTable>,
    pub(super) queue: QueueTable,
    pub(super) summaries: SummariesTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ServerTable {
    pub(super) listen: Option<Vec<String>>,
    pub(super) hosts: Option<Vec<String>>,
    pub(super) socket_mode: Option<String>,
    pub(super) max_body: Option<String>,
    pub(super) max_document: Option<String>,
    pub(super) max_connections: Option<u32>,
    pub(super) grace: Option<String>,
    pub(super) header_timeout: Option<String>,
    pub(super) body_timeout: Option<String>,
    pub(super) idle_timeout: Option<String>,
    pub(super) write_timeout: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MemoryTable {
    pub(super) cap: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LogTable {
    pub(super) level: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DeadlinesTable {
    pub(super) connect: Option<String>,
    pub(super) load: Option<String>,
    pub(super) first_token: Option<String>,
    pub(super) idle: Option<String>,
    pub(super) total: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RoutingTable {
    pub(super) retries: Option<u32>,
    pub(super) max_wait: Option<String>,
    pub(super) breaker_failures: Option<u32>,
    pub(super) breaker_cooldown: Option<String>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ProviderTable {
    pub(super) kind: Option<String>,
    pub(super) base_url: Option<String>,
    pub(super) api_key: Option<KeyTable>,
    pub(super) locality: Option<String>,
    pub(super) headers: BTreeMap<String, KeyTable>,
    pub(super) query: BTreeMap<String, String>,
    pub(super) ca_file: Option<String>,
    pub(super) max_concurrent: Option<u32>,
    pub(super) max_waiting: Option<u32>,
    pub(super) patience: Option<String>,
    pub(super) keep_alive: Option<String>,
    pub(super) max_context: Option<u32>,
    pub(super) max_answer: Option<String>,
    pub(super) omit: Vec<String>,
    pub(super) lacks: Vec<String>,
    pub(super) enforces_schema: Option<bool>,
    pub(super) deadlines: DeadlinesTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct QueueTable {
    pub(super) path: Option<String>,
    pub(super) quota: Option<String>,
    pub(super) max_jobs: Option<u32>,
    pub(super) ttl: Option<String>,
    pub(super) result_ttl: Option<String>,
    pub(super) max_attempts: Option<u32>,
    pub(super) concurrency: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SummariesTable {
    pub(super) path: Option<String>,
    pub(super) quota: Option<String>,
    pub(super) memory: Option<String>,
    pub(super) time: Option<String>,
}

/// `{ credential = ".." }`, `{ env = ".." }`, `{ file = ".." }`, or text.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a table such as { credential = \"NAME\" }, { env = \"NAME\" } or { file = \"/PATH\" }"
)]
pub(super) enum KeyTable {
    Source(SourceTable),
    Text(String),
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceTable {
    pub(super) credential: Option<String>,
    pub(super) env: Option<String>,
    pub(super) file: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ModelTable {
    pub(super) targets: Vec<String>,
    pub(super) refine: Vec<String>,
    pub(super) locality: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ClientTable {
    pub(super) name: Option<String>,
    pub(super) token: Option<KeyTable>,
    pub(super) locality: Option<String>,
}

/// What the text is not: TOML, or a file of ours.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) span: Option<Range<usize>>,
    pub(super) message: String,
}

/// Reads the text.
pub(super) fn read(text: &str) -> Result<File, Unreadable> {
    toml::from_str(text).map_err(|error| Unreadable {
        span: error.span(),
        message: without_values(error.message()),
    })
}

/// SECURITY: the library quotes a value of the wrong type in its message, and a value can be a
/// key that was put in the wrong place.
fn without_values(message: &str) -> String {
    let Some((before, rest)) = message.split_once('"') else { return message.to_owned() };
    let after = rest.rsplit_once('"').map_or("", |(_, after)| after);
    format!("{before}\"...\"{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misplaced_key_is_not_repeated() {
        for text in [
            "[server]\nmax_connections = \"sk-canary\"\n",
            "[memory]\ncap = [\"sk-canary\"]\n",
            "[providers.x]\nquery = \"sk-canary\"\n",
            "[providers.x]\napi_key = 5\n",
            "[providers.x]\napi_key = { key = \"sk-canary\" }\n",
            "[providers.x]\napi_key = sk-canary\n",
            "models = \"sk-can\\\"ary\"\n",
        ] {
            let error = read(text).unwrap_err();
            assert!(!error.message.contains("canary"), "{}", error.message);
            assert!(error.span.is_some(), "{text}");
        }
    }

    #[test]
    fn an_unknown_key_names_those_there_are() {
        let error = read("[server]\nlisten_on = []\n").unwrap_err();
        assert!(error.message.contains("listen_on"), "{}", error.message);
        assert!(error.message.contains("max_body"), "{}", error.message);
    }
}
