//! The wire formats by themselves: golden files, streams cut at every byte, round trips of random
//! requests, and decoders fed with what is broken.
//!
//! What a program writes here is kept in `tests/fixtures`; `EDGEHOLD_WRITE_GENERATED=1` writes it
//! anew. `EDGEHOLD_FUZZ` says how many broken inputs each decoder is given.

#![expect(
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends with the first surprise, and its helpers are shared within this crate"
)]

mod broken;
mod golden;
mod random;
mod round_trip;
