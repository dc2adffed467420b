//! A case in each client's words.

use serde_json::{Value, json};

use crate::support::matrix::{
    Case, Client, IMAGE_URL, PIXEL, QUESTION, SCHEMA, SYSTEM, parameters, schema,
};

pub fn path(client: Client) -> &'static str {
    match client {
        Client::Chat => "/v1/chat/completions",
        Client::Messages => "/v1/messages",
        Client::Ollama => "/api/chat",
        Client::Responses => "/v1/responses",
    }
}

/// The body of a request for this model.
pub fn body(client: Client, case: Case, model: &str) -> Value {
    match client {
        Client::Chat => chat(case, model),
        Client::Messages => messages(case, model),
        Client::Ollama => ollama(case, model),
        Client::Responses => responses(case, model),
    }
}

fn chat(case: Case, model: &str) -> Value {
    let content = match case {
        Case::Image => json!([
            {"type": "text", "text": QUESTION},
            {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PIXEL}")}},
        ]),
        Case::ImageUrl => json!([
            {"type": "text", "text": QUESTION},
            {"type": "image_url", "image_url": {"url": IMAGE_URL}},
        ]),
        _ => json!(QUESTION),
    };
    let mut messages = vec![
        json!({"role": "system", "content": SYSTEM}),
        json!({"role": "user", "content": content}),
    ];
    if case == Case::Results {
        messages.push(json!({"role": "assistant", "content": null, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\":\"Graz\"}"}},
            {"id": "call_2", "type": "function", "function": {"name": "get_time", "arguments": "{}"}},
        ]}));
        messages.push(json!({"role": "tool", "tool_call_id": "call_1", "content": "sunny"}));
        messages.push(json!({"role": "tool", "tool_call_id": "call_2", "content": "noon"}));
    }
    let mut body = json!({"model": model, "messages": messages, "temperature": 0.5, "max_tokens": 64,
        "stop": ["END"], "stream": case.streams()});
    if case.has_tools() {
        let tool = |name: &str| json!({"type": "function", "function": {"name": name, "description": "d", "parameters": parameters()}});
        body["tools"] = json!([tool("get_weather"), tool("get_time")]);
    }
    if case == Case::ForcedTool {
        body["tool_choice"] = json!({"type": "function", "function": {"name": "get_weather"}});
    }
    if case == Case::Schema {
        body["response_format"] =
            json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema()}});
    }
    if case.is_of_thought() {
        body["reasoning_effort"] = json!("medium");
    }
    if case == Case::UsageAsked {
        body["stream_options"] = json!({"include_usage": true});
    }
    body
}

fn responses(case: Case, model: &str) -> Value {
    let mut input = vec![json!({"role": "user", "content": match case {
        Case::Image => json!([
            {"type": "input_text", "text": QUESTION},
            {"type": "input_image", "detail": "auto", "image_url": format!("data:image/png;base64,{PIXEL}")},
        ]),
        Case::ImageUrl => json!([
            {"type": "input_text", "text": QUESTION},
            {"type": "input_image", "detail": "auto", "image_url": IMAGE_URL},
        ]),
        _ => json!(QUESTION),
    }})];
    if case == Case::Results {
        input.push(json!({"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": "{\"city\":\"Graz\"}"}));
        input.push(json!({"type": "function_call", "call_id": "call_2", "name": "get_time", "arguments": "{}"}));
        input.push(json!({"type": "function_call_output", "call_id": "call_1", "output": "sunny"}));
        input.push(json!({"type": "function_call_output", "call_id": "call_2", "output": "noon"}));
    }
    let mut body = json!({"model": model, "instructions": SYSTEM, "input": input, "temperature": 0.5,
        "max_output_tokens": 64, "stream": case.streams(), "store": false});
    if case.has_tools() {
        let tool = |name: &str| json!({"type": "function", "name": name, "description": "d", "parameters": parameters()});
        body["tools"] = json!([tool("get_weather"), tool("get_time")]);
    }
    if case == Case::ForcedTool {
        body["tool_choice"] = json!({"type": "function", "name": "get_weather"});
    }
    if case == Case::Schema {
        body["text"] = json!({"format": {"type": "json_schema", "name": "x", "schema": schema()}});
    }
    if case.is_of_thought() {
        body["reasoning"] = json!({"effort": "medium"});
    }
    body
}

fn messages(case: Case, model: &str) -> Value {
    let content = match case {
        Case::Image => json!([
            {"type": "text", "text": QUESTION},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        ]),
        Case::ImageUrl => json!([
            {"type": "text", "text": QUESTION},
            {"type": "image", "source": {"type": "url", "url": IMAGE_URL}},
        ]),
        _ => json!(QUESTION),
    };
    let mut turns = vec![json!({"role": "user", "content": content})];
    if case == Case::Results {
        turns.push(json!({"role": "assistant", "content": [
            {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {"city": "Graz"}},
            {"type": "tool_use", "id": "call_2", "name": "get_time", "input": {}},
        ]}));
        turns.push(json!({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "call_1", "content": "sunny"},
            {"type": "tool_result", "tool_use_id": "call_2", "content": [{"type": "text", "text": "noon"}]},
        ]}));
    }
    let mut body = json!({"model": model, "max_tokens": 64, "system": SYSTEM, "messages": turns,
        "temperature": 0.5, "stop_sequences": ["END"], "stream": case.streams()});
    if case.has_tools() {
        let tool =
            |name: &str| json!({"name": name, "description": "d", "input_schema": parameters()});
        body["tools"] = json!([tool("get_weather"), tool("get_time")]);
    }
    if case == Case::ForcedTool {
        body["tool_choice"] = json!({"type": "tool", "name": "get_weather"});
    }
    if case == Case::Schema {
        body["output_config"] = json!({"format": {"type": "json_schema", "schema": schema()}});
    }
    if case.is_of_thought() {
        body["thinking"] = json!({"type": "enabled", "budget_tokens": 4096});
    }
    body
}

fn ollama(case: Case, model: &str) -> Value {
    let mut question = json!({"role": "user", "content": QUESTION});
    if case == Case::Image {
        question["images"] = json!([PIXEL]);
    }
    let mut messages = vec![json!({"role": "system", "content": SYSTEM}), question];
    if case == Case::Results {
        messages.push(json!({"role": "assistant", "content": "", "tool_calls": [
            {"function": {"name": "get_weather", "arguments": {"city": "Graz"}}},
            {"function": {"name": "get_time", "arguments": {}}},
        ]}));
        messages.push(json!({"role": "tool", "tool_name": "get_weather", "content": "sunny"}));
        messages.push(json!({"role": "tool", "tool_name": "get_time", "content": "noon"}));
    }
    let mut body = json!({"model": model, "messages": messages,
        "options": {"temperature": 0.5, "num_predict": 64, "stop": ["END"]}});
    // A stream is the default there.
    if !case.streams() {
        body["stream"] = json!(false);
    }
    if case.has_tools() {
        let tool = |name: &str| json!({"type": "function", "function": {"name": name, "description": "d", "parameters": parameters()}});
        body["tools"] = json!([tool("get_weather"), tool("get_time")]);
    }
    if case == Case::Schema {
        body["format"] = serde_json::from_str(SCHEMA).unwrap();
    }
    if case.is_of_thought() {
        body["think"] = json!(true);
    }
    body
}
