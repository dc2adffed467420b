//! Documents on the disk while they are read: in a folder of edgehold's own, readable for its user
//! alone, within a quota.
//!
//! What a request needs is a file without a name: it goes with the request, also when the process or
//! the power goes. What a job needs has a name, and is handed to the queue, which takes it away with
//! the job.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ring::digest::{Context, SHA256};

use crate::chat::{Error, Kind};
use crate::random;
use crate::summary::disk::{self, SharedFile};

/// Bytes that are gathered before they are written: a write is a trip to another thread.
const GATHERED: usize = 64 * 1024;

/// What is left free on the disk, for the queue above all.
const SPARE_BYTES: u64 = 8 * 1024 * 1024;

/// A wait after which there may be room again.
const FULL_WAIT: Duration = Duration::from_secs(30);

/// What a file of a request is called for the moment in which it has a name.
const PASSING: &str = "now-";

/// The folder, and what lies in it for requests.
#[derive(Debug, Clone)]
pub struct Spool {
    folder: Arc<Path>,
    quota: u64,
    held: Arc<AtomicU64>,
}

/// Bytes of the quota; given back when dropped.
#[derive(Debug)]
pub struct Share {
    held: Arc<AtomicU64>,
    bytes: u64,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A file that nobody else can see, and that goes when it is closed.
#[derive(Debug)]
pub struct Passing {
    /// The file.
    pub file: SharedFile,
    /// What it takes of the quota.
    pub share: Share,
}

/// A document as it arrives.
pub struct Arriving {
    file: SharedFile,
    /// Where it is, for a job's; taken away again unless it is kept.
    named: Option<Named>,
    gathered: BytesMut,
    digest: Context,
    crc: u32,
    share: Share,
    spool: Spool,
    lasting: u64,
    most: u64,
}

impl fmt::Debug for Arriving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arriving").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

/// A file with a name, which is taken away when this is dropped.
#[derive(Debug)]
struct Named(PathBuf);

impl Drop for Named {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.0);
        disk::later(Box::new(move || {
            fs::remove_file(path).ok();
        }));
    }
}

/// A document that is there as a whole.
#[derive(Debug)]
pub struct Arrived {
    /// Its file.
    pub file: SharedFile,
    /// How long it is.
    pub bytes: u64,
    /// Its checksum (CRC-32C).
    pub crc: u32,
    /// By which the same document is known again (SHA-256).
    pub digest: [u8; 32],
    share: Share,
    named: Option<Named>,
}

impl Spool {
    /// Makes the folder, and takes away what an earlier process may have left.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub fn open(folder: &Path, quota: u64) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(PASSING.as_bytes()) {
                fs::remove_file(entry.path()).ok();
            }
        }
        Ok(Self { folder: Arc::from(folder), quota, held: Arc::default() })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Bytes that requests hold at the moment.
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Begins a document of at most `most` bytes. `lasting` is what jobs hold already; `for_job` says
    /// that it is to be one more of theirs.
    ///
    /// # Errors
    /// There is no room, or the disk does not work.
    pub async fn begin(&self, most: u64, lasting: u64, for_job: bool) -> Result<Arriving, Error> {
        self.check_room(lasting, 1)?;
        let (file, named) = self.create(for_job).await?;
        Ok(Arriving {
            file,
            named,
            gathered: BytesMut::new(),
            digest: Context::new(&SHA256),
            crc: 0,
            share: self.share(),
            spool: self.clone(),
            lasting,
            most,
        })
    }

    /// A file for what is made of a document.
    ///
    /// # Errors
    /// The disk does not work.
    pub async fn passing(&self) -> Result<Passing, Error> {
        let (file, _) = self.create(false).await?;
        Ok(Passing { file, share: self.share() })
    }

    fn share(&self) -> Share {
        Share { held: Arc::clone(&self.held), bytes: 0 }
    }

    /// A new file, which keeps its name or loses it at once.
    async fn create(&self, is_named: bool) -> Result<(SharedFile, Option<Named>), Error> {
        let path = self.folder.join(format!("{PASSING}{}", random::name()));
        let made = disk::small(move || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true).mode(0o600);
            let file = SharedFile::from(options.open(&path)?);
            if is_named {
                return Ok((file, Some(Named(path))));
            }
            fs::remove_file(path)?;
            Ok((file, None))
        });
        made.await.map_err(|error| self.broken(&error))
    }

    /// Whether so many bytes more have room.
    fn check_room(&self, lasting: u64, more: u64) -> Result<(), Error> {
        let used = self.held().saturating_add(lasting).saturating_add(more);
        if used > self.quota {
            let message = format!(
                "the documents that are kept have {used} of {} bytes; come again, or raise quota in [summaries]",
                self.quota
            );
            return Err(Error::new(Kind::Overloaded, message).retry_after(FULL_WAIT));
        }
        let free = rustix::fs::statvfs(&*self.folder).ok();
        let free = free.map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        if free.is_some_and(|free| free < SPARE_BYTES + more) {
            return Err(full());
        }
        Ok(())
    }

    fn broken(&self, error: &io::Error) -> Error {
        if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            return full();
        }
        let message = format!("documents cannot be kept in {}: {error}", self.folder.display());
        Error::new(Kind::Unavailable, message).retry_after(FULL_WAIT)
    }
}

fn full() -> Error {
    let message = "the disk has no room for the document; make room on it";
    Error::new(Kind::Overloaded, message).retry_after(FULL_WAIT)
}

impl Share {
    /// Holds so many bytes in all.
    pub fn hold(&mut self, bytes: u64) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
    }
}

impl Arriving {
    /// Takes what came next.
    ///
    /// # Errors
    /// The document is too large, or there is no room for it.
    pub async fn push(&mut self, piece: &[u8]) -> Result<(), Error> {
        let bytes = self.share.bytes + piece.len() as u64;
        if bytes > self.most {
            let message = format!(
                "the document is larger than {} bytes; see max_document in [server]",
                self.most
            );
            return Err(Error::new(Kind::TooLarge, message));
        }
        self.share.hold(bytes);
        self.digest.update(piece);
        self.crc = crc32c::crc32c_append(self.crc, piece);
        self.gathered.extend_from_slice(piece);
        if self.gathered.len() >= GATHERED {
            self.spool.check_room(self.lasting, 0)?;
            self.write(false).await?;
        }
        Ok(())
    }

    /// Bytes that have come.
    pub fn bytes(&self) -> u64 {
        self.share.bytes
    }

    /// The document is whole. A job's is on stable storage then.
    ///
    /// # Errors
    /// There is no room for the last of it.
    pub async fn finish(mut self) -> Result<Arrived, Error> {
        let for_job = self.named.is_some();
        self.spool.check_room(self.lasting, 0)?;
        self.write(for_job).await?;
        let mut digest = [0; 32];
        digest.copy_from_slice(self.digest.finish().as_ref());
        let bytes = self.share.bytes;
        Ok(Arrived {
            file: self.file,
            bytes,
            crc: self.crc,
            digest,
            share: self.share,
            named: self.named,
        })
    }

    async fn write(&mut self, sync: bool) -> Result<(), Error> {
        let piece: Bytes = self.gathered.split().freeze();
        let file = self.file.clone();
        let written = match sync {
            false => disk::small(move || (&*file).write_all(&piece)).await,
            true => {
                disk::whole(move || (&*file).write_all(&piece).and_then(|()| file.sync_all())).await
            }
        };
        written.map_err(|error| self.spool.broken(&error))
    }
}

impl Arrived {
    /// Gives a job's document the name by which the queue knows it, and the disk the time to take
    /// that down. From here on it is the queue's. What is returned holds its share of the quota until
    /// the queue counts it.
    ///
    /// # Errors
    /// The disk does not work.
    pub async fn hand_over(self, to: PathBuf) -> Result<Share, Error> {
        let Some(named) = self.named else {
            return Err(Error::new(Kind::Internal, "a document that passes has no name"));
        };
        let moved = disk::small(move || {
            fs::rename(&named.0, &to)?;
            to.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
        });
        moved.await.map_err(|error| {
            Error::new(Kind::Unavailable, format!("the document cannot be kept: {error}"))
        })?;
        Ok(self.share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("edgehold-spool-{name}-{}", std::process::id());
            Self(std::env::temp_dir().join(name))
        }

        fn names(&self) -> Vec<String> {
            let all = fs::read_dir(&self.0).unwrap();
            all.map(|it| it.unwrap().file_name().into_string().unwrap()).collect()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    #[tokio::test]
    async fn what_passes_has_no_name_and_leaves_nothing() {
        let folder = Folder::new("passes");
        let spool = Spool::open(&folder.0, 1000).unwrap();
        let mut arriving = spool.begin(100, 0, false).await.unwrap();
        arriving.push(b"hello ").await.unwrap();
        arriving.push(b"world").await.unwrap();
        assert_eq!(folder.names(), Vec::<String>::new());
        let arrived = arriving.finish().await.unwrap();
        assert_eq!((arrived.bytes, spool.held()), (11, 11));
        assert_eq!(arrived.crc, crc32c::crc32c(b"hello world"));
        drop(arrived);
        assert_eq!(spool.held(), 0);
    }

    #[tokio::test]
    async fn a_jobs_document_is_handed_over_or_taken_away() {
        let folder = Folder::new("jobs");
        let spool = Spool::open(&folder.0, 1000).unwrap();
        drop(spool.begin(100, 0, true).await.unwrap());
        // Nobody waits for it.
        for _ in 0..1000 {
            if folder.names().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(folder.names(), Vec::<String>::new());
        let mut arriving = spool.begin(100, 0, true).await.unwrap();
        arriving.push(b"hello").await.unwrap();
        arriving.finish().await.unwrap().hand_over(folder.0.join("job-00")).await.unwrap();
        assert_eq!(folder.names(), ["job-00"]);
        assert_eq!(fs::read(folder.0.join("job-00")).unwrap(), b"hello");
        fs::write(folder.0.join("now-1"), b"left over").unwrap();
        Spool::open(&folder.0, 1000).unwrap();
        assert_eq!(folder.names(), ["job-00"]);
    }

    #[tokio::test]
    async fn limits_are_said() {
        let folder = Folder::new("limits");
        let spool = Spool::open(&folder.0, 10).unwrap();
        let mut arriving = spool.begin(4, 0, false).await.unwrap();
        assert_eq!(arriving.push(b"hello").await.unwrap_err().kind, Kind::TooLarge);
        drop(arriving);
        assert_eq!(spool.begin(4, 10, false).await.unwrap_err().kind, Kind::Overloaded);
        let mut large = spool.begin(1 << 20, 0, false).await.unwrap();
        let over = large.push(&vec![0; GATHERED]).await.unwrap_err();
        assert_eq!(over.kind, Kind::Overloaded, "{over}");
    }
}
