//! Faults before the first token: the next target answers, and the client sees nothing of it.

use serde_json::{Value, json};

use crate::support::{
    Act, Gateway, Ollama, OpenAi, Pair, QUICK, alias, ollama, openai, reply, run, run_long, until,
};

fn failing(status: u16) -> Vec<Act> {
    reply::json(status, &openai::error("scripted trouble", "server_error", None))
}

fn event(error: &Value) -> Vec<Act> {
    vec![Act::Send(reply::pieces(openai::EVENTS, &[openai::frame(error)]))]
}

/// Faults of an OpenAI provider, each in the form that a stream and a whole answer have.
fn openai_faults() -> Vec<(&'static str, Vec<Act>)> {
    let overloaded = openai::error("overloaded", "server_error", Some("overloaded"));
    let empty = openai::frame(
        &json!({"id": "", "object": "chat.completion.chunk", "created": 0, "model": "",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": null}]}),
    );
    let half = reply::whole(200, &[("Content-Type", "application/json")], b"{\"choices\":[]}");
    vec![
        ("closes at once", vec![Act::Close]),
        ("resets at once", vec![Act::Reset]),
        ("hangs before its head", vec![Act::Stall]),
        ("hangs after its head", vec![Act::Send(reply::chunked(openai::EVENTS)), Act::Stall]),
        ("speaks no HTTP", vec![Act::Send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()), Act::Close]),
        (
            "breaks off its head",
            vec![Act::Send(b"HTTP/1.1 200 OK\r\nContent-".to_vec()), Act::Reset],
        ),
        ("breaks off its body", vec![Act::Send(half[..half.len() - 3].to_vec()), Act::Close]),
        (
            "is empty",
            vec![Act::Send(reply::whole(200, &[("Content-Type", "application/json")], b""))],
        ),
        ("sends other JSON", reply::json(200, &json!({"hello": "portal"}))),
        ("sends an error with 200", reply::json(200, &overloaded)),
        ("sends a page", reply::page()),
        ("redirects", reply::redirect("http://127.0.0.1:9/v1/chat/completions")),
        (
            "is compressed",
            reply::json_with(200, &[("Content-Encoding", "gzip")], &openai::answer("x")),
        ),
        ("reports an error as its first event", event(&overloaded)),
        ("dies behind /v1 of an Ollama", vec![Act::Send(reply::pieces(openai::EVENTS, &[empty]))]),
        ("ends before its first token", vec![Act::Send(reply::pieces(openai::EVENTS, &[]))]),
        ("500", failing(500)),
        ("502", failing(502)),
        ("503", failing(503)),
        ("529", failing(529)),
        ("401 bad key", failing(401)),
        ("402 no credit", failing(402)),
        ("403 not allowed", failing(403)),
        (
            "404 no such model",
            reply::json(
                404,
                &openai::error("no such model", "invalid_request_error", Some("model_not_found")),
            ),
        ),
        ("429", failing(429)),
        (
            "429 no quota",
            reply::json(
                429,
                &openai::error("no quota", "insufficient_quota", Some("insufficient_quota")),
            ),
        ),
    ]
}

#[test]
fn every_fault_of_an_openai_provider_is_passed_over() {
    run_long(async {
        for stream in [false, true] {
            for (fault, acts) in openai_faults() {
                let first = OpenAi::new();
                first.on(openai::CHAT, acts);
                let pair = Pair::new(&first.cloud("first")).await;
                let answer = pair.ask_both(stream).await;
                pair.assert_second(&answer, stream, fault);
                assert_eq!(answer.header("x-edgehold-attempts"), Some("2"), "{fault}");
                assert_eq!(first.chats(), 1, "{fault}: one call and no more");
            }
        }
    });
}

/// Faults of an Ollama that has loaded its model.
fn ollama_faults() -> Vec<(&'static str, Vec<Act>)> {
    let dead = json!({"error": "an error was encountered while running the model: unexpected EOF"});
    let busy =
        json!({"error": "server busy, please try again.  maximum pending requests exceeded"});
    vec![
        ("hangs before its head", vec![Act::Stall]),
        (
            "runner dies before its first token",
            vec![Act::Send(reply::pieces(ollama::LINES, &[ollama::runner_died()]))],
        ),
        ("runner dies, not streamed", reply::json(500, &dead)),
        ("ends without its last line", vec![Act::Send(reply::pieces(ollama::LINES, &[]))]),
        ("is busy", reply::json(503, &busy)),
        (
            "has no such model",
            reply::json(404, &json!({"error": "model \"tiny\" not found, try pulling it first"})),
        ),
        ("refuses the host", vec![Act::Send(reply::whole(403, &[], b""))]),
        ("sends a page", reply::page()),
        (
            "sends other JSON",
            vec![Act::Send(reply::pieces(ollama::LINES, &["{\"hello\":1}\n".to_owned()]))],
        ),
        ("sends no JSON", vec![Act::Send(reply::pieces(ollama::LINES, &["hello\n".to_owned()]))]),
    ]
}

#[test]
fn every_fault_of_an_ollama_is_passed_over() {
    run_long(async {
        for stream in [false, true] {
            for (fault, acts) in ollama_faults() {
                let first = Ollama::saying("never");
                first.chat_acts(acts);
                let pair = Pair::new(&first.local("first")).await;
                let answer = pair.ask_both(stream).await;
                pair.assert_second(&answer, stream, fault);
                assert_eq!(first.chats().len(), 1, "{fault}: one call and no more");
            }
        }
    });
}

#[test]
fn an_ollama_that_breaks_off_a_whole_answer_is_passed_over() {
    run(async {
        for last in [Act::Reset, Act::Close, Act::Stall] {
            let first = Ollama::saying("never");
            first.chat_acts(vec![ollama::begun("half an"), last]);
            let pair = Pair::new(&first.local("first")).await;
            // Nothing of it has gone out, since it was no stream: another target is still silent.
            pair.assert_second(&pair.ask_both(false).await, false, "half an answer");
        }
    });
}

#[test]
fn a_model_that_does_not_load_is_passed_over() {
    run(async {
        let faults = [
            reply::json(
                500,
                &json!({"error": "llama runner process has terminated: exit status 2"}),
            ),
            vec![Act::Reset],
            vec![Act::Stall],
        ];
        for (index, acts) in faults.into_iter().enumerate() {
            let first = Ollama::saying("never");
            first.load_acts(acts);
            let pair = Pair::new(&first.table("first", "patience = \"300ms\"")).await;
            let answer = pair.ask_both(index % 2 == 0).await;
            pair.assert_second(&answer, index % 2 == 0, "the load failed");
            assert_eq!(first.chats().len(), 0, "nothing is asked of a model that is not loaded");
        }
    });
}

#[test]
fn a_refused_connection_costs_one_look() {
    run(async {
        for stream in [false, true] {
            let first = Ollama::saying("never");
            first.down().await;
            let pair = Pair::new(&first.local("first")).await;
            pair.assert_second(&pair.ask_both(stream).await, stream, "refused");
            assert_eq!(pair.provider("first").await["reach"], "down");
        }
    });
}

#[test]
fn a_request_at_fault_goes_to_nobody_else() {
    run(async {
        for status in [400, 422] {
            for stream in [false, true] {
                let first = OpenAi::new();
                let error = openai::error("temperature is too hot", "invalid_request_error", None);
                first.on(openai::CHAT, reply::json(status, &error));
                let pair = Pair::new(&first.cloud("first")).await;
                let refused = pair.ask_both(stream).await.expect(400);
                assert!(refused.error().1.contains("temperature is too hot"), "{}", refused.text());
                assert_eq!((first.chats(), pair.second.chats()), (1, 0));
                assert_eq!(pair.target("first/tiny").await["state"], "ready", "not its fault");
            }
        }
    });
}

#[test]
fn when_all_fail_the_client_is_told_who_and_why() {
    run(async {
        for stream in [false, true] {
            let (first, second) = (Ollama::saying("never"), OpenAi::new());
            first.down().await;
            second.on(openai::CHAT, failing(500));
            let gateway = Pair::setup(&second, &first.local("first"), QUICK).start().await;
            let answer = match stream {
                true => gateway.chat_stream("both", "hello").await,
                false => gateway.chat("both", "hello").await,
            };
            let refused = answer.expect(503);
            let (code, message) = refused.error();
            assert_eq!(code, "no_target_available");
            assert!(message.contains("first") && message.contains("second/gpt-test"), "{message}");
            assert_eq!(refused.header("x-should-retry"), Some("false"));
            // The probe at the start may have found the first one down, and spared the attempt.
            assert!(matches!(refused.header("x-edgehold-attempts"), Some("1" | "2")));
            let wait = refused.header("retry-after").and_then(|it| it.parse::<u64>().ok());
            assert!(wait.is_some(), "whole seconds: {:?}", refused.head);
        }
    });
}

#[test]
fn a_single_target_gives_its_own_error() {
    run(async {
        let table = [
            (failing(500), 502, "upstream_error"),
            (reply::page(), 503, "no_target_available"),
            (vec![Act::Stall], 504, "timeout"),
            (vec![Act::Reset], 502, "upstream_error"),
            (failing(503), 503, "no_target_available"),
            (failing(529), 503, "no_target_available"),
            (failing(429), 429, "rate_limit_exceeded"),
            (failing(401), 502, "upstream_error"),
            (
                reply::json(404, &openai::error("gone", "x", Some("model_not_found"))),
                404,
                "model_not_found",
            ),
        ];
        for (acts, status, code) in table {
            let first = OpenAi::new();
            first.on(openai::CHAT, acts);
            let tables = first.cloud("first") + &alias("one", &["first/tiny"]) + QUICK;
            let gateway = Gateway::with(&tables).await;
            let refused = gateway.chat("one", "hello").await.expect(status);
            let (told, message) = refused.error();
            assert_eq!(told, code, "{message}");
            assert!(message.contains("first"), "{message}");
            assert_eq!(
                refused.header("retry-after").is_some(),
                matches!(status, 429 | 503),
                "{status}"
            );
        }
    });
}

#[test]
fn a_connection_that_went_stale_is_replaced_in_silence() {
    run(async {
        let first = OpenAi::new();
        // Each connection answers once, and is closed when it is used once more.
        first.answer(openai::CHAT, |seen| match seen.nth {
            0 => reply::json(200, &openai::answer("again")),
            _ => vec![Act::Close],
        });
        let tables = first.table("first", "cloud", "max_concurrent = 1")
            + &alias("one", &["first/tiny"])
            + QUICK;
        let gateway = Gateway::with(&tables).await;
        until("a kept connection was closed", async || {
            assert_eq!(gateway.chat("one", "hello").await.expect(200).content(), "again");
            first.seen(openai::CHAT).iter().any(|seen| seen.nth > 0).then_some(())
        })
        .await;
        assert_eq!(gateway.target("first/tiny").await["state"], "ready");
    });
}

#[test]
fn the_clients_own_deadline_ends_the_request() {
    run(async {
        let first = OpenAi::new();
        first.on(openai::CHAT, vec![Act::Stall]);
        let tables = first.cloud("first") + &alias("one", &["first/tiny"]);
        let gateway = Gateway::with(&tables).await;
        for time in ["200ms", "0.2", "1"] {
            let headers = [("X-Edgehold-Timeout", time)];
            let refused = gateway.chat_with("one", "hello", &headers).await.expect(504);
            assert_eq!(refused.error().0, "timeout");
        }
        first.until_gone(3).await;
        for time in ["0", "-1s", "soon", ""] {
            gateway.chat_with("one", "hello", &[("X-Edgehold-Timeout", time)]).await.expect(400);
        }
        assert_eq!(
            gateway.target("first/tiny").await["state"],
            "ready",
            "the client was impatient"
        );
    });
}
