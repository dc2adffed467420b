//! OpenAI's background responses: begun, polled, cancelled.

use serde_json::{Value, json};

use crate::jobs::{ONE, held, near};
use crate::support::{Gateway, OpenAi, at, openai, reply, run, until};

const RESPONSES: &str = "/v1/responses";

fn background(input: &str) -> Value {
    json!({"model": "big", "input": input, "background": true, "temperature": 0.5})
}

fn place(id: &str) -> String {
    format!("{RESPONSES}/{id}")
}

async fn begin(gateway: &Gateway, input: &str) -> (String, Value) {
    let begun = gateway.post(RESPONSES, &background(input)).await.expect(200).json();
    (begun["id"].as_str().unwrap().to_owned(), begun)
}

async fn until_status(gateway: &Gateway, id: &str, status: &str) -> Value {
    until(&format!("{id} is {status}"), async || {
        let response = gateway.get(&place(id)).await.expect(200).json();
        (response["status"] == status).then_some(response)
    })
    .await
}

#[test]
fn a_response_is_polled_until_it_is_completed() {
    run(async {
        let fake = held();
        let gateway = Gateway::with(&near(&fake)).await;
        let (id, begun) = begin(&gateway, "hello").await;
        assert!(id.starts_with("resp_"), "{begun}");
        assert!(begun["status"] == "queued" || begun["status"] == "in_progress", "{begun}");
        let running = until_status(&gateway, &id, "in_progress").await;
        for object in [&begun, &running] {
            assert_eq!((&object["object"], &object["output"]), (&json!("response"), &json!([])));
            assert_eq!((&object["model"], &object["temperature"]), (&json!("big"), &json!(0.5)));
            assert_eq!((&object["id"], &object["error"]), (&json!(id), &Value::Null));
            assert_eq!(object["background"], true);
        }
        fake.release();
        let done = until_status(&gateway, &id, "completed").await;
        assert_eq!(done["output"][0]["content"][0]["text"], "in the end");
        assert_eq!((&done["id"], &done["background"]), (&json!(id), &json!(true)));
        assert_eq!(fake.chats(), 1);
        // It is a job like the others.
        let bare = id.strip_prefix("resp_").unwrap();
        assert_eq!(gateway.job(bare).await["path"], RESPONSES);
    });
}

#[test]
fn a_key_is_a_response() {
    run(async {
        let fake = held();
        let gateway = Gateway::with(&near(&fake)).await;
        let ask = async |key: &str, input: &str| {
            let headers = [("Idempotency-Key", key)];
            gateway.post_with(RESPONSES, &headers, &background(input)).await
        };
        let first = ask("one", "hello").await.expect(200).json();
        assert_eq!(ask("one", "hello").await.expect(200).json()["id"], first["id"]);
        let refused = ask("one", "else").await.expect(422);
        assert!(refused.error().1.contains("key"), "in its own dialect: {}", refused.text());
        assert_ne!(ask("two", "hello").await.expect(200).json()["id"], first["id"]);
        assert_eq!(gateway.listed("").await.len(), 2);
        fake.release();
    });
}

#[test]
fn a_response_is_cancelled() {
    run(async {
        let fake = held();
        let gateway = Gateway::with(&(near(&fake) + ONE)).await;
        let (runs, _) = begin(&gateway, "runs").await;
        let (waits, _) = begin(&gateway, "waits").await;
        fake.until_seen(openai::CHAT, 1).await;
        for id in [&waits, &runs] {
            let cancelled = gateway.post(&format!("{}/cancel", place(id)), &json!({})).await;
            assert_eq!(cancelled.expect(200).json()["status"], "cancelled");
            assert_eq!(gateway.get(&place(id)).await.expect(200).json()["status"], "cancelled");
        }
        fake.until_gone(1).await;
        fake.release();
        let (next, _) = begin(&gateway, "next").await;
        let done = until_status(&gateway, &next, "completed").await;
        // What has ended stays as it is.
        let again = gateway.post(&format!("{}/cancel", place(&next)), &json!({})).await.expect(200);
        assert_eq!(again.json(), done);
        assert_eq!(fake.chats(), 2, "one that waits is never asked for");
    });
}

#[test]
fn a_response_is_let_go() {
    run(async {
        let fake = OpenAi::saying("done");
        let gateway = Gateway::with(&near(&fake)).await;
        let (id, _) = begin(&gateway, "hello").await;
        until_status(&gateway, &id, "completed").await;
        let gone = gateway.delete(&place(&id)).await.expect(200).json();
        assert_eq!((&gone["id"], &gone["deleted"]), (&json!(id), &json!(true)));
        gateway.delete(&place(&id)).await.expect(404);
        let none = gateway.get(&place(&id)).await.expect(404);
        assert!(none.error().1.contains(&id), "{}", none.text());
    });
}

#[test]
fn a_response_fails_in_its_own_words() {
    run(async {
        let fake = OpenAi::new();
        let error = openai::error("bad temperature", "invalid_request_error", None);
        fake.on(openai::CHAT, reply::json(400, &error));
        let gateway = Gateway::with(&near(&fake)).await;
        let (id, _) = begin(&gateway, "hello").await;
        let failed = until_status(&gateway, &id, "failed").await;
        let message = failed["error"]["message"].as_str().unwrap();
        assert!(message.contains("bad temperature"), "{failed}");
        assert_eq!(failed["output"], json!([]));
    });
}

#[test]
fn what_cannot_be_in_the_background_is_refused() {
    run(async {
        let fake = OpenAi::saying("done");
        let gateway = Gateway::with(&near(&fake)).await;
        let mut streamed = background("hello");
        streamed["stream"] = json!(true);
        let refused = gateway.post(RESPONSES, &streamed).await.expect(400);
        assert_eq!(refused.json()["error"]["param"], "stream");
        // A job of another path is no response, and neither is nothing.
        gateway.queue_chat("chat", "big", "hello").await;
        gateway.until_ended("chat", "succeeded").await;
        for id in ["resp_chat", "chat", "resp_nobody"] {
            assert!(!gateway.get(&place(id)).await.expect(404).error().1.is_empty());
            gateway.delete(&place(id)).await.expect(404);
        }
        gateway.get(&at("chat")).await.expect(200);
        assert_eq!(fake.chats(), 1);
    });
}
