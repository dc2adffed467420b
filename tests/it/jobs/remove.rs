//! Taking jobs back, letting results go, and trying again what had no answer.

use serde_json::json;

use crate::jobs::{ONE, held, near, questions};
use crate::support::answer::Answer;
use crate::support::{Gateway, OpenAi, at, chat_job, openai, reply, run};

async fn retry(gateway: &Gateway, id: &str) -> Answer {
    gateway.post(&format!("{}/retry", at(id)), &json!({})).await
}

#[test]
fn a_job_that_waits_is_taken_back_and_never_asked_for() {
    run(async {
        let fake = held();
        let gateway = Gateway::with(&(near(&fake) + ONE)).await;
        for id in ["a", "b", "c"] {
            gateway.queue_chat(id, "big", id).await;
        }
        gateway.until_state("a", "running").await;
        let cancelled = gateway.delete(&at("b")).await.expect(200).json();
        assert_eq!((&cancelled["id"], &cancelled["state"]), (&json!("b"), &json!("cancelled")));
        let gone = gateway.result("b").await.expect(410);
        assert_eq!(gone.json()["code"], "gone");
        fake.release();
        gateway.until_ended("c", "succeeded").await;
        assert_eq!(questions(&fake), ["a", "c"]);
        assert_eq!(gateway.job("b").await["state"], "cancelled");
        // What was taken back is let go by the same word.
        gateway.delete(&at("b")).await.expect(204);
        gateway.delete(&at("b")).await.expect(404);
    });
}

#[test]
fn a_job_that_runs_is_broken_off() {
    run(async {
        let fake = held();
        let gateway = Gateway::with(&(near(&fake) + ONE)).await;
        gateway.queue_chat("a", "big", "a").await;
        gateway.queue_chat("b", "big", "b").await;
        fake.until_seen(openai::CHAT, 1).await;
        assert_eq!(gateway.delete(&at("a")).await.expect(200).json()["state"], "cancelled");
        fake.until_gone(1).await;
        // Its place is free for the next one.
        fake.until_seen(openai::CHAT, 2).await;
        fake.release();
        gateway.until_ended("b", "succeeded").await;
        assert_eq!(gateway.job("a").await["state"], "cancelled");
        assert_eq!(questions(&fake), ["a", "b"]);
    });
}

#[test]
fn a_result_that_is_let_go_is_gone_and_its_name_free() {
    run(async {
        let fake = OpenAi::saying("done");
        let gateway = Gateway::with(&near(&fake)).await;
        gateway.queue_chat("a", "big", "hello").await;
        gateway.until_ended("a", "succeeded").await;
        let gone = gateway.delete(&at("a")).await.expect(204);
        assert_eq!(gone.body.len(), 0);
        for path in [at("a"), format!("{}/result", at("a"))] {
            gateway.get(&path).await.expect(404);
        }
        assert_eq!(gateway.listed("").await, [""; 0]);
        retry(&gateway, "a").await.expect(404);
        // Another job may have the name, whatever it asks.
        let fresh = gateway.put_job("a", &chat_job("big", "something else")).await.expect(202);
        assert_eq!(fresh.header("idempotent-replayed"), None);
        gateway.until_ended("a", "succeeded").await;
        assert_eq!(questions(&fake), ["hello", "something else"]);
    });
}

#[test]
fn what_had_no_answer_is_tried_again() {
    run(async {
        let fake = OpenAi::saying("better");
        let error = openai::error("bad temperature", "invalid_request_error", None);
        fake.once(openai::CHAT, reply::json(400, &error));
        let gateway = Gateway::with(&near(&fake)).await;
        gateway.queue_chat("a", "big", "hello").await;
        gateway.until_ended("a", "failed").await;
        gateway.result("a").await.expect(400);
        let again = retry(&gateway, "a").await.expect(202);
        assert_eq!(again.header("location"), Some(at("a").as_str()));
        let done = gateway.until_ended("a", "succeeded").await;
        assert_eq!(done.get("last_error"), None, "{done}");
        assert_eq!(gateway.result("a").await.expect(200).content(), "better");
        // What has an answer has no need of it.
        let refused = retry(&gateway, "a").await.expect(400).json();
        assert!(refused["detail"].as_str().unwrap().contains("succeeded"), "{refused}");
        assert_eq!(fake.chats(), 2);
    });
}

#[test]
fn what_was_taken_back_is_tried_again_and_what_waits_is_not() {
    run(async {
        let fake = held();
        let gateway = Gateway::with(&(near(&fake) + ONE)).await;
        gateway.queue_chat("a", "big", "a").await;
        gateway.queue_chat("b", "big", "b").await;
        gateway.until_state("a", "running").await;
        for (id, state) in [("a", "running"), ("b", "queued")] {
            let refused = retry(&gateway, id).await.expect(400).json();
            assert!(refused["detail"].as_str().unwrap().contains(state), "{refused}");
        }
        gateway.delete(&at("b")).await.expect(200);
        retry(&gateway, "b").await.expect(202);
        assert_eq!(gateway.job("b").await["state"], "queued");
        fake.release();
        gateway.until_ended("b", "succeeded").await;
        assert_eq!(questions(&fake), ["a", "b"]);
    });
}
