//! Counters and histograms, in Prometheus' text format 0.0.4. Names follow OpenTelemetry's
//! conventions for GenAI where there is one. Labels come from the configuration and from the
//! program, never from what a client sends, so their number is bounded.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::chat::Usage;

/// Seconds, as OTel recommends for `gen_ai.client.operation.duration`.
const SECONDS: [f64; BOUNDS] =
    [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

/// Tokens, as OTel recommends for `gen_ai.client.token.usage`.
const TOKENS: [f64; BOUNDS] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// Both have as many bounds.
const BOUNDS: usize = 14;

/// Most series of one family. A configuration has far fewer targets; a client that asks for
/// `provider/anything` must not make more.
const MOST_SERIES: usize = 256;

/// All counters and histograms.
#[derive(Debug)]
pub struct Metrics {
    connections: Arc<AtomicU64>,
    streams: Arc<AtomicU64>,
    requests: Counters<2>,
    attempts: Counters<2>,
    fallbacks: Counters<2>,
    retries: Counters<1>,
    sheds: Counters<1>,
    summaries: Counters<1>,
    summary_chunks: Counters<1>,
    tokens: Histograms<2>,
    durations: Histograms<2>,
    first_tokens: Histograms<1>,
}

/// A value of the moment, rendered among the others.
#[derive(Debug, Clone)]
pub struct Gauge {
    /// The family's name.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    /// Names and values.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: f64,
}

/// Counts one thing as open until it is dropped.
#[derive(Debug)]
pub struct Guard(Arc<AtomicU64>);

impl Guard {
    fn new(count: &Arc<AtomicU64>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus' samples are 64-bit floats")]
fn as_float(count: u64) -> f64 {
    count as f64
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            connections: Arc::default(),
            streams: Arc::default(),
            requests: Counters::default(),
            attempts: Counters::default(),
            fallbacks: Counters::default(),
            retries: Counters::default(),
            sheds: Counters::default(),
            summaries: Counters::default(),
            summary_chunks: Counters::default(),
            tokens: Histograms::new(&TOKENS),
            durations: Histograms::new(&SECONDS),
            first_tokens: Histograms::new(&SECONDS),
        }
    }
}

impl Metrics {
    /// A connection is open as long as the guard lives.
    pub fn connection_opened(&self) -> Guard {
        Guard::new(&self.connections)
    }

    /// A stream is open as long as the guard lives.
    pub fn stream_opened(&self) -> Guard {
        Guard::new(&self.streams)
    }

    /// Connections that are open.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Streams that are open.
    pub fn streams(&self) -> u64 {
        self.streams.load(Ordering::Relaxed)
    }

    /// A request was answered.
    pub fn request(&self, route: &'static str, status: u16) {
        self.requests.add([route, status_word(status)], 1);
    }

    /// An attempt at a target ended.
    pub fn attempt(&self, target: &str, outcome: &'static str) {
        self.attempts.add([target, outcome], 1);
    }

    /// A summary was made, of so many pieces of which each kind.
    pub fn summary(&self, method: &'static str, chunks: &[(&'static str, u64)]) {
        self.summaries.add([method], 1);
        for (what, count) in chunks {
            self.summary_chunks.add([what], *count);
        }
    }

    /// A request went on to its next target.
    pub fn fallback(&self, from: &str, to: &str) {
        self.fallbacks.add([from, to], 1);
    }

    /// A target was tried once more.
    pub fn retry(&self, target: &str) {
        self.retries.add([target], 1);
    }

    /// Something was refused to keep within bounds.
    pub fn shed(&self, what: &'static str) {
        self.sheds.add([what], 1);
    }

    /// An operation was answered whole, after so long.
    pub fn operation(&self, operation: &'static str, target: &str, took: Duration) {
        self.durations.observe([operation, target], took.as_secs_f64());
    }

    /// An answer's first token came, after so long.
    pub fn first_token(&self, target: &str, took: Duration) {
        self.first_tokens.observe([target], took.as_secs_f64());
    }

    /// Tokens of an answer, as its provider counted them, if it did.
    pub fn tokens_of(&self, target: &str, usage: Option<&Usage>) {
        let Some(usage) = usage else { return };
        self.tokens.observe([target, "input"], as_float(usage.input_tokens));
        self.tokens.observe([target, "output"], as_float(usage.output_tokens));
    }

    /// Everything, with these gauges, as text.
    pub fn render(&self, gauges: &[Gauge]) -> String {
        let mut out = Text(String::new());
        out.gauge("edgehold_connections", "Connections open.", self.connections());
        out.gauge("edgehold_streams", "Streams open.", self.streams());
        let families: [(&str, &str, [&str; 2], &Counters<2>); 3] = [
            ("edgehold_requests_total", "Requests answered.", ["route", "status"], &self.requests),
            ("edgehold_attempts_total", "Attempts ended.", ["target", "outcome"], &self.attempts),
            (
                "edgehold_fallbacks_total",
                "Requests that went on to their next target.",
                ["from", "to"],
                &self.fallbacks,
            ),
        ];
        for (name, help, labels, family) in families {
            out.counters(name, help, labels, family);
        }
        out.counters(
            "edgehold_retries_total",
            "Targets tried once more.",
            ["target"],
            &self.retries,
        );
        out.counters(
            "edgehold_shed_total",
            "Refused to keep within bounds.",
            ["what"],
            &self.sheds,
        );
        out.counters(
            "edgehold_summaries_total",
            "Summaries made, by method.",
            ["method"],
            &self.summaries,
        );
        out.counters(
            "edgehold_summary_chunks_total",
            "Pieces of documents, by what came of them.",
            ["what"],
            &self.summary_chunks,
        );
        out.histograms(
            "gen_ai_client_operation_duration_seconds",
            "From an attempt's begin to the end of its answer.",
            ["gen_ai_operation_name", "target"],
            &self.durations,
        );
        out.histograms(
            "gen_ai_client_token_usage",
            "Tokens of an answer, as its provider counted them.",
            ["target", "gen_ai_token_type"],
            &self.tokens,
        );
        out.histograms(
            "gen_ai_server_time_to_first_token_seconds",
            "From an attempt's begin to its first token.",
            ["target"],
            &self.first_tokens,
        );
        out.gauges(gauges);
        out.0
    }
}

/// The statuses that we send; text without allocating.
fn status_word(status: u16) -> &'static str {
    match status {
        200 => "200",
        204 => "204",
        400 => "400",
        401 => "401",
        403 => "403",
        404 => "404",
        405 => "405",
        413 => "413",
        414 => "414",
        415 => "415",
        421 => "421",
        429 => "429",
        431 => "431",
        500 => "500",
        502 => "502",
        503 => "503",
        504 => "504",
        _ => "other",
    }
}

/// Counters of one family, by label values.
#[derive(Debug)]
struct Counters<const N: usize>(Mutex<BTreeMap<[String; N], u64>>);

impl<const N: usize> Default for Counters<N> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<const N: usize> Counters<N> {
    fn add(&self, labels: [&str; N], more: u64) {
        let mut series = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = find(&mut series, &labels) {
            *count = count.saturating_add(more);
        } else if series.len() < MOST_SERIES {
            series.insert(labels.map(str::to_owned), more);
        }
    }
}

/// A look-up that allocates nothing. There are few series, so a walk is as good as a tree.
fn find<'a, T, const N: usize>(
    series: &'a mut BTreeMap<[String; N], T>,
    labels: &[&str; N],
) -> Option<&'a mut T> {
    let found = series.iter_mut().find(|(known, _)| known.iter().eq(labels.iter()));
    found.map(|(_, value)| value)
}

/// Histograms of one family, by label values.
#[derive(Debug)]
struct Histograms<const N: usize> {
    bounds: &'static [f64; BOUNDS],
    series: Mutex<BTreeMap<[String; N], Histogram>>,
}

#[derive(Debug, Default)]
struct Histogram {
    /// For each bound how many were within it and above the one before.
    within: [u64; BOUNDS],
    count: u64,
    sum: f64,
}

impl Histogram {
    fn observe(&mut self, bounds: &[f64; BOUNDS], value: f64) {
        self.count += 1;
        self.sum += value;
        let bound = bounds.iter().position(|bound| value <= *bound);
        if let Some(within) = bound.and_then(|bound| self.within.get_mut(bound)) {
            *within += 1;
        }
    }
}

impl<const N: usize> Histograms<N> {
    fn new(bounds: &'static [f64; BOUNDS]) -> Self {
        Self { bounds, series: Mutex::default() }
    }

    fn observe(&self, labels: [&str; N], value: f64) {
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(histogram) = find(&mut series, &labels) {
            histogram.observe(self.bounds, value);
        } else if series.len() < MOST_SERIES {
            let known = series.entry(labels.map(str::to_owned)).or_default();
            known.observe(self.bounds, value);
        }
    }
}

/// Prometheus text as it grows. Writing to it cannot fail.
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, help: &str, kind: &str) {
        let _infallible = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn line(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _infallible = match labels {
            "" => writeln!(self.0, "{name} {value}"),
            labels => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "gauge");
        self.line(name, "", value);
    }

    fn counters<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        names: [&str; N],
        family: &Counters<N>,
    ) {
        let series = family.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.head(name, help, "counter");
        for (values, count) in series.iter() {
            self.line(name, &pairs(&names, values), count);
        }
    }

    fn histograms<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        names: [&str; N],
        family: &Histograms<N>,
    ) {
        let series = family.series.lock().unwrap_or_else(PoisonError::into_inner);
        self.head(name, help, "histogram");
        for (values, histogram) in series.iter() {
            let labels = pairs(&names, values);
            let bucket = format!("{name}_bucket");
            let mut below = 0;
            for (bound, within) in family.bounds.iter().zip(&histogram.within) {
                below += within;
                self.line(&bucket, &format!("{labels},le=\"{bound}\""), below);
            }
            self.line(&bucket, &format!("{labels},le=\"+Inf\""), histogram.count);
            self.line(&format!("{name}_sum"), &labels, histogram.sum);
            self.line(&format!("{name}_count"), &labels, histogram.count);
        }
    }

    fn gauges(&mut self, gauges: &[Gauge]) {
        let mut last = "";
        for gauge in gauges {
            if gauge.name != last {
                let kind = if gauge.name.ends_with("_total") { "counter" } else { "gauge" };
                self.head(gauge.name, gauge.help, kind);
                last = gauge.name;
            }
            let (names, values): (Vec<&str>, Vec<String>) = gauge.labels.iter().cloned().unzip();
            self.line(gauge.name, &pairs(&names, &values), gauge.value);
        }
    }
}

fn pairs(names: &[&str], values: &[String]) -> String {
    let pair = |(name, value): (&&str, &String)| format!("{name}=\"{}\"", escaped(value));
    names.iter().zip(values).map(pair).collect::<Vec<_>>().join(",")
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_counters_histograms_and_gauges() {
        let metrics = Metrics::default();
        metrics.request("/healthz", 200);
        metrics.request("/healthz", 200);
        metrics.attempt("local/\"odd\"\n", "success");
        metrics.operation("chat", "local/m", Duration::from_millis(30));
        metrics.operation("chat", "local/m", Duration::from_secs(100));
        let guard = metrics.stream_opened();
        let gauge = Gauge { name: "g", help: "h", labels: vec![("a", "b".to_owned())], value: 1.5 };
        let text = metrics.render(&[gauge.clone(), gauge]);
        for line in [
            "edgehold_streams 1",
            "edgehold_requests_total{route=\"/healthz\",status=\"200\"} 2",
            "edgehold_attempts_total{target=\"local/\\\"odd\\\"\\n\",outcome=\"success\"} 1",
            "gen_ai_client_operation_duration_seconds_bucket{gen_ai_operation_name=\"chat\",target=\"local/m\",le=\"0.02\"} 0",
            "gen_ai_client_operation_duration_seconds_bucket{gen_ai_operation_name=\"chat\",target=\"local/m\",le=\"0.04\"} 1",
            "gen_ai_client_operation_duration_seconds_bucket{gen_ai_operation_name=\"chat\",target=\"local/m\",le=\"+Inf\"} 2",
            "gen_ai_client_operation_duration_seconds_count{gen_ai_operation_name=\"chat\",target=\"local/m\"} 2",
            "g{a=\"b\"} 1.5",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        }
        assert_eq!(text.matches("# TYPE g gauge").count(), 1);
        drop(guard);
        assert_eq!(metrics.streams(), 0);
    }

    #[test]
    fn the_number_of_series_is_bounded() {
        let metrics = Metrics::default();
        for number in 0..1000 {
            metrics.retry(&format!("local/{number}"));
        }
        assert_eq!(metrics.render(&[]).matches("edgehold_retries_total{").count(), MOST_SERIES);
    }
}
