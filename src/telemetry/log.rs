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
        let mut line = String::new();
        if self.journal {
            let bare = self.format.clone().without_time().with_level(false);
            bare.format_event(context, Writer::new(&mut line), event)?;
            write!(writer, "<{}>", priority(*event.metadata().level()))?;
        } else {
            self.format.format_event(context, Writer::new(&mut line), event)?;
        }
        write_line(&mut writer, line.trim_end_matches('\n'))
    }
}

/// An event is one line, whatever is in it: what came from outside must not look like another event,
/// nor command a terminal.
fn write_line(writer: &mut Writer<'_>, line: &str) -> fmt::Result {
    let mut rest = line;
    while let Some(at) = rest.find(char::is_control) {
        let (before, after) = rest.split_at(at);
        writer.write_str(before)?;
        let control = after.chars().next().unwrap_or_default();
        write!(writer, "{}", control.escape_default())?;
        rest = after.get(control.len_utf8()..).unwrap_or_default();
    }
    writer.write_str(rest)?;
    writer.write_char('\n')
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_has_its_priority() {
        let levels =
            [Severity::ERROR, Severity::WARN, Severity::INFO, Severity::DEBUG, Severity::TRACE];
        assert_eq!(levels.map(priority), [3, 4, 6, 7, 7]);
    }

    #[test]
    fn an_event_is_one_line() {
        let mut written = String::new();
        let line = "a\nb\r\n<3>c \u{1b}[31m\u{85}d é";
        write_line(&mut Writer::new(&mut written), line).unwrap();
        assert_eq!(written, "a\\nb\\r\\n<3>c \\u{1b}[31m\\u{85}d é\n");
    }
}
