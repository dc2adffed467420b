//! Documents of word processors (DOCX): paragraphs, headings, lists, tables, footnotes, text boxes.

mod body;
mod styles;

use std::fs::File;

use crate::summary::extract::archive::Archive;
use crate::summary::extract::docx::body::Body;
use crate::summary::extract::docx::styles::{Styles, Title};
use crate::summary::extract::reading::Reading;
use crate::summary::extract::report::Refused;
use crate::summary::extract::xml::{Extent, read_part};

const DOCUMENT: &str = "word/document.xml";
const STYLES: &str = "word/styles.xml";
const FOOTNOTES: &str = "word/footnotes.xml";
const ENDNOTES: &str = "word/endnotes.xml";
const CORE: &str = "docProps/core.xml";

pub(super) fn read(document: &File, reading: &mut Reading) -> Result<(), Refused> {
    let mut images = 0_u32;
    let archive = Archive::open(document, &reading.meter, |name| {
        images += u32::from(name.starts_with("word/media/"));
        [DOCUMENT, STYLES, FOOTNOTES, ENDNOTES, CORE].iter().any(|it| it.eq_ignore_ascii_case(name))
    })?;
    if archive.find(DOCUMENT).is_none() {
        return Err(Refused::unreadable("it is no DOCX: it has no word/document.xml"));
    }
    let mut title = Title::default();
    let mut extents = vec![read_part(&archive, CORE, &mut title)?];
    reading.call(&title.text);
    let mut styles = Styles::default();
    extents.push(read_part(&archive, STYLES, &mut styles)?);
    for part in [DOCUMENT, FOOTNOTES, ENDNOTES] {
        let mut body = Body::new(&styles, reading);
        extents.push(read_part(&archive, part, &mut body)?);
        body.finish()?;
    }
    if extents.contains(&Extent::Beginning) {
        reading.notes.add("a part of it is broken, and is read up to there");
    }
    if images > 0 {
        let are = if images == 1 { "image is" } else { "images are" };
        reading.notes.add(&format!("{images} {are} not read"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
