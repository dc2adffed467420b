//! Taking a document in: to the disk as it comes, or from the JSON that it stands in.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::budget::Reservation;
use crate::chat::{Error, Kind};
use crate::config::Config;
use crate::dispatch::budget_error;
use crate::server::Gateway;
use crate::server::body::{self, unread};
use crate::server::failed::Failed;
use crate::server::inference::check_depth;
use crate::server::summaries::form::{self, Boundary};
use crate::server::summaries::job::Head;
use crate::server::summaries::wish;
use crate::summary::extract::essence;
use crate::summary::{Arrived, Arriving, Content, Document, Wish};

/// Memory that a document takes on its way to the disk: what is gathered, and what is being written.
const PASSING_BYTES: usize = 192 * 1024;

/// A document that was taken in.
pub(super) struct Received {
    /// Options that came beside it, as more of the query.
    pub(super) query: String,
    /// The JSON that it stands in, if it does.
    pub(super) body: Bytes,
    /// Its file, if it has one.
    pub(super) arrived: Option<Arrived>,
    pub(super) media: Option<String>,
    pub(super) name: Option<String>,
    pub(super) memory: Reservation,
}

impl Received {
    /// What is to be made of it, and the document itself.
    pub(super) fn opened(&self) -> Result<(Wish, Document), Error> {
        let mut wish = wish(&self.query)?;
        let content = match &self.arrived {
            Some(arrived) => Content::File(arrived.file.clone(), arrived.bytes),
            None => Content::Text(text_and_options(&self.body, &mut wish)?.into()),
        };
        let (media, name) = (self.media.clone(), self.name.clone());
        Ok((wish, Document { content, media, name }))
    }

    /// What a job has to know of it.
    pub(super) fn head(&self) -> Head {
        Head {
            media: self.media.clone(),
            name: self.name.clone(),
            bytes: self.arrived.as_ref().map(|it| it.bytes),
            crc: self.arrived.as_ref().map(|it| it.crc),
            digest: self.arrived.as_ref().map(|it| it.digest.to_vec()),
            is_text: false,
        }
    }
}

/// Takes a document in.
pub(super) async fn receive(
    gateway: &Arc<Gateway>,
    config: &Config,
    headers: &HeaderMap,
    incoming: Incoming,
    for_job: bool,
) -> Result<Received, Failed> {
    let media = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?").to_owned());
    let essence = media.as_deref().map(essence).unwrap_or_default();
    if essence == "application/json" {
        let max = config.server.max_body;
        let (body, memory) = body::read(incoming, headers, max, &gateway.budget).await?;
        let none = (None, None, None);
        let (query, (arrived, media, name)) = (String::new(), none);
        return Ok(Received { query, body, arrived, media, name, memory });
    }
    let most = config.server.max_document;
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let length: Option<u64> = length;
    if length.is_some_and(|length| length > most.saturating_add(form::MOST_BESIDE)) {
        let message =
            format!("the document is larger than {most} bytes; see max_document in [server]");
        return Err(unread(Error::new(Kind::TooLarge, message)));
    }
    let memory = gateway.budget.reserve(PASSING_BYTES);
    let memory = memory.map_err(|shed| unread(budget_error(&shed)))?;
    let spool = gateway.summaries.spool().map_err(unread)?;
    let lasting = gateway.queue.facts().document_bytes;
    let arriving = spool.begin(most, lasting, for_job).await.map_err(unread)?;
    if essence == "multipart/form-data" {
        let boundary = Boundary::of(media.as_deref().unwrap_or_default()).map_err(unread)?;
        return form::receive(incoming, boundary, arriving, memory).await;
    }
    let arrived = spooled(incoming, arriving).await?;
    let (query, body, name) = (String::new(), Bytes::new(), file_name(headers));
    Ok(Received { query, body, arrived: Some(arrived), media, name, memory })
}

async fn spooled(mut incoming: Incoming, mut arriving: Arriving) -> Result<Arrived, Failed> {
    while let Some(frame) = incoming.frame().await {
        let frame = frame
            .map_err(|error| unread(Error::invalid(format!("the document broke off: {error}"))))?;
        let Ok(data) = frame.into_data() else { continue };
        arriving.push(&data).await.map_err(unread)?;
    }
    Ok(finish(arriving).await?)
}

pub(super) async fn finish(arriving: Arriving) -> Result<Arrived, Error> {
    if arriving.bytes() == 0 {
        return Err(Error::invalid(
            "the body is empty: send the document in its own type, or JSON with its text",
        ));
    }
    arriving.finish().await
}

/// The name that a client gives its document (RFC 6266): its ending tells the kind where the type does
/// not.
fn file_name(headers: &HeaderMap) -> Option<String> {
    let disposition = headers.get(CONTENT_DISPOSITION)?.to_str().ok()?;
    let mut parameters = disposition.split(';').filter_map(|part| part.trim().split_once('='));
    parameters.find_map(|(name, value)| match name.trim().to_ascii_lowercase().as_str() {
        "filename" => Some(value.trim().trim_matches('"').to_owned()),
        "filename*" => {
            let encoded = value.trim().rsplit('\'').next()?;
            percent_decode_str(encoded).decode_utf8().ok().map(|name| name.into_owned())
        }
        _ => None,
    })
}

/// The text of `{"text": ..., "length": ...}`; its other fields are options.
pub(super) fn text_and_options(body: &[u8], wish: &mut Wish) -> Result<String, Error> {
    const FORM: &str = "a summary is asked for with {\"text\": \"...\"}, and model, length, style, language, focus and locality where they are wanted; or with the document itself in its own Content-Type";
    check_depth(body)?;
    let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
        return Err(Error::invalid(format!("the body must be a JSON object: {FORM}")));
    };
    let mut text = None;
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("text", Value::String(words)) => text = Some(words),
            ("text", _) => return Err(Error::invalid_field("text", "text must be text")),
            (name, Value::String(word)) => wish.set(name, &word)?,
            (name, Value::Number(number)) => wish.set(name, &number.to_string())?,
            (_, Value::Null) => {}
            (name, _) => {
                return Err(Error::invalid_field(name, format!("{name} must be a word: {FORM}")));
            }
        }
    }
    let text =
        text.ok_or_else(|| Error::invalid_field("text", format!("text is missing: {FORM}")))?;
    if text.trim().is_empty() {
        return Err(Error::invalid_field("text", "text is empty: put the document there"));
    }
    Ok(text)
}
