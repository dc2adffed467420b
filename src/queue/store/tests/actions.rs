//! What can befall a queue, in sequences that look random and are the same for the same seed.

use crate::queue::job::Priority;

/// One thing that befalls it. Numbers choose among what there is when its turn comes, so that a
/// sequence stays one when actions are taken out of it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Action {
    /// A job is handed in.
    Enqueue(Order),
    /// The next job is taken for a run, past a lane that is shut.
    Claim { shut: Option<u8> },
    /// A run ends.
    Finish { which: usize, made: u32, end: End, size: usize },
    /// A step of a run is kept.
    Keep { which: usize, number: u64, size: usize, calls: u32 },
    /// Hours pass.
    Pass { hours: u64 },
    /// What has to be done from time to time is done.
    Sweep,
    /// A client cancels or acknowledges.
    Remove { name: u8 },
    /// A client wants a job to be tried again.
    Retry { name: u8 },
    /// The process is killed, and starts again.
    Crash,
    /// The power is cut: what was not synced is lost. The process starts again.
    PowerCut,
    /// The process stops in good order, and starts again.
    Restart,
    /// The database is closed after a fault, and opened again by the same process.
    Reopen,
    /// A reload.
    Reload { result_ttl: u64, max_attempts: u32 },
}

impl Action {
    /// Whether the database is opened anew.
    pub(super) fn opens(self) -> bool {
        matches!(self, Self::Crash | Self::PowerCut | Self::Restart | Self::Reopen)
    }

    /// Whether what it writes is on stable storage when it is done.
    pub(super) fn is_durable(self) -> bool {
        matches!(
            self,
            Self::Enqueue(_)
                | Self::Keep { .. }
                | Self::Finish { .. }
                | Self::Remove { .. }
                | Self::Retry { .. }
        )
    }
}

/// A job that is handed in. Times are in half hours; spans are odd, so that none ends at a moment
/// that is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) name: u8,
    pub(super) body: u8,
    pub(super) size: usize,
    pub(super) lane: u8,
    pub(super) priority: Priority,
    pub(super) ttl: u64,
    pub(super) not_before: u64,
    pub(super) stepwise: bool,
    /// How long its file is.
    pub(super) file: Option<u64>,
}

/// How a run ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    Succeeded,
    Failed,
    Draft,
    Again { wait: u64 },
}

/// An action, and whether the transaction that it makes is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) action: Action,
    pub(super) is_doomed: bool,
}

/// A sequence, and the queue that it befalls.
#[derive(Debug, Clone)]
pub(super) struct Story {
    pub(super) max_jobs: u64,
    pub(super) quota: u64,
    pub(super) max_attempts: u32,
    /// Whether what is synced is told from what is not.
    pub(super) cuts: bool,
    pub(super) steps: Vec<Step>,
}

impl Story {
    pub(super) fn of(seed: u64) -> Self {
        let mut random = Random::new(seed);
        Self {
            max_jobs: random.pick(&[3, 100, 100]),
            quota: random.pick(&[256 * 1024, 32 * 1024 * 1024]),
            max_attempts: random.pick(&[1, 2, 5]),
            cuts: random.below(4) == 0,
            steps: (0..10 + random.below(50)).map(|_| step(&mut random)).collect(),
        }
    }
}

fn step(random: &mut Random) -> Step {
    Step { action: action(random), is_doomed: random.below(12) == 0 }
}

fn action(random: &mut Random) -> Action {
    match random.below(48) {
        0..12 => Action::Enqueue(order(random)),
        12..21 => {
            let shut = (random.below(4) == 0).then(|| random.pick(&[0, 1]));
            Action::Claim { shut }
        }
        21..28 => Action::Finish {
            which: random.below(4),
            made: random.pick(&[0, 1, 5]),
            end: end(random),
            size: random.pick(&[0, 10, 1536, 1537, 9000, 40_000]),
        },
        28..30 => Action::Pass { hours: random.pick(&[1, 3, 30]) },
        30..32 => Action::Sweep,
        32..35 => Action::Remove { name: name(random) },
        35 => Action::Retry { name: name(random) },
        36 => Action::Crash,
        37 => Action::Restart,
        38 => Action::Reopen,
        39..46 => Action::Keep {
            which: random.below(4),
            number: random.pick(&[0, 1, 1, 2, 3, (1 << 20) - 1]),
            size: random.pick(&[0, 200, 1024, 4000, 20_000]),
            calls: random.pick(&[0, 1, 2]),
        },
        46 => Action::PowerCut,
        _ => Action::Reload {
            result_ttl: random.pick(&[3, 9, 49]),
            max_attempts: random.pick(&[1, 5]),
        },
    }
}

fn order(random: &mut Random) -> Order {
    Order {
        name: name(random),
        body: random.pick(&[0, 0, 0, 1]),
        size: random.pick(&[0, 100, 1536, 1537, 20_000]),
        lane: random.pick(&[0, 0, 1]),
        priority: random.pick(&Priority::ALL),
        ttl: random.pick(&[3, 21, 201]),
        not_before: random.pick(&[0, 0, 0, 3]),
        stepwise: random.below(2) == 0,
        file: random.pick(&[None, None, Some(0), Some(10)]),
    }
}

fn end(random: &mut Random) -> End {
    match random.below(8) {
        0..3 => End::Succeeded,
        3 => End::Failed,
        4 => End::Draft,
        _ => End::Again { wait: random.pick(&[0, 1, 5]) },
    }
}

fn name(random: &mut Random) -> u8 {
    random.pick(&[0, 1, 2, 3, 4, 5, 6])
}

/// A xorshift generator (Marsaglia 2003).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        let mut fresh = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        // Seeds that are near each other part in the first few numbers.
        for _ in 0..8 {
            fresh.next();
        }
        fresh
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from((self.next() >> 16) % (end as u64)).unwrap()
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}
