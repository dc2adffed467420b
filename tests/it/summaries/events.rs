//! A summary as server-sent events: how far it is, then what came of it. And clients that leave.

use serde_json::{Value, json};

use crate::summaries::{SMALL, SUMMARIES, TEXT, small};
use crate::support::http::request;
use crate::support::reader::{is_map, paragraphs, read, reader};
use crate::support::{
    Act, Blocks, Gateway, NO_RETRY, Ollama, OpenAi, alias, openai, reply, run, run_long, until_true,
};

const EVENTS: (&str, &str) = ("Accept", "text/event-stream");

/// Events that are read as they come.
struct Events(Blocks);

impl Events {
    async fn of(gateway: &Gateway, query: &str, text: &str) -> Self {
        let mut conn = gateway.conn().await;
        let path = format!("{SUMMARIES}{query}");
        let headers = [TEXT[0], EVENTS];
        let bytes = request("POST", &path, &gateway.host(), &headers, text.as_bytes());
        conn.send(&bytes).await.unwrap();
        let (head, blocks) = Blocks::of_events(conn).await;
        assert_eq!(head.get("x-accel-buffering"), Some("no"));
        Self(blocks)
    }

    /// The next event; `None` when the stream has ended in good order.
    async fn next(&mut self) -> Option<(String, Value)> {
        let block = self.0.next_event().await?;
        let (name, data) = block.trim_end().split_once('\n').unwrap();
        let name = name.strip_prefix("event: ").unwrap().to_owned();
        let data = data.strip_prefix("data: ").unwrap();
        Some((name, serde_json::from_str(data).unwrap()))
    }

    async fn rest(mut self) -> Vec<(String, Value)> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event);
        }
        all
    }
}

#[test]
fn progress_comes_first_and_the_result_last() {
    run_long(async {
        let fake = reader(4);
        let gateway = Gateway::with(&small(&fake)).await;
        let mut all = Events::of(&gateway, "", &paragraphs(60)).await.rest().await;
        let (name, result) = all.pop().unwrap();
        assert_eq!((name.as_str(), &result["method"]), ("result", &json!("map_reduce")));
        assert!(all.iter().all(|(name, _)| name == "progress"), "{all:?}");
        let number = |name: &str| -> Vec<u64> {
            all.iter().map(|(_, it)| it[name].as_u64().unwrap()).collect()
        };
        for name in ["chunk", "tokens"] {
            assert!(number(name).is_sorted(), "{name}: {:?}", number(name));
        }
        let chunks = result["coverage"]["chunks"].as_u64().unwrap();
        assert!(chunks > 5);
        assert_eq!(number("chunk").last(), Some(&chunks));
        assert_eq!(number("chunks").last(), Some(&chunks));
        let stages: Vec<&str> = all.iter().map(|(_, it)| it["stage"].as_str().unwrap()).collect();
        assert!(stages.contains(&"map"), "{stages:?}");
        // What is said at once can be read at once: it is the same as without events.
        let whole = gateway.summarise("", &paragraphs(60)).await.expect(200).json();
        for field in ["summary", "coverage", "method", "target", "usage"] {
            assert_eq!(result[field], whole[field], "{field}");
        }
    });
}

#[test]
fn each_chunk_is_told_while_the_next_one_is_made() {
    run_long(async {
        let fake = reader(4);
        let gateway = Gateway::with(&small(&fake)).await;
        fake.chat_answer(|seen| {
            let is_third = is_map(seen) && seen.json().to_string().contains("FACT-20 ");
            let stall = is_third.then_some(Act::Stall);
            stall.into_iter().chain(read(seen, 4)).collect()
        });
        let mut events = Events::of(&gateway, "", &paragraphs(60)).await;
        loop {
            let (name, progress) = events.next().await.unwrap();
            assert_eq!(name, "progress");
            if progress["chunk"].as_u64() >= Some(2) {
                let chunks = progress["chunks"].as_u64().unwrap();
                assert!((5..30).contains(&chunks), "{progress}");
                break;
            }
        }
        fake.release();
        assert_eq!(events.rest().await.last().unwrap().0, "result");
    });
}

#[test]
fn an_error_is_the_last_event() {
    run(async {
        let fake = OpenAi::new();
        let error = openai::error("out of order", "server_error", None);
        fake.on(openai::CHAT, reply::json(500, &error));
        let tables = fake.cloud("cloud") + NO_RETRY;
        let gateway = Gateway::with(&tables).await;
        let mut all = Events::of(&gateway, "?model=cloud/x", "A text.").await.rest().await;
        let (name, problem) = all.pop().unwrap();
        assert_eq!((name.as_str(), &problem["status"]), ("error", &json!(502)));
        assert!(problem["detail"].as_str().unwrap().contains("out of order"), "{problem}");
        assert!(all.iter().all(|(name, _)| name == "progress"), "{all:?}");
        // What is wrong with the request itself is an answer, and no event.
        let headers = [EVENTS];
        let refused = gateway.summarise_with("?style=song", &headers, "x").await.expect(400);
        assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    });
}

/// A local model that takes four calls at once, and holds all of them.
fn four_at_once(fake: &Ollama) -> String {
    fake.chat_acts(vec![Act::Stall]);
    let more = format!("{SMALL}\nmax_concurrent = 4");
    fake.table("local", &more) + &alias("default", &["local/tiny"]) + NO_RETRY
}

#[test]
fn a_client_that_leaves_ends_all_its_calls() {
    run_long(async {
        let fake = reader(4);
        let gateway = Gateway::with(&four_at_once(&fake)).await;
        let idle = gateway.metric("edgehold_budget_reserved_bytes").await;
        let text = paragraphs(60);
        for (round, accept) in ["application/json", "text/event-stream"].into_iter().enumerate() {
            let headers = [TEXT[0], ("Accept", accept)];
            let bytes = request("POST", SUMMARIES, &gateway.host(), &headers, text.as_bytes());
            let mut conn = gateway.conn().await;
            conn.send(&bytes).await.unwrap();
            let asked = 4 * (round + 1);
            until_true("four pieces are asked for", || fake.chats().len() == asked).await;
            drop(conn);
            fake.until_gone(asked).await;
        }
        gateway.until_given_back(idle).await;
        gateway.until_documents(0).await;
        assert_eq!(fake.chats().len(), 8);
        assert_eq!(gateway.target("local/tiny").await["state"], "ready", "it is no fault");
    });
}
