//! A target's breaker: after some failures in a row it opens, and nothing is sent; after a while
//! one trial is let through, and its end decides.

use std::time::{Duration, Instant};

use crate::config::Routing;

/// A breaker.
#[derive(Debug, Clone, Default)]
pub(super) struct Breaker {
    failures: u32,
    opened: Option<Instant>,
    trial: bool,
}

/// What a breaker lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passage {
    /// Everything.
    Closed,
    /// One trial.
    HalfOpen,
    /// Nothing for this long.
    Open(Duration),
}

impl Breaker {
    pub(super) fn passage(&self, rules: &Routing, now: Instant) -> Passage {
        let Some(opened) = self.opened else { return Passage::Closed };
        let left = (opened + rules.breaker_cooldown).saturating_duration_since(now);
        match (left.is_zero(), self.trial) {
            (true, false) => Passage::HalfOpen,
            // A trial is under way: its end will tell, within an attempt's time.
            (true, true) => Passage::Open(Duration::from_secs(1)),
            (false, _) => Passage::Open(left),
        }
    }

    /// An attempt begins.
    pub(super) fn begin(&mut self, rules: &Routing, now: Instant) {
        if self.passage(rules, now) == Passage::HalfOpen {
            self.trial = true;
        }
    }

    pub(super) fn failed(&mut self, rules: &Routing, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if self.trial || self.failures >= rules.breaker_failures {
            self.opened = Some(now);
        }
        self.trial = false;
    }

    /// The attempt said nothing about the target: a trial is free again.
    pub(super) fn undecided(&mut self) {
        self.trial = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Routing {
        Routing {
            retries: 2,
            max_wait: Duration::from_secs(20),
            breaker_failures: 3,
            breaker_cooldown: Duration::from_secs(30),
        }
    }

    #[test]
    fn opens_and_lets_one_trial_through() {
        let (rules, start) = (rules(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut breaker = Breaker::default();
        for _ in 0..2 {
            breaker.failed(&rules, at(0));
        }
        assert_eq!(breaker.passage(&rules, at(0)), Passage::Closed);
        breaker.failed(&rules, at(0));
        assert_eq!(breaker.passage(&rules, at(10)), Passage::Open(Duration::from_secs(20)));
        assert_eq!(breaker.passage(&rules, at(30)), Passage::HalfOpen);
        breaker.begin(&rules, at(30));
        assert!(matches!(breaker.passage(&rules, at(31)), Passage::Open(_)), "one trial only");
        breaker.undecided();
        assert_eq!(breaker.passage(&rules, at(31)), Passage::HalfOpen);
        breaker.begin(&rules, at(31));
        breaker.failed(&rules, at(32));
        assert_eq!(breaker.passage(&rules, at(32)), Passage::Open(Duration::from_secs(30)));
        breaker.begin(&rules, at(62));
        assert!(matches!(breaker.passage(&rules, at(62)), Passage::Open(_)));
    }

    #[test]
    fn a_success_between_failures_starts_the_count_again() {
        let (rules, now) = (rules(), Instant::now());
        let mut breaker = Breaker::default();
        for _ in 0..5 {
            breaker.failed(&rules, now);
            breaker.failed(&rules, now);
            // A success takes the whole entry out.
            breaker = Breaker::default();
        }
        assert_eq!(breaker.passage(&rules, now), Passage::Closed);
    }
}
