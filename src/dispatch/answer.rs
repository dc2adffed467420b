//! What came of a request.

use bytes::Bytes;

use crate::budget::Reservation;
use crate::chat::{EmbedResponse, Response};
use crate::config::{Place, Target};
use crate::dispatch::stream::AnswerStream;

/// Who answered, and after how many attempts.
#[derive(Debug, Clone)]
pub struct Trail {
    /// Who answered.
    pub target: Target,
    /// How many calls were made, the one that answered among them.
    pub attempts: u32,
    /// Where it was answered.
    pub place: Place,
}

/// An answer to a chat request.
#[derive(Debug)]
pub struct Answer {
    /// Who answered.
    pub trail: Trail,
    /// The answer.
    pub body: AnswerBody,
}

/// An answer, whole or as it comes.
#[derive(Debug)]
pub enum AnswerBody {
    /// The whole of it, to be written in the client's dialect.
    Decoded(Response, Reservation),
    /// The whole of it, as the provider wrote it in the client's dialect.
    Raw(Bytes, Reservation),
    /// A stream in the client's dialect whose first token has come.
    Stream(Box<AnswerStream>),
}

/// Vectors for texts.
#[derive(Debug)]
pub struct EmbedAnswer {
    /// Who answered.
    pub trail: Trail,
    /// The answer.
    pub body: EmbedBody,
    /// The memory it takes.
    pub reservation: Reservation,
}

/// Vectors, as they came.
#[derive(Debug)]
pub enum EmbedBody {
    /// As the provider wrote it, in the client's dialect.
    Raw(Bytes),
    /// To be written in the client's dialect.
    Decoded(EmbedResponse),
}
