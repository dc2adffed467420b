//! A path's query, as HTML's forms and every client library write it.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::chat::Error;

/// The query's pairs, in their order.
///
/// # Errors
/// A value is no UTF-8.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = Result<(&str, String), Error>> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(value)
            .ok_or_else(|| Error::invalid_field(name, "the query must be UTF-8 when decoded"))?;
        Ok((name, value))
    })
}

/// `+` is a space there.
fn decoded(value: &str) -> Option<String> {
    let spaced = value.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(|text| text.into_owned())
}

/// The query with one more pair: the last of a name is the one that counts.
pub(super) fn with(query: &str, name: &str, value: &str) -> String {
    format!("{query}&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))
}

/// A parameter that is none of those there are.
pub(super) fn unknown(name: &str, known: &str) -> Error {
    Error::invalid_field(name, format!("there is no parameter {name:?}; there are {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_more_is_read_as_it_was() {
        for value in ["tiny", "a/b:c d", "1+1=2&x=ä%"] {
            let query = with("model=a", "model", value);
            let read: Vec<_> = pairs(&query).map(|pair| pair.unwrap().1).collect();
            assert_eq!(read, ["a", value]);
        }
    }
}
