//! The tables of providers, and where secrets are read from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use crate::config::check::{Checker, MIB, is_plain};
use crate::config::file::{KeyTable, ProviderTable, SourceTable};
use crate::config::{
    Ability, BUILTIN, BaseUrl, Deadlines, KeySource, Place, Provider, ProviderKind, ProviderName,
    Secret,
};

/// What the unit calls its directory of keys (`LoadCredential=keys:/etc/edgehold/keys`).
const KEYS: &str = "keys";

/// Headers of a request that are not the configuration's to set.
const OWN_HEADERS: [&str; 6] =
    ["host", "content-length", "transfer-encoding", "connection", "authorization", "te"];

impl Checker<'_> {
    pub(super) fn providers(
        &mut self,
        tables: BTreeMap<String, ProviderTable>,
        deadlines: Deadlines,
    ) -> (BTreeMap<ProviderName, Arc<Provider>>, BTreeSet<ProviderName>) {
        let tables = if tables.is_empty() { built_in_provider() } else { tables };
        let mut providers = BTreeMap::new();
        let mut builtins = BTreeSet::new();
        if !tables.contains_key(BUILTIN) {
            builtins.insert(ProviderName::from(BUILTIN));
        }
        for (name, table) in tables {
            let at = format!("providers.{name}");
            if !is_plain(&name) {
                self.complain(&at, "a provider's name is 1 to 64 letters, digits, _ or -");
            }
            let name: ProviderName = Arc::from(name);
            if table.kind.as_deref() == Some("builtin") {
                self.builtin(&at, &table);
                builtins.insert(name);
                continue;
            }
            if let Some(provider) = self.provider(&at, Arc::clone(&name), table, deadlines) {
                providers.insert(name, Arc::new(provider));
            }
        }
        (providers, builtins)
    }

    /// Nobody is called, so that there is nothing to set.
    fn builtin(&mut self, at: &str, table: &ProviderTable) {
        let bare = ProviderTable { kind: table.kind.clone(), ..ProviderTable::default() };
        if *table != bare {
            self.complain(
                at,
                "a provider of kind builtin is edgehold itself: it has no other key than kind",
            );
        }
    }

    fn provider(
        &mut self,
        at: &str,
        name: ProviderName,
        table: ProviderTable,
        deadlines: Deadlines,
    ) -> Option<Provider> {
        let kind = self.kind(at, table.kind.as_deref())?;
        let base_url = self.base_url(at, table.base_url.as_deref(), kind)?;
        let place = self.place(at, table.locality.as_deref(), &base_url);
        let small = kind == ProviderKind::Ollama && place == Place::Local;
        let max_concurrent = table.max_concurrent.unwrap_or(if small { 1 } else { 16 });
        if max_concurrent == 0 || max_concurrent > 10_000 {
            self.complain(format!("{at}.max_concurrent"), "allowed: 1 to 10000");
        }
        let max_context = match kind {
            ProviderKind::Ollama => Some(table.max_context.unwrap_or(8192)),
            ProviderKind::Anthropic | ProviderKind::Gemini | ProviderKind::OpenAi => {
                table.max_context
            }
        };
        if max_context.is_some_and(|tokens| tokens < 256) {
            self.complain(format!("{at}.max_context"), "allowed: 256 tokens and up");
        }
        let api_key = table.api_key.and_then(|it| self.key(&format!("{at}.api_key"), it, false));
        if api_key.is_some() && !base_url.https && !base_url.is_loopback() {
            self.complain(
                format!("{at}.base_url"),
                "a key is only sent over https (or to this device itself); allowed: https://...",
            );
        }
        let keep_alive = self.keep_alive(at, table.keep_alive);
        let size = |usize32: u32| usize::try_from(usize32).unwrap_or(usize::MAX);
        Some(Provider {
            name,
            kind,
            place,
            headers: self.headers(at, table.headers, &base_url),
            query: table.query.into_iter().collect(),
            ca_file: table.ca_file.map(PathBuf::from),
            max_concurrent: size(max_concurrent),
            max_waiting: size(table.max_waiting.unwrap_or(32)),
            patience: self.time(&format!("{at}.patience"), table.patience, 10_000),
            keep_alive,
            max_context,
            max_answer: self.size(&format!("{at}.max_answer"), table.max_answer, 4 * MIB),
            lacks: self.lacks(at, &table.lacks),
            omit: self.omit(at, table.omit),
            enforces_schema: table.enforces_schema.unwrap_or_else(|| enforces(kind, &base_url)),
            deadlines: self.deadlines(&format!("{at}.deadlines"), &table.deadlines, deadlines),
            base_url,
            api_key,
        })
    }

    fn kind(&mut self, at: &str, kind: Option<&str>) -> Option<ProviderKind> {
        match kind {
            Some("anthropic") => Some(ProviderKind::Anthropic),
            Some("gemini") => Some(ProviderKind::Gemini),
            Some("ollama") => Some(ProviderKind::Ollama),
            Some("openai") => Some(ProviderKind::OpenAi),
            _ => {
                self.complain(
                    format!("{at}.kind"),
                    "wanted; allowed: ollama, openai, anthropic, gemini, builtin",
                );
                None
            }
        }
    }

    fn lacks(&mut self, at: &str, words: &[String]) -> Vec<Ability> {
        let mut lacks = Vec::new();
        for word in words {
            match word.parse() {
                Ok(ability) => lacks.push(ability),
                Err(()) => self.complain(
                    format!("{at}.lacks"),
                    "allowed: embeddings, images, json_schema, tools",
                ),
            }
        }
        lacks
    }

    /// What every request must have cannot be left out.
    fn omit(&mut self, at: &str, names: Vec<String>) -> Vec<String> {
        const WANTED: [&str; 6] = ["contents", "input", "messages", "model", "prompt", "stream"];
        if names.iter().any(|name| name.is_empty() || WANTED.contains(&name.as_str())) {
            self.complain(
                format!("{at}.omit"),
                "allowed: names of fields that a request can do without",
            );
        }
        names
    }

    fn base_url(&mut self, at: &str, text: Option<&str>, kind: ProviderKind) -> Option<BaseUrl> {
        let default = match kind {
            ProviderKind::Ollama => "http://127.0.0.1:11434",
            ProviderKind::OpenAi => "https://api.openai.com/v1",
            ProviderKind::Anthropic => "https://api.anthropic.com",
            ProviderKind::Gemini => "https://generativelanguage.googleapis.com/v1beta",
        };
        match BaseUrl::parse(text.unwrap_or(default)) {
            Ok(url) => Some(url),
            Err(why) => {
                self.complain(format!("{at}.base_url"), why);
                None
            }
        }
    }

    fn place(&mut self, at: &str, text: Option<&str>, url: &BaseUrl) -> Place {
        match text {
            None => url.place(),
            Some("local") => Place::Local,
            Some("cloud") => Place::Cloud,
            Some(_) => {
                self.complain(format!("{at}.locality"), "allowed: local, cloud");
                url.place()
            }
        }
    }

    /// A duration in Ollama's notation: Go's, a number of seconds, or a negative one for ever.
    fn keep_alive(&mut self, at: &str, text: Option<String>) -> String {
        let text = text.unwrap_or_else(|| "10m".to_owned());
        let number = text.trim_start_matches('-').trim_end_matches(|c: char| "hms".contains(c));
        if number.is_empty() || !number.chars().all(|c| c.is_ascii_digit() || c == '.') {
            self.complain(
                format!("{at}.keep_alive"),
                "allowed: a time such as \"10m\", \"0\" to unload at once, \"-1\" for ever",
            );
        }
        text
    }

    fn headers(
        &mut self,
        at: &str,
        tables: BTreeMap<String, KeyTable>,
        url: &BaseUrl,
    ) -> Vec<(String, Secret)> {
        let mut headers = Vec::new();
        for (name, table) in tables {
            let at = format!("{at}.headers.{name}");
            let own = OWN_HEADERS.iter().any(|own| name.eq_ignore_ascii_case(own));
            if own || HeaderName::from_bytes(name.as_bytes()).is_err() {
                self.complain(&at, "not a header that can be set here; a key goes into api_key");
                continue;
            }
            let secret_source = matches!(table, KeyTable::Source(_));
            if secret_source && !url.https && !url.is_loopback() {
                self.complain(&at, "a key is only sent over https (or to this device itself)");
            }
            let Some(source) = self.key(&at, table, true) else { continue };
            match source.read() {
                Ok(value) if HeaderValue::from_str(value.expose()).is_ok() => {
                    headers.push((name, value));
                }
                Ok(_) => self.complain(&at, "its value holds characters that no header may"),
                Err(error) => self.complain(&at, error),
            }
        }
        headers
    }

    /// Where a secret is read from. Text in the file itself is only for what is no secret.
    pub(super) fn key(
        &mut self,
        at: &str,
        table: KeyTable,
        may_be_text: bool,
    ) -> Option<KeySource> {
        const ALLOWED: &str =
            "allowed: { credential = \"NAME\" }, { env = \"NAME\" } or { file = \"/PATH\" }";
        let SourceTable { credential, env, file } = match table {
            KeyTable::Source(source) => source,
            KeyTable::Text(value) if may_be_text => {
                return Some(KeySource::Env { name: at.to_owned(), value: Secret::new(value) });
            }
            KeyTable::Text(_) => {
                self.complain(
                    at,
                    format!("a secret does not stand in the configuration; {ALLOWED}"),
                );
                return None;
            }
        };
        match (credential, env, file) {
            (Some(name), None, None) => self.credential(at, &name),
            (None, Some(name), None) => self.variable(at, &name),
            (None, None, Some(path)) if path.starts_with('/') => Some(KeySource::File(path.into())),
            (None, None, Some(_)) => {
                self.complain(at, "the file's path must begin with /");
                None
            }
            _ => {
                self.complain(at, format!("one source is wanted; {ALLOWED}"));
                None
            }
        }
    }

    fn credential(&mut self, at: &str, name: &str) -> Option<KeySource> {
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
            || name.starts_with('.')
        {
            self.complain(at, "a credential's name is letters, digits, _, - and .");
            return None;
        }
        match self.env.get("CREDENTIALS_DIRECTORY") {
            Some(folder) => Some(KeySource::File(credential_in(Path::new(folder), name))),
            None => {
                self.complain(at, format!("credential {name}: $CREDENTIALS_DIRECTORY is not set; put it into /etc/edgehold/keys, give the unit LoadCredential={name}:/PATH, or use {{ file = \"/PATH\" }}"));
                None
            }
        }
    }

    fn variable(&mut self, at: &str, name: &str) -> Option<KeySource> {
        match self.env.get(name) {
            Some(value) => {
                Some(KeySource::Env { name: name.to_owned(), value: Secret::new(value.trim()) })
            }
            None => {
                self.complain(at, format!("environment variable {name} is not set"));
                None
            }
        }
    }
}

/// A credential of this name, or the file of this name in the directory of keys: systemd loads a
/// directory as a credential a file, `DIRECTORY_FILE` (systemd.exec(5)).
fn credential_in(folder: &Path, name: &str) -> PathBuf {
    let own = folder.join(name);
    let of_keys = folder.join(format!("{KEYS}_{name}"));
    if !own.exists() && of_keys.exists() { of_keys } else { own }
}

/// Whose word is good that an answer follows its schema.
fn enforces(kind: ProviderKind, url: &BaseUrl) -> bool {
    match kind {
        ProviderKind::Gemini => true,
        ProviderKind::OpenAi => url.is_openais(),
        ProviderKind::Anthropic | ProviderKind::Ollama => false,
    }
}

/// Without a file there is one provider: the Ollama on this device.
fn built_in_provider() -> BTreeMap<String, ProviderTable> {
    let table = ProviderTable { kind: Some("ollama".to_owned()), ..ProviderTable::default() };
    BTreeMap::from([("local".to_owned(), table)])
}
