//! Jobs in steps: what is kept of them, how often they are tried, and what becomes of their steps.

use crate::queue::job::{Answer, Ended, Enqueued, Lease, State, Step, Submission, Trouble};
use crate::queue::store::tests::{Bench, asked, body, key, lane};
use crate::queue::store::{Kept, Kind, Retried, Store};

fn accept(store: &mut Store, name: u8) -> i64 {
    let it = Submission { stepwise: true, ..asked(name, 1, 10) };
    match store.transact(Kind::Durable, |store| store.enqueue(&it)).unwrap() {
        Enqueued::Accepted(job) => job.seq,
        other => panic!("{other:?}"),
    }
}

fn claim(store: &mut Store, seq: i64) -> Option<Lease> {
    store.transact(Kind::Relaxed, |store| store.claim(seq)).unwrap()
}

fn keep(store: &mut Store, seq: i64, number: u64, calls: u32) -> Kept {
    keep_bytes(store, seq, number, (calls, 1024))
}

fn keep_bytes(store: &mut Store, seq: i64, number: u64, (calls, size): (u32, usize)) -> Kept {
    let step = Step { number, data: body(number, size).into(), calls };
    store.transact(Kind::Durable, |store| store.keep(seq, &step)).unwrap()
}

fn end(store: &mut Store, seq: i64, made: u32, ended: &Ended) {
    store.transact(Kind::Durable, |store| store.finish(seq, (5, made), ended)).unwrap();
}

fn again() -> Ended {
    Ended::Again { trouble: trouble(), wait: None }
}

fn trouble() -> Trouble {
    Trouble { code: "busy".to_owned(), message: String::new() }
}

fn answer() -> Answer {
    Answer { status: 200, target: Some("a/b".to_owned()), parcel: body(9, 100).into() }
}

/// The numbers of all steps that are kept, each of which is what was stored.
fn numbers(store: &Store, seq: i64) -> Vec<u64> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (read, bad) = store.steps(seq, after).unwrap();
        assert!(bad.is_empty(), "{bad:?}");
        let bytes: usize = read.steps.iter().map(|step| step.data.len()).sum();
        assert!(bytes <= 256 * 1024, "{bytes} bytes at once");
        for step in read.steps {
            assert!(step.data == body(step.number, step.data.len()), "step {}", step.number);
            all.push(step.number);
        }
        after = read.next;
        if after.is_none() {
            return all;
        }
    }
}

#[test]
fn what_counts_towards_giving_up_begins_anew_with_each_step() {
    let bench = Bench::new("progress");
    let mut store = bench.open().unwrap();
    let seq = accept(&mut store, 1);
    let lease = claim(&mut store, seq).unwrap();
    assert_eq!((lease.stepwise, lease.before, lease.calls, lease.is_last), (true, 0, 5, true));
    end(&mut store, seq, 3, &again());
    let lease = claim(&mut store, seq).unwrap();
    assert_eq!((lease.before, lease.calls), (3, 2));
    assert_eq!(keep(&mut store, seq, 7, 1), Kept::Yes);
    let job = store.job(&key(1)).unwrap().unwrap();
    assert_eq!((job.calls, job.crashes, job.steps), (4, 0, 1), "while it runs");
    end(&mut store, seq, 4, &again());
    let lease = claim(&mut store, seq).unwrap();
    assert_eq!((lease.before, lease.calls), (4, 1));
    end(&mut store, seq, 1, &again());
    assert!(claim(&mut store, seq).is_none());
    let job = store.job(&key(1)).unwrap().unwrap();
    assert_eq!((job.state, job.calls), (State::Failed, 9));
    assert_eq!(job.trouble.unwrap().code, "attempts_used_up");
    let retried = store.transact(Kind::Durable, |store| store.retry(&key(1))).unwrap();
    let Some(Retried::Queued(job)) = retried else { panic!("{retried:?}") };
    assert_eq!((job.calls, job.steps), (0, 1));
    let lease = claim(&mut store, seq).unwrap();
    assert_eq!((lease.before, lease.calls), (0, 5));
    assert_eq!(numbers(&store, seq), [7], "it goes on where it stood");
}

#[test]
fn a_step_of_the_same_number_is_replaced() {
    let bench = Bench::new("replaced");
    let mut store = bench.open().unwrap();
    let seq = accept(&mut store, 1);
    claim(&mut store, seq).unwrap();
    for size in [100, 5000, 10] {
        assert_eq!(keep_bytes(&mut store, seq, 3, (1, size)), Kept::Yes);
        let (read, _) = store.steps(seq, None).unwrap();
        assert_eq!(read.steps.len(), 1);
        assert_eq!(read.steps[0].data, body(3, size));
    }
    let job = store.job(&key(1)).unwrap().unwrap();
    assert_eq!((job.calls, job.steps), (3, 1));
}

#[test]
fn what_does_not_run_keeps_nothing() {
    let bench = Bench::new("not-running");
    let mut store = bench.open().unwrap();
    let seq = accept(&mut store, 1);
    assert_eq!(keep(&mut store, seq, 0, 1), Kept::NotRunning, "it waits");
    assert_eq!(keep(&mut store, 99, 0, 1), Kept::NotRunning, "it is none");
    claim(&mut store, seq).unwrap();
    assert_eq!(keep(&mut store, seq, 0, 1), Kept::Yes);
    store.transact(Kind::Durable, |store| store.cancel(&key(1))).unwrap();
    assert_eq!(keep(&mut store, seq, 1, 1), Kept::NotRunning, "it is cancelled");
    assert!(numbers(&store, seq).is_empty());
    store.transact(Kind::Durable, |store| store.enqueue(&asked(2, 1, 10))).unwrap();
    let plain = store.job(&key(2)).unwrap().unwrap().seq;
    assert!(!claim(&mut store, plain).unwrap().stepwise);
    assert_eq!(keep(&mut store, plain, 0, 1), Kept::NotRunning, "it is not done in steps");
}

#[test]
fn a_process_that_ends_costs_no_call_and_twenty_without_a_step_are_enough() {
    let bench = Bench::new("twenty");
    bench.limits(|limits| limits.max_attempts = 1);
    let mut store = bench.open().unwrap();
    let seq = accept(&mut store, 1);
    for start in 1..=15 {
        assert_eq!(claim(&mut store, seq).expect("a start").calls, 1, "start {start}");
        store = bench.kill(store);
    }
    claim(&mut store, seq).unwrap();
    assert_eq!(keep(&mut store, seq, 0, 1), Kept::Yes);
    // The start that kept the step ends with the process as well.
    for start in 1..=20 {
        store = bench.kill(store);
        let job = store.job(&key(1)).unwrap().unwrap();
        assert_eq!((job.crashes, job.calls), (start, 1));
        assert_eq!(claim(&mut store, seq).is_some(), start < 20, "after start {start}");
    }
    let job = store.job(&key(1)).unwrap().unwrap();
    assert_eq!((job.state, job.trouble.unwrap().code.as_str()), (State::Failed, "quarantined"));
    assert_eq!(store.totals().quarantined, 1);
    store.transact(Kind::Durable, |store| store.retry(&key(1))).unwrap();
    assert!(claim(&mut store, seq).is_some());
    assert_eq!(numbers(&store, seq), [0]);
}

#[test]
fn a_start_that_ends_well_is_no_crash_of_a_step() {
    let bench = Bench::new("well-stepped");
    let mut store = bench.open().unwrap();
    let seq = accept(&mut store, 1);
    for number in 0..3 {
        claim(&mut store, seq).unwrap();
        keep(&mut store, seq, number, 1);
        end(&mut store, seq, 0, &again());
        store = bench.kill(store);
        assert_eq!(store.job(&key(1)).unwrap().unwrap().crashes, 0);
    }
}

/// Two steps of a job that runs, and then what befalls it.
fn after(bench: &Bench, befalls: impl FnOnce(&mut Store, i64)) -> (State, usize, u64) {
    let mut store = bench.open().unwrap();
    let seq = accept(&mut store, 1);
    claim(&mut store, seq).unwrap();
    for number in [4, 5] {
        keep(&mut store, seq, number, 1);
    }
    befalls(&mut store, seq);
    while !store.memory.passed.is_empty() {
        assert!(store.has_chores(false));
        store.transact(Kind::Relaxed, Store::sweep).unwrap();
    }
    let strays: i64 =
        store.db.query_row("SELECT count(*) FROM step", [], |row| row.get(0)).unwrap();
    let job = store.job(&key(1)).unwrap();
    let (state, steps) = job.map_or((State::Corrupt, 0), |job| (job.state, job.steps));
    assert_eq!(strays.unsigned_abs(), steps, "what is told is what is there");
    (state, numbers(&store, seq).len(), steps)
}

#[test]
fn steps_stay_while_somebody_may_go_on_from_them() {
    type Befalls = fn(&mut Store, i64);
    let table: [(&str, Befalls, (State, usize, u64)); 8] = [
        ("again", |store, seq| end(store, seq, 0, &again()), (State::Queued, 2, 2)),
        (
            "failed",
            |store, seq| end(store, seq, 1, &Ended::Failed(answer(), trouble())),
            (State::Failed, 2, 2),
        ),
        (
            "expired",
            |store, seq| {
                end(store, seq, 0, &again());
                store.clock.base += 8 * 86_400_000;
                store.transact(Kind::Relaxed, Store::sweep).unwrap();
            },
            (State::Expired, 2, 2),
        ),
        (
            "succeeded",
            |store, seq| end(store, seq, 1, &Ended::Succeeded(answer())),
            (State::Succeeded, 0, 0),
        ),
        (
            "draft",
            |store, seq| end(store, seq, 1, &Ended::Draft(answer(), lane(1))),
            (State::Queued, 0, 0),
        ),
        (
            "cancelled",
            |store, _| drop(store.transact(Kind::Durable, |store| store.remove(&key(1)))),
            (State::Cancelled, 0, 0),
        ),
        (
            "corrupt",
            |store, seq| {
                end(store, seq, 0, &again());
                store.db.execute("UPDATE job SET path = '/v1/asl'", []).unwrap();
                assert!(claim(store, seq).is_none());
            },
            (State::Corrupt, 0, 0),
        ),
        (
            "gone",
            |store, seq| {
                end(store, seq, 1, &Ended::Failed(answer(), trouble()));
                store.transact(Kind::Durable, |store| store.remove(&key(1))).unwrap();
                store.transact(Kind::Relaxed, Store::sweep).unwrap();
            },
            (State::Corrupt, 0, 0),
        ),
    ];
    for (what, befalls, wanted) in table {
        assert_eq!(after(&Bench::new("stay"), befalls), wanted, "{what}");
    }
}

#[test]
fn who_betters_a_draft_has_all_calls_and_begins_anew() {
    let bench = Bench::new("draft");
    let mut store = bench.open().unwrap();
    let seq = accept(&mut store, 1);
    claim(&mut store, seq).unwrap();
    keep(&mut store, seq, 0, 1);
    end(&mut store, seq, 4, &Ended::Draft(answer(), lane(1)));
    let lease = claim(&mut store, seq).unwrap();
    assert_eq!((lease.before, lease.calls, lease.draft.as_deref()), (0, 5, Some("a/b")));
    assert_eq!(store.job(&key(1)).unwrap().unwrap().calls, 5);
    assert!(numbers(&store, seq).is_empty());
}

#[test]
fn a_step_that_was_altered_is_left_out_and_done_again() {
    let table = [
        ("UPDATE step SET data = x'00' WHERE at = (?1 << 24) + 1", vec![0, 2]),
        ("UPDATE step SET crc = crc + 1 WHERE at = (?1 << 24)", vec![1, 2]),
        ("UPDATE step SET data = zeroblob(10000000) WHERE at = (?1 << 24) + 2", vec![0, 1]),
        ("UPDATE step SET at = at + 5 WHERE at = (?1 << 24) + 2", vec![0, 1]),
    ];
    for (change, wanted) in table {
        let bench = Bench::new("altered-step");
        let mut store = bench.open().unwrap();
        let seq = accept(&mut store, 1);
        claim(&mut store, seq).unwrap();
        for number in 0..3 {
            keep(&mut store, seq, number, 1);
        }
        assert_eq!(store.db.execute(change, [seq]).unwrap(), 1, "{change}");
        let (read, bad) = store.steps(seq, None).unwrap();
        let found: Vec<u64> = read.steps.iter().map(|step| step.number).collect();
        assert_eq!((found, bad.len()), (wanted.clone(), 1), "{change}");
        store.transact(Kind::Relaxed, |store| store.forget_steps(seq, &bad)).unwrap();
        assert_eq!((store.totals().corrupt_steps, store.totals().corrupt), (1, 0), "{change}");
        assert_eq!(numbers(&store, seq), wanted, "{change}");
        assert_eq!(store.job(&key(1)).unwrap().unwrap().steps, 2, "{change}");
    }
}

#[test]
fn steps_of_another_job_or_number_are_not_taken_for_its_own() {
    let bench = Bench::new("others-step");
    let mut store = bench.open().unwrap();
    let (one, other) = (accept(&mut store, 1), accept(&mut store, 2));
    for seq in [one, other] {
        claim(&mut store, seq).unwrap();
        keep(&mut store, seq, 0, 1);
    }
    let moved = "UPDATE step SET at = at - (?1 << 24) + 1 WHERE at = (?2 << 24)";
    assert_eq!(store.db.execute(moved, [other - one, other]).unwrap(), 1);
    let (read, bad) = store.steps(one, None).unwrap();
    assert_eq!((read.steps.len(), bad), (1, vec![1]));
}

#[test]
fn many_steps_are_read_and_deleted_some_at_once() {
    let bench = Bench::new("many");
    let mut store = bench.open().unwrap();
    let (one, other) = (accept(&mut store, 1), accept(&mut store, 2));
    for seq in [one, other] {
        claim(&mut store, seq).unwrap();
    }
    for number in 0..400 {
        let size = [0, 200, 1024, 4096, 65_536][usize::try_from(number % 5).unwrap()];
        assert_eq!(keep_bytes(&mut store, one, number, (1, size)), Kept::Yes);
        keep(&mut store, other, number, 1);
    }
    assert_eq!(numbers(&store, one), Vec::from_iter(0..400));
    store.settle_growth().unwrap();
    store.db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    end(&mut store, one, 1, &Ended::Succeeded(answer()));
    assert!(numbers(&store, one).is_empty());
    // A start in between goes on with it, and gives nobody its place.
    store = bench.kill(store);
    let mut sweeps = 0;
    while !store.memory.passed.is_empty() {
        store.db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        store.transact(Kind::Relaxed, Store::sweep).unwrap();
        // On a full disk, only the ballast makes room for it.
        let log = std::fs::metadata(bench.wal()).unwrap().len();
        assert!(log < 400 * 1024, "{log} bytes");
        sweeps += 1;
    }
    assert_eq!(sweeps, 7);
    assert_eq!(numbers(&store, other).len(), 400);
    let rows: i64 = store.db.query_row("SELECT count(*) FROM step", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 400);
}

#[test]
fn a_step_that_has_no_room_harms_nothing() {
    let bench = Bench::new("full-step");
    bench.limits(|limits| limits.quota = 512 * 1024);
    let mut store = bench.open().unwrap();
    let seq = accept(&mut store, 1);
    claim(&mut store, seq).unwrap();
    let full = (0..).find_map(|number| match keep_bytes(&mut store, seq, number, (1, 4000)) {
        Kept::Full(why) => Some((number, why)),
        other => {
            assert_eq!(other, Kept::Yes);
            None
        }
    });
    let (kept, why) = full.unwrap();
    assert!(kept > 50 && why.contains("raise quota"), "{kept} steps, then {why}");
    assert!(store.has_room().unwrap(), "a result still finds room");
    let job = store.job(&key(1)).unwrap().unwrap();
    assert_eq!((job.steps, u64::from(job.calls)), (kept, kept), "the last one did nothing");
    for too_much in [(1 << 20, 10), (0, 70_000)] {
        let (number, size) = too_much;
        let kept = keep_bytes(&mut store, seq, number, (1, size));
        assert!(matches!(kept, Kept::Full(why) if why.contains("at most")), "{too_much:?}");
    }
    store.drop_ballast().unwrap();
    let kept = keep_bytes(&mut store, seq, 0, (1, 10));
    assert!(matches!(kept, Kept::Full(why) if why.contains("disk is full")));
    end(&mut store, seq, 1, &Ended::Succeeded(answer()));
    assert_eq!(store.job(&key(1)).unwrap().unwrap().state, State::Succeeded);
}

#[test]
fn the_place_of_a_job_that_is_gone_is_not_given_while_its_steps_are_there() {
    let bench = Bench::new("place");
    let mut store = bench.open().unwrap();
    let seq = accept(&mut store, 1);
    claim(&mut store, seq).unwrap();
    keep(&mut store, seq, 0, 1);
    for _ in ["cancel it", "let it go"] {
        store.transact(Kind::Durable, |store| store.remove(&key(1))).unwrap();
    }
    store.transact(Kind::Relaxed, Store::let_go).unwrap();
    store = bench.kill(store);
    let next = accept(&mut store, 1);
    assert!(next > seq, "{next} after {seq}");
    claim(&mut store, next).unwrap();
    assert!(numbers(&store, next).is_empty());
}

#[test]
fn steps_may_be_begun_anew_again_and_again() {
    let bench = Bench::new("anew");
    let mut store = bench.open().unwrap();
    let seq = accept(&mut store, 1);
    for time in 0..40 {
        claim(&mut store, seq).unwrap();
        assert!(numbers(&store, seq).is_empty(), "time {time}");
        for number in 0..100 {
            keep_bytes(&mut store, seq, number, (1, 10));
        }
        assert_eq!(numbers(&store, seq).len(), 100, "time {time}");
        store.transact(Kind::Durable, |store| store.cancel(&key(1))).unwrap();
        end(&mut store, seq, 0, &again());
        store.transact(Kind::Durable, |store| store.retry(&key(1))).unwrap();
        if time % 3 == 0 {
            store = bench.kill(store);
        }
    }
    assert!(store.memory.passed.len() <= 16);
}
