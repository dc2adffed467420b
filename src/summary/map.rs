//! Map: the text is cut into pieces, and notes are made of each.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use crate::budget::Reservation;
use crate::chat::{Error, Kind};
use crate::dialect::estimate;
use crate::dispatch::{Refusal, Room, budget_error};
use crate::summary::caller::Said;
use crate::summary::chunk;
use crate::summary::course::{Course, Maker, is_too_long};
use crate::summary::extracts;
use crate::summary::keep::Keep;
use crate::summary::prompt::Task;
use crate::summary::step::{Cost, Made, Span, Step};

/// The least that a byte weighs, in twelfths of a token.
const LIGHTEST: usize = 3;

/// Copies of a piece that are held while a model is asked: as it was read, in the request, as it goes.
const COPIES: usize = 5;

/// A piece this short is not cut any more.
const SHORTEST: u64 = 64;

/// Pieces in a row that may fail before it is not the pieces that are at fault.
const MOST_IN_A_ROW: u32 = 3;

/// A model that reports fewer tokens than this share of what is expected may have been given less.
const SUSPICIOUS: f64 = 0.4;

/// No runner's window is so small that it would cut a text that is shorter than this.
const LEAST_TOKENS: u32 = 200;

/// How much two shares may differ and still be the text's own nature.
const ALIKE: f64 = 1.25;

/// What came of a piece.
enum Piece {
    Made(Step),
    /// It has to be done in two.
    Halves(Part, Part),
    Failed(Part, Refusal),
}

/// A piece that is to be done.
#[derive(Debug, Clone, Copy)]
struct Part {
    span: Span,
    /// Of the piece that it is a half of: the share of the expected tokens that was reported.
    suspicion: Option<f64>,
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<Piece, Refusal>> + Send + 'a>>;

impl<K: Keep> Course<'_, K> {
    /// Makes notes of every piece that has none yet.
    pub(super) async fn map(&mut self) -> Result<(), Refusal> {
        let maker = self.maker;
        let (mut waiting, mut at) = (Vec::new(), 0);
        let mut running: Vec<Running<'_>> = Vec::new();
        loop {
            let room = maker.room().await.map_err(Refusal::untried)?;
            while running.len() < self.at_once(&room) {
                let next = match waiting.pop() {
                    Some(part) => Some(part),
                    None => self.next(&mut at, &room).await.map_err(Refusal::untried)?,
                };
                let Some(part) = next else { break };
                running.push(Box::pin(maker.piece(part)));
            }
            if running.is_empty() {
                return Ok(());
            }
            match first_of(&mut running).await? {
                Piece::Made(step) => {
                    self.in_a_row = 0;
                    self.finished(step).await?;
                }
                Piece::Halves(first, second) => waiting.extend([second, first]),
                Piece::Failed(part, refusal) => match self.failed(part, refusal) {
                    Ok(step) => self.finished(step).await?,
                    Err(refusal) => return Err(self.ended(refusal).await),
                },
            }
        }
    }

    /// A job's calls are counted from step to step, so that it makes one after the other.
    fn at_once(&self, room: &Room) -> usize {
        match self.maker.order.allowance {
            Some(_) => 1,
            None => room.at_once.max(1),
        }
    }

    /// The next piece of the text that is not done yet.
    async fn next(&self, at: &mut u64, room: &Room) -> Result<Option<Part>, Error> {
        while let Some(done) = self.ledger.at(0, *at) {
            *at = done.span.to;
        }
        let maker = self.maker;
        if *at >= maker.text.bytes {
            return Ok(None);
        }
        let most = maker.most(room, Task::Notes, Maker::notes_tokens(room))?;
        // What an earlier run has done behind it is not done again.
        let end = self.ledger.next(0, *at).map_or(maker.text.bytes, |entry| entry.span.from);
        let window = (most / LIGHTEST + 4) as u64;
        let text = maker.text.window(*at, window.min(end - *at)).await?;
        let is_end = *at + text.len() as u64 >= end;
        let length = chunk::cut(&text, most, is_end) as u64;
        // Bytes that are no text at all cannot be: the reader wrote text.
        let length = if length == 0 { end - *at } else { length };
        let span = Span { from: *at, to: *at + length };
        *at = span.to;
        Ok(Some(Part { span, suspicion: None }))
    }

    /// What becomes of a piece that no target would do.
    fn failed(&mut self, part: Part, refusal: Refusal) -> Result<Step, Refusal> {
        let may_come_right = may_come_right(&refusal);
        let is_used_up = self.maker.order.allowance.map(|calls| calls.is_used_up());
        self.in_a_row += 1;
        // What fails again and again from the beginning is not the piece.
        let is_hopeless = self.covered.is_nothing() && self.in_a_row > MOST_IN_A_ROW;
        let gives_up = match is_used_up {
            // A job waits and goes on, until this piece has had its calls.
            Some(is_used_up) => may_come_right && !is_used_up || is_hopeless,
            None => {
                // Nobody was there to refuse the first piece: it is not at fault.
                let nobody = self.is_untouched() && refusal.error.kind != Kind::Upstream;
                is_hopeless || may_come_right && (nobody || self.in_a_row > MOST_IN_A_ROW)
            }
        };
        if gives_up || refusal.error.kind == Kind::ModelNotFound {
            return Err(refusal);
        }
        let why = refusal.error.message.clone();
        let calls = refusal.attempts;
        self.note_refusal(refusal);
        Ok(self.maker.step(part.span, Made::Skipped(why), Cost::of(None, calls)))
    }
}

/// Whether the same piece may be done another time.
pub(super) fn may_come_right(refusal: &Refusal) -> bool {
    matches!(
        refusal.error.kind,
        Kind::Overloaded | Kind::RateLimited | Kind::Timeout | Kind::Unavailable | Kind::Upstream
    )
}

impl Maker<'_> {
    fn step(&self, span: Span, made: Made, cost: Cost) -> Step {
        Step { of: self.of, level: 0, span, made, cost }
    }

    /// Makes notes of a piece.
    async fn piece(&self, part: Part) -> Result<Piece, Refusal> {
        let span = part.span;
        let _memory = self.reserve(size(span)).map_err(Refusal::untried)?;
        let text = self.text.window(span.from, span.bytes()).await.map_err(Refusal::untried)?;
        let room = self.room().await.map_err(Refusal::untried)?;
        let answer = Self::notes_tokens(&room);
        let asked = self.ask_suspecting(Task::Notes, &text, answer, &room, part.suspicion).await;
        match asked {
            Ok(Heard::Whole(said)) => {
                let notes = self.shortened(&said.text, &room);
                Ok(Piece::Made(self.step(span, Made::Notes(notes, said.by), said.cost)))
            }
            Ok(Heard::Cut(share)) if span.bytes() > SHORTEST => Ok(halves(part, &text, share)),
            Err(refusal) if is_too_long(&refusal) && span.bytes() > SHORTEST => {
                Ok(halves(part, &text, None))
            }
            Ok(Heard::Cut(_)) => {
                let why =
                    Error::new(Kind::ContextLength, "its prompt was cut, however short it is");
                Ok(Piece::Failed(part, Refusal::untried(why)))
            }
            Err(refusal) if self.extracts.is_some() => {
                tracing::debug!(error = refusal.error.for_log(), "an extract stands in for notes");
                let extract = extracts::of_piece(&text, self.order.wish, self.language, answer);
                let cost = Cost::of(None, refusal.attempts);
                Ok(Piece::Made(self.step(span, Made::Extract(extract), cost)))
            }
            Err(refusal) => Ok(Piece::Failed(part, refusal)),
        }
    }

    /// Asks for one text; `None` where the model was given less than that.
    pub(super) async fn ask(
        &self,
        task: Task,
        text: &str,
        answer: u32,
        room: &Room,
    ) -> Result<Option<Said>, Refusal> {
        match self.ask_suspecting(task, text, answer, room, None).await? {
            Heard::Whole(said) => Ok(Some(said)),
            Heard::Cut(_) => Ok(None),
        }
    }

    /// The runner of an Ollama cuts a prompt without a word. Where it fills the whole window that is
    /// known; where far fewer tokens are reported than the text must have, its halves will tell: of a
    /// text whose tokens are few by nature they have as few again.
    async fn ask_suspecting(
        &self,
        task: Task,
        text: &str,
        answer: u32,
        room: &Room,
        suspicion: Option<f64>,
    ) -> Result<Heard, Refusal> {
        let request = self.prompts.request(task, text, answer);
        let expected = f64::from(estimate::prompt_tokens(&request)) * room.factor;
        let said = self.caller.ask(request).await?;
        let reported = said.usage.map(|usage| usage.input_tokens).filter(|tokens| *tokens > 0);
        let Some(reported) = reported.filter(|_| !self.order.dispatch.config().summaries.is_blind)
        else {
            return Ok(Heard::Whole(said));
        };
        let reported = f64::from(u32::try_from(reported).unwrap_or(u32::MAX));
        let instructions = f64::from(self.prompts.overhead(task)) * room.factor;
        if reported < instructions * SUSPICIOUS {
            // No window is that small: it counts only what it has not read before.
            return Ok(Heard::Whole(said));
        }
        let share = reported / expected;
        let is_short = expected - instructions < f64::from(LEAST_TOKENS);
        let is_nature = suspicion.is_some_and(|parent| share <= parent * ALIKE);
        if is_nature {
            self.lowest(Some(share));
        }
        if is_short || is_nature || share >= SUSPICIOUS.min(self.lowest(None) / ALIKE) {
            return Ok(Heard::Whole(said));
        }
        tracing::debug!(reported, share, "fewer tokens than the text must have");
        Ok(Heard::Cut(Some(share)))
    }

    /// The whole text, if it weighs at most so much.
    pub(super) async fn all_within(&self, most: usize) -> Result<Option<String>, Error> {
        let longest = most / LIGHTEST;
        if self.text.bytes > longest as u64 {
            return Ok(None);
        }
        let text = self.text.window(0, self.text.bytes).await?;
        Ok(Some(text).filter(|text| estimate::weigh(text) <= most))
    }

    /// The memory to ask about a text of so many bytes.
    pub(super) fn reserve(&self, bytes: usize) -> Result<Reservation, Error> {
        let wanted = bytes.saturating_mul(COPIES);
        self.order.budget.reserve(wanted).map_err(|shed| budget_error(&shed))
    }

    /// Notes that a model made longer than it was told to: three sets of them have to fit together.
    pub(super) fn shortened(&self, notes: &str, room: &Room) -> String {
        let most = self.most(room, Task::Merge, Self::notes_tokens(room)).unwrap_or_default() / 3;
        let length = chunk::cut(notes, most, true);
        notes.get(..length).unwrap_or_default().trim_end().to_owned()
    }
}

/// What was heard of a text.
enum Heard {
    Whole(Said),
    /// Less than the text was read; the share of what was expected, if it is known.
    Cut(Option<f64>),
}

fn halves(part: Part, text: &str, suspicion: Option<f64>) -> Piece {
    let Span { from, to } = part.span;
    let middle = from + chunk::halve(text) as u64;
    let half = |from, to| Part { span: Span { from, to }, suspicion };
    Piece::Halves(half(from, middle), half(middle, to))
}

fn size(span: Span) -> usize {
    usize::try_from(span.bytes()).unwrap_or(usize::MAX)
}

/// The first that ends; the others go on.
async fn first_of(running: &mut Vec<Running<'_>>) -> Result<Piece, Refusal> {
    poll_fn(|cx| {
        for at in 0..running.len() {
            let Some(piece) = running.get_mut(at) else { break };
            if let Poll::Ready(done) = piece.as_mut().poll(cx) {
                drop(running.remove(at));
                return Poll::Ready(done);
            }
        }
        Poll::Pending
    })
    .await
}
