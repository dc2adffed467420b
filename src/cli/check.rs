//! `edgehold check`: before a reload, and in `ExecStartPre=`.

use std::path::Path;

use crate::app;
use crate::cli::output::{complain, print, table};
use crate::cli::{EX_UNAVAILABLE, load};
use crate::config::{Config, Env};

pub(super) fn run(path: Option<&Path>, with_probe: bool, env: &Env) -> u8 {
    let config = match load(path, env) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let source = match &config.source {
        Some(path) => path.display().to_string(),
        None => "built-in default: no file was found".to_owned(),
    };
    print(&format!("# {source}\n{}", config.describe()));
    if with_probe { probe(&config) } else { 0 }
}

fn probe(config: &Config) -> u8 {
    let reports = match app::probe_all(config) {
        Ok(reports) => reports,
        Err(error) => {
            complain(&format!("edgehold: {error}"));
            return error.exit_code();
        }
    };
    let rows: Vec<Vec<String>> = reports
        .iter()
        .map(|it| {
            let word = if it.ok { "ok" } else { "FAILED" };
            vec![format!("# {}", it.provider), word.to_owned(), it.detail.clone()]
        })
        .collect();
    print(&format!("\n{}", table(&rows)));
    let none = !reports.iter().any(|report| report.ok);
    if none { EX_UNAVAILABLE } else { 0 }
}
