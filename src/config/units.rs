//! Times and sizes as people write them.

use std::time::Duration;

/// `10s`, `500ms`, `15m`, `2h`, `7d`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let scale = match unit {
        "ms" => return Some(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    number.checked_mul(scale).map(Duration::from_secs)
}

/// A time in a request header: as in the configuration, or a bare number of seconds.
pub fn parse_wait(text: &str) -> Option<Duration> {
    match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => duration(text),
    }
}

/// `32MiB`, `64KiB`, `1GiB`, `500KB`, `10MB`, `512B`.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let scale = match unit {
        "B" => 1,
        "KB" => 1000,
        "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(scale)
}

fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit))
}

/// The shortest exact way to write a duration.
pub(super) fn show_duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match (time.subsec_millis(), seconds) {
        (millis, _) if millis > 0 => format!("{}ms", time.as_millis()),
        (_, 0) => "0s".to_owned(),
        (_, s) if s % 86_400 == 0 => format!("{}d", s / 86_400),
        (_, s) if s % 3600 == 0 => format!("{}h", s / 3600),
        (_, s) if s % 60 == 0 => format!("{}m", s / 60),
        (_, s) => format!("{s}s"),
    }
}

/// The shortest exact way to write a size.
pub(super) fn show_size(bytes: u64) -> String {
    match bytes {
        0 => "0B".to_owned(),
        b if b % (1 << 30) == 0 => format!("{}GiB", b >> 30),
        b if b % (1 << 20) == 0 => format!("{}MiB", b >> 20),
        b if b % (1 << 10) == 0 => format!("{}KiB", b >> 10),
        b => format!("{b}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_both_ways() {
        for text in ["500ms", "10s", "15m", "2h", "7d", "0s", "90s"] {
            assert_eq!(show_duration(duration(text).unwrap()), text);
        }
        for text in ["512B", "64KiB", "32MiB", "1GiB", "500000B", "0B"] {
            assert_eq!(show_size(size(text).unwrap()), text);
        }
        assert_eq!(size("500KB"), Some(500_000));
        for bad in ["", "10", "s", "-1s", "1.5s", "10 s", "10S", "99999999999999999999s", "١s"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
        for bad in ["", "10", "MiB", "10mb", "1TiB", "99999999999GiB"] {
            assert_eq!(size(bad), None, "{bad}");
        }
        assert_eq!(parse_wait("30"), Some(Duration::from_secs(30)));
        assert_eq!(parse_wait("1500ms"), Some(Duration::from_millis(1500)));
        assert_eq!(parse_wait("0.25"), Some(Duration::from_millis(250)));
        for bad in ["soon", "", "-1", "NaN", "inf"] {
            assert_eq!(parse_wait(bad), None, "{bad}");
        }
    }
}
