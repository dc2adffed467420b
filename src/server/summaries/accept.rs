//! The form in which a client takes a summary (RFC 9110 section 12.5.1, as far as it decides).

use http::HeaderMap;
use http::header::ACCEPT;

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Accept {
    /// Progress, then the summary, as server-sent events.
    Events,
    /// All that is known of it.
    Json,
    /// The summary alone.
    Text,
}

impl Accept {
    /// The first of ours that the client names with the highest weight; JSON where it names none.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let all = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut best = (Self::Json, 0.0);
        for range in all.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let form = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "text/event-stream" => Self::Events,
                "text/plain" | "text/*" => Self::Text,
                "application/json" | "application/*" | "*/*" => Self::Json,
                _ => continue,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.trim().parse().ok());
            let weight: f32 = weight.unwrap_or(1.0);
            if weight > best.1 {
                best = (form, weight);
            }
        }
        best.0
    }
}

/// Whether a client takes text, so that its errors are lines of text as well.
pub(in crate::server) fn wants_text(headers: &HeaderMap) -> bool {
    Accept::of(headers) == Accept::Text
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_heaviest_of_ours_is_taken() {
        let table = [
            ("", Accept::Json),
            ("*/*", Accept::Json),
            ("text/plain", Accept::Text),
            ("Text/Event-Stream", Accept::Events),
            ("text/plain;q=0.5, application/json", Accept::Json),
            ("image/png, text/*;q=0.1", Accept::Text),
            ("application/json;q=0, text/plain; q=0.2", Accept::Text),
            ("image/png", Accept::Json),
        ];
        for (text, want) in table {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(text))]);
            assert_eq!(Accept::of(&headers), want, "{text}");
        }
        assert_eq!(Accept::of(&HeaderMap::new()), Accept::Json);
    }
}
