//! Providers that ask to wait: 429, 503 and 529, and every form of Retry-After.

use std::time::Duration;

use crate::support::{
    Act, Gateway, NO_RETRY, OpenAi, Pair, Seen, Setup, alias, openai, reply, run,
};

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

fn limited(headers: &[(&str, &str)]) -> Vec<Act> {
    let error = openai::error("slow down", "requests", Some("rate_limit_exceeded"));
    reply::json_with(429, headers, &error)
}

/// Answers by the model that is asked for: each is a target with a health of its own.
fn by_model(seen: &Seen) -> Vec<Act> {
    match seen.json()["model"].as_str().unwrap() {
        "integer" => limited(&[("Retry-After", "7")]),
        "float" => limited(&[("Retry-After", "1.5")]),
        "date" => limited(&[("Date", DATE), ("Retry-After", "Sun, 06 Nov 1994 08:49:57 GMT")]),
        "millis" => limited(&[("retry-after-ms", "2500"), ("Retry-After", "9")]),
        "absurd" => limited(&[("Retry-After", "99999999999")]),
        "past" => limited(&[("Date", DATE), ("Retry-After", "Sun, 06 Nov 1994 08:00:00 GMT")]),
        "negative" => limited(&[("Retry-After", "-3")]),
        "words" => limited(&[("Retry-After", "soon")]),
        _ => limited(&[]),
    }
}

#[test]
fn every_form_of_retry_after_is_passed_on_as_whole_seconds() {
    run(async {
        let fake = OpenAi::new();
        fake.answer(openai::CHAT, by_model);
        let gateway = Gateway::with(&(fake.cloud("cloud") + NO_RETRY)).await;
        let exact = [("integer", 7), ("float", 2), ("date", 20), ("millis", 3)];
        for (model, seconds) in exact {
            let refused = gateway.chat(&format!("cloud/{model}"), "x").await.expect(429);
            assert_eq!(refused.error().0, "rate_limit_exceeded");
            assert_eq!(
                refused.header("retry-after"),
                Some(seconds.to_string().as_str()),
                "{model}"
            );
            assert_eq!(refused.header("x-should-retry"), Some("false"));
        }
        for model in ["absurd", "past", "negative", "words", "missing"] {
            let refused = gateway.chat(&format!("cloud/{model}"), "x").await.expect(429);
            let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
            assert!(wait <= 3600, "{model}: {wait}");
        }
        assert_eq!(fake.chats(), 9);
    });
}

#[test]
fn a_target_that_asked_to_wait_is_left_alone_until_then() {
    run(async {
        let fake = OpenAi::new();
        fake.on(openai::CHAT, limited(&[("Retry-After", "30")]));
        let pair = Pair::with(&fake.cloud("first"), NO_RETRY).await;
        pair.assert_second(&pair.ask_both(false).await, false, "429");
        let state = pair.target("first/tiny").await;
        assert_eq!(state["state"], "cooling", "{state}");
        assert!(
            state["retry_in_seconds"].as_f64().is_some_and(|it| it > 1.0 && it <= 30.0),
            "{state}"
        );
        let answer = pair.ask_both(false).await.expect(200);
        assert_eq!(answer.header("x-edgehold-attempts"), Some("1"));
        assert_eq!((fake.chats(), pair.second.chats()), (1, 2));
    });
}

#[test]
fn a_short_wait_is_waited_out_when_there_is_nobody_else() {
    run(async {
        let fake = OpenAi::saying("at last");
        let gateway = Gateway::with(&(fake.cloud("cloud") + "[routing]\nretries = 1\n")).await;
        let waits = [
            ("a", 429, vec![("Retry-After", "0.3")]),
            ("b", 503, vec![("Retry-After", "0")]),
            ("c", 529, vec![]),
        ];
        for (model, status, headers) in waits {
            let busy = openai::error("wait", "x", None);
            fake.once(openai::CHAT, reply::json_with(status, &headers, &busy));
            let answer = gateway.chat(&format!("cloud/{model}"), "x").await.expect(200);
            assert_eq!(answer.content(), "at last");
            assert_eq!(answer.header("x-edgehold-attempts"), Some("2"));
        }
        let seen = fake.seen(openai::CHAT);
        assert_eq!(seen.len(), 6);
        // A lower bound, which no slow machine can break: Retry-After is a minimum.
        assert!(seen[1].at - seen[0].at >= Duration::from_millis(300));
        assert!(gateway.metrics().await.contains("cloud/a"));
    });
}

#[test]
fn a_wait_longer_than_max_wait_is_not_waited_out() {
    run(async {
        let fake = OpenAi::new();
        fake.on(openai::CHAT, limited(&[("Retry-After", "5")]));
        let tables = fake.cloud("cloud") + "[routing]\nretries = 3\nmax_wait = \"1s\"\n";
        let gateway = Gateway::with(&tables).await;
        let refused = gateway.chat("cloud/a", "x").await.expect(429);
        assert_eq!(refused.header("retry-after"), Some("5"));
        assert_eq!(fake.chats(), 1);
    });
}

#[test]
fn retries_are_counted_and_end() {
    run(async {
        let fake = OpenAi::new();
        fake.on(openai::CHAT, reply::json(500, &openai::error("broken", "server_error", None)));
        let gateway = Gateway::with(&(fake.cloud("cloud") + "[routing]\nretries = 2\n")).await;
        let refused = gateway.chat("cloud/a", "x").await.expect(502);
        assert_eq!(refused.header("x-edgehold-attempts"), Some("3"));
        assert_eq!(fake.chats(), 3);
    });
}

#[test]
fn a_spent_quota_is_not_waited_for() {
    run(async {
        let fake = OpenAi::new();
        let error = openai::error(
            "you exceeded your current quota",
            "insufficient_quota",
            Some("insufficient_quota"),
        );
        fake.on(openai::CHAT, reply::json(429, &error));
        let tables = fake.cloud("cloud") + &alias("one", &["cloud/a"]) + "[routing]\nretries = 3\n";
        let gateway = Setup::new(&tables).start().await;
        let refused = gateway.chat("one", "x").await;
        assert!(refused.status() >= 429, "{}", refused.text());
        assert!(refused.error().1.contains("quota"), "{}", refused.text());
        assert_eq!(fake.chats(), 1);
    });
}
