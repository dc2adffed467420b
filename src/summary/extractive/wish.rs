//! What is wanted of an extract.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::summary::extractive::language::Language;

/// What is wanted of an extract.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// How many words it may have.
    pub words: usize,
    /// What it should be about: a question, or a topic.
    pub focus: Option<&'a str>,
    /// The text's language. It is found out where it is not told.
    pub language: Option<Language>,
    /// Set by another thread: what is being done is not wanted any more.
    pub stop: &'a AtomicBool,
}

/// An error of kind `Interrupted` once the wish was taken back.
pub(super) fn heed(wish: &Wish<'_>) -> io::Result<()> {
    match wish.stop.load(Ordering::Relaxed) {
        true => {
            Err(io::Error::new(io::ErrorKind::Interrupted, "the extract is not wanted any more"))
        }
        false => Ok(()),
    }
}
