//! `edgehold check`: before a reload, and in `ExecStartPre=`.

use std::path::Path;

use crate::app;
use crate::cli::output::{complain, print, report, table};
use crate::cli::{EX_TEMPFAIL, EX_UNAVAILABLE, load};
use crate::config::{Config, Env};
use crate::lifecycle::Pace;

/// What is wanted beside the configuration.
pub(super) struct Wanted {
    pub(super) probe: bool,
    pub(super) hold_back: bool,
}

pub(super) fn run(path: Option<&Path>, wanted: &Wanted, env: &Env) -> u8 {
    if wanted.hold_back && !hold_back(&Pace::new(env.get("RUNTIME_DIRECTORY")), env) {
        return EX_TEMPFAIL;
    }
    let config = match load(path, env) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let source = match &config.source {
        Some(path) => path.display().to_string(),
        None => "built-in default: no file was found".to_owned(),
    };
    print(&format!("# {source}\n{}", config.describe()));
    if let Some(warning) = app::memory_warning(&config) {
        complain(&format!("edgehold: {warning}"));
    }
    if wanted.probe { probe(&config) } else { 0 }
}

/// Returns whether the start may go on: not where somebody stops it before its time has come.
fn hold_back(pace: &Pace, env: &Env) -> bool {
    let (wait, failures) = (pace.wait(), pace.failures());
    let say = || {
        let seconds = wait.as_secs();
        report(
            &format!(
                "edgehold: {failures} starts in a row have failed: waiting {seconds} s before the next"
            ),
            env,
        );
    };
    app::hold_back(pace, wait, say).unwrap_or(true)
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
