//! The store on its own: what it promises beside what the model can say.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::queue::Weak;
use crate::queue::job::Submission;
use crate::queue::names::Fingerprint;
use crate::queue::store::open::beside;

use super::*;

mod actions;
mod compare;
mod filing;
mod keeping;
mod model;
mod opening;
mod property;
mod stepping;

/// A folder with a database that is opened again and again.
struct Bench {
    folder: PathBuf,
    limits: RefCell<Limits>,
    carried: RefCell<Carried>,
}

impl Bench {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("edgehold-{name}-{}", std::process::id()));
        fs::remove_dir_all(&folder).ok();
        fs::create_dir_all(&folder).unwrap();
        let limits = Limits {
            quota: 32 * 1024 * 1024,
            max_jobs: 10_000,
            result_ttl: Duration::from_secs(86_400),
            max_attempts: 5,
        };
        Self { folder, limits: RefCell::new(limits), carried: RefCell::default() }
    }

    fn path(&self) -> PathBuf {
        self.folder.join("queue.db")
    }

    /// Made by the tests that need it.
    fn documents(&self) -> PathBuf {
        self.folder.join("documents")
    }

    fn wal(&self) -> PathBuf {
        self.folder.join("queue.db-wal")
    }

    /// Nothing is synced: the process lives, and what it wrote can be read.
    fn open_anyhow(&self) -> Result<Opened, Fault> {
        Opened::open(&Place {
            path: &self.path(),
            documents: Some(&self.documents()),
            durability: Durability { weakened: Some(Weak::Off), power_safe_overwrite: false },
            limits: &self.limits.borrow(),
            line: &Arc::default(),
            carried: &self.carried.borrow(),
        })
    }

    /// Opens what is whole.
    fn open(&self) -> Result<Store, Fault> {
        let opened = self.open_anyhow()?;
        match opened.set_aside {
            None => Ok(opened.store),
            Some((_, why)) => Err(Fault::Damaged(why)),
        }
    }

    fn limits(&self, change: impl FnOnce(&mut Limits)) -> Limits {
        change(&mut self.limits.borrow_mut());
        self.limits.borrow().clone()
    }

    fn carried(&self, carried: Carried) {
        self.carried.replace(carried);
    }

    /// An empty database: a copy of one, since making one is synced whatever the settings say.
    fn clear(&self) {
        let empty = beside(&self.path(), "empty");
        fs::remove_file(self.wal()).ok();
        fs::remove_file(self.path()).ok();
        if !empty.exists() {
            self.open().unwrap().close();
            fs::rename(self.path(), &empty).unwrap();
        }
        fs::copy(empty, self.path()).unwrap();
    }

    /// Kills the process and starts another.
    fn kill(&self, store: Store) -> Store {
        self.keep_files();
        drop(store);
        self.put_back_files();
        self.open().unwrap()
    }

    /// The files that are there.
    fn names(&self) -> Vec<String> {
        let files = fs::read_dir(&self.folder).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// What a process that is killed now would leave.
    fn keep_files(&self) {
        self.keep_as("kept");
    }

    fn put_back_files(&self) {
        self.put_back("kept");
    }

    /// What is left when the power is cut later.
    fn keep_synced(&self) {
        self.keep_as("synced");
    }

    fn put_back_synced(&self) {
        self.put_back("synced");
    }

    fn keep_as(&self, what: &str) {
        for (from, to) in self.files(what) {
            fs::remove_file(&to).ok();
            if from.exists() {
                fs::copy(from, to).unwrap();
            }
        }
    }

    fn put_back(&self, what: &str) {
        for (to, from) in self.files(what) {
            fs::remove_file(&to).ok();
            fs::rename(from, to).ok();
        }
    }

    fn files(&self, what: &str) -> [(PathBuf, PathBuf); 2] {
        [self.path(), self.wal()].map(|file| (file.clone(), beside(&file, what)))
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok();
    }
}

fn key(name: u8) -> JobKey {
    JobKey { owner: Arc::from("somebody"), id: format!("job-{name}").parse().unwrap() }
}

fn lane(number: u8) -> Lane {
    Lane(Arc::from(format!("lane-{number}")))
}

/// Bytes that are others for another number.
fn body(number: u64, size: usize) -> Vec<u8> {
    let bytes = (0..size as u64).map(|at| (at.wrapping_mul(31) ^ number).to_le_bytes()[0]);
    bytes.collect()
}

/// A job of this name with this body, as most are.
fn asked(name: u8, number: u64, size: usize) -> Submission {
    Submission {
        key: key(name),
        path: "/v1/ask".to_owned(),
        lane: lane(0),
        payload: body(number, size).into(),
        fingerprint: Fingerprint::of(&[&number.to_le_bytes()]),
        priority: Priority::Normal,
        ttl: Duration::from_secs(7 * 86_400),
        not_before: Duration::ZERO,
        stepwise: false,
        file: None,
        file_bytes: 0,
        held: None,
    }
}

fn everything() -> Listing {
    Listing { owner: None, state: None, after: 0, limit: usize::MAX }
}
