//! The child's side: reads its arguments, shuts itself in, reads the document, and says what came
//! of it.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::time::Duration;

use crate::summary::extract::fence::{Status, shut};
use crate::summary::extract::kind::Kind;
use crate::summary::extract::limits::Limits;
use crate::summary::extract::reading::Reading;
use crate::summary::extract::report::{Refused, Report};
use crate::summary::extract::sheet::Sheet;
use crate::summary::extract::{csv, docx, epub, html, json_lines, mail, pdf, plain};

/// The exit code where the document was refused: that of bad data.
const REFUSED: u8 = 65;

/// What the child is told: words of the form `name=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) kind: Kind,
    pub(super) charset: Option<String>,
    pub(super) limits: Limits,
}

/// Reads the document that is standard input and writes its text to standard output. The last line
/// of standard error says what came of it. Returns the exit code.
///
/// The words: `kind=`, `memory=`, `cpu_ms=`, `text=`, `pages=`, `inflated=`, `nesting=` and
/// `charset=`; all but the first may be missing.
pub fn child(words: impl Iterator<Item = OsString>) -> u8 {
    let verdict = Order::from_words(words).and_then(|order| order.carry_out());
    let line = serde_json::to_string(&verdict).unwrap_or_default();
    // Where nobody listens there is nobody to tell.
    writeln!(std::io::stderr(), "{line}").ok();
    if verdict.is_ok() { 0 } else { REFUSED }
}

impl Order {
    fn from_words(words: impl Iterator<Item = OsString>) -> Result<Self, Refused> {
        let mut limits = Limits::new(64 << 20, Duration::from_secs(60));
        let (mut kind, mut charset) = (Err(Refused::Failed("no kind is named".to_owned())), None);
        for word in words {
            let word = word.to_string_lossy();
            let (name, value) = word.split_once('=').unwrap_or((&word, ""));
            match name {
                "kind" => kind = value.parse(),
                "charset" => charset = Some(value.to_owned()),
                _ => limits.set(name, value).ok_or_else(|| {
                    Refused::Failed(format!("{word} is nothing that the reader can be told"))
                })?,
            }
        }
        Ok(Self { kind: kind?, charset, limits })
    }

    /// The words that make this order.
    pub(super) fn to_words(&self) -> Vec<String> {
        let limits = &self.limits;
        let mut words = vec![
            format!("kind={}", self.kind.word()),
            format!("memory={}", limits.memory),
            format!("cpu_ms={}", limits.cpu.as_millis()),
            format!("text={}", limits.text),
            format!("pages={}", limits.pages),
            format!("inflated={}", limits.inflated),
            format!("nesting={}", limits.nesting),
        ];
        words.extend(self.charset.iter().map(|charset| format!("charset={charset}")));
        words
    }

    fn carry_out(self) -> Result<Report, Refused> {
        let document = file(std::io::stdin().as_fd())?;
        let text = file(std::io::stdout().as_fd())?;
        let status = Status::open()?;
        shut(&self.limits)?;
        let sheet = Sheet::new(Box::new(text), self.limits.text);
        let mut reading = Reading::new(self.limits, sheet);
        read(self.kind, self.charset.as_deref(), &document, &mut reading)?;
        let written = reading.sheet.finish()?;
        Ok(reading.into_report(written, status.peak_bytes()))
    }
}

/// Reads a document of some kind.
pub(super) fn read(
    kind: Kind,
    charset: Option<&str>,
    document: &File,
    reading: &mut Reading,
) -> Result<(), Refused> {
    match kind {
        Kind::Text | Kind::Markdown => plain::read(kind, charset, document, reading),
        Kind::Html => html::read(charset, document, reading),
        Kind::Pdf => pdf::read(document, reading),
        Kind::Docx => docx::read(document, reading),
        Kind::Epub => epub::read(document, reading),
        Kind::Mail => mail::read(document, reading),
        Kind::Csv => csv::read(charset, document, reading),
        Kind::JsonLines => json_lines::read(charset, document, reading),
    }?;
    if reading.sheet.has_text() {
        return Ok(());
    }
    Err(Refused::Unreadable(match kind {
        Kind::Pdf => "no page has a text layer: it may be a scan, whose text has to be \
                      recognised first (OCR)"
            .to_owned(),
        _ => "there is no text in it".to_owned(),
    }))
}

/// A file of our own for an open one, so that it can be read at any place.
fn file(open: impl AsFd) -> Result<File, Refused> {
    let copy = open.as_fd().try_clone_to_owned();
    copy.map(File::from).map_err(|error| Refused::Failed(format!("no document is open: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_understood_as_it_was_meant() {
        for charset in [None, Some("x=y".to_owned())] {
            let mut limits = Limits::new(5 << 20, Duration::from_millis(2500));
            (limits.text, limits.pages, limits.inflated, limits.nesting) = (1, 2, 3, 4);
            let wall = Limits::new(0, Duration::from_secs(60)).wall;
            let order = Order { kind: Kind::Epub, charset, limits: Limits { wall, ..limits } };
            let words = order.to_words().into_iter().map(OsString::from);
            assert_eq!(Order::from_words(words), Ok(order));
        }
        for wrong in ["kind=elf", "memory=x", "walls=3", "x", ""] {
            let words = ["kind=pdf", wrong].map(OsString::from).into_iter();
            assert!(matches!(Order::from_words(words), Err(Refused::Failed(_))), "{wrong}");
        }
        assert!(Order::from_words(std::iter::empty()).is_err());
    }
}
