//! The time by which certificates are judged. A box without a clock battery boots in 1970, where
//! no certificate is valid yet; it cannot be earlier than when this program was built, nor than
//! what it was when a certificate was last found good.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

/// When this program was built, in seconds since 1970. The build script says it.
const BUILT: u64 = match u64::from_str_radix(env!("EDGEHOLD_BUILD_TIME"), 10) {
    Ok(seconds) => seconds,
    Err(_) => 0,
};

/// A clock that is never earlier than it can be. All providers share one. Times are whole seconds
/// since 1970.
pub struct Clock {
    system: fn() -> u64,
    floor: AtomicU64,
    good: AtomicU64,
}

impl Clock {
    /// The system's clock, and the time of the build as its floor.
    pub fn new() -> Self {
        Self::reading(system_seconds)
    }

    fn reading(system: fn() -> u64) -> Self {
        Self { system, floor: AtomicU64::new(BUILT), good: AtomicU64::new(0) }
    }

    /// What the system's clock says.
    pub fn system(&self) -> u64 {
        (self.system)()
    }

    /// It cannot be earlier than this.
    pub fn floor(&self) -> u64 {
        self.floor.load(Ordering::Relaxed)
    }

    /// The time by which certificates are judged.
    pub fn now(&self) -> u64 {
        self.system().max(self.floor())
    }

    /// Somebody remembers that it has been this late. Never lowers the floor.
    pub fn raise(&self, unix_seconds: u64) {
        self.floor.fetch_max(unix_seconds, Ordering::Relaxed);
    }

    /// The system's time when a certificate was last found good by it: worth remembering, to
    /// `raise` the floor at the next start.
    pub fn good(&self) -> Option<u64> {
        Some(self.good.load(Ordering::Relaxed)).filter(|good| *good > 0)
    }

    /// A certificate was found good. Where the system's clock is behind the floor that says
    /// nothing of it.
    pub(super) fn proved(&self) {
        let system = self.system();
        if system >= self.floor() {
            self.good.store(system, Ordering::Relaxed);
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("floor", &self.floor()).finish_non_exhaustive()
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.now())))
    }
}

/// A clock from before 1970 counts as 1970.
fn system_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The end of 2099.
    const LATE: u64 = 4_102_444_799;

    fn judged_at(clock: &Clock) -> u64 {
        clock.current_time().unwrap().as_secs()
    }

    #[test]
    fn the_build_knows_its_time() {
        let clock = Clock::new();
        assert!(clock.floor() > 1_700_000_000, "{clock:?}");
        assert!(clock.floor() <= clock.system(), "built in the future: {clock:?}");
    }

    #[test]
    fn a_clock_that_is_right_is_believed() {
        let clock = Clock::reading(|| LATE);
        assert_eq!((judged_at(&clock), clock.floor(), clock.good()), (LATE, BUILT, None));
        clock.proved();
        assert_eq!(clock.good(), Some(LATE));
        assert_eq!(clock.floor(), BUILT, "only who remembers raises it");
    }

    #[test]
    fn a_box_in_1970_judges_by_the_floor() {
        let clock = Clock::reading(|| 60);
        assert_eq!((clock.system(), judged_at(&clock)), (60, BUILT));
        clock.raise(BUILT + 1000);
        clock.raise(BUILT + 10);
        clock.raise(0);
        assert_eq!((clock.floor(), judged_at(&clock)), (BUILT + 1000, BUILT + 1000));
        clock.proved();
        assert_eq!(clock.good(), None, "1970 is not what the certificate was good by");
    }
}
