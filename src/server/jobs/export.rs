//! A job with everything that is kept of it, as one line of JSON.

use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::queue::{Found, Job};
use crate::server::jobs::parcel::{AnswerHead, RequestHead, unpack};
use crate::server::jobs::view;

/// The job, what was asked, and what was answered. A body that is JSON stands as it is, another as
/// text. What is no longer kept, or is not what was stored, is left out.
pub fn export_line(job: &Job, payload: Option<Vec<u8>>, answer: Option<Found>) -> String {
    let request = payload.and_then(|it| unpack::<RequestHead>(it.into())).map(|(head, body)| {
        json!({
            "path": job.path, "query": head.query, "refine": head.refine, "body": value(&body),
        })
    });
    let result = match answer {
        Some(Found::Answer { stored, parcel, is_draft }) => unpack::<AnswerHead>(parcel.into())
            .map(|(head, body)| {
                let headers: serde_json::Map<String, Value> =
                    head.headers.into_iter().map(|(name, it)| (name, it.into())).collect();
                json!({
                    "status": stored.status, "headers": headers, "provisional": is_draft,
                    "body": value(&body),
                })
            }),
        Some(Found::Corrupt(_)) | None => None,
    };
    let owner = Some(&*job.key.owner).filter(|owner| !owner.is_empty());
    let line = json!({
        "client": owner, "job": view::object(job), "request": request, "result": result,
    });
    format!("{line}\n")
}

fn value(body: &Bytes) -> Value {
    let is_json = serde_json::from_slice::<&RawValue>(body).is_ok();
    let parsed = is_json.then(|| serde_json::from_slice(body).ok()).flatten();
    parsed.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned().into())
}
