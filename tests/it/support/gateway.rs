//! The real binary, started with a configuration in a folder of its own, and ended with its test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tokio::net::TcpStream;

use crate::support::http::{Answer, Conn, Stream, request};
use crate::support::openai;
use crate::support::wait::until;

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

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What a gateway is started with.
pub struct Setup {
    folder: Folder,
    server: String,
    listen: String,
    rest: String,
    env: Vec<(String, String)>,
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
        let port = free_port();
        let config = self.folder.write("edgehold.toml", &self.text(port));
        let log = File::create(self.folder.0.join("log")).unwrap();
        let child = edgehold()
            .args(["serve", "--config"])
            .arg(&config)
            .envs(self.env.iter().cloned())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("the binary under test does not start");
        Gateway { child, port, setup: Some(self), config, exit: None }
    }
}

/// A running gateway.
pub struct Gateway {
    child: Child,
    pub port: u16,
    setup: Option<Setup>,
    pub config: PathBuf,
    exit: Option<ExitStatus>,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() && self.setup.is_some() {
            let log = self.log();
            let tail = log.len().saturating_sub(4000);
            let tail = (tail..log.len()).find(|at| log.is_char_boundary(*at)).unwrap_or_default();
            eprintln!("--- the gateway's log:\n{}\n---", &log[tail..]);
        }
    }
}

impl Gateway {
    /// Starts one with the given tables.
    pub async fn with(tables: &str) -> Self {
        Setup::new(tables).start().await
    }

    fn take_setup(&mut self) -> Setup {
        self.setup.take().unwrap()
    }

    fn setup(&self) -> &Setup {
        self.setup.as_ref().unwrap()
    }

    pub fn folder(&self) -> &Path {
        &self.setup().folder.0
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// False: it ended before it answered.
    async fn answers(&mut self) -> bool {
        let port = self.port;
        until("the gateway answers", async || {
            if self.ended().is_some() {
                return Some(false);
            }
            let io = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
            let mut conn = Conn::new(io);
            conn.send(&request("GET", "/healthz", &format!("127.0.0.1:{port}"), &[], b""))
                .await
                .ok()?;
            conn.answer(false).await.map(|answer| answer.status() == 200)
        })
        .await
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        if self.exit.is_none() {
            self.exit = self.child.try_wait().unwrap();
        }
        self.exit
    }

    /// Waits until it has ended by itself.
    pub async fn exit_code(&mut self) -> Option<i32> {
        until("the gateway ends", async || self.ended()).await.code()
    }

    pub fn is_running(&mut self) -> bool {
        self.ended().is_none()
    }

    pub fn signal(&self, name: &str) {
        let done = Command::new("kill").args(["-s", name]).arg(self.pid().to_string()).status();
        assert!(done.unwrap().success(), "kill -s {name}");
    }

    /// Replaces its configuration's file: the same listener, other tables.
    pub fn rewrite(&self, tables: &str) {
        let listen = self.setup().listen.replace("PORT", &self.port.to_string());
        let text = format!("[server]\nlisten = [{listen}]\n{}\n{tables}\n", self.setup().server);
        fs::write(&self.config, text).unwrap();
    }

    pub fn log(&self) -> String {
        self.setup.as_ref().map_or_else(String::new, |setup| {
            let bytes = fs::read(setup.folder.0.join("log")).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        })
    }

    /// A line of /proc/PID/status in KiB. Of an emulated binary it tells of the emulator.
    pub fn memory_kib(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
        number.unwrap_or_else(|| panic!("no {name}: {status}"))
    }

    pub async fn conn(&self) -> Conn {
        Conn::tcp(self.port).await
    }

    /// One request on a connection of its own.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut conn = self.conn().await;
        let sent = conn.send(&request(method, path, &self.host(), headers, body)).await;
        let answer = conn.answer(method == "HEAD").await;
        let answer = answer.unwrap_or_else(|| panic!("no answer to {method} {path} ({sent:?})"));
        assert!(answer.whole, "{method} {path} was broken off: {:?}", answer.head);
        answer
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], b"").await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_with(path, &[], body).await
    }

    pub async fn post_with(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut all = vec![("Content-Type", "application/json")];
        all.extend_from_slice(headers);
        self.ask("POST", path, &all, body.to_string().as_bytes()).await
    }

    /// A chat that is no stream.
    pub async fn chat(&self, model: &str, text: &str) -> Answer {
        self.post(openai::CHAT, &openai::request(model, text, false)).await
    }

    pub async fn chat_with(&self, model: &str, text: &str, headers: &[(&str, &str)]) -> Answer {
        self.post_with(openai::CHAT, headers, &openai::request(model, text, false)).await
    }

    /// A chat as a stream, all of it.
    pub async fn chat_stream(&self, model: &str, text: &str) -> Answer {
        self.post(openai::CHAT, &openai::request(model, text, true)).await
    }

    /// A chat as a stream that is read as it comes.
    pub async fn open(&self, model: &str, text: &str) -> Stream {
        let mut conn = self.conn().await;
        conn.send(&self.chat_bytes(model, text, true)).await.unwrap();
        Stream::begin(conn).await
    }

    /// The bytes of a chat request.
    pub fn chat_bytes(&self, model: &str, text: &str, stream: bool) -> Vec<u8> {
        let body = openai::request(model, text, stream).to_string();
        let headers = [("Content-Type", "application/json")];
        request("POST", openai::CHAT, &self.host(), &headers, body.as_bytes())
    }

    pub async fn status(&self) -> Value {
        self.get("/status").await.expect(200).json()
    }

    /// The entry of a target in /status.
    pub async fn target(&self, name: &str) -> Value {
        entry(&self.status().await["targets"], "target", name)
    }

    /// The entry of a provider in /status.
    pub async fn provider(&self, name: &str) -> Value {
        entry(&self.status().await["providers"], "name", name)
    }

    /// Waits until a target is in a state.
    pub async fn until_target(&self, name: &str, state: &str) {
        let what = format!("{name} is {state}");
        until(&what, async || (self.target(name).await["state"] == state).then_some(())).await;
    }

    pub async fn metrics(&self) -> String {
        self.get("/metrics").await.expect(200).text()
    }

    /// The sum of all series of a metric.
    pub async fn metric(&self, name: &str) -> f64 {
        let metrics = self.metrics().await;
        let values = metrics.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let known = series.split('{').next()?;
            (known == name).then(|| value.parse::<f64>().unwrap())
        });
        values.sum()
    }
}

fn entry(list: &Value, field: &str, name: &str) -> Value {
    let found = list.as_array().and_then(|list| list.iter().find(|it| it[field] == name));
    found.unwrap_or_else(|| panic!("no {name} in {list}")).clone()
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
