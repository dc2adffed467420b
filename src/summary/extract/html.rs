//! Web pages: what one would read of them, without what stands around it.
//!
//! The file is gone over twice. The first time it is only counted how much text there would be in
//! what the page marks as its article, in what does not look like menus and notices, and in all;
//! the second time the best of them is written.

mod block;
mod names;
mod page;
mod tokens;

use std::fs::File;

use encoding_rs::Encoding;

use crate::summary::extract::charset::{Decoder, declared, of_file};
pub(super) use crate::summary::extract::html::block::ends_a_sentence;
use crate::summary::extract::html::page::{Counts, Page, Part};
pub(super) use crate::summary::extract::html::tokens::Language;
use crate::summary::extract::reading::Reading;
use crate::summary::extract::report::Refused;
use crate::summary::extract::source::{Source, Stretch, head};

/// Bytes in which a page may say what its charset is.
const SAMPLE: usize = 4096;
/// Characters that make an article real, or else this share of the page.
const REAL: u64 = 400;
const REAL_SHARE: u64 = 4;
/// What is left of a page must be more than this share, or else what was taken for menus was not.
const LEFT_SHARE: u64 = 20;

/// Reads a page of the web.
pub(super) fn read(
    charset: Option<&str>,
    document: &File,
    reading: &mut Reading,
) -> Result<(), Refused> {
    let encoding = match declared(charset, &mut reading.notes) {
        Some(declared) => declared,
        None => encoding_of(document)?,
    };
    let language = language_of(document)?;
    let nesting = reading.limits.nesting;
    let mut counts = Counts::default();
    let survey = Page::counting(nesting, &mut counts);
    walk(Stretch::whole(document), encoding, language, survey)?;
    let part = counts.best();
    let decoder = {
        let page = Page::writing(nesting, part, reading);
        walk(Stretch::whole(document), encoding, language, page)?
    };
    decoder.report(&mut reading.notes);
    Ok(())
}

/// Reads what is all content: a chapter of a book, the body of a mail.
pub(super) fn read_all(
    source: impl Source,
    encoding: &'static Encoding,
    language: Language,
    reading: &mut Reading,
) -> Result<(), Refused> {
    let page = Page::writing(reading.limits.nesting, Part::All, reading);
    let decoder = walk(source, encoding, language, page)?;
    decoder.report(&mut reading.notes);
    reading.sheet.paragraph();
    Ok(())
}

fn walk<S: Source>(
    source: S,
    encoding: &'static Encoding,
    language: Language,
    mut page: Page<'_>,
) -> Result<Decoder<S>, Refused> {
    let text = tokens::read(Decoder::new(source, encoding), language, &mut page)?;
    page.finish()?;
    Ok(text)
}

impl Counts {
    /// Which part of the page to write.
    fn best(&self) -> Part {
        let real = self.article >= REAL || self.article.saturating_mul(REAL_SHARE) >= self.body;
        if self.article > 0 && real {
            Part::Article
        } else if self.body > 0 && self.body.saturating_mul(LEFT_SHARE) >= self.all {
            Part::Body
        } else {
            Part::All
        }
    }
}

/// The charset that a page names, else the one that its bytes speak for.
fn encoding_of(document: &File) -> Result<&'static Encoding, Refused> {
    let sample = head(&mut Stretch::whole(document), SAMPLE)?;
    match Encoding::for_bom(&sample) {
        Some((marked, _)) => Ok(marked),
        None => named_in(&sample).map_or_else(|| of_file(document), Ok),
    }
}

/// What stands after `charset=` in a `<meta>`, or after `encoding=` in XML's first line.
pub(super) fn named_in(sample: &[u8]) -> Option<&'static Encoding> {
    let text = String::from_utf8_lossy(sample).to_ascii_lowercase();
    let xml = text.trim_start_matches('\u{feff}').starts_with("<?xml");
    let first_line = text.split("?>").next().filter(|_| xml);
    let declared = first_line.and_then(|line| line.split_once("encoding="));
    let metas = text.split("<meta").skip(1).filter_map(|meta| {
        let inside = meta.split('>').next()?;
        inside.split_once("charset=").map(|(_, after)| after)
    });
    let mut labels = declared.map(|(_, after)| after).into_iter().chain(metas);
    labels.find_map(|after| {
        let label = after.trim_start_matches(['"', '\'', ' ']);
        let label = label.split(['"', '\'', ' ', ';', '/', '?']).next()?;
        let named = Encoding::for_label(label.as_bytes())?;
        // A page that can say so in ASCII is not UTF-16.
        Some(if named.is_ascii_compatible() { named } else { encoding_rs::UTF_8 })
    })
}

fn language_of(document: &File) -> Result<Language, Refused> {
    let sample = head(&mut Stretch::whole(document), 256)?;
    Ok(if sample.trim_ascii_start().starts_with(b"<?xml") {
        Language::Xhtml
    } else {
        Language::Html
    })
}

#[cfg(test)]
mod tests;
