//! A summary without a model: the sentences that say most, as they stand in the text.
//!
//! The text is read twice, a block at a time. The first reading (`survey`) counts words, and lines
//! that look alike. The second (`gather`) judges every sentence by its words, its place, its turns
//! of phrase and the question asked, and keeps the best of each region of the text, so that the
//! whole is covered, however long it is. Those few are compared (`rank`): what many are like is at
//! the heart of the text. Then the best are picked, one after the other, but none that repeats what
//! was picked (`choose`), and read once more.
//!
//! All arithmetic is in whole numbers, and nothing is random: the same text gives the same extract,
//! on every device.

mod blocks;
mod choose;
mod counts;
mod cut;
mod fixed;
mod focus;
mod gather;
mod language;
mod lexicon;
mod lines;
mod marks;
mod phrases;
mod pool;
mod rank;
mod score;
mod sentences;
mod stops;
mod survey;
mod wish;
mod words;

#[cfg(test)]
mod tests;

use std::io::{self, Read, Seek, SeekFrom};

use crate::summary::extractive::blocks::{BLOCK_BYTES, Blocks};
use crate::summary::extractive::choose::{best, choose};
use crate::summary::extractive::cut::{one_line, shorten};
use crate::summary::extractive::focus::Focus;
use crate::summary::extractive::gather::{Known, gather};
pub use crate::summary::extractive::language::{Language, detect};
use crate::summary::extractive::lexicon::Lexicon;
use crate::summary::extractive::lines::tidy;
use crate::summary::extractive::pool::{Candidate, Pool};
use crate::summary::extractive::rank::Likeness;
use crate::summary::extractive::survey::Survey;
pub use crate::summary::extractive::wish::Wish;

/// The most that is held while a text of any length is read: tables, buffers and the sentences that
/// may be picked. The sentences that are returned come on top: they are as long as was asked.
pub const MEMORY_BYTES: usize = Survey::BYTES
    + Lexicon::BYTES
    + Blocks::<io::Empty>::BYTES
    + Pool::BYTES
    + Likeness::BYTES
    + SMALL_BYTES;

/// What one block, one sentence, one question and the choice need for a while. Most is for the places
/// of a block's lines, which may have two bytes each.
const SMALL_BYTES: usize = 32 * BLOCK_BYTES;

/// What is read of a text to find out its language, at its beginning and in its middle.
const SAMPLE_BYTES: u64 = 16 * 1024;

/// The sentences that say most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extract {
    /// In the text's order.
    pub sentences: Vec<Picked>,
    /// How many bytes were read.
    pub bytes: u64,
    /// How many paragraphs, or pieces of what has none.
    pub segments: u64,
    /// The language that the text was taken for, if it is one of those that are known.
    pub language: Option<Language>,
}

/// A sentence that was picked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picked {
    /// It, on one line. It ends with an ellipsis if it was longer than what was asked.
    pub text: String,
    /// Where it begins in the text, in bytes.
    pub at: u64,
}

/// Picks the sentences that say most. Together they have at most as many words as asked, and at
/// least one word if the text has any.
///
/// # Errors
///
/// What the reader says, and `Interrupted` once the wish was taken back.
pub fn extract<R: Read + Seek>(mut text: R, wish: &Wish<'_>) -> io::Result<Extract> {
    let language = match wish.language {
        Some(language) => Some(language),
        None => detect(&sample(&mut text)?),
    };
    let lexicon = Lexicon::new(language);
    let survey = Survey::read(&mut Blocks::new(&mut text)?, &lexicon, wish)?;
    let focus = Focus::new(wish.focus, &lexicon, &survey);
    let known = Known { lexicon: &lexicon, survey: &survey, focus: &focus };
    let pool = gather(&mut Blocks::new(&mut text)?, known, wish)?;
    let likeness = Likeness::of(&pool, wish)?;
    let words = wish.words.max(1);
    let mut picked = choose(&pool, &likeness, words);
    if picked.is_empty() {
        picked.extend(best(&pool, &likeness));
    }
    let picked = picked.into_iter().filter_map(|at| pool.get(at));
    let sentences = picked.map(|it| read(&mut text, it, words)).collect::<io::Result<Vec<_>>>()?;
    Ok(Extract { sentences, bytes: survey.bytes, segments: survey.blocks, language })
}

/// Some of the text.
fn sample<R: Read + Seek>(text: &mut R) -> io::Result<String> {
    let end = text.seek(SeekFrom::End(0))?;
    let mut bytes = Vec::with_capacity(2 * BLOCK_BYTES);
    for at in [0, (end / 2).max(SAMPLE_BYTES)] {
        text.seek(SeekFrom::Start(at))?;
        text.by_ref().take(SAMPLE_BYTES).read_to_end(&mut bytes)?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads a sentence that was picked.
fn read<R: Read + Seek>(text: &mut R, picked: &Candidate, words: usize) -> io::Result<Picked> {
    let mut bytes = vec![0; picked.bytes];
    text.seek(SeekFrom::Start(picked.at))?;
    text.read_exact(&mut bytes)?;
    tidy(&mut bytes);
    let line = one_line(std::str::from_utf8(&bytes).unwrap_or_default());
    Ok(Picked { text: shorten(&line, words), at: picked.at })
}
