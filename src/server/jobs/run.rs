//! Doing a job: the same path as for a client that waits, with nobody at its end.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Response};
use http_body::Body;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::chat::{Error, Kind};
use crate::config::{Locality, Target};
use crate::dialect::Door;
use crate::dispatch::{Allowance, Only, Way, Wishes, budget_error};
use crate::queue::{Answer, Ended, Lane, Lease, Opening, Run, Runner, Trouble};
use crate::server::body::{COPIES, Reply};
use crate::server::failed::Failed;
use crate::server::inference::Work;
use crate::server::jobs::lane::Wanted;
use crate::server::jobs::parcel::{AnswerHead, RequestHead, pack, unpack};
use crate::server::names::TARGET;
use crate::server::route::{self, Route};
use crate::server::summaries::{Head, Rerun, rerun};
use crate::server::{Asked, Current, Gateway, query, respond};

/// What of the grace is left to running jobs when the service stops: the rest is for their ends to
/// be stored.
const GRACE_SHARE: u32 = 2;

/// As good as without an end: a job has its own.
const NEVER: Duration = Duration::from_secs(366 * 86_400);

/// The longest that a lane stays shut when nothing says how long it will.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Does jobs.
pub struct Hands(pub Arc<Gateway>);

impl fmt::Debug for Hands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hands")
    }
}

impl Runner for Hands {
    fn opening(&self, lane: &Lane) -> Opening {
        let Some(wanted) = Wanted::of(lane) else { return Opening::Open };
        match wanted.way(&self.0.dispatch(), wanted.locality) {
            Way::Open => Opening::Open,
            Way::Shut(wait) => {
                Opening::Shut(wait.and_then(|wait| u64::try_from(wait.as_millis()).ok()))
            }
        }
    }

    async fn run(&self, lease: Lease) -> Run {
        let each = self.0.dispatch().config().queue.max_attempts;
        let allowance = Arc::new(Allowance::for_steps(lease.calls, each));
        let current = self.0.current();
        let ended = match Doing::begin(&self.0, &current, &lease, &allowance) {
            Ok(doing) => doing.finish().await,
            Err(failed) => failed_run(&lease, None, &allowance, &failed),
        };
        Run { calls: allowance.made(), ended }
    }

    fn returns(&self) -> watch::Receiver<u64> {
        self.0.dispatch().returns()
    }

    fn concurrency(&self) -> usize {
        self.0.dispatch().config().queue.concurrency
    }

    fn grace(&self) -> Duration {
        self.0.dispatch().config().server.grace / GRACE_SHARE
    }
}

/// One run of a job.
struct Doing<'a> {
    gateway: &'a Arc<Gateway>,
    current: &'a Current,
    lease: &'a Lease,
    allowance: &'a Arc<Allowance>,
    route: Route,
    head: RequestHead,
    body: bytes::Bytes,
    wanted: Wanted,
    asked: Asked,
}

impl<'a> Doing<'a> {
    fn begin(
        gateway: &'a Arc<Gateway>,
        current: &'a Current,
        lease: &'a Lease,
        allowance: &'a Arc<Allowance>,
    ) -> Result<Self, Failed> {
        let unreadable = || {
            Error::new(
                Kind::Internal,
                "the job was stored by another version of edgehold, and this one cannot read it; hand it in again",
            )
        };
        let route = route::of_path(&lease.path).filter(|route| route.job_path().is_some());
        let route = route.ok_or_else(unreadable)?;
        let (head, body) = unpack::<RequestHead>(lease.payload.clone()).ok_or_else(unreadable)?;
        let wanted = Wanted::of(&lease.lane).ok_or_else(unreadable)?;
        let id = HeaderValue::from_str(lease.key.id.as_str()).map_err(|_| unreadable())?;
        let voice = match &head.summary {
            Some(summary) if summary.is_text => route::Voice::Door(Door::Ask),
            _ => route.voice(),
        };
        let asked = Asked { id, route: Some(route), voice };
        Ok(Self { gateway, current, lease, allowance, route, head, body, wanted, asked })
    }

    async fn finish(self) -> Ended {
        match self.answer().await {
            Err(failed) => failed_run(self.lease, Some(self.asked.voice), self.allowance, &failed),
            Ok(response) => {
                let target = response.headers().get(&TARGET).and_then(|it| it.to_str().ok());
                let better = target.and_then(Target::parse).filter(|it| self.may_be_bettered(it));
                let Some(answer) = packed(response) else {
                    let error = Error::new(Kind::Internal, "the answer was no whole one");
                    return failed_run(
                        self.lease,
                        Some(self.asked.voice),
                        self.allowance,
                        &error.into(),
                    );
                };
                match better {
                    None => Ended::Succeeded(answer),
                    Some(than) => {
                        let wanted = Wanted { only: Only::Better(than), ..self.wanted };
                        Ended::Draft(answer, wanted.lane())
                    }
                }
            }
        }
    }

    fn may_be_bettered(&self, target: &Target) -> bool {
        let dispatch = &self.current.dispatch;
        self.head.refine
            && self.wanted.only == Only::All
            && dispatch.has_better(&self.wanted.model, self.wanted.locality, target)
    }

    /// Where a better answer may follow, the first one comes from the device if it can.
    async fn answer(&self) -> Result<Response<Reply>, Failed> {
        let locality = self.wanted.locality;
        let first =
            self.head.refine && self.wanted.only == Only::All && locality != Locality::Local;
        if first
            && let Ok(local) = locality.strictest(Locality::Local)
            && self.wanted.way(&self.current.dispatch, local) == Way::Open
        {
            match self.ask(local).await {
                Err(failed)
                    if may_come_right(failed.error.kind) && !self.allowance.is_used_up() =>
                {
                    tracing::debug!(job = %self.lease.key.id, error = failed.error.for_log(), "no local answer first");
                }
                done => return done,
            }
        }
        self.ask(locality).await
    }

    async fn ask(&self, locality: Locality) -> Result<Response<Reply>, Failed> {
        let bytes = self.body.len().saturating_mul(COPIES);
        let memory = self.gateway.budget.reserve(bytes).map_err(|shed| budget_error(&shed))?;
        let total = self.current.dispatch.config().deadlines.total;
        let time = self.head.timeout_ms.map_or(total, Duration::from_millis).min(total);
        let beta = self.head.beta.as_deref().and_then(|it| HeaderValue::from_str(it).ok());
        let began = Instant::now();
        let wishes = Wishes {
            locality: Ok(locality),
            end: began + time,
            job: Some(Arc::clone(self.allowance)),
            only: self.wanted.only.clone(),
        };
        if let Some(head) = &self.head.summary {
            // Of its calls each has that time; of them there may be many.
            let wishes = match self.head.timeout_ms {
                None => Wishes { end: began + NEVER, ..wishes },
                Some(_) => wishes,
            };
            return Box::pin(rerun(self.again(head, wishes))).await;
        }
        let (current, asked) = (self.current, &self.asked);
        let work = Work { current, asked, wishes, strict: false, beta, began, _memory: memory };
        Box::pin(work.run(self.route, self.body.clone(), &self.query())).await
    }

    /// A summary, from where it stands.
    fn again<'b>(&'b self, head: &'b Head, wishes: Wishes) -> Rerun<'b> {
        Rerun {
            gateway: self.gateway,
            current: self.current,
            head,
            query: &self.head.query,
            body: &self.body,
            file: self.lease.file.as_ref(),
            seq: self.lease.seq,
            id: &self.asked.id,
            name: &self.wanted.model,
            wishes,
            allowance: self.allowance,
        }
    }

    /// What was the default model at the hand-over is named: who has it may be away now.
    fn query(&self) -> Cow<'_, str> {
        match self.route {
            Route::Ask => query::with(&self.head.query, "model", &self.wanted.model).into(),
            _ => Cow::Borrowed(&self.head.query),
        }
    }
}

/// What a run without an answer comes to: another one, if that may help and may be had.
fn failed_run(
    lease: &Lease,
    voice: Option<route::Voice>,
    allowance: &Allowance,
    failed: &Failed,
) -> Ended {
    let trouble =
        Trouble { code: failed.error.kind.to_string(), message: failed.error.message.clone() };
    let made = allowance.made();
    let is_last = lease.is_last || lease.stepwise;
    let is_used_up = made > 0 && is_last && allowance.is_used_up();
    if may_come_right(failed.error.kind) && !is_used_up {
        let wait = match made {
            0 => failed.error.retry_after.or(Some(LOOK_AGAIN)),
            _ => failed.error.retry_after,
        };
        return Ended::Again { trouble, wait };
    }
    let voice = voice.unwrap_or(route::Voice::Problem);
    match packed(respond::error(voice, failed)) {
        Some(answer) => Ended::Failed(answer, trouble),
        None => Ended::Again { trouble, wait: Some(LOOK_AGAIN) },
    }
}

/// Whether the same request may be answered another time.
fn may_come_right(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Overloaded | Kind::RateLimited | Kind::Timeout | Kind::Unavailable | Kind::Upstream
    )
}

/// A whole response in one piece.
fn packed(mut response: Response<Reply>) -> Option<Answer> {
    let body = response.body_mut().take_whole()?;
    debug_assert!(response.body().is_end_stream(), "nothing is left of a whole body");
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let headers = response.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name.to_string(), text(value)?)));
    let head = AnswerHead { headers: headers.collect() };
    let target = response.headers().get(&TARGET).and_then(text);
    Some(Answer { status: response.status().as_u16(), target, parcel: pack(&head, &body) })
}
