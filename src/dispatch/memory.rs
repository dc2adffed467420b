//! The memory of one attempt, and what a client is told when there is none.

use std::sync::Arc;
use std::time::Duration;

use crate::budget::{Budget, Reservation, Shed};
use crate::chat::{Error, Kind};
use crate::provider::{Failure, Next};
use crate::router::Outcome;

/// Memory that an attempt takes: its connection, which holds no buffer while it waits, and what
/// the answer on its way is known by. Most of it is TLS.
pub(super) const ATTEMPT_BYTES: usize = 6 * 1024;

pub(super) fn reserve(budget: &Arc<Budget>, bytes: usize) -> Result<Reservation, Failure> {
    budget.reserve(bytes).map_err(|shed| over_budget(&shed))
}

/// Lets the reservation cover `bytes`.
pub(super) fn hold(reservation: &mut Reservation, bytes: usize) -> Result<(), Failure> {
    let missing = bytes.saturating_sub(reservation.bytes());
    if missing == 0 {
        return Ok(());
    }
    reservation.grow(missing).map_err(|shed| match shed.wanted > shed.capacity / 2 {
        true => refused(too_large(&shed)),
        false => over_budget(&shed),
    })
}

/// An answer that took most of the memory and wants more. It grows in small steps, so that it
/// rarely asks for more than there is at all: to come again would not help it.
fn too_large(shed: &Shed) -> Error {
    Error::new(
        Kind::TooLarge,
        format!(
            "the answer needs more than {} bytes of memory and edgehold may use {} ([memory] cap); ask for it as a stream, which is not held, or for fewer tokens",
            shed.wanted, shed.capacity
        ),
    )
}

/// The memory budget refused.
fn over_budget(shed: &Shed) -> Failure {
    refused(budget_error(shed))
}

fn refused(error: Error) -> Failure {
    Failure { outcome: Outcome::Neutral, error, next: Next::Nothing }
}

/// What a client is told when the memory budget refuses: to come again, or that it never fits.
pub fn budget_error(shed: &Shed) -> Error {
    if shed.never_fits() {
        return Error::new(
            Kind::TooLarge,
            format!(
                "this needs {} bytes of memory and edgehold may use {} ([memory] cap)",
                shed.wanted, shed.capacity
            ),
        );
    }
    Error::new(
        Kind::Overloaded,
        format!(
            "edgehold's memory is in use: {} bytes wanted, {} free; try again",
            shed.wanted, shed.free
        ),
    )
    .retry_after(Duration::from_secs(1))
}
