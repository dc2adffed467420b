//! The best sentences of each region of a text: a bounded number, from all over it.

use crate::summary::extractive::lines::Kind;
use crate::summary::extractive::marks::{TERMS, Term};
use crate::summary::extractive::score::Score;

/// The most sentences that are held.
pub(super) const POOL: usize = 1024;

/// The most regions of a text.
const REGIONS: u64 = 64;

/// A text of several regions has so much in each, or more.
const REGION_BYTES: u64 = 16 * 1024;

/// A sentence that may be picked.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// Where it stands in the text.
    pub(super) at: u64,
    /// How many bytes it has there.
    pub(super) bytes: usize,
    /// How many words a reader would count.
    pub(super) words: usize,
    /// What its line is.
    pub(super) kind: Kind,
    /// What it says by itself.
    pub(super) score: Score,
    /// Two that have the same number here say the same.
    pub(super) same: u32,
    /// The region it stands in.
    pub(super) region: u64,
    /// Its words, in the order of their numbers.
    pub(super) terms: Vec<Term>,
}

/// The sentences that are held.
#[derive(Debug)]
pub(super) struct Pool {
    kept: Vec<Candidate>,
    /// Where the current region's begin.
    first: usize,
    region: u64,
    room: usize,
    region_bytes: u64,
}

impl Pool {
    /// The most bytes that are held.
    pub(super) const BYTES: usize = POOL * (size_of::<Candidate>() + TERMS * size_of::<Term>());

    /// A pool for a text of so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        let regions = (bytes / REGION_BYTES).clamp(1, REGIONS);
        let room = usize::try_from(regions).map_or(1, |regions| POOL / regions);
        let region_bytes = bytes.div_ceil(regions).max(1);
        Self { kept: Vec::with_capacity(POOL), first: 0, region: 0, room, region_bytes }
    }

    /// The region of a place in the text.
    pub(super) fn region_of(&self, at: u64) -> u64 {
        at / self.region_bytes
    }

    /// Offers a sentence that stands behind all others so far. It is made only if it is let in: for
    /// another of its region that says the same and less, or in place of the one that says least.
    pub(super) fn offer(
        &mut self,
        (at, score, same): (u64, Score, u32),
        make: impl FnOnce(u64) -> Candidate,
    ) {
        let region = self.region_of(at);
        if region != self.region {
            (self.region, self.first) = (region, self.kept.len());
        }
        let total = score.total();
        let rivals = self.kept.get(self.first..).unwrap_or_default();
        let twin = rivals.iter().position(|it| it.same == same);
        let least = || {
            let totals = rivals.iter().map(|it| it.score.total()).enumerate();
            totals.min_by_key(|(at, total)| (*total, usize::MAX - at)).map(|(at, _)| at)
        };
        let place = match twin {
            None if rivals.len() < self.room && self.kept.len() < POOL => {
                self.kept.push(make(region));
                return;
            }
            Some(twin) => Some(twin),
            None => least(),
        };
        let Some(place) = place.map(|at| self.first + at) else { return };
        if self.kept.get(place).is_some_and(|it| it.score.total() < total) {
            // The order in the text is kept: the new one stands behind all.
            self.kept.remove(place);
            self.kept.push(make(region));
        }
    }

    /// The sentences, in the text's order.
    pub(super) fn into_kept(self) -> Vec<Candidate> {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(at: u64, sum: u32, same: u32, region: u64) -> Candidate {
        let score = Score { sum, factor: 1000 };
        let kind = Kind::Prose;
        Candidate { at, bytes: 1, words: 1, kind, score, same, region, terms: Vec::new() }
    }

    fn fill(bytes: u64, step: usize, sum: impl Fn(u64) -> u32) -> Vec<Candidate> {
        let mut pool = Pool::new(bytes);
        for at in (0..bytes).step_by(step) {
            let score = Score { sum: sum(at), factor: 1000 };
            let same = u32::try_from(at).unwrap();
            pool.offer((at, score, same), |region| candidate(at, score.sum, same, region));
        }
        pool.into_kept()
    }

    #[test]
    fn it_is_bounded_and_covers_the_text() {
        let kept = fill(8 << 20, 50, |at| u32::try_from(at % 977).unwrap());
        assert_eq!(kept.len(), POOL);
        assert!(kept.is_sorted_by_key(|it| it.at));
        let of = |region| kept.iter().filter(|it| it.region == region).count();
        assert!((0..REGIONS).all(|region| of(region) == 16));
        assert!(kept.iter().all(|it| it.score.sum > 960));
    }

    #[test]
    fn a_twin_takes_no_other_place() {
        let mut pool = Pool::new(1000);
        for at in 0..50 {
            let score = Score { sum: if at == 7 { 9 } else { 5 }, factor: 1000 };
            pool.offer((at, score, 1), |region| candidate(at, score.sum, 1, region));
        }
        let kept = pool.into_kept();
        assert_eq!(kept.iter().map(|it| it.at).collect::<Vec<_>>(), [7]);
    }
}
