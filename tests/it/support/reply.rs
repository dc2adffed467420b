//! Responses of providers, as acts of a fake.

use serde_json::Value;

use crate::support::serve::Act;

/// A head with the given headers. What it frames is the caller's business.
pub fn head(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Scripted\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// A whole response.
pub fn whole(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let length = body.len().to_string();
    let mut all = headers.to_vec();
    all.push(("Content-Length", &length));
    [head(status, &all), body.to_vec()].concat()
}

pub fn json(status: u16, body: &Value) -> Vec<Act> {
    json_with(status, &[], body)
}

pub fn json_with(status: u16, headers: &[(&str, &str)], body: &Value) -> Vec<Act> {
    let mut all = vec![("Content-Type", "application/json")];
    all.extend_from_slice(headers);
    vec![Act::Send(whole(status, &all, body.to_string().as_bytes()))]
}

/// A response that is none: a page where JSON should be.
pub fn page() -> Vec<Act> {
    let body = b"<html><body>Welcome to the hotel. Please log in.</body></html>";
    vec![Act::Send(whole(200, &[("Content-Type", "text/html")], body))]
}

pub fn redirect(to: &str) -> Vec<Act> {
    vec![Act::Send(whole(302, &[("Location", to)], b""))]
}

/// One chunk of a chunked body.
pub fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// The head of a chunked response.
pub fn chunked(media: &str) -> Vec<u8> {
    head(200, &[("Content-Type", media), ("Transfer-Encoding", "chunked")])
}

/// The bytes of a chunked response whose pieces are one chunk each.
pub fn pieces(media: &str, pieces: &[String]) -> Vec<u8> {
    let mut bytes = chunked(media);
    for piece in pieces {
        bytes.extend(chunk(piece.as_bytes()));
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

/// The same without its end: what comes next is another act.
pub fn open(media: &str, sent: &[String]) -> Act {
    let mut bytes = pieces(media, sent);
    bytes.truncate(bytes.len() - b"0\r\n\r\n".len());
    Act::Send(bytes)
}
