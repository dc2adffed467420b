//! The header of a message or a part.

use crate::summary::extract::mail::words::{text_of, with_words};

/// Most bytes of one header, and of all that are kept.
const HEADER: usize = 8 << 10;
const KEPT: usize = 32 << 10;

/// The headers that say something here.
const NAMES: [&str; 8] = [
    "subject",
    "from",
    "to",
    "cc",
    "date",
    "content-type",
    "content-disposition",
    "content-transfer-encoding",
];

/// A header as it is read, line by line.
#[derive(Debug, Default)]
pub(super) struct Head {
    fields: Vec<(String, String)>,
    bytes: usize,
    /// Whether the last line began a field that is kept.
    open: bool,
    lines: u32,
}

impl Head {
    /// Takes a line of it.
    pub(super) fn take(&mut self, line: &[u8]) {
        let text = text_of(line);
        if text.starts_with([' ', '\t']) {
            if let Some((_, value)) = self.fields.last_mut().filter(|_| self.open)
                && value.len() + text.len() < HEADER
            {
                value.push(' ');
                value.push_str(text.trim());
            }
            return;
        }
        self.open = false;
        let Some((name, value)) = text.split_once(':') else { return };
        self.lines += 1;
        let name = name.trim().to_ascii_lowercase();
        if NAMES.contains(&name.as_str()) && self.bytes < KEPT {
            self.bytes += text.len();
            self.fields.push((name, value.trim().to_owned()));
            self.open = true;
        }
    }

    /// Its words as they were meant.
    pub(super) fn decode(&mut self) {
        for (name, value) in &mut self.fields {
            // Types and names of files have words within their parameters.
            if !name.starts_with("content-") {
                *value = with_words(value);
            }
        }
    }

    /// What a field says: nothing where there is none.
    pub(super) fn value(&self, name: &str) -> &str {
        self.fields.iter().find(|(it, _)| it == name).map_or("", |(_, value)| value)
    }

    /// Whether there was no line of the form `name: value`.
    pub(super) fn is_empty(&self) -> bool {
        self.lines == 0
    }
}
