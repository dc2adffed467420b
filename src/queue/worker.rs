//! Runs jobs: the next that can be served, at most so many at once, until the service stops.
//!
//! It waits for four things and polls none: a change of the line, a change in what stands in the
//! targets' way, the time at which a job comes due, and a free place.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::lifecycle::{Drain, Tasks};
use crate::queue::handle::{Pick, Queue};
use crate::queue::job::{Ended, Lane, Lease, QueueError, Trouble};
use crate::queue::line::Opening;
use crate::queue::names::JobKey;
use crate::queue::thread::locked;
use crate::random;

/// How often what has to be done from time to time is looked at.
const TEND: Duration = Duration::from_secs(5);

/// A wait before something is tried again that the queue could not do.
const AGAIN: Duration = Duration::from_millis(250);

/// The first wait before a job is tried again, and the longest. Each doubles the one before.
const BACKOFF: Duration = Duration::from_secs(1);
const BACKOFF_LONGEST: Duration = Duration::from_secs(300);

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Run {
    /// Calls that an upstream had; of a job in steps: since the last step that was kept in this run.
    pub calls: u32,
    /// What came of them.
    pub ended: Ended,
}

/// Who knows what jobs are about.
pub trait Runner: Send + Sync + 'static {
    /// Whether a lane can be served now.
    fn opening(&self, lane: &Lane) -> Opening;

    /// Runs a job. It may be dropped half way, when the job is cancelled or the service stops.
    fn run(&self, lease: Lease) -> impl Future<Output = Run> + Send;

    /// Changes when something that stood in a target's way may have gone.
    fn returns(&self) -> watch::Receiver<u64>;

    /// Most jobs at once.
    fn concurrency(&self) -> usize;

    /// How long running jobs may go on when the service stops.
    fn grace(&self) -> Duration;
}

/// Runs jobs until the drain begins and the last of them has ended or was put back.
pub async fn work<R: Runner>(queue: Queue, runner: Arc<R>, drain: Drain, tasks: Tasks) {
    let crew =
        Arc::new(Crew { queue, runner, drain, running: Mutex::default(), freed: Notify::new() });
    let mut returns = crew.runner.returns();
    let mut tend = tokio::time::interval(TEND);
    tend.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut began = 0_u32;
    loop {
        let wait = crew.start_all(&tasks, &mut began).await;
        tokio::select! {
            () = crew.drain.started() => break,
            () = crew.queue.line_changed() => {}
            () = crew.freed.notified() => {}
            changed = returns.changed() => {
                if changed.is_err() {
                    returns = crew.runner.returns();
                }
                crew.queue.reopen_lanes();
            }
            _ = tend.tick() => {
                let idle = std::mem::take(&mut began) == 0;
                // A closed queue is opened by being asked.
                crew.queue.tend(idle).await.ok();
            }
            () = sleep(wait) => {}
        }
    }
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait.max(Duration::from_millis(1))).await,
        None => std::future::pending().await,
    }
}

/// The jobs that run, and what they are run with.
struct Crew<R> {
    queue: Queue,
    runner: Arc<R>,
    drain: Drain,
    running: Mutex<HashMap<i64, Lane>>,
    /// A place came free.
    freed: Notify,
}

impl<R: Runner> Crew<R> {
    /// Starts jobs while there are places. Returns how long to wait for the next.
    async fn start_all(self: &Arc<Self>, tasks: &Tasks, began: &mut u32) -> Option<Duration> {
        loop {
            if self.drain.is_draining() || locked(&self.running).len() >= self.runner.concurrency()
            {
                return None;
            }
            let seq = match self.queue.next(|lane| self.runner.opening(lane)) {
                Pick::Job(seq) => seq,
                Pick::None(wait) => return wait,
            };
            let Some(lease) = self.claim(seq).await else { continue };
            *began += 1;
            locked(&self.running).insert(seq, lease.lane.clone());
            tasks.spawn(Arc::clone(self).one(lease));
        }
    }

    /// The job, if it is still to be run. The line has let it go, so it must not be forgotten.
    async fn claim(&self, seq: i64) -> Option<Lease> {
        loop {
            match self.queue.claim(seq).await {
                Ok(lease) => return lease,
                // Opened again, the queue reads the line from its rows.
                Err(QueueError::Closed(_)) => return None,
                // It does so at once where the disk is full, and has the same job to offer.
                Err(QueueError::Full(_)) => {
                    tokio::time::sleep(AGAIN * 4).await;
                    return None;
                }
                Err(QueueError::Busy | QueueError::Late) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    async fn one(self: Arc<Self>, lease: Lease) {
        let (seq, given, before) = (lease.seq, lease.calls, lease.before);
        let stepwise = lease.stepwise;
        let lane = lease.lane.clone();
        let key = lease.key.clone();
        let watch = self.queue.watch(&key);
        let job = self.runner.run(lease);
        tokio::pin!(job);
        let run = loop {
            // A change that came before this is seen in the row.
            let changed = watch.changed();
            if !self.is_wanted(&key, seq).await {
                break None;
            }
            tokio::select! {
                run = &mut job => {
                    let ended = self.timed(&lane, before, run.calls, run.ended);
                    break Some(Run { ended, ..run });
                }
                // The service's own end is nobody's failure: it is first again at the next start.
                () = self.stopped() => break Some(interrupted(given, stepwise)),
                () = changed => {}
            }
        };
        // Where it was cancelled, its row says so already.
        let run = run.unwrap_or_else(|| interrupted(given, stepwise));
        self.end(seq, (given, run.calls), run.ended).await;
        locked(&self.running).remove(&seq);
        self.freed.notify_one();
    }

    /// Whether the job is still to be done, as far as can be known.
    async fn is_wanted(&self, key: &JobKey, seq: i64) -> bool {
        let Ok(known) = self.queue.job(key.clone()).await else { return true };
        // Another job may have its name by now.
        known.is_some_and(|job| job.seq == seq && !job.state.is_final())
    }

    /// When a job that has no answer is tried again.
    fn timed(&self, lane: &Lane, before: u32, made: u32, ended: Ended) -> Ended {
        let Ended::Again { trouble, wait } = ended else { return ended };
        if made == 0 {
            // No upstream had it: whatever stood in its way stands in that of its whole lane.
            self.queue.shut(lane, wait);
            return Ended::Again { trouble, wait: None };
        }
        // What the provider asked for is the least.
        let wait = backoff(before + made, random::share()).max(wait.unwrap_or_default());
        Ended::Again { trouble, wait: Some(wait) }
    }

    /// The service stops, and the job has had its time.
    async fn stopped(&self) {
        self.drain.started().await;
        tokio::time::sleep(self.runner.grace()).await;
    }

    async fn end(&self, seq: i64, calls: (u32, u32), ended: Ended) {
        // An answer is not given up: it may have been paid for.
        while self.queue.finish(seq, calls, ended.clone()).await.is_err() {
            if self.drain.is_draining() {
                return;
            }
            tokio::time::sleep(AGAIN * 4).await;
        }
    }
}

/// A run that the service's end cut off: its calls may have been made. Of a job in steps none is
/// counted, as after a power cut: what takes an hour outlives many a stop.
fn interrupted(given: u32, stepwise: bool) -> Run {
    let trouble = Trouble {
        code: "interrupted".to_owned(),
        message: "the service stopped while it ran".to_owned(),
    };
    let calls = if stepwise { 0 } else { given.min(1) };
    Run { calls, ended: Ended::Again { trouble, wait: None } }
}

/// The wait after so many calls: it doubles, and nobody knows it beforehand (full jitter), so that a
/// hundred gateways that failed together do not come back together. `share` is from 0 to 1.
pub fn backoff(calls: u32, share: f64) -> Duration {
    let most = BACKOFF.saturating_mul(1 << calls.saturating_sub(1).min(16)).min(BACKOFF_LONGEST);
    most.mul_f64(share.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use crate::queue::job::Enqueued;
    use crate::queue::tests::{Folder, PATIENCE, QUOTA, Quick, asked};

    use super::*;

    #[tokio::test]
    async fn a_job_that_was_taken_back_before_anybody_listened_is_not_run() {
        for again in [false, true] {
            let folder = Folder::new("taken-back");
            let queue = folder.start(QUOTA);
            queue.opened().await;
            let Ok(Enqueued::Accepted(job)) = queue.enqueue(asked("a", 10)).await else { panic!() };
            let lease = queue.claim(job.seq).await.unwrap().unwrap();
            queue.remove(job.key.clone()).await.unwrap();
            if again {
                queue.remove(job.key.clone()).await.unwrap();
                queue.enqueue(asked("a", 10)).await.unwrap();
            }
            let crew = Arc::new(Crew {
                queue,
                runner: Quick::endless(),
                drain: Drain::new(),
                running: Mutex::default(),
                freed: Notify::new(),
            });
            tokio::time::timeout(PATIENCE, crew.one(lease)).await.expect("it runs for nobody");
        }
    }

    #[test]
    fn waits_double_up_to_five_minutes() {
        let table = [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (40, 300)];
        for (calls, seconds) in table {
            assert_eq!(backoff(calls, 1.0), Duration::from_secs(seconds), "{calls}");
            assert_eq!(backoff(calls, 0.0), Duration::ZERO);
        }
    }
}
