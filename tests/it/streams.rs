//! Faults after the first token: the stream ends with an error event, never with a clean end, and
//! never with a second answer glued to the first.

use serde_json::json;

use crate::support::{
    Act, Ollama, OpenAi, Pair, SECOND, Streamed, emulated, ollama, openai, reply, run, run_long,
};

const BEGUN: &str = "It was the best";

fn end_of_body() -> Act {
    Act::Send(b"0\r\n\r\n".to_vec())
}

fn frame(text: &str) -> Act {
    Act::Send(reply::chunk(text.as_bytes()))
}

#[test]
fn an_openai_stream_that_breaks_is_told_so() {
    run(async {
        let error = openai::error("overloaded", "server_error", Some("overloaded"));
        let empty = openai::frame(
            &json!({"id": "", "model": "", "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": null}]}),
        );
        let table = [
            ("reset", vec![Act::Reset]),
            ("closed", vec![Act::Close]),
            ("hung", vec![Act::Stall]),
            ("cut with a clean end", vec![end_of_body()]),
            ("runner died behind /v1", vec![frame(&empty), end_of_body()]),
            ("error event", vec![frame(&openai::frame(&error)), end_of_body()]),
            (
                "error event, then [DONE]",
                vec![frame(&(openai::frame(&error) + "data: [DONE]\n\n")), end_of_body()],
            ),
            ("half an event", vec![frame("data: {\"choices\":[{\"del"), end_of_body()]),
            ("no JSON", vec![frame("data: oops\n\n"), end_of_body()]),
            ("bad chunk size", vec![Act::Send(b"zz\r\n".to_vec()), Act::Close]),
        ];
        for (fault, after) in table {
            let first = OpenAi::new();
            first.on(openai::CHAT, [vec![openai::begun(BEGUN), Act::Stall], after].concat());
            let pair = Pair::new(&first.cloud("first")).await;
            pair.assert_breaks(&first, BEGUN, fault).await;
            assert_eq!(first.chats(), 1, "{fault}");
        }
    });
}

#[test]
fn a_stream_that_breaks_before_anything_of_it_went_out_goes_to_the_second() {
    run(async {
        let first = OpenAi::new();
        let Act::Send(mut bytes) = openai::begun(BEGUN) else { panic!("bytes") };
        // One write, so that the token and the fault come together.
        bytes.extend_from_slice(&reply::chunk(b"data: oops\n\n"));
        first.on(openai::CHAT, vec![Act::Send(bytes)]);
        let pair = Pair::new(&first.cloud("first")).await;
        let answer = pair.ask_both(true).await;
        pair.assert_second(&answer, true, "broken at once");
    });
}

#[test]
fn an_ollama_stream_that_breaks_is_told_so() {
    run(async {
        let table = [
            ("reset", vec![Act::Reset]),
            ("closed", vec![Act::Close]),
            ("hung", vec![Act::Stall]),
            ("cut with a clean end", vec![end_of_body()]),
            ("runner died", vec![frame(&ollama::runner_died()), end_of_body()]),
            ("half a line", vec![frame("{\"message\":{\"con"), end_of_body()]),
            ("no JSON", vec![frame("oops\n"), end_of_body()]),
        ];
        for (fault, after) in table {
            let first = Ollama::saying("never");
            first.chat_acts([vec![ollama::begun(BEGUN), Act::Stall], after].concat());
            let pair = Pair::new(&first.local("first")).await;
            pair.assert_breaks(&first, BEGUN, fault).await;
            assert_eq!(first.chats().len(), 1, "{fault}");
        }
    });
}

#[test]
fn the_error_event_ends_the_response_and_not_the_connection_alone() {
    run(async {
        let first = OpenAi::new();
        first.on(openai::CHAT, vec![openai::begun(BEGUN), Act::Reset]);
        let pair = Pair::new(&first.cloud("first")).await;
        let answer = pair.chat_stream("both", "hello").await.expect(200);
        assert!(answer.whole, "a chunked body with its end");
        let error = answer.stream().error.unwrap();
        for field in ["message", "type", "param", "code"] {
            assert!(error.get(field).is_some(), "{field}: {error}");
        }
    });
}

#[test]
fn a_stream_without_done_but_with_its_finish_is_whole() {
    run(async {
        let first = OpenAi::new();
        let frames = openai::frames("all of it");
        let sent = &frames[..frames.len() - 1];
        first.on(openai::CHAT, vec![Act::Send(reply::pieces(openai::EVENTS, sent))]);
        let pair = Pair::new(&first.cloud("first")).await;
        let stream = pair.chat_stream("both", "hello").await.expect(200).stream();
        stream.assert_whole();
        assert_eq!(stream.text, "all of it");
    });
}

/// What may come of a stream that was reset at some byte.
fn verdict(stream: &Streamed, whole: &str) -> &'static str {
    if stream.text == SECOND {
        stream.assert_whole();
        return "second";
    }
    assert!(whole.starts_with(&stream.text), "glued: {stream:?}");
    if stream.done {
        assert_eq!(stream.text, whole, "a clean end of half an answer");
        stream.assert_whole();
        return "whole";
    }
    stream.assert_broken();
    assert!(!stream.text.is_empty(), "nothing had gone out, so there was still the second one");
    "broken"
}

/// Resets a stream after each of its bytes, and holds what came of it against what may.
async fn reset_at_every_byte(
    pair: &Pair,
    bytes: &[u8],
    whole: &str,
    first_token_ends: usize,
    script: impl Fn(Vec<Act>),
) {
    let step = if emulated() { 7 } else { 1 };
    let mut seen = Vec::new();
    for at in (0..bytes.len()).step_by(step) {
        script(vec![Act::Send(bytes[..at].to_vec()), Act::Reset]);
        let answer = pair.chat_stream("both", "hello").await;
        assert_eq!(answer.status(), 200, "at byte {at}: {}", answer.text());
        let verdict = verdict(&answer.stream(), whole);
        if at < first_token_ends {
            assert_eq!(verdict, "second", "at byte {at} there was no token yet");
        }
        seen.push(verdict);
    }
    for wanted in ["second", "broken"] {
        let count = seen.iter().filter(|it| **it == wanted).count();
        assert!(count > 20 / step, "{wanted}: {count} of {}", seen.len());
    }
}

/// Nothing opens the breaker here: each byte is a failure of its own.
const PATIENT: &str = "[routing]\nretries = 0\nbreaker_failures = 1000000\n";

#[test]
fn an_openai_stream_reset_at_every_byte() {
    run_long(async {
        let first = OpenAi::new();
        let pair = Pair::with(&first.cloud("first"), PATIENT).await;
        let whole = "one two";
        let bytes = reply::pieces(openai::EVENTS, &openai::frames(whole));
        let text = String::from_utf8(bytes.clone()).unwrap();
        let token = text.find("\"one ").unwrap();
        let ends = token + text[token..].find("\n\n").unwrap() + 2;
        reset_at_every_byte(&pair, &bytes, whole, ends, |acts| first.on(openai::CHAT, acts)).await;
    });
}

#[test]
fn an_ollama_stream_reset_at_every_byte() {
    run_long(async {
        let first = Ollama::saying("never");
        let pair = Pair::with(&first.local("first"), PATIENT).await;
        let whole = "one two";
        let bytes = reply::pieces(ollama::LINES, &ollama::lines(whole, 12));
        let text = String::from_utf8(bytes.clone()).unwrap();
        let token = text.find("\"one ").unwrap();
        let ends = token + text[token..].find('\n').unwrap() + 1;
        reset_at_every_byte(&pair, &bytes, whole, ends, |acts| first.chat_acts(acts)).await;
    });
}

#[test]
fn a_stream_cut_into_single_bytes_is_the_same_stream() {
    run(async {
        let first = OpenAi::new();
        let pair = Pair::new(&first.cloud("first")).await;
        let text = "Grüße, 世界! Ende";
        let bytes = openai::frames(text).concat().into_bytes();
        let mut acts = vec![Act::Send(reply::chunked(openai::EVENTS))];
        acts.extend(bytes.iter().map(|byte| Act::Send(reply::chunk(&[*byte]))));
        acts.push(end_of_body());
        first.on(openai::CHAT, acts);
        let stream = pair.chat_stream("both", "hello").await.expect(200).stream();
        stream.assert_whole();
        assert_eq!(stream.text, text);
    });
}
