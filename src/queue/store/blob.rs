//! Payloads and answers. Small ones stand in their job's own row, which saves a page in each commit;
//! others stand apart and are written and read in place, so that SQLite's own buffers stay small
//! whatever the size of a body.

use std::io::{Read, Write};

use rusqlite::blob::ZeroBlob;
use rusqlite::{MAIN_DB, OptionalExtension, params};

use crate::queue::job::Which;
use crate::queue::store::{Fault, Store};

/// What a blob is to its job. A job's blobs stand together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Payload,
    Result,
    Draft,
}

impl Part {
    fn at(self, seq: i64) -> i64 {
        let number = match self {
            Self::Payload => 0,
            Self::Result => 1,
            Self::Draft => 2,
        };
        seq.saturating_mul(PARTS).saturating_add(number)
    }
}

/// Longest that stands in the row: two such rows share a page.
const SMALL: usize = 1536;

impl From<Which> for Part {
    fn from(which: Which) -> Self {
        match which {
            Which::Best => Self::Result,
            Which::Draft => Self::Draft,
        }
    }
}

/// Numbers that a job's blobs may have.
const PARTS: i64 = 4;

impl Store {
    pub(super) fn write_blob(&self, seq: i64, part: Part, data: &[u8]) -> Result<(), Fault> {
        if data.len() <= SMALL {
            self.delete_apart(seq, part)?;
            return self.set_in_row(seq, part, Some(data));
        }
        self.set_in_row(seq, part, None)?;
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        self.db
            .prepare_cached("INSERT OR REPLACE INTO payload(at, data) VALUES(?1, ?2)")?
            .execute(params![part.at(seq), ZeroBlob(length)])?;
        let mut blob = self.db.blob_open(MAIN_DB, c"payload", c"data", part.at(seq), false)?;
        blob.write_all(data).map_err(|error| disk(&error))?;
        blob.close()?;
        Ok(())
    }

    /// The blob, if it is there and no longer than `most` bytes.
    pub(super) fn read_blob(
        &self,
        seq: i64,
        part: Part,
        most: u64,
    ) -> Result<Option<Vec<u8>>, Fault> {
        if let Some(data) = self.read_in_row(seq, part)? {
            return Ok(Some(data));
        }
        let opened = self.db.blob_open(MAIN_DB, c"payload", c"data", part.at(seq), true);
        let mut blob = match opened {
            Ok(blob) => blob,
            // There is no such row, or no blob in it.
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::Unknown) => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        if blob.size().is_negative() || u64::try_from(blob.size()).is_ok_and(|size| size > most) {
            return Ok(None);
        }
        let mut data = vec![0; blob.len()];
        match blob.read_exact(&mut data) {
            Ok(()) => Ok(Some(data)),
            Err(error) => match disk(&error) {
                // What cannot be followed is not what was stored.
                Fault::Damaged(why) => {
                    tracing::warn!(seq, why, "a stored body cannot be read");
                    Ok(None)
                }
                fault => Err(fault),
            },
        }
    }

    /// In the row; nothing where it stands apart.
    fn set_in_row(&self, seq: i64, part: Part, data: Option<&[u8]>) -> Result<(), Fault> {
        let sql = match part {
            Part::Payload => "UPDATE job SET body = ?2 WHERE seq = ?1 AND body IS NOT ?2",
            Part::Result => "UPDATE job SET result = ?2 WHERE seq = ?1 AND result IS NOT ?2",
            Part::Draft => "UPDATE job SET draft = ?2 WHERE seq = ?1 AND draft IS NOT ?2",
        };
        self.db.prepare_cached(sql)?.execute(params![seq, data])?;
        Ok(())
    }

    fn read_in_row(&self, seq: i64, part: Part) -> Result<Option<Vec<u8>>, Fault> {
        let sql = match part {
            Part::Payload => "SELECT body FROM job WHERE seq = ?1",
            Part::Result => "SELECT result FROM job WHERE seq = ?1",
            Part::Draft => "SELECT draft FROM job WHERE seq = ?1",
        };
        let read = |row: &rusqlite::Row<'_>| {
            // What is no blob any more was altered, and its checksum will say so.
            Ok(row.get_ref(0)?.as_blob().ok().map(<[u8]>::to_vec))
        };
        Ok(self.db.prepare_cached(sql)?.query_row(params![seq], read).optional()?.flatten())
    }

    pub(super) fn delete_blob(&self, seq: i64, part: Part) -> Result<(), Fault> {
        self.set_in_row(seq, part, None)?;
        self.delete_apart(seq, part)
    }

    fn delete_apart(&self, seq: i64, part: Part) -> Result<(), Fault> {
        self.db
            .prepare_cached("DELETE FROM payload WHERE at = ?1")?
            .execute(params![part.at(seq)])?;
        Ok(())
    }

    pub(super) fn delete_blobs(&self, seq: i64) -> Result<(), Fault> {
        let first = seq.saturating_mul(PARTS);
        self.db
            .prepare_cached("DELETE FROM payload WHERE at >= ?1 AND at < ?2")?
            .execute(params![first, first.saturating_add(PARTS)])?;
        Ok(())
    }
}

/// What reading or writing a blob says: its error is one of SQLite's in disguise.
fn disk(error: &std::io::Error) -> Fault {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rusqlite::Error>());
    match inner.and_then(rusqlite::Error::sqlite_error_code) {
        Some(rusqlite::ErrorCode::DiskFull) => Fault::Full,
        Some(rusqlite::ErrorCode::DatabaseCorrupt) => Fault::Damaged(error.to_string()),
        _ => Fault::Disk(error.to_string()),
    }
}
