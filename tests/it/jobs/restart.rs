//! The service's own end: a crash loses no job, a stop in good order neither.

use serde_json::json;

use crate::jobs::{ONE, held, hold, near, questions};
use crate::support::{Gateway, OpenAi, Setup, at, chat_job, openai, run_long};

/// One job that is done, one that runs, and two that wait.
async fn busy(fake: &OpenAi, server: &str) -> (Gateway, Vec<u8>) {
    let gateway = Setup::new(&(near(fake) + ONE)).server(server).start().await;
    fake.says("done");
    gateway.queue_chat("done", "big", "done").await;
    gateway.until_ended("done", "succeeded").await;
    let result = gateway.result("done").await.expect(200).body;
    hold(fake);
    for id in ["runs", "one", "two"] {
        gateway.queue_chat(id, "big", id).await;
    }
    fake.until_seen(openai::CHAT, 2).await;
    (gateway, result)
}

async fn assert_whole(gateway: &Gateway, fake: &OpenAi, result: &[u8]) {
    assert_eq!(gateway.listed("").await, ["done", "runs", "one", "two"]);
    assert_eq!(gateway.result("done").await.expect(200).body, result);
    fake.release();
    for id in ["runs", "one", "two"] {
        gateway.until_ended(id, "succeeded").await;
        assert_eq!(gateway.result(id).await.expect(200).content(), "in the end");
    }
    assert_eq!(questions(fake), ["done", "runs", "runs", "one", "two"]);
    // The same key is the same job, whichever start took it.
    let again = gateway.put_job("one", &chat_job("big", "one")).await.expect(200);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    gateway.put_job("done", &chat_job("big", "else")).await.expect(422);
}

#[test]
fn a_crash_loses_no_job() {
    run_long(async {
        let fake = OpenAi::new();
        let (gateway, result) = busy(&fake, "").await;
        let gateway = gateway.killed().await;
        fake.until_seen(openai::CHAT, 3).await;
        let runs = gateway.job("runs").await;
        assert_eq!((&runs["state"], &runs["crashes"]), (&json!("running"), &json!(1)));
        assert_whole(&gateway, &fake, &result).await;
    });
}

#[test]
fn a_stop_puts_back_what_does_not_end_in_time() {
    run_long(async {
        let fake = OpenAi::new();
        let (gateway, result) = busy(&fake, "grace = \"1s\"").await;
        let gateway = gateway.stopped().await;
        fake.until_seen(openai::CHAT, 3).await;
        assert_eq!(gateway.job("runs").await["crashes"], 0, "a stop is no crash");
        assert_whole(&gateway, &fake, &result).await;
    });
}

#[test]
fn a_stop_waits_for_what_runs() {
    run_long(async {
        let fake = held();
        let mut gateway = Setup::new(&(near(&fake) + ONE)).server("grace = \"60s\"").start().await;
        gateway.queue_chat("a", "big", "a").await;
        gateway.queue_chat("b", "big", "b").await;
        fake.until_seen(openai::CHAT, 1).await;
        let mut waits = gateway.conn().await;
        let ask = crate::support::http::request("GET", "/v1/jobs/a", &gateway.host(), &[], b"");
        waits.send(&ask).await.unwrap();
        waits.answer(false).await.unwrap().expect(200);
        gateway.signal("TERM");
        // The drain has begun when a connection that nobody uses is ended.
        assert!(!waits.read_more().await, "nothing more comes");
        fake.release();
        assert_eq!(gateway.exit_code().await, Some(0), "{}", gateway.log());
        assert_eq!(questions(&fake), ["a"], "nothing is begun while it stops");
        let gateway = gateway.take_setup().start().await;
        assert_eq!(gateway.job("a").await["state"], "succeeded", "its answer was stored");
        gateway.until_ended("b", "succeeded").await;
        assert_eq!(questions(&fake), ["a", "b"]);
    });
}

#[test]
fn what_was_let_go_does_not_come_back_with_the_next_start() {
    run_long(async {
        let fake = OpenAi::saying("done");
        let gateway = Gateway::with(&near(&fake)).await;
        for id in ["kept", "let-go"] {
            gateway.queue_chat(id, "big", id).await;
            gateway.until_ended(id, "succeeded").await;
        }
        gateway.delete(&at("let-go")).await.expect(204);
        let gateway = gateway.stopped().await;
        assert_eq!(gateway.listed("").await, ["kept"]);
        gateway.get(&at("let-go")).await.expect(404);
        assert_eq!(fake.chats(), 2);
    });
}

#[test]
fn what_crashes_it_three_times_is_put_aside() {
    run_long(async {
        let fake = held();
        let mut gateway = Gateway::with(&(near(&fake) + ONE)).await;
        gateway.queue_chat("poison", "big", "poison").await;
        gateway.queue_chat("other", "big", "other").await;
        for start in 1..=3 {
            fake.until_seen(openai::CHAT, start).await;
            gateway = gateway.killed().await;
        }
        let poison = gateway.until_ended("poison", "failed").await;
        assert_eq!(poison["last_error"]["code"], "quarantined");
        assert_eq!(poison["crashes"], 3);
        fake.release();
        gateway.until_ended("other", "succeeded").await;
        assert_eq!(questions(&fake), ["poison", "poison", "poison", "other"]);
        gateway.get(&at("poison")).await.expect(200);
    });
}
