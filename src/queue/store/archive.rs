//! A database as it lies there: of a service that has stopped, or one that was set aside.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::queue::job::{Job, QueueError, Which};
use crate::queue::names::JobKey;
use crate::queue::store::ballast::Ballast;
use crate::queue::store::look::{Found, Listing};
use crate::queue::store::open::{complete, connect, settle};
use crate::queue::store::{AgeClock, Fault, Lock, Memory, Store, schema};
use crate::queue::{Durability, Limits};

/// Jobs that are read at once.
const PAGE: usize = 50;

/// A database that is read and not served.
pub struct Archive {
    store: Store,
    _lock: Lock,
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Archive")
    }
}

impl Archive {
    /// Opens a database as it is: nothing in it is changed but that its log is put in its place.
    ///
    /// # Errors
    /// There is none, another process uses it, or it is no database of ours.
    pub fn open(path: &Path) -> Result<Self, QueueError> {
        if !path.exists() {
            let why = format!("{} does not exist", path.display());
            return Err(QueueError::Closed(why));
        }
        Self::open_known(path).map_err(|fault| why(&fault))
    }

    fn open_known(path: &Path) -> Result<Self, Fault> {
        let lock = Lock::take(path)?;
        let durability = Durability::default();
        // Nothing is written, so that no limit matters.
        let limits = Limits {
            quota: 1 << 44,
            max_jobs: u64::MAX,
            result_ttl: Duration::MAX,
            max_attempts: u32::MAX,
        };
        let db = connect(path, durability)?;
        schema::check(&db)?;
        settle(&db, durability, &limits)?;
        complete(&db)?;
        let store = Store {
            db,
            durability,
            limits,
            clock: AgeClock { base: 0, since: Instant::now() },
            line: std::sync::Arc::default(),
            leased: BTreeMap::new(),
            memory: Memory::default(),
            ballast: Ballast::of(path),
            changed: Vec::new(),
            documents: None,
            released: Vec::new(),
        };
        Ok(Self { store, _lock: lock })
    }

    /// The jobs that were accepted after this one: some of them, none when there are no more.
    ///
    /// # Errors
    /// The database cannot be read any further.
    pub fn jobs_after(&mut self, seq: i64) -> Result<Vec<Job>, QueueError> {
        let which = Listing { owner: None, state: None, after: seq, limit: PAGE };
        self.store.list(&which).map_err(|fault| why(&fault))
    }

    /// What a job is about, and its best answer; `None` for what is not what was stored.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn bodies(&mut self, key: &JobKey) -> Result<(Option<Vec<u8>>, Option<Found>), QueueError> {
        let payload = self.store.payload(key).map_err(|fault| why(&fault))?;
        let answer = self.store.answer(key, Which::Best).map_err(|fault| why(&fault))?;
        Ok((payload, answer))
    }
}

fn why(fault: &Fault) -> QueueError {
    QueueError::Closed(match fault {
        Fault::Full => "the disk is full".to_owned(),
        Fault::Disk(why) | Fault::Damaged(why) | Fault::NotOurs(why) => why.clone(),
    })
}
