//! The load of a measurement: chat requests, whole or as streams, and what became of them as one
//! line of JSON.
//!
//!     load plain  --port P --model M --connections 100 --requests 20000
//!     load stream --port P --model M --streams 100 --expect 30 [--repeat 10] [--ramp-ms 1000]
//!     load stall  --port P --model M --streams 64 --seconds 4
//!     load cold   --port P --model M -- PROGRAM ARGUMENTS
//!
//! `--api ollama` speaks Ollama's dialect, `--path` asks elsewhere, `--header 'Name: value'` adds a
//! header, `--text N` asks a question of N bytes. `{}` in a model's name counts the requests, from
//! `--first` on; `--pause-us` is waited before each.
//! An answer is good only with status 200, its end mark and as many events as expected.

use std::ops::Range;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use edgehold_bench::{Length, Options, Reader, Wrong};
use memchr::memmem;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, sleep_until};

/// No answer of a measurement takes longer.
const LONGEST: Duration = Duration::from_secs(120);

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done =
        runtime.map_err(Wrong::from).and_then(|runtime| LocalSet::new().block_on(&runtime, run()));
    match done {
        Ok(result) => println!("{result}"),
        Err(wrong) => {
            eprintln!("load: {wrong}");
            std::process::exit(1);
        }
    }
}

async fn run() -> Result<serde_json::Value, Wrong> {
    let mut words = std::env::args().skip(1);
    let mode = words.next().unwrap_or_default();
    let options = Options::parse(words)?;
    let ask = Rc::new(Ask::new(&options, mode == "stream" || mode == "stall")?);
    match mode.as_str() {
        "plain" => plain(ask, &options).await,
        "stream" => streams(ask, &options).await,
        "stall" => stall(ask, &options).await,
        "cold" => cold(&ask, &options).await,
        other => Err(Wrong(format!("no mode {other:?}: plain, stream, stall or cold"))),
    }
}

/// The request that is sent again and again.
struct Ask {
    port: u16,
    before_model: String,
    model: String,
    after_model: String,
    head: String,
    end_mark: &'static [u8],
    says: (u64, u64),
}

/// One of the forms in which the same is asked.
struct Api {
    path: &'static str,
    /// What the conversation is called.
    turns: &'static str,
    /// What a stream ends with.
    end_mark: &'static [u8],
    /// How often a stream says each word: Responses repeats all of it in its last events.
    repeats: u64,
    /// How often the word stands in the names of its fields.
    besides: u64,
}

impl Api {
    fn named(name: &str) -> Result<Self, Wrong> {
        let api = |path, turns, end_mark, (repeats, besides)| Self {
            path,
            turns,
            end_mark,
            repeats,
            besides,
        };
        Ok(match name {
            "messages" => api("/v1/messages", "messages", b"\"message_stop\"", (1, 8)),
            "ollama" => api("/api/chat", "messages", b"\"done\":true", (1, 0)),
            "openai" => api("/v1/chat/completions", "messages", b"[DONE]", (1, 0)),
            "responses" => api("/v1/responses", "input", b"\"response.completed\"", (5, 3)),
            other => return Err(Wrong(format!("no api {other:?}"))),
        })
    }
}

impl Ask {
    fn new(options: &Options, stream: bool) -> Result<Self, Wrong> {
        let port = options.number("port", 0)?;
        let api = Api::named(options.text("api").unwrap_or("openai"))?;
        let path = options.text("path").unwrap_or(api.path);
        let text = usize::try_from(options.number("text", 80)?).unwrap_or(80);
        let question =
            "Why is the sky blue by day, and red when the sun goes down? ".repeat(text / 60 + 1);
        let extra = options.text("header").map(|it| format!("{it}\r\n")).unwrap_or_default();
        Ok(Self {
            port: u16::try_from(port).map_err(|_| Wrong("--port".to_owned()))?,
            before_model: "{\"model\":\"".to_owned(),
            model: options.text("model").unwrap_or("plain").to_owned(),
            after_model: format!(
                "\",\"{}\":[{{\"role\":\"system\",\"content\":\"Be brief.\"}},{{\"role\":\"user\",\"content\":\"{}\"}}],\"temperature\":0.2,\"max_tokens\":128,\"stream\":{stream}}}",
                api.turns,
                &question[..text]
            ),
            head: format!(
                "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nAccept: */*\r\n{extra}Content-Length: "
            ),
            end_mark: api.end_mark,
            says: (api.repeats, api.besides),
        })
    }

    fn bytes(&self, number: u64) -> Vec<u8> {
        let model = self.model.replace("{}", &number.to_string());
        let length = self.before_model.len() + model.len() + self.after_model.len();
        let Self { head, before_model, after_model, .. } = self;
        format!("{head}{length}\r\n\r\n{before_model}{model}{after_model}").into_bytes()
    }

    async fn connect(&self) -> Result<Reader, Wrong> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.set_nodelay(true)?;
        Ok(Reader::new(stream))
    }
}

/// Answers and their times, in microseconds.
#[derive(Default)]
struct Tally {
    good: u64,
    bad: u64,
    first_wrong: Option<String>,
    micros: Vec<u64>,
    first_micros: Vec<u64>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.good += other.good;
        self.bad += other.bad;
        self.first_wrong = self.first_wrong.take().or(other.first_wrong);
        self.micros.extend(other.micros);
        self.first_micros.extend(other.first_micros);
    }

    fn wrong(&mut self, wrong: Wrong) {
        self.bad += 1;
        self.first_wrong.get_or_insert(wrong.0);
    }

    fn json(mut self, seconds: f64) -> serde_json::Value {
        let total = spread(&mut self.micros);
        let first = spread(&mut self.first_micros);
        json!({
            "good": self.good, "bad": self.bad, "wrong": self.first_wrong, "seconds": seconds,
            "total_us": total, "first_us": first,
        })
    }
}

fn spread(micros: &mut [u64]) -> serde_json::Value {
    micros.sort_unstable();
    let at =
        |share: usize| micros.get((micros.len() * share / 100).min(micros.len().saturating_sub(1)));
    json!({"p50": at(50), "p99": at(99)})
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

async fn plain(ask: Rc<Ask>, options: &Options) -> Result<serde_json::Value, Wrong> {
    let connections = options.number("connections", 1)?;
    let requests = options.number("requests", 1000)?;
    let pause = Duration::from_micros(options.number("pause-us", 0)?);
    let start = options.number("first", 0)?;
    let began = Instant::now();
    let workers: Vec<_> = (0..connections)
        .map(|index| {
            let share = requests / connections + u64::from(index < requests % connections);
            let first = start + index * (requests / connections + 1);
            let ask = Rc::clone(&ask);
            tokio::task::spawn_local(async move {
                one_by_one(&ask, first..first + share, pause, one_whole).await
            })
        })
        .collect();
    let tally = gather(workers).await;
    Ok(tally.json(began.elapsed().as_secs_f64()))
}

async fn gather(workers: Vec<tokio::task::JoinHandle<Tally>>) -> Tally {
    let mut all = Tally::default();
    for worker in workers {
        match worker.await {
            Ok(tally) => all.add(tally),
            Err(error) => all.wrong(Wrong(error.to_string())),
        }
    }
    all
}

/// Asks again and again over one connection, until a request fails.
async fn one_by_one(
    ask: &Ask,
    numbers: Range<u64>,
    pause: Duration,
    mut one: impl AsyncFnMut(&mut Reader, &[u8], &mut Tally) -> Result<(), Wrong>,
) -> Tally {
    let mut tally = Tally::default();
    let asking = async {
        let mut reader = ask.connect().await?;
        for number in numbers {
            let bytes = ask.bytes(number);
            if !pause.is_zero() {
                sleep(pause).await;
            }
            let late = Err(Wrong("no end in time".to_owned()));
            let answered = one(&mut reader, &bytes, &mut tally);
            tokio::time::timeout(LONGEST, answered).await.unwrap_or(late)?;
        }
        Ok(())
    };
    if let Err(wrong) = asking.await {
        tally.wrong(wrong);
    }
    tally
}

async fn one_whole(reader: &mut Reader, bytes: &[u8], tally: &mut Tally) -> Result<(), Wrong> {
    let began = Instant::now();
    whole(reader, bytes).await?;
    tally.good += 1;
    tally.micros.push(micros(began));
    Ok(())
}

async fn whole(reader: &mut Reader, bytes: &[u8]) -> Result<(), Wrong> {
    reader.stream.write_all(bytes).await?;
    let (status, length) = reader.response_head().await?;
    let mut words = 0;
    let mut start = Vec::new();
    reader
        .body(length, |piece| {
            words += memmem::find_iter(piece, b"tok").count();
            if status != 200 && start.len() < 300 {
                start.extend_from_slice(piece);
            }
        })
        .await?;
    match (status, words) {
        (200, 1..) => Ok(()),
        (200, _) => Err(Wrong("another answer than the upstream's".to_owned())),
        _ => Err(Wrong(format!("status {status}: {}", String::from_utf8_lossy(&start)))),
    }
}

async fn streams(ask: Rc<Ask>, options: &Options) -> Result<serde_json::Value, Wrong> {
    let streams = options.number("streams", 1)?;
    let repeat = options.number("repeat", 1)?;
    let expect = options.number("expect", 32)?;
    let ramp = Duration::from_millis(options.number("ramp-ms", 0)?);
    let began = Instant::now();
    let workers: Vec<_> = (0..streams)
        .map(|index| {
            let ask = Rc::clone(&ask);
            let starts = began + ramp.mul_f64(index as f64 / streams as f64);
            tokio::task::spawn_local(async move {
                sleep_until(starts).await;
                let numbers = index * repeat..(index + 1) * repeat;
                let one = async |reader: &mut Reader, bytes: &[u8], tally: &mut Tally| {
                    one_stream(reader, bytes, expect * ask.says.0 + ask.says.1, ask.end_mark, tally)
                        .await
                };
                one_by_one(&ask, numbers, Duration::ZERO, one).await
            })
        })
        .collect();
    let tally = gather(workers).await;
    Ok(tally.json(began.elapsed().as_secs_f64()))
}

async fn one_stream(
    reader: &mut Reader,
    bytes: &[u8],
    expect: u64,
    end_mark: &[u8],
    tally: &mut Tally,
) -> Result<(), Wrong> {
    let began = Instant::now();
    reader.stream.write_all(bytes).await?;
    let (status, length) = reader.response_head().await?;
    if length == Length::UntilClose {
        return Err(Wrong("a stream without a length".to_owned()));
    }
    let mut seen = Seen { words: 0, ended: false, tail: Vec::new(), first: None, began };
    reader.body(length, |piece| seen.look(piece, end_mark)).await?;
    if status != 200 || seen.words != expect || !seen.ended {
        let Seen { words, ended, .. } = seen;
        return Err(Wrong(format!(
            "status {status}, {words} of {expect} events, end mark: {ended}"
        )));
    }
    tally.good += 1;
    tally.micros.push(micros(began));
    tally.first_micros.extend(seen.first);
    Ok(())
}

/// What of a stream has been seen so far.
struct Seen {
    words: u64,
    ended: bool,
    /// The last bytes: a word can be cut in two.
    tail: Vec<u8>,
    first: Option<u64>,
    began: Instant,
}

impl Seen {
    fn look(&mut self, piece: &[u8], end_mark: &[u8]) {
        if piece.is_empty() {
            return;
        }
        self.first.get_or_insert_with(|| micros(self.began));
        // What is found across the cut was not in the tail alone.
        let known = self.tail.len();
        self.tail.extend_from_slice(&piece[..piece.len().min(24)]);
        let crosses = |at: usize, length: usize| at < known && at + length > known;
        self.words +=
            memmem::find_iter(&self.tail, b"tok").filter(|at| crosses(*at, 3)).count() as u64;
        self.ended |= memmem::find_iter(&self.tail, end_mark).any(|at| crosses(at, end_mark.len()));
        self.words += memmem::find_iter(piece, b"tok").count() as u64;
        self.ended |= memmem::find(piece, end_mark).is_some();
        let keep = piece.len().min(24);
        self.tail.clear();
        self.tail.extend_from_slice(&piece[piece.len() - keep..]);
    }
}

/// Opens streams whose answers nobody takes.
async fn stall(ask: Rc<Ask>, options: &Options) -> Result<serde_json::Value, Wrong> {
    let streams = options.number("streams", 64)?;
    let seconds = options.number("seconds", 4)?;
    let mut open = Vec::new();
    for index in 0..streams {
        let socket = TcpSocket::new_v4()?;
        // What the client's own kernel takes in is not the gateway's.
        socket.set_recv_buffer_size(4096)?;
        let mut stream = socket.connect(([127, 0, 0, 1], ask.port).into()).await?;
        stream.write_all(&ask.bytes(index)).await?;
        open.push(stream);
    }
    println!("stalled");
    sleep(Duration::from_secs(seconds)).await;
    let mut answering = 0;
    for stream in &open {
        let mut start = [0; 12];
        let peeked = stream.peek(&mut start).await?;
        answering += u64::from(start[..peeked] == *b"HTTP/1.1 200");
    }
    Ok(json!({"good": answering, "bad": streams - answering, "wrong": null}))
}

/// From the start of a program to its first answer.
async fn cold(ask: &Ask, options: &Options) -> Result<serde_json::Value, Wrong> {
    let [program, arguments @ ..] = options.rest.as_slice() else {
        return Err(Wrong("cold wants a program behind --".to_owned()));
    };
    let runs = options.number("repeat", 10)?;
    let mut tally = Tally::default();
    let all = Instant::now();
    for _ in 0..runs {
        let began = Instant::now();
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        match first_answer(ask, began).await {
            Ok(micros) => {
                tally.good += 1;
                tally.micros.push(micros);
            }
            Err(wrong) => tally.wrong(wrong),
        }
        end(&mut child)?;
    }
    Ok(tally.json(all.elapsed().as_secs_f64()))
}

async fn first_answer(ask: &Ask, began: Instant) -> Result<u64, Wrong> {
    let bytes = ask.bytes(0);
    while began.elapsed() < Duration::from_secs(60) {
        if let Ok(mut reader) = ask.connect().await
            && whole(&mut reader, &bytes).await.is_ok()
        {
            return Ok(micros(began));
        }
        // tokio's clock has steps of 1 ms, which is as long as the whole start takes.
        #[expect(clippy::disallowed_methods, reason = "nothing else runs here")]
        std::thread::sleep(Duration::from_micros(100));
    }
    Err(Wrong("no answer within a minute".to_owned()))
}

/// Ends a program as a service manager does.
fn end(child: &mut std::process::Child) -> Result<(), Wrong> {
    let id = child.id().to_string();
    Command::new("kill").args(["-TERM", &id]).status()?;
    child.wait()?;
    Ok(())
}
