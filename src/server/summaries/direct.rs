//! A summary for who is in this process: the command line without a service.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::dispatch::{Dispatch, Only, Refusal};
use crate::server::respond;
use crate::server::summaries::name;
use crate::summary::{Document, Nothing, Order, Progress, Summaries, Wish};

/// A year.
const NEVER: Duration = Duration::from_secs(366 * 86_400);

/// What such a summary is called.
const ID: &str = "summary";

/// Makes a summary as POST /v1/summaries would.
///
/// # Errors
/// The status that it would have answered with, and why.
pub async fn summarize(
    summaries: &Summaries,
    dispatch: &Arc<Dispatch>,
    document: &Document,
    options: &[(&'static str, String)],
    progress: &watch::Sender<Progress>,
) -> Result<Value, (u16, String)> {
    let told =
        |refusal: Refusal| (respond::status(refusal.error.kind).as_u16(), refusal.error.message);
    let mut wish = Wish::default();
    for (name, value) in options {
        wish.set(name, value).map_err(|error| told(Refusal::untried(error)))?;
    }
    let order = Order {
        dispatch,
        budget: dispatch.budget(),
        wish: &wish,
        name: &name(dispatch, &wish).await,
        may_extract: wish.model.is_none(),
        locality: Ok(wish.locality),
        // Whoever sits before it ends it when it takes too long.
        end: Instant::now() + NEVER,
        only: &Only::All,
        id: &HeaderValue::from_static(ID),
        allowance: None,
    };
    let summary = summaries.make(&order, document, &Nothing, progress).await.map_err(told)?;
    Ok(summary.json(ID))
}
