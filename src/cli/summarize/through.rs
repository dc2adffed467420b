//! Through the running service: the document goes out, events come back.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::cli::ask::{self, Stream};
use crate::cli::summarize::bar::Bar;
use crate::cli::summarize::{Asked, Failed, Paper, bare, code_of};
use crate::cli::{EX_DATAERR, EX_UNAVAILABLE};
use crate::config::Config;
use crate::summary::{Progress, Stage};

/// How long the service may say nothing: it tells every 15 s that it is still there.
const PATIENCE: Duration = Duration::from_secs(60);

/// Longest line of its answer.
const LONGEST_LINE: u64 = 4 * 1024 * 1024;

/// Asks the service.
pub(super) fn ask(
    config: &Config,
    paper: &Paper,
    options: &[(&'static str, String)],
    bar: &mut Bar,
) -> Asked {
    let Ok((stream, host)) = ask::connect(config, PATIENCE) else { return Asked::Nobody };
    let head = head(config, paper, options, &host);
    Asked::Answered(exchange(stream, &head, paper, bar).unwrap_or_else(|error| {
        let why = format!("the service broke off: {error}");
        Err(Failed { code: EX_UNAVAILABLE, why })
    }))
}

fn head(config: &Config, paper: &Paper, options: &[(&'static str, String)], host: &str) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let query: Vec<String> =
        options.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let name = bare(&paper.name).map(|name| {
        format!("Content-Disposition: attachment; filename*=UTF-8''{}\r\n", encoded(name))
    });
    let token = ask::token_line(config.clients.first());
    format!(
        "POST /v1/summaries{query} HTTP/1.1\r\nHost: {host}\r\n{token}{}Accept: text/event-stream\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        name.unwrap_or_default(),
        paper.media.as_deref().unwrap_or("application/octet-stream"),
        paper.bytes,
    )
}

fn exchange(
    mut stream: Stream,
    head: &str,
    paper: &Paper,
    bar: &mut Bar,
) -> io::Result<Result<Value, Failed>> {
    let sent = stream
        .write_all(head.as_bytes())
        .and_then(|()| io::copy(&mut (&paper.file).take(paper.bytes), &mut stream))
        .and_then(|_| stream.flush());
    // A service that refuses the document answers before it has all of it.
    let mut reader = BufReader::new(stream);
    let answered = read_answer(&mut reader, bar);
    match (sent, answered) {
        (Err(error), Err(_)) => Err(error),
        (_, answered) => answered,
    }
}

fn read_answer(reader: &mut impl BufRead, bar: &mut Bar) -> io::Result<Result<Value, Failed>> {
    let first = line(reader)?;
    let status = first.split(' ').nth(1).and_then(|word| word.parse::<u64>().ok());
    let status = status.ok_or_else(|| strange("it is no HTTP"))?;
    let mut is_chunked = false;
    loop {
        let field = line(reader)?;
        if field.is_empty() {
            break;
        }
        is_chunked |= field.to_ascii_lowercase().starts_with("transfer-encoding: chunked");
    }
    if status == 200 && is_chunked {
        return events(BufReader::new(Chunks { reader, left: 0, ended: false }), bar);
    }
    let mut body = String::new();
    reader.take(LONGEST_LINE).read_to_string(&mut body)?;
    Ok(Err(refused(&serde_json::from_str(&body).unwrap_or_default(), status)))
}

fn events(mut reader: impl BufRead, bar: &mut Bar) -> io::Result<Result<Value, Failed>> {
    let mut name = String::new();
    loop {
        let line = line(&mut reader)?;
        if let Some(event) = line.strip_prefix("event: ") {
            event.clone_into(&mut name);
        }
        let Some(data) = line.strip_prefix("data: ") else { continue };
        let data: Value = serde_json::from_str(data).map_err(io::Error::from)?;
        match name.as_str() {
            "progress" => bar.show(progress(&data)),
            "result" => return Ok(Ok(data)),
            "error" => {
                let status = data.get("status").and_then(Value::as_u64).unwrap_or(500);
                return Ok(Err(refused(&data, status)));
            }
            _ => {}
        }
    }
}

fn progress(data: &Value) -> Progress {
    let number = |name: &str| data.get(name).and_then(Value::as_u64).unwrap_or_default();
    let stage = match data.get("stage").and_then(Value::as_str) {
        Some("map") => Stage::Map,
        Some("reduce") => Stage::Reduce,
        _ => Stage::Extract,
    };
    Progress { stage, chunk: number("chunk"), chunks: number("chunks"), tokens: number("tokens") }
}

fn refused(problem: &Value, status: u64) -> Failed {
    let why = problem.pointer("/detail").or_else(|| problem.pointer("/error/message"));
    let why = why.and_then(Value::as_str).unwrap_or("the service refused to answer");
    let code = match status {
        // A token that is missing is no fault of the document.
        401 | 403 | 421 => EX_UNAVAILABLE,
        400 | 404 | 413 | 415 => EX_DATAERR,
        other => code_of(other),
    };
    Failed { code, why: why.to_owned() }
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if reader.take(LONGEST_LINE).read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn strange(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

/// The bytes of a chunked body (RFC 9112 section 7.1).
struct Chunks<'a, R> {
    reader: &'a mut R,
    left: u64,
    ended: bool,
}

impl<R: BufRead> Read for Chunks<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !self.ended {
            let mut size = line(self.reader)?;
            if size.is_empty() {
                // What ended the chunk before.
                size = line(self.reader)?;
            }
            self.left = u64::from_str_radix(size.trim(), 16).map_err(|_| strange("no chunk"))?;
            self.ended = self.left == 0;
        }
        let count = self.reader.by_ref().take(self.left).read(buffer)?;
        self.left -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(answer: &str) -> io::Result<Result<Value, Failed>> {
        read_answer(&mut BufReader::new(answer.as_bytes()), &mut Bar::new())
    }

    #[test]
    fn the_result_is_the_last_event() {
        let events = "event: progress\ndata: {\"stage\":\"map\",\"chunk\":1,\"chunks\":2}\n\n: still here\n\nevent: result\ndata: {\"summary\":\"x\"}\n\n";
        let (first, second) = events.split_at(30);
        let body =
            format!("{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n", first.len(), second.len());
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let summary = read(&format!("{head}{body}")).unwrap().unwrap();
        assert_eq!(summary["summary"], "x");
        // Without its result it is none, wherever it ends.
        let whole = format!("{head}{body}");
        let result = whole.find("result").unwrap();
        for cut in 0..result {
            let half = whole.get(..cut).unwrap();
            assert!(!matches!(read(half), Ok(Ok(_))), "{cut}");
        }
    }

    #[test]
    fn what_is_refused_says_why() {
        let problem =
            "HTTP/1.1 413 Too Large\r\nContent-Length: 20\r\n\r\n{\"detail\":\"too big\"}";
        let failed = read(problem).unwrap().unwrap_err();
        assert_eq!((failed.code, failed.why.as_str()), (EX_DATAERR, "too big"));
    }
}
