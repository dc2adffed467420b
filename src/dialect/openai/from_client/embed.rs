//! A client's request for embeddings.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::{EmbedInput, EmbedRequest, Error};
use crate::dialect::body::{model, object};
use crate::dialect::field::{Raw, field};

#[derive(Deserialize)]
struct EmbedBody<'a> {
    #[serde(borrow)]
    model: Raw<'a>,
    #[serde(borrow)]
    input: Raw<'a>,
    #[serde(borrow)]
    dimensions: Raw<'a>,
    #[serde(borrow)]
    encoding_format: Raw<'a>,
}

/// Decodes a request for embeddings. Returns with it where the model's name stands in the body,
/// quotes included.
///
/// # Errors
/// What is wrong, naming the field.
pub fn decode_embed(body: &[u8]) -> Result<(EmbedRequest, Range<usize>), Error> {
    let fields: EmbedBody<'_> = object(body)?;
    let (model, span) = model(body, fields.model)?;
    let encoding: Option<String> = field("encoding_format", fields.encoding_format)?;
    let base64 = match encoding.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => {
            let words = "encoding_format must be float or base64";
            return Err(Error::invalid_field("encoding_format", words));
        }
    };
    let dimensions = field("dimensions", fields.dimensions)?;
    let input = embed_input("input", fields.input)?;
    Ok((EmbedRequest { model, input, dimensions, base64, keep_alive: None }, span))
}

pub(in crate::dialect) fn embed_input(name: &str, raw: Raw<'_>) -> Result<EmbedInput, Error> {
    let wanted = || {
        let words = "must be text, a list of texts, or lists of token numbers, and not empty";
        Error::invalid_field(name, format!("{name} {words}"))
    };
    let raw = raw.ok_or_else(wanted)?;
    let text = raw.get();
    let texts = match text.as_bytes() {
        [b'"', ..] => vec![serde_json::from_str(text).map_err(|_| wanted())?],
        [b'[', ..] => match serde_json::from_str::<Vec<String>>(text) {
            Ok(texts) => texts,
            Err(_) => return tokens(raw).ok_or_else(wanted),
        },
        _ => return Err(wanted()),
    };
    if texts.is_empty() { Err(wanted()) } else { Ok(EmbedInput::Texts(texts)) }
}

fn tokens(raw: &RawValue) -> Option<EmbedInput> {
    let one = serde_json::from_str::<Vec<u32>>(raw.get()).is_ok();
    let many = || serde_json::from_str::<Vec<Vec<u32>>>(raw.get()).is_ok();
    (one || many()).then(|| EmbedInput::Tokens(raw.to_owned()))
}
