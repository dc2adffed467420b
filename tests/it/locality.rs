//! Where a request may be served: the strictest word wins, and in doubt nothing leaves the device.

use serde_json::json;

use crate::support::{
    Gateway, NO_RETRY, Ollama, OpenAi, Setup, alias, alias_with, ollama, openai, reply, run,
};

const LOCAL: (&str, &str) = ("X-Edgehold-Locality", "local");
const CLOUD: (&str, &str) = ("X-Edgehold-Locality", "cloud");
const ANY: (&str, &str) = ("X-Edgehold-Locality", "any");

struct World {
    local: Ollama,
    cloud: OpenAi,
}

impl World {
    fn new() -> Self {
        Self { local: Ollama::saying("from here"), cloud: OpenAi::saying("from afar") }
    }

    fn tables(&self) -> String {
        self.local.local("local")
            + &self.cloud.cloud("cloud")
            + NO_RETRY
            + &alias("both", &["cloud/gpt-test", "local/tiny"])
            + &alias_with("private", &["cloud/gpt-test", "local/tiny"], "locality = \"local\"")
            + &alias_with("public", &["local/tiny", "cloud/gpt-test"], "locality = \"cloud\"")
            + &alias_with("nowhere", &["cloud/gpt-test"], "locality = \"local\"")
    }

    fn calls(&self) -> (usize, usize) {
        (self.local.chats().len(), self.cloud.chats())
    }
}

#[test]
fn header_and_alias_choose_the_place() {
    run(async {
        let world = World::new();
        let gateway = Gateway::with(&world.tables()).await;
        let table = [
            ("both", &[][..], "cloud"),
            ("both", &[ANY], "cloud"),
            ("both", &[LOCAL], "local"),
            ("both", &[CLOUD], "cloud"),
            ("private", &[], "local"),
            ("private", &[ANY], "local"),
            ("public", &[], "cloud"),
            ("public", &[CLOUD], "cloud"),
        ];
        for (model, headers, place) in table {
            let answer = gateway.chat_with(model, "hello", headers).await.expect(200);
            assert_eq!(answer.header("x-edgehold-locality"), Some(place), "{model} {headers:?}");
            let text = if place == "local" { "from here" } else { "from afar" };
            assert_eq!(answer.content(), text, "{model} {headers:?}");
        }
        assert_eq!(world.calls(), (3, 5));
    });
}

#[test]
fn a_contradiction_is_served_by_nobody() {
    run(async {
        let world = World::new();
        let gateway = Gateway::with(&world.tables()).await;
        for (model, header) in [("private", CLOUD), ("public", LOCAL)] {
            let refused = gateway.chat_with(model, "hello", &[header]).await;
            assert!(matches!(refused.status(), 400 | 503), "{}", refused.text());
            refused.error();
        }
        for bad in ["", "nearby", "LOCAL cloud"] {
            let headers = [("X-Edgehold-Locality", bad)];
            gateway.chat_with("both", "hello", &headers).await.expect(400);
        }
        let twice = gateway.chat_with("both", "hello", &[LOCAL, ANY]).await;
        assert_eq!(twice.status(), 400, "two could be read in two ways");
        assert_eq!(world.calls(), (0, 0));
    });
}

#[test]
fn local_stays_local_when_the_local_one_is_down() {
    run(async {
        let world = World::new();
        let gateway = Gateway::with(&world.tables()).await;
        world.local.down().await;
        for (model, headers) in [
            ("private", &[][..]),
            ("both", &[LOCAL][..]),
            ("nowhere", &[][..]),
            ("cloud/gpt-test", &[LOCAL][..]),
        ] {
            for _ in 0..3 {
                let refused = gateway.chat_with(model, "secret", headers).await.expect(503);
                assert_eq!(refused.error().0, "no_target_available");
                assert!(refused.header("retry-after").is_some());
            }
        }
        assert_eq!(world.cloud.chats(), 0, "it never left");
    });
}

#[test]
fn local_stays_local_whatever_fault_the_local_one_has() {
    run(async {
        let world = World::new();
        let gateway = Gateway::with(&world.tables()).await;
        let faults = [
            reply::json(500, &json!({"error": "broken"})),
            reply::json(
                503,
                &json!({"error": "server busy, please try again.  maximum pending requests exceeded"}),
            ),
            reply::json(404, &json!({"error": "model \"tiny\" not found"})),
            vec![crate::support::Act::Reset],
        ];
        for acts in faults {
            world.local.chat_acts(acts);
            for stream in [false, true] {
                let body = openai::request("private", "secret", stream);
                let refused = gateway.post(openai::CHAT, &body).await;
                assert!(refused.status() >= 400, "{}", refused.text());
            }
        }
        let ask = gateway.ask("POST", "/v1/ask?model=private", &[], b"secret").await;
        assert!(ask.status() >= 400);
        assert_eq!(
            world.cloud.count(""),
            world.cloud.count("/v1/models"),
            "probes and nothing else"
        );
    });
}

#[test]
fn a_clients_entry_binds_its_requests() {
    run(async {
        let world = World::new();
        let setup = Setup::new(&world.tables());
        let token = setup.folder().write("token", "a-token-of-sixteen-and-more\n");
        let clients = format!(
            "[[clients]]\nname = \"sensor\"\ntoken = {{ file = \"{}\" }}\nlocality = \"local\"\n",
            token.display()
        );
        let gateway = setup.tables(&clients).start().await;
        let bearer = ("Authorization", "Bearer a-token-of-sixteen-and-more");
        let answer = gateway.chat_with("both", "hello", &[bearer]).await.expect(200);
        assert_eq!(answer.header("x-edgehold-locality"), Some("local"));
        let answer = gateway.chat_with("both", "hello", &[bearer, ANY]).await.expect(200);
        assert_eq!(answer.header("x-edgehold-locality"), Some("local"), "nothing loosens it");
        let refused = gateway.chat_with("both", "hello", &[bearer, CLOUD]).await;
        assert!(matches!(refused.status(), 400 | 503), "{}", refused.text());
        assert_eq!(world.cloud.chats(), 0);
    });
}

#[test]
fn a_model_that_an_ollama_runs_elsewhere_is_not_local() {
    run(async {
        let world = World::new();
        let mut shown = ollama::show(4096);
        shown["remote_host"] = json!("https://ollama.com:443");
        shown["remote_model"] = json!("tiny");
        world.local.on("/api/show", reply::json(200, &shown));
        let gateway = Gateway::with(&world.tables()).await;
        for (model, headers) in
            [("private", &[][..]), ("local/tiny", &[LOCAL][..]), ("tiny", &[LOCAL][..])]
        {
            let refused = gateway.chat_with(model, "secret", headers).await.expect(503);
            assert_eq!(refused.error().0, "no_target_available", "{}", refused.text());
        }
        assert_eq!(world.calls(), (0, 0), "not even asked");
        assert_eq!(world.local.loads().len(), 0);
        let answer = gateway.chat("local/tiny", "no secret").await.expect(200);
        assert_eq!(answer.header("x-edgehold-locality"), Some("cloud"), "said as it is");
    });
}

#[test]
fn a_model_that_is_remote_by_its_name_is_not_local() {
    run(async {
        let world = World::new();
        let gateway = Gateway::with(&world.tables()).await;
        for model in ["local/gpt-oss:120b-cloud", "local/qwen3:cloud"] {
            let refused = gateway.chat_with(model, "secret", &[LOCAL]).await.expect(503);
            assert_eq!(refused.error().0, "no_target_available");
        }
        assert_eq!(world.calls(), (0, 0));
    });
}

#[test]
fn embeddings_are_bound_as_chats_are() {
    run(async {
        let world = World::new();
        world.cloud.on(
            openai::EMBEDDINGS,
            reply::json(200, &json!({"object": "list", "data": [], "model": "x"})),
        );
        let gateway = Gateway::with(&world.tables()).await;
        world.local.down().await;
        let body = json!({"model": "private", "input": "secret"});
        gateway.post(openai::EMBEDDINGS, &body).await.expect(503);
        let body = json!({"model": "both", "input": "secret"});
        gateway.post_with(openai::EMBEDDINGS, &[LOCAL], &body).await.expect(503);
        assert_eq!(world.cloud.count(openai::EMBEDDINGS), 0);
    });
}

#[test]
fn every_path_keeps_what_is_local_local() {
    run(async {
        let world = World::new();
        let gateway = Gateway::with(&world.tables()).await;
        let turns = json!([{"role": "user", "content": "hello"}]);
        // Each form of a request, for a name whose only target is in the cloud and that is local.
        let table = [
            ("/v1/chat/completions", json!({"messages": turns})),
            ("/v1/completions", json!({"prompt": "hello"})),
            ("/v1/responses", json!({"input": "hello"})),
            ("/v1/embeddings", json!({"input": "hello"})),
            ("/v1/messages", json!({"max_tokens": 5, "messages": turns})),
            ("/api/chat", json!({"messages": turns})),
            ("/api/generate", json!({"prompt": "hello"})),
            ("/api/embed", json!({"input": "hello"})),
            ("/api/embeddings", json!({"prompt": "hello"})),
        ];
        for (path, mut body) in table {
            body["model"] = json!("nowhere");
            gateway.post(path, &body).await.expect(503);
            // And by the header, where the name says nothing of it.
            body["model"] = json!("cloud/gpt-test");
            let headers = [("Content-Type", "application/json"), LOCAL];
            let answer = gateway.ask("POST", path, &headers, body.to_string().as_bytes()).await;
            answer.expect(503);
        }
        // Counting asks nobody then, and says what it is: an estimate.
        let body = json!({"model": "nowhere", "messages": turns});
        let counted = gateway.post("/v1/messages/count_tokens", &body).await.expect(200);
        assert_eq!(counted.header("x-edgehold-estimate"), Some("true"));
        let shown = gateway.post("/api/show", &json!({"model": "nowhere"})).await.expect(200);
        assert_eq!(shown.json()["capabilities"], json!(["completion"]));
        let asked = world.cloud.seen("").into_iter().filter(|seen| seen.method == "POST");
        assert_eq!((asked.count(), world.calls()), (0, (0, 0)));
    });
}
