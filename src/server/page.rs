//! A small status page for whoever stands before the box. No script, nothing loaded from
//! elsewhere; it asks to be loaded again every ten seconds.

use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

use http::header::CONTENT_SECURITY_POLICY;
use http::{HeaderValue, Response};
use serde_json::Value;

use crate::dispatch::Dispatch;
use crate::server::Gateway;
use crate::server::admin::state;
use crate::server::body::Reply;
use crate::server::respond::{HTML, whole};

const STYLE: &str = "body{font:16px sans-serif;margin:2em auto;max-width:50em;padding:0 1em}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3em .6em;\
border-bottom:1px solid #ccc;vertical-align:top}";

/// The page.
pub(super) fn render(gateway: &Gateway, dispatch: &Dispatch) -> Response<Reply> {
    let state = state(gateway, dispatch);
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta http-equiv=refresh content=10>\
         <meta name=viewport content='width=device-width'><title>edgehold</title>\
         <style>{STYLE}</style><h1>edgehold {}</h1><p>{}, way to the cloud: {} ({}). \
         {} connections, {} streams. Memory: {} KiB resident of {} KiB.</p>",
        text(&state, "/version"),
        text(&state, "/state"),
        text(&state, "/connectivity"),
        text(&state, "/connectivity_why"),
        text(&state, "/connections"),
        text(&state, "/streams"),
        kib(&state, "/memory/resident_bytes"),
        kib(&state, "/memory/cap_bytes"),
    );
    if let Some(error) = state.pointer("/config/reload_error").and_then(Value::as_str) {
        let at = state.pointer("/config/reload_failed_at").and_then(Value::as_u64);
        let at = UNIX_EPOCH + Duration::from_secs(at.unwrap_or_default());
        let _infallible = write!(
            page,
            "<p><b>The last reload failed ({}), and the configuration before it is served:</b> {}</p>",
            httpdate::fmt_http_date(at),
            escaped(error)
        );
    }
    if let Some(why) = state.pointer("/clock/why").and_then(Value::as_str) {
        let _infallible = write!(page, "<p><b>The clock may be wrong:</b> {}</p>", escaped(why));
    }
    jobs(&mut page, &state);
    table(&mut page, &state, "providers", &["name", "place", "reach", "why"]);
    table(&mut page, &state, "targets", &["target", "state", "why"]);
    page.push_str("</html>\n");
    let mut response = whole(page, HTML);
    response.headers_mut().insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"),
    );
    response
}

fn jobs(page: &mut String, state: &Value) {
    let why = match text(state, "/queue/why") {
        why if why.is_empty() => text(state, "/queue/full"),
        why => format!("closed: {why}"),
    };
    let _infallible = write!(
        page,
        "<h2>jobs</h2><p>{} queued, {} running, {} succeeded, {} failed; {} of {} KiB. <b>{why}</b></p>",
        text(state, "/queue/jobs/queued"),
        text(state, "/queue/jobs/running"),
        text(state, "/queue/jobs/succeeded"),
        text(state, "/queue/jobs/failed"),
        kib(state, "/queue/bytes"),
        kib(state, "/queue/quota_bytes"),
    );
}

fn table(page: &mut String, state: &Value, name: &str, columns: &[&str]) {
    let _infallible = write!(page, "<h2>{name}</h2><table><tr>");
    for column in columns {
        let _infallible = write!(page, "<th>{column}");
    }
    for row in state.get(name).and_then(Value::as_array).into_iter().flatten() {
        page.push_str("<tr>");
        for column in columns {
            let _infallible = write!(page, "<td>{}", text(row, &format!("/{column}")));
        }
    }
    page.push_str("</table>");
}

fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => escaped(text),
        Some(other) => escaped(&other.to_string()),
    }
}

fn kib(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default() / 1024
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
