//! The course of a summary that models make: in one call where all of it fits, else piece by piece.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::chat::{Error, Kind};
use crate::config::Target;
use crate::dispatch::{Refusal, Room, budget_error};
use crate::summary::caller::{Caller, Said};
use crate::summary::extractive::Language;
use crate::summary::keep::Keep;
use crate::summary::ledger::Ledger;
use crate::summary::make::Order;
use crate::summary::map::may_come_right;
use crate::summary::outcome::{Coverage, Method, Summary, Timings};
use crate::summary::progress::{Progress, Stage};
use crate::summary::prompt::{Prompts, Task, summary_tokens};
use crate::summary::spool::Passing;
use crate::summary::step::{Cost, Made, Step};
use crate::summary::text::Text;

/// What is kept free in a window beside prompt and answer, because tokens are estimated.
const MARGIN: f64 = 1.2;

/// The least text that a window must leave room for, in twelfths of a token.
const LEAST_ROOM: usize = 64 * 12;

/// Most tokens of the notes on one piece.
const NOTES_TOKENS: u32 = 512;

/// What all pieces of a summary share.
#[derive(Debug)]
pub(super) struct Maker<'a> {
    pub(super) order: &'a Order<'a>,
    pub(super) text: &'a Text,
    /// The checksum by which steps of this text are known.
    pub(super) of: u32,
    pub(super) language: Option<Language>,
    pub(super) prompts: Prompts<'a>,
    pub(super) caller: Caller<'a>,
    /// What stands in for a model that fails.
    pub(super) extracts: Option<Target>,
    /// The lowest share of the expected tokens that a model has reported of a prompt which was
    /// whole.
    pub(super) lowest: Mutex<f64>,
}

impl Maker<'_> {
    /// What models take at once now, as far as is known.
    pub(super) async fn room(&self) -> Result<Room, Error> {
        let makers = self.order.makers().await?;
        Ok(makers.room.unwrap_or_default())
    }

    /// What a text may weigh for a task, in twelfths of a token, if the answer has so many tokens.
    pub(super) fn most(&self, room: &Room, task: Task, answer: u32) -> Result<usize, Error> {
        let window = f64::from(room.window.saturating_sub(answer));
        let tokens = window / (MARGIN * room.factor) - f64::from(self.prompts.overhead(task));
        let most = twelfths(tokens);
        if most >= LEAST_ROOM {
            return Ok(most);
        }
        Err(Error::new(
            Kind::ContextLength,
            format!(
                "a context of {} tokens is too small for summaries; raise max_context, or take a model with a larger one",
                room.window
            ),
        ))
    }

    /// Tokens of the notes on a piece: several of them have to fit into a window together.
    pub(super) fn notes_tokens(room: &Room) -> u32 {
        (room.window / 8).clamp(48, NOTES_TOKENS)
    }

    /// The lowest share so far; `seen` was of a prompt that was whole.
    pub(super) fn lowest(&self, seen: Option<f64>) -> f64 {
        let mut lowest = self.lowest.lock().unwrap_or_else(PoisonError::into_inner);
        *lowest = seen.map_or(*lowest, |seen| lowest.min(seen));
        *lowest
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast to an integer saturates, and what is negative becomes 0"
)]
fn twelfths(tokens: f64) -> usize {
    (tokens * 12.0) as usize
}

/// What changes on the way.
pub(super) struct Course<'a, K> {
    pub(super) maker: &'a Maker<'a>,
    pub(super) ledger: Ledger,
    pub(super) keep: &'a K,
    progress: &'a watch::Sender<Progress>,
    pub(super) cost: Cost,
    pub(super) covered: Covered,
    /// Pieces in a row that no target would do.
    pub(super) in_a_row: u32,
    last_refusal: Option<Refusal>,
    /// By which the next step is kept.
    next_number: u64,
}

/// What of the text is done.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Covered {
    bytes: u64,
    bytes_summarised: u64,
    chunks: u64,
    chunks_summarised: u64,
    extracts: u64,
}

impl Covered {
    /// Whether nothing has come of any piece.
    pub(super) fn is_nothing(self) -> bool {
        self.chunks_summarised == 0
    }
}

impl<'a, K: Keep> Course<'a, K> {
    pub(super) fn new(
        maker: &'a Maker<'a>,
        passing: Passing,
        keep: &'a K,
        progress: &'a watch::Sender<Progress>,
    ) -> Result<Self, Error> {
        let memory = maker.order.budget.reserve(0).map_err(|shed| budget_error(&shed))?;
        Ok(Self {
            maker,
            ledger: Ledger::new(passing, memory),
            keep,
            progress,
            cost: Cost::default(),
            covered: Covered::default(),
            in_a_row: 0,
            last_refusal: None,
            next_number: 0,
        })
    }

    /// Whether no piece is done.
    pub(super) fn is_untouched(&self) -> bool {
        self.covered.chunks == 0
    }

    pub(super) async fn run(&mut self) -> Result<Summary, Refusal> {
        self.restore().await.map_err(Refusal::untried)?;
        if self.is_untouched()
            && let Some(single) = self.single().await?
        {
            return Ok(single);
        }
        let began = Instant::now();
        self.map().await?;
        let map = began.elapsed();
        if self.covered.is_nothing() {
            return Err(self.nothing().await);
        }
        self.tell(Stage::Reduce);
        let began = Instant::now();
        let last = self.reduce().await?;
        let coverage = self.coverage().await.map_err(Refusal::untried)?;
        Ok(Summary {
            text: last.text,
            target: last.target,
            place: last.place,
            method: if last.is_extract && self.covered.extracts == self.covered.chunks_summarised {
                Method::Extractive
            } else {
                Method::MapReduce
            },
            coverage,
            title: None,
            cost: self.cost,
            timings: Timings { map, reduce: began.elapsed(), ..Timings::default() },
        })
    }

    /// No piece could be done.
    async fn nothing(&mut self) -> Refusal {
        let message = "no piece of the document could be summarised";
        let last = self.last_refusal.take();
        let last = last.unwrap_or_else(|| Refusal::untried(Error::new(Kind::Upstream, message)));
        if self.maker.order.allowance.is_none() {
            return last;
        }
        // Each has had its calls, so that the job does not wait for more.
        let message = format!("{message}: {}", last.error.message);
        let error = Error::new(Kind::Internal, message);
        self.ended(Refusal { error, attempts: last.attempts }).await
    }

    /// The end of a summary of which nothing was made. A job that is tried again by its client begins
    /// anew, and does not leave out what was left out before.
    pub(super) async fn ended(&self, refusal: Refusal) -> Refusal {
        let is_used_up = self.maker.order.allowance.is_some_and(|calls| calls.is_used_up());
        if self.covered.is_nothing() && (is_used_up || !may_come_right(&refusal)) {
            for number in 0..self.next_number {
                self.keep.keep(number, Vec::new(), 0).await;
            }
        }
        refusal
    }

    /// Steps of an earlier run of the same job.
    async fn restore(&mut self) -> Result<(), Error> {
        let mut after = None;
        loop {
            let kept = self.keep.kept(after).await;
            for (number, bytes) in kept.steps {
                self.next_number = self.next_number.max(number + 1);
                let step = serde_json::from_slice::<Step>(&bytes);
                if let Ok(step) = step
                    && step.of == self.maker.of
                {
                    self.ledger.add(&step).await?;
                    self.count(&step);
                    self.in_a_row = if step.notes().is_some() { 0 } else { self.in_a_row + 1 };
                }
            }
            after = kept.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// The summary in one call, where the whole text has room in one.
    async fn single(&mut self) -> Result<Option<Summary>, Refusal> {
        let maker = self.maker;
        let began = Instant::now();
        let room = maker.room().await.map_err(Refusal::untried)?;
        let task = Task::Summary { of_notes: false };
        // However long the summary is to be, a short document has room in one call.
        let answer = summary_tokens(maker.order.wish).min(room.window / 2);
        let Ok(most) = maker.most(&room, task, answer) else { return Ok(None) };
        let Some(text) = maker.all_within(most).await.map_err(Refusal::untried)? else {
            return Ok(None);
        };
        self.tell(Stage::Map);
        let _memory = maker.reserve(text.len()).map_err(Refusal::untried)?;
        let said = match maker.ask(task, &text, answer, &room).await {
            Ok(Some(said)) => said,
            // It was too long after all, or the runner cut it.
            Ok(None) => return Ok(None),
            Err(refusal) if is_too_long(&refusal) => return Ok(None),
            Err(refusal) => return Err(refusal),
        };
        let timings = Timings { reduce: began.elapsed(), ..Timings::default() };
        Ok(Some(whole(maker, said, timings)))
    }

    /// Writes a finished step down, and tells whom it concerns.
    pub(super) async fn finished(&mut self, step: Step) -> Result<(), Refusal> {
        let bytes = self.ledger.add(&step).await.map_err(Refusal::untried)?;
        self.count(&step);
        self.keep.keep(self.next_number, bytes, step.cost.calls).await;
        self.next_number += 1;
        if let Some(allowance) = self.maker.order.allowance {
            allowance.renew();
        }
        self.tell(if step.level == 0 { Stage::Map } else { Stage::Reduce });
        Ok(())
    }

    pub(super) fn note_refusal(&mut self, refusal: Refusal) {
        self.last_refusal = Some(refusal);
    }

    fn count(&mut self, step: &Step) {
        self.cost.add(step.cost);
        if step.level > 0 {
            return;
        }
        let covered = &mut self.covered;
        covered.bytes += step.span.bytes();
        covered.chunks += 1;
        if step.notes().is_some() {
            covered.bytes_summarised += step.span.bytes();
            covered.chunks_summarised += 1;
        }
        covered.extracts += u64::from(matches!(step.made, Made::Extract(_)));
    }

    fn tell(&self, stage: Stage) {
        let covered = &self.covered;
        let left = self.maker.text.bytes.saturating_sub(covered.bytes);
        let usual = covered.bytes.checked_div(covered.chunks).unwrap_or(left).max(1);
        self.progress.send_replace(Progress {
            stage,
            chunk: covered.chunks,
            chunks: covered.chunks + left.div_ceil(usual),
            tokens: self.cost.input_tokens + self.cost.output_tokens,
        });
    }

    async fn coverage(&self) -> Result<Coverage, Error> {
        let covered = &self.covered;
        let mut coverage = Coverage {
            bytes: self.maker.text.bytes,
            bytes_summarised: covered.bytes_summarised,
            chunks: covered.chunks,
            chunks_summarised: covered.chunks_summarised,
            skipped: Vec::new(),
        };
        for (number, entry) in (1..).zip(self.ledger.level(0)) {
            if entry.weight.is_some() {
                continue;
            }
            if let Made::Skipped(why) = self.ledger.read(entry).await?.made {
                let span = entry.span;
                coverage.skip(format!("chunk {number}, bytes {} to {}: {why}", span.from, span.to));
            }
        }
        Ok(coverage)
    }
}

fn whole(maker: &Maker<'_>, said: Said, timings: Timings) -> Summary {
    let bytes = maker.text.bytes;
    Summary {
        place: said.by.place(),
        text: said.text,
        target: said.by.target,
        method: Method::Single,
        coverage: Coverage {
            bytes,
            bytes_summarised: bytes,
            chunks: 1,
            chunks_summarised: 1,
            skipped: Vec::new(),
        },
        title: None,
        cost: said.cost,
        timings,
    }
}

/// Whether a text was too long for its model.
pub(super) fn is_too_long(refusal: &Refusal) -> bool {
    refusal.error.kind == Kind::ContextLength
}
