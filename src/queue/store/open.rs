//! Opening the database: its lock, its settings, its schema, and what is done with a damaged one.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, params};

use crate::queue::job::State;
use crate::queue::line::Line;
use crate::queue::store::ballast::Ballast;
use crate::queue::store::row::{Row, select_jobs, state_number};
use crate::queue::store::schema;
use crate::queue::store::time::stored_age;
use crate::queue::store::{AgeClock, Carried, Fault, Kind, Memory, PAGE, Store};
use crate::queue::{Durability, Limits};

/// Largest database that is checked as a whole after an unclean stop.
const CHECKED_BYTES: u64 = 32 * 1024 * 1024;

/// Most databases that are set aside beside each other: each may be as large as the quota.
pub(super) const MOST_SET_ASIDE: usize = 3;

/// Starts of a job that ended with the process before it is run no more.
pub(super) const MOST_CRASHES: u32 = 3;

/// The same of a job in steps, since the last that was kept: a power cut each minute must not lose what
/// takes an hour, and what ends the process must not do so for ever.
pub(super) const MOST_CRASHES_OF_A_STEP: u32 = 20;

/// Says that no other process may use the database, as long as it is held.
#[derive(Debug)]
pub(in crate::queue) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a database, making its folder if there is none.
    pub(in crate::queue) fn take(path: &Path) -> Result<Self, Fault> {
        if let Some(folder) = path.parent() {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(|error| disk(folder, &error))?;
        }
        let name = beside(path, "lock");
        let opened =
            OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(&name);
        let file = opened.map_err(|error| disk(&name, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(fs::TryLockError::WouldBlock) => Err(Fault::NotOurs(format!(
                "another edgehold uses {}; stop it, or give this one another [queue] path",
                path.display()
            ))),
            Err(fs::TryLockError::Error(error)) => Err(disk(&name, &error)),
        }
    }
}

/// A database that could be opened.
pub(in crate::queue) struct Opened {
    pub(in crate::queue) store: Store,
    /// Where a damaged one was put, and what was wrong with it.
    pub(in crate::queue) set_aside: Option<(PathBuf, String)>,
}

/// What stays the same over each opening.
pub(in crate::queue) struct Place<'a> {
    pub(in crate::queue) path: &'a Path,
    /// Where the jobs' files are.
    pub(in crate::queue) documents: Option<&'a Path>,
    pub(in crate::queue) durability: Durability,
    pub(in crate::queue) limits: &'a Limits,
    pub(in crate::queue) line: &'a Arc<Mutex<Line>>,
    /// What this process knows of the opening before.
    pub(in crate::queue) carried: &'a Carried,
}

impl Opened {
    /// Opens the database. A damaged one is set aside, and a new one begun.
    pub(in crate::queue) fn open(place: &Place<'_>) -> Result<Self, Fault> {
        let opened = Store::open(place).map_err(|fault| match fault {
            Fault::Disk(why) if schema::header_is_altered(place.path) => Fault::Damaged(why),
            fault => fault,
        });
        match opened {
            Ok(store) => Ok(Self { store, set_aside: None }),
            // Where the disk was full at the stop as well, it is drained in this one.
            Err(Fault::Full) if Ballast::of(place.path).drop_it() => {
                Ok(Self { store: Store::open(place)?, set_aside: None })
            }
            Err(Fault::Damaged(why)) => {
                let aside = set_aside(place.path)?;
                let store = Store::open(place)?;
                Ok(Self { store, set_aside: Some((aside, why)) })
            }
            Err(fault) => Err(fault),
        }
    }
}

impl Store {
    fn open(place: &Place<'_>) -> Result<Self, Fault> {
        make_file(place.path)?;
        let unclean = fs::metadata(beside_wal(place.path)).is_ok_and(|wal| wal.len() > 0);
        let db = connect(place.path, place.durability)?;
        schema::check(&db)?;
        settle(&db, place.durability, place.limits)?;
        if unclean {
            check_whole(&db, place.path)?;
        }
        schema::migrate(&db)?;
        // After a failed sync the kernel may believe that lost pages are clean. So everything that
        // the log holds is written once more, to its place, and the log begins anew.
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
            .map_err(Fault::from)
            .and_then(|blocked| match blocked {
                0 => Ok(()),
                _ => Err(Fault::Disk("the write-ahead log cannot be emptied".to_owned())),
            })?;
        // A little later than what is stored, so that storing it again is a write: a disk that can
        // only be read is to be noticed now.
        let clock = AgeClock { base: stored_age(&db)?.saturating_add(1), since: Instant::now() };
        let mut store = Self {
            db,
            durability: place.durability,
            limits: place.limits.clone(),
            clock,
            line: Arc::clone(place.line),
            leased: place.carried.leased.clone(),
            memory: Memory {
                acknowledged: place.carried.acknowledged.clone(),
                ..Memory::default()
            },
            ballast: Ballast::of(place.path),
            changed: Vec::new(),
            documents: place.documents.map(Path::to_owned),
            released: Vec::new(),
        };
        store.transact(Kind::Durable, Self::recover)?;
        store.ballast.fill();
        store.load()?;
        Ok(store)
    }

    /// Jobs that ran when the process ended go back to their places; what has crashed it too often
    /// stays out.
    fn recover(&mut self) -> Result<(), Fault> {
        self.store_age()?;
        let now = i64::try_from(self.now()).unwrap_or(i64::MAX);
        let running = self.running()?;
        for row in running {
            let (seq, crashes, calls) = (row.seq, row.crashes_that_count(), row.calls_that_count());
            let most = match row.progress {
                Some(_) => MOST_CRASHES_OF_A_STEP,
                None => MOST_CRASHES,
            };
            let (state, code, why) = if crashes >= most {
                let why =
                    format!("{crashes} starts of it ended with the process: it is run no more");
                (State::Failed, "quarantined", why)
            } else if calls >= self.limits.max_attempts {
                let why = "the process ended in its last attempt".to_owned();
                (State::Failed, "attempts_used_up", why)
            } else {
                (State::Queued, "interrupted", "the process ended while it ran".to_owned())
            };
            if state == State::Failed {
                tracing::error!(seq, crashes, calls, code, "a job is given up");
                self.memory.totals.quarantined += u64::from(crashes >= most);
            }
            self.db
                .prepare_cached(
                    "UPDATE job SET state = ?2, code = ?3, trouble = ?4, due = 0,
                     ended = iif(?2 = 0, NULL, ?5), ended_age = iif(?2 = 0, NULL, ?6) WHERE seq = ?1",
                )?
                .execute(params![seq, state_number(state), code, why, unix_seconds(), now])?;
        }
        Ok(())
    }

    fn running(&self) -> Result<Vec<Row>, Fault> {
        let mut statement = self.db.prepare(select_jobs!("WHERE state = 1"))?;
        let rows = statement.query_map([], |row| Ok(Row::read(row)))?;
        let all: Vec<Row> = rows.collect::<Result<_, _>>()?;
        Ok(all.into_iter().filter(|row| !self.leased.contains_key(&row.seq)).collect())
    }
}

pub(super) fn connect(path: &Path, durability: Durability) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let psow = u8::from(durability.power_safe_overwrite);
    let uri = format!("file:{}?psow={psow}", escaped(path));
    let db = Connection::open_with_flags(uri, flags)?;
    // Before anything is read: whatever reads a log makes a file that is mapped into memory else.
    db.execute_batch("PRAGMA locking_mode = EXCLUSIVE")?;
    // A connection that is given up after a failure writes nothing more, and takes no log away.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(db)
}

/// A path in an SQLite URI.
fn escaped(path: &Path) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.');
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes
        .iter()
        .map(|&byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// The settings, and whether those that promises rest on are in force.
pub(super) fn settle(
    db: &Connection,
    durability: Durability,
    limits: &Limits,
) -> Result<(), Fault> {
    // SQLite's own largest number of pages.
    let pages = (limits.quota / PAGE).clamp(16, 0xffff_fffe);
    // Pages that are free stay with the file, for what comes next: to give them back would write a
    // map of all pages with each commit, a third more in all.
    db.execute_batch(&format!(
        "PRAGMA page_size = {PAGE};
         PRAGMA auto_vacuum = NONE;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = {synchronous};
         PRAGMA wal_autocheckpoint = 256;
         PRAGMA journal_size_limit = 1048576;
         PRAGMA cache_size = -512;
         PRAGMA mmap_size = 0;
         PRAGMA temp_store = MEMORY;
         PRAGMA max_page_count = {pages};
         PRAGMA hard_heap_limit = 2097152;
         PRAGMA cell_size_check = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA foreign_keys = OFF;",
        synchronous = durability.word(Kind::Durable),
    ))?;
    let mode: String = db.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    let locking: String = db.pragma_query_value(None, "locking_mode", |row| row.get(0))?;
    let synchronous: i64 = db.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    let wanted = durability.number(Kind::Durable);
    if mode != "wal" || locking != "exclusive" || synchronous != wanted {
        return Err(Fault::Disk(format!(
            "the database does not take its settings: journal_mode {mode}, locking_mode {locking}, synchronous {synchronous}"
        )));
    }
    Ok(())
}

/// Gives a database of a version before what it lacks, beside it and for as long as it is open: so it
/// can be read, and nothing of it is changed.
pub(super) fn complete(db: &Connection) -> Result<(), Fault> {
    for step in schema::lacking(db)? {
        db.execute_batch(&step.replace("CREATE TABLE", "CREATE TEMP TABLE"))?;
    }
    Ok(())
}

fn check_whole(db: &Connection, path: &Path) -> Result<(), Fault> {
    if fs::metadata(path).is_ok_and(|file| file.len() > CHECKED_BYTES) {
        return Ok(());
    }
    let found: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(Fault::Damaged(found)) }
}

/// SECURITY: what clients ask is for nobody else on the device.
fn make_file(path: &Path) -> Result<(), Fault> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match opened {
        Ok(file) => {
            file.sync_all().map_err(|error| disk(path, &error))?;
            sync_folder(path)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(disk(path, &error)),
    }
}

fn sync_folder(path: &Path) -> Result<(), Fault> {
    let Some(folder) = path.parent() else { return Ok(()) };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| disk(folder, &error))
}

/// Puts a damaged database out of the way. It is never written to again, nor taken away.
pub(in crate::queue) fn set_aside(path: &Path) -> Result<PathBuf, Fault> {
    let others = others_set_aside(path);
    if others >= MOST_SET_ASIDE {
        return Err(Fault::Disk(format!(
            "the database is damaged again, and {others} damaged ones stand beside it: look at the disk, then take away {}*",
            beside(path, "damaged-").display()
        )));
    }
    let aside = (0..)
        .map(|number| beside(path, &format!("damaged-{}-{number}", unix_seconds())))
        .find(|name| !name.exists())
        .unwrap_or_else(|| beside(path, "damaged"));
    let wal = beside_wal(path);
    if wal.exists() {
        let to = beside_wal(&aside);
        fs::rename(&wal, &to).map_err(|error| disk(&wal, &error))?;
    }
    fs::rename(path, &aside).map_err(|error| disk(path, &error))?;
    sync_folder(path)?;
    Ok(aside)
}

/// Damaged databases that stand beside this one.
pub(super) fn others_set_aside(path: &Path) -> usize {
    let name = beside(path, "damaged-");
    let Some(start) = name.file_name().and_then(|name| name.to_str()).map(str::to_owned) else {
        return 0;
    };
    let entries = path.parent().and_then(|folder| fs::read_dir(folder).ok());
    let names =
        entries.into_iter().flatten().flatten().filter_map(|it| it.file_name().into_string().ok());
    names.filter(|name| name.starts_with(&start) && !name.ends_with("-wal")).count()
}

/// `queue.db` and `lock` make `queue.db.lock`.
pub(super) fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    PathBuf::from(name)
}

fn beside_wal(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

pub(super) fn disk(path: &Path, error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Fault::Full,
        _ => Fault::Disk(format!("{}: {error}", path.display())),
    }
}

/// By the system's clock, which may be wrong: for people to read.
pub(super) fn unix_seconds() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
