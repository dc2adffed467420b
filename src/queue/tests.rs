//! The queue as a whole: its thread, its worker, and a disk that is not there for a while.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch as channel;

use crate::lifecycle::{Drain, Tasks};

use super::*;

/// Longer than anything takes on a machine that has other things to do.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder that goes with the test.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("edgehold-{name}-{}", std::process::id()));
        fs::remove_dir_all(&path).ok();
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn start(&self, quota: u64) -> Queue {
        let place = Place {
            path: self.0.join("state/queue.db"),
            durability: Durability { weakened: Some(Weak::Off), power_safe_overwrite: false },
            documents: Some(self.0.join("state/documents")),
        };
        let limits =
            Limits { quota, max_jobs: 100, result_ttl: Duration::from_secs(3600), max_attempts: 5 };
        Queue::start(Some(place), limits).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

pub(super) const QUOTA: u64 = 32 * 1024 * 1024;

fn key(name: &str) -> JobKey {
    JobKey { owner: Arc::from(""), id: name.parse().unwrap() }
}

pub(super) fn asked(name: &str, size: usize) -> Submission {
    Submission {
        key: key(name),
        path: "/v1/ask".to_owned(),
        lane: Lane(Arc::from("lane")),
        payload: vec![7; size].into(),
        fingerprint: Fingerprint::of(&[name.as_bytes()]),
        priority: Priority::Normal,
        ttl: Duration::from_secs(3600),
        not_before: Duration::ZERO,
        stepwise: false,
        file: None,
        file_bytes: 0,
        held: None,
    }
}

/// Waits until it is so.
async fn until(what: impl AsyncFn() -> bool) {
    let so = async {
        while !what().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, so).await.expect("it never comes to be so");
}

#[tokio::test]
async fn a_queue_that_is_asked_all_the_time_opens_when_it_can() {
    let folder = Folder::new("reopens");
    // Where its folder should be, there is a file.
    fs::write(folder.0.join("state"), "").unwrap();
    let queue = folder.start(QUOTA);
    queue.opened().await;
    for _ in 0..20 {
        assert!(matches!(queue.job(key("a")).await, Err(QueueError::Closed(_))));
    }
    assert!(queue.facts().closed.is_some());
    fs::remove_file(folder.0.join("state")).unwrap();
    until(async || queue.job(key("a")).await.is_ok()).await;
    assert_eq!(queue.facts().closed, None);
    assert!(matches!(queue.enqueue(asked("a", 10)).await, Ok(Enqueued::Accepted(_))));
}

#[tokio::test]
async fn a_second_process_is_refused_until_the_first_has_ended() {
    let folder = Folder::new("lock");
    let first = folder.start(QUOTA);
    first.opened().await;
    let second = folder.start(QUOTA);
    second.opened().await;
    let why = second.facts().closed.unwrap();
    assert!(why.contains("another edgehold uses"), "{why}");
    first.enqueue(asked("a", 10)).await.unwrap();
    first.close(PATIENCE).await;
    until(async || matches!(second.job(key("a")).await, Ok(Some(_)))).await;
}

#[tokio::test]
async fn what_is_answered_can_be_seen_already() {
    let folder = Folder::new("facts");
    let queue = folder.start(QUOTA);
    for count in 1..=50 {
        queue.enqueue(asked(&format!("job-{count}"), 10)).await.unwrap();
        assert_eq!(queue.facts().counts.of(State::Queued), count);
    }
}

/// Answers at once, or never.
pub(super) struct Quick {
    runs: AtomicUsize,
    size: Option<usize>,
    returns: channel::Sender<u64>,
}

impl Quick {
    fn new(size: usize) -> Arc<Self> {
        let (runs, returns) = (AtomicUsize::new(0), channel::Sender::new(0));
        Arc::new(Self { runs, size: Some(size), returns })
    }

    pub(super) fn endless() -> Arc<Self> {
        let (runs, returns) = (AtomicUsize::new(0), channel::Sender::new(0));
        Arc::new(Self { runs, size: None, returns })
    }
}

impl Runner for Quick {
    fn opening(&self, _: &Lane) -> Opening {
        Opening::Open
    }

    async fn run(&self, _: Lease) -> Run {
        self.runs.fetch_add(1, Ordering::SeqCst);
        let Some(size) = self.size else { return std::future::pending().await };
        let parcel = vec![1; size].into();
        Run { calls: 1, ended: Ended::Succeeded(Answer { status: 200, target: None, parcel }) }
    }

    fn returns(&self) -> channel::Receiver<u64> {
        self.returns.subscribe()
    }

    fn concurrency(&self) -> usize {
        2
    }

    fn grace(&self) -> Duration {
        Duration::ZERO
    }
}

impl Folder {
    fn documents(&self) -> PathBuf {
        self.0.join("state/documents")
    }

    /// A job with a file, as its maker leaves it.
    fn with_file(&self, name: &str) -> Submission {
        fs::create_dir_all(self.documents()).unwrap();
        let file = FileName::fresh();
        fs::write(file.path_in(&self.documents()), "abc").unwrap();
        Submission { file: Some(file), file_bytes: 3, ..asked(name, 10) }
    }

    fn files(&self) -> usize {
        fs::read_dir(self.documents()).unwrap().count()
    }
}

#[tokio::test]
async fn a_file_that_is_handed_in_is_the_queues_whatever_becomes_of_its_job() {
    let folder = Folder::new("handed-in");
    let queue = folder.start(QUOTA);
    let first = queue.enqueue(folder.with_file("a")).await.unwrap();
    assert!(matches!(first, Enqueued::Accepted(_)));
    let again = queue.enqueue(folder.with_file("a")).await.unwrap();
    assert!(matches!(again, Enqueued::Replayed(_)));
    let other = Submission { fingerprint: Fingerprint::of(&[b"x"]), ..folder.with_file("a") };
    assert!(matches!(queue.enqueue(other).await.unwrap(), Enqueued::Conflict));
    let large = Submission { payload: vec![0; 40_000_000].into(), ..folder.with_file("b") };
    assert!(matches!(queue.enqueue(large).await.unwrap(), Enqueued::Full(_)));
    // Its client went away before there was an answer.
    drop(queue.enqueue(folder.with_file("c")));
    until(async || queue.pulse(PATIENCE).await == Pulse::Answers && folder.files() == 1).await;
    let facts = queue.facts();
    assert_eq!((facts.documents, facts.document_bytes), (1, 3));
    queue.remove(key("a")).await.unwrap();
    queue.remove(key("a")).await.unwrap();
    until(async || queue.tend(true).await.is_ok() && folder.files() == 0).await;
}

#[tokio::test]
async fn a_file_that_a_closed_queue_was_handed_goes_when_it_opens() {
    let folder = Folder::new("handed-in-vain");
    let place = folder.0.join("state/queue.db");
    let job = folder.with_file("a");
    // Where its database should be, there is a folder.
    fs::create_dir_all(&place).unwrap();
    let queue = folder.start(QUOTA);
    queue.opened().await;
    // It was made after the start, and is not taken for one that is left over.
    let late = folder.with_file("b");
    assert!(matches!(queue.enqueue(job).await, Err(QueueError::Closed(_))));
    assert_eq!(folder.files(), 2);
    fs::remove_dir(&place).unwrap();
    until(async || queue.job(key("a")).await.is_ok()).await;
    until(async || queue.pulse(PATIENCE).await == Pulse::Answers && folder.files() == 1).await;
    assert!(matches!(queue.enqueue(late).await, Ok(Enqueued::Accepted(_))));
    assert_eq!(queue.pulse(PATIENCE).await, Pulse::Answers);
    assert_eq!(queue.pulse(PATIENCE).await, Pulse::Answers);
    assert_eq!(folder.files(), 1);
}

#[tokio::test]
async fn whoever_waits_for_the_thread_is_told_in_time() {
    let folder = Folder::new("late");
    let queue = folder.start(QUOTA).with_deadline(Duration::from_millis(300));
    queue.opened().await;
    let (free, held) = std::sync::mpsc::channel::<()>();
    let hold = move |_: &mut store::Store| Ok(held.recv().ok());
    let second = async {
        // Once the first is taken up.
        until(async || queue.pulse(Duration::from_millis(20)).await == Pulse::None).await;
        queue.enqueue(folder.with_file("a")).await
    };
    let (first, second) = tokio::join!(queue.ask(Kind::Read, false, hold), second);
    assert_eq!(first.unwrap_err(), QueueError::Late, "nobody knows what became of it");
    assert_eq!(second.unwrap_err(), QueueError::Busy, "it was taken back");
    let third = queue.job(key("a")).await;
    assert!(matches!(third, Err(QueueError::Closed(why)) if why.contains("has not answered")));
    free.send(()).unwrap();
    let queue = queue.with_deadline(PATIENCE);
    until(async || matches!(queue.job(key("a")).await, Ok(None))).await;
    until(async || queue.pulse(PATIENCE).await == Pulse::Answers && folder.files() == 0).await;
    assert!(matches!(queue.enqueue(asked("a", 10)).await, Ok(Enqueued::Accepted(_))));
}

#[tokio::test]
async fn what_the_process_before_left_over_goes_at_the_start() {
    let folder = Folder::new("left-over");
    let queue = folder.start(QUOTA);
    queue.enqueue(folder.with_file("a")).await.unwrap();
    queue.close(PATIENCE).await;
    folder.with_file("b");
    assert_eq!(folder.files(), 2);
    let queue = folder.start(QUOTA);
    queue.opened().await;
    assert_eq!(folder.files(), 1);
    let job = queue.job(key("a")).await.unwrap().unwrap();
    let lease = queue.claim(job.seq).await.unwrap().unwrap();
    assert_eq!(fs::read(lease.file.unwrap().path).unwrap(), b"abc");
}

#[tokio::test]
async fn a_step_that_is_kept_is_seen_by_whoever_waits() {
    let folder = Folder::new("kept");
    let queue = folder.start(QUOTA);
    let job = Submission { stepwise: true, ..asked("a", 10) };
    let Enqueued::Accepted(job) = queue.enqueue(job).await.unwrap() else { panic!() };
    queue.claim(job.seq).await.unwrap().unwrap();
    let watch = queue.watch(&job.key);
    for number in 0..3 {
        let changed = watch.changed();
        let step = Step { number, data: vec![1; 100].into(), calls: 1 };
        assert_eq!(queue.keep(job.seq, step).await, Ok(true));
        tokio::time::timeout(PATIENCE, changed).await.expect("it is woken");
        let seen = queue.job(job.key.clone()).await.unwrap().unwrap();
        assert_eq!((seen.steps, u64::from(seen.calls)), (number + 1, number + 1));
    }
    let large = Step { number: 3, data: vec![1; 70_000].into(), calls: 1 };
    assert!(matches!(queue.keep(job.seq, large).await, Err(QueueError::Full(_))));
    let steps = queue.steps(job.seq, Some(0)).await.unwrap();
    let numbers: Vec<u64> = steps.steps.iter().map(|step| step.number).collect();
    assert_eq!((numbers, steps.next), (vec![1, 2], None));
    queue.cancel(job.key.clone()).await.unwrap();
    let step = Step { number: 3, data: vec![1; 100].into(), calls: 1 };
    assert_eq!(queue.keep(job.seq, step).await, Ok(false));
}

#[tokio::test]
async fn an_answer_that_has_no_room_ends_its_job() {
    let folder = Folder::new("large");
    let queue = folder.start(256 * 1024);
    let runner = Quick::new(400_000);
    let (drain, tasks) = (Drain::new(), Tasks::new());
    tasks.spawn(work(queue.clone(), Arc::clone(&runner), drain.clone(), tasks.clone()));
    queue.enqueue(asked("a", 10)).await.unwrap();
    let job = async || queue.job(key("a")).await.unwrap().unwrap();
    until(async || job().await.state.is_final()).await;
    let job = job().await;
    assert_eq!(job.state, State::Failed);
    assert_eq!(job.trouble.unwrap().code, "result_too_large");
    assert_eq!(runner.runs.load(Ordering::SeqCst), 1);
    drain.start();
}
