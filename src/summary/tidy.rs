//! What an answer has beside notes or a summary: a model's thoughts, and what a small model says again
//! and again once it has come into a circle. Pure.

use std::collections::HashSet;

/// Longest phrase that is looked for at an answer's end, in bytes.
const LONGEST_PHRASE: usize = 400;

/// What is repeated there has at least so many bytes: dashes under a heading are none.
const LEAST_CIRCLE: usize = 60;

/// A sentence as long as this is not said twice for a reason, in bytes.
const LONG_SENTENCE: usize = 40;

/// What a sentence ends with.
const ENDS: [char; 7] = ['.', '!', '?', '\u{3002}', '\u{ff01}', '\u{ff1f}', '\u{201d}'];

/// The text without them. `is_cut` says that the model had more to say than it was given room for: then
/// half a sentence at the end goes too.
pub(super) fn tidied(text: &str, is_cut: bool) -> String {
    let text = without_thoughts(text).trim();
    let straight = without_circle(text);
    let mut kept = without_repeats(straight);
    if is_cut && straight.len() == text.len() {
        kept.truncate(last_end(&kept));
    }
    kept.truncate(kept.trim_end().len());
    kept
}

/// Where the last whole sentence ends, if most of the text is before that.
fn last_end(text: &str) -> usize {
    let (mut at, mut end) = (0, text.len());
    while at < text.len() {
        let rest = text.get(at..).unwrap_or_default();
        let next = at + sentence_end(rest);
        if next == text.len() && !text.ends_with(ENDS) {
            end = at;
        }
        at = next;
    }
    if end > text.len() / 2 { end } else { text.len() }
}

/// Some models write what they think into their answer.
fn without_thoughts(text: &str) -> &str {
    let begun = text.trim_start().starts_with("<think>");
    let parted = text.split_once("</think>").filter(|_| begun);
    parted.map_or(text, |(_, answer)| answer)
}

/// A text that ends with one phrase three times over and more ends with it once.
fn without_circle(text: &str) -> &str {
    let longest = LONGEST_PHRASE.min(text.len() / 3);
    let circle = (1..=longest).find_map(|length| {
        let again = repeated(text.as_bytes(), length);
        (again >= LEAST_CIRCLE.max(2 * length)).then_some(again)
    });
    let Some(again) = circle else { return text };
    let end = (0..=text.len() - again).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let (once, rest) = text.split_at(end);
    // What ends the sentence belongs to it.
    let mark = rest.chars().next().filter(|mark| ENDS.contains(mark)).map_or(0, char::len_utf8);
    text.get(..end + mark).unwrap_or(once).trim_end()
}

/// Bytes at the end that are what stands so far before them.
fn repeated(text: &[u8], before: usize) -> usize {
    let earlier = text.iter().rev().skip(before);
    text.iter().rev().zip(earlier).take_while(|(late, early)| late == early).count()
}

/// Each long sentence and line once.
fn without_repeats(text: &str) -> String {
    let mut said = HashSet::new();
    let mut kept = String::with_capacity(text.len());
    let (mut rest, mut is_gap) = (text, false);
    while !rest.is_empty() {
        let (sentence, others) = rest.split_at(sentence_end(rest));
        rest = others;
        let words = sentence.trim_start_matches(is_of_a_list).trim_end();
        let is_new = words.len() < LONG_SENTENCE || said.insert(words);
        if is_new {
            let is_first = is_gap && kept.ends_with('\n');
            kept.push_str(if is_first { sentence.trim_start_matches(' ') } else { sentence });
        }
        is_gap = !is_new;
    }
    kept
}

/// Whether it may stand before a sentence that is a point of a list.
fn is_of_a_list(character: char) -> bool {
    character.is_ascii_digit()
        || character.is_whitespace()
        || matches!(character, '.' | ')' | '-' | '*')
}

/// Where the first sentence or line of a text ends.
fn sentence_end(text: &str) -> usize {
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        let ends = match character {
            '\n' | '\u{3002}' | '\u{ff01}' | '\u{ff1f}' => true,
            // Not the point of a number, and not that behind the number of a list's point.
            '.' | '!' | '?' => {
                let before = text.get(..at).unwrap_or_default();
                next.is_none_or(char::is_whitespace) && !before.chars().all(is_of_a_list)
            }
            _ => false,
        };
        if ends {
            return at + character.len_utf8();
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thoughts_are_no_part_of_a_summary() {
        assert_eq!(tidied("<think>\nhm\n</think>\nIt is.", false), "It is.");
        assert_eq!(tidied("A </think> tag.", false), "A </think> tag.");
        assert_eq!(tidied("<think> for ever", false), "<think> for ever");
    }

    #[test]
    fn circles_are_walked_once() {
        let sentence = "The report is in the document's own language, as was said.";
        let details = ", the details of the incident report";
        let table = [
            (format!("Begin. {}", format!("{sentence} ").repeat(9)), format!("Begin. {sentence}")),
            (format!("It has{}", details.repeat(9)), format!("It has{details}")),
            (format!("It has{}, the det", details.repeat(9)), format!("It has{details}")),
            (format!("語{}", "。語".repeat(40)), "語。".to_owned()),
            ("no no no no".to_owned(), "no no no no".to_owned()),
            ("# One\n-----\ntext\n".to_owned(), "# One\n-----\ntext".to_owned()),
            (String::new(), String::new()),
        ];
        for (text, want) in table {
            assert_eq!(tidied(&text, false), want, "{text}");
        }
    }

    #[test]
    fn a_long_sentence_is_said_once_and_a_short_one_as_often_as_it_is() {
        let long = "The bus company has been ordered to stop at the customs house.";
        let other = "The fire brigade will sell soup to all who stay on that night.";
        assert_eq!(
            tidied(&format!("{long} {other} {long} Yes. Yes."), false),
            format!("{long} {other} Yes. Yes.")
        );
        assert_eq!(
            tidied(&format!("- {long}\n- {other}\n- {long}\n- {other}"), false),
            format!("- {long}\n- {other}")
        );
    }

    #[test]
    fn a_text_without_circles_stays_as_it_is() {
        for text in [
            "Pump 1 failed on 3 May. Pump 2 failed on 4 May.\n\n- 17 hours lost\n- 18 hours lost",
            "The price of the machine was at first given as 3.5 million. The price of the machine was at first given as 3.7 million.",
        ] {
            assert_eq!(tidied(text, false), text);
        }
    }

    #[test]
    fn the_points_of_a_list_go_with_their_numbers() {
        let long = "The document is part of a contract with the whole municipality.";
        let list = format!("Points:\n\n1. {long}\n\n2. {long}\n\n3. Five years.");
        assert_eq!(tidied(&list, false), format!("Points:\n\n1. {long}\n\n\n\n3. Five years."));
    }

    #[test]
    fn half_a_sentence_at_the_end_goes_where_the_answer_was_cut() {
        let table = [
            ("The pump failed. It was repaired. The cost of", "The pump failed. It was repaired."),
            ("The pump failed. It was repaired.", "The pump failed. It was repaired."),
            (
                "Yes. The pump that failed was repaired at a",
                "Yes. The pump that failed was repaired at a",
            ),
            ("- one point\n- another point\n- a th", "- one point\n- another point"),
            ("no end at all", "no end at all"),
        ];
        for (text, want) in table {
            assert_eq!(tidied(text, true), want);
            assert_eq!(tidied(text, false), text);
        }
    }
}
