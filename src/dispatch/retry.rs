//! How long to wait before a target is tried once more.

use std::time::Duration;

use crate::random;

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
        least.saturating_add(spread.mul_f64(random::share()))
    }
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
