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
