//! What every reader works with: the bounds, the sheet, and what there is to report.

use std::cell::Cell;
use std::rc::Rc;

use crate::summary::extract::limits::Limits;
use crate::summary::extract::report::{Notes, Refused, Report, shortened};
use crate::summary::extract::sheet::Sheet;

/// Most bytes of a title.
const TITLE: usize = 300;

/// The reading of one document.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) limits: Limits,
    pub(super) sheet: Sheet,
    pub(super) notes: Notes,
    pub(super) meter: Meter,
    pub(super) pages: Option<u32>,
    title: Option<String>,
}

impl Reading {
    pub(super) fn new(limits: Limits, sheet: Sheet) -> Self {
        let meter = Meter::new(limits.inflated);
        Self { limits, sheet, notes: Notes::default(), meter, pages: None, title: None }
    }

    /// Says what the document is called. The first word on it counts.
    pub(super) fn call(&mut self, title: &str) {
        let title = shortened(title, TITLE);
        if self.title.is_none() && !title.is_empty() {
            self.title = Some(title);
        }
    }

    pub(super) fn into_report(self, text_bytes: u64, peak_bytes: u64) -> Report {
        Report {
            text_bytes,
            skipped: self.notes.into_list(),
            title: self.title,
            peak_bytes,
            pages: self.pages,
        }
    }
}

/// Counts what was inflated, over all parts of a document.
#[derive(Debug, Clone)]
pub(super) struct Meter {
    most: u64,
    used: Rc<Cell<u64>>,
}

impl Meter {
    pub(super) fn new(most: u64) -> Self {
        Self { most, used: Rc::default() }
    }

    pub(super) fn take(&self, bytes: usize) -> Result<(), Refused> {
        let used = self.used.get().saturating_add(bytes as u64);
        self.used.set(used);
        if used <= self.most {
            return Ok(());
        }
        let most = self.most;
        Err(Refused::too_large(format!("its compressed parts come to more than {most} bytes")))
    }
}
