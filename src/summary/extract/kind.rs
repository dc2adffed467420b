//! What kind of document it is: what was declared, then its name, then its bytes.

use std::str::FromStr;

use crate::summary::extract::charset::charset_of;
use crate::summary::extract::report::{Refused, shortened};

/// Bytes that a kind is seen from.
const HEAD: usize = 1024;

/// A kind of document that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text as it is: also logs, whose lines stay lines.
    Text,
    /// Markdown, which stays as it is.
    Markdown,
    /// A web page.
    Html,
    /// The text layer of a PDF.
    Pdf,
    /// A document of a word processor.
    Docx,
    /// A book.
    Epub,
    /// A mail, or one that was saved.
    Mail,
    /// A table of records.
    Csv,
    /// A JSON object on every line.
    JsonLines,
}

/// Each kind with its word, its media types, and how its names end.
const KINDS: [(Kind, &str, &[&str], &[&str]); 9] = [
    (Kind::Text, "text", &["text/plain", "text/x-log"], &["txt", "text", "log"]),
    (Kind::Markdown, "markdown", &["text/markdown", "text/x-markdown"], &["md", "markdown"]),
    (Kind::Html, "html", &["text/html", "application/xhtml+xml"], &["html", "htm", "xhtml"]),
    (Kind::Pdf, "pdf", &["application/pdf", "application/x-pdf"], &["pdf"]),
    (Kind::Docx, "docx", &[DOCX], &["docx"]),
    (Kind::Epub, "epub", &["application/epub+zip"], &["epub"]),
    (Kind::Mail, "mail", &["message/rfc822"], &["eml"]),
    (Kind::Csv, "csv", &["text/csv", "text/tab-separated-values"], &["csv", "tsv"]),
    (
        Kind::JsonLines,
        "json_lines",
        &["application/x-ndjson", "application/jsonl", "application/json-lines"],
        &["jsonl", "ndjson"],
    ),
];

const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

/// What says nothing of what is in it.
const ANYTHING: &str = "application/octet-stream";

impl Kind {
    /// The kind of a document, from the media type that was declared, its name, and its first
    /// bytes (1 KiB or more, where there are as many).
    ///
    /// # Errors
    /// Where no such kind is taken, or the bytes are plainly of another than was declared.
    pub fn of(
        media_type: Option<&str>,
        file_name: Option<&str>,
        head: &[u8],
    ) -> Result<Self, Refused> {
        let head = head.get(..HEAD).unwrap_or(head);
        let essence = media_type.map(essence).filter(|it| !it.is_empty() && it != ANYTHING);
        let kind = match essence {
            Some(essence) => by_media_type(&essence)?,
            None => match file_name.and_then(by_name) {
                Some(kind) => kind,
                None => by_bytes(head)?,
            },
        };
        let wide = media_type
            .and_then(charset_of)
            .is_some_and(|it| it.to_ascii_lowercase().starts_with("utf-16"));
        kind.check(head, wide)?;
        Ok(kind)
    }

    /// The word for it in the child's arguments.
    pub(super) fn word(self) -> &'static str {
        self.row().1
    }

    /// How a person calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Markdown => "Markdown",
            Self::Html => "HTML",
            Self::Pdf => "PDF",
            Self::Docx => "DOCX",
            Self::Epub => "EPUB",
            Self::Mail => "a mail",
            Self::Csv => "CSV",
            Self::JsonLines => "JSON lines",
        }
    }

    fn row(self) -> (Self, &'static str, &'static [&'static str], &'static [&'static str]) {
        let found = KINDS.into_iter().find(|row| row.0 == self);
        found.unwrap_or((self, "text", &[], &[]))
    }

    /// Whether the bytes can be of this kind.
    fn check(self, head: &[u8], wide: bool) -> Result<(), Refused> {
        if head.is_empty() {
            return Err(Refused::unreadable("it is empty"));
        }
        let fits = match self {
            Self::Pdf => has(head, b"%PDF-"),
            Self::Docx | Self::Epub => is_zip(head),
            _ => !is_binary(head, wide),
        };
        if fits {
            return Ok(());
        }
        let what = by_magic(head).unwrap_or("something else");
        Err(Refused::Unreadable(format!("it is said to be {}, and is {what}", self.name())))
    }
}

impl FromStr for Kind {
    type Err = Refused;

    fn from_str(word: &str) -> Result<Self, Refused> {
        let found = KINDS.into_iter().find(|row| row.1 == word);
        found.map(|row| row.0).ok_or_else(|| Refused::Failed(format!("no kind is called {word}")))
    }
}

/// A media type without its parameters, in lower case.
pub fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn by_media_type(essence: &str) -> Result<Kind, Refused> {
    let found = KINDS.into_iter().find(|row| row.2.contains(&essence));
    found.map(|row| row.0).ok_or_else(|| unsupported(&shortened(essence, 80)))
}

fn by_name(name: &str) -> Option<Kind> {
    let ending = name.rsplit_once('.')?.1.to_ascii_lowercase();
    KINDS.into_iter().find(|row| row.3.contains(&ending.as_str())).map(|row| row.0)
}

fn by_bytes(head: &[u8]) -> Result<Kind, Refused> {
    if has(head, b"%PDF-") {
        return Ok(Kind::Pdf);
    }
    if is_zip(head) {
        return by_first_entry(head);
    }
    let start = head.trim_ascii_start();
    let begins =
        |with: &[u8]| start.get(..with.len()).is_some_and(|first| first.eq_ignore_ascii_case(with));
    if begins(b"<!doctype html") || begins(b"<html") || begins(b"<head") || begins(b"<body") {
        return Ok(Kind::Html);
    }
    match by_magic(head) {
        Some(what) => Err(unsupported(what)),
        None => Ok(Kind::Text),
    }
}

/// An archive's first entry tells a book; a DOCX names its parts in the first KiB, as a rule.
fn by_first_entry(head: &[u8]) -> Result<Kind, Refused> {
    if has(head, b"mimetypeapplication/epub+zip") {
        return Ok(Kind::Epub);
    }
    if has(head, b"[Content_Types].xml") || has(head, b"word/") || has(head, b"_rels/.rels") {
        return Ok(Kind::Docx);
    }
    Err(unsupported("a ZIP archive"))
}

/// What bytes are that no text begins with.
fn by_magic(head: &[u8]) -> Option<&'static str> {
    let table: [(&[u8], &str); 10] = [
        (b"%PDF-", "a PDF"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"\x89PNG", "a PNG image"),
        (b"\xff\xd8\xff", "a JPEG image"),
        (b"GIF8", "a GIF image"),
        (b"\x1f\x8b", "gzip"),
        (b"\xd0\xcf\x11\xe0", "an old Office document"),
        (b"\x7fELF", "a program"),
        (b"{\\rtf", "RTF"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    ];
    let known = table.into_iter().find(|(magic, _)| head.starts_with(magic)).map(|row| row.1);
    known.or_else(|| is_binary(head, false).then_some("no text"))
}

fn is_zip(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06")
}

/// Zeros are in no text, but in UTF-16, which has a mark or was declared.
fn is_binary(head: &[u8], wide: bool) -> bool {
    let marked = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
    let magic = is_zip(head) || head.starts_with(b"%PDF-") || head.starts_with(b"\x89PNG");
    magic || head.contains(&0) && !wide && !marked
}

fn has(head: &[u8], wanted: &[u8]) -> bool {
    head.windows(wanted.len()).any(|window| window == wanted)
}

fn unsupported(given: &str) -> Refused {
    let taken: Vec<&str> =
        KINDS.iter().filter_map(|(_, _, types, _)| types.first()).copied().collect();
    Refused::Unsupported(format!(
        "{given} cannot be read; what is taken: {} (or {ANYTHING} with a file name)",
        taken.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_declared_type_comes_first_then_the_name_then_the_bytes() {
        let zip = b"PK\x03\x04.................mimetypeapplication/epub+zip";
        type Row<'r> = (Option<&'r str>, Option<&'r str>, &'r [u8], Kind);
        let table: [Row<'_>; 12] = [
            (Some("text/plain; charset=utf-8"), Some("a.md"), b"x", Kind::Text),
            (Some("TEXT/HTML"), None, b"x", Kind::Html),
            (Some(ANYTHING), Some("Report.PDF"), b"\n%PDF-1.7", Kind::Pdf),
            (None, Some("a.eml"), b"Subject: x", Kind::Mail),
            (None, Some("noending"), b"just text", Kind::Text),
            (None, None, b"  <!DOCTYPE html><p>", Kind::Html),
            (None, None, zip, Kind::Epub),
            (None, None, b"PK\x03\x04......[Content_Types].xml", Kind::Docx),
            (Some(DOCX), None, b"PK\x03\x04", Kind::Docx),
            (Some("text/plain"), None, b"\xff\xfea\0b\0", Kind::Text),
            (Some("text/plain; charset=utf-16le"), None, b"a\0b\0", Kind::Text),
            (Some("application/x-ndjson"), None, b"{}", Kind::JsonLines),
        ];
        for (media_type, name, head, want) in table {
            assert_eq!(Kind::of(media_type, name, head), Ok(want), "{media_type:?} {name:?}");
        }
    }

    #[test]
    fn what_is_not_what_it_is_said_to_be_is_refused() {
        let table: [(Option<&str>, &[u8], &str); 8] = [
            (Some("application/pdf"), b"hello", "it is said to be PDF, and is something else"),
            (Some(DOCX), b"%PDF-1.4", "it is said to be DOCX, and is a PDF"),
            (Some("text/plain"), b"a\0b", "it is said to be text, and is no text"),
            (Some("text/csv"), b"PK\x03\x04", "it is said to be CSV, and is a ZIP archive"),
            (Some("image/png"), b"\x89PNG", "image/png cannot be read; what is taken: text/plain"),
            (None, b"\x1f\x8b\x08", "gzip cannot be read"),
            (None, b"PK\x03\x04 a.jar", "a ZIP archive cannot be read"),
            (Some("text/plain"), b"", "it is empty"),
        ];
        for (media_type, head, want) in table {
            let refused = Kind::of(media_type, None, head).unwrap_err().to_string();
            assert!(refused.starts_with(want), "{refused}");
        }
    }

    #[test]
    fn every_kind_has_a_word() {
        for (kind, word, ..) in KINDS {
            assert_eq!(word.parse(), Ok(kind));
            assert_eq!(kind.word(), word);
        }
    }
}
