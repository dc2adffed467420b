//! A sentence as it is shown: on one line, and no longer than asked.

use crate::summary::extractive::words::{Counter, ELLIPSIS, count, is_unparted};

/// A text with one space wherever it has several, or a line's end.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for part in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(part);
    }
    line
}

/// The beginning of a line that is too long: up to the end of a clause, or of a word.
pub(super) fn shorten(line: &str, words: usize) -> String {
    if count(line) <= words {
        return line.to_owned();
    }
    let room = end_of(line, words);
    let kept = line.get(..room).unwrap_or_default();
    let clause = kept.rfind([',', ';', ':', '–', '，', '、', '；', '،']);
    // A clause that ends in the first half loses too much.
    let kept = match clause.filter(|at| *at > room / 2) {
        Some(at) => kept.get(..at).unwrap_or(kept),
        None => kept,
    };
    format!("{}{ELLIPSIS}", kept.trim_end_matches([' ', ',', ';', ':']))
}

/// Where so many words end.
fn end_of(line: &str, words: usize) -> usize {
    let mut counter = Counter::default();
    let mut end = 0;
    for (at, char) in line.char_indices() {
        if char.is_whitespace() || is_unparted(char) {
            end = at;
        }
        counter.push(char);
        if counter.words() > words {
            return if end == 0 { at } else { end };
        }
    }
    line.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_one_line() {
        assert_eq!(one_line(" a\r\n b\tc "), "a b c");
        assert_eq!(one_line(""), "");
    }

    #[test]
    fn cut_at_a_clause_or_a_word() {
        let line = "The pump stopped at noon, because the valve had been shut by hand before";
        for (words, want) in [
            (99, line),
            (8, "The pump stopped at noon…"),
            (12, "The pump stopped at noon, because the valve had been shut by…"),
            (3, "The pump stopped…"),
            (1, "The…"),
        ] {
            assert_eq!(shorten(line, words), want);
            assert!(count(want) <= words);
        }
        assert_eq!(shorten("東京都は日本の首都である", 3), "東京都は日本…");
        assert_eq!(shorten(&"x".repeat(500), 2).chars().count(), 65);
    }
}
