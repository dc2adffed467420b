//! A full queue: it refuses what is new, keeps what it has, and has room again when jobs are let go.

use serde_json::json;

use crate::jobs::{held, near};
use crate::support::answer::Answer;
use crate::support::{Gateway, JOBS, OpenAi, at, chat_job, openai, reply, run, run_long};

#[track_caller]
fn assert_refused(refused: Answer, what: &str) {
    let refused = refused.expect(429);
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    let wait = refused.header("retry-after").and_then(|it| it.parse::<u64>().ok());
    assert!(wait.is_some_and(|it| it > 0), "{:?}", refused.head);
    let problem = refused.json();
    assert_eq!((&problem["code"], &problem["status"]), (&json!("queue_full"), &json!(429)));
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("delete") && detail.contains(what), "{detail}");
}

#[test]
fn so_many_jobs_and_no_more() {
    run(async {
        let fake = held();
        let tables = near(&fake) + "[queue]\nconcurrency = 1\nmax_jobs = 3\n";
        let gateway = Gateway::with(&tables).await;
        for id in ["a", "b", "c"] {
            gateway.queue_chat(id, "big", id).await;
        }
        assert_refused(gateway.put_job("d", &chat_job("big", "d")).await, "max_jobs");
        assert_refused(gateway.post(JOBS, &chat_job("big", "d")).await, "max_jobs");
        // In the dialect of the path that was asked, and a client that waits is served.
        let later = gateway.chat_with("big", "d", &[("Prefer", "respond-async")]).await.expect(429);
        assert!(later.header("retry-after").is_some());
        assert!(later.error().1.contains("max_jobs"), "{}", later.text());
        // What is there is known again, looked at, and taken back.
        let again = gateway.put_job("a", &chat_job("big", "a")).await.expect(202);
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(gateway.listed("").await, ["a", "b", "c"]);
        gateway.delete(&at("b")).await.expect(200);
        gateway.delete(&at("b")).await.expect(204);
        gateway.queue_chat("d", "big", "d").await;
        assert_refused(gateway.put_job("e", &chat_job("big", "e")).await, "max_jobs");
        fake.release();
        for id in ["a", "c", "d"] {
            gateway.until_ended(id, "succeeded").await;
        }
        // A result holds its place until it is let go.
        assert_refused(gateway.put_job("e", &chat_job("big", "e")).await, "max_jobs");
        gateway.delete(&at("a")).await.expect(204);
        gateway.queue_chat("e", "big", "e").await;
        gateway.until_ended("e", "succeeded").await;
        assert_eq!(gateway.listed("").await, ["c", "d", "e"]);
    });
}

/// Hands jobs of 10 KB in until no more are taken; how many were.
async fn fill(gateway: &Gateway, name: &str) -> usize {
    let text = "x".repeat(10_000);
    for number in 0..100 {
        let id = format!("{name}-{number}");
        let taken = gateway.put_job(&id, &chat_job("big", &text)).await;
        if taken.status() != 202 {
            assert_refused(taken, "quota");
            return number;
        }
    }
    panic!("a quota of 256 KiB takes 1 MB");
}

#[test]
fn so_many_bytes_and_no_more() {
    run_long(async {
        let fake = held();
        let tables = near(&fake) + "[queue]\nconcurrency = 1\nquota = \"256KiB\"\n";
        let gateway = Gateway::with(&tables).await;
        let first = fill(&gateway, "first").await;
        assert!(first >= 4, "{first}");
        let queue = gateway.status().await["queue"].clone();
        assert!(queue["bytes"].as_u64() <= queue["quota_bytes"].as_u64(), "{queue}");
        assert_eq!(queue["quota_bytes"], 256 * 1024);
        // Nothing of what was taken is dropped, and results find room.
        fake.release();
        let ids: Vec<String> = (0..first).map(|number| format!("first-{number}")).collect();
        for id in &ids {
            gateway.until_ended(id, "succeeded").await;
            assert_eq!(gateway.result(id).await.expect(200).content(), "in the end");
        }
        assert_eq!(gateway.listed("?limit=100").await, ids);
        for id in &ids {
            gateway.delete(&at(id)).await.expect(204);
        }
        // As many as before find room again.
        let second = crate::support::until("there is room again", async || {
            let taken = gateway.put_job("again", &chat_job("big", &"x".repeat(10_000))).await;
            (taken.status() != 429).then_some(taken.status())
        })
        .await;
        assert!(matches!(second, 200 | 202), "{second}");
        gateway.until_ended("again", "succeeded").await;
        assert_eq!(fake.chats(), first + 1);
    });
}

#[test]
fn an_answer_that_finds_no_room_ends_its_job() {
    run(async {
        let fake = OpenAi::new();
        let answer = openai::answer(&"x".repeat(400_000));
        fake.on(openai::CHAT, reply::json(200, &answer));
        let gateway = Gateway::with(&(near(&fake) + "[queue]\nquota = \"256KiB\"\n")).await;
        gateway.queue_chat("a", "big", "a").await;
        let job = gateway.until_ended("a", "failed").await;
        assert_eq!(job["last_error"]["code"], "result_too_large", "{job}");
        // Nobody is asked to wait for what will not come.
        let result = gateway.result("a").await.expect(500);
        assert!(result.json()["detail"].as_str().unwrap().contains("quota"), "{}", result.text());
        assert_eq!(fake.chats(), 1);
    });
}
