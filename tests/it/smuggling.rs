//! Requests that two readers could read in two ways: one refusal, and then the connection ends.

use tokio::net::TcpListener;

use crate::support::{Conn, Gateway, NO_RETRY, Ollama, Setup, alias, run, run_long, until};

/// A chat request's head without its last lines.
const POST: &str =
    "POST /v1/chat/completions HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\n";

/// What a smuggler hides behind a request.
const HIDDEN: &str = "GET /healthz HTTP/1.1\r\nHost: HOST\r\n\r\n";

fn lengths() -> Vec<String> {
    let with = |lines: &str, body: &str| format!("{POST}{lines}\r\n{body}");
    vec![
        with("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        with("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n"),
        with("Content-Length: 2\r\nContent-Length: 2\r\n", "{}"),
        with("Content-Length: 2\r\nContent-Length: 40\r\n", "{}"),
        with("Content-Length: 2, 2\r\n", "{}"),
        with("Content-Length: +2\r\n", "{}"),
        with("Content-Length: -2\r\n", "{}"),
        with("Content-Length: 0x2\r\n", "{}"),
        with("Content-Length: 2 0\r\n", "{}"),
        with("Content-Length: 2;x\r\n", "{}"),
        with("Content-Length: two\r\n", "{}"),
        with("Content-Length:\r\n", "{}"),
        with("Content-Length: 99999999999999999999\r\n", "{}"),
        with("Content-Length : 2\r\n", "{}"),
        with("Content-Length\r\n", "{}"),
    ]
}

fn encodings() -> Vec<String> {
    let with = |lines: &str| format!("{POST}{lines}\r\n0\r\n\r\n");
    let old = POST.replace("HTTP/1.1", "HTTP/1.0");
    vec![
        with("Transfer-Encoding: identity\r\n"),
        with("Transfer-Encoding: xchunked\r\n"),
        with("Transfer-Encoding: chunked, identity\r\n"),
        with("Transfer-Encoding: identity, chunked\r\n"),
        with("Transfer-Encoding: chunked, chunked\r\n"),
        with("Transfer-Encoding: gzip, chunked\r\n"),
        with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        with("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
        with("Transfer-Encoding : chunked\r\n"),
        with("Transfer-Encoding: \x0bchunked\r\n"),
        with("Transfer-Encoding:\r\n chunked\r\n"),
        with("Transfer-Encoding: \"chunked\"\r\n"),
        format!("{old}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ]
}

fn chunks() -> Vec<String> {
    let with = |body: &str| format!("{POST}Transfer-Encoding: chunked\r\n\r\n{body}");
    vec![
        with("0x2\r\n{}\r\n0\r\n\r\n"),
        with("+2\r\n{}\r\n0\r\n\r\n"),
        with("-2\r\n{}\r\n0\r\n\r\n"),
        with("zz\r\n{}\r\n0\r\n\r\n"),
        with("\r\n{}\r\n0\r\n\r\n"),
        with("2\n{}\r\n0\r\n\r\n"),
        with("2\r\n{}}\r\n0\r\n\r\n"),
        with("2\r\n{}0\r\n\r\n"),
        with("2\r\n{}\n0\r\n\r\n"),
        with("10000000000000002\r\n{}\r\n0\r\n\r\n"),
        with(&format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(4096))),
        with(&format!("2\r\n{{}}\r\n0\r\nX-Trailer: {}\r\n\r\n", "x".repeat(20_000))),
    ]
}

fn heads() -> Vec<String> {
    let with = |lines: &str| format!("GET /healthz HTTP/1.1\r\nHost: HOST\r\n{lines}\r\n");
    vec![
        "GET /healthz HTTP/1.1\nHost: HOST\n\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nHost: HOST\nX: y\r\n\r\n".to_owned(),
        with("X: a\rb\r\n"),
        with("X: a\0b\r\n"),
        with("X: a\r\n b\r\n"),
        with("X: a\x7fb\r\n"),
        with(" X: a\r\n"),
        with("no colon here\r\n"),
        with(": no name\r\n"),
        with("Na(me: x\r\n"),
        with("Na me: x\r\n"),
        with("Host: HOST\r\n"),
        "GET /healthz HTTP/1.1\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nHost:\r\n\r\n".to_owned(),
        "GET  /healthz HTTP/1.1\r\nHost: HOST\r\n\r\n".to_owned(),
        "GET\t/healthz\tHTTP/1.1\r\nHost: HOST\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1 \r\nHost: HOST\r\n\r\n".to_owned(),
        "GET /healthz HTTP/2.0\r\nHost: HOST\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.10\r\nHost: HOST\r\n\r\n".to_owned(),
        "GET /healthz\r\nHost: HOST\r\n\r\n".to_owned(),
        "G@T /healthz HTTP/1.1\r\nHost: HOST\r\n\r\n".to_owned(),
        "GET /health\0z HTTP/1.1\r\nHost: HOST\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
    ]
}

/// Statuses of the responses in some bytes.
fn statuses(bytes: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(bytes);
    let heads = text.match_indices("HTTP/1.").filter_map(|(at, _)| {
        let line = text[at..].lines().next()?;
        let mut words = line.split(' ');
        words.next().filter(|version| version.len() == 8)?;
        words.next().filter(|status| status.len() == 3)?.parse().ok()
    });
    heads.collect()
}

/// Sends bytes and reads until the connection ends.
async fn sent_to(port: u16, bytes: &[u8]) -> Vec<u8> {
    let mut conn = Conn::tcp(port).await;
    conn.send(bytes).await.ok();
    conn.read_to_end().await
}

/// What is wrong with the answers to bytes that must be refused, if anything is.
fn breach(answer: &[u8]) -> Option<String> {
    match statuses(answer)[..] {
        [400 | 414 | 431 | 501 | 505] => None,
        _ => Some(String::from_utf8_lossy(answer).into_owned()),
    }
}

async fn gateway() -> (Ollama, Gateway) {
    let fake = Ollama::saying("smuggled");
    let tables = fake.local("local") + &alias("small", &["local/tiny"]) + NO_RETRY;
    let gateway = Setup::new(&tables)
        .server("body_timeout = \"2s\"\nheader_timeout = \"2s\"\nidle_timeout = \"2s\"")
        .start()
        .await;
    (fake, gateway)
}

#[test]
fn what_is_ambiguous_is_refused_once_and_ends_the_connection() {
    run_long(async {
        let (fake, gateway) = gateway().await;
        let cases = [lengths(), encodings(), chunks(), heads()].concat();
        assert!(cases.len() >= 40);
        let mut breaches = Vec::new();
        for case in cases {
            let bytes = (case + HIDDEN).replace("HOST", &gateway.host());
            if let Some(answer) = breach(&sent_to(gateway.port, bytes.as_bytes()).await) {
                breaches.push(format!("{bytes:?}\n  was answered {answer:?}"));
            }
        }
        assert!(breaches.is_empty(), "{} breaches:\n{}", breaches.len(), breaches.join("\n"));
        assert_eq!(fake.chats().len(), 0, "nothing reached the provider");
        gateway.get("/healthz").await.expect(200);
    });
}

#[test]
fn requests_before_the_breach_are_answered_in_order() {
    run(async {
        let (_fake, gateway) = gateway().await;
        for case in [&lengths()[0], &encodings()[0], &heads()[0]] {
            let bytes = format!("{HIDDEN}{HIDDEN}{case}{HIDDEN}").replace("HOST", &gateway.host());
            let answer = sent_to(gateway.port, bytes.as_bytes()).await;
            assert_eq!(statuses(&answer), [200, 200, 400], "{}", String::from_utf8_lossy(&answer));
        }
    });
}

#[test]
fn a_breach_is_seen_wherever_the_bytes_are_cut() {
    run_long(async {
        let (_fake, gateway) = gateway().await;
        let bytes = (lengths().remove(0) + HIDDEN).replace("HOST", &gateway.host()).into_bytes();
        for at in 1..bytes.len() {
            let mut conn = gateway.conn().await;
            conn.send(&bytes[..at]).await.ok();
            // The first part has been read once another connection has been served.
            if at % 8 == 0 {
                gateway.get("/healthz").await.expect(200);
            }
            conn.send(&bytes[at..]).await.ok();
            let answer = conn.read_to_end().await;
            assert_eq!(breach(&answer), None, "cut at {at}");
        }
    });
}

#[test]
fn the_checker_sees_a_server_that_answers_twice() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let naive = tokio::spawn(async move {
            let (io, _) = listener.accept().await.unwrap();
            let mut conn = Conn::new(io);
            conn.read_more().await;
            for status in [400, 200] {
                let head = format!("HTTP/1.1 {status} X\r\nContent-Length: 3\r\n\r\nok\n");
                conn.send(head.as_bytes()).await.unwrap();
            }
        });
        let answer = sent_to(port, lengths()[0].as_bytes()).await;
        assert_eq!(statuses(&answer), [400, 200]);
        assert!(breach(&answer).is_some());
        assert!(breach(b"HTTP/1.1 200 OK\r\n\r\n").is_some());
        assert!(breach(b"").is_some());
        until("the naive server ends", async || naive.is_finished().then_some(())).await;
    });
}
