//! Jobs that cannot be: each is refused at once, says what is allowed, and leaves nothing behind.

use serde_json::{Value, json};

use crate::jobs::asks;
use crate::jobs::near;
use crate::support::answer::Answer;
use crate::support::{Gateway, JOBS, OpenAi, Setup, at, chat_job, chat_job_with, job, openai, run};

#[track_caller]
fn assert_problem(refused: &Answer, status: u16, word: &str, what: &str) {
    assert_eq!(refused.status(), status, "{what}: {}", refused.text());
    assert_eq!(refused.header("content-type"), Some("application/problem+json"), "{what}");
    let problem = refused.json();
    assert_eq!(problem["status"], status, "{what}");
    for field in ["type", "title", "code", "detail"] {
        assert!(problem[field].as_str().is_some_and(|it| !it.is_empty()), "{field}: {problem}");
    }
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(word), "{what}: {word:?} is not in {detail}");
}

async fn assert_nothing(gateway: &Gateway, fake: &OpenAi) {
    assert_eq!(gateway.listed("").await, [""; 0]);
    assert_eq!(fake.chats(), 0);
}

#[test]
fn a_name_that_is_none() {
    run(async {
        let fake = OpenAi::saying("done");
        let gateway = Gateway::with(&near(&fake)).await;
        let long = "x".repeat(65);
        for id in ["a.b", "a%20b", "%41", "a+b", "a:b", "a~", "*", &long] {
            for method in ["PUT", "GET", "DELETE"] {
                let body =
                    if method == "PUT" { chat_job("big", "x").to_string() } else { String::new() };
                let headers = [("Content-Type", "application/json")];
                let refused = gateway.ask(method, &at(id), &headers, body.as_bytes()).await;
                assert_problem(&refused, 400, "1 to 64 letters, digits, _ or -", id);
                assert_eq!(refused.json()["param"], "id");
            }
        }
        let other = gateway.ask("PATCH", &at("a"), &[], b"").await;
        assert_problem(&other, 405, "", "PATCH");
        let allow = other.header("allow").unwrap();
        for method in ["GET", "PUT", "DELETE"] {
            assert!(allow.contains(method), "{allow}");
        }
        assert_nothing(&gateway, &fake).await;
    });
}

#[test]
fn a_path_that_asks_no_model() {
    run(async {
        let fake = OpenAi::saying("done");
        let gateway = Gateway::with(&near(&fake)).await;
        let body = openai::request("big", "x", false);
        for path in [
            "/v1/nonsense",
            "/v1/models",
            "/v1/jobs",
            "/v1/jobs/a",
            "/v1/messages/count_tokens",
            "/api/show",
            "/api/pull",
            "/status",
            "/v1/chat/completions/",
            "v1/chat/completions",
            "http://127.0.0.1/v1/chat/completions",
            "",
        ] {
            let refused = gateway.put_job("a", &job(path, &body)).await;
            for allowed in ["/v1/chat/completions", "/v1/messages", "/api/chat", "/v1/ask"] {
                assert_problem(&refused, 400, allowed, path);
            }
            assert_eq!(refused.json()["param"], "path", "{path}");
        }
        assert_nothing(&gateway, &fake).await;
    });
}

#[test]
fn a_model_whose_name_would_fill_the_memory() {
    run(async {
        let fake = OpenAi::saying("done");
        let gateway = Gateway::with(&near(&fake)).await;
        let longest = format!("cloud/{}", "x".repeat(250));
        let ask = |model: &str| job(&format!("/v1/ask?model={model}"), &json!("hello"));
        for job in [ask(&format!("{longest}x")), ask("cloud/%1b"), chat_job("cloud/\u{1b}", "x")] {
            let refused = gateway.put_job("a", &job).await;
            assert_problem(&refused, 400, "256 characters", "a name");
            assert_eq!(refused.json()["param"], "model");
        }
        assert_nothing(&gateway, &fake).await;
        gateway.put_job("a", &ask(&longest)).await.expect(202);
        gateway.until_ended("a", "succeeded").await;
    });
}

#[test]
fn fields_that_cannot_be() {
    run(async {
        let fake = OpenAi::saying("done");
        let gateway = Gateway::with(&near(&fake)).await;
        let with = |field: &str, value: Value| chat_job_with("big", "x", field, &value);
        let table = [
            (with("ttl", json!(-1)), "ttl"),
            (with("ttl", json!(0)), "ttl"),
            (with("ttl", json!(1e300)), "ttl"),
            (with("ttl", json!("8d")), "604800"),
            (with("ttl", json!("soon")), "90m"),
            (with("ttl", json!("2030-01-01T00:00:00Z")), "not a time of day"),
            (with("ttl", json!("")), "ttl"),
            (with("ttl", json!([1])), ""),
            (with("not_before", json!(-0.5)), "not_before"),
            (with("not_before", json!("7d")), "expire"),
            (with("not_before", json!("99999d")), "not_before"),
            (with("priority", json!("urgent")), "high, normal or low"),
            (with("priority", json!(1)), ""),
            (with("refine", json!("yes")), ""),
            (with("path", json!(7)), ""),
            (with("body", json!("hello")), "object"),
            (with("body", json!([])), "object"),
            (with("body", Value::Null), "object"),
            (with("prioritty", json!("high")), "prioritty"),
            (json!({"path": openai::CHAT}), "body"),
            (json!({"body": {}}), "path"),
            (json!({}), "path"),
            (json!([]), "/v1/chat/completions"),
            (json!("text"), "/v1/chat/completions"),
            (job("/v1/ask", &json!({"model": "big"})), "text"),
        ];
        for (body, word) in table {
            let refused = gateway.put_job("a", &body).await;
            assert_problem(&refused, 400, word, &body.to_string());
        }
        assert_nothing(&gateway, &fake).await;
    });
}

#[test]
fn a_body_that_the_path_would_refuse() {
    run(async {
        let fake = OpenAi::saying("done");
        let gateway = Gateway::with(&near(&fake)).await;
        let turns = json!([{"role": "user", "content": "hello"}]);
        for body in [
            json!({}),
            json!({"model": "big"}),
            json!({"messages": turns}),
            json!({"model": 7, "messages": turns}),
            json!({"model": "big", "messages": "hello"}),
            json!({"model": "big", "messages": turns, "temperature": "hot"}),
            json!({"model": "nobody", "messages": turns}),
        ] {
            let now = gateway.post(openai::CHAT, &body).await;
            assert!(matches!(now.status(), 400 | 404), "{body}: {}", now.text());
            let refused = gateway.put_job("a", &job(openai::CHAT, &body)).await;
            assert_problem(&refused, now.status(), &now.error().1, &body.to_string());
        }
        assert_nothing(&gateway, &fake).await;
    });
}

#[test]
fn a_path_says_in_its_own_words_what_cannot_be_later() {
    run(async {
        let fake = OpenAi::saying("done");
        let gateway = Gateway::with(&near(&fake)).await;
        let later = [("Prefer", "respond-async")];
        let mut refused = 0;
        for mut ask in asks::every("nobody") {
            for broken in [false, true] {
                if broken && ask.body.is_object() {
                    ask.body = json!({"model": ["big"]});
                }
                let now = ask.send(&gateway, &[]).await;
                let then = ask.send(&gateway, &later).await;
                assert!(matches!(now.status(), 400 | 404), "{}: {}", ask.path, now.text());
                let of = |it: &Answer| (it.status(), it.header("content-type").map(str::to_owned));
                assert_eq!((of(&now), plain(&now)), (of(&then), plain(&then)), "{}", ask.path);
                refused += 1;
            }
        }
        assert_eq!(refused, 20);
        assert_nothing(&gateway, &fake).await;
    });
}

/// Its text without the id that every error of Anthropic's has.
fn plain(answer: &Answer) -> String {
    let id = answer.header("x-request-id").unwrap_or_default();
    answer.text().replace(id, "ID")
}

#[test]
fn bytes_that_are_no_job() {
    run(async {
        let fake = OpenAi::saying("done");
        let setup = Setup::new(&near(&fake)).server("max_body = \"4KiB\"");
        let gateway = setup.start().await;
        let json = ("Content-Type", "application/json");
        let good = chat_job("big", "x").to_string();
        let deep = format!("{{\"path\":\"{}\",\"body\":{{\"a\":{}", openai::CHAT, "[".repeat(900));
        let whole = deep.clone() + &"]".repeat(900) + "}}";
        let large = chat_job("big", &"x".repeat(5000)).to_string();
        let twice = good.replacen('{', "{\"path\":\"/api/chat\",", 1);
        let table = [
            (vec![json], "", 400),
            (vec![json], "{", 400),
            (vec![json], &good[..good.len() - 1], 400),
            (vec![json], "{\"path\": NaN}", 400),
            (vec![json], "\u{0}", 400),
            (vec![json], &deep, 400),
            (vec![json], &whole, 400),
            (vec![json], &twice, 400),
            (vec![json], &large, 413),
            (vec![("Content-Type", "text/plain")], &good, 415),
            (vec![("Content-Type", "application/x-www-form-urlencoded")], &good, 415),
            (vec![], &good, 415),
            (vec![json, ("Content-Encoding", "gzip")], &good, 415),
        ];
        for (headers, body, status) in table {
            for (method, path) in [("PUT", at("a")), ("POST", JOBS.to_owned())] {
                let refused = gateway.ask(method, &path, &headers, body.as_bytes()).await;
                assert_problem(&refused, status, "", &format!("{headers:?} {body:.40}"));
            }
        }
        assert_nothing(&gateway, &fake).await;
        // The same bytes as they should be.
        gateway.ask("PUT", &at("a"), &[json], good.as_bytes()).await.expect(202);
    });
}

#[test]
fn waits_and_words_that_cannot_be() {
    run(async {
        let fake = OpenAi::saying("done");
        let gateway = Gateway::with(&near(&fake)).await;
        gateway.queue_chat("a", "big", "x").await;
        gateway.until_ended("a", "succeeded").await;
        for (below, word) in [
            ("?wait=soon", "60"),
            ("?wait=-1", "60"),
            ("?wait=1.5", "60"),
            ("?wait=", "60"),
            ("?w=1", "wait"),
            ("/result?wait=x", "60"),
            ("/result?version=draft", "provisional"),
            ("/result?w=1", "version"),
        ] {
            let refused = gateway.get(&format!("{}{below}", at("a"))).await;
            assert_problem(&refused, 400, word, below);
        }
        let none = gateway.get(&format!("{}/nonsense", at("a"))).await;
        assert_problem(&none, 404, "", "below a job");
        // More than the longest wait is the longest.
        gateway.get(&format!("{}?wait=99999999999999999999", at("a"))).await.expect(200);
    });
}
