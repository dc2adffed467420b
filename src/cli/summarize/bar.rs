//! How far a summary has come: a bar on a terminal, lines elsewhere.

use std::io::{IsTerminal, Write, stderr};

use crate::cli::output::complain;
use crate::summary::{Progress, Stage};

/// Pieces between two lines, where there is no terminal.
const LINE_EVERY: u64 = 10;

/// How many characters the bar itself takes.
const CELLS: u8 = 40;

/// Back to the line's begin, and nothing is left of it (ECMA-48, EL).
const CLEAR: &str = "\r\x1b[K";

/// Shows progress on standard error.
pub(super) struct Bar {
    is_terminal: bool,
    last: Option<Progress>,
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.is_terminal && self.last.is_some() {
            draw(CLEAR);
        }
    }
}

impl Bar {
    pub(super) fn new() -> Self {
        Self { is_terminal: stderr().is_terminal(), last: None }
    }

    pub(super) fn show(&mut self, progress: Progress) {
        if self.is_terminal {
            draw(&format!("{CLEAR}{}", bar(&progress)));
        } else if self.is_worth_a_line(&progress) {
            complain(&format!(
                "{}: {} of {} chunks, {} tokens",
                progress.stage.word(),
                progress.chunk,
                progress.chunks,
                progress.tokens
            ));
        } else {
            return;
        }
        self.last = Some(progress);
    }

    fn is_worth_a_line(&self, progress: &Progress) -> bool {
        if progress.stage == Stage::Extract {
            return false;
        }
        self.last.is_none_or(|last| {
            last.stage != progress.stage || progress.chunk >= last.chunk + LINE_EVERY
        })
    }
}

/// A line such as `map      [######                                  ] 3/20`.
fn bar(progress: &Progress) -> String {
    let done = (progress.chunk * u64::from(CELLS)).checked_div(progress.chunks).unwrap_or(0);
    let full = u8::try_from(done).unwrap_or(CELLS).min(CELLS);
    let cells = usize::from(CELLS);
    format!(
        "{:8} [{:cells$}] {}/{}",
        progress.stage.word(),
        "#".repeat(usize::from(full)),
        progress.chunk,
        progress.chunks
    )
}

/// What cannot be drawn is no error: the summary goes to another place.
fn draw(text: &str) {
    stderr().write_all(text.as_bytes()).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_as_full_as_the_work_is_done() {
        let at = |chunk, chunks| bar(&Progress { stage: Stage::Map, chunk, chunks, tokens: 0 });
        assert_eq!(at(0, 0), format!("map      [{}] 0/0", " ".repeat(40)));
        assert_eq!(at(5, 20), format!("map      [{}{}] 5/20", "#".repeat(10), " ".repeat(30)));
        assert_eq!(at(20, 20), format!("map      [{}] 20/20", "#".repeat(40)));
    }
}
