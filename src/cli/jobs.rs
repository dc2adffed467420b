//! `edgehold jobs`: what is in the queue, through the running service. `export` also reads the
//! database of one that does not run.

use std::path::Path;

use serde_json::Value;

use crate::app;
use crate::cli::args::JobsCommand;
use crate::cli::ask::{self, Ask, Said};
use crate::cli::output::{complain, print, table};
use crate::cli::{EX_DATAERR, EX_UNAVAILABLE, EX_USAGE, load};
use crate::config::{Client, Config, Env, Listen};

/// Jobs that are asked for at once.
const PAGE: usize = 100;

pub(super) fn run(command: JobsCommand, env: &Env) -> u8 {
    let done = match command {
        JobsCommand::List { state, json, config } => {
            with(config.config.as_deref(), env, |config| list(config, state.as_deref(), json))
        }
        JobsCommand::Show { job } => with(job.config.config.as_deref(), env, |config| {
            let said = one(config, "GET", &job.id, "")?;
            Ok(print(&pretty(&said)))
        }),
        JobsCommand::Result { job } => {
            with(job.config.config.as_deref(), env, |config| result(config, &job.id))
        }
        JobsCommand::Cancel { job } => with(job.config.config.as_deref(), env, |config| {
            let said = one(config, "DELETE", &job.id, "")?;
            let word = if said.status == 204 { "deleted" } else { "cancelled" };
            Ok(print(&format!("{} {word}\n", job.id)))
        }),
        JobsCommand::Retry { job } => with(job.config.config.as_deref(), env, |config| {
            one(config, "POST", &job.id, "/retry")?;
            Ok(print(&format!("{} queued\n", job.id)))
        }),
        JobsCommand::Export { database: Some(path), .. } => stored(&path),
        JobsCommand::Export { database: None, config } => {
            with(config.config.as_deref(), env, export)
        }
    };
    done.unwrap_or_else(|failed| {
        complain(&format!("edgehold: {}", failed.why));
        failed.code
    })
}

/// What went wrong, and the exit code for it.
struct Failed {
    code: u8,
    why: String,
}

fn unreachable(why: String) -> Failed {
    Failed { code: EX_UNAVAILABLE, why }
}

fn with(
    path: Option<&Path>,
    env: &Env,
    work: impl FnOnce(&Config) -> Result<u8, Failed>,
) -> Result<u8, Failed> {
    match load(path, env) {
        Ok(config) => work(&config),
        // What is wrong has been said.
        Err(code) => Ok(code),
    }
}

/// Everybody whose jobs there may be: every client, and nobody in particular where that is somebody.
fn owners(config: &Config) -> Vec<Option<&Client>> {
    let needs_token = matches!(config.server.listen.first(), Some(Listen::Tcp(_)));
    let nobody = (config.clients.is_empty() || !needs_token).then_some(None);
    config.clients.iter().map(Some).chain(nobody).collect()
}

/// Asks for a job as each client in turn, until one has it.
fn one(config: &Config, method: &str, id: &str, below: &str) -> Result<Said, Failed> {
    let path = format!("/v1/jobs/{}{below}", plain(id)?);
    let mut last = None;
    for client in owners(config) {
        let said = ask::ask(config, &Ask { method, path: &path, header: None, client });
        let said = said.map_err(unreachable)?;
        match said.status {
            // An answer can be a 404 too, in the words of its path.
            404 if below != "/result" || is_none(&said) => last = Some(said),
            _ if said.status < 400 || below == "/result" => return Ok(said),
            503 => return Err(unreachable(said.complaint())),
            _ => return Err(Failed { code: EX_DATAERR, why: said.complaint() }),
        }
    }
    let why = last.map_or_else(|| "there is no such job".to_owned(), |said| said.complaint());
    Err(Failed { code: EX_USAGE, why })
}

/// Whether there is no such job: the 404 of a path has no code there.
fn is_none(said: &Said) -> bool {
    said.json().get("code").and_then(Value::as_str) == Some("not_found")
}

/// An id that is one, so that nothing else gets into the path.
fn plain(id: &str) -> Result<&str, Failed> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if (1..=64).contains(&id.len()) && id.bytes().all(fits) {
        return Ok(id);
    }
    let why = "a job's id is 1 to 64 letters, digits, _ or -".to_owned();
    Err(Failed { code: EX_USAGE, why })
}

fn result(config: &Config, id: &str) -> Result<u8, Failed> {
    let said = one(config, "GET", id, "/result")?;
    match said.status {
        200 => Ok(print(&said.body)),
        202 => Err(Failed { code: EX_UNAVAILABLE, why: format!("{id} has no answer yet") }),
        // An error is an answer too: it is what the client would get.
        _ => {
            print(&said.body);
            Ok(EX_DATAERR)
        }
    }
}

fn list(config: &Config, state: Option<&str>, json: bool) -> Result<u8, Failed> {
    let mut rows = vec![
        ["id", "state", "priority", "path", "model", "attempts", "last error"]
            .map(str::to_uppercase)
            .to_vec(),
    ];
    each_job(config, state, |_, job| {
        if json {
            print(&format!("{job}\n"));
        } else {
            rows.push(row(job));
        }
        Ok(())
    })?;
    Ok(if json { 0 } else { print(&table(&rows)) })
}

fn row(job: &Value) -> Vec<String> {
    ["/id", "/state", "/priority", "/path", "/model", "/attempts", "/last_error/message"]
        .map(|pointer| match job.pointer(pointer) {
            None | Some(Value::Null) => "-".to_owned(),
            // SECURITY: what a provider says is not to be obeyed by a terminal.
            Some(Value::String(text)) => text.replace(char::is_control, " "),
            Some(other) => other.to_string(),
        })
        .to_vec()
}

fn each_job(
    config: &Config,
    state: Option<&str>,
    mut work: impl FnMut(Option<&Client>, &Value) -> Result<(), Failed>,
) -> Result<(), Failed> {
    let state = state.map(|state| format!("&state={state}")).unwrap_or_default();
    if !state.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'&' | b'=')) {
        let why = "a state is a word such as queued or failed".to_owned();
        return Err(Failed { code: EX_USAGE, why });
    }
    for client in owners(config) {
        let mut after = String::new();
        loop {
            let path = format!("/v1/jobs?limit={PAGE}{state}{after}");
            let what = Ask { method: "GET", path: &path, header: None, client };
            let said = ask::ask(config, &what).map_err(unreachable)?;
            if said.status != 200 {
                let code = if said.status == 503 { EX_UNAVAILABLE } else { EX_USAGE };
                return Err(Failed { code, why: said.complaint() });
            }
            let page = said.json();
            for job in page.get("jobs").and_then(Value::as_array).into_iter().flatten() {
                work(client, job)?;
            }
            match page.get("next").and_then(Value::as_str) {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
    }
    Ok(())
}

/// Through the service, or from its database where it does not run.
fn export(config: &Config) -> Result<u8, Failed> {
    let asked = each_job(config, None, |client, job| {
        let id = job.get("id").and_then(Value::as_str).unwrap_or_default();
        let path = format!("/v1/jobs/{}/export", plain(id)?);
        let what = Ask { method: "GET", path: &path, header: None, client };
        let said = ask::ask(config, &what).map_err(unreachable)?;
        match said.status {
            200 => {
                print(&said.body);
                Ok(())
            }
            // It was deleted in between.
            404 => Ok(()),
            _ => Err(Failed { code: EX_DATAERR, why: said.complaint() }),
        }
    });
    match (asked, &config.queue.path) {
        (Ok(()), _) => Ok(0),
        (Err(failed), Some(path)) if failed.code == EX_UNAVAILABLE && path.exists() => stored(path)
            .map_err(|other| Failed {
                why: format!("{}; and its database cannot be read: {}", failed.why, other.why),
                ..other
            }),
        (Err(failed), _) => Err(failed),
    }
}

fn stored(path: &Path) -> Result<u8, Failed> {
    let read = app::export(path, |line| {
        print(line);
    });
    match read {
        Ok(_) => Ok(0),
        Err(why) => Err(Failed { code: EX_DATAERR, why: format!("{}: {why}", path.display()) }),
    }
}

fn pretty(said: &Said) -> String {
    let text = serde_json::to_string_pretty(&said.json()).unwrap_or_default();
    format!("{text}\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_is_one_line_that_moves_no_cursor() {
        let job = json!({"id": "a", "attempts": 2, "last_error": {"message": "no\n\u{1b}[2Jway"}});
        assert_eq!(row(&job), ["a", "-", "-", "-", "-", "2", "no  [2Jway"]);
    }
}
