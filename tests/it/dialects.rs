//! What each dialect has that the others have not: fields that survive, headers, errors in the
//! form of their path, and the paths beside inference.

use serde_json::{Value, json};

use crate::support::http::request;
use crate::support::{
    Act, Fake, Gateway, NO_RETRY, Ollama, OpenAi, Setup, alias, ollama, openai, reply, run,
};

fn claude(fake: &Fake, more: &str) -> String {
    let address = fake.address;
    format!("[providers.claude]\nkind = \"anthropic\"\nbase_url = \"http://{address}\"\n{more}\n")
}

fn message(text: &str) -> Value {
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [{"type": "text", "text": text, "citations": null}], "stop_reason": "stop_sequence",
        "stop_sequence": "END", "usage": {"input_tokens": 5, "output_tokens": 2, "service_tier": "standard"}})
}

fn anthropic() -> Fake {
    let fake = Fake::new();
    fake.on("/v1/models", reply::json(200, &json!({"data": []})));
    fake.on("/v1/messages", reply::json(200, &message("hello")));
    fake.on("/v1/messages/count_tokens", reply::json(200, &json!({"input_tokens": 42})));
    fake
}

fn asking(model: &str) -> Value {
    json!({"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hello there"}]})
}

#[test]
fn fields_that_nobody_knows_reach_a_provider_of_the_dialect_and_come_back() {
    run(async {
        let (claude_fake, small) = (anthropic(), Ollama::saying("small"));
        let gateway =
            Gateway::with(&(claude(&claude_fake, "") + &small.local("local") + NO_RETRY)).await;
        let mut body = asking("claude/m");
        body["service_tier"] = json!("auto");
        body["new_thing"] = json!({"b": 1, "a": [2.50]});
        let answer = gateway.post("/v1/messages", &body).await.expect(200).json();
        assert_eq!(answer, message("hello"), "not a field is lost");
        let mut wanted = body.clone();
        wanted["model"] = json!("m");
        assert_eq!(claude_fake.seen("/v1/messages")[0].json(), wanted);
        let body = json!({"model": "local/tiny", "messages": [{"role": "user", "content": "hi", "new": 1}],
            "options": {"mirostat": 2, "num_ctx": 4000}, "new_thing": true, "keep_alive": 7, "stream": false});
        let answer = gateway.post("/api/chat", &body).await.expect(200).json();
        assert_eq!(answer["message"]["content"], "small");
        assert_eq!(
            (&answer["load_duration"], &answer["eval_count"]),
            (&json!(1_000_000), &json!(3))
        );
        let sent = small.chats()[0].json();
        assert_eq!(sent["new_thing"], true);
        assert_eq!(sent["messages"][0]["new"], 1);
        assert_eq!(sent["options"]["mirostat"], 2);
        assert_eq!(
            sent["options"]["num_ctx"], 4000,
            "as much as the client wants, if not less than is needed"
        );
        assert_eq!((&sent["keep_alive"], &sent["model"]), (&json!(7), &json!("tiny")));
    });
}

#[test]
fn headers_of_each_provider() {
    run(async {
        let fake = anthropic();
        fake.on(
            ":generateContent",
            reply::json(200, &json!({"candidates": [{"content": {"parts": [{"text": "hi"}]}, "finishReason": "STOP"}]})),
        );
        let address = fake.address;
        let gemini = format!(
            "[providers.gemini]\nkind = \"gemini\"\nbase_url = \"http://{address}/v1beta\"\napi_key = {{ env = \"KEY_G\" }}\n"
        );
        let tables = claude(&fake, "api_key = { env = \"KEY_C\" }") + &gemini + NO_RETRY;
        let gateway =
            Setup::new(&tables).env("KEY_C", "sk-claude").env("KEY_G", "gemini-key").start().await;
        let headers = [
            ("Content-Type", "application/json"),
            ("anthropic-version", "2023-06-01"),
            ("anthropic-beta", "new-2026-01-01"),
            ("x-api-key", "the clients own"),
        ];
        let text = asking("claude/m").to_string();
        let answer =
            gateway.ask("POST", "/v1/messages", &headers, text.as_bytes()).await.expect(200);
        assert!(answer.header("request-id").is_some());
        gateway.chat("gemini/m", "hello").await.expect(200);
        gateway.chat("claude/m", "hello").await.expect(200);
        let seen = fake.seen("/v1/messages");
        assert_eq!(seen[0].header("x-api-key"), Some("sk-claude"));
        assert_eq!(seen[0].header("anthropic-version"), Some("2023-06-01"));
        assert_eq!(seen[0].header("anthropic-beta"), Some("new-2026-01-01"));
        assert_eq!(seen[0].header("authorization"), None);
        assert_eq!(seen[1].header("anthropic-beta"), None, "only with the client's own body");
        let asked = &fake.seen(":generateContent")[0];
        assert_eq!(asked.header("x-goog-api-key"), Some("gemini-key"));
        assert_eq!(asked.path, "/v1beta/models/m:generateContent", "no key in the address");
    });
}

#[test]
fn fields_that_a_service_refuses_are_left_out() {
    run(async {
        let fake = OpenAi::saying("hi");
        let table = fake.table(
            "mistral",
            "cloud",
            "omit = [\"stream_options\", \"max_completion_tokens\", \"seed\"]",
        );
        let gateway = Gateway::with(&(table + NO_RETRY)).await;
        let mut body = openai::request("mistral/m", "hello", true);
        body["stream_options"] = json!({"include_usage": true});
        body["max_completion_tokens"] = json!(7);
        body["seed"] = json!(1);
        body["safe_prompt"] = json!(true);
        gateway.post(openai::CHAT, &body).await.expect(200);
        gateway
            .post(
                "/v1/messages",
                &json!({"model": "mistral/m", "max_tokens": 7, "stream": true,
            "messages": [{"role": "user", "content": "hello"}]}),
            )
            .await
            .expect(200);
        let seen = fake.seen(openai::CHAT);
        for seen in &seen {
            let sent = seen.json();
            for field in ["stream_options", "max_completion_tokens", "seed"] {
                assert!(sent.get(field).is_none(), "{field} in {sent}");
            }
            assert_eq!((&sent["max_tokens"], &sent["model"]), (&json!(7), &json!("m")));
        }
        assert_eq!(seen[0].json()["safe_prompt"], true);
    });
}

/// Where an error's type and its message stand.
type Form = fn(&Value) -> (&Value, &Value);

#[test]
fn errors_have_the_form_of_their_path() {
    run(async {
        let fake = anthropic();
        let overloaded =
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "too much"}});
        fake.on("/v1/messages", reply::json_with(529, &[("retry-after", "3")], &overloaded));
        let gateway = Gateway::with(&(claude(&fake, "") + NO_RETRY)).await;
        let turns = json!([{"role": "user", "content": "x"}]);
        let bad = json!([{"role": "oracle", "content": "x"}]);
        let body = |model: &str, turns: &Value| json!({"model": model, "max_tokens": 1, "messages": turns});
        // 404, 400 and what a provider said.
        let forms: [(&str, Form); 3] = [
            ("/v1/chat/completions", |it| (&it["error"]["type"], &it["error"]["message"])),
            ("/v1/messages", |it| (&it["error"]["type"], &it["error"]["message"])),
            ("/api/chat", |it| (&Value::Null, &it["error"])),
        ];
        let kinds = [
            ["invalid_request_error", "invalid_request_error", "server_error"],
            ["not_found_error", "invalid_request_error", "overloaded_error"],
            ["", "", ""],
        ];
        for ((path, form), kinds) in forms.into_iter().zip(kinds) {
            let cases = [
                (body("nobody/m", &turns), 404, "nobody/m"),
                (body("claude/m", &bad), 400, "messages[0].role"),
                (body("claude/m", &turns), 503, "too much"),
            ];
            for ((body, status, words), kind) in cases.into_iter().zip(kinds) {
                let answer = gateway.post(path, &body).await.expect(status);
                let json = answer.json();
                let (found, message) = form(&json);
                assert_eq!(found.as_str().unwrap_or_default(), kind, "{path}: {json}");
                let message = message.as_str().unwrap();
                assert!(message.contains(words), "{path}: {message}");
                if status == 503 {
                    assert!(message.contains("claude"), "it names who said it: {message}");
                    assert!(answer.header("retry-after").is_some());
                }
            }
        }
        assert_eq!(
            gateway.get("/api/nothing").await.expect(404).json()["error"]
                .as_str()
                .map(|it| it.contains("/api/tags")),
            Some(true)
        );
        assert_eq!(gateway.get("/v1/messages").await.expect(405).json()["type"], "error");
    });
}

#[test]
fn tokens_are_counted_by_who_can() {
    run(async {
        let (mut fake, small) = (anthropic(), Ollama::saying("small"));
        let tables = claude(&fake, "")
            + &small.local("local")
            + NO_RETRY
            + &alias("claude-first", &["claude/m", "local/tiny"])
            + &alias("local-first", &["local/tiny", "claude/m"]);
        let gateway = Gateway::with(&tables).await;
        let count = async |model: &str| {
            let mut body = asking(model);
            body.as_object_mut().unwrap().remove("max_tokens");
            let answer = gateway.post("/v1/messages/count_tokens", &body).await.expect(200);
            let is_estimate = answer.header("x-edgehold-estimate").map(str::to_owned);
            (answer.json()["input_tokens"].as_u64().unwrap(), is_estimate)
        };
        assert_eq!(count("claude-first").await, (42, None));
        assert_eq!(fake.seen("/count_tokens")[0].json()["model"], "m");
        let (tokens, is_estimate) = count("local-first").await;
        assert!((5..20).contains(&tokens), "{tokens}");
        assert_eq!(is_estimate.as_deref(), Some("true"));
        fake.down().await;
        assert_eq!(count("claude-first").await.1.as_deref(), Some("true"), "it cannot be reached");
        fake.up();
        gateway.post("/v1/messages/count_tokens", &json!({"model": "claude/m"})).await.expect(400);
    });
}

#[test]
fn ollamas_clients_find_what_they_ask_beside() {
    run(async {
        let (small, big) = (Ollama::saying("small"), OpenAi::saying("big"));
        small.on(
            "/api/ps",
            reply::json(200, &json!({"models": [{"name": "tiny:latest", "size_vram": 5}]})),
        );
        let tables = small.local("local")
            + &big.cloud("cloud")
            + &alias("big", &["cloud/gpt-test"])
            + &alias("home", &["local/tiny"]);
        let mut small = small;
        let gateway = Gateway::with(&tables).await;
        let tags = gateway.get("/api/tags").await.expect(200).json();
        let names: Vec<&str> = tags["models"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["tiny:latest", "big", "home"]);
        assert_eq!(tags["models"][0]["digest"], "00", "as the Ollama says it");
        assert_eq!(gateway.get("/api/ps").await.expect(200).json()["models"][0]["size_vram"], 5);
        assert_eq!(gateway.get("/api/version").await.expect(200).json()["version"], "0.5.4");
        let show = async |name: &str| gateway.post("/api/show", &json!({"model": name})).await;
        assert_eq!(show("home").await.expect(200).json()["details"]["family"], "llama");
        assert_eq!(show("big").await.expect(200).json()["capabilities"], json!(["completion"]));
        show("nowhere/x").await.expect(404);
        small.once("/api/show", reply::json(404, &json!({"error": "model 'typo' not found"})));
        show("local/typo").await.expect(404);
        let named =
            gateway.post("/api/show", &json!({"model": "", "name": "home"})).await.expect(200);
        assert_eq!(named.json()["details"]["family"], "llama", "as Ollama's own program asks");
        // Without the Ollama there is less to say, but no error.
        small.down().await;
        show("home").await.expect(503);
        assert_eq!(gateway.get("/api/ps").await.expect(200).json(), json!({"models": []}));
        let tags = gateway.get("/api/tags").await.expect(200).json();
        assert_eq!(tags["models"].as_array().unwrap().len(), 2);
        let version = gateway.get("/api/version").await.expect(200).json();
        assert!(version["version"].as_str().unwrap().starts_with("0."), "{version}");
        small.up();
    });
}

#[test]
fn a_text_is_gone_on_with() {
    run(async {
        let (small, big) = (Ollama::saying("small"), OpenAi::saying("big"));
        let generated = |text: &str| {
            let lines = [
                json!({"model": "tiny", "created_at": "2026-01-01T00:00:00Z", "response": text, "done": false}),
                json!({"model": "tiny", "created_at": "2026-01-01T00:00:00Z", "response": "", "done": true, "done_reason": "stop",
                    "context": [1, 2], "total_duration": 9, "prompt_eval_count": 4, "eval_count": 1}),
            ];
            reply::pieces(ollama::LINES, &lines.map(|it| ollama::line(&it)))
        };
        small.on("/api/generate", vec![Act::Send(generated("on and on"))]);
        big.on("/v1/completions", reply::json(200, &json!({"id": "c", "object": "text_completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "text": "from afar", "finish_reason": "stop", "logprobs": null}], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}})));
        let gateway = Gateway::with(&(small.local("local") + &big.cloud("cloud") + NO_RETRY)).await;
        let body = json!({"model": "local/tiny", "prompt": "go", "raw": true, "suffix": "end", "images": ["iVBOR"], "stream": false});
        let answer = gateway.post("/api/generate", &body).await.expect(200).json();
        assert_eq!(
            (&answer["response"], &answer["context"]),
            (&json!("on and on"), &json!([1, 2]))
        );
        let sent = small.seen("/api/generate")[0].json();
        assert_eq!(
            (&sent["raw"], &sent["suffix"], &sent["images"]),
            (&json!(true), &json!("end"), &json!(["iVBOR"]))
        );
        // OpenAI's older form, by an Ollama and by a provider that has it.
        let complete =
            |model: &str| json!({"model": model, "prompt": "go", "suffix": "end", "max_tokens": 5});
        let answer =
            gateway.post("/v1/completions", &complete("local/tiny")).await.expect(200).json();
        assert_eq!(
            (&answer["object"], &answer["choices"][0]["text"]),
            (&json!("text_completion"), &json!("on and on"))
        );
        let sent = small.seen("/api/generate")[1].json();
        assert_eq!(
            (&sent["prompt"], &sent["suffix"], &sent["options"]["num_predict"]),
            (&json!("go"), &json!("end"), &json!(5))
        );
        let answer = gateway.post("/v1/completions", &complete("cloud/m")).await.expect(200).json();
        assert_eq!(answer["choices"][0]["text"], "from afar");
        // /api/generate of another provider is a chat.
        let body =
            json!({"model": "cloud/m", "prompt": "go", "system": "be brief", "stream": false});
        let answer = gateway.post("/api/generate", &body).await.expect(200).json();
        assert_eq!(answer["response"], "big");
        let turns = big.seen(openai::CHAT)[0].json()["messages"].clone();
        assert_eq!(
            turns,
            json!([{"role": "system", "content": "be brief"}, {"role": "user", "content": "go"}])
        );
    });
}

#[test]
fn a_model_is_loaded_and_unloaded_by_an_ollamas_client() {
    run(async {
        let small = Ollama::saying("small");
        let gateway = Gateway::with(&(small.local("local") + NO_RETRY)).await;
        let body = json!({"model": "local/tiny", "messages": [], "keep_alive": 0, "stream": false});
        let answer = gateway.post("/api/chat", &body).await.expect(200).json();
        assert_eq!((&answer["done"], &answer["done_reason"]), (&json!(true), &json!("load")));
        assert_eq!(small.loads().len(), 1);
        assert_eq!(small.loads()[0].json()["keep_alive"], 0);
        // Unloaded is not loaded: the next chat loads it first.
        gateway.chat("local/tiny", "hello").await.expect(200);
        assert_eq!((small.loads().len(), small.chats().len()), (2, 1));
        let body = json!({"model": "local/tiny", "keep_alive": -1.0});
        let lines = [json!({"model": "tiny", "response": "", "done": true, "done_reason": "load"})];
        small.on("/api/generate", reply::json(200, &lines[0]));
        gateway.post("/api/generate", &body).await.expect(200);
        let sent = small.seen("/api/generate")[0].json();
        assert_eq!(sent["keep_alive"], -1.0, "as its Python client writes it");
    });
}

#[test]
fn a_load_outlives_the_client_that_asked_for_it() {
    run(async {
        let small = Ollama::saying("small");
        small.load_acts([vec![Act::Stall], ollama::loaded()].concat());
        let gateway = Gateway::with(&(small.local("local") + NO_RETRY)).await;
        let body = json!({"model": "local/tiny", "messages": []}).to_string();
        let headers = [("Content-Type", "application/json")];
        let mut conn = gateway.conn().await;
        let bytes = request("POST", "/api/chat", &gateway.host(), &headers, body.as_bytes());
        conn.send(&bytes).await.unwrap();
        small.until_seen("/api/chat", 1).await;
        drop(conn);
        small.release();
        gateway.chat("local/tiny", "hello").await.expect(200);
        assert_eq!(small.gone().len(), 0, "nobody broke the load off");
    });
}

#[test]
fn names_that_another_reader_would_fold_are_refused() {
    run(async {
        let (small, big) = (Ollama::saying("small"), OpenAi::saying("big"));
        let gateway = Gateway::with(&(small.local("local") + &big.cloud("cloud") + NO_RETRY)).await;
        let table = [
            (openai::CHAT, "cloud/m", r#","MODEL":"other""#),
            (openai::CHAT, "cloud/m", r#","mOdel":"other""#),
            ("/api/chat", "local/tiny", r#","Model":"gpt-oss:120b-cloud""#),
            ("/api/chat", "local/tiny", r#","OPTIONS":{"num_ctx":131072}"#),
            ("/api/chat", "local/tiny", r#","option\u017f":{"num_ctx":131072}"#),
        ];
        for (path, model, more) in table {
            let body = format!(
                r#"{{"model":"{model}","messages":[{{"role":"user","content":"The \"Model\" is here"}}]{more}}}"#
            );
            let headers = [("Content-Type", "application/json")];
            gateway.ask("POST", path, &headers, body.as_bytes()).await.expect(400);
        }
        assert_eq!((small.chats().len(), big.chats()), (0, 0));
        // Within something else it is any name.
        let mut body = openai::request("cloud/m", "hello", false);
        body["tools"] = json!([{"type": "function", "function": {"name": "f", "parameters":
            {"type": "object", "properties": {"Model": {"type": "string"}}}}}]);
        gateway.post(openai::CHAT, &body).await.expect(200);
    });
}

#[test]
fn thoughts_without_a_seal_do_not_reach_anthropic() {
    run(async {
        let fake = anthropic();
        let gateway = Gateway::with(&(claude(&fake, "") + NO_RETRY)).await;
        let mut body = asking("claude/m");
        let thought =
            |seal: &str| json!({"type": "thinking", "thinking": "Hm.", "signature": seal});
        let text = json!({"type": "text", "text": "a"});
        body["messages"] = json!([
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": [thought(""), text, thought("seal")]},
            {"role": "user", "content": "b"},
        ]);
        gateway.post("/v1/messages", &body).await.expect(200);
        let sent = fake.seen("/v1/messages")[0].json();
        assert_eq!(sent["messages"][1]["content"], json!([text, thought("seal")]));
    });
}

#[test]
fn a_prompt_that_a_provider_will_not_answer_is_no_fault_of_it() {
    run(async {
        let fake = Fake::new();
        fake.on("/models", reply::json(200, &json!({"models": []})));
        fake.on(
            ":generateContent",
            reply::json(200, &json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}})),
        );
        let address = fake.address;
        let second = OpenAi::saying("second");
        let tables = format!(
            "[providers.gemini]\nkind = \"gemini\"\nbase_url = \"http://{address}/v1beta\"\n"
        ) + &second.cloud("cloud")
            + NO_RETRY
            + &alias("both", &["gemini/m", "cloud/m"]);
        let gateway = Gateway::with(&tables).await;
        let (code, message) = gateway.chat("both", "hello").await.expect(400).error();
        assert_eq!(code, "content_filter");
        assert!(message.contains("PROHIBITED_CONTENT"), "{message}");
        assert_eq!(second.chats(), 0, "another provider is not asked to do what one refused");
    });
}

#[test]
fn what_a_target_of_another_dialect_is_not_told_is_in_the_log() {
    run(async {
        let small = Ollama::saying("small");
        let tables = small.local("local") + NO_RETRY + "[log]\nlevel = \"debug\"\n";
        let gateway = Gateway::with(&tables).await;
        let mut body = openai::request("local/tiny", "a secret question", false);
        body["safety_identifier"] = json!("a secret name");
        gateway.post(openai::CHAT, &body).await.expect(200);
        assert!(small.chats()[0].json().get("safety_identifier").is_none());
        let log = gateway.log();
        let line = log.lines().find(|line| line.contains("left out")).unwrap();
        assert!(line.contains("safety_identifier") && line.contains("local/tiny"), "{line}");
        assert!(!log.contains("secret"), "{log}");
    });
}
