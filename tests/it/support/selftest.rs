//! The harness itself: a fake that does not do as it is told would make tests pass in vain.

use serde_json::json;

use crate::support::http::request;
use crate::support::tls::Authority;
use crate::support::{Act, Conn, Fake, Ollama, OpenAi, Stream, openai, reply, run, until_true};

async fn chat(fake: &Fake, stream: bool) -> Conn {
    let mut conn = Conn::to(fake.address).await;
    let body = openai::request("m", "hello", stream).to_string();
    conn.send(&request("POST", openai::CHAT, "x", &[], body.as_bytes())).await.unwrap();
    conn
}

#[test]
fn a_fake_answers_and_tells() {
    run(async {
        let fake = OpenAi::saying("one two");
        let whole = chat(&fake, false).await.answer(false).await.unwrap();
        assert_eq!(whole.content(), "one two");
        let stream = chat(&fake, true).await.answer(false).await.unwrap().stream();
        stream.assert_whole();
        assert_eq!(stream.text, "one two");
        assert_eq!((fake.chats(), fake.connections()), (2, 2));
        assert_eq!(fake.seen(openai::CHAT)[1].json()["stream"], json!(true));
        assert!(fake.bytes() > 0);
    });
}

#[test]
fn once_comes_before_always_and_unknown_paths_are_404() {
    run(async {
        let fake = OpenAi::saying("always");
        fake.once(openai::CHAT, reply::json(500, &json!({})));
        assert_eq!(chat(&fake, false).await.answer(false).await.unwrap().status(), 500);
        assert_eq!(chat(&fake, false).await.answer(false).await.unwrap().status(), 200);
        let mut conn = Conn::to(fake.address).await;
        conn.send(&request("GET", "/nowhere", "x", &[], b"")).await.unwrap();
        assert_eq!(conn.answer(false).await.unwrap().status(), 404);
    });
}

#[test]
fn a_reset_is_not_a_clean_end() {
    run(async {
        for (act, clean) in [(Act::Reset, false), (Act::Close, true)] {
            let fake = OpenAi::new();
            fake.on(openai::CHAT, vec![openai::begun("half"), act]);
            let io = tokio::net::TcpStream::connect(fake.address).await.unwrap();
            let ended = read_all(io).await;
            assert_eq!(ended.is_ok(), clean);
        }
    });
}

async fn read_all(mut io: tokio::net::TcpStream) -> std::io::Result<usize> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    io.write_all(&request("POST", openai::CHAT, "x", &[], b"{}")).await?;
    io.read_to_end(&mut Vec::new()).await
}

#[test]
fn a_stall_sees_its_client_leave_and_a_release_ends_it() {
    run(async {
        let fake = OpenAi::new();
        let acts = vec![openai::begun("half"), Act::Stall, Act::Send(b"0\r\n\r\n".to_vec())];
        fake.on(openai::CHAT, acts);
        let mut left = Stream::begin(chat(&fake, true).await).await;
        assert_eq!(left.first_text().await, "half");
        drop(left);
        fake.until_gone(1).await;
        let mut kept = Stream::begin(chat(&fake, true).await).await;
        kept.first_text().await;
        fake.release();
        let rest = kept.rest().await;
        assert!(!rest.done && rest.error.is_none());
        assert_eq!(fake.gone().len(), 1);
    });
}

#[test]
fn a_fake_that_is_down_refuses_and_comes_back() {
    run(async {
        let mut fake = OpenAi::saying("here");
        assert!(chat(&fake, false).await.answer(false).await.is_some());
        fake.down().await;
        assert!(tokio::net::TcpStream::connect(fake.address).await.is_err());
        fake.up();
        assert!(chat(&fake, false).await.answer(false).await.is_some());
    });
}

#[test]
fn an_endless_body_stops_when_nobody_reads() {
    run(async {
        let fake = OpenAi::new();
        let piece = reply::chunk(&[b'x'; 4096]);
        let acts = vec![Act::Send(reply::chunked(openai::EVENTS)), Act::Repeat(piece, u64::MAX)];
        fake.on(openai::CHAT, acts);
        let mut conn = chat(&fake, true).await;
        conn.head().await.unwrap();
        until_true("something was sent", || fake.sent() > 100_000).await;
        drop(conn);
        fake.until_gone(1).await;
    });
}

#[test]
fn an_ollama_tells_loads_from_chats() {
    run(async {
        let fake = Ollama::saying("hello there");
        for body in [
            json!({"model": "tiny"}),
            json!({"model": "tiny", "messages": [{"role": "user", "content": "x"}]}),
        ] {
            let mut conn = Conn::to(fake.address).await;
            let bytes = request("POST", "/api/chat", "x", &[], body.to_string().as_bytes());
            conn.send(&bytes).await.unwrap();
            assert!(conn.answer(false).await.unwrap().whole);
        }
        assert_eq!((fake.loads().len(), fake.chats().len()), (1, 1));
    });
}

#[test]
fn tls_counts_only_what_was_decrypted() {
    run(async {
        let fake = Fake::with_tls(Authority::new().server("localhost"));
        let mut conn = Conn::to(fake.address).await;
        conn.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        conn.read_to_end().await;
        until_true("the handshake failed", || fake.handshakes_failed() == 1).await;
        assert_eq!(fake.bytes(), 0);
    });
}
