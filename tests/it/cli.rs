//! The command line: what it prints and the code it ends with.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::setup::{edgehold, free_port};
use crate::support::{Folder, Gateway, NO_RETRY, Ollama, OpenAi, alias, run};

/// What a command printed, and its exit code.
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "out: {}\nerr: {}", self.out, self.err);
        self
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// Runs it beside the runtime, which has fakes to serve in the meantime.
pub async fn ran(mut command: Command) -> Ran {
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
    output.expect("the binary under test does not start").into()
}

pub async fn with(args: &[&str]) -> Ran {
    let mut command = edgehold();
    command.args(args);
    ran(command).await
}

pub async fn with_config(args: &[&str], config: &Path) -> Ran {
    let mut command = edgehold();
    command.args(args).arg("--config").arg(config);
    ran(command).await
}

const CANARY: &str = "sk-canary-0123456789abcdef";

#[test]
fn check_prints_what_counts_and_no_secret() {
    run(async {
        let folder = Folder::new();
        let key = folder.write("key", CANARY);
        let text = format!(
            "[server]\nmax_body = \"2MiB\"\n[providers.cloud]\nkind = \"openai\"\napi_key = {{ file = \"{}\" }}\nheaders = {{ X-Secret = {{ env = \"MY_HEADER\" }} }}\n[models.big]\ntargets = [\"cloud/gpt\"]\n",
            key.display()
        );
        let config = folder.write("edgehold.toml", &text);
        let mut command = edgehold();
        command.args(["check", "--config"]).arg(&config).env("MY_HEADER", "canary-header-value");
        let checked = ran(command).await.expect(0);
        for word in ["max_body", "https://api.openai.com/v1", "cloud/gpt", "127.0.0.1:11435"] {
            assert!(checked.out.contains(word), "{word}: {}", checked.out);
        }
        for secret in [CANARY, "canary-header-value"] {
            assert!(!checked.out.contains(secret) && !checked.err.contains(secret));
        }
    });
}

#[test]
fn a_bad_configuration_is_told_with_file_line_and_key() {
    run(async {
        let folder = Folder::new();
        let provider = "[providers.a]\nkind = \"ollama\"\n";
        let table = [
            (format!("{provider}bas_url = \"http://x\"\n"), "edgehold.toml:3", "bas_url"),
            (format!("{provider}max_concurrent = \"many\"\n"), "edgehold.toml:3", "max_concurrent"),
            ("[server]\nmax_body = \"lots\"\n".to_owned(), "edgehold.toml:2", "max_body"),
            ("[deadlines]\nidle = \"soon\"\n".to_owned(), "edgehold.toml:2", "idle"),
            ("[models.m]\ntargets = []\n".to_owned(), "edgehold.toml", "targets"),
            ("[models.m]\ntargets = [\"nobody/x\"]\n".to_owned(), "edgehold.toml:2", "nobody"),
            ("[providers.a]\nkind = \"telepathy\"\n".to_owned(), "edgehold.toml:2", "ollama"),
            ("[providers.a]\nbase_url = \"http://x\"\n".to_owned(), "edgehold.toml", "kind"),
            ("[queue]\npth = \"/x\"\n".to_owned(), "edgehold.toml:2", "pth"),
            ("[queue]\nmax_jobs = 0\n".to_owned(), "edgehold.toml:2", "max_jobs"),
            ("[queue]\nquota = \"1KiB\"\n".to_owned(), "edgehold.toml:2", "256KiB"),
            (format!("{provider}locality = \"nearby\"\n"), "edgehold.toml:3", "cloud"),
            (format!("[providers.a]\nkind = \"openai\"\napi_key = \"{CANARY}\"\n"), "edgehold.toml:3", "api_key"),
            ("[providers.a]\nkind = \"openai\"\nbase_url = \"http://example.com\"\napi_key = { env = \"HOME\" }\n".to_owned(), "edgehold.toml", "https"),
            ("[server\n".to_owned(), "edgehold.toml:1", ""),
        ];
        for (text, place, word) in table {
            let config = folder.write("edgehold.toml", &text);
            for command in ["check", "serve"] {
                let mut run = edgehold();
                run.args([command, "--config"]).arg(&config).env("HOME", "/nowhere");
                let refused = ran(run).await.expect(78);
                assert!(refused.err.contains(place), "{place}: {text}\n{}", refused.err);
                assert!(refused.err.contains(word), "{word}: {text}\n{}", refused.err);
                assert!(!refused.err.contains(CANARY), "{}", refused.err);
            }
        }
    });
}

#[test]
fn exit_codes_are_those_of_sysexits() {
    run(async {
        let folder = Folder::new();
        with(&["serve", "--bogus"]).await.expect(64);
        with(&["bogus"]).await.expect(64);
        with(&["explain"]).await.expect(64);
        with(&["serve", "--config", "/nowhere/edgehold.toml"]).await.expect(66);
        with(&["check", "--config", "/nowhere/edgehold.toml"]).await.expect(66);
        let text = format!("[server]\nlisten = [\"127.0.0.1:{}\"]\n", free_port());
        let config = folder.write("edgehold.toml", &text);
        let silent = with_config(&["status"], &config).await.expect(69);
        assert!(silent.err.len() > 10, "{}", silent.err);
        with(&["--help"]).await.expect(0);
    });
}

#[test]
fn the_version_says_what_was_built() {
    run(async {
        let version = with(&["--version"]).await.expect(0).out;
        assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
        assert!(version.contains("linux"), "the target: {version}");
        assert!(version.to_lowercase().contains("rustls"), "the TLS library: {version}");
        assert!(version.contains("SQLite"), "{version}");
    });
}

#[test]
fn without_a_file_the_built_in_configuration_counts() {
    run(async {
        let checked = with(&["check"]).await;
        if Path::new("/etc/edgehold/edgehold.toml").exists() {
            return;
        }
        let checked = checked.expect(0);
        assert!(checked.out.contains("http://127.0.0.1:11434"), "{}", checked.out);
        let folder = Folder::new();
        let config = folder.write("other.toml", "[server]\nlisten = [\"127.0.0.1:4711\"]\n");
        let mut command = edgehold();
        command.arg("check").env("EDGEHOLD_CONFIG", &config);
        assert!(ran(command).await.expect(0).out.contains("127.0.0.1:4711"));
    });
}

async fn world() -> (Ollama, OpenAi, Gateway) {
    let (local, cloud) = (Ollama::saying("small"), OpenAi::saying("big"));
    let tables = local.local("local")
        + &cloud.cloud("cloud")
        + NO_RETRY
        + &alias("both", &["local/tiny", "cloud/gpt-test"]);
    let gateway = Gateway::with(&tables).await;
    (local, cloud, gateway)
}

#[test]
fn status_shows_the_running_service() {
    run(async {
        let (local, _cloud, gateway) = world().await;
        local.down().await;
        gateway.chat("both", "x").await.expect(200);
        let shown = with_config(&["status"], &gateway.config).await.expect(0).out;
        for word in ["local", "cloud", "local/tiny", "down"] {
            assert!(shown.contains(word), "{word}: {shown}");
        }
        let json = with_config(&["status", "--json"], &gateway.config).await.expect(0).out;
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["state"], "ready");
    });
}

#[test]
fn explain_says_who_would_answer() {
    run(async {
        let (_local, _cloud, gateway) = world().await;
        let shown = with_config(&["explain", "both"], &gateway.config).await.expect(0).out;
        assert!(shown.contains("local/tiny") && shown.contains("cloud/gpt-test"), "{shown}");
        let bound = with_config(&["explain", "both", "--locality", "local"], &gateway.config)
            .await
            .expect(0)
            .out;
        assert!(bound.contains("skipped"), "{bound}");
        let unknown = with_config(&["explain", "nobody"], &gateway.config).await;
        assert_ne!(unknown.code, Some(0));
        assert!(unknown.err.contains("both"), "names that exist: {}", unknown.err);
    });
}

#[test]
fn a_probe_tells_what_each_provider_answers() {
    run(async {
        let (local, cloud, gateway) = world().await;
        let probed = with_config(&["check", "--probe"], &gateway.config).await.expect(0);
        assert!(probed.out.contains("tiny:latest"), "{}", probed.out);
        local.down().await;
        let probed = with_config(&["check", "--probe"], &gateway.config).await.expect(0);
        assert!(probed.out.contains("refused") || probed.err.contains("refused"), "{}", probed.out);
        cloud.down().await;
        with_config(&["check", "--probe"], &gateway.config).await.expect(69);
        assert_eq!((local.chats().len(), cloud.chats()), (0, 0), "a probe costs nothing");
    });
}

#[test]
fn completions_and_the_man_page_are_there() {
    run(async {
        for shell in ["bash", "zsh", "fish"] {
            let script = with(&["completions", shell]).await.expect(0).out;
            assert!(script.contains("edgehold") && script.contains("explain"), "{shell}");
        }
        with(&["completions", "nonsense"]).await.expect(64);
        let page = with(&["man"]).await.expect(0).out;
        assert!(page.contains(".TH") && page.contains("edgehold"), "{page}");
    });
}
