//! What a request needs of the target that answers it.

use std::fmt;

use crate::chat::{Format, Image, Part, Request, ToolChoice};

/// Something that not every target can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// Turning text into vectors.
    Embeddings,
    /// A field that only providers of the client's own dialect know.
    Exotic(String),
    /// Calling a tool because the request says so.
    ForcedTool,
    /// Fetching a picture by its address.
    ImageUrls,
    /// Looking at pictures.
    Images,
    /// Filling a gap between two texts.
    Insert,
    /// Loading or unloading a model without a question.
    Loading,
    /// Answering as a model does: an extract of sentences is none.
    Model,
    /// Going on with a text without a chat template.
    RawPrompt,
    /// Answering by a JSON schema.
    Schema,
    /// Taking token numbers in place of text.
    TokenInput,
    /// Calling tools.
    Tools,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embeddings => f.write_str("embeddings"),
            Self::Exotic(field) => write!(f, "{field}, which is of the client's dialect alone"),
            Self::ForcedTool => f.write_str("a tool_choice that forces a call"),
            Self::ImageUrls => {
                f.write_str("an image by its address (send it as base64: edgehold fetches nothing)")
            }
            Self::Images => f.write_str("images"),
            Self::Insert => f.write_str("a suffix to be led to"),
            Self::Loading => f.write_str("loading a model without a question"),
            Self::Model => f.write_str("anything but POST /v1/summaries: it is no model"),
            Self::RawPrompt => f.write_str("a raw prompt"),
            Self::Schema => f.write_str("json_schema"),
            Self::TokenInput => f.write_str("input as token numbers"),
            Self::Tools => f.write_str("tools"),
        }
    }
}

impl Request {
    /// All that it needs of a target.
    pub fn needs(&self) -> Vec<Need> {
        let mut needs: Vec<Need> =
            self.exotic.iter().map(|field| Need::Exotic((*field).to_owned())).collect();
        for part in self.messages.iter().flat_map(|message| &message.parts) {
            let need = match part {
                Part::Image(Image::Base64 { .. }) => Need::Images,
                Part::Image(Image::Url(_)) => {
                    needs.push(Need::Images);
                    Need::ImageUrls
                }
                Part::Other(kind) => Need::Exotic(format!("content of type {kind}")),
                Part::Text(_) | Part::Thinking { .. } => continue,
            };
            if !needs.contains(&need) {
                needs.push(need);
            }
        }
        if !self.tools.is_empty() && self.tool_choice != ToolChoice::None {
            needs.push(Need::Tools);
            if self.tool_choice != ToolChoice::Auto {
                needs.push(Need::ForcedTool);
            }
        }
        if matches!(self.format, Format::Schema(_)) {
            needs.push(Need::Schema);
        }
        if self.messages.is_empty() {
            needs.push(Need::Loading);
        }
        if let Some(prompt) = &self.prompt {
            if prompt.raw {
                needs.push(Need::RawPrompt);
            }
            if prompt.suffix.is_some() {
                needs.push(Need::Insert);
            }
        }
        needs
    }
}
