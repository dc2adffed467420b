//! Arithmetic in whole numbers: the same on every processor, whatever its library's logarithm.

/// Sixteen times the binary logarithm, rounded down. 0 for 0.
pub(super) fn log2_q4(n: u64) -> u32 {
    let Some(whole) = n.checked_ilog2() else { return 0 };
    // The four bits after the first one.
    let fraction = (n << (63 - whole)) >> 59 & 15;
    whole * 16 + u32::try_from(fraction).unwrap_or(0)
}

/// A share in thousandths. 0 of 0 is 0.
pub(super) fn permille(part: u64, whole: u64) -> u32 {
    let share = part.saturating_mul(1000).checked_div(whole).unwrap_or(0);
    u32::try_from(share).unwrap_or(u32::MAX)
}

/// A count that is never near its type's end, or else is held there.
pub(super) fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Where a place in memory's bytes is in the document's.
pub(super) fn wide(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms() {
        assert_eq!([0, 1, 2, 3, 4].map(log2_q4), [0, 0, 16, 24, 32]);
        assert_eq!(log2_q4(u64::MAX), 63 * 16 + 15);
        assert!((1..5000_u64).all(|n| log2_q4(n) <= log2_q4(n + 1)));
    }

    #[test]
    fn shares() {
        assert_eq!((permille(1, 4), permille(0, 0), permille(3, 3)), (250, 0, 1000));
    }
}
