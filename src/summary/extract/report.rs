//! What comes back from the child: a report, or why there is none.

use serde::{Deserialize, Serialize};

/// Most notes of what was left out, and most bytes of one: the report goes through a pipe.
const NOTES: usize = 32;
const NOTE: usize = 160;

/// How a document was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Bytes of text that were written.
    pub text_bytes: u64,
    /// What was left out, a sentence each.
    pub skipped: Vec<String>,
    /// The document's title, where it says one.
    pub title: Option<String>,
    /// The most memory that the child held at once (`VmHWM`).
    pub peak_bytes: u64,
    /// Pages, where the document has any.
    pub pages: Option<u32>,
}

/// Why a document was not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// No kind of document that is taken.
    #[error("{0}")]
    Unsupported(String),
    /// Broken, cut, encrypted, or without text.
    #[error("{0}")]
    Unreadable(String),
    /// It goes beyond a limit, which is named.
    #[error("{0}")]
    TooLarge(String),
    /// The fault is ours.
    #[error("{0}")]
    Failed(String),
}

impl Refused {
    pub(super) fn unreadable(why: impl Into<String>) -> Self {
        Self::Unreadable(why.into())
    }

    pub(super) fn too_large(why: impl Into<String>) -> Self {
        Self::TooLarge(why.into())
    }
}

/// Notes of what was left out, up to a bound.
#[derive(Debug, Default)]
pub(super) struct Notes {
    kept: Vec<String>,
    more: u64,
}

impl Notes {
    /// Adds one, unless it is there already.
    pub(super) fn add(&mut self, note: &str) {
        let note = shortened(note, NOTE);
        if self.kept.contains(&note) {
            return;
        }
        if self.kept.len() < NOTES {
            self.kept.push(note);
        } else {
            self.more += 1;
        }
    }

    pub(super) fn into_list(mut self) -> Vec<String> {
        if self.more > 0 {
            self.kept.push(format!("and {} more of the kind", self.more));
        }
        self.kept
    }
}

/// The text on one line, without what is no character, and not longer than so many bytes.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let mut short = String::new();
    for word in text.split_whitespace() {
        if !short.is_empty() {
            short.push(' ');
        }
        short.extend(word.chars().filter(|it| !it.is_control()));
        if short.len() > most {
            short.truncate(short.floor_char_boundary(most));
            short.push('…');
            break;
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_have_a_bound() {
        let mut notes = Notes::default();
        for number in 0..100 {
            notes.add(&format!("page {number} has no text"));
            notes.add("page 1 has no text");
        }
        let list = notes.into_list();
        assert_eq!(list.len(), NOTES + 1);
        assert_eq!(list.last().unwrap(), "and 68 more of the kind");
    }

    #[test]
    fn a_title_is_one_line() {
        assert_eq!(shortened(" a\n\tb\u{1} ", 10), "a b");
        assert_eq!(shortened(&"ä".repeat(10), 5), "ää…");
    }
}
