//! The wait that a provider asks for.
//!
//! Sources: RFC 9110 section 10.2.3 (seconds or an HTTP date), OpenAI's `retry-after-ms`, and the
//! fractional seconds that some services send.

use std::time::Duration;

use httparse::Header;

/// Longest wait that is believed: a longer one is a mistake or means "not today", and holding a
/// target back for longer than this would outlive most causes.
const LONGEST: Duration = Duration::from_secs(3600);

/// The least wait that the response asks for, if it names one that makes sense.
pub(super) fn wait_asked(headers: &[Header<'_>]) -> Option<Duration> {
    if let Some(millis) = text(headers, "retry-after-ms").and_then(|t| t.parse::<f64>().ok()) {
        return seconds(millis / 1000.0);
    }
    let value = text(headers, "retry-after")?;
    match value.parse::<f64>() {
        Ok(number) => seconds(number),
        Err(_) => until_date(value, text(headers, "date")),
    }
}

fn text<'a>(headers: &[Header<'a>], name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(found.value).ok().map(str::trim)
}

fn seconds(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number).ok().map(|wait| wait.min(LONGEST))
}

/// The date is held against the response's own `Date`, because a device's clock may be years off.
fn until_date(value: &str, date: Option<&str>) -> Option<Duration> {
    let then = httpdate::parse_http_date(value).ok()?;
    let now = httpdate::parse_http_date(date?).ok()?;
    Some(then.duration_since(now).unwrap_or_default().min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_header() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        type Row<'a> = (&'a [(&'a str, &'a str)], Option<u64>);
        let table: &[Row<'_>] = &[
            (&[("retry-after", "7")], Some(7_000)),
            (&[("retry-after", "1.5")], Some(1_500)),
            (&[("retry-after", " 2 ")], Some(2_000)),
            (&[("retry-after-ms", "250"), ("retry-after", "9")], Some(250)),
            (&[("retry-after", "Sun, 06 Nov 1994 08:49:57 GMT"), ("date", date)], Some(20_000)),
            (&[("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT"), ("date", date)], Some(0)),
            (&[("retry-after", "Sun, 06 Nov 1994 08:49:57 GMT")], None),
            (&[("retry-after", "99999999")], Some(3_600_000)),
            (&[("retry-after", "-3")], None),
            (&[("retry-after", "NaN")], None),
            (&[("retry-after", "soon")], None),
            (&[], None),
        ];
        for (pairs, want) in table {
            let headers: Vec<Header<'_>> = pairs
                .iter()
                .map(|(name, value)| Header { name, value: value.as_bytes() })
                .collect();
            assert_eq!(wait_asked(&headers), want.map(Duration::from_millis), "{pairs:?}");
        }
    }
}
