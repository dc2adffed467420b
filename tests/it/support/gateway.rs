//! A running gateway: requests to it, and what can be seen of it from outside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

use serde_json::Value;
use tokio::net::TcpStream;

use crate::support::answer::Answer;
use crate::support::http::{Conn, request};
use crate::support::openai;
use crate::support::setup::Setup;
use crate::support::stream::Stream;
use crate::support::wait::until;

/// The type of most bodies.
pub const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];

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
    /// A process that was just started.
    pub fn new(child: Child, port: u16, config: PathBuf, setup: Setup) -> Self {
        Self { child, port, setup: Some(setup), config, exit: None }
    }

    /// Starts one with the given tables.
    pub async fn with(tables: &str) -> Self {
        Setup::new(tables).start().await
    }

    /// Ends it, for another try with the same setup.
    pub fn take_setup(&mut self) -> Setup {
        self.setup.take().unwrap()
    }

    /// Ends it at once, as a crash does, and starts it again in the same folder.
    pub async fn killed(mut self) -> Self {
        self.signal("KILL");
        self.exit_code().await;
        self.take_setup().start().await
    }

    /// Lets it stop in good order, and starts it again in the same folder.
    pub async fn stopped(self) -> Self {
        self.stopped_with(|_| ()).await.start().await
    }

    /// Lets it stop in good order, for another start once its folder was changed.
    pub async fn stopped_with(mut self, change: impl FnOnce(&Path)) -> Setup {
        self.signal("TERM");
        assert_eq!(self.exit_code().await, Some(0), "{}", self.log());
        let setup = self.take_setup();
        change(&setup.folder.0);
        setup
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
    pub async fn answers(&mut self) -> bool {
        let port = self.port;
        until("the gateway answers", async || {
            if self.ended().is_some() {
                return Some(false);
            }
            // Its port may have been taken by another test's gateway, which would answer for it.
            if !self.log().contains(" ready ") {
                return None;
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

    pub async fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path, &[], b"").await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.ask("PUT", path, &JSON, body.to_string().as_bytes()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_with(path, &[], body).await
    }

    pub async fn post_with(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let all = [&JSON, headers].concat();
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
        request("POST", openai::CHAT, &self.host(), &JSON, body.as_bytes())
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

    /// Waits until a provider is known to be `up` or `down`.
    pub async fn until_reach(&self, name: &str, reach: &str) {
        let what = format!("{name} is {reach}");
        until(&what, async || (self.provider(name).await["reach"] == reach).then_some(())).await;
    }

    /// The page that a browser gets.
    pub async fn page(&self) -> String {
        self.ask("GET", "/", &[("Accept", "text/html")], b"").await.expect(200).text()
    }

    pub async fn metrics(&self) -> String {
        self.get("/metrics").await.expect(200).text()
    }

    /// Waits until no more memory is reserved than `idle` bytes.
    pub async fn until_given_back(&self, idle: f64) {
        until("the memory is given back", async || {
            let reserved = self.metric("edgehold_budget_reserved_bytes").await;
            (reserved <= idle).then_some(())
        })
        .await;
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
