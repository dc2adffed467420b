//! What can be seen of one sentence, with what is known of the whole text.

use crate::summary::extractive::fixed::{permille, small};
use crate::summary::extractive::focus::Focus;
use crate::summary::extractive::lexicon::Lexicon;
use crate::summary::extractive::phrases::{Cue, Window};
use crate::summary::extractive::survey::{Pattern, Survey};
use crate::summary::extractive::words::{each_word, joined};

/// How many different words of a sentence are compared with those of others: the rarest.
pub(super) const TERMS: usize = 24;

/// A word of a sentence, and how much it says when two sentences are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Term {
    pub(super) stem: u32,
    pub(super) weight: u32,
}

/// What was seen of a sentence.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Its words, and those that are no function words.
    pub(super) words: u32,
    pub(super) content: u32,
    /// The sum of the weights of those.
    pub(super) topic: u32,
    /// Words with capitals that begin no sentence.
    pub(super) names: u32,
    /// Numbers.
    pub(super) figures: u32,
    /// Words of the title or of the section's heading, in thousandths of its content.
    pub(super) titled: u32,
    /// How much of the focus it has, in thousandths.
    pub(super) focus: u32,
    /// Turns of phrase.
    pub(super) points: u32,
    pub(super) turns: u32,
    pub(super) amounts: u32,
    pub(super) asides: u32,
    pub(super) boilerplate: u32,
    pub(super) severe: u32,
    pub(super) warning: u32,
    /// The number of the whole, and of what is left without figures.
    pub(super) whole: u32,
    pub(super) pattern: u32,
    /// The words, in their order.
    pub(super) stems: Vec<u32>,
}

/// What a sentence is seen with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Eye<'a> {
    pub(super) lexicon: &'a Lexicon,
    pub(super) survey: &'a Survey,
    pub(super) focus: &'a Focus,
    /// The stems of the section's heading.
    pub(super) heading: &'a [u32],
}

impl Marks {
    /// Looks at a sentence; what was seen of the last one goes.
    pub(super) fn see(&mut self, sentence: &str, eye: Eye<'_>) {
        self.clear();
        let mut window = Window::default();
        let mut pattern = Pattern::default();
        let (mut titled, mut focus) = (0_u32, 0_u32);
        each_word(sentence, |word| {
            self.words += 1;
            self.whole = joined([self.whole, word.whole]);
            pattern.add(&word);
            window.push(word.whole);
            self.cue(eye.lexicon.phrases.ending(&window));
            self.names += u32::from(word.is_capital && self.words > 1);
            self.figures += u32::from(word.digits > 0);
            if !eye.lexicon.matters(&word) {
                return;
            }
            self.content += 1;
            // A word says less the second time.
            let is_new = !self.stems.contains(&word.stem);
            self.topic += eye.survey.weight(word.stem) / if is_new { 1 } else { 4 };
            if is_new && self.stems.len() < 4 * TERMS {
                self.stems.push(word.stem);
                titled += u32::from(
                    eye.heading.contains(&word.stem) || eye.survey.title.contains(&word.stem),
                );
                focus += eye.focus.share(word.stem);
            }
        });
        self.pattern = pattern.key();
        self.titled = permille(titled.into(), small(self.stems.len()).max(4).into());
        self.focus = focus.min(1000);
    }

    /// The words that are compared, by their numbers.
    pub(super) fn terms(&self, survey: &Survey) -> Vec<Term> {
        let weigh = |stem: &u32| Term { stem: *stem, weight: survey.rarity(*stem) };
        let mut terms: Vec<Term> = self.stems.iter().map(weigh).collect();
        terms.sort_unstable_by_key(|term| (u32::MAX - term.weight, term.stem));
        terms.truncate(TERMS);
        terms.sort_unstable();
        terms.shrink_to_fit();
        terms
    }

    fn cue(&mut self, cue: Option<Cue>) {
        match cue {
            None | Some(Cue::Back | Cue::Summary) => {}
            Some(Cue::Point) => self.points += 1,
            Some(Cue::Turn) => self.turns += 1,
            Some(Cue::Amount) => self.amounts += 1,
            Some(Cue::Aside) => self.asides += 1,
            Some(Cue::Boilerplate) => self.boilerplate += 1,
            Some(Cue::Severe) => self.severe += 1,
            Some(Cue::Warning) => self.warning += 1,
        }
    }

    fn clear(&mut self) {
        let mut stems = std::mem::take(&mut self.stems);
        stems.clear();
        *self = Self { stems, ..Self::default() };
    }
}
