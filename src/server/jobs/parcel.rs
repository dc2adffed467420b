//! What the queue keeps for us: a head in JSON and the bytes of a body, in one piece.

use bytes::{BufMut, Bytes, BytesMut};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::server::summaries::Head;

/// How a request was asked, beside its path and body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RequestHead {
    /// The path's query.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) query: String,
    /// Anthropic's header for features that are being tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) beta: Option<String>,
    /// The time that one run of it has, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) timeout_ms: Option<u64>,
    /// Whether a better answer is to be looked for when there is one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) refine: bool,
    /// Of a summary: what is known of its document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) summary: Option<Head>,
}

/// An answer's header fields, but those that every response has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AnswerHead {
    pub(super) headers: Vec<(String, String)>,
}

/// Head and body in one piece.
pub(super) fn pack(head: &impl Serialize, body: &[u8]) -> Bytes {
    // Writing our own types into memory cannot fail.
    let head = serde_json::to_vec(head).unwrap_or_default();
    let mut whole = BytesMut::with_capacity(4 + head.len() + body.len());
    whole.put_u32_le(u32::try_from(head.len()).unwrap_or(u32::MAX));
    whole.put_slice(&head);
    whole.put_slice(body);
    whole.freeze()
}

/// Head and body again; `None` where the piece is none of ours.
pub(super) fn unpack<T: DeserializeOwned>(mut whole: Bytes) -> Option<(T, Bytes)> {
    let length: [u8; 4] = whole.get(..4)?.try_into().ok()?;
    let length = usize::try_from(u32::from_le_bytes(length)).ok()?;
    let head = serde_json::from_slice(whole.get(4..length.checked_add(4)?)?).ok()?;
    let body = whole.split_off(4 + length);
    Some((head, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out() {
        let head = RequestHead { query: "model=a".to_owned(), refine: true, ..Default::default() };
        let packed = pack(&head, b"body");
        assert_eq!(unpack(packed.clone()), Some((head, Bytes::from_static(b"body"))));
        for cut in 0..packed.len() - 4 {
            assert_eq!(unpack::<RequestHead>(packed.slice(..cut)), None, "{cut}");
        }
        assert_eq!(unpack::<AnswerHead>(Bytes::from_static(b"\xff\xff\xff\xff{}")), None);
    }
}
