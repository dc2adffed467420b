//! What is known of words before a text is read.

use crate::summary::extractive::language::Language;
use crate::summary::extractive::phrases::Phrases;
use crate::summary::extractive::stops::Stops;
use crate::summary::extractive::words::Word;

/// Function words and turns of phrase, and the text's language.
#[derive(Debug)]
pub(super) struct Lexicon {
    /// Function words.
    pub(super) stops: Stops,
    /// Turns of phrase.
    pub(super) phrases: Phrases,
    /// The text's language, if it is one of the six.
    pub(super) language: Option<Language>,
}

impl Lexicon {
    /// The bytes that are held.
    pub(super) const BYTES: usize = Stops::BYTES + Phrases::BYTES;

    /// What is known for a text in a language.
    pub(super) fn new(language: Option<Language>) -> Self {
        Self { stops: Stops::new(), phrases: Phrases::new(), language }
    }

    /// Whether a word says what a text is about.
    pub(super) fn matters(&self, word: &Word) -> bool {
        (word.is_pair || word.length > 1) && !self.stops.has(word.whole, self.language)
    }
}
