//! Where the parts of a mail are.

use std::fs::File;

use crate::summary::extract::mail::head::Head;
use crate::summary::extract::mail::lines::Lines;
use crate::summary::extract::mail::transfer::Transfer;
use crate::summary::extract::mail::words::with_parameters;
use crate::summary::extract::report::Refused;
use crate::summary::extract::source::Stretch;

/// Most parts of a mail, and most bytes of what marks their borders.
const PARTS: usize = 500;
const BOUNDARY: usize = 200;

/// A part: a message, one of several parts, or a message within one.
#[derive(Debug, Default)]
pub(super) struct Part {
    parent: Option<usize>,
    depth: u32,
    pub(super) is_message: bool,
    pub(super) head: Head,
    pub(super) kind: String,
    pub(super) charset: String,
    pub(super) name: String,
    pub(super) transfer: Transfer,
    pub(super) is_attached: bool,
    boundary: String,
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Part {
    pub(super) fn is_kind(&self, kind: &str) -> bool {
        self.kind == kind
    }

    /// Its header is complete: what it says of the part.
    fn understand(&mut self) {
        self.head.decode();
        let (kind, parameters) = with_parameters(self.head.value("content-type"));
        let (disposition, more) = with_parameters(self.head.value("content-disposition"));
        let parameter = |name: &str| {
            let found = parameters.iter().chain(&more).find(|(it, _)| it == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        self.charset = parameter("charset");
        self.name = parameter("filename");
        if self.name.is_empty() {
            self.name = parameter("name");
        }
        self.boundary = parameter("boundary");
        self.kind = if kind.contains('/') { kind } else { "text/plain".to_owned() };
        self.transfer = Transfer::of(self.head.value("content-transfer-encoding"));
        self.is_attached = disposition == "attachment";
    }
}

/// All parts, in the order in which they begin.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) all: Vec<Part>,
    pub(super) notes: Vec<String>,
}

impl Parts {
    /// Finds them.
    pub(super) fn of(document: &File, nesting: u32) -> Result<Self, Refused> {
        let mut scan = Scan { parts: Self::default(), open: Vec::new(), in_head: false, nesting };
        let mut lines = Lines::new(Stretch::whole(document));
        let mut line = Vec::new();
        scan.begin(None, true, 0);
        let mut at = 0;
        while lines.next(&mut line)? {
            // What mailboxes put between mails.
            if !(at == 0 && line.starts_with(b"From ")) {
                scan.take(&line, at, lines.at);
            }
            at = lines.at;
        }
        scan.end(at);
        Ok(scan.parts)
    }

    /// The parts of a part.
    pub(super) fn children(&self, index: usize) -> impl Iterator<Item = usize> {
        let all = self.all.iter().enumerate();
        all.filter(move |(_, part)| part.parent == Some(index)).map(|(child, _)| child)
    }
}

/// The search for parts, line by line.
struct Scan {
    parts: Parts,
    /// The parts that have not ended, from the outermost.
    open: Vec<usize>,
    in_head: bool,
    nesting: u32,
}

impl Scan {
    fn begin(&mut self, parent: Option<usize>, is_message: bool, at: u64) {
        let depth = parent.and_then(|it| self.parts.all.get(it)).map_or(0, |it| it.depth + 1);
        if self.parts.all.len() >= PARTS {
            self.note(format!("parts after the first {PARTS} are not read"));
            return;
        }
        let part = Part { parent, depth, is_message, start: at, end: at, ..Part::default() };
        self.open.push(self.parts.all.len());
        self.parts.all.push(part);
        self.in_head = true;
    }

    fn note(&mut self, note: String) {
        if !self.parts.notes.contains(&note) {
            self.parts.notes.push(note);
        }
    }

    fn last(&mut self) -> Option<&mut Part> {
        self.parts.all.get_mut(*self.open.last()?)
    }

    fn take(&mut self, line: &[u8], at: u64, next: u64) {
        if line.starts_with(b"--") && self.is_border(line, at, next) {
            return;
        }
        if !self.in_head {
            return;
        }
        if line.is_empty() {
            self.end_head(next);
        } else if let Some(part) = self.last() {
            part.head.take(line);
        }
    }

    /// The header has ended, and the content begins.
    fn end_head(&mut self, next: u64) {
        self.in_head = false;
        let (nesting, index) = (self.nesting, self.open.last().copied());
        let Some(part) = self.last() else { return };
        part.understand();
        part.start = next;
        part.end = next;
        let plain = part.transfer == Transfer::Plain;
        if part.is_kind("message/rfc822") && plain {
            if part.depth + 1 < nesting {
                self.begin(index, true, next);
            } else {
                self.note(format!("messages that are nested {nesting} deep are not read"));
            }
        }
    }

    /// Whether a line is the border of a part; then parts end and begin.
    fn is_border(&mut self, line: &[u8], at: u64, next: u64) -> bool {
        let line = line.strip_prefix(b"--").unwrap_or_default().trim_ascii_end();
        let line = line.get(..BOUNDARY + 2).unwrap_or(line);
        let found = self.open.iter().rposition(|index| {
            let boundary = self.parts.all.get(*index).map(|part| part.boundary.as_bytes());
            let boundary = boundary.filter(|it| !it.is_empty() && it.len() <= BOUNDARY);
            let after = boundary.and_then(|boundary| line.strip_prefix(boundary));
            matches!(after, Some(b"" | b"--"))
        });
        let Some(place) = found else { return false };
        let Some(owner) = self.open.get(place).copied() else { return false };
        let depth = self.parts.all.get(owner).map_or(0, |part| part.depth);
        let boundary = self.parts.all.get(owner).map_or(0, |part| part.boundary.len());
        self.end_after(place, at);
        self.in_head = false;
        if line.len() == boundary {
            if depth + 1 < self.nesting {
                self.begin(Some(owner), false, next);
            } else {
                self.note(format!("parts that are nested {} deep are not read", self.nesting));
            }
        }
        true
    }

    /// Ends the open parts that are within one of them.
    fn end_after(&mut self, place: usize, at: u64) {
        let in_head = std::mem::take(&mut self.in_head);
        for (nth, index) in self.open.split_off(place + 1).into_iter().rev().enumerate() {
            if let Some(part) = self.parts.all.get_mut(index) {
                if in_head && nth == 0 {
                    // A header without content.
                    part.understand();
                    part.start = at;
                }
                part.end = at;
            }
        }
    }

    fn end(&mut self, at: u64) {
        self.end_after(0, at);
        if let Some(first) = self.parts.all.first_mut() {
            if self.open.len() == 1 && first.kind.is_empty() {
                first.understand();
                first.start = at;
            }
            first.end = at;
        }
    }
}
