//! What is done from time to time: jobs expire, results go, room is given back.

use crate::queue::job::State;
use crate::queue::store::{Fault, Store};

/// Acknowledged jobs that are deleted in one transaction.
const BATCH: usize = 20;

/// Deadlines that are looked at in one transaction.
const MOST_ENDED: usize = 200;

/// How often the queue's time is stored when nothing else stores it, in milliseconds.
const AGE_STORED_EVERY: u64 = 3_600_000;

/// Pages that stay free for what comes next.
const FREE_PAGES: i64 = 512;

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
        for seq in std::mem::take(&mut self.memory.acknowledged) {
            self.delete(seq)?;
        }
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
        self.give_back()
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

    /// Gives pages back to the disk when most are free.
    fn give_back(&self) -> Result<(), Fault> {
        let free: i64 = self.db.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        let pages: i64 = self.db.pragma_query_value(None, "page_count", |row| row.get(0))?;
        if free > FREE_PAGES && free > pages / 2 {
            let mut statement = self.db.prepare("PRAGMA incremental_vacuum(256)")?;
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
        }
        Ok(())
    }

    /// The ballast again, once there is room for it. Outside of transactions: it is a file.
    pub(in crate::queue) fn refill_ballast(&mut self) {
        self.ballast.fill();
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
