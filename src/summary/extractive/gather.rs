//! The second reading: every sentence is judged, and the best of each region are kept.

use std::io::{self, Read, Seek};
use std::ops::Range;

use crate::summary::extractive::blocks::Blocks;
use crate::summary::extractive::fixed::{permille, wide};
use crate::summary::extractive::focus::Focus;
use crate::summary::extractive::lexicon::Lexicon;
use crate::summary::extractive::lines::{FENCE, Kind, Standing, kind, lines, tidy};
use crate::summary::extractive::marks::{Eye, Marks};
use crate::summary::extractive::phrases::{Cue, Window};
use crate::summary::extractive::pool::{Candidate, Pool};
use crate::summary::extractive::score::{Place, Section, score};
use crate::summary::extractive::sentences::each_sentence;
use crate::summary::extractive::survey::Survey;
use crate::summary::extractive::wish::{Wish, heed};
use crate::summary::extractive::words::{count, each_word};

/// The words of a heading that are heeded at most.
const HEADING_WORDS: usize = 16;

/// A paragraph's own heading is no longer.
const LEAD_IN_WORDS: usize = 3;

/// What a sentence is judged by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) lexicon: &'a Lexicon,
    pub(super) survey: &'a Survey,
    pub(super) focus: &'a Focus,
}

/// Reads the text again, and returns the best sentences of all its regions.
pub(super) fn gather<R: Read + Seek>(
    blocks: &mut Blocks<R>,
    known: Known<'_>,
    wish: &Wish<'_>,
) -> io::Result<Vec<Candidate>> {
    let mut reading = Reading {
        known,
        pool: Pool::new(known.survey.bytes),
        marks: Marks::default(),
        heading: Vec::with_capacity(HEADING_WORDS),
        section: Section::Body,
        begins_section: true,
        is_fenced: false,
        is_log: known.survey.is_log(),
    };
    while let Some(block) = blocks.next()? {
        heed(wish)?;
        tidy(block.bytes);
        reading.block(block.start, std::str::from_utf8(block.bytes).unwrap_or_default());
    }
    Ok(reading.pool.into_kept())
}

/// Where the second reading has got to.
#[derive(Debug)]
struct Reading<'a> {
    known: Known<'a>,
    pool: Pool,
    marks: Marks,
    /// The stems of the section's heading.
    heading: Vec<u32>,
    section: Section,
    begins_section: bool,
    /// Whether this is program text, until the next fence.
    is_fenced: bool,
    is_log: bool,
}

impl Reading<'_> {
    fn block(&mut self, start: u64, block: &str) {
        let is_alone = !block.trim_ascii_end().contains('\n');
        let survey = self.known.survey;
        for (at, line) in lines(block) {
            if line.starts_with(FENCE) {
                self.is_fenced = !self.is_fenced;
                continue;
            }
            let alone = Standing::of(is_alone, start + wide(at.start) == survey.first);
            let kind = if self.is_fenced { Kind::Code } else { kind(line, alone) };
            if kind == Kind::Heading {
                self.enter(line);
            }
            self.line(start + wide(at.start), line, kind);
            self.begins_section = kind == Kind::Heading;
        }
    }

    /// A section begins.
    fn enter(&mut self, heading: &str) {
        let lexicon = self.known.lexicon;
        self.section = self.section_of(heading);
        self.heading.clear();
        each_word(heading, |word| {
            if lexicon.matters(&word) && self.heading.len() < HEADING_WORDS {
                self.heading.push(word.stem);
            }
        });
    }

    fn line(&mut self, start: u64, line: &str, kind: Kind) {
        if self.is_log || matches!(kind, Kind::Code | Kind::Heading | Kind::Record | Kind::Row) {
            let text = line.trim();
            let from = line.len() - line.trim_start().len();
            return self.judge(start, from..from + text.len(), text, (kind, true));
        }
        let lexicon = self.known.lexicon;
        let mut is_first = true;
        let section = self.section;
        each_sentence(line, &lexicon.stops, lexicon.language, |at, sentence| {
            // "Opinion. The oil is good": what follows stands under a heading of its own.
            if let Some(own) = is_first.then(|| self.lead_in(sentence)).flatten() {
                self.section = own;
            }
            self.judge(start, at, sentence, (kind, is_first));
            is_first = false;
        });
        self.section = section;
    }

    /// What a paragraph is that begins like a heading: with a few words, and a full stop or a colon.
    fn lead_in(&self, sentence: &str) -> Option<Section> {
        let end = sentence.find([':', '.'])?;
        let words =
            sentence.get(..end).filter(|it| it.split_whitespace().count() <= LEAD_IN_WORDS)?;
        match self.section_of(words) {
            Section::Body => None,
            section @ (Section::Back | Section::Summary) => Some(section),
        }
    }

    fn section_of(&self, heading: &str) -> Section {
        let mut window = Window::default();
        let mut section = Section::Body;
        each_word(heading, |word| {
            window.push(word.whole);
            match self.known.lexicon.phrases.ending(&window) {
                Some(Cue::Summary | Cue::Point) => section = Section::Summary,
                Some(Cue::Back) => section = Section::Back,
                _ => {}
            }
        });
        section
    }

    fn judge(&mut self, start: u64, at: Range<usize>, text: &str, (kind, is_first): (Kind, bool)) {
        let Known { lexicon, survey, focus } = self.known;
        self.marks.see(text, Eye { lexicon, survey, focus, heading: &self.heading });
        let marks = &self.marks;
        if marks.words == 0 {
            return;
        }
        let from = start + wide(at.start);
        let place = Place {
            kind,
            is_first,
            begins_section: self.begins_section,
            is_last: start >= survey.last,
            section: self.section,
            depth: permille(from, survey.bytes),
            is_open: text.ends_with([':', '：']),
            likes: survey.likes(marks.pattern),
            log_rarity: self.is_log.then(|| survey.line_rarity(marks.pattern)),
        };
        let score = score(marks, &place, focus.is_some());
        let same = if self.is_log { marks.pattern } else { marks.whole };
        self.pool.offer((from, score, same), |region| Candidate {
            at: from,
            bytes: at.len(),
            words: count(text),
            kind,
            score,
            same,
            region,
            terms: marks.terms(survey),
        });
    }
}
