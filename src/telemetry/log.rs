//! Logs go to stderr, a line each; where that is the journal, each line bears its priority
//! (sd-daemon(3)) and the journal adds the time.

use std::fmt;
use std::io;
use std::sync::OnceLock;

use tracing::level_filters::LevelFilter;
use tracing::{Event, Level as Severity, Subscriber};
use tracing_subscriber::fmt::format::{Format, FormatEvent, FormatFields, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, Layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Registry, reload};

use crate::config::Level;

static FILTER: OnceLock<reload::Handle<LevelFilter, Registry>> = OnceLock::new();

/// Begins to log. Only the first call of a process counts.
pub fn init(level: Level, journal: bool) {
    let (filter, handle) = reload::Layer::new(filter_of(level));
    let lines = Layer::new()
        .with_writer(io::stderr)
        .with_ansi(false)
        .event_format(Lines { journal, format: Format::default().with_ansi(false) });
    let subscriber = Registry::default().with(filter).with(lines);
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        FILTER.set(handle).ok();
    }
}

/// Logs from another level on.
pub fn set_level(level: Level) {
    if let Some(handle) = FILTER.get() {
        handle.modify(|filter| *filter = filter_of(level)).ok();
    }
}

fn filter_of(level: Level) -> LevelFilter {
    match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    }
}

struct Lines {
    journal: bool,
    format: Format<Full>,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if self.journal {
            write!(writer, "<{}>", priority(*event.metadata().level()))?;
            let bare = self.format.clone().without_time().with_level(false);
            return bare.format_event(context, writer, event);
        }
        self.format.format_event(context, writer, event)
    }
}

/// Syslog's priorities (RFC 5424 section 6.2.1).
fn priority(severity: Severity) -> u8 {
    match severity {
        Severity::ERROR => 3,
        Severity::WARN => 4,
        Severity::INFO => 6,
        Severity::DEBUG | Severity::TRACE => 7,
    }
}
