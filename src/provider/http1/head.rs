//! The head of a response: its status, and the few fields that are looked at.

use std::time::Duration;

use crate::provider::http1::coding::Coding;
use crate::provider::retry_after::wait_asked;

/// Most fields of a head.
const MOST_FIELDS: usize = 100;

/// What a head says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::provider) struct Head {
    /// The status.
    pub(in crate::provider) status: u16,
    /// What the body is written in.
    pub(in crate::provider) media: Media,
    /// Whether the body is encoded though we asked for `identity`: it is not decoded, because
    /// 16 KiB of zstd can become 512 MB.
    pub(in crate::provider) is_encoded: bool,
    /// The wait that an error asks for.
    pub(in crate::provider) wait: Option<Duration>,
    /// How the body ends.
    pub(super) coding: Coding,
    /// Whether the connection may be used again.
    pub(super) keeps_alive: bool,
}

/// A media type, as far as answers go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::provider) enum Media {
    /// `text/event-stream`
    Events,
    /// `application/json`
    Json,
    /// `application/x-ndjson`
    Lines,
    /// Anything else, or none.
    Other,
}

impl Head {
    /// Reads the head at the front of `bytes`, if it is whole. Returns how long it is.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, String> {
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        let parsed = response.parse(bytes).map_err(|error| error.to_string())?;
        let httparse::Status::Complete(length) = parsed else { return Ok(None) };
        let status = response.code.unwrap_or_default();
        let is_1_1 = response.version == Some(1);
        Ok(Some((Self::new(status, is_1_1, response.headers)?, length)))
    }

    fn new(status: u16, is_1_1: bool, fields: &[httparse::Header<'_>]) -> Result<Self, String> {
        let mut head = Self {
            status,
            media: Media::Other,
            is_encoded: false,
            wait: None,
            coding: Coding::UntilClose,
            keeps_alive: is_1_1,
        };
        let (mut length, mut is_chunked) = (None, false);
        for httparse::Header { name, value } in fields {
            let value = value.trim_ascii();
            if name.eq_ignore_ascii_case("content-type") {
                head.media = Media::of(value);
            } else if name.eq_ignore_ascii_case("content-length") {
                let known = number(value).ok_or("its Content-Length is no number")?;
                if length.replace(known).is_some_and(|other| other != known) {
                    return Err("it has two lengths".to_owned());
                }
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                if is_chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err("its Transfer-Encoding is not chunked".to_owned());
                }
                is_chunked = true;
            } else if name.eq_ignore_ascii_case("content-encoding") {
                head.is_encoded = !value.eq_ignore_ascii_case(b"identity");
            } else if name.eq_ignore_ascii_case("connection") {
                let mut options = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
                head.keeps_alive &= !options.any(|it| it.eq_ignore_ascii_case(b"close"));
            }
        }
        // A length beside chunks is overruled, and what comes after this body is not believed
        // (RFC 9112 section 6.3).
        head.keeps_alive &= !(is_chunked && length.is_some());
        head.coding = match (status, is_chunked, length) {
            (100..=199 | 204 | 304, _, _) => Coding::Ended,
            (_, true, _) => Coding::chunked(),
            (_, false, Some(length)) => Coding::known(length),
            (_, false, None) => Coding::UntilClose,
        };
        head.keeps_alive &= head.coding != Coding::UntilClose;
        if status >= 400 {
            head.wait = wait_asked(fields);
        }
        Ok(head)
    }

    /// Whether the status is that of an answer.
    pub(in crate::provider) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the status leads elsewhere.
    pub(in crate::provider) fn is_redirection(&self) -> bool {
        (300..400).contains(&self.status)
    }

    /// Whether another head follows this one (RFC 9110 section 15.2). 101 is never asked for.
    pub(super) fn is_interim(&self) -> bool {
        matches!(self.status, 100 | 102..=199)
    }
}

impl Media {
    fn of(value: &[u8]) -> Self {
        let essence = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let is = |name: &str| essence.eq_ignore_ascii_case(name.as_bytes());
        if is("application/json") {
            Self::Json
        } else if is("text/event-stream") {
            Self::Events
        } else if is("application/x-ndjson") {
            Self::Lines
        } else {
            Self::Other
        }
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(fields: &str) -> Result<Head, String> {
        let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        Ok(Head::parse(text.as_bytes())?.unwrap().0)
    }

    #[test]
    fn how_a_body_ends() {
        let table = [
            ("Content-Length: 7\r\n", Coding::known(7), true),
            ("Content-Length: 7\r\nContent-Length: 7\r\n", Coding::known(7), true),
            ("Content-Length: 0\r\n", Coding::Ended, true),
            ("Transfer-Encoding: Chunked\r\n", Coding::chunked(), true),
            ("Transfer-Encoding: chunked\r\nContent-Length: 7\r\n", Coding::chunked(), false),
            ("", Coding::UntilClose, false),
            ("Content-Length: 7\r\nConnection: Close\r\n", Coding::known(7), false),
            ("Content-Length: 7\r\nConnection: close, te\r\n", Coding::known(7), false),
            ("Content-Length: 7\r\nConnection: keep-alive\r\n", Coding::known(7), true),
        ];
        for (fields, coding, keeps_alive) in table {
            let head = head(fields).unwrap();
            assert_eq!((head.coding, head.keeps_alive), (coding, keeps_alive), "{fields}");
        }
        for bad in [
            "Content-Length: 7\r\nContent-Length: 8\r\n",
            "Content-Length: +7\r\n",
            "Content-Length: 7, 7\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        ] {
            assert!(head(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn statuses_and_versions() {
        let parse = |text: &str| Head::parse(text.as_bytes());
        assert_eq!(parse("HTTP/1.1 200 O"), Ok(None));
        assert!(parse("SSH-2.0-OpenSSH_9.2p1\r\n").is_err());
        assert!(parse("HTTP/1.1 100 Continue\r\n\r\n").unwrap().unwrap().0.is_interim());
        assert!(!parse("HTTP/1.1 101 Switch\r\n\r\n").unwrap().unwrap().0.is_interim());
        assert!(!parse("HTTP/1.0 200 OK\r\n\r\n").unwrap().unwrap().0.keeps_alive);
        let (head, length) = parse("HTTP/1.1 204 No\r\n\r\nrest").unwrap().unwrap();
        assert_eq!((head.coding, length), (Coding::Ended, 19));
        let busy = parse("HTTP/1.1 429 No\r\nRetry-After: 7\r\n\r\n").unwrap().unwrap().0;
        assert_eq!(busy.wait, Some(Duration::from_secs(7)));
    }

    #[test]
    fn what_the_body_is() {
        let media = |value: &str| head(&format!("Content-Type: {value}\r\n")).unwrap().media;
        assert_eq!(media("application/json; charset=utf-8"), Media::Json);
        assert_eq!(media("text/event-stream"), Media::Events);
        assert_eq!(media("Application/X-NDJSON"), Media::Lines);
        assert_eq!(media("text/html"), Media::Other);
        assert!(head("Content-Encoding: gzip\r\n").unwrap().is_encoded);
        assert!(!head("Content-Encoding: identity\r\n").unwrap().is_encoded);
    }
}
