//! Whole texts: what is found in them, and what holds for any.

use std::io::Cursor;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::summary::extractive::words::count;

fn wish<'a>(words: usize, focus: Option<&'a str>, stop: &'a AtomicBool) -> Wish<'a> {
    Wish { words, focus, language: None, stop }
}

fn of(text: impl AsRef<[u8]>, words: usize, focus: Option<&str>) -> Extract {
    let stop = AtomicBool::new(false);
    extract(Cursor::new(text.as_ref()), &wish(words, focus, &stop)).unwrap()
}

fn texts(extract: &Extract) -> Vec<&str> {
    extract.sentences.iter().map(|it| &*it.text).collect()
}

fn joined(extract: &Extract) -> String {
    texts(extract).join(" ")
}

/// Numbers that look random and are not.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap()).unwrap()
    }

    /// A word of no language: few are frequent, and most are rare.
    fn word(&mut self) -> String {
        const SYLLABLES: [&str; 12] =
            ["ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu", "pa", "do"];
        let mut number = self.below(60) * self.below(60) * self.below(6);
        let mut word = String::from("g");
        for _ in 0..4 {
            word.push_str(SYLLABLES[number % SYLLABLES.len()]);
            number /= SYLLABLES.len();
        }
        word
    }

    /// A sentence about nothing.
    fn sentence(&mut self) -> String {
        let mut words = Vec::new();
        for _ in 0..4 + self.below(8) {
            words.extend(
                ["the".to_owned(), self.word(), "of".to_owned()].into_iter().skip(self.below(2)),
            );
        }
        format!("There was {} it.", words.join(" "))
    }

    fn paragraphs(&mut self, paragraphs: usize) -> Vec<String> {
        let paragraph = |dice: &mut Self| {
            (0..4 + dice.below(3)).map(|_| dice.sentence()).collect::<Vec<_>>().join(" ")
        };
        (0..paragraphs).map(|_| paragraph(self)).collect()
    }
}

const POINT: &str =
    "In conclusion, the boiler in building 7 must be replaced before 30 September 2026.";

#[test]
fn a_conclusion_at_the_end_is_found() {
    let mut paragraphs = Dice(7).paragraphs(30);
    paragraphs.push(POINT.to_owned());
    assert!(joined(&of(paragraphs.join("\n\n"), 60, None)).contains(POINT));
}

#[test]
fn a_question_finds_its_answer() {
    let answer = "The spare key lies under the third flower pot.";
    for place in [3, 20, 37] {
        let mut paragraphs = Dice(9).paragraphs(40);
        paragraphs.insert(place, format!("It rained. {answer} Nobody came."));
        let text = paragraphs.join("\n\n");
        assert_eq!(texts(&of(&text, 12, Some("Where are the spare keys?"))), [answer]);
    }
}

#[test]
fn what_is_repeated_comes_once() {
    let again = "The result of the test is that the new valve holds 12 bar.";
    let mut paragraphs = Dice(11).paragraphs(50);
    for paragraph in &mut paragraphs {
        paragraph.push(' ');
        paragraph.push_str(again);
    }
    let extract = of(paragraphs.join("\n\n"), 200, None);
    assert_eq!(texts(&extract).iter().filter(|it| **it == again).count(), 1);
}

#[test]
fn a_log_shows_what_is_rare_and_severe() {
    let mut text = String::new();
    for n in 0..3000 {
        text.push_str(&format!(
            "2026-05-01 12:{:02}:{:02} INFO poll of meter {n} took 12 ms\n",
            n / 60 % 60,
            n % 60
        ));
        if n == 1500 {
            text.push_str(
                "2026-05-01 12:25:00 ERROR meter 17 refused the connection: certificate expired\n",
            );
        }
    }
    let extract = of(&text, 40, None);
    assert!(joined(&extract).contains("certificate expired"), "{extract:?}");
    assert_eq!(
        joined(&extract).matches("INFO poll").count(),
        1,
        "one stands for all that are like it"
    );
}

#[test]
fn headings_are_context() {
    let text = "# The boiler report\n\nThe boiler was seen on Monday by two people.\n\n## What now\n\nIt is old.";
    let extract = of(text, 10, None);
    assert_eq!(texts(&extract), ["The boiler was seen on Monday by two people."]);
    assert_eq!(texts(&of("# Only a heading", 10, None)), ["# Only a heading"]);
}

#[test]
fn a_long_text_is_covered() {
    let mut dice = Dice(13);
    let mut text = String::new();
    while text.len() < 2 << 20 {
        text.push_str(&dice.paragraphs(1).concat());
        text.push_str("\n\n");
        let number = dice.below(1 << 30);
        if number.is_multiple_of(16) {
            text.push_str(&format!(
                "Station w{number} reported a burst pipe {number} at noon on Tuesday.\n\n"
            ));
        }
    }
    let extract = of(&text, 400, None);
    assert_eq!(extract.bytes, u64::try_from(text.len()).unwrap());
    assert!(count(&joined(&extract)) <= 400);
    let eighth = extract.bytes / 8;
    let covered = (0..8).filter(|at| extract.sentences.iter().any(|it| it.at / eighth == *at));
    assert_eq!(covered.count(), 8, "every part of the text has its say");
}

/// What is held is the sum of tables, buffers and pools that are never larger, whatever the text: their
/// own tests show that. (`pool` is offered 8 MiB of sentences, `counts` more words than it has places.)
const _: () = assert!(MEMORY_BYTES <= 4 << 20);

#[test]
fn it_gives_up_when_told() {
    let stop = AtomicBool::new(true);
    let error = extract(Cursor::new("A text. Another."), &wish(10, None, &stop)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Interrupted);
}

#[test]
fn tiny_texts() {
    for empty in ["", " ", "\n\n\n", "...", "\u{feff}"] {
        assert_eq!(of(empty, 10, None).sentences, [], "{empty:?}");
    }
    for (text, words, want) in [
        ("a", 10, "a"),
        ("Hello", 0, "Hello"),
        ("\u{feff}Well, that is all there is.", 100, "Well, that is all there is."),
        ("One two three four five six", 3, "One two three…"),
        ("東京は大きい。", 100, "東京は大きい。"),
        ("Насос работает без сбоев.", 100, "Насос работает без сбоев."),
        ("Wrapped before\nthe end.", 100, "Wrapped before"),
    ] {
        assert_eq!(texts(&of(text, words, None)).first(), Some(&want), "{text:?}");
    }
}

#[test]
fn the_same_text_gives_the_same_extract() {
    let text = Dice(17).paragraphs(200).join("\n\n");
    let first = of(&text, 120, Some("garden music"));
    assert_eq!(first, of(&text, 120, Some("garden music")));
    let places = first.sentences.iter().map(|it| it.at).collect::<Vec<_>>();
    assert!(places.is_sorted() && places.len() > 3, "{places:?}");
}

/// Pieces that texts are made of, and that break what is careless.
const PIECES: &[&[u8]] = &[
    b" ",
    b"\n",
    b"\n\n",
    b". ",
    b"? ",
    b"The pump ",
    b"failed ",
    b"# ",
    b"- ",
    b" | ",
    b"```\n",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xc3",
    b"\xe2\x82",
    "ä".as_bytes(),
    "語".as_bytes(),
    "。".as_bytes(),
    "\u{301}".as_bytes(),
    b"Dr. ",
    b"3.5 ",
    b"2026-05-01 12:00:00 ERROR ",
    b"e.g. ",
    "\u{2028}".as_bytes(),
    "İ".as_bytes(),
    b"in summary ",
    "👩‍👩‍👧".as_bytes(),
    b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

/// What is left of a text when spaces are all alike, and what is broken is one.
fn plain(bytes: &[u8]) -> String {
    let mut bytes = bytes.to_vec();
    tidy(&mut bytes);
    one_line(std::str::from_utf8(&bytes).unwrap())
}

#[test]
fn any_bytes_will_do() {
    let mut dice = Dice(19);
    for round in 0..400 {
        let mut text = Vec::new();
        for _ in 0..dice.below(if round % 40 == 0 { 10_000 } else { 400 }) {
            match dice.below(20) {
                0 => text.push(u8::try_from(dice.below(256)).unwrap()),
                _ => text.extend_from_slice(PIECES[dice.below(PIECES.len())]),
            }
        }
        let words = dice.below(80);
        let extract = of(&text, words, Some("pump failed").filter(|_| round % 2 == 0));
        assert!(extract.sentences.is_sorted_by(|one, other| one.at < other.at));
        let total: usize = extract.sentences.iter().map(|it| count(&it.text)).sum();
        assert!(total <= words.max(1), "{total} of {words}");
        for picked in &extract.sentences {
            let from = usize::try_from(picked.at).unwrap();
            let rest = plain(&text[from..(from + 40_000).min(text.len())]);
            let own = picked.text.trim_end_matches('…');
            assert!(rest.starts_with(own), "{own:?} is not at {from} of {rest:?}");
        }
        let has_words = plain(&text).chars().any(char::is_alphanumeric);
        assert_eq!(!extract.sentences.is_empty(), has_words);
    }
}
