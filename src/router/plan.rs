//! Which of a route's targets are tried, in their order, and why the others are not.

use std::fmt;
use std::time::{Duration, Instant};

use crate::chat::Need;
use crate::config::{Config, Conflict, Locality, Place, ProviderKind, ProviderName, Target};
use crate::router::health::{Health, Obstacle};
use crate::router::link::LinkFault;
use crate::router::resolve::Route;

/// What is to be done with each target of a route.
#[derive(Debug, Clone)]
pub struct Plan {
    /// In order of preference.
    pub steps: Vec<Step>,
    /// Whether those that are tried are so against what is known of the ways to them.
    pub is_last_resort: bool,
}

/// What is to be done with one target.
#[derive(Debug, Clone)]
pub struct Step {
    /// The target.
    pub target: Target,
    /// Whether it is tried.
    pub verdict: Verdict,
}

/// Whether a target is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is passed over.
    Skip(Reason),
    /// It is tried when its turn comes.
    Take,
}

/// Why a target is passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It failed too often.
    BreakerOpen {
        /// When one trial is let through.
        retry_in: Duration,
        /// Its last failure.
        why: String,
    },
    /// It asked to wait.
    Cooling {
        /// For how long still.
        retry_in: Duration,
        /// In which words.
        why: String,
    },
    /// Its provider cannot be reached.
    Link {
        /// The provider.
        provider: ProviderName,
        /// Why not.
        fault: LinkFault,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// It cannot do what the request needs.
    Lacks(Need),
    /// It is not where the request may be served.
    Locality(Locality),
    /// The request, its client or its alias contradict each other.
    LocalityConflict,
    /// It is at a local Ollama that runs it in a cloud, and the request must stay local.
    RemoteModel,
}

impl Reason {
    fn retry_in(&self) -> Option<Duration> {
        match self {
            Self::BreakerOpen { retry_in, .. }
            | Self::Cooling { retry_in, .. }
            | Self::Link { retry_in, .. } => Some(*retry_in),
            Self::Lacks(_) | Self::Locality(_) | Self::LocalityConflict | Self::RemoteModel => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BreakerOpen { retry_in, why } => {
                write!(f, "failed too often ({why}); next try in {}", seconds(*retry_in))
            }
            Self::Cooling { retry_in, why } => {
                write!(f, "paused ({why}); next try in {}", seconds(*retry_in))
            }
            Self::Link { provider, fault, retry_in } => write!(
                f,
                "provider {provider} cannot be reached ({fault}); next try in {}",
                seconds(*retry_in)
            ),
            Self::Lacks(need) => write!(f, "it cannot do {need}"),
            Self::Locality(wanted) => write!(f, "the request must be served {wanted}"),
            Self::LocalityConflict => f.write_str("local and cloud are both demanded"),
            Self::RemoteModel => {
                f.write_str("it runs in a cloud, and the request must be served local")
            }
        }
    }
}

fn seconds(wait: Duration) -> String {
    format!("{:.1} s", wait.as_secs_f64())
}

/// What is known of targets beyond their configuration.
pub struct Known<'a> {
    /// Whether a target's provider is known to run it elsewhere.
    pub remote: &'a dyn Fn(&Target) -> bool,
    /// What the request needs and a target cannot do.
    pub lacks: &'a dyn Fn(&Target) -> Option<Need>,
}

impl fmt::Debug for Known<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").finish_non_exhaustive()
    }
}

/// Plans the targets of a route.
pub fn plan(
    route: &Route,
    locality: Result<Locality, Conflict>,
    config: &Config,
    health: &Health,
    known: &Known<'_>,
    now: Instant,
) -> Plan {
    let step = |target: &Target| {
        let admitted = not_admitted(target, locality, config, known.remote);
        let lacks = || (known.lacks)(target).map(Reason::Lacks);
        let verdict = match admitted.or_else(lacks) {
            Some(reason) => Verdict::Skip(reason),
            None => match health.obstacle(target, now) {
                None => Verdict::Take,
                Some(obstacle) => Verdict::Skip(reason(target, obstacle)),
            },
        };
        Step { target: target.clone(), verdict }
    };
    let mut steps: Vec<Step> = route.targets.iter().map(step).collect();
    // Last resort: a belief about a link may be stale, and must not refuse work on its own.
    let mut is_last_resort = false;
    if !steps.iter().any(|step| step.verdict == Verdict::Take) {
        for step in &mut steps {
            if matches!(step.verdict, Verdict::Skip(Reason::Link { .. })) {
                step.verdict = Verdict::Take;
                is_last_resort = true;
            }
        }
    }
    Plan { steps, is_last_resort }
}

fn not_admitted(
    target: &Target,
    locality: Result<Locality, Conflict>,
    config: &Config,
    remote: &dyn Fn(&Target) -> bool,
) -> Option<Reason> {
    let Ok(locality) = locality else { return Some(Reason::LocalityConflict) };
    let Some(provider) = config.providers.get(&target.provider) else {
        // What edgehold does itself never leaves the device.
        return (!locality.admits(Place::Local)).then_some(Reason::Locality(locality));
    };
    let runs_elsewhere = remote(target) || is_remote_by_name(target, provider.kind);
    match (provider.place, runs_elsewhere) {
        (Place::Local, true) if locality == Locality::Local => Some(Reason::RemoteModel),
        (Place::Local, true) => None,
        (place, _) if locality.admits(place) => None,
        _ => Some(Reason::Locality(locality)),
    }
}

/// Ollama's own marks for models that it runs in its cloud.
fn is_remote_by_name(target: &Target, kind: ProviderKind) -> bool {
    let name = &target.model;
    kind == ProviderKind::Ollama && (name.ends_with(":cloud") || name.ends_with("-cloud"))
}

fn reason(target: &Target, obstacle: Obstacle) -> Reason {
    match obstacle {
        Obstacle::Link(fault, retry_in) => {
            Reason::Link { provider: target.provider.clone(), fault, retry_in }
        }
        Obstacle::Open(retry_in, why) => Reason::BreakerOpen { retry_in, why },
        Obstacle::Pause(retry_in, why) => Reason::Cooling { retry_in, why },
    }
}

impl Plan {
    /// The targets that are tried, in order.
    pub fn takes(&self) -> impl Iterator<Item = &Target> {
        let taken = self.steps.iter().filter(|step| step.verdict == Verdict::Take);
        taken.map(|step| &step.target)
    }

    /// The shortest wait after which a target that is passed over may be tried.
    pub fn retry_after(&self) -> Option<Duration> {
        let waits = self.steps.iter().filter_map(|step| match &step.verdict {
            Verdict::Take => None,
            Verdict::Skip(reason) => reason.retry_in(),
        });
        waits.min()
    }
}
