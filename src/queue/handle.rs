//! The queue as everybody else sees it: named operations that are carried to its thread.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::queue::facts::Facts;
use crate::queue::job::{
    Ended, Enqueued, Job, Lane, Lease, QueueError, Step, Steps, Submission, Which,
};
use crate::queue::line::{Line, Opening};
use crate::queue::names::{FileName, JobKey};
use crate::queue::pulse::{Pulse, Stat};
use crate::queue::store::{Fault, Found, Kept, Kind, Listing, Removed, Retried, Store};
use crate::queue::thread::{Errand, Keeper, Slot, locked};
use crate::queue::watch::{Watch, Watchers};
use crate::queue::{Limits, Place};

/// Operations that may wait for the thread.
const INBOX: usize = 128;

/// How long one may wait to be among them.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a client waits for what it asked. A card that takes a second for each write is in time
/// with small jobs; a kernel that never ends a sync must not keep every client, and its memory, for ever.
const DEADLINE: Duration = Duration::from_secs(30);

/// From when on everybody is told that the disk does not answer.
const TOLD: Duration = Duration::from_secs(10);

/// Times in a row that what has to be done is done. Some of it is done a little at a time, so that
/// others come in between.
const MOST_CHORES: usize = 32;

/// SQLite needs less; the pages are not touched before they are used.
const STACK_BYTES: usize = 512 * 1024;

/// A handle to the queue; cheap to clone. The thread ends when the last one is gone.
#[derive(Debug, Clone)]
pub struct Queue {
    inbox: mpsc::Sender<Slot>,
    shared: Arc<Shared>,
    ended: Arc<watch::Receiver<bool>>,
    deadline: Duration,
}

/// What the thread and the others look at together.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) line: Arc<Mutex<Line>>,
    pub(super) watchers: Watchers,
    facts: Mutex<Facts>,
    pub(super) limits: watch::Sender<Limits>,
    opened: watch::Sender<bool>,
    changed: Notify,
    pub(super) stat: Stat,
    /// Files that came with jobs: whatever became of those, the thread looks which a row names.
    pub(super) handed_in: Mutex<Vec<FileName>>,
}

/// A file on its way to the queue. Also where its job never gets there, it does not stay.
struct HandedIn {
    file: Option<FileName>,
    shared: Arc<Shared>,
}

impl Drop for HandedIn {
    fn drop(&mut self) {
        locked(&self.shared.handed_in).extend(self.file.take());
    }
}

impl Shared {
    pub(super) fn facts(&self) -> MutexGuard<'_, Facts> {
        locked(&self.facts)
    }

    /// The first opening is over, well or not.
    pub(super) fn opened(&self) {
        self.opened.send_replace(true);
    }

    /// The worker is to look at the line again.
    pub(super) fn line_changed(&self) {
        self.changed.notify_one();
    }
}

impl Queue {
    /// Starts the queue's thread, which opens the database. Without a place for one it stays closed.
    ///
    /// # Errors
    /// Where no thread can be started. A database that cannot be opened is none: the queue is
    /// closed then, says why, and opens it when that can be done.
    pub fn start(place: Option<Place>, limits: Limits) -> io::Result<Self> {
        let (inbox, outbox) = mpsc::channel(INBOX);
        let shared = Arc::new(Shared {
            line: Arc::default(),
            watchers: Watchers::default(),
            facts: Mutex::new(Facts {
                closed: Some("not open yet".to_owned()),
                ..Facts::default()
            }),
            limits: watch::Sender::new(limits),
            opened: watch::Sender::new(false),
            changed: Notify::new(),
            stat: Stat::default(),
            handed_in: Mutex::default(),
        });
        let keeper = Keeper::new(place, Arc::clone(&shared));
        let (ending, ended) = watch::channel(false);
        std::thread::Builder::new()
            .name("edgehold-queue".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                keeper.run(outbox);
                ending.send_replace(true);
            })?;
        Ok(Self { inbox, shared, ended: Arc::new(ended), deadline: DEADLINE })
    }

    #[cfg(test)]
    pub(super) fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Waits until the database has been opened, or could not be.
    pub async fn opened(&self) {
        // The sender is in `self`, so the channel cannot close while we wait.
        self.shared.opened.subscribe().wait_for(|opened| *opened).await.ok();
    }

    /// Gives this handle up and waits for the thread's end: the database is closed in good order.
    pub async fn close(self, grace: Duration) {
        let mut ended = watch::Receiver::clone(&self.ended);
        drop(self);
        tokio::time::timeout(grace, ended.wait_for(|ended| *ended)).await.ok();
    }

    /// How the queue stands.
    pub fn facts(&self) -> Facts {
        let mut facts = self.shared.facts().clone();
        if facts.closed.is_none() {
            facts.closed = self.stalled(TOLD);
        }
        facts
    }

    /// Takes a job. When it says that it has, the job is on stable storage. Its file is the queue's
    /// from this call on: where the job is not taken, or was already, the file is unlinked.
    ///
    /// # Errors
    /// The queue cannot be used now.
    pub fn enqueue(
        &self,
        job: Submission,
    ) -> impl Future<Output = Result<Enqueued, QueueError>> + Send {
        // At once: also who never waits for what comes of it has handed the file over.
        let handed = HandedIn { file: job.file.clone(), shared: Arc::clone(&self.shared) };
        let work = move |store: &mut Store| {
            // It goes with the operation, after the answer.
            let _handed = &handed;
            store.enqueue(&job)
        };
        async move {
            match self.ask(Kind::Durable, false, work).await {
                Err(QueueError::Full(why)) => Ok(Enqueued::Full(why)),
                other => other,
            }
        }
    }

    /// A job; `None` where the client has none of this name.
    ///
    /// # Errors
    /// The queue cannot be used now.
    pub async fn job(&self, key: JobKey) -> Result<Option<Job>, QueueError> {
        self.ask(Kind::Read, false, move |store| store.job(&key)).await
    }

    /// Jobs in the order of their acceptance.
    ///
    /// # Errors
    /// The queue cannot be used now.
    pub async fn list(&self, which: Listing) -> Result<Vec<Job>, QueueError> {
        self.ask(Kind::Read, false, move |store| store.list(&which)).await
    }

    /// A job's answer, if there is one. One that is not what was stored makes the job corrupt.
    ///
    /// # Errors
    /// The queue cannot be used now.
    pub async fn answer(&self, key: JobKey, which: Which) -> Result<Option<Found>, QueueError> {
        let found = self.ask(Kind::Read, false, move |store| store.answer(&key, which)).await?;
        if let Some(Found::Corrupt(seq)) = &found {
            let seq = *seq;
            self.ask(Kind::Durable, true, move |store| store.mark_corrupt(seq)).await?;
        }
        Ok(found)
    }

    /// What a job is about; `None` where it is no longer kept, or is not what was stored.
    ///
    /// # Errors
    /// The queue cannot be used now.
    pub async fn payload(&self, key: JobKey) -> Result<Option<Vec<u8>>, QueueError> {
        self.ask(Kind::Read, false, move |store| store.payload(&key)).await
    }

    /// Cancels a job that has not ended; lets one go that has.
    ///
    /// # Errors
    /// The queue cannot be used now.
    pub async fn remove(&self, key: JobKey) -> Result<Option<Removed>, QueueError> {
        self.ask(Kind::Durable, true, move |store| store.remove(&key)).await
    }

    /// Cancels a job that has not ended; one that has stays as it is.
    ///
    /// # Errors
    /// The queue cannot be used now.
    pub async fn cancel(&self, key: JobKey) -> Result<Option<Job>, QueueError> {
        self.ask(Kind::Durable, true, move |store| store.cancel(&key)).await
    }

    /// Tries a job again that ended without an answer.
    ///
    /// # Errors
    /// The queue cannot be used now.
    pub async fn retry(&self, key: JobKey) -> Result<Option<Retried>, QueueError> {
        self.ask(Kind::Durable, false, move |store| store.retry(&key)).await
    }

    /// Keeps a finished step of a job that runs: when it says that it has, the step is on stable
    /// storage, and the next run goes on from there. Returns whether the job still runs: what is not
    /// wanted any more is not kept. Whoever watches the job is woken.
    ///
    /// # Errors
    /// [`QueueError::Full`]: there is no room for it, and nothing has changed; the run may go on
    /// without. Otherwise the queue cannot be used now.
    pub async fn keep(&self, seq: i64, step: Step) -> Result<bool, QueueError> {
        match self.carry(Kind::Durable, false, move |store| store.keep(seq, &step)).await? {
            Kept::Yes => Ok(true),
            Kept::NotRunning => Ok(false),
            Kept::Full(why) => Err(QueueError::Full(why)),
        }
    }

    /// The steps of a job that are kept, those after this number, in order and some at once: 256 KiB
    /// at most. One that is not what was stored is left out and forgotten, so that it is done again.
    ///
    /// # Errors
    /// The queue cannot be used now.
    pub async fn steps(&self, seq: i64, after: Option<u64>) -> Result<Steps, QueueError> {
        let read = self.carry(Kind::Read, false, move |store| store.steps(seq, after));
        let (steps, bad) = read.await?;
        if !bad.is_empty() {
            let forget = move |store: &mut Store| store.forget_steps(seq, &bad);
            self.carry(Kind::Relaxed, true, forget).await?;
        }
        Ok(steps)
    }

    /// Whether the thread lives: it answers within this time, or waits for the disk.
    pub async fn pulse(&self, within: Duration) -> Pulse {
        let ping = self.carry(Kind::Read, false, |_| Ok(()));
        match tokio::time::timeout(within, ping).await {
            // A closed queue answers too, if there is still a thread to say so.
            Ok(Ok(()) | Err(QueueError::Closed(_) | QueueError::Full(_)))
                if !*self.ended.borrow() =>
            {
                Pulse::Answers
            }
            _ if self.shared.stat.waits_for_disk() => Pulse::Waits,
            _ => Pulse::None,
        }
    }

    /// The time of day that was remembered last, in seconds since 1970.
    ///
    /// # Errors
    /// The queue cannot be used now.
    pub async fn remembered(&self) -> Result<Option<u64>, QueueError> {
        self.carry(Kind::Read, false, |store| store.remembered()).await
    }

    /// Remembers a time of day, in seconds since 1970, for the next start.
    ///
    /// # Errors
    /// The queue cannot be used now.
    pub async fn remember(&self, unix_seconds: u64) -> Result<(), QueueError> {
        self.carry(Kind::Relaxed, false, move |store| store.remember(unix_seconds)).await
    }

    /// What a reload may change; the quota is that of the start until the next one.
    pub fn set_limits(&self, limits: Limits) {
        self.shared.limits.send_replace(limits);
    }

    /// Wakes whoever waits for a job to change.
    pub fn watch(&self, key: &JobKey) -> Watch {
        self.shared.watchers.watch(key)
    }

    pub(super) async fn claim(&self, seq: i64) -> Result<Option<Lease>, QueueError> {
        self.carry(Kind::Relaxed, false, move |store| store.claim(seq)).await
    }

    pub(super) async fn finish(
        &self,
        seq: i64,
        calls: (u32, u32),
        ended: Ended,
    ) -> Result<(), QueueError> {
        let kind = match ended {
            Ended::Again { .. } => Kind::Relaxed,
            Ended::Succeeded(_) | Ended::Failed(..) | Ended::Draft(..) => Kind::Durable,
        };
        self.carry(kind, true, move |store| store.finish(seq, calls, &ended)).await
    }

    /// Does what has to be done from time to time. Returns whether the queue is open.
    pub(super) async fn tend(&self, idle: bool) -> Result<(), QueueError> {
        let chores = move |store: &mut Store| store.has_chores(idle).then(|| store.sweep_kind());
        for _ in 0..MOST_CHORES {
            let kind = self.carry(Kind::Read, false, move |store| Ok(chores(store))).await?;
            let Some(kind) = kind else { break };
            self.carry(kind, true, Store::sweep).await?;
        }
        Ok(())
    }

    /// The next job that can be run, if there is one.
    pub(super) fn next(&self, opening: impl FnMut(&Lane) -> Opening) -> Pick {
        let (closed, has_room, now) = {
            let facts = self.shared.facts();
            (facts.closed.is_some(), facts.has_room, facts.now())
        };
        if closed || !has_room {
            return Pick::None(None);
        }
        let mut line = locked(&self.shared.line);
        match line.next(now, opening) {
            Some(seq) => Pick::Job(seq),
            None => Pick::None(
                line.next_time(now).map(|at| Duration::from_millis(at.saturating_sub(now))),
            ),
        }
    }

    pub(super) fn shut(&self, lane: &Lane, wait: Option<Duration>) {
        let now = self.shared.facts().now();
        let wait = wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        locked(&self.shared.line).shut(lane, wait.map(|wait| now.saturating_add(wait)));
    }

    pub(super) fn reopen_lanes(&self) {
        locked(&self.shared.line).reopen();
    }

    pub(super) async fn line_changed(&self) {
        self.shared.changed.notified().await;
    }

    /// What a client wants done. It waits so long and no longer: what the thread had not taken up by then
    /// is not done, and of what it had nobody knows.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        kind: Kind,
        drains: bool,
        work: impl FnMut(&mut Store) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, QueueError> {
        if let Some(why) = self.stalled(self.deadline) {
            return Err(QueueError::Closed(why));
        }
        let (slot, mut answer) = errand(kind, drains, work);
        self.send(Arc::clone(&slot)).await?;
        match tokio::time::timeout(self.deadline, &mut answer).await {
            Ok(done) => done.unwrap_or_else(|_| Err(thread_ended())),
            Err(_) if locked(&slot).take().is_some() => Err(QueueError::Busy),
            // It may just have been done.
            Err(_) => answer.try_recv().unwrap_or(Err(QueueError::Late)),
        }
    }

    /// What the service itself wants done, however long the disk takes.
    async fn carry<T: Send + 'static>(
        &self,
        kind: Kind,
        drains: bool,
        work: impl FnMut(&mut Store) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, QueueError> {
        let (slot, answer) = errand(kind, drains, work);
        self.send(slot).await?;
        answer.await.unwrap_or_else(|_| Err(thread_ended()))
    }

    /// Puts it where the thread finds it.
    async fn send(&self, slot: Slot) -> Result<(), QueueError> {
        match tokio::time::timeout(PATIENCE, self.inbox.reserve()).await {
            Ok(Ok(place)) => {
                place.send(slot);
                Ok(())
            }
            Ok(Err(_)) => Err(thread_ended()),
            Err(_) => Err(QueueError::Busy),
        }
    }

    /// What to say where the thread has been at something for this long.
    fn stalled(&self, long: Duration) -> Option<String> {
        let since = self.shared.stat.at_it_for().filter(|since| *since >= long)?;
        Some(format!("the disk has not answered for {} s", since.as_secs()))
    }
}

/// An operation, and where its answer comes.
fn errand<T: Send + 'static>(
    kind: Kind,
    drains: bool,
    work: impl FnMut(&mut Store) -> Result<T, Fault> + Send + 'static,
) -> (Slot, oneshot::Receiver<Result<T, QueueError>>) {
    let (reply, answer) = oneshot::channel();
    let errand = Errand { kind, drains, work, found: None, reply };
    (Arc::new(Mutex::new(Some(Box::new(errand)))), answer)
}

fn thread_ended() -> QueueError {
    QueueError::Closed("its thread has ended".to_owned())
}

/// What the worker is to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pick {
    /// To run this job.
    Job(i64),
    /// To wait: so long at most, or until something changes.
    None(Option<Duration>),
}
