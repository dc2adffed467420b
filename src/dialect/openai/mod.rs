//! OpenAI's dialect: Chat Completions and Embeddings, as its API reference has them.

mod decode;
mod encode;
mod look;
mod response;
mod stream;

use std::ops::Range;

use serde_json::value::RawValue;

use crate::chat::Error;

pub use decode::{decode_chat, decode_embed};
pub use encode::{Stamp, encode_embeddings, encode_error, encode_response};
pub use response::{check_embeddings, check_response, decode_models, decode_response};
pub use stream::StreamEncoder;

pub(in crate::dialect) use look::look;

/// Where a value stands in the body that it was parsed from.
fn span_of(body: &[u8], value: &RawValue) -> Range<usize> {
    // The value borrows from the body, so the difference of the addresses is its index.
    let start = (value.get().as_ptr() as usize).wrapping_sub(body.as_ptr() as usize);
    start..start + value.get().len()
}

/// The body with another model's name in it and every other byte as it was: fields that we do
/// not know still reach a provider of the client's own dialect.
pub fn with_model(body: &[u8], span: &Range<usize>, model: &str) -> Vec<u8> {
    let mut spliced = Vec::with_capacity(body.len() + model.len() + 8);
    spliced.extend_from_slice(body.get(..span.start).unwrap_or_default());
    // Writing text into memory cannot fail.
    serde_json::to_writer(&mut spliced, model).ok();
    spliced.extend_from_slice(body.get(span.end..).unwrap_or_default());
    spliced
}

/// A client's body that is no JSON, or no object. A wrong value is not repeated: it can be a prompt.
fn not_json(error: &serde_json::Error) -> Error {
    let text = error.to_string();
    Error::invalid(if text.starts_with("invalid") {
        "the body must be a JSON object".to_owned()
    } else {
        format!("the body is not the JSON that is wanted: {text}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_models_name_changes() {
        let body =
            r#" {"a":{"model":"no"},"model" : "m\u00e9" ,"input":"i","x":[1,2.50,"\u0041"]}"#;
        let (request, span) = decode_embed(body.as_bytes()).unwrap();
        assert_eq!(request.model, "m\u{e9}");
        let spliced = with_model(body.as_bytes(), &span, "new \"one\"");
        let want = body.replace(r#""m\u00e9""#, r#""new \"one\"""#);
        assert_eq!(String::from_utf8(spliced).unwrap(), want);
    }
}
