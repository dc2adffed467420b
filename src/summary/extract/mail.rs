//! Mails: who wrote what to whom and when, and the text, which is preferred to its twin in HTML.
//!
//! The file is gone over once to find where its parts begin and end. Then those that are text are
//! read, each from its place. A library would hold the mail, and a record of every part of it.

mod head;
mod lines;
mod parts;
mod transfer;
mod words;

use std::fs::File;

use encoding_rs::Encoding;

use crate::summary::extract::charset::{Decoder, declared, of_source};
use crate::summary::extract::html::{Language, read_all};
use crate::summary::extract::mail::parts::{Part, Parts};
use crate::summary::extract::mail::transfer::decoded;
use crate::summary::extract::reading::Reading;
use crate::summary::extract::report::{Refused, shortened};
use crate::summary::extract::source::{Source, Stretch};

pub(super) fn read(document: &File, reading: &mut Reading) -> Result<(), Refused> {
    let parts = Parts::of(document, reading.limits.nesting)?;
    for note in &parts.notes {
        reading.notes.add(note);
    }
    let first = parts.all.first().filter(|part| !part.head.is_empty());
    let first = first.ok_or_else(|| Refused::unreadable("it is no mail: it has no header"))?;
    reading.call(first.head.value("subject"));
    Mail { document, parts: &parts }.write(0, reading)
}

/// A mail whose parts are known.
#[derive(Clone, Copy)]
struct Mail<'m> {
    document: &'m File,
    parts: &'m Parts,
}

impl Mail<'_> {
    /// Writes a part and all in it. How deep that goes was bounded when the parts were found.
    fn write(self, index: usize, reading: &mut Reading) -> Result<(), Refused> {
        let Some(part) = self.parts.all.get(index) else { return Ok(()) };
        if part.is_message {
            write_head(part, reading)?;
        }
        let children: Vec<usize> = self.parts.children(index).collect();
        if part.is_kind("multipart/alternative") {
            return self.write_best(&children, reading);
        }
        for child in &children {
            self.write(*child, reading)?;
        }
        if children.is_empty() { self.write_leaf(part, reading) } else { Ok(()) }
    }

    /// Of several forms of the same text: the plain one, else the last, which says most.
    fn write_best(self, children: &[usize], reading: &mut Reading) -> Result<(), Refused> {
        let is_plain = |child: &&usize| {
            self.parts.all.get(**child).is_some_and(|part| part.is_kind("text/plain"))
        };
        let plain = children.iter().filter(is_plain);
        let others = children.iter().rev().filter(|child| !is_plain(child));
        for child in plain.chain(others) {
            let before = reading.sheet.length();
            self.write(*child, reading)?;
            if reading.sheet.length() > before {
                break;
            }
        }
        Ok(())
    }

    fn write_leaf(self, part: &Part, reading: &mut Reading) -> Result<(), Refused> {
        let html = part.is_kind("text/html");
        let text = html || part.is_kind("text/plain") || part.is_kind("text/markdown");
        if !text || part.is_attached {
            if !part.is_kind("message/rfc822") && !part.kind.starts_with("multipart/") {
                reading.notes.add(&part.left_out());
            }
            return Ok(());
        }
        reading.sheet.paragraph();
        let packed = Stretch::new(self.document, part.start, part.end);
        let (encoding, source) = of_source(decoded(packed, part.transfer))?;
        let label = Some(part.charset.as_str()).filter(|label| !label.is_empty());
        let encoding = declared(label, &mut reading.notes).unwrap_or(encoding);
        if html {
            read_all(source, encoding, Language::Html, reading)
        } else {
            write_text(source, encoding, reading)
        }
    }
}

fn write_text(
    source: impl Source,
    encoding: &'static Encoding,
    reading: &mut Reading,
) -> Result<(), Refused> {
    let mut text = Decoder::new(source, encoding);
    while let Some(piece) = text.next()? {
        reading.sheet.put(piece)?;
    }
    text.report(&mut reading.notes);
    reading.sheet.paragraph();
    Ok(())
}

fn write_head(part: &Part, reading: &mut Reading) -> Result<(), Refused> {
    reading.sheet.paragraph();
    for (name, shown) in
        [("subject", "Subject"), ("from", "From"), ("to", "To"), ("cc", "Cc"), ("date", "Date")]
    {
        let value = part.head.value(name);
        if !value.is_empty() {
            reading.sheet.line();
            reading.sheet.flow(&format!("{shown}: {value}"))?;
        }
    }
    reading.sheet.paragraph();
    Ok(())
}

impl Part {
    /// What there is to say of a part that is not read.
    fn left_out(&self) -> String {
        let name = shortened(&self.name, 80);
        let kind = shortened(&self.kind, 60);
        if name.is_empty() {
            format!("an attachment ({kind}) is not read")
        } else {
            format!("attachment {name} ({kind}) is not read")
        }
    }
}

#[cfg(test)]
mod tests;
