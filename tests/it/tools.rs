//! Tools, schemas and other features, and targets that do not have them.

use serde_json::{Value, json};

use crate::support::{Act, Gateway, NO_RETRY, Ollama, OpenAi, alias, ollama, openai, reply, run};

async fn local(fake: &Ollama) -> Gateway {
    let tables = fake.local("local") + &alias("small", &["local/tiny"]) + NO_RETRY;
    Gateway::with(&tables).await
}

fn tool_request(stream: bool) -> Value {
    json!({
        "model": "small", "stream": stream, "messages": [
            {"role": "user", "content": "weather in Rome and Oslo?"},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "call_7", "type": "function",
                "function": {"name": "weather", "arguments": "{\"city\":\"Rome\"}"}}]},
            {"role": "tool", "tool_call_id": "call_7", "content": "sunny"}
        ],
        "tools": [{"type": "function", "function": {"name": "weather", "description": "asks", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]
    })
}

fn tool_answer() -> Vec<Act> {
    let call = ollama::line(
        &json!({"model": "tiny", "message": {"role": "assistant", "content": "",
        "tool_calls": [{"function": {"name": "weather", "arguments": {"city": "Oslo", "days": 2}}}]}, "done": false}),
    );
    vec![Act::Send(reply::pieces(ollama::LINES, &[call, ollama::end(12)]))]
}

#[test]
fn tools_are_translated_both_ways() {
    run(async {
        let fake = Ollama::saying("");
        fake.chat_acts(tool_answer());
        let gateway = local(&fake).await;
        let json = gateway.post(openai::CHAT, &tool_request(false)).await.expect(200).json();
        let choice = &json["choices"][0];
        assert_eq!(choice["finish_reason"], "tool_calls", "Ollama says stop");
        let call = &choice["message"]["tool_calls"][0];
        assert_eq!(call["type"], "function");
        assert!(call["id"].as_str().is_some_and(|id| !id.is_empty()), "Ollama gives no id: {call}");
        assert_eq!(call["function"]["name"], "weather");
        let arguments: Value =
            serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
        assert_eq!(arguments, json!({"city": "Oslo", "days": 2}));
        let asked = fake.chats()[0].json();
        assert_eq!(asked["tools"], tool_request(false)["tools"]);
        let called = &asked["messages"][1]["tool_calls"][0]["function"];
        assert_eq!(called["arguments"], json!({"city": "Rome"}), "an object, no string: {asked}");
        let told = &asked["messages"][2];
        assert_eq!(
            (&told["role"], &told["content"], &told["tool_name"]),
            (&json!("tool"), &json!("sunny"), &json!("weather"))
        );
    });
}

#[test]
fn tool_calls_are_streamed_in_openais_form() {
    run(async {
        let fake = Ollama::saying("");
        fake.chat_acts(tool_answer());
        let gateway = local(&fake).await;
        let stream = gateway.post(openai::CHAT, &tool_request(true)).await.expect(200).stream();
        stream.assert_whole();
        assert_eq!(stream.finish.as_deref(), Some("tool_calls"));
        let calls =
            stream.chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]["tool_calls"][0]);
        let pieces: Vec<&Value> = calls.filter(|call| !call.is_null()).collect();
        assert!(pieces[0]["id"].as_str().is_some_and(|id| !id.is_empty()), "{pieces:?}");
        assert_eq!(
            (&pieces[0]["index"], &pieces[0]["function"]["name"]),
            (&json!(0), &json!("weather"))
        );
        let text: String =
            pieces.iter().filter_map(|it| it["function"]["arguments"].as_str()).collect();
        assert_eq!(
            serde_json::from_str::<Value>(&text).unwrap(),
            json!({"city": "Oslo", "days": 2})
        );
    });
}

#[test]
fn a_json_schema_reaches_the_model() {
    run(async {
        let fake = Ollama::saying(r#"{"b":"x"}"#);
        let gateway = local(&fake).await;
        let schema = json!({"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}, "required": ["b"]});
        let table = [
            (
                json!({"type": "json_schema", "json_schema": {"name": "x", "strict": true, "schema": schema}}),
                schema.clone(),
            ),
            (json!({"type": "json_object"}), json!("json")),
        ];
        for (index, (format, wanted)) in table.into_iter().enumerate() {
            let mut body = openai::request("small", "an object", false);
            body["response_format"] = format;
            gateway.post(openai::CHAT, &body).await.expect(200);
            assert_eq!(fake.chats()[index].json()["format"], wanted);
        }
    });
}

#[test]
fn what_an_ollama_cannot_do_goes_to_who_can() {
    run(async {
        let (small, big) = (Ollama::saying("small"), OpenAi::saying("big"));
        let tables = small.local("local")
            + &big.cloud("cloud")
            + NO_RETRY
            + &alias("both", &["local/tiny", "cloud/gpt-test"])
            + &alias("small", &["local/tiny"]);
        let gateway = Gateway::with(&tables).await;
        let exotic =
            [("n", json!(2)), ("logprobs", json!(true)), ("tool_choice", json!("required"))];
        for (field, value) in exotic {
            let mut body = openai::request("both", "hello", false);
            body[field] = value;
            body["tools"] = tool_request(false)["tools"].clone();
            assert_eq!(
                gateway.post(openai::CHAT, &body).await.expect(200).content(),
                "big",
                "{field}"
            );
            body["model"] = json!("small");
            let refused = gateway.post(openai::CHAT, &body).await.expect(400);
            let (_, message) = refused.error();
            assert!(message.contains(field), "the message names {field}: {message}");
        }
        assert_eq!(small.chats().len(), 0);
    });
}
