//! Power cuts and stops in the middle of a document: what was done stays done.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::summaries::{TEXT, maps, small};
use crate::support::reader::{document, facts, is_map, paragraphs, read, reader};
use crate::support::{Act, Gateway, Ollama, Setup, run_long, until_true};

/// A model that answers so many calls of the kind, and then no more before the limit is raised.
struct Limited {
    fake: Ollama,
    limit: Arc<AtomicUsize>,
}

impl Limited {
    /// `maps`: whether it is notes on pieces that it stops at, or what is made of them.
    fn new(limit: usize, stops_at_maps: bool) -> Self {
        let fake = reader(4);
        let limit = Arc::new(AtomicUsize::new(limit));
        let (most, seen_before) = (Arc::clone(&limit), AtomicUsize::new(0));
        fake.chat_answer(move |seen| {
            if is_map(seen) != stops_at_maps {
                return read(seen, 4);
            }
            let before = seen_before.fetch_add(1, Ordering::SeqCst);
            let stall = (before >= most.load(Ordering::SeqCst)).then_some(Act::Stall);
            stall.into_iter().chain(read(seen, 4)).collect()
        });
        Self { fake, limit }
    }

    fn raise(&self, by: usize) {
        self.limit.fetch_add(by, Ordering::SeqCst);
    }

    fn maps(&self) -> Vec<String> {
        maps(&self.fake.chats()).into_iter().map(document).collect()
    }

    /// Waits until it was asked for notes so many times.
    async fn until_maps(&self, count: usize) {
        until_true(&format!("{count} pieces were asked for"), || self.maps().len() >= count).await;
    }
}

async fn begin(fake: &Limited, server: &str, text: &str) -> (Gateway, String) {
    let gateway = Setup::new(&small(&fake.fake)).server(server).start().await;
    let id = gateway.later("", &TEXT, text.as_bytes()).await;
    (gateway, id)
}

/// The job's end, and that all of the document is in it.
async fn assert_whole(gateway: &Gateway, id: &str, text: &str) -> Value {
    gateway.until_ended(id, "succeeded").await;
    let summary = gateway.result(id).await.expect(200).json();
    let coverage = &summary["coverage"];
    assert_eq!(coverage["bytes"], coverage["bytes_summarised"], "{coverage}");
    assert_eq!(coverage["chunks"], coverage["chunks_summarised"], "{coverage}");
    assert_eq!(facts(summary["summary"].as_str().unwrap()), facts(text));
    gateway.until_documents(0).await;
    summary
}

#[test]
fn after_a_power_cut_a_job_goes_on_with_the_next_chunk() {
    run_long(async {
        for is_crash in [true, false] {
            let (fake, text) = (Limited::new(3, true), paragraphs(60));
            let (gateway, id) = begin(&fake, "grace = \"1s\"", &text).await;
            fake.until_maps(4).await;
            // The third is kept when the fourth is asked for.
            let gateway = if is_crash { gateway.killed().await } else { gateway.stopped().await };
            fake.raise(2);
            fake.until_maps(5).await;
            let job = gateway.job(&id).await;
            // A step forgives a crash.
            assert!(job["crashes"].as_u64() <= Some(u64::from(is_crash)), "{job}");
            fake.raise(1000);
            fake.fake.release();
            let summary = assert_whole(&gateway, &id, &text).await;
            let asked = fake.maps();
            // How much fits is known less well after a start.
            assert_eq!(asked[3][..99], asked[4][..99], "the one that was under way is done again");
            let chunks = summary["coverage"]["chunks"].as_u64().unwrap();
            assert_eq!(asked.len() as u64, chunks + 1);
            gateway.until_documents(0).await;
        }
    });
}

#[test]
fn many_power_cuts_cost_a_chunk_each_and_no_more() {
    const CUTS: usize = 6;
    run_long(async {
        let (fake, text) = (Limited::new(1, true), paragraphs(80));
        let (mut gateway, id) = begin(&fake, "", &text).await;
        let mut asked = 2;
        for _ in 0..CUTS {
            fake.until_maps(asked).await;
            gateway = gateway.killed().await;
            // The one that was cut off, and then one that stalls.
            fake.raise(2);
            asked += 2;
        }
        fake.until_maps(asked).await;
        fake.raise(1000);
        fake.fake.release();
        let summary = assert_whole(&gateway, &id, &text).await;
        let chunks = summary["coverage"]["chunks"].as_u64().unwrap();
        assert!(fake.maps().len() as u64 <= chunks + CUTS as u64);
    });
}

#[test]
fn a_power_cut_while_notes_are_put_together_asks_for_no_chunk_again() {
    run_long(async {
        let (fake, text) = (Limited::new(0, false), paragraphs(60));
        let (gateway, id) = begin(&fake, "", &text).await;
        until_true("notes are put together", || fake.fake.chats().iter().any(|seen| !is_map(seen)))
            .await;
        let before = fake.maps().len();
        let gateway = gateway.killed().await;
        fake.raise(1000);
        fake.fake.release();
        let summary = assert_whole(&gateway, &id, &text).await;
        assert_eq!(fake.maps().len(), before);
        assert_eq!(summary["coverage"]["chunks"].as_u64(), Some(before as u64));
    });
}

#[test]
fn a_document_that_the_disk_altered_is_never_summarised() {
    run_long(async {
        for is_longer in [false, true] {
            let mut fake = reader(4);
            let gateway = Gateway::with(&small(&fake)).await;
            fake.down().await;
            let id = gateway.later("", &TEXT, b"The pump was mended (FACT-7).").await;
            let setup = gateway
                .stopped_with(|folder| {
                    let folder = folder.join("state/documents");
                    let file = fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
                    let altered = if is_longer {
                        "The pump was mended (FACT-77)."
                    } else {
                        "The pump was mended (FACT-8)."
                    };
                    fs::write(file, altered).unwrap();
                })
                .await;
            let gateway = setup.start().await;
            fake.up();
            let job = crate::support::until("it ends", async || {
                let job = gateway.job(&id).await;
                let is_over = job["state"] != "queued" && job["state"] != "running";
                is_over.then_some(job)
            })
            .await;
            assert!(job["state"] == "failed" || job["state"] == "corrupt", "{job}");
            let result = gateway.result(&id).await.expect(500).json();
            assert!(result["detail"].as_str().unwrap().contains("altered"), "{result} {job}");
            assert_eq!(fake.chats().len(), 0);
        }
    });
}
