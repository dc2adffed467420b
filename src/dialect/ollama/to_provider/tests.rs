//! Requests as an Ollama gets them, from a client's body to ours.

use serde_json::Value;

use crate::dialect::openai::decode_chat;

use super::*;

const OPTIONS: Options<'_> = Options { num_ctx: 4096, keep_alive: "10m", thinks: true };

fn sent(body: &str, model: &str) -> Result<Value, Unsupported> {
    let (request, _) = decode_chat(body.as_bytes()).unwrap();
    chat_body(&request, model, &OPTIONS).map(|body| serde_json::from_slice(&body).unwrap())
}

/// A request with one user's turn and these fields besides.
fn with(fields: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hello"}}],{fields}}}"#)
}

#[test]
fn a_request_with_everything() {
    let body = include_str!("../../../../tests/fixtures/openai/request.json");
    let golden = include_str!("../../../../tests/fixtures/ollama/request.json");
    let golden: Value = serde_json::from_str(golden).unwrap();
    assert_eq!(sent(body, "llama3.2:3b").unwrap(), golden);
}

#[test]
fn a_schema_keeps_the_order_of_its_properties() {
    let schema = r#"{"type":"object","properties":{"b":{},"a":{}}}"#;
    let body = with(&format!(
        r#""response_format":{{"type":"json_schema","json_schema":{{"schema":{schema}}}}}"#
    ));
    let (request, _) = decode_chat(body.as_bytes()).unwrap();
    let sent = String::from_utf8(chat_body(&request, "m", &OPTIONS).unwrap()).unwrap();
    assert!(sent.contains(&format!("\"format\":{schema}")), "{sent}");
}

#[test]
fn what_this_dialect_has_no_word_for() {
    let turn = |content: &str| {
        format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{content}]}}]}}"#)
    };
    let call = |arguments: &str| {
        format!(
            r#"{{"model":"m","messages":[{{"role":"assistant","tool_calls":[{{"id":"a","function":{{"name":"f","arguments":"{arguments}"}}}}]}}]}}"#
        )
    };
    let table = [
        (with(r#""tool_choice":"required""#), "tool_choice"),
        (with(r#""tool_choice":{"type":"function","function":{"name":"f"}}"#), "tool_choice"),
        (turn(r#"{"type":"image_url","image_url":{"url":"https://h/a.png"}}"#), "data URL"),
        (turn(r#"{"type":"input_audio","input_audio":{}}"#), "input_audio"),
        (call("[1]"), "arguments"),
        (call("{cut"), "arguments"),
    ];
    for (body, words) in table {
        let error = sent(&body, "m").unwrap_err();
        assert!(error.0.contains(words), "{body}: {error}");
    }
    assert!(sent(&with(r#""n":1,"logprobs":false,"logit_bias":{},"functions":[]"#), "m").is_ok());
}

#[test]
fn no_tools_where_none_may_be_called() {
    let tool = r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"none""#;
    assert!(sent(&with(tool), "m").unwrap().get("tools").is_none());
}

#[test]
fn reasoning_is_a_switch_but_for_models_with_levels() {
    let table = [
        ("none", "qwen3", Value::Bool(false)),
        ("minimal", "qwen3", Value::Bool(true)),
        ("high", "qwen3", Value::Bool(true)),
        ("none", "gpt-oss:20b", Value::Bool(false)),
        ("minimal", "gpt-oss:20b", Value::from("low")),
        ("xhigh", "gpt-oss:20b", Value::from("high")),
    ];
    for (effort, model, want) in table {
        let body = with(&format!(r#""reasoning_effort":"{effort}""#));
        assert_eq!(sent(&body, model).unwrap()["think"], want, "{effort} {model}");
    }
    assert!(sent(&with(r#""seed":1"#), "qwen3").unwrap().get("think").is_none());
}

#[test]
fn a_number_keeps_a_model_for_seconds() {
    for (text, want) in [("10m", r#""10m""#), ("-1", "-1"), ("0", "0"), ("300", "300")] {
        let options = Options { num_ctx: 2048, keep_alive: text, thinks: false };
        let body = String::from_utf8(load_body("m", &options)).unwrap();
        let want = format!(
            r#"{{"model":"m","messages":[],"keep_alive":{want},"options":{{"num_ctx":2048}}}}"#
        );
        assert_eq!(body, want);
    }
}

#[test]
fn texts_to_embed_are_never_cut() {
    let request = EmbedRequest {
        model: "e".to_owned(),
        input: EmbedInput::Texts(vec!["a".to_owned(), "b".to_owned()]),
        dimensions: Some(64),
        base64: true,
        keep_alive: None,
    };
    let body: Value =
        serde_json::from_slice(&embed_body(&request, "e", &OPTIONS).unwrap()).unwrap();
    let want = serde_json::json!({
        "model": "e", "input": ["a", "b"], "truncate": false, "dimensions": 64,
        "keep_alive": "10m", "options": {"num_ctx": 4096},
    });
    assert_eq!(body, want);
    let load: Value = serde_json::from_slice(&embed_load_body("e", &OPTIONS)).unwrap();
    assert_eq!(load["input"], serde_json::json!([]));
    let tokens = RawValue::from_string("[1,2]".to_owned()).unwrap();
    let request = EmbedRequest { input: EmbedInput::Tokens(tokens), ..request };
    assert!(embed_body(&request, "e", &OPTIONS).is_err());
}
