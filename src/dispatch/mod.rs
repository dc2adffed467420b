//! One request's life: resolve, plan, attempt, retry, fall back.
//!
//! Rules that hold here:
//! - Another target is tried silently only until the first token has gone out to the client.
//! - The next target is tried at once; a wait (Retry-After, backoff) comes only when every
//!   target has been tried, and only within the request's time.
//! - Each attempt tells the target's health how it went, also when the client left half way.

mod about;
mod allowance;
mod answer;
mod chat;
mod count;
mod cut;
mod embed;
mod makers;
mod memory;
mod probe;
mod refusal;
mod retry;
mod stream;
mod trial;
mod whole;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::budget::Budget;
use crate::chat::{Error, Kind, Need};
use crate::config::{Config, Conflict, Locality, Place, Target};
use crate::dispatch::probe::News;
use crate::dispatch::retry::Backoff;
use crate::dispatch::trial::Trial;
use crate::provider::{Call, Failure, Next, Providers, Upstream};
use crate::router::{self, Health, Known, Listings, Plan, Resolution, Route, Snapshot};
use crate::telemetry::Metrics;

pub use crate::provider::{About, Room};
pub use about::Said;
pub use allowance::Allowance;
pub use answer::{Answer, AnswerBody, EmbedAnswer, EmbedBody, Trail};
pub use chat::{ChatJob, Sent};
pub use count::{CountJob, Counted};
pub use embed::EmbedJob;
pub use makers::Makers;
pub use memory::budget_error;
pub use probe::ClockState;
pub use refusal::Refusal;
pub use stream::AnswerStream;

/// Everything that serves requests under one configuration. A reload makes a new one; requests
/// that run keep the old one until they end.
#[derive(Debug)]
pub struct Dispatch {
    config: Arc<Config>,
    providers: Providers,
    health: Mutex<Health>,
    news: News,
    metrics: Arc<Metrics>,
    budget: Arc<Budget>,
}

/// What the client wishes besides the request itself.
#[derive(Debug)]
pub struct Wishes {
    /// Where the request may be served, as its header and its client's entry say together.
    pub locality: Result<Locality, Conflict>,
    /// When its time is over.
    pub end: Instant,
    /// For a job: the calls that may be made for it. Whoever waits for an answer goes before it.
    pub job: Option<Arc<Allowance>>,
    /// For a job that is done in two steps: the targets that this one is for.
    pub only: Only,
}

/// Which of a route's targets a request is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Only {
    /// All of them.
    #[default]
    All,
    /// In place of them those whose answers are worth waiting for, up to and without this one.
    Better(Target),
}

/// Whether a request would find a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// One can be tried.
    Open,
    /// None can, for at least this long, or until something changes.
    Shut(Option<Duration>),
}

impl Dispatch {
    /// Puts the parts together. `before` is what was known of the same targets until now.
    pub fn new(
        config: Arc<Config>,
        providers: Providers,
        before: Option<&Self>,
        metrics: Arc<Metrics>,
        budget: Arc<Budget>,
    ) -> Arc<Self> {
        let health = match before {
            Some(before) => Health::carry_over(&before.health(), &config),
            None => Health::new(&config),
        };
        let news = before.map_or_else(News::default, |before| before.news.carry_over());
        Arc::new(Self { config, providers, health: Mutex::new(health), news, metrics, budget })
    }

    /// The configuration that it serves.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The memory there is to give out.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Counters and histograms.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// How every target and provider stands.
    pub fn snapshot(&self) -> Snapshot {
        self.health().snapshot(&self.config, Instant::now().into_std())
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves a model name, asking local providers for their lists where that decides.
    ///
    /// # Errors
    /// `ModelNotFound` with the names that exist, or `Unavailable` where a local provider that
    /// might have the model cannot be asked.
    pub async fn resolve(&self, name: &str) -> Result<Route, Error> {
        if let Resolution::Route(route) = self.resolve_now(name) {
            return Ok(route);
        }
        self.refresh_listings(true).await;
        match self.resolve_now(name) {
            Resolution::Route(route) => Ok(route),
            Resolution::Unknown { known } => Err(unknown_model(name, &known)),
            Resolution::Undecided { provider } => Err(Error::new(
                Kind::Unavailable,
                format!("no alias is called {name:?}, and provider {provider} cannot be asked for its models now"),
            )
            .retry_after(Duration::from_secs(5))),
        }
    }

    fn resolve_now(&self, name: &str) -> Resolution {
        router::resolve(name, &self.config, || self.listings())
    }

    /// What local providers list, by provider.
    pub fn listings(&self) -> Listings {
        let local = self.providers.iter().filter(|it| it.config().place == Place::Local);
        local
            .map(|upstream| (Arc::clone(&upstream.config().name), upstream.listed()))
            .collect::<BTreeMap<_, _>>()
            .into()
    }

    /// Asks local providers for their lists where the last ones are too old.
    pub async fn refresh_listings(&self, missed: bool) {
        for upstream in self.providers.iter() {
            if upstream.config().place == Place::Local {
                upstream.refresh_listing(missed).await;
            }
        }
    }

    /// Which targets would be taken now for a route, and why the others not, for a request that
    /// needs nothing in particular.
    pub fn plan(&self, route: &Route, locality: Result<Locality, Conflict>) -> Plan {
        self.plan_for(route, locality, &|target| self.no_model(target))
    }

    /// What edgehold does itself is no model, and answers summaries only.
    fn no_model(&self, target: &Target) -> Option<Need> {
        self.config.builtins.contains(&target.provider).then_some(Need::Model)
    }

    /// Whether a job for this name would find a target now. What is not known is tried.
    pub fn way(&self, name: &str, locality: Locality, only: &Only) -> Way {
        let Resolution::Route(route) = self.resolve_now(name) else { return Way::Open };
        let route = self.narrowed(route, only);
        self.way_of(&self.plan(&route, route.locality.strictest(locality)))
    }

    /// The same for a summary, for which an extract will do.
    pub fn way_of_summary(&self, name: &str, locality: Locality, only: &Only) -> Way {
        let Resolution::Route(route) = self.resolve_now(name) else { return Way::Open };
        let route = self.narrowed(route, only);
        let locality = route.locality.strictest(locality);
        self.way_of(&self.plan_for(&route, locality, &|_| None))
    }

    fn way_of(&self, plan: &Plan) -> Way {
        // A client that waits is given the last resort. A job can wait for the probe.
        if plan.is_last_resort {
            return Way::Shut(plan.retry_after());
        }
        match (plan.takes().next(), plan.retry_after()) {
            (None, Some(wait)) => Way::Shut(Some(wait)),
            // With no target that waiting could bring, trying says what is wrong.
            (Some(_), _) | (None, None) => Way::Open,
        }
    }

    /// Where a route's targets may serve a request, whatever stands in their way now.
    ///
    /// # Errors
    /// What its client, its alias and its headers say of its place contradicts itself.
    pub fn may_serve(&self, route: &Route, wishes: &Wishes) -> Result<Locality, Error> {
        allowed(route, wishes)
    }

    /// The targets that a job is for.
    fn narrowed(&self, route: Route, only: &Only) -> Route {
        match only {
            Only::All => route,
            Only::Better(than) => Route { targets: route.better_than(than), ..route },
        }
    }

    /// Whether a target may answer, now or later, whose answer is worth more than this one's.
    pub fn has_better(&self, name: &str, locality: Locality, than: &Target) -> bool {
        let Resolution::Route(route) = self.resolve_now(name) else { return false };
        let locality = route.locality.strictest(locality);
        let plan = self.plan(&self.narrowed(route, &Only::Better(than.clone())), locality);
        plan.takes().next().is_some() || plan.retry_after().is_some()
    }

    fn plan_for(
        &self,
        route: &Route,
        locality: Result<Locality, Conflict>,
        lacks: &dyn Fn(&Target) -> Option<Need>,
    ) -> Plan {
        let remote = |target: &Target| self.is_remote(target);
        let known = Known { remote: &remote, lacks };
        let health = self.health();
        router::plan(route, locality, &self.config, &health, &known, Instant::now().into_std())
    }

    /// Whether a target is served beyond the device and its LAN.
    fn is_remote(&self, target: &Target) -> bool {
        self.providers
            .get(&target.provider)
            .is_some_and(|upstream| upstream.is_remote(&target.model))
    }

    /// Tries the route's targets until one answers.
    async fn run<O: Operation>(
        self: &Arc<Self>,
        route: &Route,
        wishes: &Wishes,
        operation: &O,
    ) -> Result<O::Output, Refusal> {
        let locality = allowed(route, wishes).map_err(Refusal::untried)?;
        let narrowed;
        let route = match &wishes.only {
            Only::All => route,
            only @ Only::Better(_) => {
                narrowed = self.narrowed(route.clone(), only);
                &narrowed
            }
        };
        let lacks = |target: &Target| {
            let lacks = |upstream| operation.lacks(upstream, &target.model);
            self.no_model(target).or_else(|| lacks(self.providers.get(&target.provider)?))
        };
        let plan = self.plan_for(route, Ok(locality), &lacks);
        let job = wishes.job.clone();
        let mut course = Course { locality, end: wishes.end, attempts: 0, job };
        let mut failed = refusal::Failed::new(&plan);
        let mut targets = plan.takes().peekable();
        while let Some(target) = targets.next() {
            if course.is_spent() {
                break;
            }
            let next = targets.peek();
            match self.try_target(operation, target, next.is_some(), &mut course).await {
                Ok(output) => return Ok(output),
                Err(failure) if failure.next == Next::Nothing || operation.takes(&failure) => {
                    return Err(Refusal::tried(failure.error, course.attempts));
                }
                Err(failure) => failed.add(target, failure),
            }
            if let Some(next) = next {
                self.metrics.fallback(target.name(), next.name());
                tracing::debug!(from = %target, to = %next, "falling back");
            }
        }
        Box::pin(self.retry(operation, failed, course)).await
    }

    /// Every target has been tried: waits for those that asked to wait, while there is time.
    async fn retry<O: Operation>(
        self: &Arc<Self>,
        operation: &O,
        mut failed: refusal::Failed,
        mut course: Course,
    ) -> Result<O::Output, Refusal> {
        if course.job.is_some() {
            // A job waits in the queue, where its wait survives the service.
            return Err(failed.into_refusal(course.attempts));
        }
        let mut backoff = Backoff::new();
        for _ in 0..self.config.routing.retries {
            let Some((target, least)) = failed.soonest() else { break };
            let wait = backoff.next(least);
            let wakes = Instant::now() + wait;
            if wait > self.config.routing.max_wait || wakes >= course.end {
                break;
            }
            tokio::time::sleep_until(wakes).await;
            self.metrics.retry(target.name());
            match self.try_target(operation, &target, false, &mut course).await {
                Ok(output) => return Ok(output),
                Err(failure) if failure.next == Next::Nothing => {
                    return Err(Refusal::tried(failure.error, course.attempts));
                }
                Err(failure) => failed.add(&target, failure),
            }
        }
        Err(failed.into_refusal(course.attempts))
    }

    /// One attempt at one target; one more if only a stale connection stood in its way.
    async fn try_target<O: Operation>(
        self: &Arc<Self>,
        operation: &O,
        target: &Target,
        has_next: bool,
        course: &mut Course,
    ) -> Result<O::Output, Failure> {
        let failure = match self.attempt(operation, target, has_next, course).await {
            Err(failure)
                if failure.next == Next::SameTargetNow
                    && !course.is_spent()
                    && !operation.takes(&failure) =>
            {
                self.attempt(operation, target, has_next, course).await
            }
            other => other,
        };
        failure.map_err(|mut failure| {
            if failure.next == Next::SameTargetNow {
                failure.next = Next::OtherTarget;
            }
            failure
        })
    }

    async fn attempt<O: Operation>(
        self: &Arc<Self>,
        operation: &O,
        target: &Target,
        has_next: bool,
        course: &mut Course,
    ) -> Result<O::Output, Failure> {
        course.attempts += 1;
        let trial = Trial::begin(Arc::clone(self), target.clone(), O::NAME);
        let patience = self
            .providers
            .get(&target.provider)
            .filter(|_| has_next)
            .map(|upstream| upstream.config().patience);
        let step = Step { target, patience, course };
        let result = operation.attempt(step, trial).await;
        if result.as_ref().map_or_else(Failure::was_asked, |_| true) {
            course.spend(1);
        }
        if let Err(failure) = &result {
            tracing::debug!(%target, error = failure.error.for_log(), "attempt failed");
        }
        result
    }
}

/// The strictest of what route and client say.
fn allowed(route: &Route, wishes: &Wishes) -> Result<Locality, Error> {
    route.locality.strictest(wished(wishes)?).map_err(contradiction)
}

/// Where a request may be served as far as its client says.
///
/// # Errors
/// What its client's entry and its headers say contradicts itself.
pub fn wished(wishes: &Wishes) -> Result<Locality, Error> {
    wishes.locality.map_err(contradiction)
}

fn contradiction(_: Conflict) -> Error {
    Error::invalid(
        "the request, its client's entry or its alias says local and another of them cloud: no target may serve it; see X-Edgehold-Locality and locality in the configuration",
    )
}

fn unknown_model(name: &str, known: &[String]) -> Error {
    let exist = match known {
        [] => "none is configured and no local provider lists one".to_owned(),
        names => format!("there are: {}", names.join(", ")),
    };
    let mut error = Error::new(Kind::ModelNotFound, format!("no model {name:?}; {exist}"));
    error.param = Some("model".to_owned());
    error
}

/// What a request's attempts have in common.
#[derive(Debug)]
pub(in crate::dispatch) struct Course {
    locality: Locality,
    end: Instant,
    attempts: u32,
    job: Option<Arc<Allowance>>,
}

impl Course {
    /// An upstream had so many calls more.
    fn spend(&self, calls: u32) {
        if let Some(job) = &self.job {
            job.spend(calls);
        }
    }

    /// Whether the call that is being made is the last.
    fn is_nearly_spent(&self) -> bool {
        self.job.as_ref().is_some_and(|job| job.left() <= 1)
    }

    fn is_spent(&self) -> bool {
        self.job.as_ref().is_some_and(|job| job.is_used_up())
    }
}

/// One attempt within a course.
pub(in crate::dispatch) struct Step<'a> {
    target: &'a Target,
    patience: Option<Duration>,
    course: &'a Course,
}

impl<'a> Step<'a> {
    /// What every attempt is given, for a prompt of so many tokens.
    pub(in crate::dispatch) fn call(&self, estimate: u32) -> Call<'a> {
        Call {
            target: self.target,
            estimate,
            request_end: self.course.end,
            patience: self.patience,
            locality: self.course.locality,
            goes_last: self.course.job.is_some(),
        }
    }
}

/// Something that a target is asked to do.
trait Operation: Sync {
    /// What comes of it.
    type Output: Send;

    /// Its name by OTel's `gen_ai.operation.name`.
    const NAME: &'static str;

    /// What it needs that a model of this provider cannot do.
    fn lacks(&self, upstream: &Upstream, model: &str) -> Option<Need>;

    /// Whether who asks has a use for this failure itself, so that nobody else is to be tried.
    fn takes(&self, _failure: &Failure) -> bool {
        false
    }

    /// Makes one attempt. The trial is told how it went.
    fn attempt(
        &self,
        step: Step<'_>,
        trial: Trial,
    ) -> impl Future<Output = Result<Self::Output, Failure>> + Send;
}
