//! How large things may be: one table. What a device's memory decides stands in the configuration
//! (`max_body`, `max_answer`); what is here is beyond what any client or provider has a use for.
//!
//! | what | bound | where it is passed |
//! | --- | --- | --- |
//! | nesting of a client's JSON | [`DEEPEST_JSON`] | 400 |
//! | nesting of a provider's JSON | 128, the parser's own | no answer: the next target |
//! | a frame: an SSE block, an NDJSON line | `max_answer` | [`Limit::Frame`] |
//! | a tool call's arguments | [`LONGEST_ARGUMENTS`] | [`Limit::Arguments`] |
//! | tool calls of one answer | [`MOST_CALLS`] | [`Limit::Calls`] |
//! | what is gathered of a stream | `max_answer` | [`Limit::Gathered`] |

use std::fmt;

use crate::chat::Event;
use crate::dialect::Broken;

/// Deepest nesting of a client's JSON: what is deeper is an attack on a parser's stack.
pub const DEEPEST_JSON: usize = 32;

/// Most bytes of one tool call's arguments.
pub const LONGEST_ARGUMENTS: usize = 1024 * 1024;

/// Most tool calls of one answer.
pub const MOST_CALLS: u32 = 128;

/// A bound that a provider's answer passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// A tool call's arguments.
    Arguments,
    /// Tool calls of one answer.
    Calls,
    /// One event of a stream.
    Frame,
    /// What has to be held of a stream until it ends.
    Gathered,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arguments => {
                write!(f, "a tool call of it has more than {LONGEST_ARGUMENTS} bytes of arguments")
            }
            Self::Calls => write!(f, "it calls more than {MOST_CALLS} tools"),
            Self::Frame => f.write_str("one event of it is larger than max_answer"),
            Self::Gathered => {
                f.write_str("what has to be held of it until its end is larger than max_answer")
            }
        }
    }
}

/// Counts what tool calls a stream brings.
#[derive(Debug, Default)]
pub(super) struct CallBounds {
    index: u32,
    bytes: usize,
}

impl CallBounds {
    pub(super) fn hear(&mut self, event: &Event) -> Result<(), Broken> {
        let Event::ToolCall(call) = event else { return Ok(()) };
        if call.index >= MOST_CALLS {
            return Err(Broken::TooLong(Limit::Calls));
        }
        if call.index != self.index {
            *self = Self { index: call.index, bytes: 0 };
        }
        self.bytes += call.arguments.len();
        match self.bytes > LONGEST_ARGUMENTS {
            true => Err(Broken::TooLong(Limit::Arguments)),
            false => Ok(()),
        }
    }
}
