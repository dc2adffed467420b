//! OpenAI's Responses, without a memory: nothing is stored but what a client comes for later, so
//! nothing can be referred to
//! (platform.openai.com/docs/api-reference/responses).

mod from_client;
mod object;
mod write_stream;

pub use from_client::decode_responses;
pub(in crate::dialect) use from_client::unknown_fields;
pub use object::{Waiting, encode_response, encode_unanswered};
pub use write_stream::StreamEncoder;
