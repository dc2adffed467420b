//! How many pieces of a document a target is given at once: as many as it takes.

use serde_json::Value;

use crate::summaries::{SMALL, maps};
use crate::support::reader::{facts, is_map, paragraphs, read, reader};
use crate::support::{Act, Gateway, NO_RETRY, Ollama, alias, ollama, run_long, until_true};

const PIECES_HELD: usize = 4;

async fn world(fake: &Ollama, at_once: usize) -> Gateway {
    let more = format!("{SMALL}\nmax_concurrent = {at_once}");
    let tables = fake.table("local", &more) + &alias("default", &["local/tiny"]) + NO_RETRY;
    Gateway::with(&tables).await
}

async fn summary(gateway: &Gateway) -> Value {
    gateway.summarise("?model=default", &paragraphs(80)).await.expect(200).json()
}

#[test]
fn as_many_pieces_as_the_target_takes_and_the_same_summary() {
    run_long(async {
        let (one, four) = (reader(4), reader(4));
        // None of the first four ends before all of them have come.
        four.chat_answer(|seen| {
            let stall = is_map(seen).then_some(Act::Stall);
            stall.into_iter().chain(read(seen, 4)).collect()
        });
        let gateway = world(&four, PIECES_HELD).await;
        let release = async {
            until_true("four are asked for", || maps(&four.chats()).len() == PIECES_HELD).await;
            four.release();
        };
        let (at_once, ()) = tokio::join!(summary(&gateway), release);
        assert_eq!(four.peak(ollama::CHAT), PIECES_HELD);
        let gateway = world(&one, 1).await;
        let in_turn = summary(&gateway).await;
        assert_eq!(one.peak(ollama::CHAT), 1);
        for field in ["summary", "coverage", "method", "usage"] {
            assert_eq!(at_once[field], in_turn[field], "{field}");
        }
        assert_eq!(facts(at_once["summary"].as_str().unwrap()), facts(&paragraphs(80)));
    });
}
