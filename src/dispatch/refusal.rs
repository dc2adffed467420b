//! What the client is told when no target answered.

use std::time::Duration;

use crate::chat::{Error, Kind};
use crate::config::Target;
use crate::provider::{Failure, Next};
use crate::router::{Plan, Reason, Verdict};

/// The wait that a client is told where nothing says how long it will be.
const SOME_WAIT: Duration = Duration::from_secs(5);

/// No target answered.
#[derive(Debug)]
pub struct Refusal {
    /// Why.
    pub error: Error,
    /// How many calls were made for it.
    pub attempts: u32,
}

impl Refusal {
    /// No target was tried.
    pub fn untried(error: Error) -> Self {
        Self { error, attempts: 0 }
    }

    pub(super) fn tried(error: Error, attempts: u32) -> Self {
        Self { error, attempts }
    }
}

/// The targets that failed in one request, each with its last error.
#[derive(Debug)]
pub(super) struct Failed {
    tried: Vec<(Target, Failure)>,
    skipped: Vec<String>,
    /// Whether all that were skipped cannot do what was asked.
    unable: bool,
    retry_in: Option<Duration>,
}

impl Failed {
    pub(super) fn new(plan: &Plan) -> Self {
        let skipped = plan.steps.iter().filter_map(|step| match &step.verdict {
            Verdict::Take => None,
            Verdict::Skip(reason) => Some(format!("{}: {reason}", step.target)),
        });
        let unable = plan
            .steps
            .iter()
            .all(|step| matches!(step.verdict, Verdict::Take | Verdict::Skip(Reason::Lacks(_))));
        let skipped = skipped.collect();
        Self { tried: Vec::new(), skipped, unable, retry_in: plan.retry_after() }
    }

    pub(super) fn add(&mut self, target: &Target, failure: Failure) {
        self.tried.retain(|(tried, _)| tried != target);
        self.tried.push((target.clone(), failure));
    }

    /// The target that may be tried again soonest, and the least wait for it.
    pub(super) fn soonest(&self) -> Option<(Target, Duration)> {
        let again = self.tried.iter().filter_map(|(target, failure)| match failure.next {
            Next::SameTargetAfter(wait) => Some((target.clone(), wait)),
            Next::Nothing | Next::OtherTarget | Next::SameTargetNow => None,
        });
        again.min_by_key(|(_, wait)| *wait)
    }

    pub(super) fn into_refusal(mut self, attempts: u32) -> Refusal {
        let error = match (self.tried.len(), self.skipped.is_empty()) {
            (1, true) => self.tried.remove(0).1.error,
            _ => self.summary(),
        };
        Refusal { error: with_wait(error), attempts }
    }

    /// One error for several targets: the kind that they share, or else that none is available.
    fn summary(&self) -> Error {
        let unable = (self.unable && !self.skipped.is_empty()).then_some(Kind::Unsupported);
        let tried = self.tried.iter().map(|(_, failure)| failure.error.kind);
        let mut kinds = tried.chain(unable);
        let first = kinds.next().unwrap_or(Kind::Unavailable);
        let same = (self.unable || self.skipped.is_empty()) && kinds.all(|kind| kind == first);
        let kind = if same { first } else { Kind::Unavailable };
        let tried = self.tried.iter().map(|(_, failure)| failure.error.message.clone());
        let reasons: Vec<String> = tried.chain(self.skipped.iter().cloned()).collect();
        let mut error = Error::new(kind, format!("no target can answer: {}", reasons.join("; ")));
        let waits = self.tried.iter().filter_map(|(_, failure)| failure.error.retry_after);
        error.retry_after = waits.chain(self.retry_in).min();
        error
    }
}

fn with_wait(mut error: Error) -> Error {
    let waits = matches!(error.kind, Kind::Unavailable | Kind::RateLimited | Kind::Overloaded);
    if waits && error.retry_after.is_none() {
        error.retry_after = Some(SOME_WAIT);
    }
    error
}
