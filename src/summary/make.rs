//! A summary from beginning to end: read, cut, map, reduce.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use http::HeaderValue;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::budget::Budget;
use crate::chat::{Error, Kind};
use crate::config::{Config, Conflict, Locality, Place, Target};
use crate::dispatch::{Allowance, Dispatch, Makers, Only, Refusal, Wishes};
use crate::summary::caller::Caller;
use crate::summary::course::{Course, Maker};
use crate::summary::extractive::{self, Language};
use crate::summary::extracts;
use crate::summary::keep::Keep;
use crate::summary::outcome::{Method, Summary, Timings};
use crate::summary::progress::Progress;
use crate::summary::prompt::{Mark, Prompts};
use crate::summary::read::{Document, Read, Reading};
use crate::summary::spool::Spool;
use crate::summary::wish::Wish;

/// Text by which the language is told, in bytes.
const SAMPLE: u64 = 16 * 1024;

/// Makes summaries: what all of them share.
#[derive(Debug)]
pub struct Summaries {
    spool: Result<Spool, String>,
    reading: Reading,
}

/// A summary that is to be made.
#[derive(Debug)]
pub struct Order<'a> {
    /// Who reaches models.
    pub dispatch: &'a Arc<Dispatch>,
    /// The memory there is.
    pub budget: &'a Arc<Budget>,
    /// What is wanted.
    pub wish: &'a Wish,
    /// The model's name, the client's or the one that the gateway chose.
    pub name: &'a str,
    /// Whether an extract may stand in where no model can be had: the client named none.
    pub may_extract: bool,
    /// Where it may be made.
    pub locality: Result<Locality, Conflict>,
    /// When its time is over.
    pub end: Instant,
    /// Which of the name's targets it is for.
    pub only: &'a Only,
    /// By which its calls are known in the log.
    pub id: &'a HeaderValue,
    /// For a job: the calls that may be made until its next step.
    pub allowance: Option<&'a Arc<Allowance>>,
}

impl Summaries {
    /// Opens the folder for documents. Where that cannot be done, every summary is refused, and
    /// nothing else is.
    pub fn open(config: &Config) -> Self {
        let settings = &config.summaries;
        let spool = match &settings.path {
            Some(folder) => Spool::open(folder, settings.quota)
                .map_err(|error| format!("{}: {error}", folder.display())),
            None => Err("no folder for documents is known: name one with path in [summaries], or set $STATE_DIRECTORY, $XDG_STATE_HOME or $HOME".to_owned()),
        };
        if let Err(why) = &spool {
            tracing::warn!(why, "documents cannot be kept, so that none is summarised");
        }
        let reading = Reading::new(settings.runner.clone());
        Self { spool, reading }
    }

    /// The folder for documents.
    ///
    /// # Errors
    /// It could not be opened.
    pub fn spool(&self) -> Result<&Spool, Error> {
        self.spool.as_ref().map_err(|why| Error::new(Kind::Unavailable, why.clone()))
    }

    /// The folder where jobs' documents lie.
    pub fn folder(&self) -> Option<&Path> {
        self.spool.as_ref().ok().map(Spool::folder)
    }

    /// Makes a summary.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn make<K: Keep>(
        &self,
        order: &Order<'_>,
        document: &Document,
        keep: &K,
        progress: &watch::Sender<Progress>,
    ) -> Result<Summary, Refusal> {
        let began = Instant::now();
        let spool = self.spool().map_err(Refusal::untried)?;
        let config = order.dispatch.config();
        let read = self.reading.read(document, spool, config, order.budget, order.end).await;
        let read = read.map_err(Refusal::untried)?;
        let extract = began.elapsed();
        let sample = read.text.window(0, SAMPLE).await.map_err(Refusal::untried)?;
        let language = extractive::detect(&sample);
        let made = order.make(spool, &read, language, keep, progress).await?;
        Ok(finished(made, read, Timings { extract, total: began.elapsed(), ..Timings::default() }))
    }
}

impl Order<'_> {
    async fn make<K: Keep>(
        &self,
        spool: &Spool,
        read: &Read,
        language: Option<Language>,
        keep: &K,
        progress: &watch::Sender<Progress>,
    ) -> Result<Summary, Refusal> {
        let makers = self.makers().await.map_err(Refusal::untried)?;
        if let (None, Some(target)) = (&makers.room, &makers.extracts) {
            let extract = extracts::of_text(&read.text, self.wish, language, self.budget);
            return extract.await.map(|extract| extract.summary(target)).map_err(Refusal::untried);
        }
        let maker = Maker {
            text: &read.text,
            of: match self.allowance {
                Some(_) => read.text.checksum().await.map_err(Refusal::untried)?,
                None => 0,
            },
            caller: self.caller(),
            prompts: Prompts {
                wish: self.wish,
                language: language.map(Language::name),
                mark: Mark::new(),
            },
            language,
            order: self,
            extracts: makers.extracts.clone(),
            lowest: std::sync::Mutex::new(1.0),
        };
        let passing = spool.passing().await.map_err(Refusal::untried)?;
        let mut course = Course::new(&maker, passing, keep, progress).map_err(Refusal::untried)?;
        match course.run().await {
            // Nothing was made of it yet, and the next target is the extract.
            Err(refusal) if course.is_untouched() => match &makers.extracts {
                Some(target) => {
                    tracing::debug!(error = refusal.error.for_log(), "an extract stands in");
                    let extract = extracts::of_text(&read.text, self.wish, language, self.budget);
                    let extract = extract.await.map_err(Refusal::untried)?;
                    Ok(extract.summary(target))
                }
                None => Err(refusal),
            },
            done => done,
        }
    }

    fn caller(&self) -> Caller<'_> {
        Caller {
            dispatch: self.dispatch,
            name: self.name,
            locality: self.locality,
            end: self.end,
            only: self.only,
            id: self.id,
            allowance: self.allowance,
            is_plain: AtomicBool::new(false),
        }
    }

    /// Who can make it now.
    pub(super) async fn makers(&self) -> Result<Makers, Error> {
        let wishes =
            Wishes { locality: self.locality, end: self.end, job: None, only: self.only.clone() };
        let mut makers = self.dispatch.makers(self.name, &wishes).await?;
        let is_local = self.locality.is_ok_and(|it| it.admits(Place::Local));
        if makers.extracts.is_none() && self.may_extract && is_local {
            let builtin = self.dispatch.config().builtins.first();
            makers.extracts = builtin.map(|name| Target::extractive(Arc::clone(name)));
        }
        Ok(makers)
    }
}

fn finished(made: Summary, read: Read, timings: Timings) -> Summary {
    let mut summary = made;
    let skipped = std::mem::take(&mut summary.coverage.skipped);
    for reason in read.report.skipped.into_iter().chain(skipped) {
        summary.coverage.skip(reason);
    }
    let Timings { extract, total, .. } = timings;
    summary.title = read.report.title;
    summary.timings = Timings { extract, total, ..summary.timings };
    if summary.method == Method::Extractive {
        summary.timings.map = total.saturating_sub(extract);
    }
    summary
}
