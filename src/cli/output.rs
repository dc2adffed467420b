//! What goes to the terminal. A reader that has gone (`edgehold man | head`) is no error.

use std::io::{self, Write};

/// Prints to standard output. Returns the exit code for having done so.
pub(super) fn print(text: &str) -> u8 {
    io::stdout().write_all(text.as_bytes()).ok();
    0
}

/// Says to standard error what is wrong.
pub(super) fn complain(text: &str) {
    let mut line = text.as_bytes().to_vec();
    line.push(b'\n');
    io::stderr().write_all(&line).ok();
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
