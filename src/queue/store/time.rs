//! Times that outlive the process: the queue's own, and the latest that the day is known to have had.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use crate::queue::line::Age;
use crate::queue::store::sweep::AGE_STORED_EVERY;
use crate::queue::store::{Fault, Store, row};

impl Store {
    /// Keeps the queue's time, so that a start does not begin it anew.
    pub(super) fn store_age(&mut self) -> Result<(), Fault> {
        let now = self.now();
        self.db
            .prepare_cached("INSERT OR REPLACE INTO meta(name, value) VALUES('age', ?1)")?
            .execute(params![i64::try_from(now).unwrap_or(i64::MAX)])?;
        self.memory.age_stored = now;
        Ok(())
    }

    /// The time of day that was remembered last, in seconds since 1970.
    pub(in crate::queue) fn remembered(&self) -> Result<Option<u64>, Fault> {
        let value: Option<i64> = self
            .db
            .query_row("SELECT value FROM meta WHERE name = 'clock'", [], |row| row.get(0))
            .optional()?;
        Ok(value.and_then(|value| u64::try_from(value).ok()))
    }

    /// Remembers a time of day.
    pub(in crate::queue) fn remember(&mut self, unix_seconds: u64) -> Result<(), Fault> {
        let value = i64::try_from(unix_seconds).unwrap_or(i64::MAX);
        self.db.execute(
            "INSERT OR REPLACE INTO meta(name, value) VALUES('clock', ?1)",
            params![value],
        )?;
        Ok(())
    }
}

/// The latest time that is known. It is stored every hour, and the rows know what came after; a row
/// that is far ahead of it was altered, and must not carry all others over their deadlines.
pub(super) fn stored_age(db: &Connection) -> Result<Age, Fault> {
    let age = db.query_row(
        "WITH stored(age) AS (SELECT ifnull(max(value), 0) FROM meta WHERE name = 'age')
         SELECT max(age, ifnull((SELECT max(born) FROM job WHERE born <= age + ?1), 0),
                    ifnull((SELECT max(ended_age) FROM job WHERE ended_age <= age + ?1), 0))
         FROM stored",
        params![2 * AGE_STORED_EVERY.cast_signed()],
        |row| Ok(row::age(row, 0)),
    )?;
    Ok(age)
}

/// Milliseconds, as the queue's time is counted.
pub(super) fn millis(time: Duration) -> Age {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
