//! Finding the configuration, and saying what is wrong with it: file, line, key, what is allowed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::config::file::{self, Unreadable};
use crate::config::{Config, check};

/// Where the configuration is looked for last.
const SYSTEM_FILE: &str = "/etc/edgehold/edgehold.toml";

/// A snapshot of the environment, so that nothing else reads the process's own.
#[derive(Debug, Clone, Default)]
pub struct Env(BTreeMap<String, String>);

impl Env {
    /// The process's environment. Variables that are no UTF-8 are left out.
    pub fn of_process() -> Self {
        let text = |it: std::ffi::OsString| it.into_string().ok();
        Self(std::env::vars_os().filter_map(|(k, v)| Some((text(k)?, text(v)?))).collect())
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Env {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
    }
}

/// A configuration that cannot be used: every problem that was found.
#[derive(Debug)]
pub enum ConfigError {
    /// The file cannot be read.
    Io(PathBuf, std::io::Error),
    /// The file can be read and not be used.
    Bad(Vec<Problem>),
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Bad(problems) => {
                let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
        }
    }
}

/// One thing that is wrong. Never holds the line's text, which may hold a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// Its line, from 1; 0 where none can be named.
    pub line: usize,
    /// The key, with its tables.
    pub key: String,
    /// What is wrong, and what is allowed.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl Config {
    /// Finds and checks the configuration: `path`, else `$EDGEHOLD_CONFIG`, else
    /// `/etc/edgehold/edgehold.toml`, else the built-in default (the Ollama on this device).
    ///
    /// # Errors
    /// Every problem that was found, with file, line and key.
    pub fn load(path: Option<&Path>, env: &Env) -> Result<Self, ConfigError> {
        let named = path.map(Path::to_owned).or_else(|| env.get("EDGEHOLD_CONFIG").map(Into::into));
        let found = named.or_else(|| Some(PathBuf::from(SYSTEM_FILE)).filter(|it| it.exists()));
        let Some(path) = found else { return Self::parse("", None, env) };
        let text =
            std::fs::read_to_string(&path).map_err(|error| ConfigError::Io(path.clone(), error))?;
        Self::parse(&text, Some(&path), env)
    }

    /// Checks the text of a configuration.
    ///
    /// # Errors
    /// Every problem that was found.
    pub fn parse(text: &str, source: Option<&Path>, env: &Env) -> Result<Self, ConfigError> {
        let name =
            source.map_or_else(|| "built-in default".to_owned(), |it| it.display().to_string());
        let file = file::read(text)
            .map_err(|error| ConfigError::Bad(vec![not_toml(&name, text, &error)]))?;
        check::check(file, source, env).map_err(|complaints| {
            let problems = complaints.into_iter().map(|(key, message)| Problem {
                file: name.clone(),
                line: line_of(text, &key),
                key,
                message,
            });
            ConfigError::Bad(problems.collect())
        })
    }
}

fn not_toml(name: &str, text: &str, error: &Unreadable) -> Problem {
    let start = error.span.as_ref().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    Problem { file: name.to_owned(), line, key: key_at(text, line), message: error.message.clone() }
}

/// The key of a line, with its table.
fn key_at(text: &str, line: usize) -> String {
    let mut table = String::new();
    let mut key = String::new();
    for (number, content) in text.lines().enumerate().take(line) {
        if let Some(header) = header(content) {
            table = header.to_owned();
        }
        if number + 1 == line {
            key = content.split_once('=').map_or("", |(key, _)| key.trim()).to_owned();
        }
    }
    // What stands before a `=` in the midst of a value is no key.
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.\"*".contains(c);
    let key = if key.chars().all(plain) { key } else { String::new() };
    [table, key].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
}

fn header(line: &str) -> Option<&str> {
    let line = line.split('#').next().unwrap_or_default().trim();
    let inner = line.strip_prefix('[')?.strip_suffix(']')?;
    Some(inner.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(inner))
}

/// The line of a key such as `providers.x.kind` or `clients[1].token`; that of the table or the
/// key that it is in, where it has no line of its own; 0 where nothing has.
fn line_of(text: &str, path: &str) -> usize {
    match (own_line(text, path), path.rsplit_once('.')) {
        (0, Some((parent, _))) => line_of(text, parent),
        (line, _) => line,
    }
}

fn own_line(text: &str, path: &str) -> usize {
    let (table, key) = path.rsplit_once('.').unwrap_or(("", path));
    let (table, nth) = match table.trim_end_matches(']').rsplit_once('[') {
        Some((table, number)) => (table, number.parse().unwrap_or(0)),
        None => (table, 0),
    };
    let mut here = table.is_empty();
    let mut seen = 0;
    let mut table_line = 0;
    for (number, line) in text.lines().enumerate() {
        if let Some(name) = header(line) {
            let name = name.replace('"', "");
            if name == path.replace('"', "") {
                return number + 1;
            }
            let same = name == table.replace('"', "");
            here = same && seen == nth;
            seen += usize::from(same);
            if here {
                table_line = number + 1;
            }
        } else if here && line.split_once('=').is_some_and(|(name, _)| name.trim() == key) {
            return number + 1;
        }
    }
    table_line
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
[server]
listen = []

[providers.\"x\"] # a comment
kind = \"ollama\"

[[clients]]
name = \"a\"
[[clients]]
name = \"b\"
";

    #[test]
    fn finds_lines() {
        let table = [
            ("server.listen", 2),
            ("providers.x.kind", 5),
            ("providers.x.base_url", 4),
            ("clients[0].name", 8),
            ("clients[1].name", 10),
            ("memory.cap", 0),
        ];
        for (key, line) in table {
            assert_eq!(line_of(TEXT, key), line, "{key}");
        }
        assert_eq!(key_at(TEXT, 2), "server.listen");
    }

    #[test]
    fn an_unreadable_file_names_line_and_key() {
        let error =
            Config::parse("[server]\nlisten = 5\n", Some(Path::new("f.toml")), &Env::default());
        let text = error.unwrap_err().to_string();
        assert!(text.starts_with("f.toml:2: server.listen: "), "{text}");
    }
}
