//! Prompts and keys of jobs: a prompt is in the queue's own files and nowhere else, a key not even
//! there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::jobs::hold;
use crate::support::{
    Gateway, JOBS, NO_RETRY, OpenAi, Setup, alias, at, chat_job, chat_job_with, openai, reply, run,
};

const KEY: &str = "sk-canary-of-jobs-3f9a77d0";
const PROMPT: &str = "canary prompt about uncle Archibald 1909";
const ANSWER: &str = "canary answer about uncle Archibald";

fn files(folder: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.is_file()).collect()
}

fn state(gateway: &Gateway) -> PathBuf {
    gateway.folder().join("state")
}

/// What can be found in the queue's files.
fn stored(gateway: &Gateway, canary: &str) -> bool {
    let holds = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap_or_default();
        bytes.windows(canary.len()).any(|window| window == canary.as_bytes())
    };
    files(&state(gateway)).iter().any(holds)
}

/// The line that a canary is in.
fn around<'a>(text: &'a str, canary: &str) -> &'a str {
    text.lines().find(|line| line.contains(canary)).unwrap_or_default()
}

/// Jobs in every state: done, failed, taken back, expired or running.
async fn world(fake: &OpenAi) -> Gateway {
    let setup = Setup::new("");
    let key = setup.folder().write("provider.key", KEY);
    let more = format!("api_key = {{ file = \"{}\" }}", key.display());
    let tables = fake.table("cloud", "local", &more)
        + &alias("big", &["cloud/x"])
        + NO_RETRY
        + "[log]\nlevel = \"trace\"\n[queue]\nconcurrency = 1\n";
    let gateway = setup.tables(&tables).start().await;
    fake.says(ANSWER);
    let leak = format!("no: {PROMPT}");
    let error = reply::json(400, &openai::error(&leak, "invalid_request_error", None));
    gateway.queue_chat("done", "big", PROMPT).await;
    gateway.until_ended("done", "succeeded").await;
    fake.once(openai::CHAT, error);
    gateway.queue_chat("failed", "big", PROMPT).await;
    gateway.until_ended("failed", "failed").await;
    hold(fake);
    gateway.queue_chat("runs", "big", PROMPT).await;
    gateway.queue_chat("cancelled", "big", PROMPT).await;
    gateway.until_state("runs", "running").await;
    gateway.delete(&at("cancelled")).await.expect(200);
    gateway
}

#[test]
fn a_prompt_is_nowhere_but_in_the_queue() {
    run(async {
        let fake = OpenAi::new();
        let gateway = world(&fake).await;
        // Bodies with something wrong are quoted by nobody.
        for bad in [json!(PROMPT), json!([PROMPT]), json!({"path": openai::CHAT, "body": PROMPT})] {
            let refused = gateway.put_job("bad", &bad).await.expect(400);
            assert!(!refused.text().contains(PROMPT), "{}", refused.text());
        }
        for field in ["priority", "ttl", "not_before", "refine"] {
            let bad = chat_job_with("big", "x", field, &json!(PROMPT));
            let refused = gateway.put_job("bad", &bad).await.expect(400);
            assert!(!refused.text().contains(PROMPT), "{field}: {}", refused.text());
        }
        gateway.put_job("done", &chat_job("big", "another")).await.expect(422);
        fake.release();
        gateway.until_ended("runs", "succeeded").await;
        let mut places = vec![("log", gateway.log())];
        for path in ["/status", "/metrics", "/"] {
            let headers = [("Accept", "text/html")];
            let text = gateway.ask("GET", path, &headers, b"").await.expect(200).text();
            places.push((path, text));
        }
        // The scanner sees what there is: the log is of every detail, and knows the jobs.
        assert!(places[0].1.contains("runs") && places[1].1.contains("queue"));
        for (place, text) in &places {
            for canary in [PROMPT, ANSWER, KEY] {
                assert!(!text.contains(canary), "{canary} in {place}: {}", around(text, canary));
            }
        }
        assert!(stored(&gateway, PROMPT) && stored(&gateway, ANSWER), "jobs are kept as they are");
        assert!(!stored(&gateway, KEY), "the provider's key is no part of a job");
        // In a list there is no more than in a job, and in neither what was asked.
        let list = gateway.get(JOBS).await.expect(200).text();
        assert!(list.contains("runs") && !list.contains(ANSWER) && !list.contains(KEY), "{list}");
    });
}

#[test]
fn the_queues_files_are_its_owners() {
    run(async {
        let fake = OpenAi::new();
        let gateway = world(&fake).await;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&state(&gateway)), 0o700);
        let all = files(&state(&gateway));
        assert!(all.iter().any(|path| path.ends_with("queue.db")), "{all:?}");
        for path in all {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
        fake.release();
    });
}
