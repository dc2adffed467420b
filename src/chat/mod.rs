//! The neutral vocabulary: what a client asked, what a model answered, what went wrong.
//!
//! Data only: no I/O, no clock, no logging, no wire format. Every dialect translates into these
//! types and out of them, so N dialects cost N translations and never N x M.

mod embed;
mod error;
mod event;
mod need;
mod request;
mod response;

pub use embed::{EmbedInput, EmbedRequest, EmbedResponse};
pub use error::{Error, Kind};
pub use event::{Event, FinishReason, ToolCallDelta, Usage};
pub use need::Need;
pub use request::{
    Effort, Format, Image, Message, Part, Prompt, Request, Role, Sampling, Schema, Tool, ToolCall,
    ToolChoice,
};
pub use response::{Response, add_call};
