//! Opening: settings, modes, versions, and what is not a database of ours or no longer one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rusqlite::Connection;

use crate::queue::Durability;
use crate::queue::job::{Answer, Ended, State, Submission, Which};
use crate::queue::store::open::{Lock, MOST_SET_ASIDE, Opened, Place};
use crate::queue::store::tests::{Bench, asked, body, everything, key};
use crate::queue::store::{Archive, Carried, Fault, Found, Kind, Store, schema};

#[test]
fn the_settings_that_promises_rest_on_are_in_force() {
    let bench = Bench::new("settings");
    let strict = Durability::default();
    let store = Opened::open(&Place {
        path: &bench.path(),
        documents: None,
        durability: strict,
        limits: &bench.limits(|_| ()),
        line: &std::sync::Arc::default(),
        carried: &Carried::default(),
    });
    let db = store.unwrap().store.db;
    let wanted = [
        ("journal_mode", "wal"),
        ("locking_mode", "exclusive"),
        ("synchronous", "2"),
        ("page_size", "4096"),
        ("auto_vacuum", "0"),
        ("wal_autocheckpoint", "256"),
        ("journal_size_limit", "1048576"),
        ("cache_size", "-512"),
        ("temp_store", "2"),
        ("max_page_count", "8192"),
        ("hard_heap_limit", "2097152"),
        ("cell_size_check", "1"),
        ("trusted_schema", "0"),
        ("foreign_keys", "0"),
        ("user_version", "2"),
    ];
    for (name, value) in wanted {
        assert_eq!(setting(&db, name), value, "{name}");
    }
}

fn setting(db: &Connection, name: &str) -> String {
    let read = |row: &rusqlite::Row<'_>| match row.get_ref(0)? {
        rusqlite::types::ValueRef::Integer(number) => Ok(number.to_string()),
        other => Ok(other.as_str()?.to_owned()),
    };
    db.pragma_query_value(None, name, read).unwrap()
}

#[test]
fn a_commit_is_synced_as_its_kind_wants() {
    let bench = Bench::new("kinds");
    let mut store = bench.open().unwrap();
    store.durability = Durability::default();
    for (kind, wanted) in [(Kind::Durable, "2"), (Kind::Relaxed, "1"), (Kind::Durable, "2")] {
        let found = store.transact(kind, |store| Ok(setting(&store.db, "synchronous")));
        assert_eq!(found.unwrap(), wanted, "{kind:?}");
    }
}

#[test]
fn nobody_else_on_the_device_reads_the_files_and_none_is_mapped() {
    let whole = Bench::new("modes");
    let folder = whole.folder.join("made/for/it");
    let path = folder.join("queue.db");
    let _lock = Lock::take(&path).unwrap();
    assert_eq!(mode(&folder), 0o700);
    let (limits, carried) = (whole.limits.clone(), whole.carried.clone());
    let bench = Bench { folder, limits, carried };
    // The second opening finds a log, which is what the mapped file would be made for.
    for opening in ["first", "second"] {
        let mut store = bench.open().unwrap();
        store.transact(Kind::Durable, |store| store.enqueue(&asked(1, 1, 9000))).unwrap();
        let names = ["queue.db", "queue.db-wal", "queue.db.ballast", "queue.db.lock"];
        assert_eq!(bench.names(), names, "{opening}");
        for name in names {
            assert_eq!(mode(&bench.folder.join(name)), 0o600, "{name}");
        }
        bench.kill(store);
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn only_one_may_have_it() {
    let bench = Bench::new("one");
    let first = Lock::take(&bench.path()).unwrap();
    assert!(matches!(Lock::take(&bench.path()), Err(Fault::NotOurs(_))));
    drop(first);
    assert!(Lock::take(&bench.path()).is_ok());
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let others = [
        (
            "a later version",
            "PRAGMA journal_mode = WAL; PRAGMA application_id = 0x65646768; PRAGMA user_version = 3; CREATE TABLE job(x);",
        ),
        (
            "another program's",
            "PRAGMA application_id = 7; PRAGMA user_version = 1; CREATE TABLE t(x);",
        ),
        ("one without a mark", "CREATE TABLE t(x);"),
        ("one with a version alone", "PRAGMA user_version = 1; CREATE TABLE job(x);"),
    ];
    for (whose, made) in others {
        let bench = Bench::new("others");
        Connection::open(bench.path()).unwrap().execute_batch(made).unwrap();
        let before = fs::read(bench.path()).unwrap();
        let fault = bench.open_anyhow().err();
        assert!(matches!(fault, Some(Fault::NotOurs(_))), "{whose}: {fault:?}");
        assert!(fs::read(bench.path()).unwrap() == before, "{whose} was written to");
        let log = fs::metadata(bench.wal()).map_or(0, |log| log.len());
        assert_eq!(log, 0, "{whose} has a log");
        assert!(!bench.names().iter().any(|name| name.contains("damaged")), "{whose} was moved");
    }
}

#[test]
fn an_unreadable_database_is_set_aside_and_kept_at_most_three_of_them() {
    let bench = Bench::new("aside");
    for number in 0..=MOST_SET_ASIDE {
        let garbage = vec![b'x'; 10_000 + number];
        fs::write(bench.path(), &garbage).unwrap();
        fs::write(bench.wal(), b"its log").unwrap();
        let opened = bench.open_anyhow();
        if number == MOST_SET_ASIDE {
            assert!(matches!(opened.err(), Some(Fault::Disk(why)) if why.contains("take away")));
            assert!(fs::read(bench.path()).unwrap() == garbage, "the fourth stays where it is");
            return;
        }
        let opened = opened.unwrap();
        let (aside, _) = opened.set_aside.unwrap();
        assert!(fs::read(&aside).unwrap() == garbage, "number {number} was altered");
        assert_eq!(fs::read(format!("{}-wal", aside.display())).unwrap(), b"its log");
        let mut store = opened.store;
        store.transact(Kind::Durable, |store| store.enqueue(&asked(1, 1, 10))).unwrap();
        drop(store);
    }
}

#[test]
fn damage_is_found_after_an_unclean_stop() {
    for damage in [false, true] {
        let bench = Bench::new("damage");
        let mut store = bench.open().unwrap();
        store.transact(Kind::Durable, |store| store.enqueue(&asked(1, 1, 9000))).unwrap();
        store.close();
        let mut store = bench.open().unwrap();
        store.transact(Kind::Durable, |store| store.enqueue(&asked(2, 1, 10))).unwrap();
        bench.keep_files();
        drop(store);
        bench.put_back_files();
        if damage {
            let mut bytes = fs::read(bench.path()).unwrap();
            // From the second page on, everything but what the log has anew.
            bytes[4096..].fill(0xa5);
            fs::write(bench.path(), bytes).unwrap();
        }
        let opened = bench.open_anyhow().unwrap();
        assert_eq!(opened.set_aside.is_some(), damage);
    }
}

#[test]
fn numbers_that_were_altered_do_not_keep_it_shut_nor_carry_others_away() {
    let altered = [
        "UPDATE job SET state = 1, crashes = -7, calls = 1 << 60",
        "UPDATE job SET state = 99, due = -1",
        "UPDATE job SET born = 1 << 60, due = 1 << 60",
        "UPDATE job SET ended_age = 1 << 61, ttl = -1",
        "UPDATE job SET id = 'not an id', lane = ''",
        "UPDATE job SET priority = 77, size = -3, seq = 1 << 40",
    ];
    for change in altered {
        let bench = Bench::new("altered");
        let mut store = bench.open().unwrap();
        for name in [1, 2] {
            store.transact(Kind::Durable, |store| store.enqueue(&asked(name, 1, 10))).unwrap();
        }
        let change = format!("{change} WHERE id = 'job-1'");
        assert_eq!(store.db.execute(&change, []).unwrap(), 1, "{change}");
        store.close();
        let mut store = bench.open().expect(&change);
        store.transact(Kind::Relaxed, Store::sweep).unwrap();
        let other = store.job(&key(2)).unwrap().expect(&change);
        assert_eq!(other.state, State::Queued, "{change}");
        let listed = store.list(&everything()).unwrap();
        for state in State::ALL {
            let count = listed.iter().filter(|job| job.state == state).count() as u64;
            assert_eq!(store.counts().of(state), count, "{change}: {state:?}");
        }
        let leased = store.transact(Kind::Relaxed, |store| store.claim(other.seq)).unwrap();
        assert!(leased.is_some(), "{change}");
    }
}

#[test]
fn the_latest_time_of_day_is_known_over_crashes() {
    let bench = Bench::new("clock");
    let mut store = bench.open().unwrap();
    assert_eq!(store.remembered(), Ok(None));
    for late in [1_800_000_000, 1_800_003_600] {
        store.transact(Kind::Relaxed, |store| store.remember(late)).unwrap();
        drop(store);
        store = bench.open().unwrap();
        assert_eq!(store.remembered(), Ok(Some(late)));
    }
}

/// A database that an earlier edgehold left, with a job that waits, one that ran and one that has an
/// answer.
fn earlier(bench: &Bench) {
    let mut store = bench.open().unwrap();
    for name in [1, 2, 3] {
        store.transact(Kind::Durable, |store| store.enqueue(&asked(name, 1, 9000))).unwrap();
    }
    for seq in [2, 3] {
        store.transact(Kind::Relaxed, |store| store.claim(seq)).unwrap().unwrap();
    }
    let parcel = body(9, 100).into();
    let ended = Ended::Succeeded(Answer { status: 200, target: None, parcel });
    store.transact(Kind::Durable, |store| store.finish(3, (3, 1), &ended)).unwrap();
    store.close();
    let later = bench.folder.join("later.db");
    fs::rename(bench.path(), &later).unwrap();
    let db = Connection::open(bench.path()).unwrap();
    db.execute_batch("PRAGMA page_size = 4096; PRAGMA journal_mode = WAL").unwrap();
    schema::make(&db, 1);
    db.execute("ATTACH ?1 AS later", [later.to_str().unwrap()]).unwrap();
    for table in ["job", "payload", "meta"] {
        db.execute(&format!("INSERT INTO {table} SELECT * FROM later.{table}"), []).unwrap();
    }
    db.close().unwrap();
    fs::remove_file(later).unwrap();
}

#[test]
fn a_database_of_an_earlier_version_is_brought_to_this_one() {
    let bench = Bench::new("earlier");
    earlier(&bench);
    let mut store = bench.open().unwrap();
    assert_eq!(setting(&store.db, "user_version"), "2");
    let states = [(1, State::Queued), (2, State::Queued), (3, State::Succeeded)];
    for (name, state) in states {
        let job = store.job(&key(name)).unwrap().unwrap();
        assert_eq!((job.state, job.steps), (state, 0), "job {name}");
    }
    let found = store.answer(&key(3), Which::Best).unwrap();
    assert!(matches!(found, Some(Found::Answer { parcel, .. }) if parcel == body(9, 100)));
    for seq in [1, 2] {
        let lease = store.transact(Kind::Relaxed, |store| store.claim(seq)).unwrap();
        let lease = lease.expect("its checksum is as it was");
        assert_eq!((lease.stepwise, lease.file), (false, None));
    }
    let it = Submission { stepwise: true, ..asked(4, 1, 10) };
    store.transact(Kind::Durable, |store| store.enqueue(&it)).unwrap();
    let lease = store.transact(Kind::Relaxed, |store| store.claim(4)).unwrap().unwrap();
    assert!(lease.stepwise);
    store.close();
    assert!(bench.open().is_ok());
}

#[test]
fn a_database_of_an_earlier_version_is_read_as_it_is() {
    let bench = Bench::new("earlier-archive");
    earlier(&bench);
    let before = fs::read(bench.path()).unwrap();
    let mut archive = Archive::open(&bench.path()).unwrap();
    let jobs = archive.jobs_after(0).unwrap();
    assert_eq!(jobs.len(), 3);
    let (payload, answer) = archive.bodies(&key(1)).unwrap();
    assert!(payload == Some(body(1, 9000)) && answer.is_none());
    assert!(matches!(archive.bodies(&key(3)).unwrap(), (None, Some(Found::Answer { .. }))));
    drop(archive);
    assert!(fs::read(bench.path()).unwrap() == before, "it was written to");
}
