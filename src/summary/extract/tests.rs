//! What the readers' tests share.

use std::cell::RefCell;
use std::fs::File;
use std::io::Write;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::summary::extract::child::read;
use crate::summary::extract::kind::Kind;
use crate::summary::extract::limits::Limits;
use crate::summary::extract::reading::Reading;
use crate::summary::extract::report::{Refused, Report};
use crate::summary::extract::sheet::Sheet;

/// A sheet whose bytes can be looked at.
pub(super) struct Paper {
    pub(super) sheet: Sheet,
    pub(super) bytes: Rc<RefCell<Vec<u8>>>,
}

pub(super) fn paper(most: u64) -> Paper {
    let bytes = Rc::new(RefCell::new(Vec::new()));
    Paper { sheet: Sheet::new(Box::new(Shared(Rc::clone(&bytes))), most), bytes }
}

struct Shared(Rc<RefCell<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A file of these bytes that has no name.
pub(super) fn file_of(bytes: &[u8]) -> File {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("edgehold-extract-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, bytes).unwrap();
    let file = File::open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file
}

pub(super) fn limits() -> Limits {
    let limits = Limits::new(64 << 20, Duration::from_secs(10));
    Limits { inflated: 16 << 20, ..limits }
}

/// Reads a document as the child does.
pub(super) fn outcome(kind: Kind, document: &[u8]) -> Result<(String, Report), Refused> {
    let Paper { sheet, bytes } = paper(64 << 20);
    let mut reading = Reading::new(limits(), sheet);
    read(kind, None, &file_of(document), &mut reading)?;
    let written = reading.sheet.finish()?;
    let text = String::from_utf8(bytes.borrow().clone()).unwrap();
    Ok((text, reading.into_report(written, 0)))
}

pub(super) fn text_of(kind: Kind, document: &[u8]) -> String {
    outcome(kind, document).unwrap().0
}

pub(super) fn notes_of(kind: Kind, document: &[u8]) -> Vec<String> {
    outcome(kind, document).unwrap().1.skipped
}

pub(super) fn title_of(kind: Kind, document: &[u8]) -> Option<String> {
    outcome(kind, document).unwrap().1.title
}

pub(super) fn refusal(kind: Kind, document: &[u8]) -> String {
    outcome(kind, document).unwrap_err().to_string()
}
