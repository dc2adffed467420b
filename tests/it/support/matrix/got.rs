//! What a client gets, read as its own SDK reads it.

use serde_json::Value;

use crate::support::Answer;
use crate::support::matrix::Client;
use crate::support::stream::data_of;

/// What an answer adds up to, in words that are nobody's.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Got {
    pub text: String,
    pub thought: String,
    /// Names and arguments, each with an id.
    pub calls: Vec<(String, String, Value)>,
    /// `stop`, `length` or `tools`.
    pub finish: Option<&'static str>,
    /// Input, output and cached tokens.
    pub usage: Option<(u64, u64, u64)>,
    pub error: Option<String>,
    /// Whether it ended as a whole answer does.
    pub ended: bool,
}

/// Reads a whole answer.
pub fn whole(client: Client, answer: &Answer) -> Got {
    let json = answer.json();
    match client {
        Client::Chat => chat(&json),
        Client::Messages => messages(&json),
        Client::Ollama => ollama(&json),
        Client::Responses => responses(&json),
    }
}

/// Reads a stream.
pub fn stream(client: Client, answer: &Answer) -> Got {
    let text = answer.text();
    match client {
        Client::Ollama => {
            let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
            lines.fold(Got::default(), |got, line| ollama_line(got, &line))
        }
        Client::Chat => text
            .split("\n\n")
            .filter_map(data_of)
            .fold(Got::default(), |got, data| chat_piece(got, &data)),
        Client::Messages => {
            let mut open = Open::default();
            blocks(&text).fold(Got::default(), |got, event| message_event(got, &mut open, &event))
        }
        Client::Responses => {
            let mut next = 0;
            blocks(&text).fold(Got::default(), |got, event| {
                assert_eq!(event["sequence_number"], next, "{event}");
                next += 1;
                response_event(got, &event)
            })
        }
    }
}

/// Events by name: the name of a block is that in its data.
fn blocks(text: &str) -> impl Iterator<Item = Value> {
    text.split("\n\n").filter(|block| !block.trim().is_empty()).map(|block| {
        let data = data_of(block).unwrap_or_else(|| panic!("{block:?}"));
        let json: Value = serde_json::from_str(&data).expect(block);
        let name = block.lines().find_map(|line| line.strip_prefix("event: ")).expect(block);
        assert_eq!(json["type"], name, "{block}");
        json
    })
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn finish(value: &Value) -> Option<&'static str> {
    match value.as_str()? {
        "stop" | "end_turn" | "stop_sequence" => Some("stop"),
        "length" | "max_tokens" => Some("length"),
        "tool_calls" | "tool_use" => Some("tools"),
        "content_filter" | "refusal" => Some("filter"),
        other => panic!("finish {other}"),
    }
}

fn arguments(value: &Value) -> Value {
    match value {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| panic!("{text}")),
        object => object.clone(),
    }
}

fn openai_usage(json: &Value) -> Option<(u64, u64, u64)> {
    let usage = json.get("usage").filter(|it| !it.is_null())?;
    let number = |name: &str| usage[name].as_u64().unwrap();
    assert_eq!(number("total_tokens"), number("prompt_tokens") + number("completion_tokens"));
    let cached = usage["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap_or_default();
    Some((number("prompt_tokens"), number("completion_tokens"), cached))
}

fn chat(json: &Value) -> Got {
    assert_eq!(json["object"], "chat.completion", "{json}");
    let choice = &json["choices"][0];
    let message = &choice["message"];
    let calls = message["tool_calls"].as_array().into_iter().flatten().map(|call| {
        assert_eq!(call["type"], "function");
        let function = &call["function"];
        (word(&call["id"]), word(&function["name"]), arguments(&function["arguments"]))
    });
    Got {
        text: word(&message["content"]),
        thought: word(&message["reasoning_content"]),
        calls: calls.collect(),
        finish: finish(&choice["finish_reason"]),
        usage: openai_usage(json),
        error: None,
        ended: true,
    }
}

fn chat_piece(mut got: Got, data: &str) -> Got {
    assert!(!got.ended && got.error.is_none(), "after the end: {data}");
    if data == "[DONE]" {
        got.ended = true;
        for (_, _, arguments) in &mut got.calls {
            *arguments = self::arguments(arguments);
        }
        return got;
    }
    let json: Value = serde_json::from_str(data).unwrap_or_else(|_| panic!("{data}"));
    if json.get("error").is_some_and(|it| !it.is_null()) {
        got.error = Some(word(&json["error"]["message"]));
        return got;
    }
    assert_eq!(json["object"], "chat.completion.chunk", "{json}");
    let choice = &json["choices"][0];
    let delta = &choice["delta"];
    got.text.push_str(&word(&delta["content"]));
    got.thought.push_str(&word(&delta["reasoning_content"]));
    for call in delta["tool_calls"].as_array().into_iter().flatten() {
        let index = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
        let function = &call["function"];
        if index == got.calls.len() {
            let empty = Value::String(String::new());
            got.calls.push((word(&call["id"]), word(&function["name"]), empty));
        }
        if let Value::String(so_far) = &mut got.calls[index].2 {
            so_far.push_str(&word(&function["arguments"]));
        }
    }
    got.finish = got.finish.or_else(|| finish(&choice["finish_reason"]));
    got.usage = got.usage.or_else(|| openai_usage(&json));
    got
}

fn anthropic_usage(usage: &Value) -> Option<(u64, u64, u64)> {
    let number = |name: &str| usage[name].as_u64();
    let cached = number("cache_read_input_tokens").unwrap_or_default();
    let written = number("cache_creation_input_tokens").unwrap_or_default();
    Some((number("input_tokens")? + cached + written, number("output_tokens")?, cached))
}

fn block(mut got: Got, block: &Value) -> Got {
    match block["type"].as_str().unwrap() {
        "text" => got.text.push_str(&word(&block["text"])),
        "thinking" => {
            assert!(block["signature"].is_string(), "{block}");
            got.thought.push_str(&word(&block["thinking"]));
        }
        "tool_use" => {
            got.calls.push((word(&block["id"]), word(&block["name"]), block["input"].clone()));
        }
        other => panic!("block {other}"),
    }
    got
}

fn messages(json: &Value) -> Got {
    assert_eq!((&json["type"], &json["role"]), (&"message".into(), &"assistant".into()), "{json}");
    let got = json["content"].as_array().unwrap().iter().fold(Got::default(), block);
    Got {
        finish: finish(&json["stop_reason"]),
        usage: anthropic_usage(&json["usage"]),
        ended: true,
        ..got
    }
}

/// What a stream of messages has told so far.
#[derive(Default)]
struct Open {
    blocks: Vec<Value>,
    usage: Value,
}

fn message_event(mut got: Got, state: &mut Open, event: &Value) -> Got {
    let open = &mut state.blocks;
    assert!(!got.ended && got.error.is_none(), "after the end: {event}");
    let index = || usize::try_from(event["index"].as_u64().unwrap()).unwrap();
    match event["type"].as_str().unwrap() {
        "message_start" => {
            assert_eq!(event["message"]["content"], serde_json::json!([]));
            state.usage = event["message"]["usage"].clone();
        }
        "ping" => {}
        "content_block_start" => {
            assert_eq!(index(), open.len(), "{event}");
            let mut block = event["content_block"].clone();
            if block["type"] == "tool_use" {
                assert_eq!(block["input"], serde_json::json!({}));
                block["input"] = Value::String(String::new());
            }
            open.push(block);
        }
        "content_block_delta" => {
            let delta = &event["delta"];
            let (field, piece) = match delta["type"].as_str().unwrap() {
                "text_delta" => ("text", "text"),
                "thinking_delta" => ("thinking", "thinking"),
                "signature_delta" => ("signature", "signature"),
                "input_json_delta" => ("input", "partial_json"),
                other => panic!("delta {other}"),
            };
            assert_eq!(index() + 1, open.len(), "one block at a time: {event}");
            let old = word(&open[index()][field]);
            open[index()][field] = Value::String(old + &word(&delta[piece]));
        }
        "content_block_stop" => {
            let mut whole = open[index()].clone();
            if whole["type"] == "tool_use" {
                // Without a piece, the empty object of the start stands.
                whole["input"] = match whole["input"].as_str() {
                    Some("") => serde_json::json!({}),
                    _ => arguments(&whole["input"]),
                };
            }
            got = block(got, &whole);
        }
        "message_delta" => {
            got.finish = finish(&event["delta"]["stop_reason"]);
            // The counts are totals: what is not said again stays.
            for (name, count) in event["usage"].as_object().unwrap() {
                state.usage[name.as_str()] = count.clone();
            }
            got.usage = anthropic_usage(&state.usage);
        }
        "message_stop" => got.ended = true,
        "error" => {
            // What came of the block that was open counts too.
            if let Some(last) = open.last().filter(|it| it["type"] == "text") {
                got.text = word(&last["text"]);
            }
            got.error = Some(word(&event["error"]["message"]));
        }
        other => panic!("event {other}"),
    }
    got
}

fn ollama(json: &Value) -> Got {
    assert_eq!(json["done"], true, "{json}");
    ollama_line(Got::default(), json)
}

fn ollama_line(mut got: Got, json: &Value) -> Got {
    assert!(!got.ended && got.error.is_none(), "after the end: {json}");
    if let Some(error) = json.get("error") {
        got.error = Some(word(error));
        return got;
    }
    assert!(json["created_at"].as_str().is_some_and(|it| it.ends_with('Z')), "{json}");
    let message = &json["message"];
    got.text.push_str(&word(&message["content"]));
    got.thought.push_str(&word(&message["thinking"]));
    for call in message["tool_calls"].as_array().into_iter().flatten() {
        let function = &call["function"];
        assert!(function["arguments"].is_object(), "{json}");
        // Ids are new there: clients live without.
        let id = call["id"].as_str().unwrap_or("none").to_owned();
        got.calls.push((id, word(&function["name"]), function["arguments"].clone()));
    }
    if json["done"] == true {
        got.ended = true;
        // A tool call ends with "stop" there.
        got.finish = match (finish(&json["done_reason"]), got.calls.is_empty()) {
            (Some("stop"), false) => Some("tools"),
            (other, _) => other,
        };
        let number = |name: &str| json[name].as_u64();
        got.usage = number("prompt_eval_count").zip(number("eval_count")).map(|(i, o)| (i, o, 0));
        assert!(number("total_duration").is_some(), "{json}");
    }
    got
}

fn output(mut got: Got, item: &Value) -> Got {
    match item["type"].as_str().unwrap() {
        "message" => {
            for part in item["content"].as_array().unwrap() {
                assert_eq!(part["type"], "output_text", "{part}");
                assert!(part["annotations"].is_array(), "{part}");
                got.text.push_str(&word(&part["text"]));
            }
        }
        "reasoning" => {
            assert!(item["summary"].is_array(), "{item}");
            got.thought.push_str(&word(&item["content"][0]["text"]));
        }
        "function_call" => got.calls.push((
            word(&item["call_id"]),
            word(&item["name"]),
            arguments(&item["arguments"]),
        )),
        other => panic!("item {other}"),
    }
    got
}

fn responses(json: &Value) -> Got {
    assert_eq!(json["object"], "response", "{json}");
    for field in ["tools", "tool_choice", "parallel_tool_calls", "metadata", "text", "store"] {
        assert!(json.get(field).is_some(), "{field}: {json}");
    }
    let got = json["output"].as_array().unwrap().iter().fold(Got::default(), output);
    let finish = match (json["status"].as_str().unwrap(), got.calls.is_empty()) {
        ("completed", true) => Some("stop"),
        ("completed", false) => Some("tools"),
        ("incomplete", _) => {
            assert_eq!(json["incomplete_details"]["reason"], "max_output_tokens", "{json}");
            Some("length")
        }
        _ => None,
    };
    let usage = json.get("usage").filter(|it| !it.is_null()).map(|usage| {
        let number = |name: &str| usage[name].as_u64().unwrap();
        let cached = usage["input_tokens_details"]["cached_tokens"].as_u64().unwrap();
        assert!(usage["output_tokens_details"]["reasoning_tokens"].is_u64(), "{usage}");
        (number("input_tokens"), number("output_tokens"), cached)
    });
    let error = json["error"]["message"].as_str().map(str::to_owned);
    Got { finish, usage, error, ended: finish.is_some(), ..got }
}

fn response_event(mut got: Got, event: &Value) -> Got {
    match event["type"].as_str().unwrap() {
        "response.output_text.delta" => got.text.push_str(&word(&event["delta"])),
        "response.reasoning_text.delta" => got.thought.push_str(&word(&event["delta"])),
        "response.completed" | "response.incomplete" | "response.failed" => {
            let whole = responses(&event["response"]);
            assert_eq!(whole.text, got.text, "pieces and whole");
            assert_eq!(whole.thought, got.thought, "pieces and whole");
            return whole;
        }
        "response.output_item.done" | "response.output_item.added" => {
            assert!(event["output_index"].is_u64() && event["item"]["id"].is_string(), "{event}");
        }
        _ => {}
    }
    got
}
