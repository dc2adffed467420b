//! A fast fake of a provider, for measurements: OpenAI's chat and Ollama's, whole and as streams.
//!
//!     upstream --port 9000 [--mortal 100]
//!
//! The model's name says what the answer is like:
//! - `plain`: 595 bytes at once, or as a stream 32 events without a pause;
//! - `c30-d100000-s5`: a stream of 30 events, 100,000 us apart, each with 5 bytes of text;
//! - `status503...`, `reset...`: it fails in this way.
//!
//! `--mortal N` opens N more ports after the first, which `GET /close` shuts: providers that were
//! there and are gone. A request's body must come with a Content-Length.

#![expect(clippy::disallowed_methods, reason = "nothing here drains: the bench ends it")]

use std::time::Duration;

use edgehold_bench::{Options, Reader, Wrong};
use memchr::memmem;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

/// Word of one event's text; the load generator counts them.
const WORD: &[u8] = b" tok";

/// As much is written at once where nothing paces a stream: what a network brings together.
const WRITE_BYTES: usize = 4 * 1024;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.map_err(Wrong::from).and_then(|runtime| runtime.block_on(serve()));
    if let Err(wrong) = done {
        eprintln!("upstream: {wrong}");
        std::process::exit(1);
    }
}

async fn serve() -> Result<(), Wrong> {
    let options = Options::parse(std::env::args().skip(1))?;
    let port = u16::try_from(options.number("port", 9000)?).map_err(|_| Wrong("port".into()))?;
    let mortal = u16::try_from(options.number("mortal", 0)?).map_err(|_| Wrong("mortal".into()))?;
    let (close, closed) = watch::channel(false);
    for extra in 1..=mortal {
        let listener = TcpListener::bind(("127.0.0.1", port + extra)).await?;
        tokio::spawn(answer_until(listener, closed.clone(), close.clone()));
    }
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening");
    accept(listener, close).await
}

/// One connection at a time, so that all are gone when the port is.
async fn answer_until(
    listener: TcpListener,
    mut closed: watch::Receiver<bool>,
    close: watch::Sender<bool>,
) {
    let answering = async {
        while let Ok((stream, _)) = listener.accept().await {
            Connection { reader: Reader::new(stream), close: close.clone() }.run().await.ok();
        }
    };
    tokio::select! {
        () = answering => {}
        _ = closed.wait_for(|closed| *closed) => {}
    }
}

async fn accept(listener: TcpListener, close: watch::Sender<bool>) -> Result<(), Wrong> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = Connection { reader: Reader::new(stream), close: close.clone() };
        tokio::spawn(connection.run());
    }
}

struct Connection {
    reader: Reader,
    close: watch::Sender<bool>,
}

/// What a request asks for.
struct Asked {
    path: Path,
    stream: bool,
    shape: Shape,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Path {
    Close,
    OllamaChat,
    OllamaShow,
    OllamaOther,
    OpenAiChat,
    OpenAiOther,
}

/// What the answer is like.
enum Shape {
    Reset,
    Status(u16),
    Tokens { count: u64, pause: Duration, text: usize },
}

impl Connection {
    async fn run(mut self) -> Result<(), Wrong> {
        while let Some(asked) = self.request().await? {
            let answer = match (&asked.shape, asked.path) {
                (_, Path::Close) => {
                    self.close.send_replace(true);
                    return Ok(());
                }
                (Shape::Reset, Path::OpenAiChat | Path::OllamaChat) => {
                    // A lingering time of zero makes the close a reset.
                    #[expect(deprecated, reason = "a lingering time of zero does not block")]
                    self.reader.stream.set_linger(Some(Duration::ZERO))?;
                    return Ok(());
                }
                (Shape::Status(status), Path::OpenAiChat | Path::OllamaChat) => {
                    let body = br#"{"error":{"message":"busy","type":"server_error"}}"#;
                    whole(*status, "application/json", body)
                }
                (Shape::Tokens { count, pause, text }, Path::OpenAiChat | Path::OllamaChat)
                    if asked.stream =>
                {
                    let (count, pause, text) = (*count, *pause, *text);
                    self.stream(asked.path, count, pause, text).await?;
                    continue;
                }
                (_, Path::OllamaShow) => whole(200, "application/json", SHOW),
                (_, Path::OllamaChat) => whole(200, "application/json", OLLAMA_WHOLE),
                (_, Path::OllamaOther) => whole(200, "application/json", OLLAMA_OTHER),
                (_, Path::OpenAiChat) => whole(200, "application/json", OPENAI_WHOLE),
                (_, Path::OpenAiOther) => whole(200, "application/json", OPENAI_MODELS),
            };
            self.reader.stream.write_all(&answer).await?;
        }
        Ok(())
    }

    async fn request(&mut self) -> Result<Option<Asked>, Wrong> {
        let (path, head, body) = loop {
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let mut request = httparse::Request::new(&mut headers);
            let parsed = request.parse(self.reader.unread());
            match parsed.map_err(|error| Wrong(format!("no HTTP: {error}")))? {
                httparse::Status::Complete(head) => {
                    let length = request
                        .headers
                        .iter()
                        .find(|it| it.name.eq_ignore_ascii_case("content-length"))
                        .and_then(|it| std::str::from_utf8(it.value).ok()?.parse().ok())
                        .unwrap_or(0);
                    break (path_of(request.path.unwrap_or_default()), head, length);
                }
                httparse::Status::Partial if self.reader.more().await? == 0 => return Ok(None),
                httparse::Status::Partial => {}
            }
        };
        while self.reader.unread().len() < head + body {
            if self.reader.more().await? == 0 {
                return Err(Wrong("cut within a body".to_owned()));
            }
        }
        let body_bytes = &self.reader.unread()[head..head + body];
        let stream = says(body_bytes, b"\"stream\":", b"true")
            || (path == Path::OllamaChat && !says(body_bytes, b"\"stream\":", b"false"));
        let asked = Asked { path, stream, shape: shape_of(body_bytes) };
        self.reader.skip(head + body);
        Ok(Some(asked))
    }

    async fn stream(
        &mut self,
        path: Path,
        count: u64,
        pause: Duration,
        text: usize,
    ) -> Result<(), Wrong> {
        let kind =
            if path == Path::OpenAiChat { "text/event-stream" } else { "application/x-ndjson" };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        let event = chunk(&event(path, text));
        let mut ready = head.into_bytes();
        let mut next = Instant::now();
        let stream = &mut self.reader.stream;
        for index in 0..count {
            if !pause.is_zero() && index > 0 {
                next += pause;
                tokio::time::sleep_until(next).await;
            }
            ready.extend_from_slice(&event);
            if !pause.is_zero() || ready.len() >= WRITE_BYTES {
                stream.write_all(&ready).await?;
                ready.clear();
            }
        }
        ready.extend_from_slice(&chunk(last(path)));
        if path == Path::OpenAiChat {
            ready.extend_from_slice(&chunk(b"data: [DONE]\n\n"));
        }
        ready.extend_from_slice(b"0\r\n\r\n");
        stream.write_all(&ready).await?;
        Ok(())
    }
}

const OPENAI_WHOLE: &[u8] = br#"{"id":"chatcmpl-9x8y7z6w5v4u3t2s1r0q","object":"chat.completion","created":1700000000,"model":"plain","choices":[{"index":0,"message":{"role":"assistant","content":"The sky looks blue because the air scatters short waves of light much more than long ones, so that blue light reaches the eye from every direction while the red goes straight on; at dusk its way is longer, and the red is left. tok"},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":24,"completion_tokens":54,"total_tokens":78,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}"#;
const OPENAI_MODELS: &[u8] = br#"{"object":"list","data":[{"id":"plain","object":"model"}]}"#;
const OLLAMA_WHOLE: &[u8] = br#"{"model":"plain","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"It scatters. tok"},"done":true,"done_reason":"stop","prompt_eval_count":24,"eval_count":54}"#;
const OLLAMA_OTHER: &[u8] = br#"{"version":"0.5.4","models":[{"name":"plain","model":"plain"}]}"#;
const SHOW: &[u8] = br#"{"details":{"family":"llama"},"model_info":{"general.architecture":"llama","llama.context_length":8192},"capabilities":["completion"]}"#;

fn whole(status: u16, kind: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!(
        "HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    answer
}

fn chunk(content: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", content.len()).into_bytes();
    chunk.extend_from_slice(content);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

fn event(path: Path, text: usize) -> Vec<u8> {
    let mut words = WORD.repeat(text.div_ceil(WORD.len()).max(1));
    // One word is counted an event, however long its text is.
    words[..].iter_mut().skip(WORD.len()).for_each(|byte| *byte = b'x');
    let (before, after): (&[u8], &[u8]) = match path {
        Path::OpenAiChat => (
            br#"data: {"id":"chatcmpl-9x8y7z6w5v4u3t2s1r0q","object":"chat.completion.chunk","created":1700000000,"model":"plain","choices":[{"index":0,"delta":{"content":""#,
            b"\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n",
        ),
        _ => (
            br#"{"model":"plain","created_at":"2026-01-01T00:00:00.000000Z","message":{"role":"assistant","content":""#,
            b"\"},\"done\":false}\n",
        ),
    };
    [before, &words, after].concat()
}

fn last(path: Path) -> &'static [u8] {
    match path {
        Path::OpenAiChat => {
            b"data: {\"id\":\"chatcmpl-9x8y7z6w5v4u3t2s1r0q\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"plain\",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\n"
        }
        _ => {
            b"{\"model\":\"plain\",\"created_at\":\"2026-01-01T00:00:01Z\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":24,\"eval_count\":54}\n"
        }
    }
}

fn path_of(path: &str) -> Path {
    match path {
        "/close" => Path::Close,
        "/api/chat" => Path::OllamaChat,
        "/api/show" => Path::OllamaShow,
        other if other.starts_with("/api/") => Path::OllamaOther,
        "/v1/chat/completions" | "/chat/completions" => Path::OpenAiChat,
        _ => Path::OpenAiOther,
    }
}

/// Whether `value` stands behind `key`.
fn says(body: &[u8], key: &[u8], value: &[u8]) -> bool {
    memmem::find(body, key)
        .is_some_and(|at| body[at + key.len()..].trim_ascii_start().starts_with(value))
}

fn shape_of(body: &[u8]) -> Shape {
    let name = memmem::find(body, b"\"model\":").map_or(&b""[..], |at| {
        let rest = body[at + 8..].trim_ascii_start();
        rest[1.min(rest.len())..].split(|byte| *byte == b'"').next().unwrap_or_default()
    });
    let name = std::str::from_utf8(name).unwrap_or_default();
    if name.starts_with("reset") {
        return Shape::Reset;
    }
    if name.starts_with("status503") {
        return Shape::Status(503);
    }
    let mut shape = (32, 0, WORD.len());
    for part in name.split('-') {
        let number = part.get(1..).and_then(|digits| digits.parse::<u64>().ok());
        match (part.as_bytes().first(), number) {
            (Some(b'c'), Some(count)) => shape.0 = count,
            (Some(b'd'), Some(pause)) => shape.1 = pause,
            (Some(b's'), Some(text)) => shape.2 = usize::try_from(text).unwrap_or(WORD.len()),
            _ => {}
        }
    }
    Shape::Tokens { count: shape.0, pause: Duration::from_micros(shape.1), text: shape.2 }
}
