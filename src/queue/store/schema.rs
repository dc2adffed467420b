//! The schema, its versions, and whether a file has it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rusqlite::Connection;

use crate::queue::store::Fault;

/// What the application's databases are marked with (`PRAGMA application_id`): "edgh".
const APPLICATION: i32 = 0x6564_6768;

/// Each step from one version of the schema to the next. A step is never changed once it is out,
/// and always changes a table: by that a later version is told from an altered number.
static MIGRATIONS: [&str; 2] = [
    "
    CREATE TABLE job(
        seq INTEGER PRIMARY KEY,
        owner TEXT NOT NULL,
        id TEXT NOT NULL,
        state INTEGER NOT NULL,
        priority INTEGER NOT NULL,
        path TEXT NOT NULL,
        lane TEXT NOT NULL,
        fingerprint BLOB NOT NULL,
        crc INTEGER NOT NULL,
        size INTEGER NOT NULL,
        accepted INTEGER NOT NULL,
        born INTEGER NOT NULL,
        ttl INTEGER NOT NULL,
        due INTEGER NOT NULL,
        calls INTEGER NOT NULL DEFAULT 0,
        crashes INTEGER NOT NULL DEFAULT 0,
        code TEXT, trouble TEXT,
        ended INTEGER, ended_age INTEGER,
        target TEXT, status INTEGER, bytes INTEGER, result_crc INTEGER,
        draft_target TEXT, draft_status INTEGER, draft_bytes INTEGER, draft_crc INTEGER,
        body BLOB, result BLOB, draft BLOB,
        UNIQUE(owner, id)
    ) STRICT;
    CREATE TABLE payload(at INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
    CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
",
    // In tables of their own: another column of a strict table is added only where every row is found
    // well, and one that was altered would keep the whole queue shut.
    "
    CREATE TABLE more(
        job INTEGER PRIMARY KEY,
        steps INTEGER,
        step_calls INTEGER NOT NULL DEFAULT 0,
        settled INTEGER NOT NULL DEFAULT 0,
        forgiven INTEGER NOT NULL DEFAULT 0,
        generation INTEGER NOT NULL DEFAULT 0,
        file TEXT, file_bytes INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE step(at INTEGER PRIMARY KEY, crc INTEGER NOT NULL, data BLOB NOT NULL) STRICT;
",
];

/// Versions that a later edgehold may have come to: a number far beyond was altered.
const FARTHEST: usize = 100;

/// Whether the file is a database of ours, and not of a later version, and its tables are as they
/// were made. Until that is known, nothing is written to it.
pub(super) fn check(db: &Connection) -> Result<(), Fault> {
    let application: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables = tables(db)?;
    let known = MIGRATIONS.len();
    let ours = made(known)?;
    let marked = application == APPLICATION;
    match usize::try_from(version) {
        // Many programs leave their mark and version at 0.
        Ok(0) if application == 0 && tables.is_empty() => Ok(()),
        Ok(version) if marked && version <= known && tables == made(version)? => Ok(()),
        // The marks stand in the header, far from the tables.
        _ if tables == ours || is_earlier(&tables)? => {
            Err(damaged("its version or its mark was altered"))
        }
        Ok(version) if marked && (known + 1..known + FARTHEST).contains(&version) => {
            Err(Fault::NotOurs(format!(
                "the database has version {version}, and this edgehold knows {known}: install the newer edgehold again, or give this one another [queue] path"
            )))
        }
        _ if marked || tables.iter().flatten().any(|table| ours.contains(&Some(table.clone()))) => {
            Err(damaged("its tables are not those that were made"))
        }
        _ => Err(Fault::NotOurs(
            "the file is the database of another program; give [queue] another path".to_owned(),
        )),
    }
}

/// Whether these are the tables of a version before.
fn is_earlier(tables: &[Option<String>]) -> Result<bool, Fault> {
    for version in 1..MIGRATIONS.len() {
        if tables == made(version)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The tables as they were told to be made.
fn tables(db: &Connection) -> Result<Vec<Option<String>>, Fault> {
    let mut statement = db.prepare("SELECT sql FROM sqlite_schema ORDER BY rowid")?;
    let all = statement
        .query_map([], |row| row.get_ref(0).map(|sql| sql.as_str().ok().map(str::to_owned)))?;
    Ok(all.collect::<Result<_, _>>()?)
}

/// The tables of a new database of this version.
fn made(version: usize) -> Result<Vec<Option<String>>, Fault> {
    let db = Connection::open_in_memory()?;
    for step in MIGRATIONS.iter().take(version) {
        db.execute_batch(step)?;
    }
    tables(&db)
}

fn damaged(what: &str) -> Fault {
    Fault::Damaged(format!("the database is damaged: {what}"))
}

/// Brings the tables to the version that is known here.
pub(super) fn migrate(db: &Connection) -> Result<(), Fault> {
    let version: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for (to, step) in (1..).zip(MIGRATIONS).skip(version as usize) {
        db.execute_batch("BEGIN IMMEDIATE")?;
        db.execute_batch(step)?;
        db.pragma_update(None, "application_id", APPLICATION)?;
        db.pragma_update(None, "user_version", to)?;
        db.execute_batch("COMMIT")?;
    }
    Ok(())
}

/// What a database of a version before lacks.
pub(super) fn lacking(db: &Connection) -> Result<&'static [&'static str], Fault> {
    let version: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(MIGRATIONS.get(version as usize..).unwrap_or_default())
}

/// Whether the file's first bytes are none that SQLite writes for us. Some of them it does not
/// call damaged but takes at their word: that the file can only be read, that it is of a later
/// format.
pub(super) fn header_is_altered(path: &Path) -> bool {
    let mut header = [0; 60];
    // One that is new is shorter.
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok()
        && EXPECTED.iter().any(|(at, bytes)| {
            let found = header.get(*at..at + bytes.len()).unwrap_or_default();
            found != *bytes && found.iter().any(|byte| *byte != 0)
        })
}

/// What stands where in the header: the magic, the page's size, both versions of the format (2:
/// with a log), no bytes left over in a page, three fixed numbers; the schema's format, and UTF-8.
const EXPECTED: [(usize, &[u8]); 3] = [
    (0, b"SQLite format 3\0\x10\0\x02\x02\0\x40\x20\x20"),
    (44, &[0, 0, 0, 4]),
    (56, &[0, 0, 0, 1]),
];

/// Makes the tables of a version, as that did.
#[cfg(test)]
pub(super) fn make(db: &Connection, version: usize) {
    for (to, step) in (1..).zip(MIGRATIONS).take(version) {
        db.execute_batch(step).unwrap();
        db.pragma_update(None, "application_id", APPLICATION).unwrap();
        db.pragma_update(None, "user_version", to).unwrap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(alter: &str) -> Connection {
        let db = Connection::open_in_memory().unwrap();
        migrate(&db).unwrap();
        db.execute_batch(alter).unwrap();
        db
    }

    #[test]
    fn what_was_made_here_is_taken() {
        check(&Connection::open_in_memory().unwrap()).unwrap();
        check(&database("")).unwrap();
    }

    #[test]
    fn what_was_altered_is_damaged() {
        for alter in [
            "PRAGMA user_version = 0",
            "PRAGMA user_version = 257",
            "PRAGMA user_version = -1",
            "PRAGMA application_id = 5",
            "ALTER TABLE job RENAME COLUMN trouble TO troubme",
            "DROP TABLE meta",
            "DROP TABLE meta; PRAGMA application_id = 5",
            "DROP TABLE meta; PRAGMA user_version = 257",
        ] {
            let found = check(&database(alter));
            assert!(matches!(found, Err(Fault::Damaged(_))), "{alter}: {found:?}");
        }
    }

    #[test]
    fn an_earlier_version_is_taken_and_altered_marks_of_it_are_damage() {
        let earlier = |alter: &str| {
            let db = Connection::open_in_memory().unwrap();
            make(&db, 1);
            db.execute_batch(alter).unwrap();
            db
        };
        check(&earlier("")).unwrap();
        for alter in [
            "PRAGMA user_version = 0",
            "PRAGMA user_version = 2",
            "PRAGMA user_version = 3",
            "PRAGMA user_version = 65537",
            "PRAGMA application_id = 5",
            "DROP TABLE payload",
            "CREATE TABLE more(x)",
        ] {
            let found = check(&earlier(alter));
            assert!(matches!(found, Err(Fault::Damaged(_))), "{alter}: {found:?}");
        }
    }

    #[test]
    fn a_later_version_and_other_programs_are_left_alone() {
        let later = database("PRAGMA user_version = 3; CREATE TABLE later(x)");
        let other = Connection::open_in_memory().unwrap();
        other.execute_batch("CREATE TABLE other(x)").unwrap();
        for db in [later, other] {
            let found = check(&db);
            assert!(matches!(found, Err(Fault::NotOurs(_))), "{found:?}");
        }
    }

    #[test]
    fn a_header_is_as_it_was_written() {
        let folder = std::env::temp_dir();
        let path = folder.join(format!("edgehold-header-{}", std::process::id()));
        let db = Connection::open(&path).unwrap();
        db.execute_batch("PRAGMA page_size = 4096; PRAGMA journal_mode = WAL").unwrap();
        migrate(&db).unwrap();
        db.close().unwrap();
        assert!(!header_is_altered(&path));
        let whole = std::fs::read(&path).unwrap();
        for at in [0, 16, 18, 19, 20, 47, 59] {
            let mut bytes = whole.clone();
            bytes[at] ^= 8;
            std::fs::write(&path, bytes).unwrap();
            assert!(header_is_altered(&path), "byte {at}");
        }
        std::fs::remove_file(&path).unwrap();
    }
}
