//! What is known of every target and of the way to every provider.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::config::{Config, ProviderName, Routing, Target};
use crate::router::breaker::{Breaker, Passage};
use crate::router::link::LinkFault;
use crate::router::links::{Connectivity, Links, ProviderState};

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

/// What attempts and probes have found so far.
#[derive(Debug, Clone)]
pub struct Health {
    rules: Routing,
    links: Links,
    targets: BTreeMap<Target, TargetHealth>,
    changes: Changes,
    /// The last connectivity that was told as news.
    told: Connectivity,
}

/// What has changed and was not told yet, to those who wait for it.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// A link came up, or went down once more: another one may be due first.
    pub links: bool,
    /// This provider can be reached again, or for the first time.
    pub came_up: Option<ProviderName>,
    /// Something that stood in a target's way may have gone.
    pub returned: bool,
    /// The way to the cloud is in another state, for this reason.
    pub connectivity: Option<(Connectivity, String)>,
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
        Self {
            rules: config.routing.clone(),
            links: Links::new(config),
            targets: BTreeMap::new(),
            changes: Changes::default(),
            told: Connectivity::Unknown,
        }
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
        // Where the cloud is still there, a reload is no news.
        next.told = self.told;
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
                self.changes.returned |= self.targets.remove(target).is_some();
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
        let change = self.links.found(provider, found, now);
        self.changes.links |= change.any;
        if change.came_up {
            self.changes.came_up = Some(provider.clone());
            self.changes.returned = true;
        }
    }

    /// The network changed: what is known of the ways may be true no longer.
    pub fn network_changed(&mut self, now: Instant) {
        self.links.network_changed(now);
        self.changes.links = true;
    }

    /// What has changed since this was last asked.
    pub fn take_changes(&mut self) -> Changes {
        let mut changes = std::mem::take(&mut self.changes);
        if changes.links {
            let (now, why) = self.links.connectivity();
            // Unknown is where every configuration begins: no news.
            if now != self.told && now != Connectivity::Unknown {
                self.told = now;
                changes.connectivity = Some((now, why));
            }
        }
        changes
    }

    /// Providers that are worth a probe, each with when it is due.
    pub fn next_probes(&self, now: Instant) -> Vec<(ProviderName, Instant)> {
        self.links.next_probes(now)
    }

    /// A provider whose certificate is not valid now, if there is one.
    pub fn clock_fault(&self) -> Option<String> {
        self.links.clock_fault()
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
        if let Some(down) = self.links.down(&target.provider).filter(|down| now < down.retry_at) {
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
        let (connectivity, connectivity_why) = self.links.connectivity();
        Snapshot {
            connectivity,
            connectivity_why,
            providers: self.links.states(now),
            targets: targets.into_iter().map(|target| self.target_state(target, now)).collect(),
        }
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
    /// Which providers say so, and why.
    pub connectivity_why: String,
    /// Every configured provider, by name.
    pub providers: Vec<ProviderState>,
    /// Every target that an alias names or that something is known of, by name.
    pub targets: Vec<TargetState>,
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
