//! Numbers that nobody foresees, from the standard library, which seeds every hasher state from the
//! system. Good for spreading waits and telling starts apart; no secret may rest on them.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// 64 bits.
pub fn bits() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// 32 hexadecimal digits: a name that nothing else has.
pub fn name() -> String {
    format!("{:016x}{:016x}", bits(), bits())
}

/// A number from 0 to 1.
pub fn share() -> f64 {
    u32::try_from(bits() >> 32).map_or(0.5, f64::from) / f64::from(u32::MAX)
}
