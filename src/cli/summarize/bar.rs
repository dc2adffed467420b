//! How far a summary has come: a bar on a terminal, lines elsewhere.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::output::complain;
use crate::summary::{Progress, Stage};

/// Pieces between two lines, where there is no terminal.
const LINE_EVERY: u64 = 10;

/// Shows progress on standard error.
pub(super) struct Bar {
    bar: Option<ProgressBar>,
    last: Option<Progress>,
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Bar {
    pub(super) fn new() -> Self {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            // The template is ours, and right.
            let style = ProgressStyle::with_template("{msg:8} {wide_bar} {pos}/{len}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Self { bar, last: None }
    }

    pub(super) fn show(&mut self, progress: Progress) {
        match &self.bar {
            Some(bar) => {
                bar.set_message(progress.stage.word());
                bar.set_length(progress.chunks);
                bar.set_position(progress.chunk);
            }
            None if self.is_worth_a_line(&progress) => {
                complain(&format!(
                    "{}: {} of {} chunks, {} tokens",
                    progress.stage.word(),
                    progress.chunk,
                    progress.chunks,
                    progress.tokens
                ));
                self.last = Some(progress);
            }
            None => {}
        }
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
