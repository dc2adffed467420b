//! Random sequences of what can befall a queue, on the store and on a model of it: after each step
//! they must agree. `EDGEHOLD_CASES` says how many, `EDGEHOLD_SEED` which one comes first.
//!
//! In one file, as every step is done to both in one `match`: what it is, is in `actions`, the model in
//! `model`, and how the two are compared in `compare`.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use crate::queue::facts::Totals;
use crate::queue::job::{Answer, Ended, Enqueued, Lease, Step, Submission, Trouble};
use crate::queue::line::Opening;
use crate::queue::names::FileName;
use crate::queue::store::tests::actions::{Action, End, Order, Story};
use crate::queue::store::tests::compare::{HALF_HOUR, Pair, Wrong, agree};
use crate::queue::store::tests::model::{Flaw, Model, Taken, Time};
use crate::queue::store::tests::{Bench, asked, body, key, lane};
use crate::queue::store::{Carried, Fault, Kept, Kind, PAGE, Removed, Retried, Store, left_in};
use crate::random::bits;

/// Sequences on each run of the tests.
const CASES: u64 = 1000;

/// Sequences in which a flaw has to be noticed.
const CONTROLS: u64 = 200;

/// What a transaction that is doomed comes to.
const DISK: &str = "the disk failed";

#[test]
fn the_store_does_what_the_model_does() {
    let bench = Bench::new("model");
    let first = number("EDGEHOLD_SEED").unwrap_or_else(fresh_seed);
    for seed in first..first + number("EDGEHOLD_CASES").unwrap_or(CASES) {
        let story = Story::of(seed);
        if let Err(why) = told(&bench, &story, Flaw::None) {
            let least = shrunk(&bench, story);
            let still = told(&bench, &least, Flaw::None);
            panic!("EDGEHOLD_SEED={seed}: {why}\nless of it: {still:?}\n{least:#?}");
        }
    }
}

#[test]
fn a_model_that_is_wrong_is_noticed() {
    let bench = Bench::new("flawed");
    for flaw in
        [Flaw::Reversed, Flaw::Stays, Flaw::Forgives, Flaw::Believes, Flaw::Resents, Flaw::Hoards]
    {
        let is_noticed = |story: &Story| {
            told(&bench, story, flaw).is_err() && told(&bench, story, Flaw::None).is_ok()
        };
        assert!((0..CONTROLS).any(|seed| is_noticed(&Story::of(seed))), "{flaw:?}");
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Other sequences on each run; small enough to be typed again.
fn fresh_seed() -> u64 {
    bits() >> 40
}

/// Steps that the failure does not need are taken out, one after the other.
fn shrunk(bench: &Bench, mut story: Story) -> Story {
    for at in (0..story.steps.len()).rev() {
        let mut less = story.clone();
        less.steps.remove(at);
        if told(bench, &less, Flaw::None).is_err() {
            story = less;
        }
    }
    story
}

/// Goes through a sequence.
fn told(bench: &Bench, story: &Story, flaw: Flaw) -> Result<(), Wrong> {
    bench.clear();
    fs::remove_dir_all(bench.documents()).ok();
    left_in(&bench.documents());
    let mut pair = Pair::new(bench, story, flaw);
    for (at, step) in story.steps.iter().enumerate() {
        let done = pair.step(step.action, step.is_doomed).and_then(|()| pair.compare());
        done.map_err(|why| format!("step {at}, {step:?}: {why}"))?;
    }
    pair.compare_bodies()
}

impl<'a> Pair<'a> {
    fn new(bench: &'a Bench, story: &Story, flaw: Flaw) -> Self {
        bench.limits(|limits| {
            limits.max_jobs = story.max_jobs;
            limits.quota = story.quota;
            limits.max_attempts = story.max_attempts;
            limits.result_ttl = Duration::from_millis(49 * HALF_HOUR);
        });
        let model = Model {
            flaw,
            now: 0,
            max_jobs: story.max_jobs,
            max_attempts: story.max_attempts,
            result_ttl: 49,
            jobs: BTreeMap::new(),
            runs: BTreeMap::new(),
            last: 0,
            totals: Totals::default(),
        };
        let store = Some(bench.open().unwrap());
        let mut pair = Self { bench, store, model, cuts: story.cuts, synced: None };
        pair.is_synced();
        pair
    }

    /// Everything that was committed is on stable storage.
    fn is_synced(&mut self) {
        if self.cuts {
            self.bench.keep_synced();
            self.synced = Some(self.model.clone());
        }
    }

    fn step(&mut self, action: Action, is_doomed: bool) -> Result<(), Wrong> {
        let (before, opens) = (self.store().db.total_changes(), action.opens());
        let is_durable = action.is_durable() && !is_doomed;
        self.act_out(action, is_doomed)?;
        if opens || (is_durable && self.store().db.total_changes() != before) {
            self.is_synced();
        }
        Ok(())
    }

    fn act_out(&mut self, action: Action, is_doomed: bool) -> Result<(), Wrong> {
        let before = self.model.clone();
        match action {
            Action::Enqueue(order) => self.enqueue(&order, is_doomed)?,
            Action::Claim { shut } => self.claim(shut, is_doomed)?,
            Action::Finish { which, made, end, size } => {
                self.finish(which, (made, end, size), is_doomed)?;
            }
            Action::Keep { which, number, size, calls } => {
                self.keep(which, (number, size, calls), is_doomed)?;
            }
            Action::Pass { hours } => self.pass(hours)?,
            Action::Sweep => {
                self.act(Kind::Relaxed, is_doomed, Store::sweep)?;
                self.model.sweep();
            }
            Action::Remove { name } => self.remove(name, is_doomed)?,
            Action::Retry { name } => self.retry(name, is_doomed)?,
            Action::Crash => self.crash()?,
            Action::PowerCut => self.cut_power()?,
            Action::Restart => self.restart()?,
            Action::Reopen => self.reopen()?,
            Action::Reload { result_ttl, max_attempts } => self.reload(result_ttl, max_attempts)?,
        }
        let in_transaction =
            !action.opens() && !matches!(action, Action::Pass { .. } | Action::Reload { .. });
        if is_doomed && in_transaction && self.model.flaw != Flaw::Believes {
            self.model = before;
        }
        Ok(())
    }

    /// The time is stored every hour; the last may be lost.
    fn pass(&mut self, hours: u64) -> Result<(), Wrong> {
        for _ in 0..hours {
            self.act(Kind::Relaxed, false, Store::store_age)?;
            self.store().clock.base += 2 * HALF_HOUR;
        }
        self.model.now += hours * 2;
        Ok(())
    }

    /// Does it in a transaction; where that is doomed, it is done and then the disk fails.
    fn act<T>(
        &mut self,
        kind: Kind,
        is_doomed: bool,
        work: impl FnOnce(&mut Store) -> Result<T, Fault>,
    ) -> Result<T, Wrong> {
        self.try_to(kind, is_doomed, work)?.map_err(|fault| format!("{fault:?}"))
    }

    fn try_to<T>(
        &mut self,
        kind: Kind,
        is_doomed: bool,
        work: impl FnOnce(&mut Store) -> Result<T, Fault>,
    ) -> Result<Result<T, Fault>, Wrong> {
        let mut found = None;
        let done = self.store().transact(kind, |store| {
            found = Some(work(store)?);
            if is_doomed { Err(Fault::Disk(DISK.to_owned())) } else { Ok(()) }
        });
        match (done, found) {
            (Err(Fault::Disk(why)), Some(found)) if is_doomed && why == DISK => Ok(Ok(found)),
            (Err(fault), None) => Ok(Err(fault)),
            (Ok(()), Some(found)) => Ok(Ok(found)),
            (done, _) => Err(format!("the transaction came to {done:?}")),
        }
    }

    fn enqueue(&mut self, order: &Order, is_doomed: bool) -> Result<(), Wrong> {
        let it = submission(order);
        let brought = (it.payload.to_vec(), it.file.clone());
        if let Some(name) = &it.file {
            let bytes = vec![1; usize::try_from(it.file_bytes).unwrap()];
            fs::write(name.path_in(&self.bench.documents()), bytes).unwrap();
        }
        let wanted = self.model.offered(order);
        let (most, least) = (self.most_bytes() + order.size as u64, self.least_bytes());
        let done = self.act(Kind::Durable, is_doomed, |store| store.enqueue(&it))?;
        // As the thread does it, whatever came of the job.
        self.store().unlink_unnamed(&Vec::from_iter(it.file.clone()));
        match done {
            Enqueued::Accepted(job) => {
                agree!(Taken::New, wanted, "a job was taken");
                agree!(job.seq > self.model.last, true, "place {} was given anew", job.seq);
                let room = self.store().limits.quota - self.store().limits.room_for_results();
                agree!(least <= room, true, "{least} bytes are in {room}");
                self.model.accept(job.seq, order, brought);
            }
            Enqueued::Replayed(job) => {
                agree!(Taken::Again(job.seq), wanted, "a job was taken for one that is there");
                self.model.totals.replayed += 1;
            }
            Enqueued::Conflict => agree!(Taken::Conflict, wanted, "another job has its name"),
            Enqueued::Full(why) => {
                self.model.forget(order.name);
                self.model.totals.refused += 1;
                if wanted == Taken::New {
                    let room = self.store().limits.quota - self.store().limits.room_for_results();
                    agree!(most > room, true, "{most} bytes do not fit in {room}: {why}");
                } else {
                    agree!(Taken::TooMany, wanted, "a job was refused: {why}");
                }
            }
        }
        Ok(())
    }

    fn claim(&mut self, shut: Option<u8>, is_doomed: bool) -> Result<(), Wrong> {
        let next = {
            let store = self.store();
            let now = store.now();
            store.line().next(now, |it| match shut.is_some_and(|shut| *it == lane(shut)) {
                true => Opening::Shut(None),
                false => Opening::Open,
            })
        };
        self.store().line().reopen();
        agree!(next, self.model.next(shut), "the next job");
        let Some(seq) = next else { return Ok(()) };
        let lease = self.act(Kind::Relaxed, is_doomed, |store| store.claim(seq))?;
        agree!(lease.is_some(), self.model.claim(seq), "whether job {seq} is started");
        match lease {
            Some(lease) => self.start(seq, &lease),
            None => Ok(()),
        }
    }

    fn start(&mut self, seq: i64, lease: &Lease) -> Result<(), Wrong> {
        let job = &self.model.jobs[&seq];
        agree!(lease.key, key(job.name), "whose job {seq} is");
        agree!(Some(lease.payload.to_vec()), job.payload, "what job {seq} is about");
        agree!(lease.before, job.before(), "the calls before of job {seq}");
        agree!(lease.stepwise, job.steps.is_some(), "whether job {seq} is done in steps");
        let file = lease.file.as_ref().map(|file| (file.path.clone(), file.bytes));
        let folder = self.bench.documents();
        let wanted = job.file.as_ref().map(|(name, bytes)| (name.path_in(&folder), *bytes));
        agree!(file, wanted, "the file of job {seq}");
        agree!(lease.draft.is_some(), job.draft.is_some(), "the draft of job {seq}");
        let used = lease.before + lease.calls;
        agree!(lease.calls > 0 && used <= self.model.max_attempts, true, "calls of job {seq}");
        agree!(lease.is_last, used == self.model.max_attempts, "whether it is the last of {seq}");
        // Of a job in steps, nothing is counted before it is done.
        self.model.start(seq, if lease.stepwise { 0 } else { lease.calls });
        agree!(!lease.stepwise || lease.is_last, true, "the calls of a step are given whole");
        Ok(())
    }

    fn keep(
        &mut self,
        which: usize,
        (number, size, calls): (u64, usize, u32),
        is_doomed: bool,
    ) -> Result<(), Wrong> {
        // One that never was may be asked for as well.
        let seq = self.model.runs.keys().nth(which).copied().unwrap_or(1);
        let data = body(number ^ u64::from(calls), size);
        let step = Step { number, data: data.clone().into(), calls };
        let may = self.model.may_keep(seq);
        let done = self.act(Kind::Durable, is_doomed, |store| store.keep(seq, &step))?;
        let limits = &self.store().limits;
        let room = limits.quota - limits.largest_result();
        let (most, least) = (self.most_bytes(), self.least_bytes());
        match done {
            Kept::NotRunning => agree!(may, false, "job {seq} runs in steps"),
            Kept::Yes => {
                agree!(may, true, "a step of job {seq} was kept");
                agree!(least <= room, true, "{least} bytes are in {room}");
                self.model.keep(seq, (number, calls), data);
            }
            Kept::Full(why) => {
                let most = most + (size as u64) + 2 * PAGE;
                agree!(may && most > room, true, "{most} bytes do not fit in {room}: {why}");
            }
        }
        Ok(())
    }

    fn finish(
        &mut self,
        which: usize,
        (made, end, size): (u32, End, usize),
        is_doomed: bool,
    ) -> Result<(), Wrong> {
        let Some((&seq, &given)) = self.model.runs.iter().nth(which) else { return Ok(()) };
        let in_steps = self.model.jobs.get(&seq).is_some_and(|job| job.steps.is_some());
        // What it was given was not counted then.
        let (given, made) = if in_steps { (given + 7, made) } else { (given, made.min(given)) };
        let answer = body(seq.unsigned_abs() ^ 0xff, size);
        let ended = ended(end, &answer);
        let done =
            self.try_to(Kind::Durable, is_doomed, |store| store.finish(seq, (given, made), &ended));
        let fits = self.most_bytes() + answer.len() as u64 <= self.store().limits.quota;
        match done? {
            Ok(()) if !fits && !is_doomed && self.was_too_large(seq)? => {
                let most = self.store().limits.largest_result();
                agree!(answer.len() as u64 > most, true, "{size} bytes were too large for {most}");
                self.model.finish_without_room(seq, made);
            }
            Ok(()) => self.model.finish(seq, made, end, answer),
            // A transaction that failed in its work changes nothing, and may be tried again.
            Err(Fault::Full) => agree!(fits, false, "there is no room for {size} bytes"),
            Err(fault) => return Err(format!("{fault:?}")),
        }
        Ok(())
    }

    fn was_too_large(&mut self, seq: i64) -> Result<bool, Wrong> {
        let row = self.store().row_at(seq).map_err(|fault| format!("{fault:?}"))?;
        let trouble = row.and_then(|row| row.trouble);
        Ok(trouble.is_some_and(|trouble| trouble.code == "result_too_large"))
    }

    fn remove(&mut self, name: u8, is_doomed: bool) -> Result<(), Wrong> {
        let known = self.model.named(name);
        let done = self.act(Kind::Durable, is_doomed, |store| store.remove(&key(name)))?;
        agree!(done.is_some(), known.is_some(), "whether there is a job {name}");
        let (Some(done), Some(seq)) = (done, known) else { return Ok(()) };
        let is_final = self.model.jobs[&seq].state.is_final();
        agree!(matches!(done, Removed::Gone), is_final, "whether job {seq} had ended");
        self.model.remove(seq);
        Ok(())
    }

    fn retry(&mut self, name: u8, is_doomed: bool) -> Result<(), Wrong> {
        let known = self.model.named(name);
        let done = self.act(Kind::Durable, is_doomed, |store| store.retry(&key(name)))?;
        agree!(done.is_some(), known.is_some(), "whether there is a job {name}");
        let (Some(done), Some(seq)) = (done, known) else { return Ok(()) };
        let may = self.model.may_be_retried(seq);
        agree!(matches!(done, Retried::Queued(_)), may, "whether job {seq} is tried again");
        if may {
            self.model.retry(seq);
        }
        Ok(())
    }

    /// What a killed process leaves is what is in its files.
    fn crash(&mut self) -> Result<(), Wrong> {
        self.bench.keep_files();
        self.store = None;
        self.bench.put_back_files();
        self.begin_again()
    }

    /// What is in the files then is what was synced last; the jobs' own files are as they were.
    fn cut_power(&mut self) -> Result<(), Wrong> {
        let Some(synced) = self.synced.clone() else { return self.crash() };
        self.store = None;
        self.bench.put_back_synced();
        let Model { max_attempts, result_ttl, .. } = self.model;
        self.model = Model { max_attempts, result_ttl, ..synced };
        self.begin_again()
    }

    fn begin_again(&mut self) -> Result<(), Wrong> {
        self.open_again()?;
        self.clear_up();
        self.model.jobs.values_mut().for_each(|job| job.is_gone = false);
        self.model.begin_again();
        Ok(())
    }

    fn clear_up(&mut self) {
        let left = left_in(&self.bench.documents());
        self.store().clear_up(&left);
    }

    fn restart(&mut self) -> Result<(), Wrong> {
        let before = self.model.now;
        self.store.take().unwrap().close();
        agree!(fs::exists(self.bench.wal()).unwrap(), false, "whether a log is left");
        self.open_again()?;
        self.clear_up();
        agree!(self.model.now, before, "the queue's time");
        self.model.let_go();
        self.model.begin_again();
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), Wrong> {
        let carried = self.store().carried();
        agree!(carried.leased, self.model.runs, "what runs");
        let totals = *self.store().totals();
        let released = self.store().take_released();
        self.store = None;
        self.bench.carried(carried);
        let opened = self.open_again();
        self.bench.carried(Carried::default());
        *self.store().totals() = totals;
        self.store().unlink_unnamed(&released);
        self.model.last = self.model.last_known();
        opened
    }

    /// The time goes on from the last that was stored: never forwards, and not to before what is known.
    fn open_again(&mut self) -> Result<(), Wrong> {
        let store = self.bench.open().map_err(|fault| format!("it does not open: {fault:?}"))?;
        let now: Time = store.now() / HALF_HOUR;
        self.store = Some(store);
        agree!(now <= self.model.now, true, "the time before was {}, now {now}", self.model.now);
        let known = self.model.jobs.values().map(|job| job.born.max(job.ended)).max();
        agree!(known.is_none_or(|known| known <= now), true, "it is {now}, after {known:?}");
        self.model.now = now;
        Ok(())
    }

    fn reload(&mut self, result_ttl: Time, max_attempts: u32) -> Result<(), Wrong> {
        self.bench.limits(|limits| {
            limits.result_ttl = Duration::from_millis(result_ttl * HALF_HOUR);
            limits.max_attempts = max_attempts;
        });
        let limits = self.bench.limits(|_| ());
        (self.model.result_ttl, self.model.max_attempts) = (result_ttl, max_attempts);
        self.store().set_limits(&limits).map_err(|fault| format!("{fault:?}"))
    }

    /// Bytes of bodies, and of the pages that they may take at the most.
    fn least_bytes(&self) -> u64 {
        let of = |body: &Option<Vec<u8>>| body.as_ref().map_or(0, |it| it.len() as u64);
        let jobs = self.model.jobs.values();
        jobs.map(|job| {
            let steps = job.steps.iter().flat_map(|steps| steps.values());
            let steps: u64 = steps.map(|step| step.len() as u64).sum();
            of(&job.payload) + of(&job.result) + of(&job.draft) + steps
        })
        .sum()
    }

    fn most_bytes(&self) -> u64 {
        let jobs = self.model.jobs.values();
        let steps: usize = jobs.map(|job| job.steps.as_ref().map_or(0, BTreeMap::len)).sum();
        let pages = self.model.jobs.len() as u64 * 5 + steps as u64 + 14;
        self.least_bytes() + pages * PAGE + self.passed_bytes()
    }

    /// Steps that are still there though no job goes on from them.
    fn passed_bytes(&self) -> u64 {
        let store = self.store.as_ref().unwrap();
        let known = "SELECT ifnull(sum(length(data) + ?1), 0) FROM step";
        let known: i64 = store.db.query_row(known, [PAGE.cast_signed()], |row| row.get(0)).unwrap();
        if store.memory.passed.is_empty() { 0 } else { known.unsigned_abs() }
    }
}

fn submission(order: &Order) -> Submission {
    Submission {
        lane: lane(order.lane),
        priority: order.priority,
        ttl: Duration::from_millis(order.ttl * HALF_HOUR),
        not_before: Duration::from_millis(order.not_before * HALF_HOUR),
        stepwise: order.stepwise,
        file: order.file.map(|_| FileName::fresh()),
        file_bytes: order.file.unwrap_or_default(),
        ..asked(order.name, u64::from(order.body), order.size)
    }
}

fn ended(end: End, answer: &[u8]) -> Ended {
    let trouble = |code: &str| Trouble { code: code.to_owned(), message: String::new() };
    let answer =
        Answer { status: 200, target: Some("a/b".to_owned()), parcel: answer.to_vec().into() };
    match end {
        End::Succeeded => Ended::Succeeded(answer),
        End::Failed => Ended::Failed(answer, trouble("wrong")),
        End::Draft => Ended::Draft(answer, lane(1)),
        End::Again { wait } => Ended::Again {
            trouble: trouble("busy"),
            wait: Some(Duration::from_millis(wait * HALF_HOUR)),
        },
    }
}
