//! How many tokens a prompt will be, without a tokenizer: by the kind of its characters.
//!
//! Byte-pair vocabularies give English prose about four bytes a token, digits and punctuation
//! about two, and other scripts fewer bytes still. Each model's real counts correct this later.

use crate::chat::{EmbedInput, EmbedRequest, Part, Request};

/// What a chat template puts around each turn.
const TURN_TOKENS: u32 = 6;

/// A picture, whatever its size: what vision models of this class use.
const IMAGE_TOKENS: u32 = 800;

/// The estimated tokens of a chat request's prompt.
pub fn prompt_tokens(request: &Request) -> u32 {
    let mut twelfths = 0_usize;
    let mut tokens = 0_u32;
    for message in &request.messages {
        tokens = tokens.saturating_add(TURN_TOKENS);
        for part in &message.parts {
            match part {
                Part::Text(text) => twelfths = twelfths.saturating_add(weigh(text)),
                Part::Image(_) => tokens = tokens.saturating_add(IMAGE_TOKENS),
                Part::Other(_) | Part::Thinking { .. } => {}
            }
        }
        for call in &message.tool_calls {
            twelfths = twelfths.saturating_add(weigh(&call.name) + weigh(&call.arguments));
        }
    }
    for tool in &request.tools {
        let parameters = tool.parameters.as_ref().map_or("", |it| it.get());
        twelfths += weigh(&tool.name) + weigh(parameters);
        twelfths += tool.description.as_deref().map_or(0, weigh);
    }
    tokens.saturating_add(whole(twelfths))
}

/// The estimated tokens of the longest text to be embedded: each is a prompt of its own.
pub fn embed_tokens(request: &EmbedRequest) -> u32 {
    match &request.input {
        EmbedInput::Texts(texts) => {
            whole(texts.iter().map(|text| weigh(text)).max().unwrap_or_default())
        }
        EmbedInput::Tokens(_) => 0,
    }
}

/// What a text weighs in twelfths of a token: 3 a letter (4 bytes a token), 6 a digit or sign, 8 any
/// other byte. Always the sum of its parts' weights.
pub fn weigh(text: &str) -> usize {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b' ' => 3,
            0x80.. => 8,
            _ => 6,
        })
        .sum()
}

fn whole(twelfths: usize) -> u32 {
    u32::try_from(twelfths.div_ceil(12)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Message, Role};

    fn ask(text: &str) -> Request {
        Request {
            messages: vec![Message::new(Role::User, vec![Part::Text(text.to_owned())])],
            ..Request::default()
        }
    }

    #[test]
    fn by_kind_of_character() {
        assert_eq!(prompt_tokens(&ask("")), 6);
        assert_eq!(prompt_tokens(&ask(&"word ".repeat(400))), 6 + 500);
        assert_eq!(prompt_tokens(&ask(&"1234".repeat(100))), 6 + 200);
        assert_eq!(prompt_tokens(&ask(&"語".repeat(100))), 6 + 200);
    }
}
