//! How a client wants its answer: now, or later (RFC 7240), and by which key it will ask again.

use std::time::Duration;

use http::HeaderMap;

use crate::chat::Error;
use crate::queue::{JobId, Priority};
use crate::server::inference::header;
use crate::server::names::{IDEMPOTENCY_KEY, PREFER, PRIORITY, REFINE};

/// The longest that a client may wait on one request, in seconds.
pub(super) const LONGEST_WAIT: u64 = 60;

/// The longest key.
const LONGEST_KEY: usize = 255;

/// `Prefer: respond-async, wait=20`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) struct Later {
    /// How long the client would wait for the answer itself.
    pub(super) wait: Option<Duration>,
}

impl Later {
    /// What a request's headers prefer. Preferences that are not known are passed over, and of one
    /// that is there twice the first counts, as the RFC has it.
    ///
    /// # Errors
    /// A wait that is no number, where it counts.
    pub(in crate::server) fn of(headers: &HeaderMap) -> Result<Option<Self>, Error> {
        let mut is_async = false;
        let mut wait = None;
        let all = headers.get_all(&PREFER).iter().filter_map(|value| value.to_str().ok());
        for preference in all.flat_map(|value| value.split(',')) {
            let word = preference.split(';').next().unwrap_or_default().trim();
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "respond-async" => is_async = true,
                "wait" if wait.is_none() => wait = Some(value.trim().trim_matches('"')),
                _ => {}
            }
        }
        if !is_async {
            return Ok(None);
        }
        Ok(Some(Self { wait: wait.map(seconds).transpose()? }))
    }
}

/// A wait in whole seconds; more than the longest is the longest.
pub(super) fn seconds(text: &str) -> Result<Duration, Error> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain {
        let message = format!("wait must be a number of seconds, at most {LONGEST_WAIT}");
        return Err(Error::invalid_field("wait", message));
    }
    // Digits that are no number are too many of them.
    Ok(Duration::from_secs(text.parse().unwrap_or(u64::MAX).min(LONGEST_WAIT)))
}

/// The id of the job that the client's key stands for: a quoted string, or a bare word, which is
/// what firmware sends.
pub(super) fn keyed_id(headers: &HeaderMap) -> Result<Option<JobId>, Error> {
    let Some(text) = header(headers, &IDEMPOTENCY_KEY)? else { return Ok(None) };
    let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    let plain = bare.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if bare.is_empty() || bare.len() > LONGEST_KEY || !plain || bare.contains('"') {
        let message = format!(
            "Idempotency-Key must be 1 to {LONGEST_KEY} printable ASCII characters, in quotes or not"
        );
        return Err(Error::invalid_field("Idempotency-Key", message));
    }
    Ok(Some(JobId::of_key(bare)))
}

pub(super) fn priority(headers: &HeaderMap) -> Result<Option<Priority>, Error> {
    let Some(text) = header(headers, &PRIORITY)? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| {
        Error::invalid_field(
            "X-Edgehold-Priority",
            "X-Edgehold-Priority must be high, normal or low",
        )
    })
}

pub(super) fn refine(headers: &HeaderMap) -> Result<bool, Error> {
    match header(headers, &REFINE)? {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Error::invalid_field(
            "X-Edgehold-Refine",
            "X-Edgehold-Refine must be true or false",
        )),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: &http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name.clone(), HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn preferences() {
        let later =
            |seconds: Option<u64>| Ok(Some(Later { wait: seconds.map(Duration::from_secs) }));
        let table = [
            ("respond-async", later(None)),
            ("Respond-Async; x=1, wait=20", later(Some(20))),
            ("wait=\"5\",handling=lenient,respond-async", later(Some(5))),
            ("respond-async, wait=99999999999999999999", later(Some(60))),
            ("respond-async, wait=5, wait=9", later(Some(5))),
            ("wait=5", Ok(None)),
            ("wait=soon", Ok(None)),
            ("return=minimal", Ok(None)),
        ];
        for (text, want) in table {
            assert_eq!(Later::of(&headers(&PREFER, text)), want, "{text}");
        }
        assert!(Later::of(&headers(&PREFER, "respond-async, wait=soon")).is_err());
        assert!(Later::of(&headers(&PREFER, "respond-async, wait=-1")).is_err());
    }

    #[test]
    fn keys() {
        let id = |text: &str| keyed_id(&headers(&IDEMPOTENCY_KEY, text));
        assert_eq!(id("\"a b\""), Ok(Some(JobId::of_key("a b"))));
        assert_eq!(id("8e03978e-40d5"), Ok(Some(JobId::of_key("8e03978e-40d5"))));
        for bad in ["\"\"", "a\"b", &"x".repeat(256)] {
            assert!(id(bad).is_err(), "{bad}");
        }
    }
}
