//! How often things are met, in a table of fixed size: what is met often keeps its place, what is
//! met seldom may lose it (space saving, within buckets of eight).

/// Places that share a bucket.
const WAYS: usize = 8;

/// A table of counts.
#[derive(Debug)]
pub(super) struct Counts {
    slots: Vec<Slot>,
    /// How many buckets, less one: their number is a power of two.
    mask: usize,
}

/// What is known of one thing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Slot {
    key: u32,
    /// How often it was met.
    pub(super) times: u32,
    /// In how many segments.
    pub(super) spread: u32,
    last: u32,
}

impl Counts {
    /// The bytes of a table of so many buckets.
    pub(super) const fn bytes(bits: u32) -> usize {
        (WAYS << bits) * size_of::<Slot>()
    }

    /// An empty table of two to the power of `bits` buckets.
    pub(super) fn new(bits: u32) -> Self {
        Self { slots: vec![Slot::default(); WAYS << bits], mask: (1 << bits) - 1 }
    }

    /// Counts a thing that is met in a segment; segments are numbered from 1, and only rise.
    pub(super) fn add(&mut self, key: u32, by: u32, segment: u32) {
        let first = self.first(key);
        let Some(bucket) = self.slots.get_mut(first..first + WAYS) else { return };
        let mut least = 0;
        let mut least_times = u32::MAX;
        for (at, slot) in bucket.iter_mut().enumerate() {
            if slot.key == key && slot.times > 0 {
                slot.times = slot.times.saturating_add(by);
                slot.spread += u32::from(slot.last != segment);
                slot.last = segment;
                return;
            }
            if slot.times < least_times {
                (least, least_times) = (at, slot.times);
            }
        }
        if let Some(slot) = bucket.get_mut(least) {
            // It may have been here before: it takes over the count of what it drives out.
            *slot = Slot {
                key,
                times: slot.times.saturating_add(by),
                spread: slot.spread + 1,
                last: segment,
            };
        }
    }

    /// What is known of a thing. One that lost its place was met about as often as the least of
    /// those that kept theirs.
    pub(super) fn of(&self, key: u32) -> Slot {
        let first = self.first(key);
        let Some(bucket) = self.slots.get(first..first + WAYS) else { return Slot::default() };
        let found = bucket.iter().find(|slot| slot.key == key && slot.times > 0);
        let least = || bucket.iter().min_by_key(|slot| slot.times);
        found.or_else(least).copied().unwrap_or_default()
    }

    /// Whether a thing has a place.
    pub(super) fn has(&self, key: u32) -> bool {
        let slot = self.of(key);
        slot.key == key && slot.times > 0
    }

    /// What was met most often.
    pub(super) fn most(&self) -> Option<Slot> {
        self.slots.iter().max_by_key(|slot| slot.times).copied()
    }

    fn first(&self, key: u32) -> usize {
        let spread = key.wrapping_mul(0x9e37_79b1) >> 8;
        (usize::try_from(spread).unwrap_or(0) & self.mask) * WAYS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_times_and_spread() {
        let mut counts = Counts::new(4);
        for segment in [1, 1, 2] {
            counts.add(7, 2, segment);
        }
        assert_eq!((counts.of(7).times, counts.of(7).spread), (6, 2));
        assert_eq!(counts.of(8).times, 0);
    }

    #[test]
    fn what_is_frequent_keeps_its_place() {
        let mut counts = Counts::new(4);
        for n in 1..20_000_u32 {
            counts.add(1, 1, n);
            counts.add(n.wrapping_mul(2_654_435_761) | 2, 1, n);
        }
        assert_eq!(counts.slots.len() * size_of::<Slot>(), Counts::bytes(4));
        let times = counts.of(1).times;
        assert!((19_999..22_000).contains(&times), "{times}");
    }
}
