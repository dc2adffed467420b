//! Lines put together to paragraphs, headings and rows, over the borders of pages.

mod border;

use crate::summary::extract::html::ends_a_sentence;
use crate::summary::extract::pdf::line::{Line, Lines};
use crate::summary::extract::pdf::text::border::Borders;
use crate::summary::extract::reading::Reading;
use crate::summary::extract::report::Refused;

/// Sizes that are told apart.
const SIZES: usize = 100;
/// Most bytes of a heading, and of a paragraph that is held.
const HEADING: usize = 200;
const HELD: usize = 64 << 10;

/// The text of the document as it is put together.
#[derive(Debug, Default)]
pub(super) struct Text {
    /// How many bytes stand in each size: the most is the body.
    sizes: Vec<(f64, usize)>,
    borders: Borders,
    open: Option<Open>,
}

/// The paragraph that is being put together.
#[derive(Debug)]
struct Open {
    text: String,
    last: Line,
    left: f64,
    right: f64,
    /// From one of its lines to the next, where it has two.
    leading: Option<f64>,
    bold: bool,
    shape: Shape,
    lines: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Paragraph,
    Item,
    Row,
}

impl Text {
    /// Takes the lines of a page.
    pub(super) fn page(&mut self, lines: Lines, reading: &mut Reading) -> Result<(), Refused> {
        let mut lines = lines.in_order();
        for line in &mut lines {
            line.text = spelt_out(line.text.trim());
        }
        lines.retain(|line| !line.text.is_empty());
        self.borders.drop_from(&mut lines, self.body());
        for line in &lines {
            self.count(line);
        }
        let mut first = true;
        for line in lines {
            self.line(line, std::mem::take(&mut first), reading)?;
        }
        Ok(())
    }

    pub(super) fn end(&mut self, reading: &mut Reading) -> Result<(), Refused> {
        self.close(reading)
    }

    fn count(&mut self, line: &Line) {
        let size = (line.size * 2.0).round() / 2.0;
        if let Some((_, bytes)) = self.sizes.iter_mut().find(|(it, _)| *it == size) {
            *bytes += line.text.len();
        } else if self.sizes.len() < SIZES {
            self.sizes.push((size, line.text.len()));
        }
    }

    /// The size of most of the text.
    fn body(&self) -> f64 {
        self.sizes.iter().max_by_key(|(_, bytes)| *bytes).map_or(10.0, |(size, _)| *size)
    }

    fn line(&mut self, line: Line, first: bool, reading: &mut Reading) -> Result<(), Refused> {
        match &mut self.open {
            Some(open) if open.goes_on_with(&line, first) => open.add(line, first),
            _ => {
                self.close(reading)?;
                self.open = Some(Open::new(line));
            }
        }
        match &self.open {
            Some(open) if open.text.len() > HELD => self.close(reading),
            _ => Ok(()),
        }
    }

    fn close(&mut self, reading: &mut Reading) -> Result<(), Refused> {
        let body = self.body();
        let Some(open) = self.open.take() else { return Ok(()) };
        if let Some(level) = open.heading(body) {
            reading.call(&open.text);
            return reading.sheet.heading(level, &open.text);
        }
        let sheet = &mut reading.sheet;
        match open.shape {
            Shape::Paragraph => sheet.paragraph(),
            Shape::Item | Shape::Row => sheet.line(),
        }
        sheet.put(&open.text)?;
        match open.shape {
            Shape::Paragraph => sheet.paragraph(),
            Shape::Item | Shape::Row => sheet.line(),
        }
        Ok(())
    }
}

impl Open {
    fn new(mut line: Line) -> Self {
        let text = std::mem::take(&mut line.text);
        let (text, shape) = match item(&text) {
            Some(item) => (item, Shape::Item),
            None if line.row || is_entry(&text) => (text, Shape::Row),
            None => (text, Shape::Paragraph),
        };
        Self {
            text,
            left: line.left,
            right: line.right,
            leading: None,
            bold: line.bold,
            shape,
            lines: 1,
            last: line,
        }
    }

    /// Whether a line belongs to this paragraph.
    fn goes_on_with(&self, line: &Line, first_of_page: bool) -> bool {
        let same = (line.size - self.last.size).abs() < 0.12 * self.last.size
            && line.turn == self.last.turn
            && line.bold == self.bold;
        let alone = line.row || is_entry(&line.text) || item(&line.text).is_some();
        if !same || alone || self.shape == Shape::Row {
            return false;
        }
        let step = self.last.height - line.height;
        if first_of_page || step <= 0.0 {
            // Another page or another column: a sentence goes on, and nothing else.
            return !ends_a_sentence(&self.text) && line.text.starts_with(char::is_lowercase);
        }
        self.is_near(line, step) && !self.begins_another(line)
    }

    fn is_near(&self, line: &Line, step: f64) -> bool {
        let most = self.leading.map_or(1.9 * self.last.size, |leading| leading * 1.35);
        step <= most && line.left < self.last.right && line.right > self.left - self.last.size
    }

    /// A line that is set in after a sentence, or that follows a short one, begins another.
    fn begins_another(&self, line: &Line) -> bool {
        let size = self.last.size;
        let ended = ends_a_sentence(&self.text);
        let set_in = line.left > self.last.left + 0.8 * size && self.shape != Shape::Item;
        let short = self.last.right < self.right.max(line.right) - 0.25 * (self.right - self.left);
        ended && (set_in && self.lines > 1 || short)
    }

    fn add(&mut self, mut line: Line, first_of_page: bool) {
        let step = self.last.height - line.height;
        if step > 0.0 && !first_of_page {
            self.leading = Some(self.leading.map_or(step, |leading| leading.min(step)));
        }
        join(&mut self.text, &line.text);
        self.left = self.left.min(line.left);
        self.right = self.right.max(line.right);
        self.lines += 1;
        line.text.clear();
        self.last = line;
    }

    /// The level, where it is a heading.
    fn heading(&self, body: f64) -> Option<u8> {
        let ratio = self.last.size / body.max(0.01);
        let letters = self.text.chars().any(char::is_alphabetic);
        if self.shape != Shape::Paragraph || self.text.len() > HEADING || !letters {
            return None;
        }
        match ratio {
            _ if ratio >= 1.7 => Some(1),
            _ if ratio >= 1.35 => Some(2),
            _ if ratio >= 1.15 => Some(3),
            _ if self.bold && self.lines < 3 && !self.text.ends_with(['.', ',', ';']) => Some(4),
            _ => None,
        }
    }
}

/// An item of a list, with a dash for its mark.
fn item(text: &str) -> Option<String> {
    let mut chars = text.chars();
    let mark = chars.next()?;
    let marks = ['•', '‣', '▪', '■', '●', '○', '◦', '∙', '·', '–', '—', '-', '*', '\u{f0b7}'];
    let rest = chars.as_str();
    let marked = marks.contains(&mark) && rest.starts_with(char::is_whitespace);
    marked.then(|| format!("- {}", rest.trim_start()))
}

/// Whether it is an entry of a table of contents: dots and a number at its end.
fn is_entry(text: &str) -> bool {
    let dots = ["...", ". . .", ": : :"].iter().any(|dots| text.contains(dots));
    dots && text.ends_with(char::is_numeric)
}

/// Puts a line behind another. A word that a hyphen parted is one again.
fn join(text: &mut String, line: &str) {
    let parted = text.strip_suffix(['-', '\u{2010}', '\u{ad}']);
    let word = parted.is_some_and(|before| before.ends_with(char::is_alphabetic));
    if word && line.starts_with(char::is_lowercase) {
        text.pop();
    } else if !(text.ends_with(is_unspaced) && line.starts_with(is_unspaced)) {
        text.push(' ');
    }
    text.push_str(line);
}

/// Whether the character is of a script that does not part its words.
fn is_unspaced(it: char) -> bool {
    matches!(it, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}' | '\u{20000}'..='\u{3ffff}')
}

/// Ligatures as the letters that they are, one space between words, and no more than three dots in a
/// row, also where spaces part them.
fn spelt_out(text: &str) -> String {
    let mut spelt = String::with_capacity(text.len());
    let (mut blank, mut last, mut same) = (false, ' ', 0);
    for each in text.chars() {
        if each.is_whitespace() {
            blank = true;
            continue;
        }
        same = if each == last && !each.is_alphanumeric() { same + 1 } else { 0 };
        last = each;
        if same >= 3 {
            continue;
        }
        if std::mem::take(&mut blank) {
            spelt.push(' ');
        }
        match each {
            '\u{fb00}' => spelt.push_str("ff"),
            '\u{fb01}' => spelt.push_str("fi"),
            '\u{fb02}' => spelt.push_str("fl"),
            '\u{fb03}' => spelt.push_str("ffi"),
            '\u{fb04}' => spelt.push_str("ffl"),
            '\u{fb05}' | '\u{fb06}' => spelt.push_str("st"),
            _ => spelt.push(each),
        }
    }
    spelt
}
