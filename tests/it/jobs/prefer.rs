//! `Prefer: respond-async` on the paths that would answer at once.

use crate::jobs::{asks, held, near};
use crate::support::http::request;
use crate::support::{Gateway, JOBS, JSON, OpenAi, Setup, at, openai, run};

const LATER: (&str, &str) = ("Prefer", "respond-async");
const IN_TIME: (&str, &str) = ("Prefer", "respond-async, wait=20");

#[test]
fn every_path_takes_jobs_and_says_where_they_are() {
    run(async {
        let fake = held();
        fake.on(openai::EMBEDDINGS, vec![crate::support::Act::Stall]);
        let gateway = Gateway::with(&near(&fake)).await;
        for ask in asks::every("big") {
            let taken = ask.send(&gateway, &[LATER]).await.expect(202);
            let json = taken.json();
            let id = json["id"].as_str().unwrap_or_default().to_owned();
            assert_eq!(taken.header("location"), Some(format!("{JOBS}/{id}").as_str()));
            assert!(taken.header("retry-after").is_some_and(|it| it.parse::<u64>().is_ok()));
            assert_eq!(taken.header("preference-applied"), Some("respond-async"));
            assert_eq!(taken.header("content-type"), Some("application/json"));
            let length = taken.header("content-length").map(str::to_owned);
            assert_eq!(length, Some(taken.body.len().to_string()), "{}", ask.path);
            assert!(taken.body.len() <= 200, "it fits a small buffer: {}", taken.text());
            let job = gateway.job(&id).await;
            assert_eq!(job["path"], ask.path.split('?').next().unwrap());
            assert_eq!(job["model"], "big");
        }
    });
}

#[test]
fn an_answer_in_time_is_the_answer() {
    run(async {
        let fake = OpenAi::saying("soon");
        let gateway = Gateway::with(&near(&fake)).await;
        let now = gateway.chat("big", "hello").await.expect(200);
        let later = gateway.chat_with("big", "hello", &[IN_TIME]).await.expect(200);
        assert_eq!(later.text(), now.text());
        assert_eq!(later.header("x-edgehold-target"), Some("cloud/x"));
        let applied = later.header("preference-applied").unwrap_or_default();
        assert!(applied.contains("respond-async") && applied.contains("wait"), "{applied}");
        // Nobody could ask for it again, so it is not kept.
        assert_eq!(later.header("location"), None);
        assert_eq!(gateway.listed("").await, [""; 0]);
        // By its key one can.
        let key = ("Idempotency-Key", "\"the key\"");
        let kept = gateway.chat_with("big", "hello", &[IN_TIME, key]).await.expect(200);
        let place = kept.header("location").expect("where it is").to_owned();
        assert_eq!(gateway.get(&format!("{place}/result")).await.expect(200).text(), kept.text());
        assert_eq!(fake.chats(), 3);
        let again = gateway.chat_with("big", "hello", &[IN_TIME, key]).await.expect(200);
        assert_eq!((again.text(), fake.chats()), (kept.text(), 3), "it is not asked for again");
    });
}

#[test]
fn an_answer_that_takes_longer_is_fetched_later() {
    run(async {
        for wait in ["respond-async, wait=0", "respond-async; x=y, wait=1"] {
            let fake = held();
            let gateway = Gateway::with(&near(&fake)).await;
            let taken = gateway.chat_with("big", "hello", &[("Prefer", wait)]).await.expect(202);
            assert!(taken.header("location").is_some() && taken.header("retry-after").is_some());
            assert!(taken.body.len() <= 200);
            let id = taken.json()["id"].as_str().unwrap().to_owned();
            fake.release();
            gateway.until_ended(&id, "succeeded").await;
            assert_eq!(gateway.result(&id).await.expect(200).content(), "in the end");
        }
    });
}

#[test]
fn an_error_in_time_is_the_paths_own() {
    run(async {
        let fake = OpenAi::new();
        let error = openai::error("bad temperature", "invalid_request_error", None);
        fake.on(openai::CHAT, crate::support::reply::json(400, &error));
        let gateway = Gateway::with(&near(&fake)).await;
        let now = gateway.chat("big", "hello").await.expect(400);
        let later = gateway.chat_with("big", "hello", &[IN_TIME]).await.expect(400);
        assert_eq!(later.text(), now.text());
        assert_eq!(fake.chats(), 2);
    });
}

#[test]
fn other_preferences_change_nothing() {
    run(async {
        let fake = OpenAi::saying("at once");
        let gateway = Gateway::with(&near(&fake)).await;
        for value in ["wait=5", "return=minimal", "handling=lenient, x", ""] {
            let answer = gateway.chat_with("big", "hello", &[("Prefer", value)]).await.expect(200);
            assert_eq!(answer.content(), "at once");
            assert_eq!(answer.header("preference-applied"), None);
        }
        // A key alone asks for nothing to be kept.
        let key = ("Idempotency-Key", "a-key");
        gateway.chat_with("big", "hello", &[key]).await.expect(200);
        assert_eq!(gateway.listed("").await, [""; 0]);
        for bad in ["respond-async, wait=soon", "respond-async, wait=-1"] {
            let refused = gateway.chat_with("big", "hello", &[("Prefer", bad)]).await.expect(400);
            assert!(refused.error().1.contains("wait"), "{}", refused.text());
        }
    });
}

#[test]
fn a_job_whose_client_has_gone_is_done() {
    run(async {
        let fake = held();
        let gateway = Setup::new(&near(&fake)).start().await;
        let body = openai::request("big", "hello", false).to_string();
        let headers =
            [&JSON[..], &[("Prefer", "respond-async, wait=60"), ("Idempotency-Key", "gone")]]
                .concat();
        let mut conn = gateway.conn().await;
        let bytes = request("POST", openai::CHAT, &gateway.host(), &headers, body.as_bytes());
        conn.send(&bytes).await.unwrap();
        fake.until_seen(openai::CHAT, 1).await;
        drop(conn);
        // The job's own call goes on: what leaves is the client.
        crate::support::until("its connection is gone", async || {
            (gateway.status().await["connections"] == 1).then_some(())
        })
        .await;
        fake.release();
        let id = gateway.listed("").await.remove(0);
        gateway.until_ended(&id, "succeeded").await;
        assert_eq!(gateway.result(&id).await.expect(200).content(), "in the end");
        assert_eq!((fake.chats(), fake.gone().len()), (1, 0));
    });
}

#[test]
fn a_job_that_ends_without_an_answer_is_said_to_have_ended() {
    run(async {
        let fake = held();
        let gateway = Gateway::with(&near(&fake)).await;
        let waits = async { gateway.chat_with("big", "hello", &[IN_TIME]).await };
        let cancels = async {
            fake.until_seen(openai::CHAT, 1).await;
            let id = gateway.listed("").await.remove(0);
            gateway.delete(&at(&id)).await.expect(200);
        };
        let (answer, ()) = tokio::join!(waits, cancels);
        assert!(answer.expect(410).error().1.contains("cancelled"));
        fake.release();
    });
}
