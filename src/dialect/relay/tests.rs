//! Streams by their recorded forms, cut wherever a read can cut them.

use crate::chat::{Kind, ToolCall};

use crate::dialect::{LONGEST_ARGUMENTS, MOST_CALLS};

use super::*;

const MOST: usize = 64 * 1024;

/// As a llama-server b11669 sends it.
const LLAMA_SERVER: &str = include_str!("../../../tests/fixtures/openai/llama-server.sse");
/// As an Ollama 0.5.4 sends it.
const OLLAMA: &str = include_str!("../../../tests/fixtures/ollama/stream.ndjson");
const OLLAMA_TOOLS: &str = include_str!("../../../tests/fixtures/ollama/tools.ndjson");

fn to_openai() -> Relay {
    let stamp = Stamp { id: "7".to_owned(), created: 5, model: "home".to_owned() };
    let request = Request { include_usage: true, ..Request::default() };
    Relay::translating(Dialect::Ollama, Door::Chat, &request, stamp, MOST)
}

fn verbatim() -> Relay {
    Relay::verbatim(Dialect::OpenAi, Door::Chat, MOST)
}

/// What the client gets when the provider sends these pieces and ends.
fn relayed(mut relay: Relay, pieces: &[&[u8]]) -> (Result<(), Broken>, String, Facts) {
    let mut out = Vec::new();
    let mut done = Ok(());
    for piece in pieces {
        done = done.and_then(|()| relay.push(&Bytes::copy_from_slice(piece), &mut out));
    }
    let done = done.and_then(|()| relay.end(&mut out));
    let text = String::from_utf8(out.concat()).unwrap();
    (done, text, relay.facts().clone())
}

/// Every way to cut the text in two, and into single bytes.
fn cuts(text: &str) -> impl Iterator<Item = Vec<&[u8]>> {
    let bytes = text.as_bytes();
    let in_two = (0..=bytes.len()).map(|at| {
        let (one, two) = bytes.split_at(at);
        vec![one, two]
    });
    in_two.chain([bytes.chunks(1).collect(), bytes.chunks(7).collect()])
}

#[test]
fn a_stream_that_goes_on_as_it_came_loses_no_byte_wherever_it_is_cut() {
    let commented = LLAMA_SERVER.replacen("data:", ": keep-alive\n\nevent: message\ndata:", 2);
    for text in [LLAMA_SERVER.to_owned(), LLAMA_SERVER.replace('\n', "\r\n"), commented] {
        for pieces in cuts(&text) {
            let (done, out, facts) = relayed(verbatim(), &pieces);
            assert_eq!((done, out), (Ok(()), text.clone()));
            let usage = Usage { input_tokens: 13, output_tokens: 4, ..Usage::default() };
            let want = Facts {
                first_token: true,
                finish: Some(FinishReason::Length),
                usage: Some(usage),
                done: true,
            };
            assert_eq!(facts, want);
        }
    }
}

#[test]
fn whole_frames_are_not_copied() {
    let chunk = Bytes::from_static(LLAMA_SERVER.as_bytes());
    let mut out = Vec::new();
    verbatim().push(&chunk, &mut out).unwrap();
    assert_eq!(out.len(), 1, "what one read brought is one piece");
    assert_eq!(out[0].as_ptr(), chunk.as_ptr());
}

#[test]
fn a_translated_stream_is_the_same_wherever_it_is_cut() {
    for (text, golden) in [
        (OLLAMA, include_str!("../../../tests/fixtures/openai/from-ollama.sse")),
        (OLLAMA_TOOLS, include_str!("../../../tests/fixtures/openai/from-ollama-tools.sse")),
    ] {
        for pieces in cuts(text) {
            let (done, out, facts) = relayed(to_openai(), &pieces);
            assert_eq!((done, out.as_str()), (Ok(()), golden));
            assert!(facts.done && facts.first_token && facts.usage.is_some());
        }
    }
}

#[test]
fn a_gathered_stream_is_the_same_wherever_it_is_cut() {
    for pieces in cuts(OLLAMA_TOOLS) {
        let mut collector = Collector::ollama(MOST);
        for piece in pieces {
            collector.push(&Bytes::copy_from_slice(piece)).unwrap();
        }
        assert!(collector.facts().done && collector.size_bytes() > 0);
        let (response, last) = collector.end().unwrap();
        assert!(last.windows(4).any(|it| it == b"done"), "the last line is kept");
        assert_eq!(response.thinking, "The city is grün 🦀.");
        assert_eq!(response.finish, Some(FinishReason::ToolCalls));
        let call = |name: &str, arguments: &str| ToolCall {
            id: String::new(),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
            signature: None,
        };
        let want = [call("weather", r#"{"city":"Graz","days":[1,2]}"#), call("time", "{}")];
        assert_eq!(response.tool_calls, want);
    }
}

#[test]
fn the_first_token_is_text_or_a_call_and_no_role() {
    let role = r#"data: {"choices":[{"delta":{"role":"assistant","content":""}}]}"#;
    let table = [
        (role, false),
        (": ping", false),
        (r#"data: {"choices":[{"delta":{"content":"a"}}]}"#, true),
        (r#"data: {"choices":[{"delta":{"reasoning_content":"a"}}]}"#, true),
        (r#"data: {"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}"#, true),
        (r#"data: {"choices":[{"delta":{},"finish_reason":"stop"}]}"#, true),
        (r#"data: {"choices":[],"usage":null}"#, false),
    ];
    for (frame, want) in table {
        let mut relay = verbatim();
        let chunk = Bytes::from(format!("{frame}\n\n"));
        relay.push(&chunk, &mut Vec::new()).unwrap();
        assert_eq!(relay.facts().first_token, want, "{frame}");
    }
}

#[test]
fn how_an_openai_stream_can_end() {
    let text = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    let stop = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    let done = "data: [DONE]\n\n";
    let table = [
        (format!("{text}{stop}{done}"), Ok(()), format!("{text}{stop}{done}")),
        // The end mark left out, and the last line end with it: the answer is whole.
        (format!("{text}{stop}"), Ok(()), format!("{text}{stop}{done}")),
        (format!("{text}{}", stop.trim_end()), Ok(()), format!("{text}{stop}{done}")),
        (text.to_owned(), Err(Broken::Cut), text.to_owned()),
        (String::new(), Err(Broken::Cut), String::new()),
    ];
    for (sent, end, got) in table {
        let (done, out, _) = relayed(verbatim(), &[sent.as_bytes()]);
        assert_eq!((done, out), (end, got), "{sent}");
    }
}

#[test]
fn an_ollama_stream_without_its_last_line_is_cut() {
    let lines: Vec<&str> = OLLAMA.split_inclusive('\n').collect();
    for whole in 0..lines.len() {
        let sent = lines[..whole].concat();
        let (done, out, _) = relayed(to_openai(), &[sent.as_bytes()]);
        assert_eq!(done, Err(Broken::Cut), "after {whole} lines");
        assert!(!out.contains("[DONE]"));
    }
}

#[test]
fn an_error_inside_a_stream_ends_it_and_is_not_passed_on() {
    let text = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    let openai = |error: &str| format!("{text}data: {{\"error\":{error}}}\n\n{text}");
    let ollama = |error: &str| {
        format!("{}{{\"error\":\"{error}\"}}\n", OLLAMA.split_inclusive('\n').next().unwrap())
    };
    let table = [
        (verbatim(), openai(r#"{"message":"boom"}"#), Kind::Upstream),
        (verbatim(), openai(r#"{"message":"wait","code":429}"#), Kind::Upstream),
        (verbatim(), openai(r#"{"message":"wait","type":"rate_limit_error"}"#), Kind::RateLimited),
        (
            verbatim(),
            openai(r#"{"message":"long","code":"context_length_exceeded"}"#),
            Kind::ContextLength,
        ),
        (to_openai(), ollama("llama runner process has terminated"), Kind::Upstream),
    ];
    for (relay, sent, kind) in table {
        let (done, out, _) = relayed(relay, &[sent.as_bytes()]);
        let Err(Broken::Error(error)) = done else { panic!("{sent}: {done:?}") };
        assert_eq!(error.kind, kind, "{sent}");
        assert!(out.ends_with("\n\n") && out.matches("data:").count() == 1, "{out}");
    }
}

#[test]
fn what_is_no_event_and_what_never_ends() {
    for (relay, sent) in [(verbatim(), "data: <html>\n\n"), (to_openai(), "<html>\n")] {
        let (done, out, _) = relayed(relay, &[sent.as_bytes()]);
        assert!(matches!(done, Err(Broken::BadAnswer(_))), "{done:?}");
        assert_eq!(out, "");
    }
    let endless = vec![b'x'; MOST + 1];
    for relay in [verbatim(), to_openai()] {
        let (done, out, _) = relayed(relay, &[&endless[..MOST / 2], &endless[MOST / 2..]]);
        assert_eq!((done, out.as_str()), (Err(Broken::TooLong(Limit::Frame)), ""));
    }
}

#[test]
fn an_error_of_ours_is_an_event_without_end_mark() {
    let mut out = Vec::new();
    verbatim().error(&Error::new(Kind::Timeout, "too late"), &mut out);
    let text = String::from_utf8(out.concat()).unwrap();
    assert!(text.starts_with("data: {\"error\":{\"message\":\"too late\""), "{text}");
    assert!(text.ends_with("}\n\n") && !text.contains("[DONE]"));
}

#[test]
fn tool_calls_have_bounds_of_their_own() {
    let call = |index: u32, arguments: &str| {
        let body = serde_json::json!({"choices": [{"index": 0, "delta": {"tool_calls": [
            {"index": index, "id": "c", "function": {"name": "f", "arguments": arguments}}]}}]});
        Bytes::from(format!("data: {body}\n\n"))
    };
    let half = "x".repeat(LONGEST_ARGUMENTS / 2);
    let table = [
        (vec![call(0, &half), call(0, &half)], Ok(())),
        (vec![call(0, &half), call(0, &half), call(0, "x")], Err(Limit::Arguments)),
        (vec![call(0, &half), call(1, &half), call(1, &half)], Ok(())),
        ((0..MOST_CALLS).map(|index| call(index, "{}")).collect(), Ok(())),
        ((0..=MOST_CALLS).map(|index| call(index, "{}")).collect(), Err(Limit::Calls)),
    ];
    for (pieces, want) in table {
        let request = Request::default();
        let most = 4 * LONGEST_ARGUMENTS;
        let mut relay =
            Relay::translating(Dialect::OpenAi, Door::Messages, &request, Stamp::default(), most);
        let done: Result<Vec<()>, Broken> =
            pieces.iter().map(|piece| relay.push(piece, &mut Vec::new())).collect();
        assert_eq!(done.map(|_| ()), want.map_err(Broken::TooLong));
    }
    // What is put together until the end is bounded by the whole answer.
    let request = Request::default();
    let mut relay =
        Relay::translating(Dialect::OpenAi, Door::OllamaChat, &request, Stamp::default(), 1000);
    relay.push(&call(0, &"x".repeat(600)), &mut Vec::new()).unwrap();
    let held = relay.push(&call(0, &"x".repeat(600)), &mut Vec::new());
    assert_eq!(held, Err(Broken::TooLong(Limit::Gathered)));
}
