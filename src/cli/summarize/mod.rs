//! `edgehold summarize`: documents in, summaries out; by the running service, or without one here.

mod bar;
mod here;
mod through;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::args::SummarizeArgs;
use crate::cli::output::{complain, print};
use crate::cli::summarize::bar::Bar;
use crate::cli::{EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, EX_USAGE, load};
use crate::config::{Config, Env};
use crate::random;
use crate::summary::Wish;

/// Standard input's name.
const STDIN: &str = "-";

/// Why there is no summary, and the exit code for it.
#[derive(Debug)]
struct Failed {
    code: u8,
    why: String,
}

/// How asking the service ended.
enum Asked {
    /// It answered: a summary, or why there is none.
    Answered(Result<Value, Failed>),
    /// Nobody is there.
    Nobody,
}

/// A document to be summarised.
struct Paper {
    /// As it was named.
    name: String,
    /// Its media type, where one was named.
    media: Option<String>,
    file: File,
    bytes: u64,
}

pub(super) fn run(args: &SummarizeArgs, env: &Env) -> u8 {
    let options = match options(args) {
        Ok(options) => options,
        Err(why) => {
            complain(&format!("edgehold: {why}"));
            return EX_USAGE;
        }
    };
    let config = match load(args.config.config.as_deref(), env) {
        Ok(config) => config,
        // What is wrong has been said.
        Err(code) => return code,
    };
    let several = args.files.len() > 1;
    let mut code = 0;
    for name in &args.files {
        match one(args, &config, name, &options) {
            Ok(summary) => show(args, name, several, summary),
            Err(failed) => {
                complain(&format!("edgehold: {name}: {}", failed.why));
                code = failed.code;
            }
        }
    }
    code
}

fn one(
    args: &SummarizeArgs,
    config: &Config,
    name: &str,
    options: &[(&'static str, String)],
) -> Result<Value, Failed> {
    let paper = open(name, args.media.clone()).map_err(|error| {
        let why = format!("it cannot be read: {error}");
        Failed { code: EX_NOINPUT, why }
    })?;
    if paper.bytes == 0 {
        return Err(Failed { code: EX_DATAERR, why: "it is empty".to_owned() });
    }
    let mut bar = Bar::new();
    match through::ask(config, &paper, options, &mut bar) {
        Asked::Answered(answer) => answer,
        Asked::Nobody => here::make(config, paper, options, &mut bar),
    }
}

/// The options as the API names them.
fn options(args: &SummarizeArgs) -> Result<Vec<(&'static str, String)>, String> {
    let locality = args.local_only.then(|| "local".to_owned());
    let all = [
        ("model", args.model.clone()),
        ("length", args.length.clone()),
        ("style", args.style.clone()),
        ("language", args.language.clone()),
        ("focus", args.focus.clone()),
        ("locality", locality),
    ];
    let given: Vec<(&'static str, String)> =
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let mut wish = Wish::default();
    let set = given.iter().try_for_each(|(name, value)| wish.set(name, value));
    set.map(|()| given).map_err(|error| error.message)
}

fn open(name: &str, media: Option<String>) -> io::Result<Paper> {
    let mut file = match name {
        STDIN => copied(io::stdin().lock())?,
        name => {
            let file = File::open(name)?;
            // A pipe has no length, and is read once.
            if file.metadata()?.is_file() { file } else { copied(file)? }
        }
    };
    let bytes = file.seek(io::SeekFrom::End(0))?;
    file.rewind()?;
    Ok(Paper { name: name.to_owned(), media, file, bytes })
}

/// What comes, in a file without a name: it has a length then, and can be read twice.
fn copied(mut from: impl Read) -> io::Result<File> {
    let name = format!("edgehold-{}", random::name());
    let path = std::env::temp_dir().join(name);
    let made = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
    let mut file = made?;
    fs::remove_file(&path)?;
    io::copy(&mut from, &mut file)?;
    Ok(file)
}

fn show(args: &SummarizeArgs, name: &str, several: bool, mut summary: Value) {
    if args.json {
        if let Some(fields) = summary.as_object_mut() {
            fields.insert("file".to_owned(), json!(name));
        }
        print(&format!("{summary}\n"));
        return;
    }
    if several {
        print(&format!("==> {} <==\n", plain(name)));
    }
    let text = summary.get("summary").and_then(Value::as_str).unwrap_or_default();
    print(&format!("{}\n", plain(text)));
    for left_out in
        summary.pointer("/coverage/skipped").and_then(Value::as_array).into_iter().flatten()
    {
        complain(&format!("left out: {}", plain(left_out.as_str().unwrap_or_default())));
    }
}

/// SECURITY: what stands in a document or a model says is not to be obeyed by a terminal.
fn plain(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\n', " ")
}

/// The name that a file has for others: without the folders that it lies in.
fn bare(name: &str) -> Option<&str> {
    Path::new(name).file_name()?.to_str().filter(|_| name != STDIN)
}

/// What an HTTP status comes to.
fn code_of(status: u64) -> u8 {
    match status {
        429 | 500.. => EX_UNAVAILABLE,
        _ => EX_DATAERR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_moves_no_cursor() {
        assert_eq!(plain("a\u{1b}[2Jb\nc\r"), "a [2Jb\nc ");
    }

    #[test]
    fn names_are_told_without_their_folders() {
        assert_eq!(bare("/home/me/report.pdf"), Some("report.pdf"));
        assert_eq!(bare("-"), None);
    }
}
