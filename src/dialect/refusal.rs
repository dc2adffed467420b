//! What a provider's error means.

use std::time::Duration;

use serde_json::Value;

use crate::dialect::Dialect;

/// Longest message that is passed on, in characters.
const LONGEST_MESSAGE: usize = 500;

/// A provider's error, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The provider's words: one line, at most 500 characters.
    pub message: String,
    /// Its own code for it, where it gave one.
    pub code: Option<String>,
    /// What it means.
    pub class: Class,
    /// The least wait that its body names; most name it in a header.
    pub wait: Option<Duration>,
}

/// What an error means for the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It wants money, or the account's quota is used up: waiting does not help.
    Billing,
    /// It will not answer this prompt.
    ContentFilter,
    /// The prompt does not fit.
    ContextLength,
    /// The request itself is at fault.
    Invalid,
    /// The key is refused.
    Key,
    /// The model is not there.
    ModelNotFound,
    /// Too busy: wait, or ask another.
    Overloaded,
    /// Too many requests: wait, or ask another.
    RateLimited,
    /// The provider failed.
    ServerError,
}

/// Understands an error response. Sources: OpenAI's error object
/// (`{"error":{"message","type","param","code"}}`), Anthropic's (`{"type":"error","error":{"type",
/// "message"}}`), Google's (`{"error":{"code","message","status","details"}}`), Ollama's
/// `{"error":"text"}`, and the shapes that compatible services send.
pub fn decode_error(dialect: Dialect, status: u16, body: &[u8]) -> Refusal {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    // Gemini's, where a stream was asked for without its parameter.
    let value = value.get(0).cloned().unwrap_or(value);
    let error = value.get("error").unwrap_or(&value);
    let text = |at: &Value, name: &str| at.get(name).and_then(Value::as_str).map(str::to_owned);
    let message = error
        .as_str()
        .map(str::to_owned)
        .or_else(|| text(error, "message"))
        .or_else(|| text(&value, "message"))
        .or_else(|| text(&value, "detail"));
    let kind = text(error, "type").or_else(|| text(error, "status"));
    let code = text(error, "code").or_else(|| kind.clone());
    let details = error.get("details").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let words =
        [code.as_deref(), kind.as_deref(), message.as_deref()].map(Option::unwrap_or_default);
    let class = match classify(dialect, status, words) {
        Class::RateLimited if is_used_up(details) => Class::Billing,
        Class::Invalid if is_bad_key(details) => Class::Key,
        class => class,
    };
    Refusal {
        class,
        wait: details.iter().find_map(retry_delay),
        message: one_line(message.as_deref().unwrap_or("it gave no reason")),
        code,
    }
}

fn classify(dialect: Dialect, status: u16, [code, kind, message]: [&str; 3]) -> Class {
    if status < 500 && is_about_context(code, kind, message) {
        return Class::ContextLength;
    }
    if status < 500 && matches!(code, "content_filter" | "content_policy_violation") {
        return Class::ContentFilter;
    }
    match status {
        401 | 403 => Class::Key,
        402 => Class::Billing,
        404 => Class::ModelNotFound,
        408 => Class::ServerError,
        429 if code == "insufficient_quota" || kind == "insufficient_quota" => Class::Billing,
        429 => Class::RateLimited,
        // Ollama's own: the client it was to answer had gone.
        499 if dialect == Dialect::Ollama => Class::ServerError,
        // Anthropic's, for an account without money.
        400 if message.contains("credit balance is too low") => Class::Billing,
        400..=499 => Class::Invalid,
        503 | 529 => Class::Overloaded,
        _ => Class::ServerError,
    }
}

fn is_about_context(code: &str, kind: &str, message: &str) -> bool {
    const SAID: [&str; 8] = [
        "maximum context length",
        "exceeds the available context",
        "exceeds the context length",
        "input length exceeds",
        "exceeds maximum context",
        "prompt is too long",
        "exceed context limit",
        "input token count",
    ];
    code == "context_length_exceeded"
        || kind == "exceed_context_size_error"
        || SAID.iter().any(|words| message.contains(words))
}

/// Google's RetryInfo: `"retryDelay": "22.5s"`.
fn retry_delay(detail: &Value) -> Option<Duration> {
    let text = detail.get("retryDelay")?.as_str()?.strip_suffix('s')?;
    text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

/// Google's QuotaFailure of a quota that counts days: waiting within a request does not help.
fn is_used_up(details: &[Value]) -> bool {
    let violations = details.iter().filter_map(|it| it.get("violations")?.as_array()).flatten();
    let mut quotas = violations.filter_map(|it| it.get("quotaId")?.as_str());
    quotas.any(|quota| quota.contains("PerDay"))
}

/// Google says 400 of a key that it does not know.
fn is_bad_key(details: &[Value]) -> bool {
    details.iter().any(|it| it.get("reason").and_then(Value::as_str) == Some("API_KEY_INVALID"))
}

/// One line without control characters, of bounded length.
pub(super) fn one_line(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut line: String = text.trim().chars().take(LONGEST_MESSAGE).map(clean).collect();
    if text.trim().chars().nth(LONGEST_MESSAGE).is_some() {
        line.push_str("...");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_and_status() {
        use Class::*;
        let openai = |status, body: &str| decode_error(Dialect::OpenAi, status, body.as_bytes());
        let quota =
            r#"{"error":{"message":"m","type":"insufficient_quota","code":"insufficient_quota"}}"#;
        let long = r#"{"error":{"message":"m","type":"invalid_request_error","code":"context_length_exceeded"}}"#;
        let llama = r#"{"error":{"code":400,"message":"m","type":"exceed_context_size_error"}}"#;
        let per_day = r#"{"error":{"message":"m","details":[{"violations":[{"quotaId":"RequestsPerDay"}]}]}}"#;
        let bad_key = r#"{"error":{"message":"m","details":[{"reason":"API_KEY_INVALID"}]}}"#;
        let filtered = r#"{"error":{"message":"m","code":"content_filter"}}"#;
        let table = [
            (400, bad_key, Key),
            (400, filtered, ContentFilter),
            (429, per_day, Billing),
            (400, r#"{"error":{"message":"m"}}"#, Invalid),
            (400, long, ContextLength),
            (400, llama, ContextLength),
            (401, r#"{"error":{"message":"m"}}"#, Key),
            (402, r#"{"message":"m"}"#, Billing),
            (403, r#"{"detail":"m"}"#, Key),
            (404, r#"{"error":"m"}"#, ModelNotFound),
            (429, r#"{"error":{"message":"m"}}"#, RateLimited),
            (429, quota, Billing),
            (500, r#"{"error":"m"}"#, ServerError),
            (502, r#"{"error":"m"}"#, ServerError),
            (503, r#"{"error":"m"}"#, Overloaded),
            (529, r#"{"error":{"message":"m"}}"#, Overloaded),
        ];
        for (status, body, class) in table {
            let refusal = openai(status, body);
            assert_eq!((refusal.class, refusal.message.as_str()), (class, "m"), "{status} {body}");
        }
        let wait = r#"{"error":{"message":"m","details":[{"retryDelay":"22.5s"}]}}"#;
        assert_eq!(openai(429, wait).wait, Some(Duration::from_millis(22_500)));
        assert_eq!(openai(500, "<html>").message, "it gave no reason");
        let long = format!(r#"{{"error":"a\n{}"}}"#, "x".repeat(600));
        assert_eq!(openai(500, &long).message.len(), 503);
    }
}
