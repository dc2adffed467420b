//! The ways to all providers, what they say together of the way to the cloud, and when each is
//! worth a probe.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use crate::config::{Config, Place, ProviderName};
use crate::router::link::{Down, Link, LinkFault};

/// How long a link that is up is left alone once a change of the network had it probed. Some
/// networks announce themselves again and again, and a probe that tells nothing new costs bytes
/// that somebody may pay for.
const REST_OF_UP: Duration = Duration::from_secs(10);

/// The way to the cloud as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connectivity {
    /// A captive portal answers in the providers' place.
    Captive,
    /// No cloud provider can be reached.
    Offline,
    /// At least one can.
    Online,
    /// None has been tried, or none is configured.
    Unknown,
}

impl fmt::Display for Connectivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Captive => "captive",
            Self::Offline => "offline",
            Self::Online => "online",
            Self::Unknown => "unknown",
        })
    }
}

/// The ways to all providers, by their names.
#[derive(Debug, Clone)]
pub(super) struct Links(BTreeMap<ProviderName, Way>);

#[derive(Debug, Clone)]
struct Way {
    place: Place,
    link: Link,
    /// When it is to be probed although it is up: the network changed since.
    doubted: Option<Instant>,
    /// Until when it is left alone while it is up.
    rests: Option<Instant>,
}

/// What a finding changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// Anything at all.
    pub(super) any: bool,
    /// The link was not up, and is now.
    pub(super) came_up: bool,
}

impl Links {
    /// Nothing is known yet.
    pub(super) fn new(config: &Config) -> Self {
        let ways = config.providers.iter().map(|(name, provider)| {
            let way =
                Way { place: provider.place, link: Link::Unknown, doubted: None, rests: None };
            (name.clone(), way)
        });
        Self(ways.collect())
    }

    /// Somebody tried the way to a provider.
    pub(super) fn found(
        &mut self,
        provider: &ProviderName,
        found: Result<(), (LinkFault, String)>,
        now: Instant,
    ) -> Change {
        let Some(way) = self.0.get_mut(provider) else { return Change::default() };
        let was_up = way.link == Link::Up;
        way.doubted = None;
        way.link = match found {
            Ok(()) => Link::Up,
            Err((fault, why)) => way.link.failed(fault, why, way.place, now),
        };
        let is_up = way.link == Link::Up;
        Change { any: !(was_up && is_up), came_up: is_up && !was_up }
    }

    /// The network changed. What was down may be there again, so it is worth asking at once; what
    /// was up may have gone.
    pub(super) fn network_changed(&mut self, now: Instant) {
        for way in self.0.values_mut() {
            match &mut way.link {
                Link::Unknown => {}
                Link::Down(down) => down.ask_anew(now),
                Link::Up => {
                    let at = way.rests.map_or(now, |rests| rests.max(now));
                    let at = *way.doubted.get_or_insert(at);
                    way.rests = Some(at + REST_OF_UP);
                }
            }
        }
    }

    /// Which are worth a probe, each with when it is due.
    pub(super) fn next_probes(&self, now: Instant) -> Vec<(ProviderName, Instant)> {
        let due = self.0.iter().filter_map(|(name, way)| {
            let at = match &way.link {
                Link::Unknown => now,
                Link::Down(down) => down.retry_at,
                Link::Up => way.doubted?,
            };
            Some((name.clone(), at))
        });
        due.collect()
    }

    pub(super) fn down(&self, provider: &ProviderName) -> Option<&Down> {
        self.0.get(provider)?.link.down()
    }

    /// What the ways to cloud providers say together, and which of them say so.
    pub(super) fn connectivity(&self) -> (Connectivity, String) {
        let cloud = || self.0.iter().filter(|(_, way)| way.place == Place::Cloud);
        let names = |wanted: &dyn Fn(&Link) -> bool| {
            let wanted = cloud().filter(|(_, way)| wanted(&way.link));
            wanted.map(|(name, _)| &**name).collect::<Vec<_>>().join(", ")
        };
        let is_captive =
            |link: &Link| link.down().is_some_and(|down| down.fault == LinkFault::Captive);
        let up = names(&|link| *link == Link::Up);
        if !up.is_empty() {
            return (Connectivity::Online, format!("reached: {up}"));
        }
        if cloud().any(|(_, way)| is_captive(&way.link)) {
            return (Connectivity::Captive, self.faults(&is_captive));
        }
        let untried = names(&|link| *link == Link::Unknown);
        if cloud().next().is_none() {
            (Connectivity::Unknown, "no cloud provider is configured".to_owned())
        } else if untried.is_empty() {
            (Connectivity::Offline, self.faults(&|_| true))
        } else {
            (Connectivity::Unknown, format!("not tried yet: {untried}"))
        }
    }

    /// Cloud providers that are down, each with its fault. The details are in their own entries.
    fn faults(&self, wanted: &dyn Fn(&Link) -> bool) -> String {
        let cloud = self.0.iter().filter(|(_, way)| way.place == Place::Cloud && wanted(&way.link));
        let faults = cloud.filter_map(|(name, way)| {
            way.link.down().map(|down| format!("{name}: {}", down.fault))
        });
        faults.collect::<Vec<_>>().join("; ")
    }

    /// The first provider whose certificate is not valid now, with the reason.
    pub(super) fn clock_fault(&self) -> Option<String> {
        self.0.iter().find_map(|(name, way)| {
            let down = way.link.down().filter(|down| down.fault == LinkFault::Clock)?;
            Some(format!("{name}: {}", down.why))
        })
    }

    /// How each stands, for people.
    pub(super) fn states(&self, now: Instant) -> Vec<ProviderState> {
        self.0.iter().map(|(name, way)| state(name, &way.link, now)).collect()
    }
}

fn state(name: &ProviderName, link: &Link, now: Instant) -> ProviderState {
    let (reach, why, retry_in) = match link {
        Link::Unknown => ("unknown", None, None),
        Link::Up => ("up", None, None),
        Link::Down(down) => (
            if down.fault == LinkFault::Captive { "captive" } else { "down" },
            Some(format!("{}: {}", down.fault, down.why)),
            Some(down.retry_at.saturating_duration_since(now)),
        ),
    };
    ProviderState { name: name.clone(), reach, why, retry_in }
}

/// How the way to a provider stands.
#[derive(Debug, Clone)]
pub struct ProviderState {
    /// The provider.
    pub name: ProviderName,
    /// `up`, `down`, `captive` or `unknown`.
    pub reach: &'static str,
    /// What is wrong.
    pub why: Option<String>,
    /// When it is tried again.
    pub retry_in: Option<Duration>,
}
