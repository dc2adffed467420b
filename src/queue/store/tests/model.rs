//! The queue as it is promised to be, in as little as it takes to say it.

use std::collections::BTreeMap;

use crate::queue::facts::{Counts, Totals};
use crate::queue::job::{Priority, State};
use crate::queue::names::FileName;
use crate::queue::store::tests::actions::{End, Order};

/// Half hours.
pub(super) type Time = u64;

/// Starts that end with the process before a job is run no more.
const MOST_CRASHES: u32 = 3;

/// The same of a job in steps, since the last step.
const MOST_CRASHES_OF_A_STEP: u32 = 20;

/// What is wrong with a model: each kind has to be noticed, or the comparison shows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    /// The last comes first.
    Reversed,
    /// What was acknowledged is still there.
    Stays,
    /// A start that ended with the process is not counted.
    Forgives,
    /// A commit that failed is taken for kept.
    Believes,
    /// What a step has cost goes on counting.
    Resents,
    /// A file is kept for a job that needs it no more.
    Hoards,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: u8,
    pub(super) state: State,
    pub(super) priority: Priority,
    pub(super) lane: u8,
    pub(super) body: u8,
    pub(super) payload: Option<Vec<u8>>,
    pub(super) born: Time,
    pub(super) ttl: Time,
    pub(super) due: Time,
    pub(super) calls: u32,
    pub(super) crashes: u32,
    pub(super) ended: Time,
    pub(super) code: Option<&'static str>,
    pub(super) result: Option<Vec<u8>>,
    pub(super) draft: Option<Vec<u8>>,
    /// The steps that are kept, of a job in steps.
    pub(super) steps: Option<BTreeMap<u64, Vec<u8>>>,
    /// The calls that it had had when the last was kept.
    pub(super) settled: u32,
    pub(super) file: Option<(FileName, u64)>,
    /// Its client has let it go, and only its row is there.
    pub(super) is_gone: bool,
}

impl Entry {
    /// Calls that count towards giving it up.
    pub(super) fn before(&self) -> u32 {
        self.calls - self.settled
    }

    /// Nobody goes on from its steps.
    fn forget_steps(&mut self) {
        if let Some(steps) = &mut self.steps {
            steps.clear();
        }
    }
}

/// All of it.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) flaw: Flaw,
    pub(super) now: Time,
    pub(super) max_jobs: u64,
    pub(super) max_attempts: u32,
    pub(super) result_ttl: Time,
    /// In the order of acceptance.
    pub(super) jobs: BTreeMap<i64, Entry>,
    /// The runs, and the calls that each was given.
    pub(super) runs: BTreeMap<i64, u32>,
    /// The last place in the order of acceptance that this process gave.
    pub(super) last: i64,
    pub(super) totals: Totals,
}

/// What is to come of handing a job in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    New,
    Again(i64),
    Conflict,
    TooMany,
}

impl Model {
    pub(super) fn seen(&self) -> impl Iterator<Item = (&i64, &Entry)> {
        self.jobs.iter().filter(|(_, job)| !job.is_gone)
    }

    pub(super) fn named(&self, name: u8) -> Option<i64> {
        self.seen().find(|(_, job)| job.name == name).map(|(seq, _)| *seq)
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.seen().for_each(|(_, job)| counts.add(job.state));
        counts
    }

    /// Jobs that wait before this place.
    pub(super) fn position(&self, of: i64) -> usize {
        let own = (self.jobs[&of].priority, of);
        let waits = self.seen().filter(|(_, job)| job.state == State::Queued);
        waits.filter(|(seq, job)| (job.priority, **seq) < own).count()
    }

    pub(super) fn next(&self, shut: Option<u8>) -> Option<i64> {
        let waits = self.seen().filter(|(_, job)| {
            job.state == State::Queued && job.due <= self.now && Some(job.lane) != shut
        });
        let all = waits.map(|(seq, job)| (job.priority, *seq));
        let next = if self.flaw == Flaw::Reversed { all.max() } else { all.min() };
        next.map(|(_, seq)| seq)
    }

    /// What is to come of it, before it is done.
    pub(super) fn offered(&self, order: &Order) -> Taken {
        match self.named(order.name) {
            Some(seq) if self.jobs[&seq].body == order.body => Taken::Again(seq),
            Some(_) => Taken::Conflict,
            None if self.counts().all() >= self.max_jobs => Taken::TooMany,
            None => Taken::New,
        }
    }

    pub(super) fn accept(
        &mut self,
        seq: i64,
        order: &Order,
        (payload, file): (Vec<u8>, Option<FileName>),
    ) {
        self.forget(order.name);
        self.totals.accepted += 1;
        self.last = seq;
        let entry = Entry {
            name: order.name,
            state: State::Queued,
            priority: order.priority,
            lane: order.lane,
            body: order.body,
            payload: Some(payload),
            born: self.now,
            ttl: order.ttl,
            due: self.now + order.not_before,
            calls: 0,
            crashes: 0,
            ended: 0,
            code: None,
            result: None,
            draft: None,
            steps: order.stepwise.then(BTreeMap::new),
            settled: 0,
            file: file.map(|name| (name, order.file.unwrap_or_default())),
            is_gone: false,
        };
        self.jobs.insert(seq, entry);
    }

    /// A name that is used again lets go of the row that had it.
    pub(super) fn forget(&mut self, name: u8) {
        self.jobs.retain(|_, job| job.name != name || !job.is_gone);
    }

    /// Whether the job is started, and if not, what becomes of it.
    pub(super) fn claim(&mut self, seq: i64) -> bool {
        let job = &self.jobs[&seq];
        if job.born + job.ttl <= self.now {
            self.expire(seq);
            return false;
        }
        if job.before() >= self.max_attempts {
            self.give_up(seq, "attempts_used_up");
            return false;
        }
        true
    }

    pub(super) fn start(&mut self, seq: i64, calls: u32) {
        let job = self.job(seq);
        job.state = State::Running;
        job.calls += calls;
        job.crashes += 1;
        self.runs.insert(seq, calls);
    }

    /// What is kept is progress: what counts towards giving up begins anew.
    pub(super) fn keep(&mut self, seq: i64, (number, calls): (u64, u32), data: Vec<u8>) {
        let resents = self.flaw == Flaw::Resents;
        let job = self.job(seq);
        job.steps.as_mut().unwrap().insert(number, data);
        job.calls += calls;
        if !resents {
            (job.settled, job.crashes) = (job.calls, 1);
        }
    }

    pub(super) fn may_keep(&self, seq: i64) -> bool {
        let job = self.jobs.get(&seq).filter(|job| job.state == State::Running);
        job.is_some_and(|job| job.steps.is_some())
    }

    pub(super) fn finish(&mut self, seq: i64, made: u32, end: End, answer: Vec<u8>) {
        let given = self.runs.remove(&seq).unwrap_or_default();
        let now = self.now;
        let Some(job) = self.jobs.get_mut(&seq).filter(|job| job.state == State::Running) else {
            return;
        };
        job.calls = job.calls - given + made;
        job.crashes -= 1;
        match end {
            End::Succeeded => {
                job.result = Some(answer);
                self.succeed(seq, None);
            }
            End::Failed if job.draft.is_some() => self.succeed(seq, Some("wrong")),
            End::Failed => {
                job.result = Some(answer);
                self.give_up(seq, "wrong");
            }
            End::Draft => {
                job.draft = Some(answer);
                (job.state, job.lane, job.due, job.code) = (State::Queued, 1, 0, None);
                if job.steps.is_some() {
                    (job.settled, job.crashes) = (job.calls, 0);
                }
                job.forget_steps();
            }
            End::Again { wait } => {
                job.due = if wait == 0 { 0 } else { now + wait };
                (job.state, job.code) = (State::Queued, Some("busy"));
            }
        }
    }

    /// What does not fit and never will, ends its job.
    pub(super) fn finish_without_room(&mut self, seq: i64, made: u32) {
        let given = self.runs.remove(&seq).unwrap_or_default();
        let job = self.job(seq);
        job.calls = job.calls - given + made;
        job.crashes -= 1;
        self.give_up(seq, "result_too_large");
    }

    fn succeed(&mut self, seq: i64, code: Option<&'static str>) {
        self.totals.succeeded += 1;
        let hoards = self.flaw == Flaw::Hoards;
        let job = self.job(seq);
        job.forget_steps();
        job.file.take_if(|_| !hoards);
        job.code = code;
        job.payload = None;
        self.end(seq, State::Succeeded);
    }

    /// What has an answer that might have been bettered, has an answer.
    fn give_up(&mut self, seq: i64, code: &'static str) {
        if self.job(seq).draft.is_some() {
            return self.succeed(seq, Some(code));
        }
        self.totals.failed += 1;
        self.job(seq).code = Some(code);
        self.end(seq, State::Failed);
    }

    fn expire(&mut self, seq: i64) {
        if self.job(seq).draft.is_some() {
            return self.succeed(seq, Some("not_refined"));
        }
        self.totals.expired += 1;
        self.end(seq, State::Expired);
    }

    fn end(&mut self, seq: i64, state: State) {
        let now = self.now;
        let job = self.job(seq);
        (job.state, job.ended) = (state, now);
    }

    pub(super) fn sweep(&mut self) {
        self.let_go();
        let (now, result_ttl) = (self.now, self.result_ttl);
        for (seq, job) in self.jobs.clone() {
            if job.state == State::Queued && job.born + job.ttl <= now {
                self.expire(seq);
            } else if job.state.is_final() && job.ended + result_ttl <= now {
                self.jobs.remove(&seq);
            }
        }
    }

    pub(super) fn let_go(&mut self) {
        if self.flaw != Flaw::Stays {
            self.jobs.retain(|_, job| !job.is_gone);
        }
    }

    /// Cancels, or lets go.
    pub(super) fn remove(&mut self, seq: i64) {
        if !self.job(seq).state.is_final() {
            self.job(seq).forget_steps();
            self.end(seq, State::Cancelled);
        } else if self.flaw != Flaw::Stays {
            self.job(seq).is_gone = true;
        }
    }

    pub(super) fn may_be_retried(&self, seq: i64) -> bool {
        let state = self.jobs[&seq].state;
        matches!(state, State::Failed | State::Expired | State::Cancelled)
            && !self.runs.contains_key(&seq)
    }

    pub(super) fn retry(&mut self, seq: i64) {
        let now = self.now;
        let job = self.job(seq);
        (job.state, job.born, job.due) = (State::Queued, now, now);
        (job.calls, job.crashes, job.code, job.result) = (0, 0, None, None);
        job.settled = 0;
    }

    /// The process ended, and another has begun: its own totals begin anew.
    pub(super) fn begin_again(&mut self) {
        self.totals = Totals::default();
        self.runs.clear();
        self.last = self.last_known();
        let (now, most) = (self.now, self.max_attempts);
        for job in self.jobs.values_mut().filter(|job| job.state == State::Running) {
            if self.flaw == Flaw::Forgives {
                job.crashes -= 1;
            }
            let most_crashes = match job.steps {
                Some(_) => MOST_CRASHES_OF_A_STEP,
                None => MOST_CRASHES,
            };
            (job.state, job.code, job.due) = if job.crashes >= most_crashes {
                self.totals.quarantined += 1;
                (State::Failed, Some("quarantined"), 0)
            } else if job.before() >= most {
                (State::Failed, Some("attempts_used_up"), 0)
            } else {
                (State::Queued, Some("interrupted"), 0)
            };
            if job.state == State::Failed {
                job.ended = now;
            }
        }
    }

    /// The last place that a row or a run has.
    pub(super) fn last_known(&self) -> i64 {
        self.jobs.keys().chain(self.runs.keys()).max().copied().unwrap_or_default()
    }

    fn job(&mut self, seq: i64) -> &mut Entry {
        self.jobs.get_mut(&seq).unwrap()
    }
}
