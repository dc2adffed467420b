use std::fs;
use std::path::{Path, PathBuf};

use crate::config::{Config, ConfigError, Env, Problem};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

/// An environment in which every key that the examples name is there.
fn env(credentials: &Path) -> Env {
    let folder = credentials.display().to_string();
    Env::from([
        ("CREDENTIALS_DIRECTORY", folder.as_str()),
        ("OPENAI_API_KEY", "k"),
        ("OPENROUTER_API_KEY", "k"),
        ("GROQ_API_KEY", "k"),
        ("AZURE_OPENAI_API_KEY", "k"),
        ("ANTHROPIC_API_KEY", "k"),
        ("DEEPSEEK_API_KEY", "k"),
        ("GEMINI_API_KEY", "k"),
        ("MISTRAL_API_KEY", "k"),
    ])
}

/// A folder with the secrets that the examples name; gone when dropped.
struct Secrets(PathBuf);

impl Secrets {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("edgehold-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        for (file, text) in [
            ("openai", "a-key"),
            ("app-token", "0123456789abcdef"),
            ("devices.token", "fedcba9876543210"),
        ] {
            fs::write(path.join(file), text).unwrap();
        }
        Self(path)
    }
}

impl Drop for Secrets {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn every_file_of_the_config_folder_loads() {
    let secrets = Secrets::new("load");
    let mut count = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let text = text.replace("/etc/edgehold", &secrets.0.display().to_string());
        if let Err(error) = Config::parse(&text, Some(&path), &env(&secrets.0)) {
            panic!("{error}");
        }
        count += 1;
    }
    assert!(count >= 5, "{count} files");
}

#[test]
fn the_readmes_example_loads() {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let env = Env::from([("OPENAI_API_KEY", "sk-0123456789abcdef")]);
    let config = Config::parse(example, None, &env).unwrap();
    assert!(config.models.contains_key("default"));
}

#[test]
fn the_reference_says_the_codes_own_defaults() {
    let text = fs::read_to_string(folder().join("edgehold.toml")).unwrap();
    let reference = Config::parse(&text, None, &Env::default()).unwrap();
    let built_in = Config::parse("", None, &Env::default()).unwrap();
    assert_eq!(reference.describe(), built_in.describe());
}

/// Every key that `check` prints, and every optional one, has its line in the reference; taken out
/// of its comment, all of it is still good.
#[test]
fn the_reference_has_every_key() {
    let secrets = Secrets::new("keys");
    let text = fs::read_to_string(folder().join("edgehold.toml")).unwrap();
    let is_toml = |line: &str| line.starts_with("#[") || line.contains(" = ");
    let whole: String = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') && is_toml(line) => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect::<String>()
        .replace("ca_file = \"/etc/edgehold", &format!("ca_file = \"{}", secrets.0.display()));
    let all = Config::parse(&whole, None, &env(&secrets.0)).unwrap_or_else(|e| panic!("{e}"));
    let described = all.describe();
    for key in ["api_key", "headers", "query", "ca_file", "targets", "token", "locality", "name"] {
        assert!(described.contains(key), "{key}");
    }
    for line in described.lines() {
        let key = line.split([' ', '.']).next().unwrap_or_default();
        if line.contains(" = ") {
            let known = whole.lines().any(|it| it.split(' ').next() == Some(key));
            assert!(known, "{key} is not in the reference");
        }
    }
}

fn problems(text: &str) -> Vec<Problem> {
    match Config::parse(text, Some(Path::new("f.toml")), &Env::default()) {
        Err(ConfigError::Bad(problems)) => problems,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn what_is_wrong_is_said_with_line_and_key() {
    for (text, line, key, words) in WRONG {
        let found = problems(text);
        let found = found.first().unwrap();
        let shown = found.to_string();
        assert!(shown.contains(words), "{text}: {shown}");
        assert_eq!((found.line, found.key.as_str()), (*line, *key), "{text}: {shown}");
        assert!(!shown.contains("canary"), "{shown}");
    }
    let two = "[providers.l]\nkind = \"ollama\"\nmax_context = 1\npatience = \"x\"\n";
    assert_eq!(problems(two).len(), 2);
}

/// A file, and the line, the key and words of the first thing that is wrong in it.
const WRONG: &[(&str, usize, &str, &str)] = &[
    ("[server]\nlisten = [\"0.0.0.0:1\"]\n", 2, "server.listen", "[[clients]]"),
    ("[server]\nlisten = [\"nowhere\"]\n", 2, "server.listen", "allowed"),
    ("[server]\nlisten = []\n", 2, "server.listen", "at least one"),
    ("[server]\nmax_body = \"1GiB\"\n", 2, "server.max_body", "memory.cap"),
    ("[server]\nmax_body = 5\n", 2, "server.max_body", "string"),
    ("[server]\n\nlistn = []\n", 3, "server.listn", "listen"),
    ("[server]\nsocket_mode = \"rw\"\n", 2, "server.socket_mode", "octal"),
    ("[server]\nidle_timeout = \"0s\"\n", 2, "server.idle_timeout", "more than nothing"),
    ("[memory]\ncap = \"1MiB\"\n", 2, "memory.cap", "8MiB"),
    ("[log]\nlevel = \"loud\"\n", 2, "log.level", "error, warn"),
    ("[deadlines]\nidle = \"soon\"\n", 2, "deadlines.idle", "allowed"),
    ("[routing]\nretries = 11\n", 2, "routing.retries", "0 to 10"),
    ("[providers.x]\n", 1, "providers.x.kind", "ollama, openai"),
    (
        "[providers.x]\nkind = \"builtin\"\nlacks = []\npatience = \"1s\"\n",
        1,
        "providers.x",
        "no other key",
    ),
    ("[models.m]\ntargets = [\"builtin/other\"]\n", 2, "models.m.targets", "builtin/extractive"),
    (
        "[models.m]\ntargets = [\"builtin/extractive\", \"local/x\"]\n",
        2,
        "models.m.targets",
        "the last one",
    ),
    (
        "[models.m]\ntargets = [\"local/x\"]\nrefine = [\"builtin/extractive\"]\n",
        3,
        "models.m.refine",
        "extract",
    ),
    ("[summaries]\npath = \"documents\"\n", 2, "summaries.path", "/var/lib/edgehold"),
    ("[summaries]\nmemory = \"1MiB\"\n", 2, "summaries.memory", "2MiB"),
    ("[summaries]\nmemory = \"30MiB\"\n", 2, "summaries.memory", "memory.cap"),
    ("[summaries]\ntime = \"0s\"\n", 2, "summaries.time", "more than nothing"),
    ("[server]\nmax_document = \"all\"\n", 2, "server.max_document", "allowed"),
    (
        "[providers.x]\nkind = \"gemini\"\nlacks = [\"wings\"]\n",
        3,
        "providers.x.lacks",
        "embeddings, images",
    ),
    (
        "[providers.x]\nkind = \"openai\"\nomit = [\"model\"]\n",
        3,
        "providers.x.omit",
        "can do without",
    ),
    (
        "[providers.x]\nkind = \"openai\"\nbase_url = \"ftp://h\"\n",
        3,
        "providers.x.base_url",
        "http",
    ),
    (
        "[providers.x]\nkind = \"openai\"\napi_key = \"sk-canary\"\n",
        3,
        "providers.x.api_key",
        "does not stand",
    ),
    (
        "[providers.x]\nkind = \"openai\"\napi_key = { credential = \"a\" }\n",
        3,
        "providers.x.api_key",
        "LoadCredential",
    ),
    (
        "[providers.x]\nkind = \"openai\"\napi_key = { env = \"NOT_SET\" }\n",
        3,
        "providers.x.api_key",
        "is not set",
    ),
    (
        "[providers.x]\nkind = \"openai\"\nbase_url = \"http://h\"\napi_key = { file = \"/k\" }\n",
        3,
        "providers.x.base_url",
        "https",
    ),
    (
        "[providers.x]\nkind = \"openai\"\nheaders = { Host = \"h\" }\n",
        3,
        "providers.x.headers.Host",
        "not a header",
    ),
    ("[models.m]\ntargets = []\n", 2, "models.m.targets", "at least one"),
    ("[models.m]\ntargets = [\"nobody/x\"]\n", 2, "models.m.targets", "there are: local"),
    ("[models.\"a/b\"]\ntargets = [\"local/x\"]\n", 1, "models.a/b", "no /"),
    (
        "[models.m]\ntargets = [\"local/x\"]\nlocality = \"here\"\n",
        3,
        "models.m.locality",
        "local, cloud",
    ),
    ("[[clients]]\nname = \"a\"\n", 1, "clients[0].token", "wanted"),
    ("[[clients]]\ntoken = { file = \"/nowhere\" }\n", 1, "clients[0].name", "wanted"),
    ("[queue]\nsize = 1\n", 2, "queue.size", "unknown field"),
    ("[queue]\npath = \"queue.db\"\n", 2, "queue.path", "/var/lib/edgehold"),
    ("[queue]\nquota = \"10KiB\"\n", 2, "queue.quota", "256KiB"),
    ("[queue]\nmax_jobs = 0\n", 2, "queue.max_jobs", "1 to 100000"),
    ("[queue]\nttl = \"0s\"\n", 2, "queue.ttl", "more than nothing"),
    ("[queue]\nmax_attempts = 101\n", 2, "queue.max_attempts", "1 to 100"),
    ("[queue]\nconcurrency = 0\n", 2, "queue.concurrency", "1 to"),
    (
        "[models.m]\ntargets = [\"local/x\"]\nrefine = [\"nobody/x\"]\n",
        3,
        "models.m.refine",
        "there are: local",
    ),
];

#[test]
fn the_database_is_where_the_state_is() {
    let (home, xdg) = (("HOME", "/home/user"), ("XDG_STATE_HOME", "/state"));
    let systemd = ("STATE_DIRECTORY", "/var/lib/edgehold:/var/lib/other");
    let table = [
        (Env::from([home, xdg, systemd]), Some("/var/lib/edgehold/queue.db")),
        (Env::from([home, xdg]), Some("/state/edgehold/queue.db")),
        (Env::from([home]), Some("/home/user/.local/state/edgehold/queue.db")),
        (Env::default(), None),
        // Wherever that is.
        (Env::from([("HOME", "user")]), None),
    ];
    for (env, path) in table {
        let config = Config::parse("", None, &env).unwrap();
        assert_eq!(config.queue.path.as_deref(), path.map(Path::new), "{env:?}");
    }
}

#[test]
fn tokens_are_long_and_unlike() {
    let secrets = Secrets::new("tokens");
    fs::write(secrets.0.join("short"), "short").unwrap();
    let client = |name: &str, file: &str| {
        let path = secrets.0.join(file);
        format!("[[clients]]\nname = \"{name}\"\ntoken = {{ file = {path:?} }}\n")
    };
    let bad = |text: String, words: &str| {
        let found = problems(&text);
        assert!(found.iter().any(|it| it.message.contains(words)), "{found:?}");
    };
    bad(client("a", "short"), "too short");
    bad(client("a", "missing"), "No such file");
    bad(client("a", "app-token") + &client("b", "app-token"), "same token");
    bad(client("a", "app-token") + &client("a", "devices.token"), "this name");
}

#[test]
fn the_environment_names_the_proxy_as_curl_reads_it() {
    let env = Env::from([
        ("HTTP_PROXY", "http://a"),
        ("https_proxy", "http://b"),
        ("NO_PROXY", "c"),
        ("all_proxy", "http://d"),
    ]);
    let proxy = Config::parse("", None, &env).unwrap().proxy;
    assert_eq!(proxy.http.unwrap().expose(), "http://a");
    assert_eq!(proxy.https.unwrap().expose(), "http://b");
    assert_eq!(proxy.no.as_deref(), Some("c"));
    let cgi = Env::from([("HTTP_PROXY", "http://a"), ("REQUEST_METHOD", "GET")]);
    assert!(Config::parse("", None, &cgi).unwrap().proxy.http.is_none());
}

#[test]
fn a_credential_is_its_own_or_a_file_of_the_directory_of_keys() {
    let secrets = Secrets::new("keys");
    let text = "[providers.cloud]\nkind = \"openai\"\napi_key = { credential = \"cloud\" }\n";
    let read = || {
        let config = Config::parse(text, None, &env(&secrets.0)).unwrap();
        config.providers["cloud"].api_key.clone().unwrap()
    };
    assert!(read().read().is_err(), "neither is there");
    fs::write(secrets.0.join("keys_cloud"), "of-the-directory\n").unwrap();
    assert_eq!(read().read().unwrap().expose(), "of-the-directory");
    fs::write(secrets.0.join("cloud"), "its-own").unwrap();
    assert_eq!(read().read().unwrap().expose(), "its-own");
}
