//! The calls that may be made for a job: each may cost money, and a job is done again after a crash.

use std::sync::atomic::{AtomicU32, Ordering};

/// So many calls, and how many of them an upstream had.
#[derive(Debug)]
pub struct Allowance {
    most: AtomicU32,
    /// So many again once something was kept.
    again: u32,
    made: AtomicU32,
}

impl Allowance {
    /// So many calls at most.
    pub fn new(most: u32) -> Self {
        Self { most: AtomicU32::new(most), again: most, made: AtomicU32::new(0) }
    }

    /// So many calls at most, and `again` as many for each step after the first.
    pub fn for_steps(most: u32, again: u32) -> Self {
        Self { again, ..Self::new(most) }
    }

    /// Calls that an upstream had.
    pub fn made(&self) -> u32 {
        self.made.load(Ordering::Relaxed)
    }

    /// Begins to count anew: the calls so far have come to something that is kept.
    pub fn renew(&self) {
        self.made.store(0, Ordering::Relaxed);
        self.most.store(self.again, Ordering::Relaxed);
    }

    /// Whether no call is left.
    pub fn is_used_up(&self) -> bool {
        self.left() == 0
    }

    pub(super) fn spend(&self, calls: u32) {
        self.made.fetch_add(calls, Ordering::Relaxed);
    }

    pub(super) fn left(&self) -> u32 {
        self.most.load(Ordering::Relaxed).saturating_sub(self.made())
    }
}
