//! The one thread that owns the database: takes what waits, does it in one transaction, answers.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::queue::Place;
use crate::queue::facts::{Facts, Totals};
use crate::queue::handle::Shared;
use crate::queue::job::QueueError;
use crate::queue::names::FileName;
use crate::queue::store::{self, Carried, Fault, Kind, Lock, Opened, Store};

/// Most operations in one transaction.
const BATCH: usize = 64;

/// How long after a failure the database is opened again: doubled with each, up to a limit.
const REOPEN: Duration = Duration::from_millis(250);
const REOPEN_LONGEST: Duration = Duration::from_secs(30);

/// How often a full disk is looked at: each time may write as much as the ballast.
const ROOM_LOOKED_AT: Duration = Duration::from_secs(1);

/// What is to be done where no folder for the database is known.
const NO_PLACE: &str = "no folder for the database is known: name one with path in [queue], or set $STATE_DIRECTORY, $XDG_STATE_HOME or $HOME";

/// One operation on its way to the thread.
pub(super) trait Work: Send {
    /// How it is kept.
    fn kind(&self) -> Kind;
    /// Whether it makes room, and may use the last of it.
    fn drains(&self) -> bool;
    /// Does it, and holds what comes of it.
    fn run(&mut self, store: &mut Store) -> Result<(), Fault>;
    /// Says what came of it, or why nothing did.
    fn answer(self: Box<Self>, done: Result<(), QueueError>);
}

/// An operation on its way. Until the thread takes it up, whoever asked can take it back.
pub(super) type Slot = Arc<Mutex<Option<Box<dyn Work>>>>;

/// An operation with its way back.
pub(super) struct Errand<T, W> {
    pub(super) kind: Kind,
    pub(super) drains: bool,
    pub(super) work: W,
    pub(super) found: Option<T>,
    pub(super) reply: oneshot::Sender<Result<T, QueueError>>,
}

impl<T, W> Work for Errand<T, W>
where
    T: Send,
    W: FnMut(&mut Store) -> Result<T, Fault> + Send,
{
    fn kind(&self) -> Kind {
        self.kind
    }

    fn drains(&self) -> bool {
        self.drains
    }

    fn run(&mut self, store: &mut Store) -> Result<(), Fault> {
        self.found = Some((self.work)(store)?);
        Ok(())
    }

    fn answer(self: Box<Self>, done: Result<(), QueueError>) {
        let Self { found, reply, .. } = *self;
        let gone = || QueueError::Closed("it was not done".to_owned());
        // Whoever asked may have gone.
        reply.send(done.and_then(|()| found.ok_or_else(gone))).ok();
    }
}

/// What the thread has between two operations.
pub(super) struct Keeper {
    place: Option<Place>,
    shared: Arc<Shared>,
    store: Option<Store>,
    lock: Option<Lock>,
    carried: Carried,
    totals: Totals,
    reopen_at: Instant,
    reopen_wait: Duration,
    room_at: Instant,
    /// The last opening, or what came after it.
    has_failed: bool,
    /// Files that were there before this process handed in the first.
    left: Vec<FileName>,
}

impl Keeper {
    /// Nobody hands in a job before this: what files there are are those of processes before.
    pub(super) fn new(place: Option<Place>, shared: Arc<Shared>) -> Self {
        let documents = place.as_ref().and_then(|place| place.documents.as_deref());
        let left = documents.map(store::left_in).unwrap_or_default();
        Self {
            left,
            place,
            shared,
            store: None,
            lock: None,
            carried: Carried::default(),
            totals: Totals::default(),
            reopen_at: Instant::now(),
            reopen_wait: REOPEN,
            room_at: Instant::now(),
            has_failed: false,
        }
    }

    /// Works until nobody can ask any more.
    pub(super) fn run(mut self, mut inbox: mpsc::Receiver<Slot>) {
        self.shared.stat.begins_here();
        self.shared.stat.begins();
        self.open();
        self.shared.stat.is_done();
        self.shared.opened();
        while let Some(first) = inbox.blocking_recv() {
            self.shared.stat.begins();
            let mut batch: Vec<_> = locked(&first).take().into_iter().collect();
            while batch.len() < BATCH
                && let Ok(next) = inbox.try_recv()
            {
                batch.extend(locked(&next).take());
            }
            if self.store.is_none() && Instant::now() >= self.reopen_at {
                self.open();
            }
            self.take(batch);
            self.shared.stat.begins();
            self.settle();
            self.shared.stat.is_done();
        }
        self.look_after_files();
        if let Some(store) = self.store.take() {
            store.close();
        }
    }

    /// Of the files that came with jobs since the last time, those that no row names are nobody's.
    fn look_after_files(&self) {
        // Where it is closed, nobody knows: a commit that failed may have been kept.
        let Some(store) = &self.store else { return };
        store.unlink_unnamed(&std::mem::take(&mut *locked(&self.shared.handed_in)));
    }

    /// After the answers: what was accepted is in the log, and safe there.
    fn settle(&mut self) {
        self.look_after_files();
        let Some(store) = &mut self.store else { return };
        let mut done = store.settle_growth().map(|()| false);
        if done.is_ok() && Instant::now() >= self.room_at {
            self.room_at = Instant::now() + ROOM_LOOKED_AT;
            done = store.make_room();
        }
        match done {
            Ok(false) => {}
            // Jobs may start again.
            Ok(true) => {
                self.tell();
                self.shared.line_changed();
            }
            Err(fault) => self.shut(&fault),
        }
    }

    fn open(&mut self) {
        match self.try_open() {
            Ok(opened) => {
                if let Some((path, why)) = opened.set_aside {
                    self.was_set_aside(path, why);
                }
                self.reopen_wait = REOPEN;
                let mut store = opened.store;
                // What was counted before this opening, and what the opening itself counted.
                let fresh = *store.totals();
                *store.totals() = Totals {
                    quarantined: self.totals.quarantined + fresh.quarantined,
                    ..self.totals
                };
                self.shared.facts().closed = None;
                if std::mem::take(&mut self.has_failed) {
                    tracing::info!("the queue is open again");
                }
                store.clear_up(&std::mem::take(&mut self.left));
                self.store = Some(store);
                self.tell();
                self.shared.line_changed();
            }
            Err(fault) => self.shut(&fault),
        }
    }

    fn try_open(&mut self) -> Result<Opened, Fault> {
        let Some(place) = &self.place else {
            return Err(Fault::NotOurs(NO_PLACE.to_owned()));
        };
        if self.lock.is_none() {
            self.lock = Some(Lock::take(&place.path)?);
        }
        let limits = self.shared.limits.borrow().clone();
        Opened::open(&store::Place {
            path: &place.path,
            documents: place.documents.as_deref(),
            durability: place.durability,
            limits: &limits,
            line: &self.shared.line,
            carried: &self.carried,
        })
    }

    /// Nothing is tried again on a connection that failed: the next one reads from the disk.
    fn shut(&mut self, fault: &Fault) {
        let why = match fault {
            Fault::Full => "the disk is full".to_owned(),
            Fault::Disk(why) | Fault::Damaged(why) | Fault::NotOurs(why) => why.clone(),
        };
        if let Some(mut store) = self.store.take() {
            self.totals = *store.totals();
            self.totals.faults += 1;
            self.carried = store.carried();
            // The opening writes all that is committed to its place.
            locked(&self.shared.handed_in).extend(store.take_released());
        }
        self.has_failed = true;
        self.reopen_at = Instant::now() + self.reopen_wait;
        self.reopen_wait = (self.reopen_wait * 2).min(REOPEN_LONGEST);
        let mut facts = self.shared.facts();
        if facts.closed.as_ref() != Some(&why) {
            tracing::error!(why, "the queue is closed");
        }
        facts.closed = Some(why);
        facts.totals = self.totals;
    }

    fn take(&mut self, mut batch: Vec<Box<dyn Work>>) {
        match self.attempt(&mut batch) {
            Ok(()) => answer_all(batch, &Ok(())),
            Err(Fault::Full) => {
                // One that is too large must not stand in the way of the others.
                for work in batch {
                    self.shared.stat.begins();
                    self.take_alone(work);
                }
            }
            Err(fault) => self.failed(batch, fault),
        }
    }

    fn take_alone(&mut self, work: Box<dyn Work>) {
        let mut alone = vec![work];
        let mut done = self.attempt(&mut alone);
        let drains = alone.iter().all(|work| work.drains());
        if done == Err(Fault::Full)
            && drains
            && let Some(store) = &mut self.store
        {
            done = match store.drop_ballast() {
                Ok(true) => self.attempt(&mut alone),
                Ok(false) => done,
                Err(fault) => Err(fault),
            };
        }
        match done {
            Ok(()) => answer_all(alone, &Ok(())),
            Err(Fault::Full) => {
                self.tell();
                let full = "the disk is full; make room on it".to_owned();
                answer_all(alone, &Err(QueueError::Full(full)));
            }
            Err(fault) => self.failed(alone, fault),
        }
    }

    fn failed(&mut self, batch: Vec<Box<dyn Work>>, fault: Fault) {
        // To be asked while it is closed is no new failure: the next opening comes no later for it.
        if self.store.is_some() {
            self.shut(&fault);
            // A damaged database is set aside at once: the next opening would find it the same.
            if let Fault::Damaged(why) = fault {
                self.begin_anew(why);
            }
        }
        let why = self.shared.facts().closed.clone();
        let why = why.unwrap_or_else(|| "the database was damaged and is set aside".to_owned());
        answer_all(batch, &Err(QueueError::Closed(why)));
    }

    fn begin_anew(&mut self, why: String) {
        let Some(place) = &self.place else { return };
        match store::set_aside(&place.path) {
            Ok(path) => {
                self.was_set_aside(path, why);
                self.open();
            }
            Err(fault) => self.shut(&fault),
        }
    }

    fn was_set_aside(&self, path: PathBuf, why: String) {
        tracing::error!(path = %path.display(), why, "the queue's database was damaged and is set aside: its jobs are lost to this service");
        self.shared.facts().set_aside.push((path, why));
        // Its rows may name them.
        locked(&self.shared.handed_in).clear();
    }

    /// All of it in one transaction.
    fn attempt(&mut self, batch: &mut [Box<dyn Work>]) -> Result<(), Fault> {
        let Some(store) = &mut self.store else {
            let why = self.shared.facts().closed.clone();
            return Err(Fault::Disk(why.unwrap_or_else(|| "it is not open yet".to_owned())));
        };
        store.set_limits(&self.shared.limits.borrow())?;
        let kind = batch.iter().map(|work| work.kind()).max().unwrap_or(Kind::Read);
        store.transact(kind, |store| batch.iter_mut().try_for_each(|work| work.run(store)))?;
        let changed = store.take_changed();
        // Whoever is woken looks at what is told.
        self.tell();
        if kind > Kind::Read {
            self.shared.line_changed();
        }
        self.shared.watchers.changed(&changed);
        Ok(())
    }

    /// Tells everybody how things stand.
    fn tell(&mut self) {
        let Some(store) = &mut self.store else { return };
        let (counts, totals) = (store.counts(), *store.totals());
        let (documents, document_bytes) = store.documents();
        let (bytes, room, full) = (store.used_bytes(), store.has_room(), store.is_full());
        let mut facts = self.shared.facts();
        *facts = Facts {
            closed: None,
            full,
            counts,
            totals,
            bytes: bytes.unwrap_or(facts.bytes),
            quota: store.quota(),
            documents,
            document_bytes,
            has_room: room.unwrap_or(false),
            path: self.place.as_ref().map(|place| place.path.clone()).unwrap_or_default(),
            time: Some((store.now(), Instant::now())),
            set_aside: std::mem::take(&mut facts.set_aside),
        };
    }
}

fn answer_all(batch: Vec<Box<dyn Work>>, done: &Result<(), QueueError>) {
    for work in batch {
        work.answer(done.clone());
    }
}

/// A value that threads share, whatever became of one that held it.
pub(super) fn locked<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
