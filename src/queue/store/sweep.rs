//! What is done from time to time: jobs expire, results go, room is given back.

use crate::queue::job::State;
use crate::queue::store::{Fault, Store};

/// Acknowledged jobs that are deleted in one transaction: each for itself would wear the flash.
const BATCH: usize = 20;

/// Deadlines that are looked at in one transaction.
const MOST_ENDED: usize = 200;

/// How often the queue's time is stored when nothing else stores it, in milliseconds.
pub(super) const AGE_STORED_EVERY: u64 = 3_600_000;

/// Bytes that are copied at most to make the file small: meanwhile they are in memory.
const MOST_COPIED: u64 = 512 * 1024;

/// Free pages that are worth it: as many as the ballast takes.
const WORTH_SHRINKING: i64 = 128;

impl Store {
    /// Whether there is anything to do. `idle`: nothing was asked for a while, so that also little
    /// is worth a transaction.
    pub(in crate::queue) fn has_chores(&self, idle: bool) -> bool {
        let now = self.now();
        let pending = self.memory.acknowledged.len();
        let ended = self.memory.deadlines.first().is_some_and(|(at, _)| *at <= now);
        let unsaved = now.saturating_sub(self.memory.age_stored) >= AGE_STORED_EVERY;
        pending >= BATCH || (idle && pending > 0) || ended || !self.ballast.is_there() || unsaved
    }

    /// Does it, in a transaction of its caller's.
    pub(in crate::queue) fn sweep(&mut self) -> Result<(), Fault> {
        self.let_go()?;
        let now = self.now();
        let ended: Vec<i64> = self
            .memory
            .deadlines
            .iter()
            .take_while(|(at, _)| *at <= now)
            .map(|(_, seq)| *seq)
            .take(MOST_ENDED)
            .collect();
        for seq in ended {
            self.time_is_over(seq)?;
        }
        if now.saturating_sub(self.memory.age_stored) >= AGE_STORED_EVERY {
            self.store_age()?;
        }
        Ok(())
    }

    /// Acknowledges a job that has ended; with the last of a batch, all of it is deleted.
    pub(super) fn acknowledge(&mut self, seq: i64) -> Result<(), Fault> {
        self.memory.acknowledged.insert(seq);
        if self.memory.acknowledged.len() < BATCH {
            return Ok(());
        }
        self.let_go()
    }

    /// Deletes what was acknowledged, in a transaction of its caller's.
    pub(super) fn let_go(&mut self) -> Result<(), Fault> {
        let gone = std::mem::take(&mut self.memory.acknowledged);
        gone.into_iter().try_for_each(|seq| self.delete(seq))
    }

    fn time_is_over(&mut self, seq: i64) -> Result<(), Fault> {
        let Some(row) = self.row_at(seq)? else {
            self.memory.deadlines.retain(|(_, other)| *other != seq);
            return Ok(());
        };
        let at = (row.deadline(self.limits.result_ttl_ms()), seq);
        match row.state {
            State::Queued => {
                self.line().remove(&row.lane, row.waiting());
                self.expire(&row)
            }
            // It may end: its time is looked at again when it would wait once more.
            State::Running => {
                self.memory.deadlines.retain(|(_, other)| *other != seq);
                Ok(())
            }
            _ => {
                self.memory.deadlines.remove(&at);
                self.memory.deadlines.retain(|(_, other)| *other != seq);
                self.memory.counts.remove(row.state);
                self.changed.push(row.key);
                self.delete(seq)
            }
        }
    }

    /// The ballast again, once there is room for it.
    pub(in crate::queue) fn refill_ballast(&mut self) -> Result<(), Fault> {
        // What asks for this may share a transaction with others.
        if !self.ballast.is_there() && self.db.is_autocommit() {
            self.empty_log()?;
            self.shrink()?;
        }
        self.ballast.fill();
        Ok(())
    }

    /// The log keeps the room that it was given, and on a full disk that was the ballast's.
    fn empty_log(&self) -> Result<(), Fault> {
        let done = self.db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        match done.map_err(Fault::from) {
            Err(Fault::Full) => Ok(()),
            done => done,
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
        match self.db.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)").map_err(Fault::from)
        {
            // No more of that until there is less to copy: each time it writes.
            Err(Fault::Full) => {
                self.memory.copied_in_vain = Some(used);
                Ok(())
            }
            done => done,
        }
    }

    /// Gives the ballast's room to the log. Returns whether there was any.
    pub(in crate::queue) fn drop_ballast(&mut self) -> bool {
        let dropped = self.ballast.drop_it();
        if dropped {
            tracing::warn!("the disk is full: no new job is taken until there is room");
        }
        dropped
    }
}
