//! Room on the disk. SQLite writes what is new to its log first and later to its place, so that all of
//! it is there twice for a while; where the second does not fit, the log can never be emptied, and
//! not even a deletion gets in. So that much is kept free.

use std::fs;
use std::path::Path;

use crate::queue::store::{Fault, PAGE, Store};

/// What the database may grow in its log before that is brought to its place: less than the ballast,
/// which makes room for it when others have filled the disk.
const MOST_GROWTH: u64 = 256 * 1024;

/// Room for the log of what is done with jobs that are there already.
const SPARE: u64 = 128 * 1024;

/// Bytes that are copied at most to make the file small: meanwhile they are in memory.
const MOST_COPIED: u64 = 512 * 1024;

/// Free pages that are worth it: as many as the ballast takes.
const WORTH_SHRINKING: i64 = 128;

impl Store {
    /// Whether the disk has no room for so many bytes more, in the log and in their place.
    pub(super) fn is_disk_short(&self, bytes: u64) -> Result<bool, Fault> {
        let Some(free) = self.path().and_then(free_bytes) else { return Ok(false) };
        Ok(free < self.growth()? + 2 * bytes + SPARE)
    }

    /// Brings what is new to its place before there is too much of it.
    pub(in crate::queue) fn settle_growth(&self) -> Result<(), Fault> {
        if self.growth()? > MOST_GROWTH {
            return self.empty_log("PASSIVE").map(drop);
        }
        Ok(())
    }

    /// On a full disk: what the log took is given back, and the ballast is there again. Returns
    /// whether it had been missing. Outside of transactions.
    pub(in crate::queue) fn make_room(&mut self) -> Result<bool, Fault> {
        let was_there = self.ballast.is_there();
        if !was_there || self.is_disk_short(0)? {
            if !self.empty_log("TRUNCATE")? && self.ballast.drop_it() {
                self.empty_log("TRUNCATE")?;
            }
            self.shrink()?;
        }
        self.ballast.fill();
        Ok(!was_there && self.ballast.is_there())
    }

    /// Gives the ballast's room to what makes room. Returns whether there was any.
    pub(in crate::queue) fn drop_ballast(&mut self) -> Result<bool, Fault> {
        if !self.ballast.drop_it() {
            return Ok(false);
        }
        tracing::warn!("the disk is full: no new job is taken until there is room");
        self.empty_log("TRUNCATE")?;
        Ok(true)
    }

    /// What is in the log and not in its place yet, in bytes by which the file has to grow.
    pub(super) fn growth(&self) -> Result<u64, Fault> {
        let pages: i64 = self.db.pragma_query_value(None, "page_count", |row| row.get(0))?;
        let length = self.path().and_then(|path| fs::metadata(path).ok()).map(|file| file.len());
        let wanted = u64::try_from(pages).unwrap_or_default() * PAGE;
        Ok(wanted.saturating_sub(length.unwrap_or(wanted)))
    }

    /// Brings everything from the log to its place. Returns whether there was room for it.
    fn empty_log(&self, how: &str) -> Result<bool, Fault> {
        match self.db.pragma_update(None, "wal_checkpoint", how).map_err(Fault::from) {
            Err(Fault::Full) => Ok(false),
            done => done.map(|()| true),
        }
    }

    /// Makes the file small once little of it is in use: on a full disk its free pages would stand
    /// in the way of the ballast for ever.
    fn shrink(&mut self) -> Result<(), Fault> {
        let used = self.used_bytes()?;
        let free: i64 = self.db.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        let worth = free >= WORTH_SHRINKING && used <= MOST_COPIED;
        if !worth || self.memory.copied_in_vain == Some(used) {
            return Ok(());
        }
        match self.db.execute_batch("VACUUM").map_err(Fault::from) {
            // No more of that until there is less to copy: each time it writes.
            Err(Fault::Full) => {
                self.memory.copied_in_vain = Some(used);
                Ok(())
            }
            done => done.and_then(|()| self.empty_log("TRUNCATE").map(drop)),
        }
    }

    fn path(&self) -> Option<&Path> {
        self.db.path().map(Path::new)
    }
}

/// Bytes that the disk has free for a program that is not root; `None` where it does not say.
fn free_bytes(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}
