//! Files of jobs: whose they are, when they go, and what becomes of a job without its own.

use std::fs;

use crate::queue::job::{Answer, Ended, Enqueued, Lease, State, Submission, Trouble};
use crate::queue::names::FileName;
use crate::queue::store::tests::{Bench, asked, body, key};
use crate::queue::store::{Fault, Kind, Store, left_in};

const BYTES: u64 = 5000;

fn write(bench: &Bench) -> FileName {
    left_in(&bench.documents());
    let name = FileName::fresh();
    let bytes = vec![7; usize::try_from(BYTES).unwrap()];
    fs::write(name.path_in(&bench.documents()), bytes).unwrap();
    name
}

fn submission(bench: &Bench, name: u8) -> Submission {
    Submission { file: Some(write(bench)), file_bytes: BYTES, ..asked(name, 1, 10) }
}

fn accept(bench: &Bench, store: &mut Store, name: u8) -> i64 {
    let it = submission(bench, name);
    match store.transact(Kind::Durable, |store| store.enqueue(&it)).unwrap() {
        Enqueued::Accepted(job) => job.seq,
        other => panic!("{other:?}"),
    }
}

fn claim(store: &mut Store, seq: i64) -> Option<Lease> {
    store.transact(Kind::Relaxed, |store| store.claim(seq)).unwrap()
}

fn end(store: &mut Store, lease: &Lease, ended: &Ended) {
    let calls = (lease.calls, 1);
    store.transact(Kind::Durable, |store| store.finish(lease.seq, calls, ended)).unwrap();
}

fn remove(store: &mut Store, name: u8) {
    store.transact(Kind::Durable, |store| store.remove(&key(name))).unwrap();
}

fn answer() -> Answer {
    Answer { status: 200, target: None, parcel: body(9, 100).into() }
}

fn failed() -> Ended {
    let trouble = Trouble { code: "wrong".to_owned(), message: String::new() };
    Ended::Failed(answer(), trouble)
}

fn files(bench: &Bench) -> usize {
    left_in(&bench.documents()).len()
}

fn state(store: &mut Store, name: u8) -> State {
    store.job(&key(name)).unwrap().unwrap().state
}

#[test]
fn a_file_goes_when_its_job_has_an_answer() {
    let bench = Bench::new("file-answer");
    let mut store = bench.open().unwrap();
    let seq = accept(&bench, &mut store, 1);
    assert_eq!(store.documents(), (1, BYTES));
    let lease = claim(&mut store, seq).unwrap();
    let file = lease.file.clone().unwrap();
    assert_eq!(fs::read(&file.path).unwrap().len() as u64, file.bytes);
    end(&mut store, &lease, &Ended::Succeeded(answer()));
    assert_eq!((files(&bench), store.documents()), (0, (0, 0)));
}

#[test]
fn a_file_stays_while_its_job_may_be_tried_again() {
    let bench = Bench::new("file-stays");
    let mut store = bench.open().unwrap();
    let failing = accept(&bench, &mut store, 1);
    let lease = claim(&mut store, failing).unwrap();
    end(&mut store, &lease, &failed());
    let cancelled = accept(&bench, &mut store, 2);
    remove(&mut store, 2);
    for (name, seq) in [(1, failing), (2, cancelled)] {
        store = bench.kill(store);
        store.clear_up(&left_in(&bench.documents()));
        store.transact(Kind::Durable, |store| store.retry(&key(name))).unwrap();
        let lease = claim(&mut store, seq).expect("it is there");
        assert!(lease.file.unwrap().path.exists());
    }
    assert_eq!(store.documents(), (2, 2 * BYTES));
}

#[test]
fn a_file_goes_with_the_row_and_not_before_that_is_synced() {
    let bench = Bench::new("file-row");
    let mut store = bench.open().unwrap();
    accept(&bench, &mut store, 1);
    remove(&mut store, 1);
    remove(&mut store, 1);
    assert_eq!((files(&bench), store.documents()), (1, (1, BYTES)), "its row is there");
    store.transact(Kind::Relaxed, Store::sweep).unwrap();
    assert_eq!((files(&bench), store.documents()), (1, (0, 0)), "the power may bring it back");
    // What writes nothing, syncs nothing.
    store.transact(Kind::Durable, |store| store.cancel(&key(9))).unwrap();
    assert_eq!(files(&bench), 1);
    assert!(store.has_chores(false));
    assert_eq!(store.sweep_kind(), Kind::Durable);
    store.transact(store.sweep_kind(), Store::sweep).unwrap();
    assert_eq!((files(&bench), store.sweep_kind()), (0, Kind::Relaxed));
}

#[test]
fn a_stop_in_good_order_leaves_no_file_behind() {
    let bench = Bench::new("file-stop");
    let mut store = bench.open().unwrap();
    accept(&bench, &mut store, 1);
    remove(&mut store, 1);
    remove(&mut store, 1);
    store.close();
    assert_eq!(files(&bench), 0);
}

#[test]
fn a_commit_that_failed_unlinks_nothing() {
    let bench = Bench::new("file-doomed");
    let mut store = bench.open().unwrap();
    let seq = accept(&bench, &mut store, 1);
    let lease = claim(&mut store, seq).unwrap();
    let doomed = store.transact(Kind::Durable, |store| {
        store.finish(seq, (lease.calls, 1), &Ended::Succeeded(answer()))?;
        Err::<(), _>(Fault::Full)
    });
    assert_eq!(doomed, Err(Fault::Full));
    // Another that is kept must not take it along.
    store.transact(Kind::Durable, |store| store.enqueue(&asked(2, 1, 10))).unwrap();
    assert_eq!((files(&bench), store.documents()), (1, (1, BYTES)));
    end(&mut store, &lease, &Ended::Succeeded(answer()));
    assert_eq!(files(&bench), 0);
}

#[test]
fn a_job_whose_file_is_lost_is_corrupt() {
    type Loses = fn(&std::path::Path);
    let table: [(&str, Loses); 4] = [
        ("gone", |path| fs::remove_file(path).unwrap()),
        ("short", |path| fs::write(path, "short").unwrap()),
        ("a folder", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
        ("a link", |path| {
            let elsewhere = path.with_extension("elsewhere");
            fs::rename(path, &elsewhere).unwrap();
            std::os::unix::fs::symlink(elsewhere, path).unwrap();
        }),
    ];
    for (what, lose) in table {
        let bench = Bench::new("file-lost");
        let mut store = bench.open().unwrap();
        let it = submission(&bench, 1);
        store.transact(Kind::Durable, |store| store.enqueue(&it)).unwrap();
        lose(&it.file.unwrap().path_in(&bench.documents()));
        let seq = store.job(&key(1)).unwrap().unwrap().seq;
        assert!(claim(&mut store, seq).is_none(), "{what}");
        assert_eq!(state(&mut store, 1), State::Corrupt, "{what}");
        assert_eq!(store.totals().corrupt, 1, "{what}");
    }
}

#[test]
fn a_job_whose_file_cannot_be_looked_at_waits() {
    let bench = Bench::new("file-away");
    let mut store = bench.open().unwrap();
    let seq = accept(&bench, &mut store, 1);
    let away = bench.folder.join("away");
    fs::rename(bench.documents(), &away).unwrap();
    assert!(claim(&mut store, seq).is_none());
    let job = store.job(&key(1)).unwrap().unwrap();
    assert_eq!((job.state, job.calls, job.position), (State::Queued, 0, Some(0)));
    assert_eq!(job.trouble.unwrap().code, "document_unreachable");
    assert!(!job.due_in.is_zero());
    fs::rename(&away, bench.documents()).unwrap();
    assert!(claim(&mut store, seq).is_some_and(|lease| lease.file.is_some()));
}

#[test]
fn another_file_or_kind_of_job_in_the_row_is_noticed() {
    let changes = [
        "UPDATE more SET file = '0123456789abcdef0123456789abcdef'",
        "UPDATE more SET file = 'not a name'",
        "UPDATE more SET file = NULL",
        "UPDATE more SET file_bytes = file_bytes + 1",
        "UPDATE more SET steps = 0",
        "DELETE FROM more",
    ];
    for change in changes {
        let bench = Bench::new("file-altered");
        let mut store = bench.open().unwrap();
        let seq = accept(&bench, &mut store, 1);
        assert_eq!(store.db.execute(change, []).unwrap(), 1, "{change}");
        assert!(claim(&mut store, seq).is_none(), "{change}");
        assert_eq!(state(&mut store, 1), State::Corrupt, "{change}");
    }
}

#[test]
fn what_a_process_left_over_goes_and_nothing_else() {
    let bench = Bench::new("file-orphans");
    let mut store = bench.open().unwrap();
    accept(&bench, &mut store, 1);
    store.close();
    // Renamed, and then the process ended.
    let orphan = write(&bench);
    for other in ["job-1", "job-0123456789abcdef0123456789abcdeX", "tmp-1", "notes.txt"] {
        fs::write(bench.documents().join(other), "").unwrap();
    }
    let left = left_in(&bench.documents());
    assert_eq!(left.len(), 2);
    let store = bench.open().unwrap();
    // One that was made since then is on its way to the queue.
    let fresh = write(&bench);
    store.clear_up(&left);
    assert!(!orphan.path_in(&bench.documents()).exists());
    assert!(fresh.path_in(&bench.documents()).exists());
    assert_eq!(fs::read_dir(bench.documents()).unwrap().count(), 6);
}

#[test]
fn the_files_of_a_database_that_is_set_aside_stay_as_long_as_it() {
    let bench = Bench::new("file-aside");
    let mut store = bench.open().unwrap();
    accept(&bench, &mut store, 1);
    store.close();
    fs::write(bench.path(), vec![b'x'; 10_000]).unwrap();
    let opened = bench.open_anyhow().unwrap();
    let (aside, _) = opened.set_aside.unwrap();
    let store = opened.store;
    for start in ["this", "the next"] {
        store.clear_up(&left_in(&bench.documents()));
        assert_eq!((files(&bench), store.documents()), (1, (0, 0)), "{start} start");
    }
    fs::remove_file(aside).unwrap();
    store.clear_up(&left_in(&bench.documents()));
    assert_eq!(files(&bench), 0);
}
