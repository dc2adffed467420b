//! A job's result is what the path itself would have answered: status, headers and bytes. It says how the
//! job stands as well.

use serde_json::{Value, json};

use crate::jobs::asks::{self, Ask};
use crate::support::answer::Answer;
use crate::support::{
    Act, Fake, Gateway, NO_RETRY, Ollama, OpenAi, Setup, at, ollama, openai, reply, run_long,
};

struct World {
    ollama: Ollama,
    openai: OpenAi,
    claude: Fake,
}

impl World {
    fn new() -> Self {
        let this = Self {
            ollama: Ollama::saying("from here"),
            openai: OpenAi::saying("from afar"),
            claude: Fake::new(),
        };
        let vectors = json!({"object": "list", "extra": 1, "model": "e",
            "data": [{"object": "embedding", "index": 0, "embedding": [1, 0.5]}],
            "usage": {"prompt_tokens": 1, "total_tokens": 1}});
        this.openai.on(openai::EMBEDDINGS, reply::json(200, &vectors));
        let completion = json!({"id": "cmpl-1", "object": "text_completion", "created": 1,
            "model": "m", "choices": [{"index": 0, "text": "and on", "finish_reason": "stop"}]});
        this.openai.on("/v1/completions", reply::json(200, &completion));
        let line = json!({"model": "tiny", "created_at": "2026-01-01T00:00:00Z",
            "response": "and on", "done": true, "done_reason": "stop", "eval_count": 2});
        let lines = reply::pieces(ollama::LINES, &[ollama::line(&line)]);
        this.ollama.on("/api/generate", vec![Act::Send(lines)]);
        let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
            "content": [{"type": "text", "text": "a message", "citations": null}],
            "stop_reason": "end_turn", "usage": {"input_tokens": 5, "output_tokens": 2}});
        this.claude.on("/v1/messages", reply::json(200, &message));
        this
    }

    fn tables(&self) -> String {
        let claude = self.claude.address;
        self.ollama.local("local")
            + &self.openai.cloud("cloud")
            + &format!("[providers.claude]\nkind = \"anthropic\"\nbase_url = \"http://{claude}\"\n")
            + NO_RETRY
    }

    async fn start(&self) -> Gateway {
        Setup::new(&self.tables()).start().await
    }
}

/// Paths whose answers are the provider's own, to the byte.
const NATIVE: [(&str, &str); 4] = [
    ("cloud/gpt-test", "/v1/chat/completions"),
    ("cloud/gpt-test", "/v1/embeddings"),
    ("claude/m", "/v1/messages"),
    ("local/tiny", "/api/embed"),
];

fn is_native(model: &str, path: &str) -> bool {
    NATIVE.contains(&(model, path))
}

/// What is made anew for every answer.
const GENERATED: [&str; 8] = [
    "id",
    "created",
    "created_at",
    "completed_at",
    "total_duration",
    "load_duration",
    "prompt_eval_duration",
    "eval_duration",
];

fn scrub(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                match GENERATED.contains(&name.as_str()) {
                    true => *inner = json!("generated"),
                    false => scrub(inner),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(scrub),
        _ => {}
    }
}

/// Headers, but those that every response has of its own, in no order.
fn headers(answer: &Answer, but: &[&str]) -> Vec<(String, String)> {
    let own = ["date", "x-request-id", "request-id"];
    let all = answer.head.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone()));
    let mut all: Vec<_> = all
        .filter(|(name, _)| !own.contains(&name.as_str()) && !but.contains(&name.as_str()))
        .collect();
    all.sort();
    all
}

/// The one header that a result has and an answer of now has not.
const JOB: &str = "x-edgehold-job";

#[track_caller]
fn assert_same(now: &Answer, later: &Answer, is_native: bool, why: &str) {
    assert_eq!(now.status(), later.status(), "{why}: {}", later.text());
    let ended = if later.status() == 200 { "succeeded" } else { "failed" };
    assert_eq!((now.header(JOB), later.header(JOB)), (None, Some(ended)), "{why}");
    if is_native {
        assert_eq!(now.text(), later.text(), "{why}");
        assert_eq!(headers(now, &[]), headers(later, &[JOB]), "{why}");
        return;
    }
    // Times and ids may be longer or shorter, and the length with them.
    let but = ["content-length", JOB];
    assert_eq!(headers(now, &but), headers(later, &but), "{why}");
    assert!(later.header("content-length").is_some(), "{why}");
    if now.body == later.body {
        return;
    }
    let (mut now, mut later) = (now.json(), later.json());
    scrub(&mut now);
    scrub(&mut later);
    assert_eq!(now, later, "{why}");
}

/// Hands a request in, and returns its result.
async fn done_later(gateway: &Gateway, ask: &Ask, id: &str) -> Answer {
    gateway.put_job(id, &ask.job()).await.expect(202);
    gateway.until_ended(id, "succeeded").await;
    gateway.result(id).await
}

#[test]
fn every_path_by_every_provider() {
    run_long(async {
        let world = World::new();
        let gateway = world.start().await;
        for model in ["local/tiny", "cloud/gpt-test", "claude/m"] {
            for ask in asks::every(model) {
                if model == "claude/m" && ask.path.contains("embed") {
                    continue;
                }
                let why = format!("{} of {model}", ask.path);
                let native = is_native(model, &ask.path);
                let id = ask.id(model.split('/').next().unwrap());
                let now = ask.send(&gateway, &[]).await.expect(200);
                let later = done_later(&gateway, &ask, &id).await;
                assert_eq!(later.header("x-edgehold-attempts"), Some("1"), "{why}");
                assert_eq!(later.header("x-edgehold-target"), Some(model), "{why}");
                assert_same(&now, &later, native, &why);
            }
        }
    });
}

#[test]
fn a_stream_is_answered_whole() {
    run_long(async {
        let world = World::new();
        let gateway = world.start().await;
        let streams = asks::every("cloud/gpt-test").into_iter().filter(Ask::has_streams);
        for ask in streams {
            let now = ask.send(&gateway, &[]).await.expect(200);
            let (id, why) = (ask.id("s"), ask.path.clone());
            let native = is_native("cloud/gpt-test", &why);
            let streamed = ask.streamed();
            let later = done_later(&gateway, &streamed, &id).await;
            assert_same(&now, &later, native, &why);
            // By the header on the path itself it is the same.
            let taken = streamed.send(&gateway, &[("Prefer", "respond-async, wait=30")]).await;
            assert_eq!(taken.header("content-type"), now.header("content-type"), "{why}");
            assert!(taken.header("content-length").is_some(), "{why}: a stream");
        }
    });
}

#[test]
fn posted_or_preferred_it_is_the_same() {
    run_long(async {
        let world = World::new();
        let gateway = world.start().await;
        for ask in asks::every("cloud/gpt-test") {
            let native = is_native("cloud/gpt-test", &ask.path);
            let now = ask.send(&gateway, &[]).await.expect(200);
            let posted = gateway.post("/v1/jobs", &ask.job()).await.expect(202);
            let key = ask.id("key");
            let headers = [("Prefer", "respond-async"), ("Idempotency-Key", key.as_str())];
            let preferred = ask.send(&gateway, &headers).await.expect(202);
            for taken in [posted, preferred] {
                let id = taken.json()["id"].as_str().unwrap().to_owned();
                assert_eq!(taken.header("location"), Some(at(&id).as_str()));
                gateway.until_ended(&id, "succeeded").await;
                assert_same(&now, &gateway.result(&id).await, native, &ask.path);
            }
        }
    });
}

#[test]
fn an_ollama_streams_where_nothing_is_said_and_a_job_does_not() {
    run_long(async {
        let world = World::new();
        let gateway = world.start().await;
        let body = json!({"model": "local/tiny", "messages": [{"role": "user", "content": "hi"}]});
        let ask = Ask { path: ollama::CHAT.to_owned(), body };
        let streamed = ask.send(&gateway, &[]).await.expect(200);
        assert_eq!(streamed.header("content-type"), Some(ollama::LINES));
        let whole = done_later(&gateway, &ask, "whole").await.expect(200);
        assert_eq!(whole.header("content-type"), Some("application/json"));
        assert_eq!(whole.json()["message"]["content"], "from here");
        assert_eq!(whole.json()["done"], true);
    });
}
