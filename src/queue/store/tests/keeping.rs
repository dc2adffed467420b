//! What is kept of jobs: whole or not at all, never too often, and on a full disk too.

use crate::queue::job::{Answer, Ended, Enqueued, Lease, State, Trouble, Which};
use crate::queue::store::tests::{Bench, asked, body, key};
use crate::queue::store::{Found, Kind, Store};

fn accept(store: &mut Store, name: u8, size: usize) -> i64 {
    match store.transact(Kind::Durable, |store| store.enqueue(&asked(name, 1, size))).unwrap() {
        Enqueued::Accepted(job) => job.seq,
        other => panic!("{other:?}"),
    }
}

fn claim(store: &mut Store, seq: i64) -> Option<Lease> {
    store.transact(Kind::Relaxed, |store| store.claim(seq)).unwrap()
}

fn succeed(store: &mut Store, lease: &Lease, size: usize) {
    let parcel = body(9, size).into();
    let ended = Ended::Succeeded(Answer { status: 200, target: None, parcel });
    let calls = (lease.calls, 1);
    store.transact(Kind::Durable, |store| store.finish(lease.seq, calls, &ended)).unwrap();
}

fn state(store: &mut Store, name: u8) -> State {
    store.job(&key(name)).unwrap().unwrap().state
}

/// In its row, and apart from it.
const SIZES: [usize; 2] = [100, 9000];

/// One bit, where a body of this length is.
fn flip(store: &Store, size: usize, in_row: &str) {
    let flipped = |data: Vec<u8>| {
        let mut data = data;
        data[size / 2] ^= 4;
        data
    };
    let (read, write) = match size {
        100 => (format!("SELECT {in_row} FROM job"), format!("UPDATE job SET {in_row} = ?1")),
        _ => ("SELECT data FROM payload".to_owned(), "UPDATE payload SET data = ?1".to_owned()),
    };
    let data: Vec<u8> = store.db.query_row(&read, [], |row| row.get(0)).unwrap();
    assert_eq!(store.db.execute(&write, [flipped(data)]).unwrap(), 1);
}

#[test]
fn a_payload_that_was_altered_is_neither_run_nor_shown() {
    for size in SIZES {
        let bench = Bench::new("payload");
        let mut store = bench.open().unwrap();
        let seq = accept(&mut store, 1, size);
        assert_eq!(store.payload(&key(1)).unwrap().unwrap(), body(1, size));
        flip(&store, size, "body");
        assert_eq!(store.payload(&key(1)).unwrap(), None);
        assert!(claim(&mut store, seq).is_none());
        assert_eq!(state(&mut store, 1), State::Corrupt);
        assert_eq!((store.totals().corrupt, store.counts().of(State::Corrupt)), (1, 1));
    }
}

#[test]
fn a_job_under_an_altered_name_is_not_run_for_somebody_else() {
    for change in ["owner = 'somebodz'", "id = 'job-2'", "path = '/v1/asl'"] {
        let bench = Bench::new("name");
        let mut store = bench.open().unwrap();
        let seq = accept(&mut store, 1, 100);
        store.db.execute(&format!("UPDATE job SET {change}"), []).unwrap();
        assert!(claim(&mut store, seq).is_none(), "{change}");
        assert_eq!(store.counts().of(State::Corrupt), 1, "{change}");
    }
}

#[test]
fn an_answer_that_was_altered_is_not_served() {
    for size in SIZES {
        let bench = Bench::new("answer");
        let mut store = bench.open().unwrap();
        let seq = accept(&mut store, 1, 10);
        let lease = claim(&mut store, seq).unwrap();
        succeed(&mut store, &lease, size);
        let whole = store.answer(&key(1), Which::Best).unwrap();
        assert!(matches!(whole, Some(Found::Answer { parcel, .. }) if parcel == body(9, size)));
        flip(&store, size, "result");
        for _ in 0..2 {
            let found = store.answer(&key(1), Which::Best).unwrap();
            assert!(matches!(found, Some(Found::Corrupt(of)) if of == seq), "{found:?}");
            store.transact(Kind::Durable, |store| store.mark_corrupt(seq)).unwrap();
        }
        assert_eq!(state(&mut store, 1), State::Corrupt);
        assert_eq!(store.totals().corrupt, 1, "it is counted once");
    }
}

#[test]
fn three_starts_that_end_with_the_process_are_enough() {
    let bench = Bench::new("poison");
    let mut store = bench.open().unwrap();
    let seq = accept(&mut store, 1, 10);
    let mut calls = 0;
    for start in 1..=3 {
        assert_eq!(state(&mut store, 1), State::Queued, "before start {start}");
        calls += claim(&mut store, seq).unwrap().calls;
        store = bench.kill(store);
    }
    let job = store.job(&key(1)).unwrap().unwrap();
    assert_eq!((job.state, job.trouble.unwrap().code.as_str()), (State::Failed, "quarantined"));
    assert_eq!(store.totals().quarantined, 1);
    assert!(calls <= 5, "{calls} calls");
    assert!(claim(&mut store, seq).is_none());
}

#[test]
fn a_start_that_ends_well_is_no_crash() {
    let bench = Bench::new("well");
    let mut store = bench.open().unwrap();
    let seq = accept(&mut store, 1, 10);
    for _ in 0..4 {
        let lease = claim(&mut store, seq).unwrap();
        let trouble = Trouble { code: "busy".to_owned(), message: String::new() };
        let ended = Ended::Again { trouble, wait: None };
        let calls = (lease.calls, 0);
        store.transact(Kind::Relaxed, |store| store.finish(seq, calls, &ended)).unwrap();
        store = bench.kill(store);
    }
    assert_eq!(state(&mut store, 1), State::Queued);
}

#[test]
fn acknowledged_jobs_are_deleted_by_the_score() {
    let bench = Bench::new("score");
    let mut store = bench.open().unwrap();
    for name in 1..=25 {
        let seq = accept(&mut store, name, 10);
        let lease = claim(&mut store, seq).unwrap();
        succeed(&mut store, &lease, 10);
    }
    for name in 1..=20 {
        assert_eq!(rows(&store), 25, "before {name}");
        store.transact(Kind::Durable, |store| store.remove(&key(name))).unwrap();
        assert!(store.job(&key(name)).unwrap().is_none());
    }
    store.transact(Kind::Durable, |store| store.remove(&key(21))).unwrap();
    assert_eq!(rows(&store), 5);
    let mut store = bench.kill(store);
    assert!(store.job(&key(20)).unwrap().is_none());
    // What a crash can undo is less than a score.
    assert!(store.job(&key(21)).unwrap().is_some());
    store.transact(Kind::Durable, |store| store.remove(&key(21))).unwrap();
    store.close();
    assert!(bench.open().unwrap().job(&key(21)).unwrap().is_none());
}

fn rows(store: &Store) -> i64 {
    store.db.query_row("SELECT count(*) FROM job", [], |row| row.get(0)).unwrap()
}

#[test]
fn without_its_ballast_it_drains_and_takes_nothing() {
    let bench = Bench::new("ballast");
    let mut store = bench.open().unwrap();
    let seq = accept(&mut store, 1, 10);
    assert!(store.has_room().unwrap() && !store.has_chores(true));
    assert_eq!(store.drop_ballast(), Ok(true));
    assert_eq!(store.drop_ballast(), Ok(false), "it is there once");
    let refused = store.transact(Kind::Durable, |store| store.enqueue(&asked(2, 1, 10))).unwrap();
    assert!(matches!(refused, Enqueued::Full(why) if why.contains("disk is full")));
    assert!(!store.has_room().unwrap(), "what could not be stored is not started");
    store.transact(Kind::Durable, |store| store.remove(&key(1))).unwrap();
    assert!(store.row_at(seq).unwrap().is_some_and(|row| row.state == State::Cancelled));
    assert_eq!(store.make_room(), Ok(true));
    assert_eq!(store.make_room(), Ok(false), "it is there again");
    assert!(store.has_room().unwrap());
    accept(&mut store, 2, 10);
}

#[test]
fn what_is_new_comes_to_its_place_before_it_needs_more_than_the_ballast() {
    let bench = Bench::new("growth");
    let mut store = bench.open().unwrap();
    let mut most = 0;
    for name in 0..100 {
        accept(&mut store, name, 20_000);
        most = most.max(store.growth().unwrap());
        store.settle_growth().unwrap();
    }
    assert!((200_000..=300_000).contains(&most), "{most} bytes");
    accept(&mut store, 100, 400_000);
    assert!(store.growth().unwrap() > 400_000, "it is in the log alone");
    store.settle_growth().unwrap();
    assert_eq!(store.growth(), Ok(0));
}

#[test]
fn on_a_full_disk_the_file_becomes_small_again() {
    let bench = Bench::new("shrinking");
    let mut store = bench.open().unwrap();
    for name in 0..200 {
        accept(&mut store, name, 20_000);
    }
    // What is left is as much as is copied at most.
    for name in 24..200 {
        for _ in ["cancel it", "let it go"] {
            store.transact(Kind::Durable, |store| store.remove(&key(name))).unwrap();
        }
    }
    store.transact(Kind::Relaxed, Store::sweep).unwrap();
    assert!(store.used_bytes().unwrap() > 480 * 1024);
    assert_eq!(store.drop_ballast(), Ok(true));
    let large = std::fs::metadata(bench.path()).unwrap().len();
    store.make_room().unwrap();
    let small = std::fs::metadata(bench.path()).unwrap().len();
    assert!(large > 3_000_000 && small <= 512 * 1024, "{large} bytes, then {small}");
    for name in 0..24 {
        assert_eq!(store.payload(&key(name)).unwrap(), Some(body(1, 20_000)));
    }
    store.drop_ballast().unwrap();
    store.make_room().unwrap();
    assert_eq!(std::fs::metadata(bench.path()).unwrap().len(), small);
}

#[test]
fn a_full_quota_keeps_room_for_the_answers() {
    let bench = Bench::new("quota");
    bench.limits(|limits| limits.quota = 512 * 1024);
    let mut store = bench.open().unwrap();
    let mut taken = Vec::new();
    let full = loop {
        let name = u8::try_from(taken.len()).unwrap();
        let submission = asked(name, 1, 20_000);
        match store.transact(Kind::Durable, |store| store.enqueue(&submission)).unwrap() {
            Enqueued::Accepted(job) => taken.push(job.seq),
            Enqueued::Full(why) => break why,
            other => panic!("{other:?}"),
        }
    };
    assert!(full.contains("raise quota"), "{full}");
    assert!(taken.len() > 5, "{} jobs", taken.len());
    for seq in &taken {
        assert!(store.has_room().unwrap(), "for the answer of {seq}");
        let lease = claim(&mut store, *seq).unwrap();
        succeed(&mut store, &lease, 20_000);
    }
    assert_eq!(store.counts().of(State::Succeeded), taken.len() as u64);
    for name in 0..taken.len() {
        let name = key(u8::try_from(name).unwrap());
        store.transact(Kind::Durable, |store| store.remove(&name)).unwrap();
    }
    store.transact(Kind::Relaxed, Store::sweep).unwrap();
    accept(&mut store, 200, 20_000);
}

#[test]
fn what_has_ended_is_not_taken_back() {
    let bench = Bench::new("cancel");
    let mut store = bench.open().unwrap();
    let seq = accept(&mut store, 1, 10);
    accept(&mut store, 2, 10);
    let lease = claim(&mut store, seq).unwrap();
    succeed(&mut store, &lease, 100);
    for (name, state) in [(1, State::Succeeded), (2, State::Cancelled), (2, State::Cancelled)] {
        let job = store.transact(Kind::Durable, |store| store.cancel(&key(name))).unwrap();
        assert_eq!(job.map(|job| job.state), Some(state));
    }
    assert!(store.transact(Kind::Durable, |store| store.cancel(&key(3))).unwrap().is_none());
    assert!(matches!(store.answer(&key(1), Which::Best), Ok(Some(Found::Answer { .. }))));
}
