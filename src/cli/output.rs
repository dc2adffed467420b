//! What goes to the terminal. A reader that has gone (`edgehold man | head`) is no error.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use flate2::read::DeflateDecoder;

use crate::config::Env;

/// How a line begins that the journal is to take for an error (sd-daemon(3)).
const ERROR: &str = "<3>";

/// Prints to standard output. Returns the exit code for having done so.
pub(super) fn print(text: &str) -> u8 {
    io::stdout().write_all(text.as_bytes()).ok();
    0
}

/// Prints what the build script has packed.
pub(super) fn print_packed(packed: &[u8]) -> u8 {
    io::copy(&mut DeflateDecoder::new(packed), &mut io::stdout()).ok();
    0
}

/// Says to standard error what is wrong.
pub(super) fn complain(text: &str) {
    let mut line = text.as_bytes().to_vec();
    line.push(b'\n');
    io::stderr().write_all(&line).ok();
}

/// Says to standard error what is wrong; where that is the journal, each line as an error.
pub(super) fn report(text: &str, env: &Env) {
    if is_journal(env) {
        let lines: Vec<String> = text.lines().map(|line| format!("{ERROR}{line}")).collect();
        complain(&lines.join("\n"));
    } else {
        complain(text);
    }
}

/// Whether standard error is the journal's own stream: who sends it elsewhere wants no priorities in it.
pub(super) fn is_journal(env: &Env) -> bool {
    let stderr = io::stderr().as_fd().try_clone_to_owned().map(File::from);
    let here = stderr.and_then(|stderr| stderr.metadata()).ok();
    let named = env.get("JOURNAL_STREAM").and_then(|it| it.split_once(':'));
    match (named, here) {
        (Some((device, inode)), Some(here)) => {
            device.parse() == Ok(here.dev()) && inode.parse() == Ok(here.ino())
        }
        _ => false,
    }
}

/// Lines up columns: two spaces between them, nothing behind the last.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
