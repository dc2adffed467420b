//! In what the store and its model have to agree.

use std::collections::BTreeSet;

use crate::queue::job::{Job, State, Which};
use crate::queue::names::FileName;
use crate::queue::store::tests::model::{Entry, Model, Time};
use crate::queue::store::tests::{Bench, everything, key, lane};
use crate::queue::store::{Found, Store, left_in};

pub(super) const HALF_HOUR: u64 = 1_800_000;

/// Why a sequence did not go as it should have.
pub(super) type Wrong = String;

macro_rules! agree {
    ($found:expr, $wanted:expr, $($what:tt)+) => {{
        let (found, wanted) = (&$found, &$wanted);
        if found != wanted {
            return Err(format!("{}: {found:?}, and should be {wanted:?}", format_args!($($what)+)));
        }
    }};
}
pub(super) use agree;

/// The store, and the model.
pub(super) struct Pair<'a> {
    pub(super) bench: &'a Bench,
    pub(super) store: Option<Store>,
    pub(super) model: Model,
    /// Whether what is synced is told from what is not, and what it was last.
    pub(super) cuts: bool,
    pub(super) synced: Option<Model>,
}

impl Pair<'_> {
    pub(super) fn store(&mut self) -> &mut Store {
        self.store.as_mut().unwrap()
    }

    pub(super) fn compare(&mut self) -> Result<(), Wrong> {
        let jobs = self.store().list(&everything()).map_err(|fault| format!("{fault:?}"))?;
        let found: Vec<i64> = jobs.iter().map(|job| job.seq).collect();
        let wanted: Vec<i64> = self.model.seen().map(|(seq, _)| *seq).collect();
        agree!(found, wanted, "the jobs");
        for job in &jobs {
            self.compare_job(job)?;
        }
        let model = &self.model;
        let queued = model.counts().of(State::Queued);
        let (counts, totals) = (model.counts(), model.totals);
        let store = self.store.as_mut().unwrap();
        agree!(store.counts(), counts, "the counts in memory");
        agree!(*store.totals(), totals, "the totals");
        agree!(store.line().len() as u64, queued, "how many stand in the line");
        agree!(&store.leased, &model.runs, "what runs");
        Self::compare_deadlines(store, model)?;
        self.compare_files()
    }

    /// Each file that a job needs is there; what else is there, goes with the next commit that is synced.
    fn compare_files(&self) -> Result<(), Wrong> {
        let store = self.store.as_ref().unwrap();
        let needed: Vec<(FileName, u64)> =
            self.model.jobs.values().filter_map(|job| job.file.clone()).collect();
        let bytes = needed.iter().map(|(_, bytes)| bytes).sum();
        agree!(store.documents(), (needed.len() as u64, bytes), "the files");
        let needed = needed.into_iter().map(|(name, _)| name);
        let wanted: BTreeSet<FileName> = needed.chain(store.released.iter().cloned()).collect();
        let found = BTreeSet::from_iter(left_in(&self.bench.documents()));
        agree!(found, wanted, "what is in the folder");
        Ok(())
    }

    fn compare_job(&self, job: &Job) -> Result<(), Wrong> {
        let (seq, own) = (job.seq, &self.model.jobs[&job.seq]);
        agree!(job.key, key(own.name), "whose job {seq} is");
        agree!(job.state, own.state, "the state of job {seq}");
        agree!(job.priority, own.priority, "the priority of job {seq}");
        agree!(job.lane, lane(own.lane), "the lane of job {seq}");
        agree!(job.trouble.as_ref().map(|it| &*it.code), own.code, "the trouble of job {seq}");
        // While it runs, only what was before is told.
        let given = self.model.runs.get(&seq).copied();
        agree!(job.calls, own.calls - given.unwrap_or(0), "the calls of job {seq}");
        agree!(job.crashes, own.crashes - u32::from(given.is_some()), "the crashes of job {seq}");
        let steps = own.steps.as_ref().map_or(0, |steps| steps.len() as u64);
        agree!(job.steps, steps, "how many steps of job {seq} are kept");
        let length = |body: &Option<Vec<u8>>| body.as_ref().map(|it| it.len() as u64);
        agree!(job.result.as_ref().map(|it| it.bytes), length(&own.result), "result of {seq}");
        agree!(job.draft.as_ref().map(|it| it.bytes), length(&own.draft), "draft of {seq}");
        let waits = own.state == State::Queued;
        agree!(job.position, waits.then(|| self.model.position(seq)), "the position of {seq}");
        Ok(())
    }

    /// Each job that waits or has ended has one deadline, and the right one.
    fn compare_deadlines(store: &Store, model: &Model) -> Result<(), Wrong> {
        for (seq, job) in model.seen().filter(|(_, job)| job.state != State::Running) {
            let at = match job.state.is_final() {
                true => job.ended + model.result_ttl,
                false => job.born + job.ttl,
            };
            let known = store.memory.deadlines.iter().filter(|(_, of)| of == seq);
            let known: Vec<Time> = known.map(|(at, _)| at / HALF_HOUR).collect();
            agree!(known, vec![at], "the deadline of job {seq}");
        }
        Ok(())
    }

    /// To the byte, what was stored; and the rows are as many as memory says.
    pub(super) fn compare_bodies(&mut self) -> Result<(), Wrong> {
        let model = self.model.clone();
        for (seq, job) in model.seen() {
            self.compare_answers(*seq, job).map_err(|why| format!("at the end: {why}"))?;
        }
        let store = self.store();
        let rows: i64 =
            store.db.query_row("SELECT count(*) FROM job", [], |row| row.get(0)).unwrap();
        let held = store.counts().all() + store.memory.acknowledged.len() as u64;
        agree!(rows.unsigned_abs(), held, "the rows");
        // What stands apart is some job's own.
        let strays = "SELECT count(*) FROM more WHERE job NOT IN (SELECT seq FROM job)";
        let strays: i64 = store.db.query_row(strays, [], |row| row.get(0)).unwrap();
        agree!(strays, 0, "what was more of no job");
        let strays = "SELECT count(*) FROM payload WHERE at / 4 NOT IN (SELECT seq FROM job)";
        let strays: i64 = store.db.query_row(strays, [], |row| row.get(0)).unwrap();
        agree!(strays, 0, "bodies of no job");
        self.compare_passed()
    }

    /// Steps that no job goes on from are known, to be deleted.
    fn compare_passed(&mut self) -> Result<(), Wrong> {
        let store = self.store();
        agree!(store.load_passed().unwrap(), store.memory.passed, "steps to be deleted");
        let ours = "SELECT ifnull(sum(steps), 0) FROM more";
        let ours: i64 = store.db.query_row(ours, [], |row| row.get(0)).unwrap();
        // Each time more than all that there are in a place.
        for _ in 0..store.memory.passed.len() {
            store.delete_passed().unwrap();
        }
        let rows: i64 =
            store.db.query_row("SELECT count(*) FROM step", [], |row| row.get(0)).unwrap();
        agree!(rows, ours, "steps that are left");
        Ok(())
    }

    fn compare_answers(&mut self, seq: i64, job: &Entry) -> Result<(), Wrong> {
        let name = key(job.name);
        let payload = self.store().payload(&name).unwrap();
        // One that has ended well needs none.
        agree!(payload, job.payload, "the payload of job {seq}");
        let (steps, bad) = self.store().steps(seq, None).unwrap();
        let steps: Vec<(u64, Vec<u8>)> =
            steps.steps.into_iter().map(|step| (step.number, step.data.to_vec())).collect();
        let wanted = job.steps.clone().unwrap_or_default();
        agree!(steps, Vec::from_iter(wanted), "the steps of job {seq}");
        agree!(bad, Vec::<u64>::new(), "steps of job {seq} that were altered");
        for (which, wanted) in [
            (Which::Best, job.result.as_ref().or(job.draft.as_ref())),
            (Which::Draft, job.draft.as_ref()),
        ] {
            let found = match self.store().answer(&name, which).unwrap() {
                Some(Found::Answer { parcel, .. }) => Some(parcel),
                Some(Found::Corrupt(_)) => return Err(format!("job {seq} is corrupt")),
                None => None,
            };
            agree!(found.as_ref(), wanted, "the answer of job {seq}, {which:?}");
        }
        Ok(())
    }
}
