//! The memory there is to give out: a semaphore that counts bytes.
//!
//! Everything whose size a client or a provider decides is reserved here before it is read. A
//! reservation never waits: what does not fit is refused, and the client is told to come again.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Bytes to give out.
#[derive(Debug)]
pub struct Budget {
    capacity: AtomicUsize,
    used: AtomicUsize,
    peak: AtomicUsize,
    sheds: AtomicU64,
}

/// A held share of the budget; given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Budget>,
    bytes: usize,
}

/// The budget refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} bytes wanted, {free} of {capacity} free")]
pub struct Shed {
    /// Bytes that were asked for, with those that the reservation held already.
    pub wanted: usize,
    /// Bytes that were free.
    pub free: usize,
    /// Bytes there are at all.
    pub capacity: usize,
}

impl Shed {
    /// Whether it would be refused also with nothing else in use.
    pub fn never_fits(&self) -> bool {
        self.wanted > self.capacity
    }
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(bytes: u64) -> Arc<Self> {
        Arc::new(Self {
            capacity: AtomicUsize::new(clamp(bytes)),
            used: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            sheds: AtomicU64::new(0),
        })
    }

    /// Reserves bytes, at once or not at all.
    ///
    /// # Errors
    /// Where they are not free.
    pub fn reserve(self: &Arc<Self>, bytes: usize) -> Result<Reservation, Shed> {
        self.take(bytes, bytes)?;
        Ok(Reservation { budget: Arc::clone(self), bytes })
    }

    fn take(&self, more: usize, wanted: usize) -> Result<(), Shed> {
        let capacity = self.capacity.load(Ordering::Relaxed);
        let step = |used: usize| used.checked_add(more).filter(|sum| *sum <= capacity);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step) {
            Ok(before) => {
                self.peak.fetch_max(before.saturating_add(more), Ordering::Relaxed);
                Ok(())
            }
            Err(used) => {
                self.sheds.fetch_add(1, Ordering::Relaxed);
                Err(Shed { wanted, free: capacity.saturating_sub(used), capacity })
            }
        }
    }

    /// Gives another number of bytes out from now on. What is held stays held.
    pub fn set_capacity(&self, bytes: u64) {
        self.capacity.store(clamp(bytes), Ordering::Relaxed);
    }

    /// Bytes there are at all.
    pub fn capacity(&self) -> u64 {
        self.capacity.load(Ordering::Relaxed) as u64
    }

    /// Bytes given out.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed) as u64
    }

    /// Most bytes given out at once since the start.
    pub fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed) as u64
    }

    /// How often it refused since the start.
    pub fn sheds(&self) -> u64 {
        self.sheds.load(Ordering::Relaxed)
    }
}

impl Reservation {
    /// Reserves so many bytes more.
    ///
    /// # Errors
    /// Where they are not free; what is held stays held.
    pub fn grow(&mut self, more: usize) -> Result<(), Shed> {
        self.budget.take(more, self.bytes.saturating_add(more))?;
        self.bytes += more;
        Ok(())
    }

    /// Gives back what goes beyond so many bytes.
    pub fn shrink_to(&mut self, bytes: usize) {
        let less = self.bytes.saturating_sub(bytes);
        self.budget.used.fetch_sub(less, Ordering::Relaxed);
        self.bytes -= less;
    }

    /// Bytes that are held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn clamp(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// The memory limit of our cgroup or of one above it, in bytes: the smallest that there is.
pub fn cgroup_limit() -> Option<u64> {
    limit_below(Path::new("/sys/fs/cgroup"), &fs::read_to_string("/proc/self/cgroup").ok()?)
}

fn limit_below(root: &Path, membership: &str) -> Option<u64> {
    let limits = membership.lines().flat_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next().unwrap_or(""), parts.next().unwrap_or("/"));
        // cgroup v2 has one line without controllers, v1 one for each controller.
        let (folder, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            names if names.split(',').any(|name| name == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => return Vec::new(),
        };
        let below = Path::new(path.trim_start_matches('/'));
        let read = |at: &Path| {
            let text = fs::read_to_string(folder.join(at).join(file)).ok()?;
            text.trim().parse::<u64>().ok()
        };
        below.ancestors().filter_map(read).collect::<Vec<_>>()
    });
    // v1 writes "no limit" as a number close to the largest there is.
    limits.filter(|bytes| *bytes < 1 << 60).min()
}

/// Bytes of resident memory, as the kernel counts them (`VmRSS`).
pub fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_out_no_more_than_there_is_and_takes_it_back() {
        let budget = Budget::new(100);
        let mut first = budget.reserve(60).unwrap();
        let shed = budget.reserve(50).unwrap_err();
        assert_eq!(shed, Shed { wanted: 50, free: 40, capacity: 100 });
        assert!(!shed.never_fits());
        assert!(first.grow(50).unwrap_err().never_fits());
        assert_eq!(first.bytes(), 60);
        first.grow(40).unwrap();
        assert_eq!((budget.used(), budget.peak(), budget.sheds()), (100, 100, 2));
        first.shrink_to(10);
        assert_eq!(budget.used(), 10);
        drop(first);
        assert_eq!(budget.used(), 0);
        assert!(budget.reserve(101).unwrap_err().never_fits());
        assert!(budget.reserve(usize::MAX).is_err());
    }

    #[test]
    fn the_smallest_limit_on_the_way_up_counts() {
        let root = std::env::temp_dir().join(format!("edgehold-cgroup-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("a/memory.max", "50000\n");
        write("a/b/memory.max", "max\n");
        write("memory/x/memory.limit_in_bytes", "9223372036854771712\n");
        write("memory/x/y/memory.limit_in_bytes", "70000\n");
        assert_eq!(limit_below(&root, "0::/a/b\n"), Some(50_000));
        assert_eq!(limit_below(&root, "5:cpu,memory:/x/y\n"), Some(70_000));
        assert_eq!(limit_below(&root, "5:cpu:/x/y\n"), None);
        assert_eq!(limit_below(&root, "5:memory:/x\n"), None);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn resident_memory_is_known() {
        assert!(resident_bytes().unwrap() > 100_000);
    }
}
