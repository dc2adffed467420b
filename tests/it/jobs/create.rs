//! Handing a job in: what it may say of itself, and what its client is told.

use serde_json::json;

use crate::jobs::{ONE, held, near, questions};
use crate::support::{
    Gateway, JOBS, OpenAi, at, chat_job, chat_job_with, job, openai, run, until_true,
};

#[test]
fn a_job_is_named_by_its_client_or_here() {
    run(async {
        let fake = OpenAi::saying("done");
        let gateway = Gateway::with(&near(&fake)).await;
        let longest = "x".repeat(64);
        for id in ["a", "A-z_0", "-", &longest] {
            let taken = gateway.put_job(id, &chat_job("big", id)).await.expect(202);
            assert_eq!(taken.json()["id"], id);
            assert_eq!(taken.header("location"), Some(at(id).as_str()));
            gateway.until_ended(id, "succeeded").await;
            assert_eq!(gateway.result(id).await.expect(200).content(), "done");
        }
        let posted = gateway.post(JOBS, &chat_job("big", "posted")).await.expect(202);
        let place = posted.header("location").unwrap().to_owned();
        let id = posted.json()["id"].as_str().unwrap().to_owned();
        assert_eq!(place, at(&id));
        gateway.until_ended(&id, "succeeded").await;
        assert_eq!(fake.chats(), 5);
    });
}

#[test]
fn a_job_says_how_it_stands() {
    run(async {
        let fake = held();
        let gateway = Gateway::with(&near(&fake)).await;
        let wanted = chat_job_with("big", "hello", "priority", &json!("low"));
        gateway.put_job("a", &wanted).await.expect(202);
        let running = gateway.until_state("a", "running").await;
        assert_eq!((&running["path"], &running["model"]), (&json!(openai::CHAT), &json!("big")));
        assert_eq!((&running["priority"], &running["locality"]), (&json!("low"), &json!("any")));
        assert!(running["accepted_at"].as_u64() > Some(1_600_000_000), "{running}");
        for none in ["result", "ended_at", "last_error", "position", "retry_in_seconds"] {
            assert!(running.get(none).is_none(), "{none}: {running}");
        }
        fake.release();
        let done = gateway.until_ended("a", "succeeded").await;
        assert_eq!((&done["attempts"], &done["target"]), (&json!(1), &json!("cloud/x")));
        assert_eq!((&done["result"]["status"], &done["crashes"]), (&json!(200), &json!(0)));
        assert!(done["ended_at"].as_u64() >= done["accepted_at"].as_u64(), "{done}");
        assert!(done["result"]["bytes"].as_u64() > Some(0), "{done}");
    });
}

#[test]
fn times_are_spans() {
    run(async {
        let fake = held();
        let gateway = Gateway::with(&near(&fake)).await;
        let table = [
            ("a", json!(7200), 7200),
            ("b", json!("2h"), 7200),
            ("c", json!("90m"), 5400),
            ("d", json!(600.5), 601),
            ("e", json!("7d"), 604_800),
        ];
        for (id, ttl, most) in table {
            let job = chat_job_with("big", id, "ttl", &ttl);
            gateway.put_job(id, &job).await.expect(202);
            let left = gateway.job(id).await["expires_in_seconds"].as_u64().unwrap();
            assert!(left <= most && left >= most / 2, "{ttl}: {left}");
        }
        // Where it says nothing, the configuration does.
        gateway.queue_chat("f", "big", "x").await;
        let left = gateway.job("f").await["expires_in_seconds"].as_u64().unwrap();
        assert!(left <= 604_800 && left > 500_000, "{left}");
        fake.release();
    });
}

#[test]
fn a_job_that_is_to_wait_waits() {
    run(async {
        let fake = OpenAi::saying("done");
        let gateway = Gateway::with(&(near(&fake) + ONE)).await;
        let hours = chat_job_with("big", "in an hour", "not_before", &json!("1h"));
        let soon = chat_job_with("big", "soon", "not_before", &json!(2));
        gateway.put_job("hours", &hours).await.expect(202);
        gateway.put_job("soon", &soon).await.expect(202);
        gateway.queue_chat("now", "big", "now").await;
        gateway.until_ended("now", "succeeded").await;
        gateway.until_ended("soon", "succeeded").await;
        assert_eq!(questions(&fake), ["now", "soon"]);
        let waits = gateway.job("hours").await;
        assert_eq!(waits["state"], "queued");
        assert!(waits["retry_in_seconds"].as_f64() > Some(1000.0), "{waits}");
    });
}

#[test]
fn plain_text_is_a_jobs_body_too() {
    run(async {
        let fake = OpenAi::saying("forty-two");
        let gateway = Gateway::with(&near(&fake)).await;
        let ask = job("/v1/ask?model=big&max_tokens=7", &json!("what is it?"));
        gateway.put_job("a", &ask).await.expect(202);
        gateway.until_ended("a", "succeeded").await;
        let answer = gateway.result("a").await.expect(200);
        assert_eq!(answer.text().trim_end(), "forty-two");
        assert!(answer.header("content-type").unwrap().starts_with("text/plain"));
        let sent = fake.seen(openai::CHAT)[0].json();
        assert_eq!(sent["messages"][0]["content"], "what is it?");
        assert!(sent["max_tokens"] == 7 || sent["max_completion_tokens"] == 7, "{sent}");
    });
}

#[test]
fn a_job_whose_time_runs_out_expires_and_can_be_tried_again() {
    run(async {
        let mut fake = OpenAi::saying("late");
        fake.down().await;
        let gateway = Gateway::with(&near(&fake)).await;
        let short = chat_job_with("big", "hello", "ttl", &json!("1s"));
        gateway.put_job("a", &short).await.expect(202);
        let expired = gateway.until_ended("a", "expired").await;
        assert_eq!(expired["attempts"], 0);
        let gone = gateway.result("a").await.expect(410);
        assert!(gone.json()["detail"].as_str().unwrap().contains("retry"), "{}", gone.text());
        fake.up();
        gateway.until_reach("cloud", "up").await;
        gateway.post(&format!("{}/retry", at("a")), &json!({})).await.expect(202);
        gateway.until_ended("a", "succeeded").await;
        assert_eq!(gateway.result("a").await.expect(200).content(), "late");
        until_true("it was asked for once", || fake.chats() == 1).await;
    });
}
