//! An answer in JSON that is asked for in words, where a provider has no better way.

use crate::chat::Format;

/// The words, with the schema where there is one.
pub(super) fn json_in_words(format: &Format) -> String {
    let words = "Answer with one JSON value and nothing else: no fences, no words around it.";
    match format {
        Format::Schema(it) => {
            format!("{words} It must follow this JSON schema: {}", it.schema.get())
        }
        Format::Json | Format::Text => words.to_owned(),
    }
}
