//! Whose turn it is at the one place of a local model.

use serde_json::json;

use crate::jobs::{ONE, held as held_cloud, near, questions};
use crate::support::{
    Act, Gateway, NO_RETRY, Ollama, Stream, alias, chat_job_with, ollama, reply, run,
};

/// An Ollama whose answers wait to be released.
fn held() -> Ollama {
    let fake = Ollama::saying("");
    let rest = ollama::lines("in the end", 12).concat();
    fake.chat_acts(vec![
        ollama::begun("held "),
        Act::Stall,
        Act::Send(reply::chunk(rest.as_bytes())),
        Act::Send(b"0\r\n\r\n".to_vec()),
    ]);
    fake
}

fn asked(fake: &Ollama) -> Vec<String> {
    fake.chats().iter().map(|seen| crate::jobs::question(&seen.json())).collect()
}

#[test]
fn who_waits_for_an_answer_goes_before_jobs() {
    run(async {
        let fake = held();
        let tables = fake.local("local") + &alias("small", &["local/tiny"]) + NO_RETRY;
        let gateway = Gateway::with(&tables).await;
        let mut first = gateway.open("small", "first").await;
        first.first_text().await;
        // They are there before the second client is.
        for id in ["job-1", "job-2"] {
            gateway.queue_chat(id, "small", id).await;
        }
        for id in ["job-1", "job-2"] {
            gateway.until_state(id, "running").await;
        }
        let mut second = gateway.conn().await;
        second.send(&gateway.chat_bytes("small", "second", true)).await.unwrap();
        gateway.status().await;
        assert_eq!(asked(&fake), ["first"]);
        fake.release();
        first.rest().await.assert_whole();
        Stream::begin(second).await.rest().await.assert_whole();
        for id in ["job-1", "job-2"] {
            gateway.until_ended(id, "succeeded").await;
        }
        assert_eq!(asked(&fake), ["first", "second", "job-1", "job-2"]);
        assert_eq!(fake.peak(ollama::CHAT), 1);
    });
}

#[test]
fn high_goes_before_normal_and_low_is_last() {
    run(async {
        let fake = held_cloud();
        let gateway = Gateway::with(&(near(&fake) + ONE)).await;
        gateway.queue_chat("first", "big", "first").await;
        gateway.until_state("first", "running").await;
        for (id, priority) in [
            ("low-1", "low"),
            ("normal-1", "normal"),
            ("high-1", "high"),
            ("low-2", "low"),
            ("high-2", "high"),
            ("normal-2", "normal"),
        ] {
            let job = chat_job_with("big", id, "priority", &json!(priority));
            gateway.put_job(id, &job).await.expect(202);
        }
        // By the header on the path itself, too.
        let headers = [("Prefer", "respond-async"), ("X-Edgehold-Priority", "high")];
        gateway.chat_with("big", "high-3", &headers).await.expect(202);
        fake.release();
        gateway.until_ended("low-2", "succeeded").await;
        let order =
            ["first", "high-1", "high-2", "high-3", "normal-1", "normal-2", "low-1", "low-2"];
        assert_eq!(questions(&fake), order);
        assert_eq!(fake.peak(crate::support::openai::CHAT), 1, "one at a time");
    });
}

#[test]
fn within_a_priority_the_first_is_first() {
    run(async {
        let fake = held_cloud();
        let gateway = Gateway::with(&(near(&fake) + ONE)).await;
        let ids: Vec<String> = (0..12).map(|number| format!("{}", (number * 5) % 12)).collect();
        for id in &ids {
            gateway.queue_chat(id, "big", id).await;
        }
        fake.release();
        gateway.until_ended(ids.last().unwrap(), "succeeded").await;
        assert_eq!(questions(&fake), ids);
    });
}
