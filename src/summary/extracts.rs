//! Extracts in the place of a model's words: of a whole text, of a piece, of notes.

use std::io::{Cursor, Seek};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::budget::Budget;
use crate::chat::Error;
use crate::config::{Place, Target};
use crate::dispatch::budget_error;
use crate::summary::disk;
use crate::summary::extractive::{self, Extract, Language, MEMORY_BYTES, Wish as Wanted};
use crate::summary::outcome::{Coverage, Method, Summary, Timings};
use crate::summary::step::Cost;
use crate::summary::text::{Text, UNREADABLE};
use crate::summary::wish::{Style, Wish};

/// What is made of a whole text.
#[derive(Debug)]
pub(super) struct Whole {
    text: String,
    coverage: Coverage,
}

/// Tells the other thread that nobody waits any more.
struct Leaving(Arc<AtomicBool>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// An extract of a whole text, made in another thread.
pub(super) async fn of_text(
    text: &Text,
    wish: &Wish,
    language: Option<Language>,
    budget: &Arc<Budget>,
) -> Result<Whole, Error> {
    let memory = budget.reserve(MEMORY_BYTES).map_err(|shed| budget_error(&shed))?;
    let mut file = text.file().map_err(disk::failed(UNREADABLE))?;
    let stop = Arc::new(AtomicBool::new(false));
    let leaving = Leaving(Arc::clone(&stop));
    let (words, focus) = (words(wish.words()), wish.focus.clone());
    let language = wished_language(wish).or(language);
    let work = tokio::task::spawn_blocking(move || {
        // Held until the thread is done, whoever still waits for it.
        let _memory = memory;
        file.rewind()?;
        let wanted = Wanted { words, focus: focus.as_deref(), language, stop: &stop };
        extractive::extract(file, &wanted)
    });
    let extract = work.await.map_err(std::io::Error::other).and_then(|done| done);
    let extract = extract.map_err(disk::failed(UNREADABLE))?;
    drop(leaving);
    let coverage = Coverage {
        bytes: text.bytes,
        bytes_summarised: extract.bytes,
        chunks: extract.segments,
        chunks_summarised: extract.segments,
        skipped: Vec::new(),
    };
    let text = styled(&extract, wish);
    if text.is_empty() {
        return Err(Error::invalid("there is not a word in the document"));
    }
    Ok(Whole { text, coverage })
}

impl Whole {
    pub(super) fn summary(self, target: &Target) -> Summary {
        Summary {
            text: self.text,
            target: target.to_string(),
            place: Place::Local,
            method: Method::Extractive,
            coverage: self.coverage,
            title: None,
            cost: Cost::default(),
            timings: Timings::default(),
        }
    }
}

/// Sentences of a piece in the place of notes of so many tokens.
pub(super) fn of_piece(text: &str, wish: &Wish, language: Option<Language>, tokens: u32) -> String {
    // An English word is a token and a bit.
    joined(&of_str(text, wish, language, tokens / 2), " ")
}

/// The extract of notes in the place of a summary.
pub(super) fn of_notes(notes: &str, wish: &Wish, language: Option<Language>) -> String {
    styled(&of_str(notes, wish, language, wish.words()), wish)
}

fn of_str(text: &str, wish: &Wish, language: Option<Language>, length: u32) -> Extract {
    let stop = AtomicBool::new(false);
    let (words, focus) = (words(length), wish.focus.as_deref());
    let wanted = Wanted { words, focus, language, stop: &stop };
    // Reading from memory cannot fail.
    extractive::extract(Cursor::new(text), &wanted).unwrap_or_else(|_| Extract {
        sentences: Vec::new(),
        bytes: 0,
        segments: 0,
        language: None,
    })
}

/// An extract speaks the document's language; one that is named tells which that is.
fn wished_language(wish: &Wish) -> Option<Language> {
    wish.language.as_deref().and_then(Language::from_tag)
}

fn words(words: u32) -> usize {
    usize::try_from(words).unwrap_or(usize::MAX)
}

fn styled(extract: &Extract, wish: &Wish) -> String {
    match wish.style {
        Style::Paragraph => joined(extract, " "),
        Style::Bullets => {
            let points = extract.sentences.iter().map(|it| format!("- {}", it.text));
            points.collect::<Vec<_>>().join("\n")
        }
        Style::Headline => joined(extract, " ").trim_end_matches('.').to_owned(),
    }
}

fn joined(extract: &Extract, between: &str) -> String {
    let texts: Vec<&str> = extract.sentences.iter().map(|it| it.text.as_str()).collect();
    texts.join(between)
}
