//! Files of jobs: what is too large for the database lies beside it, one file a job.
//!
//! Whose a file is: its maker's until it hands the job in, and the queue's from then on. A file is
//! unlinked when no row names it any more and that is on stable storage, never before: a power cut
//! may bring back the row, and then its file must be there. What is left over by a process that ended
//! in between is unlinked by the next one.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rusqlite::params;

use crate::queue::job::JobFile;
use crate::queue::names::FileName;
use crate::queue::store::open::others_set_aside;
use crate::queue::store::row::{self, Row};
use crate::queue::store::{Fault, Store};

/// The files that rows name.
#[derive(Debug, Default)]
pub(super) struct Files {
    of_job: BTreeMap<i64, (FileName, u64)>,
    bytes: u64,
}

impl Files {
    pub(super) fn add(&mut self, seq: i64, name: FileName, bytes: u64) {
        self.of_job.insert(seq, (name, bytes));
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn remove(&mut self, seq: i64) -> Option<FileName> {
        let (name, bytes) = self.of_job.remove(&seq)?;
        self.bytes = self.bytes.saturating_sub(bytes);
        Some(name)
    }

    fn has(&self, name: &FileName) -> bool {
        self.of_job.values().any(|(known, _)| known == name)
    }
}

/// How a job's file is found.
pub(super) enum Found {
    /// As it should be; `None` where the job has none.
    Whole(Option<JobFile>),
    /// It is not there, or is no file of the promised length.
    Lost,
    /// That cannot be known now.
    Unknown(String),
}

/// Makes the folder of the files if there is none, and says which are in it: those that are there
/// before this process makes the first. SECURITY: what clients ask is for nobody else on the device.
pub(in crate::queue) fn left_in(folder: &Path) -> Vec<FileName> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    match made.and_then(|()| names_in(folder)) {
        Ok(names) => names,
        Err(error) => {
            tracing::error!(folder = %folder.display(), %error, "the folder of the jobs' files cannot be used");
            Vec::new()
        }
    }
}

fn names_in(folder: &Path) -> io::Result<Vec<FileName>> {
    let names = fs::read_dir(folder)?.map(|entry| Ok(FileName::of_file(&entry?.file_name())));
    names.filter_map(Result::transpose).collect()
}

impl Store {
    /// What rows name: how many files, and bytes of them.
    pub(in crate::queue) fn documents(&self) -> (u64, u64) {
        (self.memory.files.of_job.len() as u64, self.memory.files.bytes)
    }

    /// Reads which files the rows name.
    pub(super) fn load_files(&self) -> Result<Files, Fault> {
        let mut statement = self.db.prepare(
            "SELECT more.job, file, file_bytes FROM more JOIN job ON job.seq = more.job
             WHERE file IS NOT NULL",
        )?;
        let mut rows = statement.query([])?;
        let mut files = Files::default();
        while let Some(found) = rows.next()? {
            if let Some(name) = FileName::of_text(&row::text(found, 1)) {
                files.add(row::int(found, 0), name, row::age(found, 2));
            }
        }
        Ok(files)
    }

    /// The job's file, as it is now.
    pub(super) fn find_file(&self, row: &Row) -> Found {
        let Some(name) = &row.file else { return Found::Whole(None) };
        let Some(folder) = &self.documents else {
            return Found::Unknown("no folder for the jobs' files is known".to_owned());
        };
        let path = name.path_in(folder);
        match fs::symlink_metadata(&path) {
            Ok(file) if file.is_file() && file.len() == row.file_bytes => {
                Found::Whole(Some(JobFile { path, bytes: row.file_bytes }))
            }
            Ok(_) => Found::Lost,
            // A folder that is away may come back with all that is in it.
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder.is_dir() => Found::Lost,
            Err(error) => Found::Unknown(format!("{}: {error}", path.display())),
        }
    }

    /// The job needs its file no more.
    pub(super) fn release_file(&mut self, seq: i64) -> Result<(), Fault> {
        let Some(name) = self.memory.files.remove(seq) else { return Ok(()) };
        self.db
            .prepare_cached("UPDATE more SET file = NULL WHERE job = ?1")?
            .execute(params![seq])?;
        self.released.push(name);
        Ok(())
    }

    /// The commit that let go of them is on stable storage.
    pub(super) fn unlink_released(&mut self) {
        for name in std::mem::take(&mut self.released) {
            self.unlink(&name);
        }
    }

    /// Files that were let go by commits which the power may still take back.
    pub(in crate::queue) fn take_released(&mut self) -> Vec<FileName> {
        std::mem::take(&mut self.released)
    }

    /// Unlinks of these files those that no row names. Outside of transactions.
    pub(in crate::queue) fn unlink_unnamed(&self, names: &[FileName]) {
        names.iter().filter(|name| !self.memory.files.has(name)).for_each(|name| self.unlink(name));
    }

    /// What processes before this one left over goes. Not while a damaged database stands beside:
    /// they may be files of its jobs.
    pub(in crate::queue) fn clear_up(&self, left: &[FileName]) {
        let aside = self.db.path().map_or(0, |path| others_set_aside(Path::new(path)));
        if aside == 0 {
            self.unlink_unnamed(left);
        }
    }

    fn unlink(&self, name: &FileName) {
        let Some(folder) = &self.documents else { return };
        let path = name.path_in(folder);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a job's file is not needed any more and stays until the next start");
            }
        }
    }
}
