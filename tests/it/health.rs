//! The breaker and the connectivity state, as /status and /metrics show them.

use crate::support::{
    Act, Gateway, NO_RETRY, Ollama, OpenAi, Pair, alias, openai, reply, run, until,
};

const BREAKER: &str =
    "[routing]\nretries = 0\nbreaker_failures = 3\nbreaker_cooldown = \"300ms\"\n";

fn broken() -> Vec<Act> {
    reply::json(500, &openai::error("broken", "server_error", None))
}

#[test]
fn the_breaker_opens_skips_and_recovers() {
    run(async {
        let first = OpenAi::new();
        first.on(openai::CHAT, broken());
        // A long cool-down, so that the open state can be looked at.
        let pair = Pair::with(&first.cloud("first"), &BREAKER.replace("300ms", "60s")).await;
        for attempts in ["2", "2", "2", "1", "1"] {
            let answer = pair.ask_both(false).await.expect(200);
            assert_eq!(answer.header("x-edgehold-attempts"), Some(attempts));
        }
        assert_eq!((first.chats(), pair.second.chats()), (3, 5));
        let state = pair.target("first/tiny").await;
        assert_eq!(state["state"], "open", "{state}");
        assert!(state["retry_in_seconds"].as_f64().is_some_and(|it| it > 0.0), "{state}");
        assert!(pair.metrics().await.contains("edgehold_target_state"));
        let alone = pair.chat("one", "hello").await.expect(503);
        assert!(alone.header("retry-after").is_some());
        assert_eq!(first.chats(), 3, "an open breaker costs no call");
    });
}

#[test]
fn one_trial_closes_the_breaker_or_opens_it_again() {
    run(async {
        let first = OpenAi::new();
        first.on(openai::CHAT, broken());
        let pair = Pair::with(&first.cloud("first"), BREAKER).await;
        for _ in 0..3 {
            pair.ask_both(false).await.expect(200);
        }
        assert_eq!(first.chats(), 3);
        until("a trial fails", async || {
            pair.ask_both(false).await.expect(200);
            (first.chats() == 4).then_some(())
        })
        .await;
        first.says("well again");
        let answer = until("a trial succeeds", async || {
            let answer = pair.ask_both(false).await.expect(200);
            (answer.content() == "well again").then_some(answer)
        })
        .await;
        assert_eq!(answer.header("x-edgehold-target"), Some("first/tiny"));
        assert_eq!(pair.target("first/tiny").await["state"], "ready");
        let answer = pair.ask_both(true).await.expect(200);
        assert_eq!(answer.header("x-edgehold-target"), Some("first/tiny"), "preferred again");
    });
}

#[test]
fn only_one_trial_runs_at_a_time() {
    run(async {
        let first = OpenAi::new();
        first.on(openai::CHAT, broken());
        let pair = Pair::with(&first.cloud("first"), BREAKER).await;
        for _ in 0..3 {
            pair.ask_both(false).await.expect(200);
        }
        first.on(openai::CHAT, vec![Act::Stall]);
        let mut waiting = Vec::new();
        until("the trial is under way", async || {
            let mut conn = pair.conn().await;
            conn.send(&pair.chat_bytes("both", "hello", false)).await.unwrap();
            waiting.push(conn);
            pair.status().await;
            (first.chats() == 4).then_some(())
        })
        .await;
        for _ in 0..5 {
            let answer = pair.ask_both(false).await.expect(200);
            assert_eq!(answer.header("x-edgehold-target"), Some("second/gpt-test"));
        }
        assert_eq!(first.chats(), 4);
    });
}

#[test]
fn a_local_model_that_comes_back_is_preferred_again() {
    run(async {
        let mut first = Ollama::saying("at home");
        let pair = Pair::with(&first.local("first"), "[routing]\nretries = 0\n").await;
        // The first probe has ended: none is under way when the provider goes down.
        pair.until_reach("first", "up").await;
        assert_eq!(pair.ask_both(false).await.expect(200).content(), "at home");
        first.down().await;
        for _ in 0..10 {
            let answer = pair.ask_both(true).await.expect(200);
            assert_eq!(answer.header("x-edgehold-target"), Some("second/gpt-test"));
        }
        let reach = pair.provider("first").await;
        assert_eq!(reach["reach"], "down", "{reach}");
        assert!(reach["why"].as_str().is_some_and(|why| why.contains("refused")), "{reach}");
        assert_ne!(
            pair.target("first/tiny").await["state"],
            "open",
            "a link fault is no breaker's business"
        );
        first.up();
        pair.until_reach("first", "up").await;
        let answer = pair.ask_both(false).await.expect(200);
        assert_eq!(answer.content(), "at home");
    });
}

#[test]
fn connectivity_is_told_by_attempts_and_probes() {
    run(async {
        let mut cloud = OpenAi::saying("here");
        let gateway = Gateway::with(
            &(cloud.cloud("cloud")
                + &alias("big", &["cloud/gpt-test"])
                + "[routing]\nretries = 0\n"),
        )
        .await;
        let connectivity = async |wanted: &str| {
            until(wanted, async || {
                (gateway.status().await["connectivity"] == wanted).then_some(())
            })
            .await;
        };
        connectivity("online").await;
        cloud.down().await;
        let refused = gateway.chat("big", "hello").await.expect(503);
        assert!(refused.header("retry-after").is_some());
        connectivity("offline").await;
        let metrics = gateway.metrics().await;
        assert!(metrics.contains("edgehold_connectivity{state=\"offline\"} 1"), "{metrics}");
        // A stale belief refuses no work: a request still tries when nothing else is left.
        cloud.up();
        assert_eq!(gateway.chat("big", "hello").await.expect(200).content(), "here");
        connectivity("online").await;
        cloud.down().await;
        gateway.chat("big", "hello").await.expect(503);
        cloud.up();
        connectivity("online").await;
        assert!(cloud.count("/v1/models") > 0, "probed with what costs nothing");
        assert_eq!(cloud.chats(), 1);
    });
}

#[test]
fn a_change_of_the_way_to_the_cloud_is_one_line_with_its_reason() {
    run(async {
        let mut cloud = OpenAi::saying("here");
        let tables = cloud.cloud("cloud") + &alias("big", &["cloud/gpt-test"]) + NO_RETRY;
        let gateway = Gateway::with(&tables).await;
        let lines = |state: &str| {
            let log = gateway.log();
            let lines = log.lines().filter(|line| line.contains("way to the cloud changed"));
            lines.filter(|line| line.contains(state)).count()
        };
        let becomes = async |state: &str, why: &str| {
            until(state, async || {
                let status = gateway.status().await;
                (status["connectivity"] == state).then(|| {
                    assert_eq!(status["connectivity_why"], why);
                })
            })
            .await;
        };
        becomes("online", "reached: cloud").await;
        cloud.down().await;
        for _ in 0..3 {
            gateway.chat("big", "hello").await.expect(503);
        }
        becomes("offline", "cloud: connection refused").await;
        assert!(gateway.page().await.contains("offline (cloud: connection refused)"));
        assert_eq!((lines("online"), lines("offline")), (1, 1), "{}", gateway.log());
        cloud.up();
        gateway.chat("big", "hello").await.expect(200);
        becomes("online", "reached: cloud").await;
        // A reload forgets the ways; that they are found again is no news.
        gateway.rewrite(&tables);
        gateway.signal("HUP");
        until("it is reloaded", async || gateway.log().contains("reloaded").then_some(())).await;
        becomes("online", "reached: cloud").await;
        cloud.down().await;
        gateway.chat("big", "hello").await.expect(503);
        assert_eq!((lines("online"), lines("offline")), (2, 2), "{}", gateway.log());
    });
}

#[test]
fn probes_wake_no_model() {
    run(async {
        let (mut local, cloud) = (Ollama::saying("never"), OpenAi::saying("never"));
        local.down().await;
        let gateway = Gateway::with(&(local.local("local") + &cloud.cloud("cloud"))).await;
        gateway.until_reach("local", "down").await;
        local.up();
        gateway.until_reach("local", "up").await;
        for seen in local.seen("").into_iter().chain(cloud.seen("")) {
            assert_eq!(seen.method, "GET", "{}", seen.path);
            let free = ["/api/version", "/api/tags", "/api/ps", "/v1/models"];
            assert!(free.contains(&seen.path.as_str()), "{}", seen.path);
        }
        assert!(local.count("") > 0);
    });
}
