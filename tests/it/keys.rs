//! Keys and prompts: they reach their provider and nothing else.

use std::fs;

use serde_json::json;

use crate::support::{
    Act, Fake, Gateway, NO_RETRY, OpenAi, Setup, alias, openai, reply, run, run_long,
};

const KEY: &str = "sk-canary-6b1f0c77d0a94e52b1";
const HEADER: &str = "canary-header-93b7e2";
const PROMPT: &str = "canary prompt about aunt Wilhelmina 4711";
const TOKEN: &str = "canary-token-of-a-client-55aa";
const SECRETS: [&str; 3] = [KEY, HEADER, TOKEN];

/// Where a canary turned up.
fn found(canaries: &[&str], places: &[(&str, String)]) -> Vec<String> {
    let mut hits = Vec::new();
    for (place, text) in places {
        for canary in canaries {
            if text.contains(canary) {
                hits.push(format!("{canary} in {place}"));
            }
        }
    }
    hits
}

#[test]
fn the_scanner_finds_a_planted_canary() {
    let places =
        [("log", format!("Authorization: Bearer {KEY}\n")), ("page", "nothing".to_owned())];
    assert_eq!(found(&SECRETS, &places), [format!("{KEY} in log")]);
}

fn faults(elsewhere: &Fake) -> Vec<Vec<Act>> {
    let leak = openai::error(
        &format!("Incorrect API key provided: {KEY}"),
        "invalid_request_error",
        Some("invalid_api_key"),
    );
    vec![
        openai::stream("fine"),
        reply::json(401, &leak),
        reply::json(403, &leak),
        reply::json(500, &openai::error("broken", "server_error", None)),
        reply::json(429, &openai::error("slow down", "requests", None)),
        reply::json(400, &openai::error("bad temperature", "invalid_request_error", None)),
        reply::page(),
        reply::redirect(&format!("http://{}/v1/chat/completions", elsewhere.address)),
        vec![Act::Reset],
        vec![Act::Close],
        vec![Act::Stall],
        vec![openai::begun("half"), Act::Reset],
        vec![openai::begun("half"), Act::Stall],
        vec![Act::Send(b"nonsense\r\n\r\n".to_vec()), Act::Close],
        reply::json(200, &json!({"hello": 1})),
    ]
}

#[test]
fn a_canary_key_and_prompt_are_nowhere_after_every_fault() {
    run_long(async {
        let (cloud, elsewhere) = (OpenAi::new(), Fake::new());
        let setup = Setup::new("");
        let key = setup.folder().write("provider.key", &format!("{KEY}\n"));
        let token = setup.folder().write("client.key", &format!("{TOKEN}\n"));
        let header = setup.folder().write("header.key", HEADER);
        let more = format!(
            "api_key = {{ file = \"{}\" }}\nheaders = {{ X-Extra = {{ file = \"{}\" }} }}",
            key.display(),
            header.display()
        );
        let tables = cloud.table("cloud", "cloud", &more)
            + &alias("big", &["cloud/gpt-test"])
            + "[routing]\nretries = 0\nbreaker_failures = 1000\n[deadlines]\nfirst_token = \"300ms\"\nidle = \"300ms\"\n[log]\nlevel = \"trace\"\n"
            + &format!(
                "[[clients]]\nname = \"me\"\ntoken = {{ file = \"{}\" }}\n",
                token.display()
            );
        let gateway = setup.tables(&tables).start().await;
        let bearer = format!("Bearer {TOKEN}");
        let auth = [("Authorization", bearer.as_str())];
        let mut places = Vec::new();
        for (index, acts) in faults(&elsewhere).into_iter().enumerate() {
            cloud.on(openai::CHAT, acts);
            for stream in [false, true] {
                // A target of its own for each: none is skipped because another failed.
                let model = format!("cloud/m{index}{stream}");
                let body = openai::request(&model, PROMPT, stream);
                let answer = gateway.post_with(openai::CHAT, &auth, &body).await;
                places.push(("an answer", format!("{:?} {}", answer.head, answer.text())));
            }
        }
        for path in ["/status", "/metrics", "/", "/v1/models", "/v1/models/big", "/nowhere"] {
            let answer = gateway.ask("GET", path, &auth, b"").await;
            places.push(("a page", format!("{:?} {}", answer.head, answer.text())));
        }
        let log = gateway.log();
        assert!(log.len() > 1000, "the log is at trace: {log}");
        places.push(("the log", log));
        for name in ["cmdline", "environ"] {
            let bytes = fs::read(format!("/proc/{}/{name}", gateway.pid())).unwrap();
            places.push(("/proc", String::from_utf8_lossy(&bytes).into_owned()));
        }
        let hits = found(&SECRETS, &places);
        assert_eq!(hits, [""; 0]);
        assert_eq!(found(&[PROMPT, "Wilhelmina"], &places), [""; 0]);
        // The canaries did fly: the provider got them, and nobody else did.
        let seen = &cloud.seen(openai::CHAT)[0];
        assert_eq!(seen.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
        assert_eq!(seen.header("x-extra"), Some(HEADER));
        assert!(String::from_utf8_lossy(&seen.body).contains(PROMPT));
        assert!(!seen.head.contains(TOKEN), "the client's token is not the provider's business");
        assert_eq!(elsewhere.bytes(), 0);
    });
}

#[test]
fn a_key_is_read_again_when_its_file_changes() {
    run(async {
        let cloud = OpenAi::saying("fine");
        let setup = Setup::new("");
        let key = setup.folder().write("provider.key", "sk-the-first-key\n");
        let table =
            cloud.table("cloud", "cloud", &format!("api_key = {{ file = \"{}\" }}", key.display()));
        let gateway =
            setup.tables(&(table + &alias("big", &["cloud/gpt-test"]) + NO_RETRY)).start().await;
        gateway.chat("big", "x").await.expect(200);
        // Another length, so that a file system with coarse times shows it too.
        fs::write(&key, "sk-the-second-key-is-longer\n").unwrap();
        gateway.chat("big", "x").await.expect(200);
        let other = gateway.folder().join("next.key");
        fs::write(&other, "sk-third\n").unwrap();
        fs::rename(&other, &key).unwrap();
        gateway.chat("big", "x").await.expect(200);
        let shown: Vec<String> = cloud
            .seen(openai::CHAT)
            .iter()
            .map(|seen| seen.header("authorization").unwrap().to_owned())
            .collect();
        assert_eq!(
            shown,
            ["Bearer sk-the-first-key", "Bearer sk-the-second-key-is-longer", "Bearer sk-third"]
        );
        fs::remove_file(&key).unwrap();
        let refused = gateway.chat("big", "x").await;
        assert!(refused.status() >= 500, "{}", refused.text());
        assert_eq!(cloud.chats(), 3, "nothing goes out without its key");
    });
}

#[test]
fn keys_come_from_the_environment_and_from_credentials_too() {
    run(async {
        let (one, two) = (OpenAi::saying("one"), OpenAi::saying("two"));
        let setup = Setup::new("");
        setup.folder().write("openai", "sk-from-a-credential\n");
        let tables = one.table("one", "cloud", "api_key = { env = \"MY_KEY\" }")
            + &two.table("two", "cloud", "api_key = { credential = \"openai\" }");
        let folder = setup.folder().0.display().to_string();
        let gateway = setup
            .tables(&tables)
            .env("MY_KEY", "sk-from-the-environment")
            .env("CREDENTIALS_DIRECTORY", &folder)
            .start()
            .await;
        gateway.chat("one/x", "x").await.expect(200);
        gateway.chat("two/x", "x").await.expect(200);
        let key =
            |fake: &OpenAi| fake.seen(openai::CHAT)[0].header("authorization").unwrap().to_owned();
        assert_eq!(key(&one), "Bearer sk-from-the-environment");
        assert_eq!(key(&two), "Bearer sk-from-a-credential");
    });
}

#[test]
fn a_key_goes_to_its_own_provider_only() {
    run(async {
        let (one, two) = (OpenAi::new(), OpenAi::saying("two"));
        one.on(openai::CHAT, reply::json(401, &openai::error("no", "x", None)));
        let tables = one.table("one", "cloud", "api_key = { env = \"MY_KEY\" }")
            + &two.cloud("two")
            + &alias("big", &["one/x", "two/x"])
            + NO_RETRY;
        let gateway: Gateway = Setup::new(&tables).env("MY_KEY", KEY).start().await;
        assert_eq!(gateway.chat("big", "x").await.expect(200).content(), "two");
        assert!(one.seen(openai::CHAT)[0].head.contains(KEY));
        let heads: String = two.seen("").iter().map(|seen| seen.head.clone()).collect();
        assert!(!heads.contains(KEY) && !heads.to_lowercase().contains("authorization"), "{heads}");
    });
}
