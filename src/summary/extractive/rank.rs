//! How much the sentences say of each other: one that many others are like is at the heart of the
//! text.

use std::io;

use crate::summary::extractive::fixed::wide;
use crate::summary::extractive::marks::{TERMS, Term};
use crate::summary::extractive::pool::{Candidate, POOL};
use crate::summary::extractive::wish::{Wish, heed};

/// Sentences that are less alike are not alike at all. 255 is the same.
const LEAST: u8 = 12;

/// How often what they say is passed on.
const ROUNDS: usize = 15;

/// What a sentence has from the others, in thousandths: the rest each has by itself.
const PASSED: u64 = 850;

/// What is passed around, for each sentence.
const SHARE: u64 = 1 << 20;

/// How alike each two sentences are.
#[derive(Debug)]
pub(super) struct Likeness {
    /// Row after row, each up to its own sentence.
    half: Vec<u8>,
    sentences: usize,
}

impl Likeness {
    /// The most bytes that are held, with what is passed around.
    pub(super) const BYTES: usize =
        POOL * POOL / 2 + POOL * TERMS * size_of::<Found>() + POOL * 5 * 8;

    /// Compares all, by way of the words that they share: most pairs share none.
    pub(super) fn of(pool: &[Candidate], wish: &Wish<'_>) -> io::Result<Self> {
        let places = places(pool);
        let lengths: Vec<u64> = pool.iter().map(|it| length(&it.terms)).collect();
        let mut common = vec![0_u64; pool.len()];
        let mut half = Vec::with_capacity(pool.len() * pool.len() / 2);
        for (row, one) in pool.iter().enumerate() {
            heed(wish)?;
            common.fill(0);
            for term in &one.terms {
                for (_, other, weight) in having(&places, term.stem, row) {
                    if let Some(sum) = common.get_mut(*other) {
                        *sum += u64::from(term.weight) * u64::from(*weight);
                    }
                }
            }
            let own = lengths.get(row).copied().unwrap_or(0);
            let others = pool.iter().zip(&common).zip(&lengths).take(row);
            half.extend(others.map(|((other, common), length)| {
                if one.same == other.same { u8::MAX } else { cosine(*common, own * length) }
            }));
        }
        Ok(Self { half, sentences: pool.len() })
    }

    /// How alike two are: 0 to 255.
    pub(super) fn between(&self, one: usize, other: usize) -> u8 {
        let (low, high) = (one.min(other), one.max(other));
        match low == high {
            true => u8::MAX,
            false => self.half.get(high * (high - 1) / 2 + low).copied().unwrap_or(0),
        }
    }

    /// How much at the heart of the text each is, in thousandths of the mean.
    pub(super) fn ranks(&self) -> Vec<u32> {
        let degrees = self.sums(&vec![1; self.sentences]);
        let mut ranks = vec![SHARE; self.sentences];
        for _ in 0..ROUNDS {
            let given = ranks.iter().zip(&degrees);
            let given: Vec<u64> =
                given.map(|(rank, degree)| rank.checked_div(*degree).unwrap_or(0)).collect();
            let passed = self.sums(&given).into_iter();
            let own = SHARE / 1000 * (1000 - PASSED);
            ranks = passed.map(|sum| own + sum / 1000 * PASSED).collect();
        }
        let mean = (ranks.iter().sum::<u64>() / wide(ranks.len()).max(1)).max(1);
        ranks
            .into_iter()
            .map(|rank| u32::try_from(rank * 1000 / mean).unwrap_or(u32::MAX))
            .collect()
    }

    /// For each, the sum of what the others give, by how alike they are.
    fn sums(&self, given: &[u64]) -> Vec<u64> {
        let mut sums = vec![0_u64; self.sentences];
        let mut half = self.half.iter();
        for row in 0..self.sentences {
            let own = given.get(row).copied().unwrap_or(0);
            let mut sum = 0;
            for ((other, give), alike) in sums.iter_mut().zip(given).zip(half.by_ref().take(row)) {
                if *alike >= LEAST && *alike < u8::MAX {
                    *other += own * u64::from(*alike);
                    sum += give * u64::from(*alike);
                }
            }
            if let Some(place) = sums.get_mut(row) {
                *place += sum;
            }
        }
        sums
    }
}

fn length(terms: &[Term]) -> u64 {
    terms.iter().map(|term| u64::from(term.weight) * u64::from(term.weight)).sum::<u64>().isqrt()
}

/// A word, a sentence that has it, and its weight there.
type Found = (u32, usize, u32);

/// Where each word is, word by word.
fn places(pool: &[Candidate]) -> Vec<Found> {
    let mut places = Vec::with_capacity(pool.iter().map(|it| it.terms.len()).sum());
    for (at, one) in pool.iter().enumerate() {
        places.extend(one.terms.iter().map(|term| (term.stem, at, term.weight)));
    }
    places.sort_unstable();
    places
}

/// The sentences before one that have a word.
fn having(places: &[Found], stem: u32, before: usize) -> &[Found] {
    let first = places.partition_point(|(it, _, _)| *it < stem);
    let all = places.get(first..).unwrap_or_default();
    let end = all.partition_point(|(it, at, _)| *it == stem && *at < before);
    all.get(..end).unwrap_or_default()
}

/// The cosine of two sentences' words: 254 if they have the same.
fn cosine(common: u64, lengths: u64) -> u8 {
    let cosine = (common * 254).checked_div(lengths).unwrap_or(0);
    u8::try_from(cosine.min(254)).unwrap_or(u8::MAX)
}

/// The sum of all shares stays far from the type's end.
const _: () = assert!(SHARE < u64::MAX / 255 / 1000 / 1024 / 1024);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::extractive::lines::Kind;
    use crate::summary::extractive::score::Score;
    use std::sync::atomic::AtomicBool;

    fn candidate(same: u32, stems: &[u32]) -> Candidate {
        let terms = stems.iter().map(|stem| Term { stem: *stem, weight: 10 }).collect();
        let (score, kind) = (Score::default(), Kind::Prose);
        Candidate { at: 0, bytes: 1, words: 1, kind, score, same, region: 0, terms }
    }

    #[test]
    fn the_middle_ranks_first() {
        let stop = AtomicBool::new(false);
        let wish = Wish { words: 1, focus: None, language: None, stop: &stop };
        let pool = [
            candidate(1, &[1, 2]),
            candidate(2, &[1, 2, 3, 4]),
            candidate(3, &[3, 4]),
            candidate(4, &[9]),
            candidate(4, &[]),
        ];
        let likeness = Likeness::of(&pool, &wish).unwrap();
        assert_eq!(likeness.between(1, 0), likeness.between(0, 1));
        assert_eq!(likeness.between(0, 2), 0);
        assert_eq!(likeness.between(3, 4), 255);
        let ranks = likeness.ranks();
        assert_eq!(ranks.iter().max(), ranks.get(1));
        assert_eq!(ranks.iter().min(), ranks.get(3));
    }
}
