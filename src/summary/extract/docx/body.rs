//! The body of a document: paragraphs as they come, those of text boxes after the one they hang on.

use crate::summary::extract::docx::styles::Styles;
use crate::summary::extract::markup::{Handler, Tag, local};
use crate::summary::extract::reading::Reading;
use crate::summary::extract::report::Refused;

/// Bytes of a paragraph, or of a table's row, that are held. What is longer is written in pieces.
const HELD: usize = 64 << 10;
/// Most text boxes that hang on one another.
const BOXES: usize = 16;

/// A paragraph as it is read.
#[derive(Debug, Default)]
struct Paragraph {
    text: String,
    style: Option<u8>,
    outline: Option<u8>,
    item: bool,
    begun: bool,
}

/// The body as it is read.
pub(super) struct Body<'s> {
    styles: &'s Styles,
    reading: &'s mut Reading,
    paragraph: Paragraph,
    /// Paragraphs that wait for the text box in them to end.
    outer: Vec<Paragraph>,
    /// How deep in tables we are, and the row of the outermost.
    tables: u32,
    row: String,
    /// Elements that are passed over: how deep we are in them.
    passed: u32,
    in_text: bool,
    after_item: bool,
}

impl<'s> Body<'s> {
    pub(super) fn new(styles: &'s Styles, reading: &'s mut Reading) -> Self {
        Self {
            styles,
            reading,
            paragraph: Paragraph::default(),
            outer: Vec::new(),
            tables: 0,
            row: String::new(),
            passed: 0,
            in_text: false,
            after_item: false,
        }
    }

    pub(super) fn finish(mut self) -> Result<(), Refused> {
        self.end_paragraph()?;
        while let Some(outer) = self.outer.pop() {
            self.paragraph = outer;
            self.end_paragraph()?;
        }
        self.end_row()?;
        self.reading.sheet.paragraph();
        Ok(())
    }

    fn end_paragraph(&mut self) -> Result<(), Refused> {
        if self.tables > 0 {
            self.end_in_cell();
            return self.write_long_row();
        }
        self.write_paragraph()
    }

    /// In a table, paragraphs are parts of a cell.
    fn end_in_cell(&mut self) {
        let paragraph = std::mem::take(&mut self.paragraph);
        for word in paragraph.text.split_whitespace() {
            if !self.row.is_empty() && !self.row.ends_with(' ') {
                self.row.push(' ');
            }
            self.row.push_str(word);
        }
    }

    fn write_paragraph(&mut self) -> Result<(), Refused> {
        let paragraph = std::mem::take(&mut self.paragraph);
        let begun = paragraph.begun;
        let text = if begun { &paragraph.text } else { paragraph.text.trim_start() };
        if text.is_empty() {
            return Ok(());
        }
        let sheet = &mut self.reading.sheet;
        match paragraph.outline.or(paragraph.style) {
            Some(level) if !begun => {
                sheet.heading(level, text)?;
                self.after_item = false;
            }
            _ => {
                if !begun {
                    if paragraph.item && self.after_item {
                        sheet.line();
                    } else {
                        sheet.paragraph();
                    }
                    if paragraph.item {
                        sheet.put("- ")?;
                    }
                }
                self.after_item = paragraph.item;
                sheet.put(text)?;
            }
        }
        Ok(())
    }

    /// A paragraph that is too long to be held goes out in pieces.
    fn write_long(&mut self) -> Result<(), Refused> {
        if self.paragraph.text.len() < HELD {
            return Ok(());
        }
        if self.tables > 0 {
            return self.end_paragraph();
        }
        let item = self.paragraph.item;
        self.write_paragraph()?;
        self.paragraph = Paragraph { item, begun: true, ..Paragraph::default() };
        Ok(())
    }

    fn write_long_row(&mut self) -> Result<(), Refused> {
        if self.row.len() < HELD { Ok(()) } else { self.end_row() }
    }

    fn end_row(&mut self) -> Result<(), Refused> {
        let row = std::mem::take(&mut self.row);
        let row = row.trim_end_matches([' ', '|']).trim();
        if row.is_empty() {
            return Ok(());
        }
        let sheet = &mut self.reading.sheet;
        if self.after_item {
            sheet.line();
        } else {
            sheet.paragraph();
        }
        self.after_item = true;
        sheet.put(row)
    }

    fn begin_box(&mut self) {
        // Boxes in boxes in boxes: the innermost share one.
        if self.outer.len() < BOXES {
            self.outer.push(std::mem::take(&mut self.paragraph));
        }
    }

    fn end_box(&mut self) -> Result<(), Refused> {
        let inner = std::mem::take(&mut self.paragraph);
        self.paragraph = self.outer.pop().unwrap_or_default();
        // What stands in it comes first; the paragraph goes on as it was.
        let outer = std::mem::replace(&mut self.paragraph, inner);
        self.end_paragraph()?;
        self.paragraph = outer;
        Ok(())
    }

    fn begin(&mut self, tag: &Tag) -> Result<(), Refused> {
        let value = || tag.local_attribute("val").unwrap_or_default();
        match local(&tag.name) {
            "t" | "delText" => self.in_text = local(&tag.name) == "t",
            "tab" | "ptab" => self.paragraph.text.push('\t'),
            "br" | "cr" => self.paragraph.text.push('\n'),
            "noBreakHyphen" => self.paragraph.text.push('-'),
            "pStyle" => {
                self.paragraph.style = self.styles.level(value());
                self.paragraph.item |= self.styles.is_item(value());
            }
            "outlineLvl" => {
                let level = value().parse::<u8>().ok().filter(|level| *level < 9);
                self.paragraph.outline = level.map(|level| level + 1);
            }
            "numId" => self.paragraph.item = value() != "0",
            "footnoteReference" | "endnoteReference" => self.refer(tag.local_attribute("id")),
            "footnote" | "endnote" => self.begin_note(tag),
            "txbxContent" => self.begin_box(),
            "tbl" => self.begin_table()?,
            _ => {}
        }
        Ok(())
    }

    fn begin_table(&mut self) -> Result<(), Refused> {
        if self.tables == 0 {
            self.write_paragraph()?;
            self.after_item = false;
        }
        self.tables += 1;
        Ok(())
    }

    fn refer(&mut self, id: Option<&str>) {
        if let Some(id) = id {
            self.paragraph.text.push_str(&format!("[{id}]"));
        }
    }

    /// A note begins with its number; separators are no notes.
    fn begin_note(&mut self, tag: &Tag) {
        if tag.local_attribute("type").is_none_or(|kind| kind == "normal") {
            self.refer(tag.local_attribute("id"));
            self.paragraph.text.push(' ');
        }
    }
}

/// What is passed over: properties of tabs, deleted text, codes of fields, what stands in for a
/// drawing that was read already.
fn is_passed(name: &str) -> bool {
    matches!(name, "tabs" | "del" | "instrText" | "Fallback" | "rPr" | "pPrChange" | "moveFrom")
}

impl Handler for Body<'_> {
    fn start(&mut self, tag: &Tag) -> Result<(), Refused> {
        if self.passed > 0 || is_passed(local(&tag.name)) {
            self.passed += 1;
            return Ok(());
        }
        self.begin(tag)
    }

    fn end(&mut self, name: &str) -> Result<(), Refused> {
        if self.passed > 0 {
            self.passed -= 1;
            return Ok(());
        }
        match local(name) {
            "t" => self.in_text = false,
            "p" => self.end_paragraph()?,
            "tc" if self.tables == 1 => self.row.push_str(" | "),
            "tr" if self.tables == 1 => self.end_row()?,
            "tbl" => {
                self.tables = self.tables.saturating_sub(1);
                if self.tables == 0 {
                    self.end_row()?;
                    self.after_item = false;
                }
            }
            "txbxContent" => self.end_box()?,
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Refused> {
        if self.in_text && self.passed == 0 {
            self.paragraph.text.push_str(text);
            self.write_long()?;
        }
        Ok(())
    }
}
