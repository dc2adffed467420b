//! The text layer of a PDF: what its pages show, put back into lines and paragraphs.
//!
//! What a file of objects is made of is a library's: tables, repair, filters, the tree of pages, the
//! words of a page. What the words mean for a text is here: fonts, places, lines, paragraphs. The
//! library holds the file in memory. Nothing is drawn: images, colours and the programs of fonts are
//! passed over.

mod cmap;
mod content;
mod encoding;
mod file;
mod font;
mod glyphs;
mod line;
mod text;
mod widths;

use std::fs::File;

use crate::summary::extract::pdf::content::Reader;
use crate::summary::extract::pdf::encoding::text_string;
use crate::summary::extract::pdf::font::Fonts;
use crate::summary::extract::pdf::line::Lines;
use crate::summary::extract::pdf::text::Text;
use crate::summary::extract::reading::Reading;
use crate::summary::extract::report::Refused;

pub(super) fn read(document: &File, reading: &mut Reading) -> Result<(), Refused> {
    let pdf = file::open(document, &reading.limits)?;
    if let Some(title) = &pdf.metadata().title {
        let title = text_string(title);
        let title = title.trim_start_matches("Microsoft Word - ");
        // What programs write where nobody did.
        if !matches!(title, "untitled" | "Untitled" | "(anonymous)") {
            reading.call(title);
        }
    }
    let (pages, most) = (pdf.pages(), reading.limits.pages);
    if pages.len() as u64 > u64::from(most) {
        return Err(Refused::TooLarge(format!("it has more than {most} pages")));
    }
    let meter = reading.meter.clone();
    let (mut fonts, mut text) = (Fonts::new(pages.xref(), &meter), Text::default());
    for (page, number) in pages.iter().zip(1..) {
        let mut lines = Lines::default();
        let whole = Reader::new(&mut fonts, &mut lines, &meter).page(page)?;
        if lines.is_empty() {
            reading.notes.add(&format!("page {number} has no text layer"));
        } else if !whole {
            reading.notes.add(&format!("page {number} is too long, and ends before its end"));
        }
        text.page(lines, reading)?;
        reading.pages = Some(number);
    }
    text.end(reading)?;
    if fonts.unknown > 0 {
        let unknown = fonts.unknown;
        reading.notes.add(&format!("{unknown} characters have no meaning that their font says"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
