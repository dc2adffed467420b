//! The calls that may be made for a job: each may cost money, and a job is done again after a crash.

use std::sync::atomic::{AtomicU32, Ordering};

/// So many calls, and how many of them an upstream had.
#[derive(Debug)]
pub struct Allowance {
    most: u32,
    made: AtomicU32,
}

impl Allowance {
    /// So many calls at most.
    pub fn new(most: u32) -> Self {
        Self { most, made: AtomicU32::new(0) }
    }

    /// Calls that an upstream had.
    pub fn made(&self) -> u32 {
        self.made.load(Ordering::Relaxed)
    }

    /// Whether no call is left.
    pub fn is_used_up(&self) -> bool {
        self.left() == 0
    }

    pub(super) fn spend(&self, calls: u32) {
        self.made.fetch_add(calls, Ordering::Relaxed);
    }

    pub(super) fn left(&self) -> u32 {
        self.most.saturating_sub(self.made())
    }
}
