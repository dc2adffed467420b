//! The service's side: starts the child, waits for it no longer than it may take, and turns
//! whatever becomes of it into a report or a refusal.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use crate::summary::extract::child::Order;
use crate::summary::extract::kind::Kind;
use crate::summary::extract::limits::Limits;
use crate::summary::extract::report::{Refused, Report};

/// Bytes of the child's words that are kept: the last ones.
const WORDS: usize = 16 << 10;

/// The hidden command that the child is.
pub(super) const COMMAND: &str = "extract-document";

/// How our own program is started once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// What it has to be run under, with its arguments: nothing, or an emulator.
    pub runner: Vec<String>,
    /// The program itself.
    pub path: PathBuf,
}

/// Reads a document into text, in a child. The text's file must be empty.
///
/// Who drops the future ends the child.
///
/// # Errors
/// Where there is no text to be had; why, and whose fault it is.
pub async fn extract(
    program: &Program,
    kind: Kind,
    charset: Option<&str>,
    document: File,
    text: File,
    limits: &Limits,
) -> Result<Report, Refused> {
    let charset = charset.map(ToOwned::to_owned);
    let order = Order { kind, charset, limits: limits.clone() };
    let mut child = program.start(&order, document, text)?;
    let Ok((status, words)) = tokio::time::timeout(limits.wall, end_of(&mut child)).await else {
        child.kill().await.ok();
        return Err(too_slow(limits.wall.as_secs_f32()));
    };
    match verdict(&words) {
        Some(verdict) => verdict,
        None => Err(explained(status?, &words, &order)),
    }
}

impl Program {
    fn start(&self, order: &Order, document: File, text: File) -> Result<Child, Refused> {
        let mut words = self.runner.iter();
        let mut command = match words.next() {
            Some(runner) => Command::new(runner),
            None => Command::new(&self.path),
        };
        command.args(words);
        if !self.runner.is_empty() {
            command.arg(&self.path);
        }
        command
            .arg(COMMAND)
            .args(order.to_words())
            .env_clear()
            .stdin(Stdio::from(document))
            .stdout(Stdio::from(text))
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Refused::Failed(format!("the reader cannot be started: {error}")))
    }
}

/// How the child ended, and its last words.
async fn end_of(child: &mut Child) -> (Result<ExitStatus, Refused>, String) {
    let words = match child.stderr.take() {
        Some(mut pipe) => last_words(&mut pipe).await,
        None => String::new(),
    };
    let status = child.wait().await;
    (status.map_err(|error| Refused::Failed(format!("the reader is lost: {error}"))), words)
}

/// Reads to the end, so that the child never waits, and keeps what came last.
async fn last_words(pipe: &mut (impl AsyncRead + Unpin)) -> String {
    let mut kept = Vec::new();
    let mut piece = [0; 1024];
    while let Ok(count @ 1..) = pipe.read(&mut piece).await {
        kept.extend_from_slice(piece.get(..count).unwrap_or_default());
        let surplus = kept.len().saturating_sub(WORDS);
        kept.drain(..surplus);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// What the child said, if it came to say it.
fn verdict(words: &str) -> Option<Result<Report, Refused>> {
    serde_json::from_str(words.lines().last()?).ok()
}

/// What the end of a child means that said nothing.
fn explained(status: ExitStatus, words: &str, order: &Order) -> Refused {
    let (kind, limits) = (order.kind.name(), &order.limits);
    // Cores and signals are those of the child's own end, or of the emulator's that it ran under.
    match status.signal() {
        Some(signal) if signal == libc_signal::XCPU || signal == libc_signal::KILL => {
            too_slow(limits.cpu.as_secs_f32())
        }
        Some(signal) if signal == libc_signal::XFSZ => {
            Refused::too_large(format!("its text is longer than {} bytes", limits.text))
        }
        _ if words.contains("memory allocation of") || words.contains("out of memory") => {
            Refused::too_large(format!(
                "it takes more than {} bytes of memory to read it",
                limits.memory
            ))
        }
        Some(_) => Refused::unreadable(format!("it could not be read as {kind}")),
        None if words.contains("panicked at") => {
            Refused::unreadable(format!("it could not be read as {kind}"))
        }
        None => Refused::Failed(format!("the reader ended without a word ({status})")),
    }
}

fn too_slow(seconds: f32) -> Refused {
    Refused::too_large(format!("it takes longer than {seconds} s to read it"))
}

/// The numbers of the signals that say something; they are the same on every Linux that we run on.
mod libc_signal {
    use rustix::process::Signal;

    pub(super) const KILL: i32 = Signal::KILL.as_raw();
    pub(super) const XCPU: i32 = Signal::XCPU.as_raw();
    pub(super) const XFSZ: i32 = Signal::XFSZ.as_raw();
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_end_has_a_meaning() {
        let limits = Limits::new(1000, Duration::from_secs(2));
        let order = Order { kind: Kind::Pdf, charset: None, limits };
        let table = [
            (24, "", "it takes longer than 2 s to read it"),
            (9, "", "it takes longer than 2 s to read it"),
            (25, "", "its text is longer than 67108864 bytes"),
            (6, "memory allocation of 9 bytes failed", "it takes more than 1000 bytes of memory"),
            (6, "thread 'main' panicked at x", "it could not be read as PDF"),
            (11, "", "it could not be read as PDF"),
            (101 << 8, "thread 'main' panicked at x", "it could not be read as PDF"),
            (64 << 8, "usage", "the reader ended without a word"),
        ];
        for (raw, words, want) in table {
            let refused = explained(ExitStatus::from_raw(raw), words, &order).to_string();
            assert!(refused.starts_with(want), "{refused}");
        }
    }

    #[test]
    fn the_last_line_is_the_verdict() {
        let report = Report { text_bytes: 3, ..Report::default() };
        for given in [Ok(report), Err(Refused::Unsupported("x".to_owned()))] {
            let words = format!("noise\n{}\n", serde_json::to_string(&given).unwrap());
            assert_eq!(verdict(&words), Some(given));
        }
        for noise in ["", "\n", "{", "panicked"] {
            assert_eq!(verdict(noise), None);
        }
    }

    #[tokio::test]
    async fn what_cannot_be_started_is_our_fault() {
        let program = Program { runner: vec!["/no/such/runner".to_owned()], path: "/x".into() };
        let limits = Limits::new(1 << 20, Duration::from_secs(1));
        let open = || File::open("/dev/null").unwrap();
        let refused = extract(&program, Kind::Text, None, open(), open(), &limits).await;
        assert!(matches!(refused, Err(Refused::Failed(_))));
    }

    #[tokio::test]
    async fn no_more_than_the_last_words_are_kept() {
        let mut long = "x".repeat(3 * WORDS) + "end";
        let kept = last_words(&mut long.as_bytes()).await;
        assert_eq!((kept.len(), kept.ends_with("xend")), (WORDS, true));
        long.clear();
        assert_eq!(last_words(&mut long.as_bytes()).await, "");
    }
}
