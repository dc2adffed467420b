//! Where the text goes: paragraphs, cleaned and counted.

use std::io::Write;

use crate::summary::extract::report::Refused;

/// Bytes that are gathered before they are written.
const GATHER: usize = 16 << 10;
/// Most of the same sign in a row: what is longer is a rule or a row of dots.
const SAME: u8 = 3;

/// The text as it is written.
pub(super) struct Sheet {
    out: Box<dyn Write>,
    gathered: String,
    written: u64,
    most: u64,
    /// Line ends that come before the next character: one, or two for a new paragraph.
    gap: u8,
    /// White space that comes before it.
    blank: String,
    last: char,
    same: u8,
    after_return: bool,
}

impl std::fmt::Debug for Sheet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sheet").field("written", &self.written).finish_non_exhaustive()
    }
}

impl Sheet {
    pub(super) fn new(out: Box<dyn Write>, most: u64) -> Self {
        Self {
            out,
            gathered: String::with_capacity(GATHER + 64),
            written: 0,
            most,
            gap: 0,
            blank: String::new(),
            last: '\n',
            same: 0,
            after_return: false,
        }
    }

    /// Writes text whose line ends and spaces mean something.
    pub(super) fn put(&mut self, text: &str) -> Result<(), Refused> {
        self.each(text, |sheet, other| match other {
            '\n' | '\u{b}' | '\u{85}' | '\u{2028}' => sheet.end_line(),
            '\u{c}' | '\u{2029}' => sheet.paragraph(),
            '\t' => sheet.space('\t'),
            other => {
                if other.is_whitespace() {
                    sheet.space(' ');
                }
            }
        })
    }

    /// Writes text in which any white space is one space.
    pub(super) fn flow(&mut self, text: &str) -> Result<(), Refused> {
        self.each(text, |sheet, other| {
            let begun = sheet.gap == 0 && sheet.has_text();
            if other.is_whitespace() && begun && sheet.blank.is_empty() && sheet.last != ' ' {
                sheet.blank.push(' ');
            }
        })
    }

    /// Visible characters are written, and the others given to the function.
    fn each(&mut self, text: &str, other: impl Fn(&mut Self, char)) -> Result<(), Refused> {
        let mut rest = text;
        while !rest.is_empty() {
            // Most of a text is runs of letters.
            let run = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
            if let Some((word, after)) = rest.split_at_checked(run).filter(|_| run > 0) {
                self.word(word)?;
                rest = after;
            }
            let mut chars = rest.chars();
            let Some(next) = chars.next() else { break };
            if next.is_ascii_alphanumeric() {
                continue;
            }
            rest = chars.as_str();
            self.one(next, &other)?;
        }
        Ok(())
    }

    fn one(&mut self, next: char, other: impl Fn(&mut Self, char)) -> Result<(), Refused> {
        let returned = std::mem::replace(&mut self.after_return, next == '\r');
        if returned && next != '\n' {
            other(self, '\n');
        }
        if next == '\r' || is_silent(next) {
            return Ok(());
        }
        if next.is_control() || next.is_whitespace() {
            other(self, next);
            return Ok(());
        }
        self.visible(next)
    }

    /// Letters and digits of ASCII.
    fn word(&mut self, word: &str) -> Result<(), Refused> {
        if std::mem::take(&mut self.after_return) {
            self.end_line();
        }
        self.lead()?;
        self.gathered.push_str(word);
        self.last = 'a';
        self.flush_when(GATHER)
    }

    fn visible(&mut self, next: char) -> Result<(), Refused> {
        let joined = self.gap == 0 && self.blank.is_empty();
        if joined && next == self.last && !next.is_alphanumeric() {
            self.same = self.same.saturating_add(1);
            if self.same > SAME {
                return Ok(());
            }
        } else {
            self.same = 1;
        }
        self.lead()?;
        self.gathered.push(next);
        self.last = next;
        self.flush_when(GATHER)
    }

    /// What comes before a character: line ends and spaces.
    fn lead(&mut self) -> Result<(), Refused> {
        let gap = std::mem::take(&mut self.gap);
        if self.has_text() {
            self.gathered.push_str(match gap {
                0 => "",
                1 => "\n",
                _ => "\n\n",
            });
            self.gathered.push_str(&self.blank);
        }
        self.blank.clear();
        self.flush_when(GATHER)
    }

    fn space(&mut self, space: char) {
        if self.blank.chars().count() < usize::from(SAME) {
            self.blank.push(space);
        }
    }

    fn end_line(&mut self) {
        self.blank.clear();
        self.gap = self.gap.saturating_add(1).min(2);
    }

    /// What comes next stands on a line of its own.
    pub(super) fn line(&mut self) {
        self.blank.clear();
        self.gap = self.gap.max(1);
    }

    /// What comes next is another paragraph.
    pub(super) fn paragraph(&mut self) {
        self.blank.clear();
        self.gap = 2;
    }

    /// Writes a heading, as Markdown does.
    pub(super) fn heading(&mut self, level: u8, text: &str) -> Result<(), Refused> {
        let marks = "######";
        let marks = marks.get(..usize::from(level.clamp(1, 6))).unwrap_or(marks);
        self.paragraph();
        self.lead()?;
        self.gathered.push_str(marks);
        (self.last, self.same) = ('#', 0);
        self.blank.push(' ');
        self.flow(text)?;
        self.paragraph();
        Ok(())
    }

    /// Whether anything was written.
    pub(super) fn has_text(&self) -> bool {
        self.written > 0 || !self.gathered.is_empty()
    }

    /// Bytes of text so far.
    pub(super) fn length(&self) -> u64 {
        self.written + self.gathered.len() as u64
    }

    fn flush_when(&mut self, gathered: usize) -> Result<(), Refused> {
        if self.gathered.len() < gathered {
            return Ok(());
        }
        self.written = self.written.saturating_add(self.gathered.len() as u64);
        if self.written > self.most {
            let most = self.most;
            return Err(Refused::too_large(format!("its text is longer than {most} bytes")));
        }
        self.out.write_all(self.gathered.as_bytes()).map_err(|error| {
            Refused::Failed(format!("the text cannot be written to the disk: {error}"))
        })?;
        self.gathered.clear();
        Ok(())
    }

    /// Writes what is left. Returns the bytes of all.
    pub(super) fn finish(&mut self) -> Result<u64, Refused> {
        if self.has_text() {
            self.gathered.push('\n');
        }
        self.flush_when(0)?;
        Ok(self.written)
    }
}

/// Characters that nobody sees, or that make the others stand where they do not.
fn is_silent(it: char) -> bool {
    let kept = matches!(it, '\n' | '\t' | '\r' | '\u{b}' | '\u{c}' | '\u{85}');
    it.is_control() && !kept
        || matches!(it, '\u{ad}' | '\u{feff}' | '\u{200b}' | '\u{2060}' | '\u{180e}')
        || matches!(it, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
        || matches!(it, '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use crate::summary::extract::tests::{Paper, paper};

    use super::*;

    fn written(write: impl Fn(&mut Sheet)) -> String {
        let Paper { mut sheet, bytes } = paper(1 << 20);
        write(&mut sheet);
        sheet.finish().unwrap();
        String::from_utf8(bytes.borrow().clone()).unwrap()
    }

    #[test]
    fn text_is_cleaned() {
        let table = [
            ("a\r\nb\rc\n", "a\nb\nc\n"),
            ("\n\n a  \n\n\n\n  b", "a\n\n  b\n"),
            ("Index ............ 5", "Index ... 5\n"),
            ("----------\n==", "---\n==\n"),
            ("a\0b\u{1b}[0m\u{200b}c", "ab[0mc\n"),
            ("1000000 aaaa", "1000000 aaaa\n"),
            ("a          b\tc", "a   b\tc\n"),
            ("one\u{c}two", "one\n\ntwo\n"),
            ("x\u{a0}y\u{ad}z", "x yz\n"),
            ("....\n....", "...\n...\n"),
            ("", ""),
            (" \n ", ""),
        ];
        for (given, want) in table {
            assert_eq!(written(|sheet| sheet.put(given).unwrap()), want, "{given:?}");
        }
    }

    #[test]
    fn flowing_text_has_one_space() {
        let text = written(|sheet| {
            sheet.flow("  one\n   two ").unwrap();
            sheet.flow(" three ").unwrap();
            sheet.paragraph();
            sheet.flow("  four").unwrap();
            sheet.line();
            sheet.flow("five\r\nsix").unwrap();
        });
        assert_eq!(text, "one two three\n\nfour\nfive six\n");
    }

    #[test]
    fn no_more_is_written_than_may_be() {
        let Paper { mut sheet, .. } = paper(1000);
        let refused = (0..20_000).find_map(|_| sheet.put("word ").err()).unwrap();
        assert_eq!(refused, Refused::TooLarge("its text is longer than 1000 bytes".to_owned()));
    }
}
