//! A tool call's arguments in the dialects that have them as an object and not as text.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::chat::ToolCall;

#[derive(Serialize)]
struct Unread<'a> {
    arguments: &'a str,
}

/// The object that the text is. What a model wrote that is none is not lost: it becomes the only
/// field of one.
pub(super) fn as_object(text: &str) -> Cow<'_, RawValue> {
    let text = if text.trim().is_empty() { "{}" } else { text };
    let parsed: Option<&RawValue> = serde_json::from_str(text).ok();
    match parsed.filter(|it| it.get().starts_with('{')) {
        Some(object) => Cow::Borrowed(object),
        None => {
            let object = serde_json::value::to_raw_value(&Unread { arguments: text });
            object.map_or(Cow::Borrowed(RawValue::NULL), Cow::Owned)
        }
    }
}

/// Bytes of calls that are gathered.
pub(super) fn held_bytes(calls: &[ToolCall]) -> usize {
    calls.iter().map(|call| call.arguments.len() + call.name.len() + 64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_what_is_none() {
        let table = [
            ("", "{}"),
            (r#"{"a":1}"#, r#"{"a":1}"#),
            ("[1]", r#"{"arguments":"[1]"}"#),
            (r#"{"cut"#, r#"{"arguments":"{\"cut"}"#),
        ];
        for (text, want) in table {
            assert_eq!(as_object(text).get(), want);
        }
    }
}
