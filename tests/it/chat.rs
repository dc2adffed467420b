//! The chat path when nothing is wrong: what the provider is asked, what the client is told.

use serde_json::{Value, json};

use crate::support::{
    Act, Gateway, NO_RETRY, Ollama, OpenAi, Setup, alias, ollama, openai, reply, run,
};

async fn local(fake: &Ollama) -> Gateway {
    let tables = fake.local("local") + &alias("small", &["local/tiny"]) + NO_RETRY;
    Gateway::with(&tables).await
}

async fn cloud(fake: &OpenAi) -> Gateway {
    let tables = fake.cloud("cloud") + &alias("big", &["cloud/gpt-test"]) + NO_RETRY;
    Gateway::with(&tables).await
}

#[test]
fn the_same_dialect_goes_through_word_for_word() {
    run(async {
        let fake = OpenAi::new();
        let mut said = openai::answer("hello");
        said["unheard_of"] = json!({"deep": [1, 2.50, "ü"]});
        fake.on(openai::CHAT, reply::json(200, &said));
        let gateway = cloud(&fake).await;
        // Spacing, order, number forms and fields that nobody knows.
        let body = r#"{ "zeta" : 1.0e2, "model" :  "big" , "messages":[{"role":"user","content":"h\u00e9","name":"x"}],"n": 1,"vendor":{"model":"big"} }"#;
        let headers = [("Content-Type", "application/json")];
        let answer = gateway.ask("POST", openai::CHAT, &headers, body.as_bytes()).await.expect(200);
        let seen = &fake.seen(openai::CHAT)[0];
        let wanted = body.replacen("\"big\"", "\"gpt-test\"", 1);
        assert_eq!(String::from_utf8_lossy(&seen.body), wanted);
        assert_eq!(answer.text(), said.to_string(), "the answer is the provider's own");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("x-edgehold-target"), Some("cloud/gpt-test"));
        assert_eq!(answer.header("x-edgehold-attempts"), Some("1"));
        assert_eq!(answer.header("x-edgehold-locality"), Some("cloud"));
        assert!(answer.header("x-request-id").is_some_and(|id| !id.is_empty()));
    });
}

#[test]
fn a_stream_of_the_same_dialect_goes_through_word_for_word() {
    run(async {
        let fake = OpenAi::new();
        let mut frames = openai::frames("one two three");
        frames.insert(1, ": a comment\n\n".to_owned());
        frames.insert(2, "data: {\"choices\":[],\"unheard_of\":true}\n\n".to_owned());
        fake.on(openai::CHAT, vec![Act::Send(reply::pieces(openai::EVENTS, &frames))]);
        let gateway = cloud(&fake).await;
        let answer = gateway.chat_stream("big", "count").await.expect(200);
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        assert_eq!(answer.header("x-accel-buffering"), Some("no"));
        assert_eq!(answer.header("content-length"), None);
        let data = |frames: &[String]| -> Vec<String> {
            frames
                .iter()
                .filter_map(|it| Some(it.strip_prefix("data: ")?.trim_end().to_owned()))
                .collect()
        };
        assert_eq!(answer.events(), data(&frames));
        answer.stream().assert_whole();
    });
}

#[test]
fn an_ollama_is_asked_in_its_own_words() {
    run(async {
        let fake = Ollama::saying("Paris it is");
        let gateway = local(&fake).await;
        let body = json!({
            "model": "small", "temperature": 0.25, "top_p": 0.5, "seed": 7, "stop": "END", "max_completion_tokens": 40,
            "messages": [
                {"role": "developer", "content": "be brief"},
                {"role": "user", "content": [{"type": "text", "text": "capital?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}}]}
            ]
        });
        let headers = [
            ("Origin", &*format!("http://{}", gateway.host())),
            ("Cookie", "a=b"),
            ("Authorization", "Bearer of-the-client"),
        ];
        let answer = gateway.post_with(openai::CHAT, &headers, &body).await.expect(200);
        let json = answer.json();
        assert_eq!(answer.content(), "Paris it is");
        assert_eq!(json["model"], "small");
        assert_eq!(json["object"], "chat.completion");
        assert_eq!(json["choices"][0]["finish_reason"], "stop");
        assert_eq!(
            json["usage"],
            json!({"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15})
        );
        assert_eq!(answer.header("x-edgehold-locality"), Some("local"));
        let seen = &fake.chats()[0];
        let asked = seen.json();
        assert_eq!(asked["model"], "tiny");
        assert_eq!(asked["stream"], true);
        assert_eq!(asked["truncate"], false);
        assert_eq!(asked["keep_alive"], "10m");
        assert_eq!(asked["messages"][0], json!({"role": "system", "content": "be brief"}));
        assert_eq!(asked["messages"][1]["content"], "capital?");
        assert_eq!(asked["messages"][1]["images"], json!(["aGVsbG8="]));
        let options = &asked["options"];
        for (name, value) in [
            ("temperature", json!(0.25)),
            ("top_p", json!(0.5)),
            ("seed", json!(7)),
            ("num_predict", json!(40)),
            ("stop", json!(["END"])),
        ] {
            assert_eq!(options[name], value, "{name}: {asked}");
        }
        assert!(options["num_ctx"].as_u64().is_some_and(|it| it > 0), "{asked}");
        assert!(asked.get("think").is_none(), "{asked}");
        assert_eq!(seen.header("host"), Some(fake.address.to_string().as_str()));
        for name in ["origin", "cookie", "authorization"] {
            assert_eq!(seen.header(name), None, "{name} is the client's own business");
        }
    });
}

#[test]
fn what_the_client_leaves_open_stays_open() {
    run(async {
        let fake = Ollama::saying("fine");
        let gateway = local(&fake).await;
        gateway.chat("small", "hello").await.expect(200);
        let asked = fake.chats()[0].json();
        let options = asked["options"].as_object().unwrap();
        let named: Vec<&String> = options.keys().collect();
        assert_eq!(named, ["num_ctx"], "{asked}");
    });
}

#[test]
fn an_ollama_stream_is_told_as_openai_does() {
    run(async {
        let fake = Ollama::saying("one two three");
        let gateway = local(&fake).await;
        let answer = gateway.chat_stream("small", "count").await.expect(200);
        let stream = answer.stream();
        stream.assert_whole();
        assert_eq!(stream.text, "one two three");
        assert_eq!(stream.finish.as_deref(), Some("stop"));
        assert_eq!(stream.usage, None, "nobody asked for usage");
        let first = &stream.chunks[0];
        assert_eq!(first["choices"][0]["delta"]["role"], "assistant");
        for chunk in &stream.chunks {
            assert_eq!((&chunk["id"], &chunk["created"]), (&first["id"], &first["created"]));
            assert_eq!(chunk["object"], "chat.completion.chunk");
            assert_eq!(chunk["model"], "small");
            assert!(chunk["choices"].as_array().is_some_and(|it| it.len() == 1), "{chunk}");
        }
    });
}

#[test]
fn a_usage_chunk_comes_when_it_is_asked_for() {
    run(async {
        let fake = Ollama::saying("one two");
        let gateway = local(&fake).await;
        let mut body = openai::request("small", "count", true);
        body["stream_options"] = json!({"include_usage": true});
        let stream = gateway.post(openai::CHAT, &body).await.expect(200).stream();
        stream.assert_whole();
        let last = stream.chunks.last().unwrap();
        assert_eq!(last["choices"], json!([]));
        let usage = json!({"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15});
        assert_eq!(last["usage"], usage);
        let others = &stream.chunks[..stream.chunks.len() - 1];
        assert!(others.iter().all(|it| it.get("usage") == Some(&Value::Null)), "{others:?}");
    });
}

#[test]
fn requests_at_fault_are_named_and_reach_nobody() {
    run(async {
        let fake = Ollama::saying("never");
        let gateway = local(&fake).await;
        let table = [
            (json!({"model": "small"}), "messages"),
            (json!({"model": "small", "messages": []}), "messages"),
            (json!({"messages": [{"role": "user", "content": "x"}]}), "model"),
            (json!({"model": 3, "messages": [{"role": "user", "content": "x"}]}), "model"),
            (
                json!({"model": "small", "messages": [{"role": "user", "content": 5}]}),
                "messages[0].content",
            ),
            (
                json!({"model": "small", "messages": [{"role": "wizard", "content": "x"}]}),
                "messages[0].role",
            ),
            (
                json!({"model": "small", "messages": [{"role": "user", "content": "x"}], "temperature": "hot"}),
                "temperature",
            ),
            (json!([1, 2]), ""),
        ];
        for (body, field) in table {
            let refused = gateway.post(openai::CHAT, &body).await.expect(400);
            let (_, message) = refused.error();
            let param = refused.json()["error"]["param"].as_str().unwrap_or_default().to_owned();
            assert!(message.contains(field) || param == field, "{body}: {message} ({param})");
        }
        for body in [
            "",
            "{",
            "{\"model\":\"small\",\"model\":\"big\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
            "nonsense",
        ] {
            let headers = [("Content-Type", "application/json")];
            gateway.ask("POST", openai::CHAT, &headers, body.as_bytes()).await.expect(400).error();
        }
        assert_eq!(fake.count(ollama::CHAT), 0);
    });
}

#[test]
fn extra_headers_and_query_of_the_configuration_are_sent() {
    run(async {
        let fake = OpenAi::saying("hello");
        let table = fake.table(
            "cloud",
            "cloud",
            "headers = { X-Team = \"edge\" }\nquery = { api-version = \"2026-01\" }",
        );
        let gateway = Setup::new(&(table + &alias("big", &["cloud/gpt-test"]))).start().await;
        gateway.chat("big", "x").await.expect(200);
        let seen = fake.seen("?api-version=2026-01");
        let seen = seen.iter().find(|seen| seen.method == "POST").expect("the query was sent");
        assert_eq!(seen.header("x-team"), Some("edge"));
        assert_eq!(seen.header("accept-encoding"), Some("identity"));
    });
}
