//! The fields of a request's body: read one by one, so that what is wrong with one can be said by
//! its name, and never by its value.

use std::fmt;
use std::ops::Range;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::chat::Error;
use crate::dialect::openai::span_of;

/// A field as it was written, if it is there.
pub(super) type Raw<'a> = Option<&'a RawValue>;

/// JSON is UTF-8 (RFC 8259 section 8.1). Looked at once, and not again at every text in it.
pub(super) fn text_of(body: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(body).map_err(|_| Error::invalid("the body is not UTF-8, as JSON must be"))
}

/// Where a value stands; written out only when something is wrong with it.
#[derive(Debug, Clone, Copy)]
pub(super) enum At<'a> {
    Entry(&'a Self, usize),
    Field(&'static str),
    Member(&'a Self, &'static str),
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(list, index) => write!(f, "{list}[{index}]"),
            Self::Field(name) => f.write_str(name),
            Self::Member(object, name) => write!(f, "{object}.{name}"),
        }
    }
}

/// Reads one field of the body; `null` is as good as nothing.
pub(super) fn field<T: DeserializeOwned>(
    name: &'static str,
    raw: Raw<'_>,
) -> Result<Option<T>, Error> {
    value(At::Field(name), raw)
}

/// Reads one value; `null` is as good as nothing.
pub(super) fn value<T: DeserializeOwned>(at: At<'_>, raw: Raw<'_>) -> Result<Option<T>, Error> {
    let Some(raw) = raw else { return Ok(None) };
    serde_json::from_str(raw.get()).map_err(|error| bad(at, &error))
}

/// The library's words quote the value, and a value can be a prompt: only its kind is repeated.
pub(super) fn bad(name: At<'_>, error: &serde_json::Error) -> Error {
    let text = error.to_string();
    let words = match text.rsplit_once(", expected ") {
        Some((_, wanted)) => {
            let wanted = wanted.rsplit_once(" at line").map_or(wanted, |(wanted, _)| wanted);
            format!("{name} must be {}", json_word(wanted))
        }
        None => format!("{name} is not what it must be"),
    };
    Error::invalid_field(name.to_string(), words)
}

/// The library's word for a type, in JSON's terms.
fn json_word(wanted: &str) -> &str {
    match wanted {
        "a sequence" => "a list",
        "f64" => "a number",
        "u32" => "a whole number from 0 to 4294967295",
        "i64" => "a whole number",
        other if other.starts_with("struct ") => "an object",
        other => other,
    }
}

pub(super) fn model(body: &[u8], raw: Raw<'_>) -> Result<(String, Range<usize>), Error> {
    let wanted = || Error::invalid_field("model", "model must be a name");
    let raw = raw.ok_or_else(wanted)?;
    let name: String = serde_json::from_str(raw.get()).map_err(|_| wanted())?;
    if name.is_empty() || name.len() > 256 || name.chars().any(char::is_control) {
        return Err(Error::invalid_field("model", "model must be a name of 1 to 256 characters"));
    }
    Ok((name, span_of(body, raw)))
}
