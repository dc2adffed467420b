//! Summaries of documents.

mod at_once;
mod cli;
mod coverage;
mod events;
mod fallback;
mod formats;
mod injection;
mod jobs;
mod metrics;
mod refusals;
mod requests;
mod resume;
mod single;
mod spool;

use std::fs;

use crate::support::reader::is_map;
use crate::support::{
    Answer, Gateway, NO_RETRY, Ollama, OpenAi, Seen, alias, at, openai, until_true,
};

/// The path.
pub const SUMMARIES: &str = "/v1/summaries";

/// A document as plain text.
pub const TEXT: [(&str, &str); 1] = [("Content-Type", "text/plain; charset=utf-8")];

/// How a job is asked for.
pub const LATER: (&str, &str) = ("Prefer", "respond-async");

/// A window in which some 2 KB of a document have room, so that small documents have many pieces.
pub const SMALL: &str = "max_context = 1024";

/// The model `tiny` with a small window, and `default` for it.
pub fn small(fake: &Ollama) -> String {
    fake.table("local", SMALL) + &alias("default", &["local/tiny"]) + NO_RETRY
}

impl Gateway {
    /// Hands a text in with a query (`?...`, or nothing).
    pub async fn summarise(&self, query: &str, text: &str) -> Answer {
        self.summarise_with(query, &[], text).await
    }

    pub async fn summarise_with(
        &self,
        query: &str,
        headers: &[(&str, &str)],
        text: &str,
    ) -> Answer {
        let all = [&TEXT, headers].concat();
        self.ask("POST", &format!("{SUMMARIES}{query}"), &all, text.as_bytes()).await
    }

    /// Hands a document in as a job; its id.
    pub async fn later(&self, query: &str, headers: &[(&str, &str)], body: &[u8]) -> String {
        let all = [headers, &[LATER]].concat();
        let taken = self.ask("POST", &format!("{SUMMARIES}{query}"), &all, body).await.expect(202);
        let id = taken.json()["id"].as_str().unwrap().to_owned();
        assert_eq!(taken.header("location"), Some(at(&id).as_str()));
        assert_eq!(taken.header("preference-applied"), Some("respond-async"));
        id
    }

    /// Names of the files that lie where documents do.
    pub fn documents(&self) -> Vec<String> {
        let folder = self.folder().join("state/documents");
        let all = fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name());
        all.map(|name| name.into_string().unwrap()).collect()
    }

    /// Waits for so many files: one may outlive the answer that does away with it by a moment.
    pub async fn until_documents(&self, count: usize) {
        until_true("so many documents are left", || self.documents().len() == count).await;
    }
}

/// The pieces of documents that a provider was asked for notes on.
pub fn maps(seen: &[Seen]) -> Vec<&Seen> {
    seen.iter().filter(|seen| is_map(seen)).collect()
}

/// Calls of a provider in the cloud.
pub fn calls(cloud: &OpenAi) -> Vec<Seen> {
    cloud.seen(openai::CHAT)
}
