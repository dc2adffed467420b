//! What survives the process: the finished steps of a job.

use std::future::Future;

use bytes::Bytes;

/// Where finished steps are kept, so that a later run of the same job goes on where this one stood.
pub trait Keep: Sync {
    /// Steps that an earlier run has kept, from those after `after` on.
    fn kept(&self, after: Option<u64>) -> impl Future<Output = Kept> + Send;

    /// Keeps a step that took so many calls. Where that cannot be done, the step is done again.
    fn keep(&self, number: u64, step: Vec<u8>, calls: u32) -> impl Future<Output = ()> + Send;
}

/// Some of the steps that were kept.
#[derive(Debug, Default)]
pub struct Kept {
    /// Each with its number.
    pub steps: Vec<(u64, Bytes)>,
    /// After which number there are more.
    pub next: Option<u64>,
}

/// Keeps nothing: whoever waits for the summary begins anew.
#[derive(Debug, Clone, Copy)]
pub struct Nothing;

impl Keep for Nothing {
    async fn kept(&self, _after: Option<u64>) -> Kept {
        Kept::default()
    }

    async fn keep(&self, _number: u64, _step: Vec<u8>, _calls: u32) {}
}
