//! What the lines of a block are: prose that was wrapped, or each something of its own.

use std::ops::Range;

use memchr::{memchr_iter, memmem};

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Program text, or figures alone.
    Code,
    /// The name of what follows.
    Heading,
    /// An entry of a list.
    Item,
    /// A sentence, or several.
    Prose,
    /// An entry of a log.
    Record,
    /// A row of a table.
    Row,
}

/// A line that was wrapped is at least so wide, and at most.
const LEAST_WIDTH: usize = 40;
const MOST_WIDTH: usize = 1000;

/// So much of a line tells whether it is program text.
const CODE_BYTES: usize = 256;

/// What stands around program text.
pub(super) const FENCE: &str = "```";

/// Makes the bytes UTF-8, each at its place, and joins the lines that only their width parted.
pub(super) fn tidy(bytes: &mut [u8]) {
    blank_what_is_broken(bytes);
    unwrap(bytes);
}

/// What is no UTF-8 becomes spaces, as many as it had bytes.
fn blank_what_is_broken(bytes: &mut [u8]) {
    let mut good = 0;
    while let Err(error) = std::str::from_utf8(bytes.get(good..).unwrap_or_default()) {
        let from = good + error.valid_up_to();
        good = error.error_len().map_or(bytes.len(), |length| from + length);
        bytes.get_mut(from..good).unwrap_or_default().fill(b' ');
    }
}

/// A line is wrapped if the next one's first word had no room on it, as it is with most of the
/// block's; or if it breaks off, and the next one begins with a small letter.
fn unwrap(bytes: &mut [u8]) {
    let mut start = 0;
    let ends: Vec<(usize, usize)> = memchr_iter(b'\n', bytes)
        .map(|end| (std::mem::replace(&mut start, end + 1), end))
        .collect();
    let pairs = || ends.iter().map(|(start, end)| pair(bytes, *start, *end));
    let width = pairs().filter(|(line, _)| is_text(line)).map(|(line, _)| line.len()).max();
    let width = width.unwrap_or(0);
    if !(LEAST_WIDTH..MOST_WIDTH).contains(&width) {
        return;
    }
    let full = pairs().filter(|(line, next)| is_full(line, next, width)).count();
    let are_full = full * 3 > ends.len() * 2 && (ends.len() > 2 || width > 60);
    for (start, end) in ends {
        let (line, next) = pair(bytes, start, end);
        let may_go_on = is_text(line) || marked(line) == Some(Kind::Item);
        let goes_on = breaks_off(line, next) || (are_full && is_full(line, next, width));
        let is_joined = may_go_on && is_text(next) && goes_on;
        if let Some(byte) = bytes.get_mut(end).filter(|_| is_joined) {
            *byte = b' ';
        }
    }
}

/// A line, and all that follows it.
fn pair(bytes: &[u8], start: usize, end: usize) -> (&[u8], &[u8]) {
    let line = bytes.get(start..end).unwrap_or_default();
    (line.trim_ascii_end(), bytes.get(end + 1..).unwrap_or_default())
}

fn is_full(line: &[u8], next: &[u8], width: usize) -> bool {
    let next = next.trim_ascii_start();
    let word = next.iter().position(u8::is_ascii_whitespace).unwrap_or(next.len());
    line.len() + 1 + word > width
}

fn breaks_off(line: &[u8], next: &[u8]) -> bool {
    let is_low = next.trim_ascii_start().first().is_some_and(u8::is_ascii_lowercase);
    is_low && line.len() >= LEAST_WIDTH && !line.ends_with(b".") && !line.ends_with(b":")
}

/// Whether a line may go on, or go on from another: nothing marks it as one of its own.
fn is_text(line: &[u8]) -> bool {
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let has_letters = !line.starts_with(FENCE.as_bytes())
        && line.iter().any(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii());
    has_letters && marked(line).is_none() && !is_record(line)
}

/// The lines of a block that is tidy, and where they stand in it.
pub(super) fn lines(block: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut start = 0;
    block.split('\n').filter_map(move |line| {
        let from = start;
        start += line.len() + 1;
        let is_something = line.chars().any(char::is_alphanumeric) || line.starts_with(FENCE);
        is_something.then_some((from..from + line.len(), line))
    })
}

/// Whether a line is a block by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is.
    Alone,
    /// It is, and the text begins with it.
    First,
    /// It is not.
    Among,
}

impl Standing {
    /// By what is known of it.
    pub(super) fn of(is_alone: bool, is_first: bool) -> Self {
        match (is_alone, is_first) {
            (false, _) => Self::Among,
            (true, false) => Self::Alone,
            (true, true) => Self::First,
        }
    }

    /// How many words a heading has at most.
    fn words(self) -> usize {
        match self {
            Self::Alone => 10,
            Self::First => 24,
            Self::Among => 0,
        }
    }
}

/// What a line is. One that is a block by itself, and is short, may be a heading without a mark.
pub(super) fn kind(line: &str, alone: Standing) -> Kind {
    let bytes = line.as_bytes();
    if let Some(kind) = marked(bytes) {
        kind
    } else if is_record(bytes) {
        Kind::Record
    } else if is_code(bytes) {
        Kind::Code
    } else if is_title(line, alone.words()) {
        Kind::Heading
    } else {
        Kind::Prose
    }
}

/// What a mark says that a line is.
fn marked(line: &[u8]) -> Option<Kind> {
    let text = line.trim_ascii_start();
    let first = text.first()?;
    let hashes = text.iter().take_while(|byte| **byte == b'#').count();
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let after = |at: usize| text.get(at..).unwrap_or_default();
    let is_dash = matches!(first, b'-' | b'*' | b'+') || text.starts_with("•".as_bytes());
    let number = after(digits);
    if (1..=6).contains(&hashes) && after(hashes).starts_with(b" ") {
        Some(Kind::Heading)
    } else if *first == b'|' || memmem::find(text, b" | ").is_some() {
        Some(Kind::Row)
    } else if (is_dash && after(first_width(*first)).starts_with(b" "))
        || ((1..=3).contains(&digits) && (number.starts_with(b". ") || number.starts_with(b") ")))
    {
        Some(Kind::Item)
    } else {
        None
    }
}

/// The bytes of a list's mark: a bullet has three.
fn first_width(first: u8) -> usize {
    if first.is_ascii() { 1 } else { 3 }
}

/// Whether a line begins as those of logs do: with a time, a level or a priority.
fn is_record(line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    let head = text.get(..text.len().min(24)).unwrap_or_default();
    let digits = head.iter().filter(|byte| byte.is_ascii_digit()).count();
    let colons = head
        .windows(3)
        .filter(|at| matches!(at, [a, b':', b] if a.is_ascii_digit() && b.is_ascii_digit()))
        .count();
    let is_level =
        [&b"[ERROR"[..], b"[WARN", b"[INFO", b"[DEBUG", b"ERROR", b"WARN", b"INFO ", b"DEBUG"]
            .iter()
            .any(|level| text.starts_with(level));
    is_level || (colons >= 1 && digits >= 5) || text.starts_with(b"<") && digits >= 2
}

/// Whether it is a picture, or signs and figures outnumber what is written, as far as a line's beginning tells.
fn is_code(line: &[u8]) -> bool {
    let head = line.get(..line.len().min(CODE_BYTES)).unwrap_or_default();
    let (mut letters, mut signs) = (0_u32, 0_u32);
    for byte in head {
        letters += u32::from(byte.is_ascii_alphabetic() || !byte.is_ascii());
        let is_sign =
            matches!(byte, b'{' | b'}' | b';' | b'=' | b'<' | b'>' | b'\\' | b'_' | b'$' | b'&');
        signs += u32::from(byte.is_ascii_digit()) + 2 * u32::from(is_sign);
    }
    signs * 2 > letters || line.trim_ascii_start().starts_with(b"![")
}

/// Whether a line looks like a name: short, and no end of a sentence.
fn is_title(line: &str, words: usize) -> bool {
    let text = line.trim();
    let ends = ['.', '!', '?', ':', ';', ',', '…', '。', '！', '？', '"', '”', '»'];
    text.split_whitespace().take(words + 1).count() <= words
        && text.len() < words * 12
        && !text.ends_with(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tidied(text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        tidy(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn wrapped_prose_is_joined_and_nothing_else() {
        let prose = "The pump at the north end of the hall was replaced in\nthe second week of May, and it has not stopped once\nsince then.";
        assert_eq!(tidied(prose), prose.replace('\n', " "));
        let log = "2024-05-01 12:00:01 started the pump of the north hall\n2024-05-01 12:00:02 pump of the north hall is running";
        assert_eq!(tidied(log), log);
        let list = "- the first thing to be done is to look at the pump\n- the second thing to be done is to look at the valve";
        assert_eq!(tidied(list), list);
        let verse =
            "A short line here.\nAnother one, which is quite a bit longer than that.\nShort.";
        assert_eq!(tidied(verse), verse);
    }

    #[test]
    fn what_is_broken_keeps_its_place() {
        let mut bytes = b"a\xffb\xc3\xa4\xe2\x82".to_vec();
        tidy(&mut bytes);
        assert_eq!(bytes, "a bä  ".as_bytes());
    }

    #[test]
    fn kinds() {
        for (line, want) in [
            ("## Results of the test", Kind::Heading),
            ("Results of the test", Kind::Heading),
            ("The test has ended.", Kind::Prose),
            ("- one thing", Kind::Item),
            ("• one thing", Kind::Item),
            ("12. one thing", Kind::Item),
            ("pump | 3 | ok", Kind::Row),
            ("| pump | 3 |", Kind::Row),
            ("2024-05-01T12:00:01Z pump started", Kind::Record),
            ("May  1 12:00:01 gw kernel: pump started", Kind::Record),
            ("[ERROR] pump stopped", Kind::Record),
            ("let x = y + 1; if (x > 3) { return; }", Kind::Code),
            ("12.5 13.5 14.5 99.1", Kind::Code),
        ] {
            assert_eq!(kind(line, Standing::Alone), want, "{line}");
        }
        assert_eq!(kind("Results of the test", Standing::Among), Kind::Prose);
    }
}
