//! The fields of a request's body: read one by one, so that what is wrong with one can be said by
//! its name, and never by its value.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::chat::Error;

/// A field as it was written, if it is there.
pub(super) type Raw<'a> = Option<&'a RawValue>;

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
