//! Summaries over HTTP: a document in its own type in, a summary out; at once, as events, or later.

mod accept;
mod answer;
mod direct;
mod form;
mod job;
mod receive;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Request, Response};
use hyper::body::Incoming;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::budget::Reservation;
use crate::chat::{Error, Kind};
use crate::config::{Config, Conflict, Locality, Target};
use crate::dispatch::{Dispatch, Only, Wishes};
use crate::server::body::{self, Reply};
use crate::server::failed::Failed;
use crate::server::gate::Caller;
use crate::server::inference::{default_model, locality, timeout};
use crate::server::jobs::{self, Asking};
use crate::server::route::Route;
use crate::server::summaries::accept::Accept;
use crate::server::summaries::receive::{Received, receive};
use crate::server::{Asked, Current, Gateway, query};
use crate::summary::{Document, Nothing, Order, Progress, Summary, Wish};

pub(super) use accept::wants_text;
pub use direct::summarize;
pub(super) use job::{Head, Rerun, examine, rerun};

/// Serves POST /v1/summaries.
pub(super) async fn serve(
    gateway: &Arc<Gateway>,
    current: &Arc<Current>,
    asked: &Asked,
    caller: &Caller,
    request: Request<Incoming>,
) -> Result<Response<Reply>, Failed> {
    let (head, body) = request.into_parts();
    body::check_plain(&head.headers)?;
    let accept = Accept::of(&head.headers);
    let config = current.dispatch.config();
    let timeout = timeout(&head.headers)?;
    let order = jobs::Order::of_headers(&head.headers)?;
    let query = head.uri.query().unwrap_or_default().to_owned();
    let wish = wish(&query)?;
    let wishes = wishes(&head.headers, caller, &wish, config, timeout)?;
    let received = receive(gateway, config, &head.headers, body, order.is_some()).await?;
    let received = Received { query: format!("{query}{}", received.query), ..received };
    if let Some(order) = order {
        let asking = asking(received, accept, timeout, wishes);
        return Box::pin(jobs::take(gateway, current, asked, caller, asking, order)).await;
    }
    let (wish, document) = received.opened()?;
    let wishes = Wishes { locality: together(wishes.locality, wish.locality), ..wishes };
    let work = Work {
        gateway: Arc::clone(gateway),
        current: Arc::clone(current),
        name: name(&current.dispatch, &wish).await,
        id: asked.id.clone(),
        wish,
        document,
        wishes,
        memory: received.memory,
    };
    match accept {
        Accept::Events => Ok(answer::events(work)),
        Accept::Json | Accept::Text => {
            let (progress, _) = watch::channel(Progress::default());
            let id = work.id.clone();
            let summary = Box::pin(work.run(&progress)).await?;
            Ok(answer::whole(&summary, &id, accept))
        }
    }
}

/// A summary that is to be made for a client who waits.
struct Work {
    gateway: Arc<Gateway>,
    current: Arc<Current>,
    name: String,
    id: HeaderValue,
    wish: Wish,
    document: Document,
    wishes: Wishes,
    memory: Reservation,
}

impl Work {
    async fn run(self, progress: &watch::Sender<Progress>) -> Result<Summary, Failed> {
        let order = Order {
            dispatch: &self.current.dispatch,
            budget: &self.gateway.budget,
            wish: &self.wish,
            name: &self.name,
            may_extract: self.wish.model.is_none(),
            locality: self.wishes.locality,
            end: self.wishes.end,
            only: &self.wishes.only,
            id: &self.id,
            allowance: None,
        };
        let _memory = self.memory;
        let made = self.gateway.summaries.make(&order, &self.document, &Nothing, progress);
        // A wait of ours never outlasts the client's time.
        match tokio::time::timeout_at(self.wishes.end, made).await {
            Err(_) => Err(late(progress)),
            // The call that was under way may have seen it first.
            Ok(Err(refusal))
                if refusal.error.kind == Kind::Timeout && Instant::now() >= self.wishes.end =>
            {
                Err(Failed { attempts: refusal.attempts, ..late(progress) })
            }
            Ok(made) => {
                let summary = made?;
                self.gateway.metrics.summary(summary.method.word(), &summary.coverage.counts());
                Ok(summary)
            }
        }
    }
}

fn late(progress: &watch::Sender<Progress>) -> Failed {
    let Progress { chunk, chunks, .. } = *progress.borrow();
    let message = format!(
        "the time was over after {chunk} of about {chunks} pieces of the document; hand it in as a job (Prefer: respond-async), which takes the time that it needs"
    );
    Error::new(Kind::Timeout, message).into()
}

/// The options of a query.
fn wish(query: &str) -> Result<Wish, Error> {
    let mut wish = Wish::default();
    for pair in query::pairs(query) {
        let (name, value) = pair?;
        wish.set(name, &value)?;
    }
    Ok(wish)
}

/// The name of the model: the client's; else that which every other path takes; else, where there is
/// none to be seen, the extract, which is always there.
async fn name(dispatch: &Arc<Dispatch>, wish: &Wish) -> String {
    if let Some(model) = &wish.model {
        return model.clone();
    }
    match (default_model(dispatch).await, dispatch.config().builtins.first()) {
        (Ok(name), _) => name,
        (Err(_), Some(builtin)) => Target::extractive(Arc::clone(builtin)).to_string(),
        (Err(_), None) => "default".to_owned(),
    }
}

fn wishes(
    headers: &HeaderMap,
    caller: &Caller,
    wish: &Wish,
    config: &Config,
    timeout: Option<Duration>,
) -> Result<Wishes, Error> {
    let total = config.deadlines.total;
    let end = Instant::now() + timeout.unwrap_or(total).min(total);
    let locality = together(locality(headers, caller)?, wish.locality);
    Ok(Wishes { locality, end, job: None, only: Only::All })
}

pub(super) fn together(
    one: Result<Locality, Conflict>,
    other: Locality,
) -> Result<Locality, Conflict> {
    one.and_then(|one| one.strictest(other))
}

fn asking(received: Received, accept: Accept, timeout: Option<Duration>, wishes: Wishes) -> Asking {
    let head = Head { is_text: accept == Accept::Text, ..received.head() };
    Asking {
        route: Route::Summaries,
        query: received.query,
        body: received.body,
        beta: None,
        timeout,
        wishes,
        summary: Some((head, received.arrived)),
        memory: received.memory,
    }
}
