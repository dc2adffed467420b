//! Without a service: the same pipeline, in this process.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::app::{self, Paperwork};
use crate::cli::EX_UNAVAILABLE;
use crate::cli::summarize::bar::Bar;
use crate::cli::summarize::{Failed, Paper, bare, code_of};
use crate::config::Config;
use crate::random;
use crate::summary::{Content, Document};

/// A folder that goes when it is no longer needed.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// Makes the summary.
pub(super) fn make(
    config: &Config,
    paper: Paper,
    options: &[(&'static str, String)],
    bar: &mut Bar,
) -> Result<Value, Failed> {
    // The service's own folder may be readable for its user alone.
    let name = format!("edgehold-{}", random::name());
    let folder = Folder(std::env::temp_dir().join(name));
    let document = Document {
        content: Content::File(paper.file.into(), paper.bytes),
        media: paper.media,
        name: bare(&paper.name).map(str::to_owned),
    };
    let paperwork = Paperwork { folder: &folder.0, document: &document, options };
    match app::summarize(config, &paperwork, |progress| bar.show(progress)) {
        Ok(Ok(summary)) => Ok(summary),
        Ok(Err((status, why))) => Err(Failed { code: code_of(status.into()), why }),
        Err(error) => Err(Failed { code: EX_UNAVAILABLE, why: error.to_string() }),
    }
}
