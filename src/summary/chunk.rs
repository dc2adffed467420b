//! Where a text is cut: at a heading, a paragraph, a line, the end of a sentence, a word, and never
//! inside a character. Pure.

use crate::dialect::estimate;

/// The length of the first piece of a text, in bytes: as much as weighs at most `most` (in the twelfths
/// of a token of [`estimate::weigh`]), and at least one character. `is_end` says that no more text
/// follows; otherwise the piece ends at a boundary even where all of it would fit.
pub(super) fn cut(text: &str, most: usize, is_end: bool) -> usize {
    let limit = limit(text, most);
    if limit >= text.len() && is_end {
        return text.len();
    }
    let fits = text.get(..limit).unwrap_or(text);
    // A boundary in the first half would make many small pieces.
    let least = limit / 2;
    BOUNDARIES
        .iter()
        .find_map(|boundary| boundary(fits).filter(|at| *at > least))
        .unwrap_or(limit)
        .max(first_character(text))
}

/// The middle of a text that is to be done in halves, at a boundary.
pub(super) fn halve(text: &str) -> usize {
    cut(text, estimate::weigh(text) * 5 / 8, false)
}

/// Bytes of the longest beginning that is not too heavy.
fn limit(text: &str, most: usize) -> usize {
    // No byte weighs more than 8 or less than 3: most texts need no look at each character.
    if text.len() * HEAVIEST <= most {
        return text.len();
    }
    let mut weight = 0;
    for (at, character) in text.char_indices() {
        let mut bytes = [0; 4];
        weight += estimate::weigh(character.encode_utf8(&mut bytes));
        if weight > most {
            return at;
        }
    }
    text.len()
}

/// What a byte weighs at most.
const HEAVIEST: usize = 8;

fn first_character(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

/// Where the last piece of each kind begins, the best kind first.
const BOUNDARIES: [fn(&str) -> Option<usize>; 5] = [heading, paragraph, line, sentence, word];

fn heading(text: &str) -> Option<usize> {
    after(text, "\n#", 1)
}

fn paragraph(text: &str) -> Option<usize> {
    after(text, "\n\n", 2)
}

fn line(text: &str) -> Option<usize> {
    after(text, "\n", 1)
}

fn sentence(text: &str) -> Option<usize> {
    let western = [". ", "! ", "? ", ".\u{201d} "].map(|end| after(text, end, end.len()));
    let eastern = ["\u{3002}", "\u{ff01}", "\u{ff1f}"].map(|end| after(text, end, end.len()));
    western.into_iter().chain(eastern).flatten().max()
}

fn word(text: &str) -> Option<usize> {
    let (at, space) = text.char_indices().rev().find(|(_, it)| it.is_whitespace())?;
    Some(at + space.len_utf8())
}

fn after(text: &str, mark: &str, length: usize) -> Option<usize> {
    text.rfind(mark).map(|at| at + length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    /// The pieces of a text.
    fn pieces(mut text: &str, most: usize) -> Vec<&str> {
        let mut pieces = Vec::new();
        while !text.is_empty() {
            let (piece, rest) = text.split_at(cut(text, most, true));
            pieces.push(piece);
            text = rest;
        }
        pieces
    }

    #[test]
    fn the_best_boundary_near_the_end_is_taken() {
        // Six letters weigh 18, a sign 6.
        let table = [
            ("short", 1000, "short"),
            ("one two three\n\n# four five six\n\nseven", 90, "one two three\n\n"),
            ("one two three.\n\nfour five six. seven", 80, "one two three.\n\n"),
            ("one two three. four five six", 60, "one two three. "),
            ("one two three four five six", 60, "one two three four "),
            ("onetwothreefourfivesix", 30, "onetwothre"),
            ("日本語。日本語。日本語", 120, "日本語。"),
            ("日", 1, "日"),
        ];
        for (text, most, want) in table {
            let at = cut(text, most, true);
            assert_eq!(text.split_at(at).0, want, "{text} {most}");
        }
    }

    #[test]
    fn nothing_is_lost_and_nothing_is_too_heavy() {
        let alphabet: Vec<char> = "aä日 .\n#1-🦀".chars().collect();
        let below = |most: usize| usize::try_from(random::bits() % most as u64).unwrap();
        for case in 0..2000 {
            let text: String = (0..below(200)).map(|_| alphabet[below(alphabet.len())]).collect();
            let most = 1 + below(400);
            let pieces = pieces(&text, most);
            assert_eq!(pieces.concat(), text, "{case}");
            for piece in pieces {
                let fits = estimate::weigh(piece) <= most || piece.chars().count() == 1;
                assert!(fits && !piece.is_empty(), "{case}: {piece:?} {most}");
            }
        }
    }

    #[test]
    fn halves_are_smaller() {
        for text in ["ab", "one two three four. five six seven eight.", "日本語", &"x".repeat(999)]
        {
            let at = halve(text);
            assert!(at > 0 && at < text.len(), "{text}");
        }
    }
}
