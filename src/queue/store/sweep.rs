//! What is done from time to time: jobs expire, results go.

use crate::queue::job::State;
use crate::queue::store::{Fault, Kind, Store};

/// Acknowledged jobs that are deleted in one transaction: each for itself would wear the flash.
const BATCH: usize = 20;

/// Deadlines that are looked at in one transaction.
const MOST_ENDED: usize = 200;

/// How often the queue's time is stored when nothing else stores it, in milliseconds.
pub(super) const AGE_STORED_EVERY: u64 = 3_600_000;

impl Store {
    /// Whether there is anything to do. `idle`: nothing was asked for a while, so that also little
    /// is worth a transaction.
    pub(in crate::queue) fn has_chores(&self, idle: bool) -> bool {
        let now = self.now();
        let pending = self.memory.acknowledged.len();
        let ended = self.memory.deadlines.first().is_some_and(|(at, _)| *at <= now);
        let unsaved = now.saturating_sub(self.memory.age_stored) >= AGE_STORED_EVERY;
        let files = !self.released.is_empty();
        let to_delete = files || !self.memory.passed.is_empty();
        pending >= BATCH || (idle && pending > 0) || ended || unsaved || to_delete
    }

    /// How the transaction is kept in which it is done: files are unlinked once it is certain that
    /// nobody needs them.
    pub(in crate::queue) fn sweep_kind(&self) -> Kind {
        if self.released.is_empty() { Kind::Relaxed } else { Kind::Durable }
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
        self.delete_passed()?;
        // What writes nothing syncs nothing.
        let files = !self.released.is_empty();
        if files || now.saturating_sub(self.memory.age_stored) >= AGE_STORED_EVERY {
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
}
