//! A look at one frame of a stream that goes on as it came. Borrowed throughout: nothing is
//! allocated for a frame whose text needs no unescaping.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::chat::{Error, FinishReason, Kind};
use crate::dialect::openai::from_provider::{UsageFields, finish_reason};
use crate::dialect::refusal::{Class, decode_error};
use crate::dialect::{BadAnswer, Broken, Dialect, Facts};

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(default)]
    choices: Seen,
    #[serde(default)]
    usage: Option<UsageFields>,
    #[serde(default, borrow)]
    error: Option<&'a RawValue>,
}

/// What the choices of a chunk hold.
#[derive(Default)]
struct Seen {
    token: bool,
    finish: Option<FinishReason>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default, borrow)]
    delta: Option<Delta<'a>>,
    /// The answer of /completions.
    #[serde(default, borrow)]
    text: Option<&'a RawValue>,
    #[serde(default, borrow)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(default, borrow)]
    content: Option<&'a RawValue>,
    #[serde(default, borrow)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(default, borrow)]
    reasoning: Option<&'a RawValue>,
    #[serde(default, borrow)]
    refusal: Option<&'a RawValue>,
    #[serde(default)]
    tool_calls: Option<IgnoredAny>,
}

fn said(raw: Option<&RawValue>) -> bool {
    raw.is_some_and(|it| !matches!(it.get(), "null" | "\"\""))
}

impl Delta<'_> {
    fn has_token(&self) -> bool {
        said(self.content)
            || said(self.reasoning_content)
            || said(self.reasoning)
            || said(self.refusal)
            || self.tool_calls.is_some()
    }
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Choices;
        impl<'de> Visitor<'de> for Choices {
            type Value = Seen;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of choices")
            }

            fn visit_unit<E>(self) -> Result<Seen, E> {
                Ok(Seen::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut choices: A) -> Result<Seen, A::Error> {
                let mut seen = Seen::default();
                while let Some(choice) = choices.next_element::<Choice<'de>>()? {
                    seen.token |= choice.delta.as_ref().is_some_and(Delta::has_token);
                    seen.token |= said(choice.text);
                    if let Some(word) = choice.finish_reason {
                        seen.finish = Some(finish_reason(&word));
                    }
                }
                Ok(seen)
            }
        }
        deserializer.deserialize_any(Choices)
    }
}

/// Looks at the data of one frame.
///
/// # Errors
/// It is no event, or it reports a failure: the official client raises if any event has a truthy
/// top-level `error`.
pub(in crate::dialect) fn look(data: &[u8], facts: &mut Facts) -> Result<(), Broken> {
    let data = data.trim_ascii();
    if data.is_empty() {
        return Ok(());
    }
    if data == b"[DONE]" {
        facts.done = true;
        return Ok(());
    }
    let chunk: Chunk<'_> = serde_json::from_slice(data).map_err(|error| BadAnswer::json(&error))?;
    if chunk.error.is_some_and(is_failure) {
        return Err(Broken::Error(reported(data)));
    }
    facts.first_token |= chunk.choices.token || chunk.choices.finish.is_some();
    facts.finish = chunk.choices.finish.or(facts.finish);
    facts.usage = chunk.usage.map(UsageFields::into).or(facts.usage);
    Ok(())
}

/// Whether what stands at `error` tells of one.
pub(super) fn is_failure(raw: &RawValue) -> bool {
    !matches!(raw.get(), "null" | "false" | "\"\"" | "{}")
}

/// A failure that came inside a stream. There is no status any more, so its words decide.
pub(super) fn reported(data: &[u8]) -> Error {
    let refusal = decode_error(Dialect::OpenAi, 400, data);
    let code = refusal.code.as_deref().unwrap_or_default();
    let kind = match (refusal.class, code) {
        (Class::ContextLength, _) => Kind::ContextLength,
        (_, "invalid_request_error" | "400") => Kind::Invalid,
        (_, "rate_limit_exceeded" | "rate_limit_error" | "429") => Kind::RateLimited,
        (_, "overloaded_error" | "overloaded" | "503" | "529") => Kind::Unavailable,
        _ => Kind::Upstream,
    };
    Error::new(kind, refusal.message)
}
