//! Every dialect's answer is the same answer, and what we write is what was written before.

use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use edgehold::chat::{Event, FinishReason, Response, Usage};
use edgehold::dialect::{Dialect, Door, Relay, Stamp, Took, anthropic, gemini, ollama, openai};
use serde_json::Value;

pub fn fixture(name: &str) -> Vec<u8> {
    let path = path(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Holds what was written against the kept file.
fn hold(name: &str, written: &[u8]) {
    if std::env::var_os("EDGEHOLD_WRITE_GENERATED").is_some() {
        fs::write(path(name), written).unwrap();
    }
    let kept = String::from_utf8(fixture(name)).unwrap();
    assert_eq!(String::from_utf8_lossy(written), kept, "{name}");
}

const STREAMS: [(Dialect, &str); 4] = [
    (Dialect::Anthropic, "anthropic/stream.sse"),
    (Dialect::Gemini, "gemini/stream.sse"),
    (Dialect::Ollama, "ollama/answer.ndjson"),
    (Dialect::OpenAi, "openai/stream.sse"),
];

const DOORS: [(Door, &str); 5] = [
    (Door::Chat, "openai/written.sse"),
    (Door::Generate, "ollama/written-generate.ndjson"),
    (Door::Messages, "anthropic/written.sse"),
    (Door::OllamaChat, "ollama/written.ndjson"),
    (Door::Responses, "responses/written.sse"),
];

/// What every fixture says, but for what its dialect cannot say.
fn check(response: &Response, dialect: Dialect) {
    assert_eq!(response.thinking, "The city is grün 🦀.");
    assert_eq!(response.text, "Let me \"look\".");
    let calls: Vec<(&str, Value)> = response
        .tool_calls
        .iter()
        .map(|it| (it.name.as_str(), serde_json::from_str(&it.arguments).unwrap()))
        .collect();
    let weather: Value = serde_json::json!({"city": "Graz", "days": [1, 2]});
    assert_eq!(calls, [("weather", weather), ("time", serde_json::json!({}))]);
    assert_eq!(response.finish, Some(FinishReason::ToolCalls));
    let cached_tokens = if dialect == Dialect::Ollama { 0 } else { 2 };
    let reasoning_tokens = if matches!(dialect, Dialect::Gemini | Dialect::OpenAi) { 8 } else { 0 };
    let usage = Usage { input_tokens: 12, output_tokens: 30, cached_tokens, reasoning_tokens };
    assert_eq!(response.usage, Some(usage), "{dialect:?}");
    let seal = (dialect == Dialect::Gemini).then_some("c2VhbA==");
    assert_eq!(response.tool_calls[0].signature.as_deref(), seal);
    let seal = (dialect == Dialect::Anthropic).then_some("c2VhbA==");
    assert_eq!(response.signature.as_deref(), seal);
}

#[test]
fn whole_answers_of_all_dialects_are_the_same_answer() {
    for dialect in [Dialect::Anthropic, Dialect::Gemini, Dialect::OpenAi] {
        let name = format!("{dialect:?}").to_lowercase();
        let body = fixture(&format!("{name}/response.json"));
        check(&dialect.decode_response(&body).unwrap(), dialect);
    }
}

fn stamp() -> Stamp {
    Stamp { id: "7".to_owned(), created: 1_730_000_000, model: "home".to_owned() }
}

fn request() -> edgehold::chat::Request {
    let (mut request, _) = Door::Responses.decode(&fixture("responses/client.json")).unwrap();
    request.include_usage = true;
    request
}

/// What a client gets when the provider sends these pieces and ends.
fn relayed(dialect: Dialect, door: Door, pieces: &[&[u8]]) -> Vec<u8> {
    let mut relay = Relay::translating(dialect, door, &request(), stamp(), 1 << 20);
    let mut out = Vec::new();
    for piece in pieces {
        relay.push(&Bytes::copy_from_slice(piece), &mut out).unwrap();
    }
    relay.end(&mut out).unwrap();
    assert!(relay.facts().done && relay.facts().usage.is_some());
    out.concat()
}

/// The answer that a stream adds up to, read back from the chat that it is written as.
fn gathered(dialect: Dialect, pieces: &[&[u8]]) -> Response {
    let written = relayed(dialect, Door::Chat, pieces);
    let mut response = Response::default();
    let mut decoder = openai::StreamDecoder::default();
    for block in String::from_utf8(written).unwrap().split("\n\n") {
        let Some(data) = block.strip_prefix("data: ") else { continue };
        decoder
            .data(data.as_bytes(), &mut |event| {
                // Only a usage that is there counts.
                if !matches!(event, Event::Done) {
                    response.add(event);
                }
                Ok(())
            })
            .unwrap();
    }
    response
}

#[test]
fn streams_of_all_dialects_are_the_same_answer_wherever_they_are_cut() {
    for (dialect, name) in STREAMS {
        let bytes = fixture(name);
        let whole = relayed(dialect, Door::Messages, &[&bytes]);
        let mut response = gathered(dialect, &[&bytes]);
        // OpenAI's form has no place for a seal on a thought.
        response.signature = (dialect == Dialect::Anthropic).then(|| "c2VhbA==".to_owned());
        check(&response, dialect);
        for at in 0..=bytes.len() {
            let (one, two) = bytes.split_at(at);
            assert!(relayed(dialect, Door::Messages, &[one, two]) == whole, "{name} cut at {at}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert!(relayed(dialect, Door::Messages, &single) == whole, "{name} byte by byte");
    }
}

#[test]
fn what_clients_get() {
    let response = Dialect::Anthropic.decode_response(&fixture("anthropic/response.json")).unwrap();
    let took = Took {
        to_first: std::time::Duration::from_millis(2),
        total: std::time::Duration::from_millis(5),
    };
    let bytes = fixture("anthropic/stream.sse");
    for (door, name) in DOORS {
        let whole = door.encode(&request(), &response, &stamp(), took);
        let (folder, rest) = name.split_once('/').unwrap();
        let stem = rest.split_once('.').unwrap().0;
        hold(&format!("{folder}/{stem}.json"), &[whole, b"\n".to_vec()].concat());
        hold(name, &relayed(Dialect::Anthropic, door, &[&bytes]));
    }
    let text = Response { text: "on and on".to_owned(), ..Response::default() };
    let whole = Door::Completions.encode(&request(), &text, &stamp(), took);
    hold("openai/written-completion.json", &[whole, b"\n".to_vec()].concat());
}

#[test]
fn what_providers_are_asked() {
    let (request, _) = Door::Chat.decode(&fixture("openai/request.json")).unwrap();
    let wishes = openai::Wishes { model: "m", omit: &[], is_official: true };
    hold("openai/asked.json", &line(openai::chat_body(&request, &wishes).unwrap()));
    let wishes = anthropic::Wishes { model: "claude-opus-4-5", omit: &[] };
    hold("anthropic/asked.json", &line(anthropic::chat_body(&request, &wishes).unwrap()));
    let wishes = gemini::Wishes { model: "gemini-3-pro", omit: &[] };
    hold("gemini/asked.json", &line(gemini::chat_body(&request, &wishes).unwrap()));
    let options = ollama::Options { num_ctx: 4096, keep_alive: "10m", thinks: true };
    hold("ollama/asked.json", &line(ollama::chat_body(&request, "m", &options).unwrap()));
}

fn line(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.push(b'\n');
    bytes
}
