//! A job as JSON.

use serde_json::{Value, json};

use crate::queue::{Job, State, Stored};
use crate::server::jobs::lane::Wanted;

/// A job, with the newline that terminals expect.
pub(super) fn text(job: &Job) -> String {
    format!("{}\n", object(job))
}

/// What a place in the order of acceptance begins with, where an id could stand: no id does. A place
/// is there for the next page also when its job has gone meanwhile.
pub(super) const PLACE: char = '~';

/// Some jobs, and how to ask for those that follow.
pub(super) fn page(jobs: &[Job], more: bool) -> String {
    let all: Vec<Value> = jobs.iter().map(object).collect();
    let next = jobs.last().filter(|_| more).map(|job| format!("{PLACE}{}", job.seq));
    format!("{}\n", json!({"jobs": all, "next": next}))
}

/// A job. Times are whole seconds, by the device's clock where they are since 1970.
pub(super) fn object(job: &Job) -> Value {
    let wanted = Wanted::of(&job.lane);
    let best = job.result.as_ref().or(job.draft.as_ref());
    let waits = job.state == State::Queued && !job.due_in.is_zero();
    let mut object = json!({
        "id": job.key.id.as_str(),
        "state": job.state.word(),
        "path": job.path,
        "model": wanted.as_ref().map(|it| it.model.as_str()),
        "locality": wanted.as_ref().map(|it| it.locality.to_string()),
        "priority": job.priority.word(),
        "position": job.position,
        "attempts": job.calls,
        "crashes": job.crashes,
        "steps": Some(job.steps).filter(|steps| *steps > 0),
        "accepted_at": job.accepted,
        "ended_at": job.ended,
        "expires_in_seconds": job.expires_in.as_secs(),
        "retry_in_seconds": waits.then(|| job.due_in.as_secs_f64().ceil()),
        "last_error": job.trouble.as_ref().map(|it| json!({"code": it.code, "message": it.message})),
        "provisional": job.draft.is_some() && job.result.is_none(),
        "target": best.and_then(|it| it.target.as_deref()),
        "result": best.map(stored),
    });
    // What there is nothing to say of takes no room in a small buffer.
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    object
}

/// As much as a client needs that has just handed a job in.
pub(super) fn receipt(job: &Job) -> String {
    format!("{}\n", json!({"id": job.key.id.as_str(), "state": job.state.word()}))
}

fn stored(it: &Stored) -> Value {
    json!({"status": it.status, "target": it.target, "bytes": it.bytes})
}

/// What changes when something happens to a job: two that are alike need not be told apart.
pub(super) fn version(job: &Job) -> String {
    let draft = if job.draft.is_some() { "d" } else { "" };
    let steps = if job.steps > 0 { format!("-{}", job.steps) } else { String::new() };
    format!("{}-{}-{}{steps}{draft}", job.state.word(), job.calls, job.crashes)
}
