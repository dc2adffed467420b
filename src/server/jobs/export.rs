//! A job with everything that is kept of it, as one line of JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::queue::{Found, Job};
use crate::server::jobs::parcel::{AnswerHead, RequestHead, unpack};
use crate::server::jobs::view;

/// The job, what was asked, and what was answered. A body that is JSON stands as it is, another as
/// text. What is no longer kept, or is not what was stored, is left out.
pub fn export_line(job: &Job, payload: Option<Vec<u8>>, answer: Option<Found>) -> String {
    let payload = payload.and_then(|it| unpack::<RequestHead>(it.into()));
    let request = payload.map(|(head, body)| Request {
        path: &job.path,
        query: head.query,
        refine: head.refine,
        body: value(&body),
    });
    let result = match answer {
        Some(Found::Answer { stored, parcel, is_draft }) => unpack::<AnswerHead>(parcel.into())
            .map(|(head, body)| Answer {
                status: stored.status,
                headers: head.headers.into_iter().collect(),
                provisional: is_draft,
                body: value(&body),
            }),
        Some(Found::Corrupt(_)) | None => None,
    };
    let client = Some(&*job.key.owner).filter(|owner| !owner.is_empty());
    let line = Line { client, job: view::object(job), request, result };
    // Writing our own types into memory cannot fail.
    serde_json::to_string(&line).unwrap_or_default() + "\n"
}

#[derive(Serialize)]
struct Line<'a> {
    client: Option<&'a str>,
    job: Value,
    request: Option<Request<'a>>,
    result: Option<Answer>,
}

#[derive(Serialize)]
struct Request<'a> {
    path: &'a str,
    query: String,
    refine: bool,
    body: Box<RawValue>,
}

#[derive(Serialize)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    provisional: bool,
    body: Box<RawValue>,
}

/// Taken apart, a body of many small values would be many times its size. Between the values of JSON
/// a line break is a space; within them there is none.
fn value(body: &[u8]) -> Box<RawValue> {
    let text = String::from_utf8_lossy(body);
    RawValue::from_string(text.replace(['\r', '\n'], " "))
        .or_else(|_| serde_json::value::to_raw_value(&text))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_stand_as_they_are_on_one_line() {
        let table = [
            (
                "{\"z\":1.10,\r\n \"a\":123456789012345678901}\n",
                "{\"z\":1.10,   \"a\":123456789012345678901}",
            ),
            ("plain\ntext", "\"plain\\ntext\""),
            ("", "\"\""),
        ];
        for (body, want) in table {
            assert_eq!(value(body.as_bytes()).get(), want);
        }
    }
}
