//! What the extract should be about.

use crate::summary::extractive::lexicon::Lexicon;
use crate::summary::extractive::survey::Survey;
use crate::summary::extractive::words::each_word;

/// The words that are looked for at most.
const WORDS: usize = 32;

/// The words of a question or a topic, and how much of it each is.
#[derive(Debug, Default)]
pub(super) struct Focus {
    shares: Vec<(u32, u32)>,
}

impl Focus {
    /// Reads the question. Words that are not in the text are no part of it, and rare ones are most.
    pub(super) fn new(text: Option<&str>, lexicon: &Lexicon, survey: &Survey) -> Self {
        let mut rarities: Vec<(u32, u32)> = Vec::with_capacity(WORDS);
        each_word(text.unwrap_or_default(), |word| {
            let is_new = rarities.iter().all(|(stem, _)| *stem != word.stem);
            let is_of_use = lexicon.matters(&word) && survey.knows(word.stem);
            if is_new && is_of_use && rarities.len() < WORDS {
                rarities.push((word.stem, survey.rarity(word.stem).max(1)));
            }
        });
        let all: u32 = rarities.iter().map(|(_, rarity)| rarity).sum();
        rarities.iter_mut().for_each(|(_, rarity)| *rarity = *rarity * 1000 / all.max(1));
        Self { shares: rarities }
    }

    /// How much of the question a word is, in thousandths.
    pub(super) fn share(&self, stem: u32) -> u32 {
        self.shares.iter().find(|(it, _)| *it == stem).map_or(0, |(_, share)| *share)
    }

    /// Whether there is anything to look for.
    pub(super) fn is_some(&self) -> bool {
        !self.shares.is_empty()
    }
}
