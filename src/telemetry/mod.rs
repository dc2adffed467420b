//! Logs and counters. Neither ever holds a key, a prompt or an answer.

pub mod log;
mod metrics;

pub use metrics::{Gauge, Guard, Metrics};
