//! What is known of every target and of the way to every provider.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use crate::config::{Config, Place, ProviderName, Routing, Target};
use crate::router::breaker::{Breaker, Passage};
use crate::router::link::{Link, LinkFault};

/// Longest pause for a target that asks to wait without saying how long.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Pause for a target whose provider refused the key or wants money: nothing changes by itself.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);

/// Most targets that something is kept of. Aliases name far fewer; a client that asks for
/// `provider/anything` must not fill the memory.
const MOST_TARGETS: usize = 256;

/// How an attempt ended, as far as the target's health goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The target failed: an error of its own, silence, a broken answer.
    Fault(String),
    /// The target asks to wait.
    Limited {
        /// For how long, where it says.
        wait: Option<Duration>,
        /// In which words.
        why: String,
    },
    /// The provider cannot be reached. Says nothing of the target.
    Link(LinkFault, String),
    /// Nothing was learned: the client left, or the request was not for this target.
    Neutral,
    /// The provider refused the key, or wants money.
    Refused(String),
    /// The target answered.
    Success,
}

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

/// What attempts and probes have found so far.
#[derive(Debug, Clone)]
pub struct Health {
    rules: Routing,
    links: BTreeMap<ProviderName, (Place, Link)>,
    targets: BTreeMap<Target, TargetHealth>,
}

#[derive(Debug, Clone)]
struct TargetHealth {
    breaker: Breaker,
    pause: Option<Pause>,
    pauses: u32,
    last_fault: String,
    changed: Instant,
}

#[derive(Debug, Clone)]
struct Pause {
    until: Instant,
    why: String,
}

/// Why a target is not to be tried now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Obstacle {
    Link(LinkFault, Duration),
    Open(Duration, String),
    Pause(Duration, String),
}

impl Health {
    /// Nothing is known yet.
    pub fn new(config: &Config) -> Self {
        let links = config
            .providers
            .iter()
            .map(|(name, provider)| (name.clone(), (provider.place, Link::Unknown)));
        Self { rules: config.routing.clone(), links: links.collect(), targets: BTreeMap::new() }
    }

    /// What is still true under another configuration: what is known of providers whose address
    /// is the same cannot be told from here, so links begin anew and targets keep their breakers.
    /// Attempts that are under way tell the old one how they end, so no trial is awaited here.
    pub fn carry_over(&self, config: &Config) -> Self {
        let mut next = Self::new(config);
        let kept =
            self.targets.iter().filter(|(it, _)| config.providers.contains_key(&it.provider));
        next.targets = kept.map(|(target, known)| (target.clone(), known.clone())).collect();
        for known in next.targets.values_mut() {
            known.breaker.undecided();
        }
        next
    }

    /// An attempt at a target begins.
    pub fn begin(&mut self, target: &Target, now: Instant) {
        if let Some(known) = self.targets.get_mut(target) {
            known.breaker.begin(&self.rules, now);
        }
    }

    /// An attempt at a target ended.
    pub fn record(&mut self, target: &Target, outcome: Outcome, now: Instant) {
        match outcome {
            Outcome::Link(fault, why) => {
                self.probed(&target.provider, Err((fault, why)), now);
                self.change(target, |known, _| known.breaker.undecided());
            }
            Outcome::Neutral => self.change(target, |known, _| known.breaker.undecided()),
            Outcome::Success => {
                self.probed(&target.provider, Ok(()), now);
                // A target with nothing against it needs no entry.
                self.targets.remove(target);
            }
            Outcome::Fault(why) => {
                self.probed(&target.provider, Ok(()), now);
                self.change_or_add(target, now, |known, rules| {
                    known.breaker.failed(rules, now);
                    known.last_fault = why;
                });
            }
            Outcome::Limited { wait, why } => {
                self.probed(&target.provider, Ok(()), now);
                self.change_or_add(target, now, |known, _| known.pause_for(wait, why, now));
            }
            Outcome::Refused(why) => {
                self.change_or_add(target, now, |known, _| {
                    known.pause_for(Some(REFUSED_PAUSE), why, now);
                });
            }
        }
    }

    /// A probe of a provider, or the first sign of an answer, says how the way to it is.
    pub fn probed(
        &mut self,
        provider: &ProviderName,
        found: Result<(), (LinkFault, String)>,
        now: Instant,
    ) {
        let Some((place, link)) = self.links.get_mut(provider) else { return };
        *link = match found {
            Ok(()) => Link::Up,
            Err((fault, why)) => link.failed(fault, why, *place, now),
        };
    }

    /// Providers that cannot be reached, or were never tried, each with when to probe it.
    pub fn next_probes(&self, now: Instant) -> Vec<(ProviderName, Instant)> {
        let due = self.links.iter().filter_map(|(name, (_, link))| match link {
            Link::Up => None,
            Link::Unknown => Some((name.clone(), now)),
            Link::Down(down) => Some((name.clone(), down.retry_at)),
        });
        due.collect()
    }

    fn change(&mut self, target: &Target, work: impl FnOnce(&mut TargetHealth, &Routing)) {
        if let Some(known) = self.targets.get_mut(target) {
            work(known, &self.rules);
        }
    }

    fn change_or_add(
        &mut self,
        target: &Target,
        now: Instant,
        work: impl FnOnce(&mut TargetHealth, &Routing),
    ) {
        if !self.targets.contains_key(target) && self.targets.len() >= MOST_TARGETS {
            self.forget_oldest();
        }
        let known = self.targets.entry(target.clone()).or_insert_with(|| TargetHealth::new(now));
        known.changed = now;
        work(known, &self.rules);
    }

    fn forget_oldest(&mut self) {
        let oldest = self.targets.iter().min_by_key(|(_, known)| known.changed);
        if let Some(target) = oldest.map(|(target, _)| target.clone()) {
            self.targets.remove(&target);
        }
    }

    /// What stands in the way of an attempt now.
    pub(super) fn obstacle(&self, target: &Target, now: Instant) -> Option<Obstacle> {
        let link = self.links.get(&target.provider).and_then(|(_, link)| link.down());
        if let Some(down) = link.filter(|down| now < down.retry_at) {
            return Some(Obstacle::Link(down.fault, down.retry_at - now));
        }
        let known = self.targets.get(target)?;
        if let Some(pause) = known.pause.as_ref().filter(|pause| now < pause.until) {
            return Some(Obstacle::Pause(pause.until - now, pause.why.clone()));
        }
        match known.breaker.passage(&self.rules, now) {
            Passage::Closed | Passage::HalfOpen => None,
            Passage::Open(left) => Some(Obstacle::Open(left, known.last_fault.clone())),
        }
    }

    /// How everything stands, for people.
    pub fn snapshot(&self, config: &Config, now: Instant) -> Snapshot {
        let mut targets: Vec<&Target> = self.targets.keys().collect();
        targets.extend(config.models.values().flat_map(|alias| alias.targets.iter()));
        targets.sort();
        targets.dedup();
        Snapshot {
            connectivity: self.connectivity(),
            providers: config.providers.keys().map(|name| self.provider_state(name, now)).collect(),
            targets: targets.into_iter().map(|target| self.target_state(target, now)).collect(),
        }
    }

    fn connectivity(&self) -> Connectivity {
        let cloud = || {
            self.links.values().filter(|(place, _)| *place == Place::Cloud).map(|(_, link)| link)
        };
        let captive =
            |link: &Link| link.down().is_some_and(|down| down.fault == LinkFault::Captive);
        if cloud().any(|link| *link == Link::Up) {
            Connectivity::Online
        } else if cloud().any(captive) {
            Connectivity::Captive
        } else if cloud().next().is_some() && cloud().all(|link| link.down().is_some()) {
            Connectivity::Offline
        } else {
            Connectivity::Unknown
        }
    }

    fn provider_state(&self, name: &ProviderName, now: Instant) -> ProviderState {
        let link = self.links.get(name).map(|(_, link)| link);
        let (reach, why, retry_in) = match link {
            None | Some(Link::Unknown) => ("unknown", None, None),
            Some(Link::Up) => ("up", None, None),
            Some(Link::Down(down)) => (
                if down.fault == LinkFault::Captive { "captive" } else { "down" },
                Some(format!("{}: {}", down.fault, down.why)),
                Some(down.retry_at.saturating_duration_since(now)),
            ),
        };
        ProviderState { name: name.clone(), reach, why, retry_in }
    }

    fn target_state(&self, target: &Target, now: Instant) -> TargetState {
        let half_open = self
            .targets
            .get(target)
            .is_some_and(|it| it.breaker.passage(&self.rules, now) == Passage::HalfOpen);
        let (state, why, retry_in) = match self.obstacle(target, now) {
            None if half_open => ("half-open", None, None),
            None => ("ready", None, None),
            Some(Obstacle::Link(fault, wait)) => ("down", Some(fault.to_string()), Some(wait)),
            Some(Obstacle::Open(wait, why)) => ("open", Some(why), Some(wait)),
            Some(Obstacle::Pause(wait, why)) => ("cooling", Some(why), Some(wait)),
        };
        TargetState { target: target.clone(), state, why, retry_in }
    }
}

impl TargetHealth {
    fn new(now: Instant) -> Self {
        let (breaker, last_fault) = (Breaker::default(), String::new());
        Self { breaker, pause: None, pauses: 0, last_fault, changed: now }
    }

    /// Waits that are not named double with each in a row.
    fn pause_for(&mut self, wait: Option<Duration>, why: String, now: Instant) {
        let guess = Duration::from_secs(1).saturating_mul(1 << self.pauses.min(8));
        self.pauses = self.pauses.saturating_add(1);
        let until = now + wait.unwrap_or_else(|| guess.min(LONGEST_PAUSE));
        self.pause = Some(Pause { until, why });
        self.breaker.undecided();
    }
}

/// How everything stands at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The way to the cloud.
    pub connectivity: Connectivity,
    /// Every configured provider, by name.
    pub providers: Vec<ProviderState>,
    /// Every target that an alias names or that something is known of, by name.
    pub targets: Vec<TargetState>,
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

/// How a target stands.
#[derive(Debug, Clone)]
pub struct TargetState {
    /// The target.
    pub target: Target,
    /// `ready`, `down`, `open`, `half-open` or `cooling`.
    pub state: &'static str,
    /// What is wrong.
    pub why: Option<String>,
    /// When it is tried again.
    pub retry_in: Option<Duration>,
}
