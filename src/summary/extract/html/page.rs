//! A page as it is read: which elements are open, and what becomes of the text in them.

mod within;

use crate::summary::extract::html::block::{BLOCK, Block, Shape};
use crate::summary::extract::html::names::{
    Role, ends_before, is_around, is_hidden, is_void, is_wall, role_of,
};
use crate::summary::extract::html::page::within::{Open, Within};
use crate::summary::extract::markup::{Handler, Tag};
use crate::summary::extract::reading::Reading;
use crate::summary::extract::report::Refused;

/// Most bytes of a title.
const TITLE: usize = 400;
/// Most headings that wait for their text.
const HEADINGS: usize = 16;
/// A cell with so many bytes is no cell: the table makes the layout of the page.
const CELL: usize = 2000;

/// Which part of a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// What it marks as its article.
    Article,
    /// What does not look like menus and notices.
    Body,
    /// All that can be seen.
    All,
}

/// Bytes of text that each part of a page has.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) article: u64,
    pub(super) body: u64,
    pub(super) all: u64,
}

/// Where blocks go.
enum Out<'o> {
    Count(&'o mut Counts),
    Write(Part, &'o mut Reading),
}

/// A page as it is read.
pub(super) struct Page<'o> {
    out: Out<'o>,
    nesting: usize,
    open: Vec<Open>,
    /// Open elements that are nested too deeply to be told apart.
    deeper: usize,
    within: Within,
    block: Block,
    title: String,
    heading: String,
    /// Headings of blocks that have not come yet, and whether any was left out since.
    waiting: Vec<(u8, String)>,
    left_out: bool,
    after_item: bool,
}

impl<'o> Page<'o> {
    pub(super) fn counting(nesting: u32, counts: &'o mut Counts) -> Self {
        Self::new(nesting, Out::Count(counts))
    }

    pub(super) fn writing(nesting: u32, part: Part, reading: &'o mut Reading) -> Self {
        Self::new(nesting, Out::Write(part, reading))
    }

    fn new(nesting: u32, out: Out<'o>) -> Self {
        Self {
            out,
            // Pages nest their elements more than others do.
            nesting: usize::try_from(nesting).unwrap_or_default() * 4,
            open: Vec::new(),
            deeper: 0,
            within: Within::default(),
            block: Block::default(),
            title: String::new(),
            heading: String::new(),
            waiting: Vec::new(),
            left_out: false,
            after_item: false,
        }
    }

    fn is_all(&self) -> bool {
        matches!(self.out, Out::Write(Part::All, _))
    }

    /// The page has ended.
    pub(super) fn finish(mut self) -> Result<(), Refused> {
        self.end_block()?;
        if !self.left_out || self.is_all() {
            self.write_headings()?;
        }
        if let Out::Write(_, reading) = self.out {
            reading.call(&self.title);
            reading.call(&self.heading);
        }
        Ok(())
    }

    /// Opens an element.
    fn push(&mut self, tag: &Tag, role: Role) {
        let never = role == Role::Never || is_hidden(tag);
        let header = role == Role::Header && self.within.article == 0;
        let around = role == Role::Around || header || is_around(tag);
        let open = Open { name: tag.name.clone(), role, never, around };
        self.within.count(&open, true);
        self.open.push(open);
    }

    fn pop(&mut self) {
        if let Some(open) = self.open.pop() {
            self.within.count(&open, false);
        }
    }

    /// Ends what ends by itself where another element begins.
    fn imply_ends(&mut self, next: &str) -> Result<(), Refused> {
        let reach = self.open.iter().rev().take(16).take_while(|open| !is_wall(&open.name));
        let ended = reach.enumerate().filter(|(_, open)| ends_before(&open.name, next)).last();
        if let Some((depth, _)) = ended {
            for _ in 0..=depth {
                self.close_one()?;
            }
        }
        Ok(())
    }

    /// Closes the innermost element.
    fn close_one(&mut self) -> Result<(), Refused> {
        let role = self.open.last().map_or(Role::Inline, |open| open.role);
        match role {
            Role::Inline | Role::Link | Role::Break | Role::Never | Role::Title => {}
            Role::Cell => self.end_cell()?,
            _ if self.in_cell() && role != Role::Row => self.block.space(),
            _ => self.end_block()?,
        }
        self.pop();
        Ok(())
    }

    /// Whether blocks are only parts of a table's cell.
    fn in_cell(&self) -> bool {
        self.within.row + self.within.cell > 0 && self.block.shape == Shape::Row
    }

    fn end_cell(&mut self) -> Result<(), Refused> {
        if self.block.text.len() > CELL { self.end_block() } else { Ok(()) }
    }

    /// Begins what an element begins.
    fn begin(&mut self, role: Role) -> Result<(), Refused> {
        match role {
            Role::Row => {
                self.end_block()?;
                self.block.shape = Shape::Row;
            }
            Role::Cell if self.block.shape == Shape::Row => self.block.next_cell(),
            // A cell without a row.
            Role::Cell => {
                self.end_block()?;
                self.block.shape = Shape::Row;
            }
            Role::Break if self.in_cell() => self.block.space(),
            Role::Break => self.block.end_line(),
            Role::Inline | Role::Link | Role::Never | Role::Title => {}
            // Headings and rows of its own make a cell a part of the layout.
            Role::Heading(_) if self.in_cell() => self.begin_block(role)?,
            _ if self.in_cell() => self.block.space(),
            _ => self.begin_block(role)?,
        }
        Ok(())
    }

    fn begin_block(&mut self, role: Role) -> Result<(), Refused> {
        // A paragraph that an item begins with is the item.
        let empty_item = self.block.shape == Shape::Item && self.block.is_empty();
        if empty_item && role == Role::Block {
            return Ok(());
        }
        self.end_block()?;
        self.block.shape = match role {
            Role::Heading(level) => Shape::Heading(level),
            Role::Item => Shape::Item,
            Role::Pre => Shape::Pre,
            _ => Shape::Loose,
        };
        Ok(())
    }

    /// What there is of the block goes out, or is left out.
    fn end_block(&mut self) -> Result<(), Refused> {
        let block = std::mem::take(&mut self.block);
        if block.is_empty() && !block.begun {
            return Ok(());
        }
        let in_article = self.within.article > 0;
        let length = block.text.len() as u64;
        let text = block.is_text(in_article);
        match &mut self.out {
            Out::Count(counts) => {
                counts.all += length;
                let body = if text { length } else { 0 };
                counts.body += body;
                counts.article += if in_article { body } else { 0 };
                Ok(())
            }
            Out::Write(part, _) => {
                let kept = match part {
                    Part::Article => text && in_article,
                    Part::Body => text,
                    Part::All => true,
                };
                if kept { self.write(&block) } else { self.leave_out(&block) }
            }
        }
    }

    fn leave_out(&mut self, block: &Block) -> Result<(), Refused> {
        // Headings outside of the article are not its own.
        self.left_out |= !matches!(block.shape, Shape::Heading(_));
        Ok(())
    }

    fn write(&mut self, block: &Block) -> Result<(), Refused> {
        if let Shape::Heading(level) = block.shape {
            return self.wait_for_text(level, block.text.trim());
        }
        self.write_headings()?;
        let Out::Write(_, reading) = &mut self.out else { return Ok(()) };
        let sheet = &mut reading.sheet;
        let line = matches!(block.shape, Shape::Item | Shape::Row);
        if !block.begun {
            if line && self.after_item {
                sheet.line();
            } else {
                sheet.paragraph();
            }
            if block.shape == Shape::Item {
                sheet.put("- ")?;
            }
        }
        self.after_item = line;
        let text = &block.text;
        sheet.put(if block.begun { text } else { text.trim_start_matches(['\n', ' ']) })
    }

    /// A heading is written with its text. One whose text was left out has none.
    fn wait_for_text(&mut self, level: u8, text: &str) -> Result<(), Refused> {
        if self.left_out && !self.is_all() {
            self.waiting.retain(|(above, _)| *above < level);
        }
        self.left_out = false;
        if self.waiting.len() >= HEADINGS {
            self.write_headings()?;
        }
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        self.waiting.push((level, text));
        Ok(())
    }

    fn write_headings(&mut self) -> Result<(), Refused> {
        let Out::Write(_, reading) = &mut self.out else { return Ok(()) };
        for (level, text) in self.waiting.drain(..) {
            reading.sheet.heading(level, &text)?;
            self.after_item = false;
        }
        Ok(())
    }

    /// A block that is too long to be held is a text.
    fn write_beginning(&mut self) -> Result<(), Refused> {
        if self.block.text.len() < BLOCK {
            return Ok(());
        }
        let shape = self.block.shape;
        self.end_block()?;
        let shape = if matches!(shape, Shape::Heading(_)) { Shape::Loose } else { shape };
        self.block = Block { shape, begun: true, ..Block::default() };
        Ok(())
    }

    fn note_names(&mut self, text: &str) {
        if self.within.title > 0 && self.title.len() < TITLE {
            self.title.push_str(text);
        }
        let first = self.block.shape == Shape::Heading(1) && self.within.around == 0;
        if first && self.heading.len() < TITLE {
            self.heading.push_str(text);
        }
    }
}

impl Handler for Page<'_> {
    fn start(&mut self, tag: &Tag) -> Result<(), Refused> {
        let role = role_of(&tag.name);
        self.imply_ends(&tag.name)?;
        self.begin(role)?;
        if is_void(&tag.name) {
            return Ok(());
        }
        if self.open.len() >= self.nesting {
            self.deeper += 1;
            return Ok(());
        }
        self.push(tag, role);
        if tag.name == "p" && self.block.shape == Shape::Loose {
            self.block.shape = Shape::Paragraph;
        }
        Ok(())
    }

    fn end(&mut self, name: &str) -> Result<(), Refused> {
        if self.deeper > 0 {
            self.deeper -= 1;
            return Ok(());
        }
        if let Some(depth) = self.open.iter().rev().position(|open| open.name == name) {
            for _ in 0..=depth {
                self.close_one()?;
            }
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Refused> {
        self.note_names(text);
        if self.within.never > 0 || self.within.title > 0 {
            return Ok(());
        }
        if self.within.around > 0 && !self.is_all() {
            if let Out::Count(counts) = &mut self.out {
                counts.all += text.trim().len() as u64;
            }
            self.left_out |= !text.trim().is_empty();
            return Ok(());
        }
        if self.within.pre > 0 && !self.in_cell() {
            self.block.text.push_str(text);
        } else {
            self.block.add(text, self.within.link > 0);
        }
        self.write_beginning()
    }
}
