//! How much one sentence says, by itself. The figures were found by trial on texts with summaries
//! that people wrote.

use crate::summary::extractive::lines::Kind;
use crate::summary::extractive::marks::Marks;

/// Where a sentence stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// What its line is.
    pub(super) kind: Kind,
    /// Whether it begins a paragraph.
    pub(super) is_first: bool,
    /// Whether its paragraph begins a section.
    pub(super) begins_section: bool,
    /// Whether it stands in the last paragraph that says something.
    pub(super) is_last: bool,
    /// What its section is.
    pub(super) section: Section,
    /// How much of the text stands before it, in thousandths.
    pub(super) depth: u32,
    /// Whether it ends with a colon: what it speaks of comes after it.
    pub(super) is_open: bool,
    /// How many lines look like its own.
    pub(super) likes: u32,
    /// How rare such a line is, if the text is a log.
    pub(super) log_rarity: Option<u32>,
}

/// What a section is, by its heading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// Sources, thanks, contents.
    Back,
    /// The text itself.
    Body,
    /// A summary, a conclusion, a decision.
    Summary,
}

/// How much a sentence says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Score {
    /// What speaks for it.
    pub(super) sum: u32,
    /// What is left of that, in thousandths, for what it is.
    pub(super) factor: u32,
}

impl Score {
    /// The whole.
    pub(super) fn total(self) -> u32 {
        self.with(0)
    }

    /// The whole, with what other sentences say for it.
    pub(super) fn with(self, more: u32) -> u32 {
        let total = u64::from(self.sum + more) * u64::from(self.factor) / 1000;
        u32::try_from(total).unwrap_or(u32::MAX)
    }
}

/// Judges a sentence. With a focus, what has none of it is worth little.
pub(super) fn score(marks: &Marks, place: &Place, has_focus: bool) -> Score {
    let mut score = match place.log_rarity {
        Some(rarity) => record(marks, rarity),
        None => sentence(marks, place),
    };
    if has_focus {
        score.sum += marks.focus * 2;
        score.factor = score.factor * (150 + marks.focus * 2) / 1000;
    }
    score
}

/// In a log, what is broken and what is rare.
fn record(marks: &Marks, rarity: u32) -> Score {
    let alarm = if marks.severe > 0 {
        900
    } else if marks.warning > 0 {
        400
    } else {
        0
    };
    Score { sum: rarity * 2 + alarm + topic(marks) / 4, factor: 1000 }
}

/// What each thing that speaks for a sentence counts.
const TOPIC: u32 = 50;
const TITLED: u32 = 60;
const POINT: u32 = 300;
const POINTS: u32 = 3;
const TURN: u32 = 70;
const AMOUNT: u32 = 130;
const ALARM: u32 = 110;
const LAST: u32 = 200;
const NAME: u32 = 8;
const FIGURE: u32 = 80;
const EARLY: u32 = 280;
const EARLY_STEEP: u32 = 3;
const LATE: u32 = 60;
const LATE_FROM: u32 = 500;
const FIRST: u32 = 15;
const SECTION: u32 = 60;

/// What is left, in thousandths, of a sentence that has what speaks against it.
const ASIDE: u32 = 300;
const OPEN: u32 = 600;
const BOILERPLATE: u32 = 150;
const LIKES: u32 = 400;
const FIGURES: u32 = 500;
const CRUMB: u32 = 200;
const SHORT: u32 = 950;
const LONG: u32 = 800;
const BACK: u32 = 200;
const SUMMARY: u32 = 1250;

fn sentence(marks: &Marks, place: &Place) -> Score {
    let sum = topic(marks)
        + marks.titled.min(500) * TITLED / 100
        + marks.points.min(POINTS) * POINT
        + (marks.severe + marks.warning).min(2) * ALARM
        + marks.turns.min(2) * TURN
        + marks.amounts.min(2) * AMOUNT
        + marks.names.min(3) * NAME
        + marks.figures.min(3) * FIGURE
        + position(place);
    let factor = [
        length(marks.words),
        kind(place.kind),
        section(place.section),
        likes(place.likes, marks.words),
        if marks.asides > 0 { ASIDE } else { 1000 },
        if place.is_open { OPEN } else { 1000 },
        if marks.boilerplate > 0 { BOILERPLATE } else { 1000 },
        figures(marks),
    ];
    Score { sum, factor: factor.into_iter().fold(1000, |all, factor| all * factor / 1000) }
}

/// What its words weigh: more words say more, but not in proportion.
fn topic(marks: &Marks) -> u32 {
    let weight = marks.topic * TOPIC / 10;
    weight.checked_div(((marks.content + 3) * 16).isqrt()).unwrap_or(0)
}

/// The beginning of a text, and of its sections and paragraphs, and its end.
fn position(place: &Place) -> u32 {
    let early = EARLY.saturating_sub(place.depth * EARLY_STEEP);
    let late = place.depth.saturating_sub(LATE_FROM) * LATE / 100;
    let first = if place.is_first { FIRST } else { 0 };
    let section = if place.begins_section { SECTION } else { 0 };
    let last = if place.is_last { LAST } else { 0 };
    early + late + first + section + last
}

/// Crumbs say too little, and who reads a summary reads no sentence of 60 words.
fn length(words: u32) -> u32 {
    match words {
        0..=2 => 100,
        3..=5 => CRUMB,
        6..=8 => SHORT,
        9..=40 => 1000,
        41..=60 => LONG,
        61..=100 => 600,
        _ => 300,
    }
}

fn kind(kind: Kind) -> u32 {
    match kind {
        Kind::Code => 150,
        Kind::Heading => 50,
        Kind::Item => 850,
        Kind::Prose => 1000,
        Kind::Record => 800,
        Kind::Row => 350,
    }
}

fn section(section: Section) -> u32 {
    match section {
        Section::Back => BACK,
        Section::Body => 1000,
        Section::Summary => SUMMARY,
    }
}

/// A short line that comes again and again is the page's head or foot.
fn likes(likes: u32, words: u32) -> u32 {
    if likes >= 3 && words <= 15 { LIKES } else { 1000 }
}

/// More figures than words: a row of a table that has no marks.
fn figures(marks: &Marks) -> u32 {
    if marks.figures * 2 > marks.words { FIGURES } else { 1000 }
}
