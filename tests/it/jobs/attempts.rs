//! Calls are counted when an upstream had the request; some failures are tried again, some not.

use std::time::Duration;

use serde_json::json;

use crate::jobs::{near, questions};
use crate::support::{
    Act, Answer, Gateway, NO_RETRY, OpenAi, alias, openai, reply, run, run_long, until,
};

fn error(status: u16) -> Vec<Act> {
    reply::json(status, &openai::error("no", "some_error", None))
}

fn limited(after: &str) -> Vec<Act> {
    let error = openai::error("slow down", "requests", None);
    reply::json_with(429, &[("Retry-After", after)], &error)
}

#[test]
fn a_call_that_nobody_had_counts_for_nothing() {
    run(async {
        let mut fake = OpenAi::saying("here again");
        let gateway = Gateway::with(&(near(&fake) + "[queue]\nmax_attempts = 1\n")).await;
        gateway.until_reach("cloud", "up").await;
        // It is tried, for nobody knows yet that nobody is there.
        fake.down().await;
        gateway.queue_chat("a", "big", "hello").await;
        gateway.until_reach("cloud", "down").await;
        let waits = gateway.until_state("a", "queued").await;
        assert_eq!(waits["attempts"], 0, "{waits}");
        fake.up();
        assert_eq!(gateway.until_ended("a", "succeeded").await["attempts"], 1);
        assert_eq!(fake.chats(), 1);
    });
}

#[test]
fn a_call_that_was_had_counts_whatever_came_of_it() {
    run_long(async {
        let faults = [error(500), error(503), error(529), vec![Act::Reset], vec![Act::Close]];
        let mut fakes = Vec::new();
        let mut tables = format!("{NO_RETRY}[queue]\nconcurrency = {}\n", faults.len());
        for (number, acts) in faults.into_iter().enumerate() {
            let fake = OpenAi::saying("in the end");
            fake.once(openai::CHAT, acts);
            tables += &fake.table(&format!("p{number}"), "local", "");
            fakes.push(fake);
        }
        let gateway = Gateway::with(&tables).await;
        for number in 0..fakes.len() {
            gateway.queue_chat(&number.to_string(), &format!("p{number}/x"), "hello").await;
        }
        for (number, fake) in fakes.iter().enumerate() {
            let id = number.to_string();
            let done = gateway.until_ended(&id, "succeeded").await;
            assert_eq!((&done["attempts"], fake.chats()), (&json!(2), 2), "fault {number}");
            assert_eq!(gateway.result(&id).await.expect(200).content(), "in the end");
        }
    });
}

#[test]
fn there_are_only_so_many_calls() {
    run_long(async {
        let fake = OpenAi::new();
        fake.on(openai::CHAT, error(500));
        let gateway = Gateway::with(&(near(&fake) + "[queue]\nmax_attempts = 3\n")).await;
        let now = gateway.chat("big", "hello").await;
        gateway.queue_chat("a", "big", "hello").await;
        let failed = gateway.until_ended("a", "failed").await;
        assert_eq!((&failed["attempts"], fake.chats()), (&json!(3), 4));
        assert!(failed["last_error"]["message"].is_string(), "{failed}");
        let result = gateway.result("a").await.expect(now.status());
        assert_eq!((&result.error().0, result.error().1), (&now.error().0, now.error().1));
        // Whoever gets it knows that it is no word of now.
        let told = |answer: &Answer| answer.header("x-edgehold-job").map(str::to_owned);
        assert_eq!((told(&result).as_deref(), told(&now)), (Some("failed"), None));
    });
}

#[test]
fn what_no_other_call_can_mend_fails_at_once() {
    run_long(async {
        // A model that is not there was asked nothing.
        for (status, attempts) in [(400, 1), (404, 0), (413, 1), (422, 1)] {
            let fake = OpenAi::new();
            fake.on(openai::CHAT, error(status));
            let gateway = Gateway::with(&near(&fake)).await;
            gateway.queue_chat("a", "big", "hello").await;
            let failed = gateway.until_ended("a", "failed").await;
            assert_eq!((&failed["attempts"], fake.chats()), (&json!(attempts), 1), "{status}");
            let now = gateway.chat("big", "hello").await;
            let result = gateway.result("a").await.expect(now.status());
            assert!(now.status() >= 400, "{status}");
            assert_eq!((result.text(), fake.chats()), (now.text(), 2), "{status}");
        }
    });
}

#[test]
fn a_key_that_is_refused_is_for_people_to_mend() {
    run(async {
        let fake = OpenAi::saying("with the right one");
        fake.once(openai::CHAT, error(401));
        let gateway = Gateway::with(&near(&fake)).await;
        gateway.queue_chat("a", "big", "hello").await;
        let waits = until("it has been refused", async || {
            let job = gateway.job("a").await;
            (job["state"] == "queued" && job["attempts"] == 1).then_some(job)
        })
        .await;
        assert!(waits["last_error"]["message"].is_string(), "{waits}");
        gateway.rewrite(&near(&fake).replace("cloud/x", "cloud/y"));
        gateway.signal("HUP");
        gateway.until_ended("a", "succeeded").await;
        assert_eq!(fake.chats(), 2);
    });
}

#[test]
fn a_wait_that_is_asked_for_is_the_least() {
    run(async {
        let fake = OpenAi::saying("at last");
        fake.once(openai::CHAT, limited("2"));
        let gateway = Gateway::with(&near(&fake)).await;
        gateway.queue_chat("a", "big", "hello").await;
        let done = gateway.until_ended("a", "succeeded").await;
        assert_eq!(done["attempts"], 2);
        let seen = fake.seen(openai::CHAT);
        // A lower bound: it can be missed by no slowness of the machine.
        assert!(seen[1].at - seen[0].at >= Duration::from_millis(1900));
    });
}

#[test]
fn who_waits_for_a_provider_is_in_nobodys_way() {
    run(async {
        let (busy, free) = (OpenAi::new(), OpenAi::saying("free"));
        busy.on(openai::CHAT, limited("3600"));
        let tables = near(&busy)
            + &free.table("free", "local", "")
            + &alias("other", &["free/x"])
            + crate::jobs::ONE;
        let gateway = Gateway::with(&tables).await;
        gateway.queue_chat("a", "big", "first").await;
        let waits = until("it has been refused", async || {
            let job = gateway.job("a").await;
            (job["attempts"] == 1 && job["state"] == "queued").then_some(job)
        })
        .await;
        assert!(waits["retry_in_seconds"].as_f64() > Some(1000.0), "{waits}");
        assert_eq!(waits["last_error"]["code"], "rate_limit_exceeded");
        // Of the same lane, and of another.
        gateway.queue_chat("b", "big", "second").await;
        gateway.queue_chat("c", "other", "third").await;
        gateway.until_ended("c", "succeeded").await;
        assert_eq!(gateway.job("b").await["attempts"], 0);
        assert_eq!(
            (questions(&busy), questions(&free)),
            (vec!["first".into()], vec!["third".into()])
        );
    });
}
