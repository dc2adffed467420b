//! `[summaries]`: where documents are kept, and what reading one may take.

use std::path::{Path, PathBuf};

use crate::config::Summaries;
use crate::config::check::{Checker, MIB};
use crate::config::file::SummariesTable;

/// The least memory in which a document of any kind can be read.
const LEAST_MEMORY: u64 = 2 * MIB;

/// What of the cap is left to everything else while a document is read: twice what the program itself
/// takes, since the process that reads is another one of it.
const LEFT: u64 = 12 * MIB;

impl Checker<'_> {
    pub(super) fn summaries(
        &mut self,
        table: SummariesTable,
        cap: u64,
        queue: Option<&Path>,
    ) -> Summaries {
        let memory = self.size("summaries.memory", table.memory, default_memory(cap));
        if memory < LEAST_MEMORY {
            self.complain("summaries.memory", "allowed: 2MiB and up");
        }
        if memory > cap.saturating_sub(LEFT).max(LEAST_MEMORY) {
            self.complain(
                "summaries.memory",
                "too large for memory.cap: it and 12MiB must fit into it",
            );
        }
        let runner = self.env.get("EDGEHOLD_RUNNER").unwrap_or_default();
        Summaries {
            path: self.documents(table.path, queue),
            quota: self.size("summaries.quota", table.quota, 256 * MIB),
            memory,
            time: self.limit("summaries.time", table.time, 120_000),
            runner: runner.split_whitespace().map(str::to_owned).collect(),
            is_blind: cfg!(debug_assertions) && self.env.get("EDGEHOLD_TEST_BLIND").is_some(),
        }
    }

    /// Beside the queue's database, where nothing is said.
    fn documents(&mut self, text: Option<String>, queue: Option<&Path>) -> Option<PathBuf> {
        let Some(text) = text else { return Some(queue?.parent()?.join("documents")) };
        let path = PathBuf::from(text);
        if !path.is_absolute() {
            self.complain(
                "summaries.path",
                "allowed: a folder such as \"/var/lib/edgehold/documents\"",
            );
        }
        Some(path)
    }
}

/// A third of the cap, but not so much that nothing is left.
fn default_memory(cap: u64) -> u64 {
    let third = cap / 3 / 1024 * 1024;
    third.min(cap.saturating_sub(LEFT)).clamp(LEAST_MEMORY, 32 * MIB)
}
