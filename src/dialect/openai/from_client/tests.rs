//! Bad input by the field that an error names; good input that is easily misread.

use crate::chat::{EmbedInput, Kind, ToolChoice};

use super::*;

/// A request with one user's turn and these fields besides.
fn with(fields: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hello"}}]{fields}}}"#)
}

fn turn(message: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"a"}},{message}]}}"#)
}

#[test]
fn errors_name_the_field() {
    let table = [
        (r#"{"messages":[]}"#.to_owned(), "model"),
        (r#"{"model":"","messages":[]}"#.to_owned(), "model"),
        (r#"{"model":7,"messages":[]}"#.to_owned(), "model"),
        (r#"{"model":"a\nb","messages":[]}"#.to_owned(), "model"),
        (r#"{"model":"m"}"#.to_owned(), "messages"),
        (r#"{"model":"m","messages":[]}"#.to_owned(), "messages"),
        (r#"{"model":"m","messages":"hello"}"#.to_owned(), "messages"),
        (turn("7"), "messages[1]"),
        (turn(r#"{"role":"oracle","content":""}"#), "messages[1].role"),
        (turn(r#"{"content":""}"#), "messages[1].role"),
        (turn(r#"{"role":"user","content":7}"#), "messages[1].content"),
        (turn(r#"{"role":"user","content":[{"text":"a"}]}"#), "messages[1].content[0]"),
        (turn(r#"{"role":"user","content":[{"type":"text"}]}"#), "messages[1].content[0]"),
        (
            turn(
                r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png,raw"}}]}"#,
            ),
            "messages[1].content[0].image_url",
        ),
        (turn(r#"{"role":"assistant","tool_calls":[{"id":"a"}]}"#), "messages[1].tool_calls"),
        (with(r#","temperature":"hot""#), "temperature"),
        (with(r#","max_tokens":-2"#), "max_tokens"),
        (with(r#","max_tokens":1.5"#), "max_tokens"),
        (with(r#","stop":7"#), "stop"),
        (with(r#","stream":"yes""#), "stream"),
        (with(r#","stream_options":{"include_usage":1}"#), "stream_options"),
        (with(r#","tools":{}"#), "tools"),
        (with(r#","tools":[{"type":"function"}]"#), "tools[0].function"),
        (with(r#","tool_choice":"always""#), "tool_choice"),
        (with(r#","response_format":{"type":"yaml"}"#), "response_format.type"),
        (
            with(r#","response_format":{"type":"json_schema"}"#),
            "response_format.json_schema.schema",
        ),
        (with(r#","reasoning_effort":"hard""#), "reasoning_effort"),
    ];
    for (body, field) in table {
        let error = decode_chat(body.as_bytes()).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(field), "{body}: {error:?}");
        assert_eq!(error.kind, Kind::Invalid, "{body}");
        assert!(error.message.contains(field.rsplit('.').next().unwrap()), "{}", error.message);
    }
}

#[test]
fn an_error_repeats_no_value() {
    let canary = "invalid, expected: a very private prompt";
    for body in [
        with(&format!(r#","temperature":"{canary}""#)),
        with(&format!(r#","tools":"{canary}""#)),
        turn(&format!("\"{canary}\"")),
        format!(r#"{{"model":"m","messages":"{canary}"}}"#),
        format!(r#"{{"model":"m","messages":[{{"role":"{canary}"}}]}}"#),
        format!("{{\"model\":\"m\",\"{canary}"),
        format!("\"{canary}\""),
    ] {
        let error = decode_chat(body.as_bytes()).unwrap_err();
        assert!(!error.message.contains("private"), "{body}: {}", error.message);
    }
}

#[test]
fn a_field_that_is_there_twice_is_refused() {
    let twice = with(r#","model":"other""#);
    assert_eq!(decode_chat(twice.as_bytes()).unwrap_err().kind, Kind::Invalid);
}

#[test]
fn the_models_name_is_found_where_it_stands() {
    for body in [
        r#"{"model":"home","messages":[{"role":"user","content":"\"model\":\"x\""}]}"#,
        r#"{"messages":[{"role":"user","content":"a"}],   "model"  :  "ho\u006de" }"#,
    ] {
        let (request, span) = decode_chat(body.as_bytes()).unwrap();
        assert_eq!(request.model, "home");
        let written: String = serde_json::from_slice(&body.as_bytes()[span]).unwrap();
        assert_eq!(written, "home");
    }
}

#[test]
fn null_is_as_good_as_nothing() {
    let body = with(
        r#","stream":null,"tools":null,"tool_choice":null,"stop":null,"response_format":null,"max_tokens":null,"stream_options":null,"n":null,"reasoning_effort":null"#,
    );
    let (request, _) = decode_chat(body.as_bytes()).unwrap();
    assert!(!request.stream && request.tools.is_empty() && request.exotic.is_empty());
    assert_eq!(request.sampling, Sampling::default());
    assert_eq!(request.tool_choice, ToolChoice::Auto);
}

#[test]
fn what_only_one_dialect_can_do_is_named() {
    let body = with(r#","n":2,"logprobs":true,"audio":{},"modalities":["text"],"functions":[{}]"#);
    let (request, _) = decode_chat(body.as_bytes()).unwrap();
    assert_eq!(request.exotic, ["n", "logprobs", "audio", "functions"]);
}

#[test]
fn content_of_every_kind() {
    let body = turn(
        r#"{"role":"user","content":[{"type":"image_url","image_url":"https://h/a.png"},{"type":"file","file":{}},{"type":"refusal","refusal":"no"}]}"#,
    );
    let (request, _) = decode_chat(body.as_bytes()).unwrap();
    let want = [
        Part::Image(Image::Url("https://h/a.png".to_owned())),
        Part::Other("file".to_owned()),
        Part::Text("no".to_owned()),
    ];
    assert_eq!(request.messages[1].parts, want);
}

#[test]
fn input_to_embed() {
    let decoded = |input: &str| {
        decode_embed(format!(r#"{{"model":"e","input":{input}}}"#).as_bytes())
            .map(|(request, _)| request.input)
    };
    let texts = |input: &str| match decoded(input) {
        Ok(EmbedInput::Texts(texts)) => texts,
        other => panic!("{input}: {other:?}"),
    };
    assert_eq!(texts(r#""a""#), ["a"]);
    assert_eq!(texts(r#"["a","b"]"#), ["a", "b"]);
    for tokens in ["[1,2]", "[[1],[2,3]]"] {
        assert!(matches!(decoded(tokens), Ok(EmbedInput::Tokens(_))), "{tokens}");
    }
    for bad in ["[]", "7", "null", r#"["a",1]"#, "[-1]", "{}"] {
        assert_eq!(decoded(bad).unwrap_err().param.as_deref(), Some("input"), "{bad}");
    }
    let encoding = r#"{"model":"e","input":"a","encoding_format":"hex"}"#;
    let error = decode_embed(encoding.as_bytes()).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("encoding_format"));
}

#[test]
fn errors_say_what_is_wanted_in_jsons_words() {
    let table = [
        (r#","temperature":"a""#, "temperature must be a number"),
        (r#","max_tokens":-2"#, "max_tokens must be a whole number from 0 to 4294967295"),
        (r#","seed":1.5"#, "seed must be a whole number"),
        (r#","stream":1"#, "stream must be a boolean"),
        (r#","tools":1"#, "tools must be a list"),
        (r#","stream_options":1"#, "stream_options must be an object"),
        (r#","stop":1"#, "stop must be text or a list of texts"),
        (r#","reasoning_effort":1"#, "reasoning_effort must be a string"),
    ];
    for (fields, want) in table {
        let error = decode_chat(with(fields).as_bytes()).unwrap_err();
        assert_eq!(error.message, want);
    }
}
