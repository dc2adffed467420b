//! Every part of a document reaches the model, and what does not is said.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::summaries::{SUMMARIES, TEXT};
use crate::support::reader::{document, facts, is_map, paragraphs, reader};
use crate::support::{Gateway, NO_RETRY, Ollama, Setup, alias, emulated, run_long};

const FACTS: u32 = 400;

/// Facts in the notes that the model's answers to pieces came to, as the calls after them show.
async fn noted(gateway: &Gateway, fake: &Ollama) -> (Value, BTreeSet<u32>) {
    let text = paragraphs(FACTS);
    let answer = gateway.ask("POST", SUMMARIES, &TEXT, text.as_bytes()).await.expect(200);
    let chats = fake.chats();
    let notes = chats.iter().filter(|seen| !is_map(seen));
    let found = notes.flat_map(|seen| facts(&document(seen))).collect();
    (answer.json(), found)
}

fn setup(fake: &Ollama) -> Setup {
    Setup::new(&(fake.local("local") + &alias("default", &["local/tiny"]) + NO_RETRY))
}

#[test]
fn every_fact_of_a_long_document_is_in_the_notes() {
    run_long(async {
        // Twice as many tokens as are expected of English.
        let fake = reader(2);
        let gateway = setup(&fake).start().await;
        let (summary, found) = noted(&gateway, &fake).await;
        let all: BTreeSet<u32> = (1..=FACTS).collect();
        assert_eq!(found, all);
        assert_eq!(facts(summary["summary"].as_str().unwrap()), all);
        assert_eq!(summary["method"], "map_reduce");
        let coverage = &summary["coverage"];
        // Line breaks at the end say nothing.
        let text = paragraphs(FACTS).trim_end().len() as u64;
        assert!(coverage["bytes"].as_u64().is_some_and(|it| (text..=text + 2).contains(&it)));
        assert_eq!(coverage["bytes_summarised"], coverage["bytes"]);
        assert_eq!(coverage["chunks_summarised"], coverage["chunks"]);
        assert_eq!(coverage["skipped"].as_array().unwrap().len(), 0);
    });
}

/// The control: without the look at what the model has read, facts go missing. Only a build for tests
/// can be made blind; a release sees all the same.
#[test]
fn without_the_check_facts_go_missing() {
    run_long(async {
        let fake = reader(2);
        let gateway = setup(&fake).env("EDGEHOLD_TEST_BLIND", "1").start().await;
        let (_, found) = noted(&gateway, &fake).await;
        let is_release = emulated() || std::env::var_os("EDGEHOLD_BIN").is_some();
        let all: BTreeSet<u32> = (1..=FACTS).collect();
        assert_eq!(found == all, is_release, "{} facts", found.len());
    });
}
