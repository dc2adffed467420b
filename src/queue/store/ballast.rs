//! A file that is there to be taken away: on a full disk even deleting needs room for the log.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::queue::store::open::beside;

/// Room for the log of what drains the queue.
const BYTES: usize = 512 * 1024;

/// The file.
#[derive(Debug)]
pub(super) struct Ballast {
    path: PathBuf,
    is_there: bool,
}

impl Ballast {
    pub(super) fn of(database: &Path) -> Self {
        let path = beside(database, "ballast");
        let is_there = fs::metadata(&path).is_ok_and(|file| file.len() == BYTES as u64);
        Self { path, is_there }
    }

    /// Whether there is room for what drains the queue: without it no new job is taken.
    pub(super) fn is_there(&self) -> bool {
        self.is_there
    }

    /// Makes the file, if the disk has room for it.
    pub(super) fn fill(&mut self) {
        if !self.is_there {
            self.is_there = self.write().is_ok();
            if !self.is_there {
                fs::remove_file(&self.path).ok();
            }
        }
    }

    fn write(&self) -> std::io::Result<()> {
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&self.path)?;
        let piece = [0; 16 * 1024];
        for _ in 0..BYTES / piece.len() {
            file.write_all(&piece)?;
        }
        file.sync_all()
    }

    /// Gives its room to the log. Returns whether there was any.
    pub(super) fn drop_it(&mut self) -> bool {
        let had = self.is_there;
        self.is_there = false;
        fs::remove_file(&self.path).is_ok() && had
    }
}
