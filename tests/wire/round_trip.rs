//! A request that is decoded and written in its own dialect again is the request that it was: no
//! field that is known is lost, whatever else stands beside it.

use edgehold::chat::Request;
use edgehold::dialect::{Door, anthropic, ollama, openai};
use serde_json::{Map, Value, json};

use crate::golden::fixture;
use crate::random::Random;

/// Requests that each dialect is tried with.
const RUNS: u64 = 500;

fn written(door: Door, request: &Request, body: &Value) -> Value {
    let model = body["model"].as_str().unwrap();
    let bytes = match door {
        Door::Messages => {
            anthropic::chat_body(request, &anthropic::Wishes { model, omit: &[] }).unwrap()
        }
        Door::OllamaChat => {
            let keep_alive = request.keep_alive.as_deref().unwrap_or("10m");
            let num_ctx = request.num_ctx.unwrap_or(2048);
            ollama::chat_body(
                request,
                model,
                &ollama::Options { num_ctx, keep_alive, thinks: true },
            )
            .unwrap()
        }
        _ => {
            let wishes = openai::Wishes { model, omit: &[], is_official: false };
            openai::chat_body(request, &wishes).unwrap()
        }
    };
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn the_request_with_everything_comes_back() {
    for (door, name) in [
        (Door::Chat, "openai/client.json"),
        (Door::Messages, "anthropic/client.json"),
        (Door::OllamaChat, "ollama/client.json"),
    ] {
        let body = fixture(name);
        let (request, _) = door.decode(&body).unwrap();
        let mut want: Value = serde_json::from_slice(&body).unwrap();
        let got = written(door, &request, &want);
        if door == Door::Messages {
            // What is thought counts as answer there, so the budget comes on top of the limit.
            want["max_tokens"] = json!(4160 + 4096);
        }
        assert_eq!(got, want, "{name}");
    }
}

#[test]
fn random_requests_come_back() {
    for seed in 0..RUNS {
        for (door, body) in [
            (Door::Chat, openai_request(&mut Random::new(seed))),
            (Door::Messages, anthropic_request(&mut Random::new(seed))),
            (Door::OllamaChat, ollama_request(&mut Random::new(seed))),
        ] {
            let text = body.to_string();
            let (request, _) =
                door.decode(text.as_bytes()).unwrap_or_else(|e| panic!("{e}: {text}"));
            assert_eq!(written(door, &request, &body), body, "seed {seed}, {door:?}");
        }
    }
}

const TEXTS: [&str; 6] =
    ["hello", "grün 🦀", "a \"quote\"\\", "line\nbreak\t", "{\"json\":1}", "."];

fn text(random: &mut Random) -> Value {
    json!(random.pick(&TEXTS))
}

fn sampling(random: &mut Random, names: [&str; 8]) -> Map<String, Value> {
    let values = [
        json!(0.5),
        json!(0.9),
        json!(40),
        json!(64),
        json!(["END", "\n\n."]),
        json!(7),
        json!(0.25),
        json!(-0.5),
    ];
    let all = names.into_iter().zip(values).filter(|(name, _)| !name.is_empty());
    all.filter(|_| random.chance()).map(|(name, value)| (name.to_owned(), value)).collect()
}

fn schema(random: &mut Random) -> Value {
    random
        .pick(&[
            json!({"type": "object"}),
            json!({"type": "object", "properties": {"z": {}, "a": {}}}),
        ])
        .clone()
}

fn openai_request(random: &mut Random) -> Value {
    let mut messages = Vec::new();
    if random.chance() {
        messages.push(json!({"role": "system", "content": text(random)}));
    }
    for turn in 0..=random.below(4) {
        messages.push(match random.chance() {
            true => json!({"role": "user", "content": text(random)}),
            false => json!({"role": "user", "content": [
                {"type": "text", "text": text(random)},
                {"type": "image_url", "image_url": {"url": "data:image/webp;base64,UklGRg=="}},
            ]}),
        });
        if random.chance() {
            let id = format!("call_{turn}");
            messages.push(json!({"role": "assistant", "content": null, "tool_calls": [
                {"id": id, "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}},
            ]}));
            messages.push(json!({"role": "tool", "content": text(random), "tool_call_id": id}));
        }
    }
    let mut body = sampling(
        random,
        [
            "temperature",
            "top_p",
            "top_k",
            "max_tokens",
            "stop",
            "seed",
            "presence_penalty",
            "frequency_penalty",
        ],
    );
    body.insert("model".to_owned(), json!("m/n:1"));
    body.insert("messages".to_owned(), json!(messages));
    if random.chance() {
        body.insert("stream".to_owned(), json!(true));
        body.insert("stream_options".to_owned(), json!({"include_usage": true}));
    }
    if random.chance() {
        body.insert("tools".to_owned(), json!([{"type": "function", "function": {"name": "f", "description": text(random), "parameters": schema(random)}}]));
        if random.chance() {
            body.insert(
                "tool_choice".to_owned(),
                random.pick(&[json!("none"), json!("required")]).clone(),
            );
        }
    }
    if random.chance() {
        body.insert("response_format".to_owned(), random.pick(&[json!({"type": "json_object"}), json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}})]).clone());
    }
    if random.chance() {
        body.insert("reasoning_effort".to_owned(), json!(random.pick(&["low", "medium", "high"])));
    }
    Value::Object(body)
}

fn anthropic_request(random: &mut Random) -> Value {
    let mut messages =
        vec![json!({"role": "user", "content": [{"type": "text", "text": text(random)}]})];
    for turn in 0..random.below(4) {
        let id = format!("toolu_{turn}");
        let called = random.chance();
        let mut said = vec![json!({"type": "text", "text": text(random)})];
        if called {
            said.push(json!({"type": "tool_use", "id": id, "name": "f", "input": {"a": [1, {"b": null}]}}));
        }
        messages.push(json!({"role": "assistant", "content": said}));
        let mut next = Vec::new();
        if called {
            let mut result = json!({"type": "tool_result", "tool_use_id": id, "content": [{"type": "text", "text": text(random)}]});
            if random.chance() {
                result["is_error"] = json!(true);
            }
            next.push(result);
        }
        next.push(json!({"type": "text", "text": text(random)}));
        if random.chance() {
            next.push(json!({"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "R0lGOD=="}}));
        }
        messages.push(json!({"role": "user", "content": next}));
    }
    let mut body = sampling(random, ["", "top_p", "top_k", "", "stop_sequences", "", "", ""]);
    body.insert("model".to_owned(), json!("claude-haiku-4-5"));
    body.insert("max_tokens".to_owned(), json!(1 + random.below(9000)));
    body.insert("messages".to_owned(), json!(messages));
    if random.chance() {
        body.insert("system".to_owned(), text(random));
    }
    if random.chance() {
        body.insert("stream".to_owned(), json!(true));
    }
    if random.chance() {
        body.insert(
            "tools".to_owned(),
            json!([{"name": "f", "description": text(random), "input_schema": schema(random)}]),
        );
        if random.chance() {
            body.insert(
                "tool_choice".to_owned(),
                random
                    .pick(&[
                        json!({"type": "any"}),
                        json!({"type": "none"}),
                        json!({"type": "tool", "name": "f"}),
                    ])
                    .clone(),
            );
        }
    }
    Value::Object(body)
}

fn ollama_request(random: &mut Random) -> Value {
    let mut messages = vec![json!({"role": "user", "content": text(random)})];
    for _ in 0..random.below(4) {
        if random.chance() {
            messages.push(json!({"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}));
            messages.push(json!({"role": "tool", "content": text(random), "tool_name": "f"}));
        } else {
            messages.push(
                json!({"role": "assistant", "content": text(random), "thinking": text(random)}),
            );
        }
        messages.push(json!({"role": "user", "content": text(random), "images": ["iVBORw0KGgo="]}));
    }
    let mut options = sampling(
        random,
        [
            "temperature",
            "top_p",
            "top_k",
            "num_predict",
            "stop",
            "seed",
            "presence_penalty",
            "frequency_penalty",
        ],
    );
    options.insert("num_ctx".to_owned(), json!(4096));
    let mut body = json!({"model": "m:1b", "messages": messages, "options": options, "stream": true,
        "truncate": false, "keep_alive": random.pick(&[json!("5m"), json!(-1), json!(0)])});
    if random.chance() {
        body["tools"] = json!([{"type": "function", "function": {"name": "f", "description": text(random), "parameters": schema(random)}}]);
    }
    if random.chance() {
        body["format"] = random.pick(&[json!("json"), json!({"type": "object"})]).clone();
    }
    if random.chance() {
        body["think"] = json!(random.chance());
    }
    body
}
