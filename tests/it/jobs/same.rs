//! The same job again: one job, one call, one result.

use serde_json::json;

use crate::jobs::{held, near};
use crate::support::http::request;
use crate::support::{
    Gateway, JOBS, JSON, NO_RETRY, OpenAi, alias, alias_with, at, chat_job, chat_job_with, job,
    openai, run, until_true,
};

const LATER: (&str, &str) = ("Prefer", "respond-async");

#[test]
fn put_again_is_the_same_job() {
    run(async {
        let fake = held();
        let gateway = Gateway::with(&near(&fake)).await;
        let wanted = chat_job("big", "hello");
        let first = gateway.put_job("a", &wanted).await.expect(202);
        assert_eq!(first.header("location"), Some("/v1/jobs/a"));
        assert_eq!(first.header("content-length"), Some(first.body.len().to_string().as_str()));
        assert!(first.header("retry-after").is_some());
        assert_eq!(first.header("idempotent-replayed"), None);
        let again = gateway.put_job("a", &wanted).await.expect(202);
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.header("location"), Some("/v1/jobs/a"));
        // Another body, path or locality is another job, and changes nothing.
        let local = [&JSON[..], &[("X-Edgehold-Locality", "cloud")]].concat();
        for other in [chat_job("big", "else"), job("/api/chat", &wanted["body"])] {
            let refused = gateway.put_job("a", &other).await.expect(422);
            assert_eq!(refused.header("content-type"), Some("application/problem+json"));
            assert_eq!(refused.json()["status"], 422);
        }
        let text = wanted.to_string();
        let refused = gateway.ask("PUT", &at("a"), &local, text.as_bytes()).await;
        assert!(matches!(refused.status(), 400 | 422), "{}", refused.text());
        fake.release();
        gateway.until_ended("a", "succeeded").await;
        let done = gateway.put_job("a", &wanted).await.expect(200);
        assert_eq!(done.header("idempotent-replayed"), Some("true"));
        assert_eq!((done.json()["state"].as_str(), fake.chats()), (Some("succeeded"), 1));
        gateway.put_job("a", &chat_job("big", "else")).await.expect(422);
        assert_eq!(gateway.result("a").await.expect(200).content(), "in the end");
    });
}

#[test]
fn a_key_is_a_job_quoted_or_bare() {
    run(async {
        let fake = held();
        let gateway = Gateway::with(&near(&fake)).await;
        let body = chat_job("big", "hello");
        let first = gateway
            .post_with(JOBS, &[("Idempotency-Key", "\"order 66\"")], &body)
            .await
            .expect(202);
        let place = first.header("location").unwrap().to_owned();
        for key in ["order 66", "\"order 66\""] {
            let again = gateway.post_with(JOBS, &[("Idempotency-Key", key)], &body).await;
            let again = again.expect(202);
            assert_eq!(again.header("idempotent-replayed"), Some("true"), "{key}");
            assert_eq!(again.header("location"), Some(place.as_str()));
        }
        // By the path itself the same key is the same job, too.
        let headers = [LATER, ("Idempotency-Key", "order 66")];
        let again = gateway.chat_with("big", "hello", &headers).await.expect(202);
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        let refused = gateway.chat_with("big", "else", &headers).await.expect(422);
        assert!(refused.error().1.contains("key"), "in the path's dialect: {}", refused.text());
        for bad in ["\"order", "order\"", "\"\"", "", "ä", &"x".repeat(256)] {
            let headers = [("Idempotency-Key", bad)];
            let refused = gateway.post_with(JOBS, &headers, &body).await;
            assert_eq!(refused.status(), 400, "{bad}: {}", refused.text());
            let headers = [LATER, headers[0]];
            gateway.chat_with("big", "hello", &headers).await.expect(400);
        }
        assert_eq!(gateway.listed("").await.len(), 1);
        fake.release();
    });
}

#[test]
fn without_a_key_every_post_is_a_job() {
    run(async {
        let fake = OpenAi::saying("fine");
        let gateway = Gateway::with(&near(&fake)).await;
        let body = chat_job("big", "hello");
        let one = gateway.post(JOBS, &body).await.expect(202);
        let two = gateway.post(JOBS, &body).await.expect(202);
        assert_ne!(one.json()["id"], two.json()["id"]);
        for answer in [one, two] {
            gateway.until_ended(answer.json()["id"].as_str().unwrap(), "succeeded").await;
        }
        assert_eq!(fake.chats(), 2);
    });
}

/// Hands eight requests in at the same moment, each on a connection of its own; their statuses.
async fn at_once(gateway: &Gateway, texts: [&str; 8]) -> Vec<(u16, bool)> {
    let mut conns = Vec::new();
    for _ in texts {
        conns.push(gateway.conn().await);
    }
    for (conn, text) in conns.iter_mut().zip(texts) {
        let body = chat_job("big", text).to_string();
        let bytes = request("PUT", &at("race"), &gateway.host(), &JSON, body.as_bytes());
        conn.send(&bytes).await.unwrap();
    }
    let mut found = Vec::new();
    for mut conn in conns {
        let answer = conn.answer(false).await.unwrap();
        found.push((answer.status(), answer.header("idempotent-replayed").is_some()));
    }
    found
}

#[test]
fn eight_at_once_are_one_job() {
    run(async {
        let fake = OpenAi::saying("once");
        let gateway = Gateway::with(&near(&fake)).await;
        let found = at_once(&gateway, ["hello"; 8]).await;
        assert!(found.iter().all(|(status, _)| matches!(status, 200 | 202)), "{found:?}");
        assert_eq!(found.iter().filter(|(_, replayed)| !replayed).count(), 1, "{found:?}");
        gateway.until_ended("race", "succeeded").await;
        assert_eq!((gateway.listed("").await.len(), fake.chats()), (1, 1));
    });
}

#[test]
fn of_eight_unlike_ones_one_is_taken() {
    run(async {
        let fake = OpenAi::saying("once");
        let gateway = Gateway::with(&near(&fake)).await;
        let found = at_once(&gateway, ["a", "b", "c", "d", "e", "f", "g", "h"]).await;
        assert_eq!(found.iter().filter(|(status, _)| *status == 202).count(), 1, "{found:?}");
        assert_eq!(found.iter().filter(|(status, _)| *status == 422).count(), 7, "{found:?}");
        gateway.until_ended("race", "succeeded").await;
        until_true("it was asked for once", || fake.chats() == 1).await;
    });
}

#[test]
fn white_space_and_a_stream_make_no_other_job() {
    run(async {
        let fake = OpenAi::saying("fine");
        let gateway = Gateway::with(&near(&fake)).await;
        let plain = chat_job("big", "hello");
        gateway.put_job("a", &plain).await.expect(202);
        let mut streamed = plain.clone();
        streamed["body"]["stream"] = json!(true);
        let again = gateway.put_job("a", &streamed).await;
        assert_eq!(again.header("idempotent-replayed"), Some("true"), "{}", again.text());
        // When it is done, and before whom, is not what it is.
        let sooner = chat_job_with("big", "hello", "priority", &json!("high"));
        let again = gateway.put_job("a", &sooner).await;
        assert_eq!(again.header("idempotent-replayed"), Some("true"), "{}", again.text());
        gateway.until_ended("a", "succeeded").await;
        assert_eq!(fake.count(openai::CHAT), 1);
    });
}

#[test]
fn a_reload_makes_no_other_job_of_the_same() {
    run(async {
        let fake = held();
        let cloud = fake.table("cloud", "local", "") + NO_RETRY;
        let gateway = Gateway::with(&(cloud.clone() + &alias("big", &["cloud/x"]))).await;
        gateway.queue_chat("a", "big", "hello").await;
        let narrow = alias_with("big", &["cloud/x"], "locality = \"local\"");
        let other = alias("other", &["cloud/x"]);
        for (reloads, aliases) in [narrow, other].into_iter().enumerate() {
            gateway.rewrite(&(cloud.clone() + &aliases));
            gateway.signal("HUP");
            let is_reloaded = || gateway.log().matches("reloaded").count() > reloads;
            until_true("it is reloaded", is_reloaded).await;
            let again = gateway.put_job("a", &chat_job("big", "hello")).await.expect(202);
            assert_eq!(again.header("idempotent-replayed"), Some("true"));
        }
        gateway.put_job("a", &chat_job("big", "else")).await.expect(422);
        gateway.put_job("b", &chat_job("big", "hello")).await.expect(404);
        fake.release();
    });
}
