//! Texts to vectors.

use serde_json::json;

use crate::support::{Act, Gateway, NO_RETRY, Ollama, OpenAi, alias, ollama, openai, reply, run};

#[test]
fn an_ollamas_vectors_come_in_openais_form() {
    run(async {
        let fake = Ollama::saying("");
        let gateway =
            Gateway::with(&(fake.local("local") + &alias("vectors", &["local/tiny"]))).await;
        let body = json!({"model": "vectors", "input": ["one", "two"]});
        let answer = gateway.post(openai::EMBEDDINGS, &body).await.expect(200);
        let json = answer.json();
        assert_eq!((&json["object"], &json["model"]), (&json!("list"), &json!("vectors")));
        for index in 0..2 {
            let entry = &json["data"][index];
            assert_eq!((&entry["object"], &entry["index"]), (&json!("embedding"), &json!(index)));
            assert_eq!(entry["embedding"], json!([0.25, -0.5, 1.0]));
        }
        assert_eq!(json["usage"], json!({"prompt_tokens": 7, "total_tokens": 7}));
        assert_eq!(answer.header("x-edgehold-target"), Some("local/tiny"));
        let asked = fake.seen(ollama::EMBED).last().unwrap().json();
        assert_eq!((&asked["input"], &asked["truncate"]), (&json!(["one", "two"]), &json!(false)));
        assert_eq!(asked["keep_alive"], "10m");
    });
}

#[test]
fn base64_is_what_the_official_client_asks_for() {
    run(async {
        let fake = Ollama::saying("");
        let gateway =
            Gateway::with(&(fake.local("local") + &alias("vectors", &["local/tiny"]))).await;
        let body = json!({"model": "vectors", "input": "one", "encoding_format": "base64"});
        let json = gateway.post(openai::EMBEDDINGS, &body).await.expect(200).json();
        // 0.25, -0.5 and 1.0 as little-endian f32.
        assert_eq!(json["data"][0]["embedding"], "AACAPgAAAL8AAIA/");
    });
}

#[test]
fn the_same_dialect_goes_through_and_a_page_does_not() {
    run(async {
        let (first, second) = (OpenAi::new(), OpenAi::new());
        first.on(openai::EMBEDDINGS, reply::page());
        let said = json!({"object": "list", "extra": 1, "data": [{"object": "embedding", "index": 0, "embedding": [1]}], "model": "e", "usage": {"prompt_tokens": 1, "total_tokens": 1}});
        second.on(openai::EMBEDDINGS, reply::json(200, &said));
        let tables =
            first.cloud("a") + &second.cloud("b") + &alias("vectors", &["a/e", "b/e"]) + NO_RETRY;
        let gateway = Gateway::with(&tables).await;
        let body = json!({"model": "vectors", "input": [[1, 2, 3]], "user": "me"});
        let answer = gateway.post(openai::EMBEDDINGS, &body).await.expect(200);
        assert_eq!(answer.text(), said.to_string());
        assert_eq!(answer.header("x-edgehold-attempts"), Some("2"));
        let asked = second.seen(openai::EMBEDDINGS)[0].json();
        assert_eq!(asked, json!({"model": "e", "input": [[1, 2, 3]], "user": "me"}));
    });
}

#[test]
fn faults_fall_back_and_the_last_one_is_told() {
    run(async {
        let (first, second) = (OpenAi::new(), OpenAi::new());
        let tables =
            first.cloud("a") + &second.cloud("b") + &alias("vectors", &["a/e", "b/e"]) + NO_RETRY;
        let gateway = Gateway::with(&tables).await;
        let broken = json!({"error": {"message": "broken", "type": "server_error", "param": null, "code": null}});
        first.on(openai::EMBEDDINGS, vec![Act::Reset]);
        second.on(openai::EMBEDDINGS, reply::json(500, &broken));
        let body = json!({"model": "vectors", "input": "x"});
        let refused = gateway.post(openai::EMBEDDINGS, &body).await.expect(502);
        assert!(refused.error().1.contains("b/e"));
        assert_eq!(refused.header("x-should-retry"), Some("false"));
        assert_eq!((first.count(openai::EMBEDDINGS), second.count(openai::EMBEDDINGS)), (1, 1));
    });
}
