//! The way to one provider: can it be reached, and if not, when is it worth asking again.

use std::fmt;
use std::time::{Duration, Instant};

use crate::config::Place;

/// Why a provider cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkFault {
    /// A page, a redirect or a stranger's certificate came where an answer should be: a captive
    /// portal, most likely.
    Captive,
    /// The certificate is not valid at this time, or this device's clock is wrong.
    Clock,
    /// No connection came about in time.
    ConnectTimeout,
    /// The name could not be looked up.
    Dns,
    /// The proxy on the way failed.
    Proxy,
    /// Nobody listens there.
    Refused,
    /// The TLS handshake failed.
    Tls,
    /// There is no route, or it broke.
    Unreachable,
}

impl fmt::Display for LinkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Captive => "captive portal",
            Self::Clock => "certificate not valid now: is the clock right?",
            Self::ConnectTimeout => "connect timed out",
            Self::Dns => "name look-up failed",
            Self::Proxy => "proxy failed",
            Self::Refused => "connection refused",
            Self::Tls => "TLS failed",
            Self::Unreachable => "unreachable",
        })
    }
}

/// How the way to a provider stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Link {
    /// Never tried.
    #[default]
    Unknown,
    /// The last attempt or probe got through.
    Up,
    /// The last one did not.
    Down(Down),
}

/// A way that is down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Down {
    pub(super) fault: LinkFault,
    pub(super) why: String,
    pub(super) retry_at: Instant,
    /// Failures in a row, as far as they count for the wait.
    failures: u32,
}

impl Down {
    /// The network is another one: it is worth asking at once, and waits begin anew.
    pub(super) fn ask_anew(&mut self, now: Instant) {
        self.retry_at = now;
        self.failures = 0;
    }
}

impl Link {
    /// The link after one more failure. The wait doubles up to a limit that is short on the LAN,
    /// where asking costs nothing, and longer beyond it, where a look-up may take seconds.
    pub(super) fn failed(&self, fault: LinkFault, why: String, place: Place, now: Instant) -> Self {
        let failures = match self {
            Self::Down(down) => down.failures,
            Self::Unknown | Self::Up => 0,
        };
        let (first, longest) = match place {
            Place::Local => (Duration::from_millis(250), Duration::from_secs(2)),
            Place::Cloud => (Duration::from_secs(1), Duration::from_secs(30)),
        };
        let wait = first.saturating_mul(1 << failures.min(16)).min(longest);
        let failures = failures.saturating_add(1);
        Self::Down(Down { fault, why, retry_at: now + wait, failures })
    }

    pub(super) fn down(&self) -> Option<&Down> {
        match self {
            Self::Down(down) => Some(down),
            Self::Unknown | Self::Up => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_places_limit() {
        let now = Instant::now();
        let table = [
            (Place::Local, [250, 500, 1000, 2000, 2000, 2000, 2000]),
            (Place::Cloud, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]),
        ];
        for (place, waits) in table {
            let mut link = Link::Unknown;
            for want in waits {
                link = link.failed(LinkFault::Refused, String::new(), place, now);
                let wait = link.down().unwrap().retry_at - now;
                assert_eq!(wait, Duration::from_millis(want), "{place:?}");
            }
            let Link::Down(down) = &mut link else { panic!("it is down") };
            down.ask_anew(now);
            assert_eq!(down.retry_at, now, "{place:?}");
            link = link.failed(LinkFault::Refused, String::new(), place, now);
            assert_eq!(link.down().unwrap().retry_at - now, Duration::from_millis(waits[0]));
        }
    }
}
