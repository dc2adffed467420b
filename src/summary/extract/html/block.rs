//! A piece of a page that stands on its own, and whether one would read it.

/// Most bytes of a block that are held. What is longer is no menu.
pub(super) const BLOCK: usize = 16 << 10;
/// Of a block that is mostly links, so many characters make it a text again.
const LINKED_TEXT: usize = 400;
/// Shorter blocks outside of articles have to be sentences.
const SHORT: usize = 30;

/// What a block is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    #[default]
    Loose,
    Paragraph,
    Heading(u8),
    Item,
    Row,
    Pre,
}

/// The block that is being read.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) text: String,
    pub(super) shape: Shape,
    /// Bytes of it that are links.
    pub(super) linked: usize,
    /// Whether its beginning was written already.
    pub(super) begun: bool,
}

impl Block {
    /// Adds text; white space is one space.
    pub(super) fn add(&mut self, text: &str, link: bool) {
        let before = self.text.len();
        if text.starts_with(char::is_whitespace) {
            self.space();
        }
        let mut first = true;
        for word in text.split_whitespace() {
            if !std::mem::take(&mut first) {
                self.text.push(' ');
            }
            self.text.push_str(word);
        }
        if !first && text.ends_with(char::is_whitespace) {
            self.text.push(' ');
        }
        if link {
            self.linked += self.text.len() - before;
        }
    }

    pub(super) fn space(&mut self) {
        if (self.begun || !self.text.is_empty()) && !self.text.ends_with([' ', '\n']) {
            self.text.push(' ');
        }
    }

    pub(super) fn end_line(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    /// Another cell of a row.
    pub(super) fn next_cell(&mut self) {
        if !self.text.is_empty() {
            self.text.push_str(" | ");
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self
            .text
            .contains(|it: char| it.is_alphanumeric() || !it.is_ascii() && !it.is_whitespace())
    }

    /// Whether one would read it, in an article or outside of one.
    pub(super) fn is_text(&self, in_article: bool) -> bool {
        if self.begun || matches!(self.shape, Shape::Heading(_) | Shape::Pre) {
            return true;
        }
        let length = self.text.len();
        if self.linked * 10 > length * 6 && length < LINKED_TEXT {
            return false;
        }
        let loose = self.shape == Shape::Loose && !in_article;
        !(loose && length < SHORT && !ends_a_sentence(&self.text))
    }
}

/// Whether a text ends as a sentence does.
pub(in crate::summary::extract) fn ends_a_sentence(text: &str) -> bool {
    let end = text.trim_end().trim_end_matches(['"', '\'', ')', '”', '»', '’']);
    end.ends_with(['.', '!', '?', ':', ';', '…', '。', '！', '？', '।', '؟'])
}
