//! How long to wait before a target is tried once more.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

/// Growing waits with full jitter on top of what the provider asked for.
#[derive(Debug)]
pub(super) struct Backoff {
    spread: Duration,
}

/// The first wait's spread; it doubles with each.
const FIRST: Duration = Duration::from_millis(500);

impl Backoff {
    pub(super) fn new() -> Self {
        Self { spread: FIRST }
    }

    /// At least `least`, and up to the spread more, so that a hundred gateways that were refused
    /// together do not come back together.
    pub(super) fn next(&mut self, least: Duration) -> Duration {
        let spread = self.spread;
        self.spread = spread.saturating_mul(2);
        least.saturating_add(spread.mul_f64(random_share()))
    }
}

/// A number from 0 to 1: the standard library seeds every hasher state from the system.
fn random_share() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 32;
    u32::try_from(bits).map_or(0.5, f64::from) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_less_than_asked_and_bounded() {
        let mut backoff = Backoff::new();
        let asked = Duration::from_secs(2);
        for spread in [500, 1000, 2000] {
            let wait = backoff.next(asked);
            assert!(wait >= asked && wait <= asked + Duration::from_millis(spread), "{wait:?}");
        }
    }
}
