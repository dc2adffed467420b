//! Which sentences are picked: those that say most, and not what others have said.

use crate::summary::extractive::fixed::wide;
use crate::summary::extractive::lines::Kind;
use crate::summary::extractive::pool::Candidate;
use crate::summary::extractive::rank::Likeness;

/// What speaks for being at the heart of the text, beside what a sentence says by itself.
const HEART_PERCENT: u32 = 20;

/// The heart's share has an end: no one sentence has it all.
const MOST_HEART: u32 = 3000;

/// Two that are more alike say the same.
const SAME: u8 = 165;

/// How much being like one that is picked takes away, in percent.
const REPEATED_PERCENT: u64 = 100;

/// What is left of a sentence's worth, in percent, for each one that was picked of its part: the
/// whole of a text is to be seen.
const NEIGHBOUR_PERCENT: u64 = 70;

/// Regions that are one part.
const PART_REGIONS: u64 = 4;

/// A sentence costs its words, and so many: a long one must say more, but not in proportion.
const DENSE: u64 = 45;

/// A sentence that says so much less than the best, in percent, is not picked to fill the rest.
const LEAST_PERCENT: u64 = 15;

/// The places of the sentences that are picked, in the order of the text. Nothing, if none is short
/// enough.
pub(super) fn choose(pool: &[Candidate], likeness: &Likeness, words: usize) -> Vec<usize> {
    let mut open = opened(pool, likeness);
    let best = open.iter().map(Open::worth).max().unwrap_or(0);
    let several = pool.first().map(|it| it.region) != pool.last().map(|it| it.region);
    let mut left = words;
    let mut picked = Vec::new();
    while let Some(next) = next(&open, pool, left) {
        if next.worth() * 100 < best * LEAST_PERCENT && !picked.is_empty() {
            break;
        }
        let Open { at, part, .. } = next;
        left -= pool.get(at).map_or(0, |it| it.words);
        picked.push(at);
        open.retain_mut(|it| {
            it.nearest = it.nearest.max(likeness.between(it.at, at));
            if it.part == part && several {
                it.worth = it.worth * NEIGHBOUR_PERCENT / 100;
            }
            it.at != at && it.nearest < SAME
        });
    }
    picked.sort_unstable();
    picked
}

/// The one that says most, however long.
pub(super) fn best(pool: &[Candidate], likeness: &Likeness) -> Option<usize> {
    let open = opened(pool, likeness);
    next(&open, pool, usize::MAX).map(|it| it.at)
}

/// A sentence that may still be picked.
#[derive(Debug, Clone, Copy)]
struct Open {
    at: usize,
    worth: u64,
    words: usize,
    /// How like it is to the nearest of those that are picked.
    nearest: u8,
    part: u64,
}

impl Open {
    fn worth(&self) -> u64 {
        let taken = u64::from(self.nearest) * REPEATED_PERCENT / 100;
        self.worth * (255 - taken) * 4 / (DENSE + wide(self.words))
    }
}

fn opened(pool: &[Candidate], likeness: &Likeness) -> Vec<Open> {
    let ranks = likeness.ranks();
    let open = pool.iter().zip(ranks).enumerate().map(|(at, (candidate, rank))| {
        let heart = rank.min(MOST_HEART) * HEART_PERCENT / 100;
        let worth = candidate.score.with(heart).into();
        Open {
            at,
            worth,
            words: candidate.words,
            nearest: 0,
            part: candidate.region / PART_REGIONS,
        }
    });
    // A heading is context, and stands for nothing unless there is nothing else.
    let has_text = pool.iter().any(|it| it.kind != Kind::Heading);
    let may = |it: &Open| pool.get(it.at).is_some_and(|it| !has_text || it.kind != Kind::Heading);
    open.filter(may).collect()
}

/// The best that there is room for; of two that are worth the same, the one that stands before.
fn next(open: &[Open], pool: &[Candidate], left: usize) -> Option<Open> {
    let has_room = |it: &&Open| pool.get(it.at).is_some_and(|it| it.words <= left);
    let fitting = open.iter().filter(has_room);
    fitting.max_by_key(|it| (it.worth(), usize::MAX - it.at)).copied()
}
