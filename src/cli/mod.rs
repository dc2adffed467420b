//! What a person types: one file for each command. Exit codes are those of sysexits.h.

mod args;
mod ask;
mod check;
mod jobs;
mod output;
mod serve;
mod status;
mod summarize;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::app;
use crate::cli::args::{Command, Shell};
use crate::cli::output::{complain, print, print_packed, report};
use crate::config::{Config, ConfigError, Env, TARGET};
use crate::summary::extract;

pub use crate::cli::args::Args;

/// The command line was used wrongly.
const EX_USAGE: u8 = 64;
/// What was asked for cannot be done with what is there.
const EX_DATAERR: u8 = 65;
/// A file that was named cannot be read.
const EX_NOINPUT: u8 = 66;
/// The service does not answer, or no provider does.
const EX_UNAVAILABLE: u8 = 69;
/// Not now: somebody stopped it while it waited.
const EX_TEMPFAIL: u8 = 75;
/// The configuration is bad.
const EX_CONFIG: u8 = 78;

/// Reads the arguments.
///
/// # Errors
/// The exit code, where help or version were asked for or the arguments are wrong; what there is
/// to say has been said.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Args, ExitCode> {
    Args::try_parse_from(args).map_err(|error| {
        match error.kind() {
            ErrorKind::DisplayVersion => print(&version()),
            ErrorKind::DisplayHelp => print(&error.render().to_string()),
            _ => {
                complain(error.render().to_string().trim_end());
                return ExitCode::from(EX_USAGE);
            }
        };
        ExitCode::SUCCESS
    })
}

/// Runs a command.
pub fn run(args: Args) -> ExitCode {
    let env = Env::of_process();
    let code = match args.command {
        Command::Serve { config } => serve::run(config.config.as_deref(), &env),
        Command::Check { config, probe, hold_back } => {
            let wanted = check::Wanted { probe, hold_back };
            check::run(config.config.as_deref(), &wanted, &env)
        }
        Command::Status { config, json } => status::run(config.config.as_deref(), json, &env),
        Command::Explain { model, locality, config } => {
            let locality = locality.map(args::Where::word);
            status::explain(config.config.as_deref(), &model, locality, &env)
        }
        Command::Jobs { command } => jobs::run(command, &env),
        Command::Summarize(args) => summarize::run(&args, &env),
        Command::Completions { shell } => print_packed(match shell {
            Shell::Bash => include_bytes!(concat!(env!("OUT_DIR"), "/edgehold.bash")),
            Shell::Fish => include_bytes!(concat!(env!("OUT_DIR"), "/edgehold.fish")),
            Shell::Zsh => include_bytes!(concat!(env!("OUT_DIR"), "/_edgehold")),
        }),
        Command::Man => print_packed(include_bytes!(concat!(env!("OUT_DIR"), "/edgehold.1"))),
        Command::ExtractDocument { words } => extract::child(words.into_iter()),
    };
    ExitCode::from(code)
}

/// What `--version` says: enough to know what is on a box.
fn version() -> String {
    format!(
        "edgehold {}\ntarget  {TARGET}\nTLS     rustls with ring, TLS 1.2 and 1.3, built-in roots\n\
         SQLite  {}\n",
        env!("CARGO_PKG_VERSION"),
        app::sqlite_version()
    )
}

/// Loads the configuration, or says what is wrong with it.
fn load(path: Option<&Path>, env: &Env) -> Result<Config, u8> {
    Config::load(path, env).map_err(|error| {
        report(&error.to_string(), env);
        match error {
            ConfigError::Io(..) => EX_NOINPUT,
            ConfigError::Bad(_) => EX_CONFIG,
        }
    })
}

#[cfg(test)]
mod tests;
