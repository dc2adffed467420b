//! Reduce: notes become fewer, level by level and in the document's order, until all of them fit into
//! one call.

use crate::chat::{Error, Kind};
use crate::config::Place;
use crate::dispatch::{Refusal, Room};
use crate::summary::course::{Course, Maker, is_too_long};
use crate::summary::extracts;
use crate::summary::keep::Keep;
use crate::summary::ledger::Entry;
use crate::summary::prompt::{Task, summary_tokens};
use crate::summary::step::{By, Cost, Made, Span, Step};

/// Most levels of notes: each has at most half as many as the one below.
const MOST_LEVELS: u32 = 40;

/// What parts two sets of notes, and what that weighs in twelfths of a token.
const BETWEEN: &str = "\n\n";
const BETWEEN_WEIGHT: usize = 12;

/// Times that a window may turn out to be smaller than it was said to be.
const MOST_SHRINKS: u32 = 6;

/// The last text of all.
#[derive(Debug)]
pub(super) struct Last {
    pub(super) text: String,
    pub(super) target: String,
    pub(super) place: Place,
    pub(super) is_extract: bool,
}

impl<K: Keep> Course<'_, K> {
    /// Makes one text of all notes.
    pub(super) async fn reduce(&mut self) -> Result<Last, Refusal> {
        let (mut level, mut shrinks) = (0, 0);
        while level < MOST_LEVELS {
            let room = self.maker.room().await.map_err(Refusal::untried)?;
            let answer = summary_tokens(self.maker.order.wish).min(room.window / 4);
            let most = self.maker.most(&room, Task::Summary { of_notes: true }, answer);
            let most = most.map_err(Refusal::untried)?;
            let done = if self.weight(level) <= most {
                self.last(level, answer, &room).await
            } else {
                self.merge(level, &room).await.map(|()| None)
            };
            match done {
                Ok(Some(last)) => return Ok(last),
                Ok(None) => level += 1,
                // The window is smaller than it seemed, which is known now.
                Err(refusal) if is_too_long(&refusal) && shrinks < MOST_SHRINKS => shrinks += 1,
                Err(refusal) => return Err(refusal),
            }
        }
        Err(Refusal::untried(Error::new(Kind::Internal, "the notes do not become fewer")))
    }

    fn weight(&self, level: u32) -> usize {
        let weights = self.ledger.level(level).filter_map(|entry| entry.weight);
        weights.map(|weight| weight + BETWEEN_WEIGHT).sum()
    }

    async fn last(
        &mut self,
        level: u32,
        answer: u32,
        room: &Room,
    ) -> Result<Option<Last>, Refusal> {
        let maker = self.maker;
        let entries: Vec<Entry> = self.ledger.level(level).cloned().collect();
        let notes = self.joined(&entries).await.map_err(Refusal::untried)?;
        let _memory = maker.reserve(notes.len()).map_err(Refusal::untried)?;
        match maker.ask(Task::Summary { of_notes: true }, &notes, answer, room).await {
            Ok(Some(said)) => {
                self.cost.add(said.cost);
                let (target, place) = (said.by.target.clone(), said.by.place());
                Ok(Some(Last { text: said.text, target, place, is_extract: false }))
            }
            Ok(None) => Err(too_long()),
            Err(refusal) if is_too_long(&refusal) => Err(refusal),
            Err(refusal) => match &maker.extracts {
                Some(target) => {
                    let wish = maker.order.wish;
                    let text = extracts::of_notes(&notes, wish, maker.language);
                    let (target, place) = (target.to_string(), Place::Local);
                    Ok(Some(Last { text, target, place, is_extract: true }))
                }
                None => Err(refusal),
            },
        }
    }

    /// Makes the notes of the next level.
    async fn merge(&mut self, level: u32, room: &Room) -> Result<(), Refusal> {
        let answer = Maker::notes_tokens(room);
        let most = self.maker.most(room, Task::Merge, answer).map_err(Refusal::untried)?;
        let entries: Vec<Entry> =
            self.ledger.level(level).filter(|entry| entry.weight.is_some()).cloned().collect();
        let mut rest = entries.as_slice();
        while let Some(first) = rest.first() {
            if let Some(done) = self.ledger.at(level + 1, first.span.from) {
                let end = done.span.to;
                let skip = rest.iter().take_while(|entry| entry.span.from < end).count();
                rest = rest.get(skip.max(1)..).unwrap_or_default();
                continue;
            }
            let (group, others) = rest.split_at(group(rest, most));
            let step = self.merged(level, group, answer, room).await?;
            self.finished(step).await?;
            rest = others;
        }
        Ok(())
    }

    async fn merged(
        &self,
        level: u32,
        group: &[Entry],
        answer: u32,
        room: &Room,
    ) -> Result<Step, Refusal> {
        let maker = self.maker;
        let from = group.first().map_or(0, |entry| entry.span.from);
        let to = group.last().map_or(0, |entry| entry.span.to);
        let step = |made, cost| Step {
            of: maker.of,
            level: level + 1,
            span: Span { from, to },
            made,
            cost,
        };
        if let [only] = group {
            let made = self.ledger.read(only).await.map_err(Refusal::untried)?.made;
            return Ok(step(made, Cost::default()));
        }
        let notes = self.joined(group).await.map_err(Refusal::untried)?;
        let _memory = maker.reserve(notes.len()).map_err(Refusal::untried)?;
        match maker.ask(Task::Merge, &notes, answer, room).await {
            Ok(Some(said)) => {
                let by: By = said.by;
                Ok(step(Made::Notes(maker.shortened(&said.text, room), by), said.cost))
            }
            Ok(None) => Err(too_long()),
            Err(refusal) if is_too_long(&refusal) => Err(refusal),
            Err(refusal) if maker.extracts.is_some() => {
                let extract = extracts::of_piece(&notes, maker.order.wish, maker.language, answer);
                let cost = Cost::of(None, refusal.attempts);
                Ok(step(Made::Extract(maker.shortened(&extract, room)), cost))
            }
            Err(refusal) => Err(refusal),
        }
    }

    async fn joined(&self, entries: &[Entry]) -> Result<String, Error> {
        let mut all = String::new();
        for entry in entries {
            let step = self.ledger.read(entry).await?;
            let Some(notes) = step.notes() else { continue };
            if !all.is_empty() {
                all.push_str(BETWEEN);
            }
            all.push_str(notes);
        }
        Ok(all)
    }
}

/// How many of the first notes fit together: at least two, or there would never be fewer.
fn group(entries: &[Entry], most: usize) -> usize {
    let mut weight = 0;
    let fits = entries.iter().take_while(|entry| {
        weight += entry.weight.unwrap_or_default() + BETWEEN_WEIGHT;
        weight <= most
    });
    fits.count().max(2).min(entries.len())
}

fn too_long() -> Refusal {
    let message = "the notes on the document are too long for its model, which is now known";
    Refusal::untried(Error::new(Kind::ContextLength, message))
}
