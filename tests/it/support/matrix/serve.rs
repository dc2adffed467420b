//! A case as each provider answers it, and what it must have been asked.

use serde_json::{Value, json};

use crate::support::matrix::{
    Case, IMAGE_URL, PIXEL, Provider, QUESTION, SYSTEM, THOUGHT, calls, parameters, schema, text,
};
use crate::support::reply;
use crate::support::serve::{Act, Seen};

/// What the provider does.
pub fn acts(provider: Provider, case: Case, seen: &Seen) -> Vec<Act> {
    if case == Case::ErrorBefore {
        return limited(provider);
    }
    match provider {
        Provider::Anthropic => anthropic(case, seen),
        Provider::Gemini => gemini(case),
        Provider::Ollama => ollama(case),
        Provider::OpenAi => openai(case, seen),
    }
}

/// 429, with a wait of seven seconds where that provider says it.
fn limited(provider: Provider) -> Vec<Act> {
    match provider {
        Provider::Anthropic => reply::json_with(
            429,
            &[("retry-after", "7")],
            &json!({"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}),
        ),
        Provider::Gemini => reply::json(
            429,
            &json!({"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED",
                "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}]}}),
        ),
        Provider::Ollama => {
            reply::json_with(429, &[("retry-after", "7")], &json!({"error": "slow down"}))
        }
        Provider::OpenAi => reply::json_with(
            429,
            &[("retry-after", "7")],
            &json!({"error": {"message": "slow down", "type": "requests", "param": null, "code": "rate_limit_exceeded"}}),
        ),
    }
}

fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}

fn events(media: &str, blocks: &[String]) -> Vec<Act> {
    vec![Act::Send(reply::pieces(media, blocks))]
}

/// A stream whose last event comes only when its fake is released: what came before it has gone out
/// to the client by then.
fn broken(media: &str, blocks: &[String]) -> Vec<Act> {
    let (last, before) = blocks.split_last().unwrap();
    let mut end = reply::chunk(last.as_bytes());
    end.extend_from_slice(b"0\r\n\r\n");
    vec![reply::open(media, before), Act::Stall, Act::Send(end)]
}

const SSE: &str = "text/event-stream";

fn is_short(case: Case) -> bool {
    matches!(case, Case::Length | Case::LengthStream)
}

// --- OpenAI

fn openai(case: Case, seen: &Seen) -> Vec<Act> {
    let finish = match calls(case).is_empty() {
        false => "tool_calls",
        true if is_short(case) => "length",
        true => "stop",
    };
    let usage = json!({"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 2}});
    let call = |(index, (name, arguments)): (usize, (&str, Value))| {
        json!({"index": index, "id": format!("call_o{index}"), "type": "function",
            "function": {"name": name, "arguments": arguments.to_string()}})
    };
    let called: Vec<Value> = calls(case).into_iter().enumerate().map(call).collect();
    if !case.streams() {
        let mut message = json!({"role": "assistant", "content": text(case), "refusal": null});
        if !called.is_empty() {
            message["content"] = Value::Null;
            message["tool_calls"] = json!(called);
        }
        if case.is_of_thought() {
            message["reasoning_content"] = json!(THOUGHT);
        }
        return reply::json(
            200,
            &json!({"id": "chatcmpl-o", "object": "chat.completion", "created": 1, "model": "m",
                "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish}],
                "usage": usage}),
        );
    }
    let asked = seen.json()["stream_options"]["include_usage"] == true;
    let chunk = |delta: Value, finish: Value| {
        let chunk = json!({"id": "chatcmpl-o", "object": "chat.completion.chunk", "created": 1,
            "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        format!("data: {chunk}\n\n")
    };
    let mut blocks = vec![chunk(json!({"role": "assistant", "content": ""}), Value::Null)];
    if case.is_of_thought() {
        blocks
            .extend(pieces(THOUGHT).map(|it| chunk(json!({"reasoning_content": it}), Value::Null)));
    }
    blocks.extend(pieces(text(case)).map(|it| chunk(json!({"content": it}), Value::Null)));
    let in_pieces = called.into_iter().flat_map(openai_pieces);
    blocks.extend(in_pieces.map(|it| chunk(json!({"tool_calls": [it]}), Value::Null)));
    if case == Case::ErrorWithin {
        blocks.push("data: {\"error\":{\"message\":\"it broke\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n".to_owned());
        return broken(SSE, &blocks);
    }
    blocks.push(chunk(json!({}), json!(finish)));
    if asked {
        let last = json!({"id": "chatcmpl-o", "object": "chat.completion.chunk", "created": 1,
            "model": "m", "choices": [], "usage": usage});
        blocks.push(format!("data: {last}\n\n"));
    }
    blocks.push("data: [DONE]\n\n".to_owned());
    events(SSE, &blocks)
}

/// A call as it is streamed: id and name first, then the arguments by and by.
fn openai_pieces(mut call: Value) -> Vec<Value> {
    let arguments = call["function"]["arguments"].take();
    let arguments = arguments.as_str().unwrap();
    call["function"]["arguments"] = json!("");
    let piece = |half: &str| json!({"index": call["index"], "function": {"arguments": half}});
    let halves = [piece(&arguments[..1]), piece(&arguments[1..])];
    [vec![call], halves.into()].concat()
}

// --- Anthropic

fn anthropic(case: Case, seen: &Seen) -> Vec<Act> {
    let stop = match calls(case).is_empty() {
        false => "tool_use",
        true if is_short(case) => "max_tokens",
        true => "end_turn",
    };
    let usage = json!({"input_tokens": 10, "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 2, "output_tokens": 3});
    let mut content = Vec::new();
    if case.is_of_thought() {
        content.push(json!({"type": "thinking", "thinking": THOUGHT, "signature": "seal"}));
    }
    // Where a schema is asked for as a tool, its call is the answer.
    if seen.json()["tool_choice"]["name"] == "edgehold_answer" {
        let input: Value = serde_json::from_str(text(case)).unwrap();
        content.push(
            json!({"type": "tool_use", "id": "toolu_s", "name": "edgehold_answer", "input": input}),
        );
    } else if !text(case).is_empty() {
        content.push(json!({"type": "text", "text": text(case)}));
    }
    for (index, (name, input)) in calls(case).into_iter().enumerate() {
        content.push(json!({"type": "tool_use", "id": format!("toolu_{index}"), "name": name, "input": input}));
    }
    if !case.streams() {
        return reply::json(
            200,
            &json!({"id": "msg_a", "type": "message", "role": "assistant", "model": "m",
                "content": content, "stop_reason": stop, "stop_sequence": null, "usage": usage}),
        );
    }
    let event =
        |data: Value| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap());
    let mut start = usage;
    start["output_tokens"] = json!(1);
    let mut blocks = vec![
        event(json!({"type": "message_start", "message": {"id": "msg_a", "type": "message",
            "role": "assistant", "model": "m", "content": [], "stop_reason": null,
            "stop_sequence": null, "usage": start}})),
        event(json!({"type": "ping"})),
    ];
    for (index, block) in content.iter().enumerate() {
        blocks.extend(anthropic_block(index, block).into_iter().map(event));
        if case == Case::ErrorWithin {
            blocks.pop();
        }
    }
    if case == Case::ErrorWithin {
        blocks.push(event(
            json!({"type": "error", "error": {"type": "api_error", "message": "it broke"}}),
        ));
        return broken(SSE, &blocks);
    }
    blocks.push(event(json!({"type": "message_delta", "delta": {"stop_reason": stop,
        "stop_sequence": null}, "usage": {"output_tokens": 3}})));
    blocks.push(event(json!({"type": "message_stop"})));
    events(SSE, &blocks)
}

fn anthropic_block(index: usize, block: &Value) -> Vec<Value> {
    let kind = block["type"].as_str().unwrap();
    let (start, deltas): (Value, Vec<Value>) = match kind {
        "text" => (
            json!({"type": "text", "text": ""}),
            pieces(block["text"].as_str().unwrap())
                .map(|it| json!({"type": "text_delta", "text": it}))
                .collect(),
        ),
        "thinking" => (
            json!({"type": "thinking", "thinking": "", "signature": ""}),
            vec![
                json!({"type": "thinking_delta", "thinking": block["thinking"]}),
                json!({"type": "signature_delta", "signature": block["signature"]}),
            ],
        ),
        _ => {
            let input = block["input"].to_string();
            // Without arguments the real one sends an empty piece and no other.
            let halves = if input == "{}" { vec![""] } else { vec!["", &input[..3], &input[3..]] };
            (
                json!({"type": "tool_use", "id": block["id"], "name": block["name"], "input": {}}),
                halves
                    .into_iter()
                    .map(|it| json!({"type": "input_json_delta", "partial_json": it}))
                    .collect(),
            )
        }
    };
    let mut all =
        vec![json!({"type": "content_block_start", "index": index, "content_block": start})];
    all.extend(
        deltas
            .into_iter()
            .map(|it| json!({"type": "content_block_delta", "index": index, "delta": it})),
    );
    all.push(json!({"type": "content_block_stop", "index": index}));
    all
}

// --- Gemini

fn gemini(case: Case) -> Vec<Act> {
    let finish = if is_short(case) { "MAX_TOKENS" } else { "STOP" };
    let usage = json!({"promptTokenCount": 12, "candidatesTokenCount": 2, "thoughtsTokenCount": 1,
        "cachedContentTokenCount": 2, "totalTokenCount": 15});
    let mut parts = Vec::new();
    if case.is_of_thought() {
        parts.push(json!({"text": THOUGHT, "thought": true}));
    }
    parts.extend(pieces(text(case)).map(|it| json!({"text": it})));
    for (index, (name, args)) in calls(case).into_iter().enumerate() {
        let mut part = json!({"functionCall": {"name": name, "args": args}});
        if index == 0 {
            part["thoughtSignature"] = json!("c2VhbA==");
        }
        parts.push(part);
    }
    let answer = |parts: &[Value], finish: Option<&str>| {
        let mut candidate = json!({"content": {"role": "model", "parts": parts}, "index": 0});
        // An empty answer's content has no parts at all.
        if parts.is_empty() {
            candidate["content"] = json!({"role": "model"});
        }
        if let Some(word) = finish {
            candidate["finishReason"] = json!(word);
        }
        json!({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m"})
    };
    if !case.streams() {
        return reply::json(200, &answer(&parts, Some(finish)));
    }
    let count = parts.len();
    let mut blocks: Vec<String> = parts
        .iter()
        .enumerate()
        .map(|(index, part)| {
            let last = index + 1 == count && case != Case::ErrorWithin;
            let one = std::slice::from_ref(part);
            // Lines end with CRLF there.
            format!("data: {}\r\n\r\n", answer(one, last.then_some(finish)))
        })
        .collect();
    if blocks.is_empty() {
        blocks.push(format!("data: {}\r\n\r\n", answer(&[], Some(finish))));
    }
    if case == Case::ErrorWithin {
        blocks.push("data: {\"error\":{\"code\":500,\"message\":\"it broke\",\"status\":\"INTERNAL\"}}\r\n\r\n".to_owned());
        return broken(SSE, &blocks);
    }
    events(SSE, &blocks)
}

// --- Ollama

fn ollama(case: Case) -> Vec<Act> {
    let line = |message: Value, more: Value| {
        let mut line = json!({"model": "m", "created_at": "2026-01-01T00:00:00.123456Z",
            "message": message, "done": false});
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        format!("{line}\n")
    };
    let mut lines = Vec::new();
    if case.is_of_thought() {
        lines.push(line(
            json!({"role": "assistant", "content": "", "thinking": THOUGHT}),
            json!({}),
        ));
    }
    for piece in pieces(text(case)) {
        lines.push(line(json!({"role": "assistant", "content": piece}), json!({})));
    }
    let call = |(name, arguments): (&str, Value)| json!({"function": {"name": name, "arguments": arguments}});
    let called: Vec<Value> = calls(case).into_iter().map(call).collect();
    if !called.is_empty() {
        let message = json!({"role": "assistant", "content": "", "tool_calls": called});
        lines.push(line(message, json!({})));
    }
    if case == Case::ErrorWithin {
        lines.push("{\"error\":\"it broke\"}\n".to_owned());
        return broken("application/x-ndjson", &lines);
    }
    let reason = if is_short(case) { "length" } else { "stop" };
    lines.push(line(
        json!({"role": "assistant", "content": ""}),
        json!({"done": true, "done_reason": reason, "total_duration": 9, "load_duration": 1,
            "prompt_eval_count": 12, "prompt_eval_duration": 2, "eval_count": 3, "eval_duration": 4}),
    ));
    events("application/x-ndjson", &lines)
}

// --- What they must have been asked

/// Whether a provider was asked for all of the case, in its own words.
#[track_caller]
pub fn check(provider: Provider, case: Case, seen: &Seen, says_stop: bool) {
    let json = seen.json();
    let places = match provider {
        Provider::Anthropic => anthropic_places(&json),
        Provider::Gemini => gemini_places(&json),
        Provider::Ollama => ollama_places(&json),
        Provider::OpenAi => openai_places(&json),
    };
    let want = |name: &str, found: &Value, wanted: Value| {
        assert_eq!(*found, wanted, "{provider:?} {case:?}: {name} in {json:#}");
    };
    want("system", &places.system, json!(SYSTEM));
    assert!(places.question.to_string().contains("🦀"), "{json:#}");
    assert_eq!(json!(QUESTION), places.question, "{json:#}");
    if !(provider == Provider::Anthropic && case.is_of_thought()) {
        want("temperature", &places.temperature, json!(0.5));
        want("limit", &places.limit, json!(64));
    }
    if says_stop {
        want("stop", &places.stop, json!(["END"]));
    }
    if case.has_tools() {
        want("tools", &places.tools, json!(["get_weather", "get_time"]));
        want("parameters", &places.parameters, parameters());
    }
    match case {
        Case::ForcedTool => want("forced tool", &places.forced, json!("get_weather")),
        Case::Image => want("image", &places.image, json!(PIXEL)),
        Case::ImageUrl => want("image", &places.image, json!(IMAGE_URL)),
        Case::Schema => {
            want("schema", &places.schema, schema());
            // What comes first in the schema comes first in the answer.
            let body = String::from_utf8_lossy(&seen.body);
            let (b, a) = (body.find("\"b\"").unwrap(), body.find("\"a\"").unwrap());
            assert!(b < a, "{body}");
        }
        Case::Results => want("results", &places.results, json!(["sunny", "noon"])),
        Case::Thinking | Case::ThinkingStream => {
            assert!(!places.effort.is_null(), "{provider:?} {case:?}: effort in {json:#}");
        }
        _ => {}
    }
}

#[derive(Default)]
struct Places {
    system: Value,
    question: Value,
    temperature: Value,
    limit: Value,
    stop: Value,
    tools: Value,
    parameters: Value,
    forced: Value,
    image: Value,
    schema: Value,
    results: Value,
    effort: Value,
}

fn all(list: &Value, pick: impl Fn(&Value) -> Option<Value>) -> Value {
    json!(list.as_array().into_iter().flatten().filter_map(pick).collect::<Vec<_>>())
}

fn text_of(content: &Value) -> Value {
    match content {
        Value::Array(parts) => {
            parts.iter().find_map(|it| it.get("text").cloned()).unwrap_or_default()
        }
        other => other.clone(),
    }
}

fn openai_places(json: &Value) -> Places {
    let messages = &json["messages"];
    let user = messages.as_array().unwrap().iter().find(|it| it["role"] == "user").unwrap();
    let url = all(&user["content"], |it| it["image_url"].get("url").cloned());
    let url = url[0].as_str().unwrap_or_default().to_owned();
    let ids = all(&messages[2]["tool_calls"], |it| it.get("id").cloned());
    let results = all(messages, |it| {
        (it["role"] == "tool").then(|| {
            assert!(ids.as_array().unwrap().contains(&it["tool_call_id"]), "{it}");
            it["content"].clone()
        })
    });
    let tools = &json["tools"];
    Places {
        system: messages[0]["content"].clone(),
        question: text_of(&user["content"]),
        temperature: json["temperature"].clone(),
        limit: json
            .get("max_tokens")
            .or_else(|| json.get("max_completion_tokens"))
            .cloned()
            .unwrap_or_default(),
        stop: json["stop"].clone(),
        tools: all(tools, |it| it["function"].get("name").cloned()),
        parameters: tools[0]["function"]["parameters"].clone(),
        forced: json["tool_choice"]["function"]["name"].clone(),
        image: json!(url.strip_prefix("data:image/png;base64,").unwrap_or(&url)),
        schema: json["response_format"]["json_schema"]["schema"].clone(),
        results,
        effort: json["reasoning_effort"].clone(),
    }
}

fn anthropic_places(json: &Value) -> Places {
    let first = &json["messages"][0]["content"];
    let image =
        all(first, |it| it["source"].get("data").or_else(|| it["source"].get("url")).cloned());
    let uses = all(&json["messages"][1]["content"], |it| it.get("id").cloned());
    let results = all(&json["messages"][2]["content"], |it| {
        assert!(uses.as_array().unwrap().contains(&it["tool_use_id"]), "{json}");
        Some(text_of(&it["content"]))
    });
    let tools = &json["tools"];
    let answer_tool = tools[0]["name"] == "edgehold_answer";
    Places {
        system: text_of(&json["system"]),
        question: text_of(first),
        temperature: json["temperature"].clone(),
        limit: json["max_tokens"].clone(),
        stop: json["stop_sequences"].clone(),
        tools: all(tools, |it| it.get("name").cloned()),
        parameters: tools[0]["input_schema"].clone(),
        forced: json["tool_choice"]["name"].clone(),
        image: image[0].clone(),
        schema: match answer_tool {
            true => tools[0]["input_schema"].clone(),
            false => json["output_config"]["format"]["schema"].clone(),
        },
        results,
        effort: json["thinking"]["type"].clone(),
    }
}

fn gemini_places(json: &Value) -> Places {
    let config = &json["generationConfig"];
    let parts = &json["contents"][0]["parts"];
    let image = all(parts, |it| it["inlineData"].get("data").cloned());
    let results = all(&json["contents"][2]["parts"], |it| {
        assert!(it["functionResponse"]["name"].as_str().unwrap().starts_with("get_"), "{json}");
        it["functionResponse"]["response"].get("output").cloned()
    });
    let declared = &json["tools"][0]["functionDeclarations"];
    let calling = &json["toolConfig"]["functionCallingConfig"];
    Places {
        system: json["systemInstruction"]["parts"][0]["text"].clone(),
        question: text_of(parts),
        temperature: config["temperature"].clone(),
        limit: config["maxOutputTokens"].clone(),
        stop: config["stopSequences"].clone(),
        tools: all(declared, |it| it.get("name").cloned()),
        parameters: declared[0]["parametersJsonSchema"].clone(),
        forced: calling["allowedFunctionNames"][0].clone(),
        image: image[0].clone(),
        schema: config["responseJsonSchema"].clone(),
        results,
        effort: config["thinkingConfig"]["includeThoughts"].clone(),
    }
}

fn ollama_places(json: &Value) -> Places {
    let messages = &json["messages"];
    let user = messages.as_array().unwrap().iter().find(|it| it["role"] == "user").unwrap();
    assert!(json["options"]["num_ctx"].as_u64().is_some_and(|it| it >= 2048), "{json}");
    assert_eq!((&json["stream"], &json["truncate"]), (&json!(true), &json!(false)), "{json}");
    let results = all(messages, |it| {
        (it["role"] == "tool").then(|| {
            assert!(it["tool_name"].as_str().unwrap().starts_with("get_"), "{json}");
            it["content"].clone()
        })
    });
    let tools = &json["tools"];
    Places {
        system: messages[0]["content"].clone(),
        question: user["content"].clone(),
        temperature: json["options"]["temperature"].clone(),
        limit: json["options"]["num_predict"].clone(),
        stop: json["options"]["stop"].clone(),
        tools: all(tools, |it| it["function"].get("name").cloned()),
        parameters: tools[0]["function"]["parameters"].clone(),
        forced: Value::Null,
        image: user["images"][0].clone(),
        schema: json["format"].clone(),
        results,
        effort: json["think"].clone(),
    }
}
