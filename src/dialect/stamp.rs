//! What marks an answer that we write.

use std::time::Duration;

/// What marks an answer that we write: the same in each piece of a stream.
#[derive(Debug, Clone, Default)]
pub struct Stamp {
    /// The request's id; each dialect puts its own word before it.
    pub id: String,
    /// Seconds since 1970.
    pub created: u64,
    /// The model name as the client wrote it.
    pub model: String,
}

impl Stamp {
    /// A tool call's id, where the provider gave none: the client answers by it.
    pub(super) fn call_id(&self, index: usize) -> String {
        format!("call_{}_{index}", self.id)
    }

    /// The time as RFC 3339 has it, in UTC.
    pub(super) fn created_at(&self) -> String {
        let (days, second) = (self.created / 86_400, self.created % 86_400);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// The date of a day since 1970-01-01, by whole cycles of the calendar: counted from March, a leap
/// day is the last of its year.
fn date(days: u64) -> (u64, u64, u64) {
    const CYCLE: u64 = 146_097; // 400 years
    let days = days + 719_468; // since 0000-03-01
    let in_cycle = days % CYCLE;
    let year = (in_cycle - in_cycle / 1460 + in_cycle / 36_524 - in_cycle / 146_096) / 365;
    let in_year = in_cycle - (365 * year + year / 4 - year / 100);
    let from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (days / CYCLE * 400 + year + u64::from(month <= 2), month, day)
}

/// How long an answer took, for the dialects that say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Took {
    /// From the request to the first token.
    pub to_first: Duration,
    /// From the request to the end.
    pub total: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let table = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ];
        for (created, want) in table {
            let stamp = Stamp { created, ..Stamp::default() };
            assert_eq!(stamp.created_at(), want, "{created}");
        }
    }
}
