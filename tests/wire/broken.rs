//! Decoders fed with what is broken: the fixtures, with bytes changed, cut, doubled and mixed. No
//! input may end the program, and a stream holds no more than it is allowed.

use bytes::Bytes;
use edgehold::chat::Request;
use edgehold::dialect::{
    Dialect, Door, Relay, Stamp, Took, anthropic, decode_error, gemini, ollama, openai, violation,
};
use serde_json::value::RawValue;

use crate::golden::fixture;
use crate::random::Random;

/// Broken inputs for each decoder, unless `EDGEHOLD_FUZZ` says another number.
const INPUTS: u64 = 2_000;

const CORPUS: [&str; 17] = [
    "anthropic/client.json",
    "anthropic/response.json",
    "anthropic/stream.sse",
    "gemini/response.json",
    "gemini/stream.sse",
    "ollama/answer.ndjson",
    "ollama/client.json",
    "ollama/stream.ndjson",
    "ollama/tools.ndjson",
    "openai/client.json",
    "openai/llama-server.sse",
    "openai/request.json",
    "openai/response.json",
    "openai/stream.sse",
    "responses/client.json",
    "anthropic/asked.json",
    "gemini/asked.json",
];

/// What a grammar trips over.
const WORDS: [&str; 24] = [
    "null",
    "true",
    "\"\"",
    "{}",
    "[]",
    "-1",
    "1e999",
    "18446744073709551616",
    "0.1",
    "\"a\"",
    "[[[[[[",
    "}}}}",
    ",",
    ":",
    "\n\n",
    "\r\n\r\n",
    "data: ",
    "event: error\n",
    "[DONE]",
    "\\ud800",
    "\u{feff}",
    "\u{0}",
    "\"error\":{\"message\":1},",
    "\"index\":4294967295,",
];

const DIALECTS: [Dialect; 4] =
    [Dialect::Anthropic, Dialect::Gemini, Dialect::Ollama, Dialect::OpenAi];
const DOORS: [Door; 7] = [
    Door::Ask,
    Door::Chat,
    Door::Completions,
    Door::Generate,
    Door::Messages,
    Door::OllamaChat,
    Door::Responses,
];

fn inputs() -> u64 {
    std::env::var("EDGEHOLD_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(INPUTS)
}

/// Calls `decode` with broken inputs. The seed is in the panic's place: it is printed first.
fn fuzz(name: &str, decode: impl Fn(&[u8], &mut Random) + std::panic::RefUnwindSafe) {
    let corpus: Vec<Vec<u8>> = CORPUS.iter().map(|name| fixture(name)).collect();
    for seed in 0..inputs() {
        let mut random = Random::new(seed + 1);
        let bytes = mutated(&corpus, &mut random);
        let tried = std::panic::catch_unwind(|| {
            let mut random = Random::new(seed + 1);
            decode(&bytes, &mut random);
        });
        assert!(tried.is_ok(), "{name}, seed {seed}: {:?}", String::from_utf8_lossy(&bytes));
    }
}

fn mutated(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = random.pick(corpus).clone();
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(40)).min(bytes.len());
        match random.below(6) {
            0 if at < bytes.len() => bytes[at] = random.next().to_le_bytes()[0],
            1 => drop(bytes.drain(at..end)),
            2 => bytes.truncate(at),
            3 => {
                let word = random.pick(&WORDS).as_bytes().to_vec();
                bytes.splice(at..end, word);
            }
            4 => {
                let other = random.pick(corpus);
                let from = random.below(other.len());
                let to = (from + random.below(200)).min(other.len());
                bytes.splice(at..at, other[from..to].to_vec());
            }
            _ => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}

fn request() -> Request {
    Request { include_usage: true, ..Request::default() }
}

#[test]
fn clients_requests() {
    fuzz("requests", |bytes, _| {
        for door in DOORS {
            let Ok((request, span)) = door.decode(bytes) else { continue };
            assert!(span.end <= bytes.len());
            // What was read can be written for every provider, or is refused by name.
            request.needs();
            openai::chat_body(
                &request,
                &openai::Wishes { model: "m", omit: &[], is_official: true },
            )
            .ok();
            anthropic::chat_body(&request, &anthropic::Wishes { model: "m", omit: &[] }).ok();
            gemini::chat_body(&request, &gemini::Wishes { model: "m", omit: &[] }).ok();
            let options = ollama::Options { num_ctx: 2048, keep_alive: "10m", thinks: true };
            ollama::chat_body(&request, "m", &options).ok();
            ollama::generate_body(&request, "m", &options).ok();
            ollama::own_body(bytes, "m", &options, true).ok();
        }
        anthropic::decode_count(bytes).ok();
        openai::decode_embed(bytes).ok();
        ollama::decode_embed(bytes).ok();
        ollama::decode_embeddings(bytes).ok();
        ollama::decode_show(bytes).ok();
    });
}

#[test]
fn providers_answers() {
    fuzz("answers", |bytes, _| {
        for dialect in DIALECTS {
            dialect.decode_vectors(bytes).ok();
            for door in DOORS {
                dialect.check_response(door, bytes).ok();
            }
            decode_error(dialect, 429, bytes);
            let Ok(response) = dialect.decode_response(bytes) else { continue };
            for door in DOORS {
                door.encode(&request(), &response, &Stamp::default(), Took::default());
            }
        }
        openai::decode_models(bytes).ok();
        gemini::decode_models(bytes).ok();
        ollama::decode_tags(bytes).ok();
        ollama::read_show(bytes).ok();
        anthropic::decode_count_answer(bytes).ok();
    });
}

#[test]
fn providers_streams() {
    // So small that inputs pass it.
    const MOST: usize = 512;
    fuzz("streams", |bytes, random| {
        for dialect in DIALECTS {
            let door = *random.pick(&DOORS);
            let relay = match random.chance() {
                true => Relay::verbatim(dialect, door, MOST),
                false => Relay::translating(dialect, door, &request(), Stamp::default(), MOST),
            };
            let mut relay = relay;
            let mut out = Vec::new();
            let mut rest = bytes;
            let mut whole = true;
            while !rest.is_empty() && whole {
                let (piece, more) = rest.split_at(1 + random.below(rest.len()));
                whole = relay.push(&Bytes::copy_from_slice(piece), &mut out).is_ok();
                let held = relay.held_bytes();
                // One event more may be gathered before it is looked at.
                assert!(!whole || held <= 4 * MOST, "{held} bytes are held");
                rest = more;
            }
            if whole {
                relay.end(&mut out).ok();
            }
            relay.error(&edgehold::chat::Error::invalid("why"), &mut out);
        }
    });
}

#[test]
fn schemas() {
    fuzz("schemas", |bytes, random| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let schema = random.pick(&[
            r##"{"type":"object","properties":{"model":{"type":"string"}},"anyOf":[{"$ref":"#"}]}"##,
            r##"{"oneOf":[{"$ref":"#"},{"$ref":"#/oneOf/0"}],"items":{"$ref":"#"}}"##,
        ]);
        let schema: Box<RawValue> = serde_json::from_str(schema).unwrap();
        violation(&schema, text);
        if let Ok(schema) = serde_json::from_str::<Box<RawValue>>(text) {
            violation(&schema, text);
        }
    });
}

/// The rig itself: a decoder that cannot stand a byte of its input is noticed.
#[test]
#[should_panic(expected = "fragile, seed")]
fn a_fragile_decoder_is_noticed() {
    fuzz("fragile", |bytes, _| assert!(!bytes.contains(&0)));
}
