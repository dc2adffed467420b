//! `edgehold status` and `edgehold explain`: what the running service says of itself.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::cli::ask::{self, Ask, Said};
use crate::cli::output::{complain, print, table};
use crate::cli::{EX_UNAVAILABLE, EX_USAGE, load};
use crate::config::Env;

/// What a model's name may hold in a path as it is.
const IN_PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'/').remove(b':');

pub(super) fn run(path: Option<&Path>, json: bool, env: &Env) -> u8 {
    match said(path, "/status", None, env) {
        Err(code) => code,
        Ok(said) if json => print(&said.body),
        Ok(said) => print(&describe(&said.json())),
    }
}

pub(super) fn explain(path: Option<&Path>, model: &str, locality: Option<&str>, env: &Env) -> u8 {
    let address = format!("/v1/models/{}", utf8_percent_encode(model, IN_PATH));
    let header = locality.map(|word| format!("X-Edgehold-Locality: {word}"));
    match said(path, &address, header.as_deref(), env) {
        Err(code) => code,
        Ok(said) => print(&explained(model, &said.json())),
    }
}

fn said(path: Option<&Path>, address: &str, header: Option<&str>, env: &Env) -> Result<Said, u8> {
    let config = load(path, env)?;
    let what = Ask { header, ..Ask::get(&config, address) };
    let said = ask::ask(&config, &what).map_err(|why| {
        complain(&format!("edgehold: {why}"));
        EX_UNAVAILABLE
    })?;
    if said.status == 200 {
        return Ok(said);
    }
    complain(&format!("edgehold: {}", said.complaint()));
    Err(if said.status == 404 { EX_USAGE } else { EX_UNAVAILABLE })
}

fn describe(state: &Value) -> String {
    let facts = vec![
        vec![
            "edgehold".to_owned(),
            format!("{} ({})", text(state, "/version"), text(state, "/target")),
        ],
        vec!["state".to_owned(), text(state, "/state")],
        vec!["up".to_owned(), format!("{} s", text(state, "/uptime_seconds"))],
        vec![
            "way to cloud".to_owned(),
            format!("{} ({})", text(state, "/connectivity"), text(state, "/connectivity_why")),
        ],
        vec!["clock".to_owned(), clock(state)],
        vec![
            "memory".to_owned(),
            format!(
                "{} KiB resident, cap {} KiB; {} of {} KiB given out, {} refusals",
                kib(state, "/memory/resident_bytes"),
                kib(state, "/memory/cap_bytes"),
                kib(state, "/memory/reserved_bytes"),
                kib(state, "/memory/budget_bytes"),
                text(state, "/memory/shed_total"),
            ),
        ],
        vec![
            "open".to_owned(),
            format!(
                "{} connections, {} streams",
                text(state, "/connections"),
                text(state, "/streams")
            ),
        ],
        vec!["jobs".to_owned(), jobs(state)],
        vec!["config".to_owned(), text(state, "/config/source")],
    ];
    let mut out = table(&facts);
    if let Some(error) = state.pointer("/config/reload_error").and_then(Value::as_str) {
        out.push_str(&format!("\nthe last reload was refused:\n{error}\n"));
    }
    out.push('\n');
    out.push_str(&rows(state, "providers", &["name", "place", "reach", "why"]));
    out.push('\n');
    out.push_str(&rows(state, "targets", &["target", "state", "why"]));
    out
}

/// How many jobs there are, and why the queue does not take any more.
fn jobs(state: &Value) -> String {
    let count = |name: &str| text(state, &format!("/queue/jobs/{name}"));
    let mut line = format!(
        "{} queued, {} running, {} succeeded, {} failed; {} of {} KiB",
        count("queued"),
        count("running"),
        count("succeeded"),
        count("failed"),
        kib(state, "/queue/bytes"),
        kib(state, "/queue/quota_bytes"),
    );
    for (word, pointer) in [("closed", "/queue/why"), ("full", "/queue/full")] {
        if let Some(why) = state.pointer(pointer).and_then(Value::as_str) {
            line.push_str(&format!("; {word}: {why}"));
        }
    }
    line
}

fn clock(state: &Value) -> String {
    let suspect = state.pointer("/clock/why").and_then(Value::as_str);
    let seconds = state.pointer("/clock/now").and_then(Value::as_u64).unwrap_or_default();
    let now = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
    suspect.map_or_else(|| now.clone(), |why| format!("{now}: {why}"))
}

fn explained(model: &str, answer: &Value) -> String {
    let plan = answer.get("edgehold").unwrap_or(&Value::Null);
    let head = format!(
        "{model} ({}), may be served: {}\n",
        text(plan, "/resolves"),
        text(plan, "/locality")
    );
    head + &rows(plan, "targets", &["target", "place", "verdict", "why"])
}

fn rows(value: &Value, name: &str, columns: &[&str]) -> String {
    let mut all = vec![columns.iter().map(|name| name.to_uppercase()).collect::<Vec<_>>()];
    for row in value.get(name).and_then(Value::as_array).into_iter().flatten() {
        all.push(columns.iter().map(|column| text(row, &format!("/{column}"))).collect());
    }
    table(&all)
}

fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn kib(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default() / 1024
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn people_can_read_it() {
        let state = json!({
            "version": "1", "target": "t", "state": "ready", "connectivity": "offline",
            "connectivity_why": "far: connection refused",
            "clock": {"now": 60, "floor": 1_700_000_000, "suspect": true, "why": "too early"},
            "memory": {"resident_bytes": 2048, "cap_bytes": 4096},
            "providers": [{"name": "local", "place": "local", "reach": "down", "why": "refused"}],
            "targets": [], "config": {"source": null, "reload_error": "bad"},
        });
        let shown = describe(&state);
        assert!(shown.contains("way to cloud  offline (far: connection refused)\n"), "{shown}");
        assert!(
            shown.contains("clock         Thu, 01 Jan 1970 00:01:00 GMT: too early\n"),
            "{shown}"
        );
        assert!(shown.contains("2 KiB resident, cap 4 KiB"), "{shown}");
        assert!(shown.contains("local  local  down   refused\n"), "{shown}");
        assert!(shown.contains("refused:\nbad\n"), "{shown}");
        let plan = json!({"edgehold": {"resolves": "alias", "locality": "any", "targets": [
            {"target": "a/b", "place": "local", "verdict": "taken", "why": "first"}]}});
        let shown = explained("m", &plan);
        assert!(shown.contains("a/b     local  taken    first\n"), "{shown}");
    }
}
