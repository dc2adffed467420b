//! Which targets may answer a request, in which order: alias, health, locality and the time in,
//! a plan out.
//!
//! Pure: no I/O and no clock. The time comes in as an `Instant`, so every rule is a row of a table
//! in the tests. What attempts and probes found is told to [`Health`]; [`plan()`] reads it.

mod breaker;
mod health;
mod link;
mod links;
mod plan;
mod resolve;

pub use health::{Changes, Health, Outcome, Snapshot, TargetState};
pub use link::LinkFault;
pub use links::{Connectivity, ProviderState};
pub use plan::{Known, Plan, Reason, Step, Verdict, plan};
pub use resolve::{Listings, Resolution, Resolves, Route, resolve};

#[cfg(test)]
mod tests;
