//! What headers say in more than ASCII: encoded words, and parameters with continuations.

use encoding_rs::Encoding;

use crate::summary::extract::mail::transfer::{Transfer, decoded};
use crate::summary::extract::source::head;

/// Most bytes of a header, and most parameters.
const HEADER: usize = 16 << 10;
const PARAMETERS: usize = 64;

/// The characters of a header's bytes: UTF-8, or what old writers meant.
pub(super) fn text_of(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

/// A header's text, with its encoded words (`=?utf-8?q?caf=C3=A9?=`) as they were meant.
pub(super) fn with_words(value: &str) -> String {
    let mut text = String::new();
    let mut rest = value;
    let mut after_word = false;
    while let Some((before, word, after)) = next_word(rest) {
        // White space between two words is none.
        if !(after_word && before.trim().is_empty()) {
            text.push_str(before);
        }
        text.push_str(&word);
        rest = after;
        after_word = true;
    }
    text.push_str(rest);
    text
}

/// What stands before the next encoded word, the word, and what stands after it.
fn next_word(text: &str) -> Option<(&str, String, &str)> {
    let mut from = 0;
    loop {
        let start = from + text.get(from..)?.find("=?")?;
        let (before, inside) = text.split_at_checked(start)?;
        if let Some((word, after)) = word_at(inside.strip_prefix("=?")?) {
            return Some((before, word, after));
        }
        from = start + 2;
    }
}

fn word_at(inside: &str) -> Option<(String, &str)> {
    let (charset, rest) = inside.split_once('?')?;
    let (how, rest) = rest.split_once('?')?;
    let (content, after) = rest.split_once("?=")?;
    let (content, transfer) = match how {
        "b" | "B" => (content.to_owned(), Transfer::Base64),
        "q" | "Q" => (content.replace('_', " "), Transfer::Quoted),
        _ => return None,
    };
    // A language may follow the charset.
    let label = charset.split('*').next().unwrap_or_default();
    let encoding = Encoding::for_label(label.as_bytes())?;
    let bytes = head(&mut decoded(content.as_bytes(), transfer), HEADER).ok()?;
    Some((encoding.decode_without_bom_handling(&bytes).0.into_owned(), after))
}

/// A header's value and its parameters: `text/plain; charset=utf-8`.
pub(super) fn with_parameters(value: &str) -> (String, Vec<(String, String)>) {
    let mut pieces = split_outside_quotes(value).into_iter();
    let first = pieces.next().unwrap_or_default().trim().to_ascii_lowercase();
    let mut parameters: Vec<(String, String)> = Vec::new();
    for piece in pieces.take(PARAMETERS) {
        let Some((name, value)) = piece.split_once('=') else { continue };
        let name = name.trim().to_ascii_lowercase();
        let value = value.trim().trim_matches('"').replace("\\\"", "\"");
        let (base, continued) = name.split_once('*').map_or((name.as_str(), ""), |found| found);
        let extended = name.ends_with('*');
        let value = if extended { unescaped(&value) } else { with_words(&value) };
        match parameters.iter_mut().find(|(known, _)| known == base) {
            Some((_, known)) if !continued.is_empty() => known.push_str(&value),
            Some(_) => {}
            None => parameters.push((base.to_owned(), value)),
        }
    }
    (first, parameters)
}

fn split_outside_quotes(value: &str) -> Vec<&str> {
    let mut quoted = false;
    value
        .split(|each| {
            quoted ^= each == '"';
            each == ';' && !quoted
        })
        .collect()
}

/// `utf-8''caf%C3%A9`; what continues it has no charset.
fn unescaped(value: &str) -> String {
    let mut pieces = value.splitn(3, '\'');
    let (charset, text) = match (pieces.next(), pieces.next(), pieces.next()) {
        (Some(charset), Some(_), Some(text)) => (charset, text),
        _ => ("", value),
    };
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(text).collect();
    let encoding = Encoding::for_label(charset.as_bytes()).unwrap_or(encoding_rs::UTF_8);
    encoding.decode_without_bom_handling(&bytes).0.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_decoded() {
        let table = [
            ("=?utf-8?q?caf=C3=A9?= au lait", "café au lait"),
            ("=?ISO-8859-1?B?4Q==?=\t =?iso-8859-1?Q?_b?=", "á b"),
            ("a =?x?y?z?= b =?", "a =?x?y?z?= b =?"),
            ("=?utf-8*en?q?x?=", "x"),
            ("plain", "plain"),
        ];
        for (given, want) in table {
            assert_eq!(with_words(given), want);
        }
    }

    #[test]
    fn parameters_are_read() {
        let (kind, parameters) = with_parameters(
            "Text/Plain; charset=\"utf-8\"; name=\"a;b.txt\"; x*=utf-8''%C3%A4; y*0=\"one\"; y*1=two; bad",
        );
        assert_eq!(kind, "text/plain");
        let want = [("charset", "utf-8"), ("name", "a;b.txt"), ("x", "ä"), ("y", "onetwo")];
        assert_eq!(parameters, want.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
