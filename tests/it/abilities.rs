//! What a target cannot do is known before it is asked.

use serde_json::{Value, json};

use crate::support::{Fake, Gateway, NO_RETRY, Ollama, OpenAi, alias, ollama, openai, reply, run};

fn with_tools(model: &str) -> Value {
    let mut body = openai::request(model, "hello", false);
    body["tools"] =
        json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    body
}

fn with_image(model: &str, url: &str) -> Value {
    let mut body = openai::request(model, "", false);
    body["messages"][0]["content"] = json!([
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]);
    body
}

const PICTURE: &str = "data:image/png;base64,iVBORw0KGgo=";

/// An Ollama that says what its model can.
fn saying_what_it_can(capabilities: &[&str]) -> Ollama {
    let fake = Ollama::saying("small");
    let mut shown = ollama::show(8192);
    shown["capabilities"] = json!(capabilities);
    fake.on("/api/show", reply::json(200, &shown));
    fake
}

#[test]
fn what_an_ollama_says_of_its_model_is_believed() {
    run(async {
        let (small, big) = (saying_what_it_can(&["completion"]), OpenAi::saying("big"));
        let tables = small.local("local")
            + &big.cloud("cloud")
            + NO_RETRY
            + &alias("both", &["local/tiny", "cloud/gpt-test"])
            + &alias("small", &["local/tiny"]);
        let gateway = Gateway::with(&tables).await;
        for (body, word) in [(with_tools("both"), "tools"), (with_image("both", PICTURE), "images")]
        {
            // The first time the Ollama is asked what its model can, then it is known.
            for _ in 0..2 {
                let answer = gateway.post(openai::CHAT, &body).await.expect(200);
                assert_eq!(answer.content(), "big");
            }
            let mut alone = body;
            alone["model"] = json!("small");
            let (code, message) = gateway.post(openai::CHAT, &alone).await.expect(400).error();
            assert_eq!(code, "unsupported_by_target");
            assert!(message.contains(word) && message.contains("local/tiny"), "{message}");
        }
        assert_eq!(small.chats().len(), 0, "nothing was sent that could not be served");
        assert_eq!(gateway.chat("both", "hello").await.expect(200).content(), "small");
        // One that does not say is tried.
        let old = Ollama::saying("old");
        let mut shown = ollama::show(8192);
        shown.as_object_mut().unwrap().remove("capabilities");
        old.on("/api/show", reply::json(200, &shown));
        let tables = old.local("local") + &alias("small", &["local/tiny"]);
        let gateway = Gateway::with(&tables).await;
        gateway.post(openai::CHAT, &with_tools("small")).await.expect(200);
    });
}

#[test]
fn what_the_configuration_says_is_believed() {
    run(async {
        let (first, second) = (OpenAi::saying("first"), OpenAi::saying("second"));
        let table = |fake: &OpenAi, name, more| fake.table(name, "cloud", more);
        let tables = table(
            &first,
            "first",
            "lacks = [\"tools\", \"images\", \"json_schema\", \"embeddings\"]",
        ) + &table(&second, "second", "max_context = 1000")
            + NO_RETRY
            + &alias("both", &["first/m", "second/m"])
            + &alias("one", &["first/m"])
            + &alias("two", &["second/m"]);
        let gateway = Gateway::with(&tables).await;
        let mut schema = openai::request("both", "hello", false);
        schema["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "string"}}});
        second.answer(openai::CHAT, |_| reply::json(200, &openai::answer("\"a\"")));
        for body in [with_tools("both"), with_image("both", PICTURE), schema] {
            let answer = gateway.post(openai::CHAT, &body).await.expect(200);
            assert_eq!(answer.header("x-edgehold-target"), Some("second/m"), "{body}");
        }
        assert_eq!(first.chats(), 0);
        let texts = json!({"model": "one", "input": "a"});
        let (_, message) = gateway.post(openai::EMBEDDINGS, &texts).await.expect(400).error();
        assert!(message.contains("embeddings"), "{message}");
        // A prompt that its models cannot take goes to the next, or is refused with both numbers.
        let long = "word ".repeat(2000);
        assert_eq!(gateway.chat("both", &long).await.expect(200).content(), "first");
        let (code, message) = gateway.chat("two", &long).await.expect(400).error();
        assert_eq!(code, "context_length_exceeded");
        assert!(message.contains("1000"), "{message}");
    });
}

#[test]
fn each_kind_of_provider_is_asked_for_what_it_has() {
    run(async {
        let fake = Fake::new();
        fake.on("/models", reply::json(200, &json!({"data": [], "models": []})));
        let address = fake.address;
        let tables = format!(
            "[providers.claude]\nkind = \"anthropic\"\nbase_url = \"http://{address}\"\n\
             [providers.gemini]\nkind = \"gemini\"\nbase_url = \"http://{address}/v1beta\"\n"
        ) + NO_RETRY;
        let gateway = Gateway::with(&tables).await;
        let chat = |model: &str, field: &str, value: Value| {
            let mut body = openai::request(model, "hello", false);
            body[field] = value;
            (openai::CHAT, body)
        };
        let table = [
            ((openai::EMBEDDINGS, json!({"model": "claude/m", "input": "a"})), "embeddings"),
            ((openai::EMBEDDINGS, json!({"model": "gemini/m", "input": [1, 2]})), "token numbers"),
            ((openai::CHAT, with_image("gemini/m", "https://h/a.png")), "an image by its address"),
            (chat("claude/m", "n", json!(2)), "n, which"),
            (chat("gemini/m", "logprobs", json!(true)), "logprobs, which"),
            (("/api/generate", json!({"model": "claude/m", "prompt": "a", "raw": true})), "raw"),
            (
                ("/api/generate", json!({"model": "gemini/m", "prompt": "a", "suffix": "b"})),
                "suffix",
            ),
            (("/api/chat", json!({"model": "claude/m", "messages": []})), "without a question"),
            (
                (
                    "/v1/messages",
                    json!({"model": "gemini/m", "max_tokens": 1,
                    "messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "text"}}]}]}),
                ),
                "document",
            ),
            (
                (
                    "/v1/messages",
                    json!({"model": "gemini/m", "max_tokens": 1, "messages": [{"role": "user", "content": "a"}],
                    "tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
                ),
                "tools that the provider runs",
            ),
        ];
        for ((path, body), words) in table {
            let text = gateway.post(path, &body).await.expect(400).text();
            assert!(text.contains(words), "{path} {body}: {text}");
        }
        assert_eq!(fake.seen("").iter().filter(|seen| seen.method == "POST").count(), 0);
    });
}
