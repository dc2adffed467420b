//! The disk, from threads of its own: a card that is slow, or hangs, must hold up nobody but who waits
//! for it. In the runtime's own thread it would hold up everybody.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::chat::{Error, Kind};

/// Threads that may wait for the disk at once. There are more, in which names are looked up.
static TURNS: Semaphore = Semaphore::const_new(2);

/// How long something small is waited for.
const SMALL: Duration = Duration::from_secs(30);

/// How long a whole document is: a card that takes a second for a write gets so many in.
const WHOLE: Duration = Duration::from_secs(300);

/// A wait after which it may answer again.
const AGAIN: Duration = Duration::from_secs(30);

/// What is done there. Of one type, so that the machinery is there only once.
type Work = Box<dyn FnOnce() + Send>;

/// Does something small: a file is made, a piece of it is read or written.
///
/// # Errors
/// Those of the work; or the disk does not answer, and whether it is done is not known.
pub fn small<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> impl Future<Output = io::Result<T>> + Send {
    within(SMALL, work)
}

/// Does something with all of a document.
///
/// # Errors
/// As [`small`].
pub fn whole<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> impl Future<Output = io::Result<T>> + Send {
    within(WHOLE, work)
}

async fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let found = Arc::new(Mutex::new(None));
    let place = Arc::clone(&found);
    let work = move || {
        let done = work();
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
    };
    finish(limit, Box::new(work)).await?;
    let done = found.lock().unwrap_or_else(PoisonError::into_inner).take();
    done.unwrap_or_else(|| Err(io::Error::other("the work was not done")))
}

async fn finish(limit: Duration, work: Work) -> io::Result<()> {
    let late = || {
        let why = format!("the disk has not answered for {} s", limit.as_secs());
        io::Error::new(io::ErrorKind::TimedOut, why)
    };
    tokio::time::timeout(limit, in_turn(work)).await.unwrap_or_else(|_| Err(late()))
}

/// The turn is the work's: also when nobody waits for it any more, it takes a thread.
async fn in_turn(work: Work) -> io::Result<()> {
    let turn = TURNS.acquire().await.map_err(io::Error::other)?;
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work();
    });
    done.await.map_err(io::Error::other)
}

/// What to say of work that failed. Where the disk did not answer, it may later, and a job is done again then.
pub fn failed(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |error| {
        let message = format!("{what}: {error}");
        match error.kind() {
            io::ErrorKind::TimedOut => Error::new(Kind::Unavailable, message).retry_after(AGAIN),
            _ => Error::new(Kind::Internal, message),
        }
    }
}

/// Does it some time, and nobody waits; at once where there is no runtime.
pub(super) fn later(work: Work) {
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(in_turn(work))),
        Err(_) => work(),
    }
}

/// A file that many hold. It is closed elsewhere: with the last that holds a file without a name, the
/// file goes, and that is work for the disk.
#[derive(Debug, Clone)]
pub struct SharedFile(Arc<Closing>);

#[derive(Debug)]
struct Closing(File);

impl From<File> for SharedFile {
    fn from(file: File) -> Self {
        Self(Arc::new(Closing(file)))
    }
}

impl Deref for SharedFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0.0
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        // While there is another, to close this one is nothing.
        if let Ok(last) = self.0.try_clone() {
            later(Box::new(move || drop(last)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_disk_that_does_not_answer_is_waited_for_so_long_and_may_come_right() {
        let (free, held) = std::sync::mpsc::channel::<()>();
        let hangs = move || held.recv().map_err(io::Error::other);
        let late = within(Duration::from_millis(50), hangs).await.unwrap_err();
        let failed = failed("it cannot be read");
        assert_eq!(failed(late).kind, Kind::Unavailable);
        free.send(()).unwrap();
        let broken = small(|| Err::<(), _>(io::Error::other("no"))).await.unwrap_err();
        assert_eq!(failed(broken).kind, Kind::Internal);
        assert_eq!(small(|| Ok(7)).await.unwrap(), 7);
    }
}
