//! How a gateway is started: its folder, its configuration, its environment.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::gateway::Gateway;

/// A folder that goes with its test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("edgehold-it-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// The binary under test, behind an emulator if one is named, with an empty environment.
pub fn edgehold() -> Command {
    let named = std::env::var_os("EDGEHOLD_BIN").filter(|path| !path.is_empty());
    let binary = named.unwrap_or_else(|| env!("CARGO_BIN_EXE_edgehold").into());
    let runner = std::env::var("EDGEHOLD_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    let mut command = match words.next() {
        None => Command::new(binary),
        Some(emulator) => {
            let mut command = Command::new(emulator);
            command.args(words).arg(binary);
            command
        }
    };
    command.env_clear().stdin(Stdio::null());
    command
}

/// Standard input and output become descriptors 3 and 4, and the process says that they are its own.
const HAND_OVER: &str = r#"LISTEN_PID=$$; export LISTEN_PID; exec "$@" 3<&0 4<&1 0</dev/null 1>&2"#;

/// How systemd names the stream that a file is.
pub fn stream_of(file: &File) -> String {
    let metadata = file.metadata().unwrap();
    format!("{}:{}", metadata.dev(), metadata.ino())
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What a gateway is started with.
pub struct Setup {
    pub folder: Folder,
    pub server: String,
    pub listen: String,
    rest: String,
    env: Vec<(String, String)>,
    port: Option<u16>,
    passed: Vec<OwnedFd>,
    is_journal: bool,
}

impl Setup {
    /// With the given tables: providers, models and so on.
    pub fn new(tables: &str) -> Self {
        Self {
            folder: Folder::new(),
            server: String::new(),
            listen: "\"127.0.0.1:PORT\"".to_owned(),
            rest: tables.to_owned(),
            env: Vec::new(),
            port: None,
            passed: Vec::new(),
            is_journal: false,
        }
    }

    /// Lines of `[server]`.
    pub fn server(mut self, lines: &str) -> Self {
        self.server.push_str(lines);
        self.server.push('\n');
        self
    }

    /// What it listens on, as TOML strings; `PORT` stands for its port.
    pub fn listen(mut self, addresses: &str) -> Self {
        addresses.clone_into(&mut self.listen);
        self
    }

    pub fn tables(mut self, more: &str) -> Self {
        self.rest.push('\n');
        self.rest.push_str(more);
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Hands it an open socket at each start, as systemd does: two at most.
    pub fn passed(mut self, socket: impl Into<OwnedFd>) -> Self {
        self.passed.push(socket.into());
        self
    }

    /// `PORT` is this one, and no free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Its log is the journal, as far as it can know.
    pub fn journal(mut self) -> Self {
        self.is_journal = true;
        self
    }

    /// The folder that the gateway will have.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    fn text(&self, port: u16) -> String {
        let listen = self.listen.replace("PORT", &port.to_string());
        let folder = self.folder.0.display().to_string();
        format!("[server]\nlisten = [{listen}]\n{}\n{}\n", self.server, self.rest)
            .replace("FOLDER", &folder)
    }

    /// Starts it and waits until it answers.
    pub async fn start(self) -> Gateway {
        let mut gateway = self.spawn();
        for _ in 0..5 {
            if gateway.answers().await {
                return gateway;
            }
            // The port was taken by somebody else in between: another one.
            let setup = gateway.take_setup();
            gateway = setup.spawn();
        }
        panic!("the gateway does not start: {}", gateway.log());
    }

    /// Starts it, whatever comes of it.
    pub fn spawn(self) -> Gateway {
        let port = self.port.unwrap_or_else(free_port);
        let config = self.folder.write("edgehold.toml", &self.text(port));
        let log = self.new_log();
        let journal = self.is_journal.then(|| ("JOURNAL_STREAM", stream_of(&log)));
        let child = self
            .command(log.try_clone().unwrap())
            .args(["serve", "--config"])
            .arg(&config)
            // No two gateways of the suite share a queue, unless a test has it so.
            .env("STATE_DIRECTORY", self.folder.0.join("state"))
            // Under an emulator its own child needs the emulator too.
            .envs(std::env::var_os("EDGEHOLD_RUNNER").map(|runner| ("EDGEHOLD_RUNNER", runner)))
            .envs(self.env.iter().cloned())
            .envs(journal)
            .stderr(log)
            .spawn()
            .expect("the binary under test does not start");
        Gateway::new(child, port, config, self)
    }

    /// The binary, by way of a shell where sockets are to be its descriptors from 3 on.
    fn command(&self, log: File) -> Command {
        let plain = edgehold();
        let mut sockets = self.passed.iter().map(|socket| socket.try_clone().unwrap());
        let Some(first) = sockets.next() else {
            let mut plain = plain;
            plain.stdout(log);
            return plain;
        };
        let mut command = Command::new("sh");
        command
            .args(["-c", HAND_OVER, "sh"])
            .arg(plain.get_program())
            .args(plain.get_args())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LISTEN_FDS", self.passed.len().to_string())
            .env("LISTEN_FDNAMES", "edgehold.socket:edgehold.socket")
            .stdin(first)
            .stdout(sockets.next().map_or_else(|| Stdio::from(log), Stdio::from));
        command
    }

    /// A fresh log; that of the start before stays beside it.
    fn new_log(&self) -> File {
        let path = self.folder.0.join("log");
        fs::rename(&path, self.folder.0.join("log.before")).ok();
        File::create(path).unwrap()
    }
}

/// An alias for some targets.
pub fn alias(name: &str, targets: &[&str]) -> String {
    alias_with(name, targets, "")
}

pub fn alias_with(name: &str, targets: &[&str], more: &str) -> String {
    format!("[models.\"{name}\"]\ntargets = {targets:?}\n{more}\n")
}

/// No retries, and deadlines that end a fault soon.
pub const QUICK: &str = "[routing]\nretries = 0\n\
    [deadlines]\nconnect = \"3s\"\nfirst_token = \"400ms\"\nidle = \"400ms\"\n";

/// No retries, and every deadline as it is.
pub const NO_RETRY: &str = "[routing]\nretries = 0\n";
