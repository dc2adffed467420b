//! The first reading: which words matter in this text, and of what kind it is.

use std::io::{self, Read, Seek};

use crate::summary::extractive::blocks::Blocks;
use crate::summary::extractive::counts::{Counts, Slot};
use crate::summary::extractive::fixed::{log2_q4, wide};
use crate::summary::extractive::lexicon::Lexicon;
use crate::summary::extractive::lines::{Kind, Standing, kind, lines, tidy};
use crate::summary::extractive::wish::{Wish, heed};
use crate::summary::extractive::words::{Word, each_word, joined};

/// Buckets of the table of words, and of the table of lines, as powers of two.
const WORD_BITS: u32 = 12;
const LINE_BITS: u32 = 10;

/// What a word in a heading counts, beside one in the text.
const HEADING_TIMES: u32 = 3;

/// So many words are a passage at most: how many passages have a word says how common it is.
const PASSAGE_WORDS: u32 = 32;

/// A line of so many words is a paragraph: what ends a text may be a greeting.
const PARAGRAPH_WORDS: u32 = 20;

/// A title is no longer.
const TITLE_WORDS: usize = 16;

/// What the first reading found.
#[derive(Debug)]
pub(super) struct Survey {
    words: Counts,
    lines: Counts,
    passages: u32,
    seen_lines: u32,
    repeated: u32,
    records: u32,
    /// The most that any word weighs.
    heaviest: u32,
    /// The stems of the first heading, or of the first line.
    pub(super) title: Vec<u32>,
    /// Where the first line stands.
    pub(super) first: u64,
    /// Where the last line stands that is a paragraph.
    pub(super) last: u64,
    /// How many blocks.
    pub(super) blocks: u64,
    /// How many bytes.
    pub(super) bytes: u64,
}

impl Survey {
    /// The most bytes that are held.
    pub(super) const BYTES: usize =
        Counts::bytes(WORD_BITS) + Counts::bytes(LINE_BITS) + TITLE_WORDS * 4;

    /// Reads the whole text.
    pub(super) fn read<R: Read + Seek>(
        blocks: &mut Blocks<R>,
        lexicon: &Lexicon,
        wish: &Wish<'_>,
    ) -> io::Result<Self> {
        let mut survey = Self {
            words: Counts::new(WORD_BITS),
            lines: Counts::new(LINE_BITS),
            passages: 0,
            seen_lines: 0,
            repeated: 0,
            records: 0,
            heaviest: 1,
            title: Vec::with_capacity(TITLE_WORDS),
            first: 0,
            last: 0,
            blocks: 0,
            bytes: 0,
        };
        while let Some(block) = blocks.next()? {
            heed(wish)?;
            tidy(block.bytes);
            survey.block(
                block.start,
                std::str::from_utf8(block.bytes).unwrap_or_default(),
                lexicon,
            );
        }
        survey.bytes = blocks.end();
        survey.heaviest = survey.words.most().map_or(1, Self::heft).max(1);
        Ok(survey)
    }

    fn block(&mut self, start: u64, block: &str, lexicon: &Lexicon) {
        self.blocks += 1;
        let is_alone = !block.trim_ascii_end().contains('\n');
        for (at, line) in lines(block) {
            let at = start + wide(at.start);
            if self.seen_lines == 0 {
                self.first = at;
            }
            let kind = kind(line, Standing::of(is_alone, at == self.first));
            if self.line(line, kind, lexicon) >= PARAGRAPH_WORDS {
                self.last = at;
            }
        }
    }

    fn line(&mut self, line: &str, kind: Kind, lexicon: &Lexicon) -> u32 {
        let is_first = self.seen_lines == 0;
        let times = if kind == Kind::Heading { HEADING_TIMES } else { 1 };
        let mut pattern = Pattern::default();
        let mut count = 0;
        self.passages += 1;
        each_word(line, |word| {
            count += 1;
            self.passages += u32::from(count % PASSAGE_WORDS == 0);
            pattern.add(&word);
            if !lexicon.matters(&word) {
                return;
            }
            self.words.add(word.stem, times, self.passages);
            if is_first && self.title.len() < TITLE_WORDS {
                self.title.push(word.stem);
            }
        });
        self.seen_lines += 1;
        self.records += u32::from(kind == Kind::Record);
        self.lines.add(pattern.key(), 1, self.seen_lines);
        self.repeated += u32::from(self.lines.of(pattern.key()).times > 1);
        count
    }

    /// How much a word matters here, in thousandths of the one that matters most.
    pub(super) fn weight(&self, stem: u32) -> u32 {
        let heft = Self::heft(self.words.of(stem));
        (heft * 1000 / self.heaviest).min(1000)
    }

    /// How rare a word is, in sixteenths of a bit.
    pub(super) fn rarity(&self, stem: u32) -> u32 {
        let spread = u64::from(self.words.of(stem).spread.max(1));
        log2_q4(u64::from(self.passages) / spread + 1)
    }

    /// Whether a word is in the text at all.
    pub(super) fn knows(&self, stem: u32) -> bool {
        self.words.has(stem)
    }

    /// How many lines are like one.
    pub(super) fn likes(&self, pattern: u32) -> u32 {
        self.lines.of(pattern).times
    }

    /// How rare such a line is, in sixteenths of a bit.
    pub(super) fn line_rarity(&self, pattern: u32) -> u32 {
        log2_q4(u64::from(self.seen_lines / self.likes(pattern).max(1)) + 1)
    }

    /// Whether the text is a log, or the like: most lines are records, or look like others.
    pub(super) fn is_log(&self) -> bool {
        let half = self.seen_lines / 2;
        self.seen_lines > 20 && (self.records > half || self.repeated > half)
    }

    fn heft(slot: Slot) -> u32 {
        log2_q4(u64::from(slot.times) + 1)
    }
}

/// What lines have in common that differ in figures alone.
#[derive(Debug, Default)]
pub(super) struct Pattern {
    sum: u32,
}

impl Pattern {
    /// Sees another word of the line.
    pub(super) fn add(&mut self, word: &Word) {
        if word.digits == 0 {
            self.sum = joined([self.sum, word.whole]);
        }
    }

    /// The pattern's number.
    pub(super) fn key(&self) -> u32 {
        self.sum
    }
}
