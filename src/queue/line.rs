//! Who is next: acceptance order within a priority, past lanes that cannot be served now and jobs
//! whose time has not come. Pure: the time is told, and it touches nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::queue::job::{Lane, Priority};

/// Milliseconds of the queue's own clock, which no jump of the system's moves.
pub(super) type Age = u64;

/// A job that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Waiting {
    /// When it may start.
    pub(super) due: Age,
    pub(super) priority: Priority,
    pub(super) seq: i64,
}

/// Whether a lane can be served now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// A target can be tried.
    Open,
    /// None can: not before so many milliseconds have passed, or something has changed.
    Shut(Option<u64>),
}

/// All jobs that wait.
#[derive(Debug, Default)]
pub(super) struct Line {
    lanes: BTreeMap<Lane, Jobs>,
}

#[derive(Debug, Default)]
struct Jobs {
    due: BTreeSet<(Priority, i64)>,
    later: BTreeSet<Waiting>,
    shut: Option<Shut>,
}

#[derive(Debug, Clone, Copy)]
struct Shut {
    until: Option<Age>,
}

impl Jobs {
    fn is_empty(&self) -> bool {
        self.due.is_empty() && self.later.is_empty()
    }

    fn come_due(&mut self, now: Age) {
        while let Some(first) = self.later.first().copied().filter(|it| it.due <= now) {
            self.later.remove(&first);
            self.due.insert((first.priority, first.seq));
        }
    }

    fn is_shut(&self, now: Age) -> bool {
        self.shut.is_some_and(|shut| shut.until.is_none_or(|until| now < until))
    }
}

impl Line {
    /// Adds a job.
    pub(super) fn add(&mut self, lane: &Lane, job: Waiting) {
        if !self.lanes.contains_key(lane) {
            self.lanes.insert(lane.clone(), Jobs::default());
        }
        if let Some(jobs) = self.lanes.get_mut(lane) {
            jobs.later.insert(job);
        }
    }

    /// Takes a job out, wherever it stands. Returns whether it was there.
    pub(super) fn remove(&mut self, lane: &Lane, job: Waiting) -> bool {
        let Some(jobs) = self.lanes.get_mut(lane) else { return false };
        let was_there = jobs.due.remove(&(job.priority, job.seq)) | jobs.later.remove(&job);
        if jobs.is_empty() {
            self.lanes.remove(lane);
        }
        was_there
    }

    /// Takes the next job out: the first that is due in a lane that is open.
    pub(super) fn next(
        &mut self,
        now: Age,
        mut opening: impl FnMut(&Lane) -> Opening,
    ) -> Option<i64> {
        let mut heads: Vec<((Priority, i64), Lane)> = Vec::new();
        for (lane, jobs) in &mut self.lanes {
            jobs.come_due(now);
            if !jobs.is_shut(now) {
                heads.extend(jobs.due.first().map(|head| (*head, lane.clone())));
            }
        }
        heads.sort();
        for (head, lane) in heads {
            let Some(jobs) = self.lanes.get_mut(&lane) else { continue };
            match opening(&lane) {
                Opening::Shut(wait) => {
                    jobs.shut = Some(Shut { until: wait.map(|wait| now.saturating_add(wait)) });
                }
                Opening::Open => {
                    jobs.shut = None;
                    jobs.due.remove(&head);
                    if jobs.is_empty() {
                        self.lanes.remove(&lane);
                    }
                    return Some(head.1);
                }
            }
        }
        None
    }

    /// Shuts a lane: its targets turned out not to be there. It opens again when something has
    /// changed, or after the wait.
    pub(super) fn shut(&mut self, lane: &Lane, until: Option<Age>) {
        if let Some(jobs) = self.lanes.get_mut(lane) {
            jobs.shut = Some(Shut { until });
        }
    }

    /// Something has changed: every lane is asked about again.
    pub(super) fn reopen(&mut self) {
        for jobs in self.lanes.values_mut() {
            jobs.shut = None;
        }
    }

    /// When a job comes due or a lane opens by itself.
    pub(super) fn next_time(&self, now: Age) -> Option<Age> {
        let times = self.lanes.values().filter_map(|jobs| {
            let shut = jobs.shut.filter(|_| jobs.is_shut(now));
            match shut {
                Some(shut) => shut.until,
                None => jobs.later.first().map(|first| first.due),
            }
        });
        times.min()
    }

    /// Jobs of any lane that go before this one.
    pub(super) fn position(&self, job: Waiting) -> usize {
        let own = (job.priority, job.seq);
        let before = |jobs: &Jobs| {
            let later = jobs.later.iter().filter(|it| (it.priority, it.seq) < own).count();
            jobs.due.range(..own).count() + later
        };
        self.lanes.values().map(before).sum()
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lanes.values().map(|jobs| jobs.due.len() + jobs.later.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(name: &str) -> Lane {
        Lane(name.into())
    }

    fn job(seq: i64, priority: Priority, due: Age) -> Waiting {
        Waiting { due, priority, seq }
    }

    fn drain(line: &mut Line, now: Age, open: &[&str]) -> Vec<i64> {
        let opening = |lane: &Lane| match open.contains(&&*lane.0) {
            true => Opening::Open,
            false => Opening::Shut(None),
        };
        std::iter::from_fn(|| line.next(now, opening)).collect()
    }

    #[test]
    fn priority_then_acceptance_past_what_cannot_be_served() {
        let mut line = Line::default();
        line.add(&lane("a"), job(1, Priority::Normal, 0));
        line.add(&lane("b"), job(2, Priority::Normal, 0));
        line.add(&lane("a"), job(3, Priority::Low, 0));
        line.add(&lane("a"), job(4, Priority::High, 0));
        line.add(&lane("a"), job(5, Priority::High, 100));
        assert_eq!(line.position(job(3, Priority::Low, 0)), 4);
        assert_eq!(drain(&mut line, 10, &["a"]), [4, 1, 3]);
        assert_eq!(line.next_time(10), Some(100), "the shut lane waits for a change");
        assert!(drain(&mut line, 10, &["a", "b"]).is_empty(), "it is not asked about before");
        line.reopen();
        assert_eq!(drain(&mut line, 10, &["a", "b"]), [2]);
        assert_eq!(drain(&mut line, 100, &["a"]), [5]);
        assert_eq!((line.len(), line.next_time(100)), (0, None));
    }

    #[test]
    fn a_shut_lane_opens_after_its_wait() {
        let mut line = Line::default();
        line.add(&lane("a"), job(1, Priority::Normal, 0));
        assert_eq!(line.next(5, |_| Opening::Shut(Some(10))), None);
        assert_eq!(line.next_time(5), Some(15));
        assert_eq!(line.next(14, |_| Opening::Open), None);
        assert_eq!(line.next(15, |_| Opening::Open), Some(1));
    }

    #[test]
    fn what_is_taken_out_does_not_come() {
        let mut line = Line::default();
        let later = job(1, Priority::Normal, 50);
        line.add(&lane("a"), later);
        assert!(line.remove(&lane("a"), later));
        assert!(!line.remove(&lane("a"), later));
        assert_eq!(line.next(100, |_| Opening::Open), None);
    }
}
