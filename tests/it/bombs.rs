//! Too large, too slow, too many, too deep: each bound to the byte.

use std::fs;

use crate::support::http::request;
use crate::support::{
    Act, Conn, Gateway, NO_RETRY, OpenAi, Setup, alias, bound, emulated, openai, reply, run,
    run_long, until,
};

async fn with_server(lines: &str) -> (OpenAi, Gateway) {
    let fake = OpenAi::saying("fine");
    let tables = fake.cloud("cloud") + &alias("big", &["cloud/x"]) + NO_RETRY;
    let gateway = Setup::new(&tables).server(lines).start().await;
    (fake, gateway)
}

/// A request for /healthz whose head has exactly so many bytes.
fn head_of(gateway: &Gateway, bytes: usize) -> Vec<u8> {
    let start = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n", gateway.host());
    let mut head = start.into_bytes();
    while bytes - head.len() > 2 {
        let left = bytes - 2 - head.len();
        // What is left over must be long enough for a field of its own.
        let line = if left > 1020 { 1000 } else { left };
        head.extend_from_slice(b"x: ");
        head.extend(std::iter::repeat_n(b'y', line - 5));
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    assert_eq!(head.len(), bytes);
    head
}

async fn status_of(gateway: &Gateway, bytes: &[u8]) -> u16 {
    let mut conn = gateway.conn().await;
    conn.send(bytes).await.ok();
    conn.answer(false).await.expect("an answer").status()
}

#[test]
fn a_head_may_have_16_kib() {
    run(async {
        let (_fake, gateway) = with_server("").await;
        let before = gateway.memory_kib("VmHWM");
        for (bytes, status) in [
            (1000, 200),
            (16_383, 200),
            (16_384, 200),
            (16_385, 431),
            (17_000, 431),
            (200_000, 431),
        ] {
            assert_eq!(
                status_of(&gateway, &head_of(&gateway, bytes)).await,
                status,
                "{bytes} bytes"
            );
        }
        let grown = gateway.memory_kib("VmHWM") - before;
        assert!(emulated() || grown < 1024, "{grown} KiB");
    });
}

#[test]
fn a_head_may_have_64_fields() {
    run(async {
        let (_fake, gateway) = with_server("").await;
        for (fields, status) in [(63, 200), (64, 200), (65, 431), (500, 431)] {
            let mut head = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n", gateway.host());
            for number in 1..fields {
                head.push_str(&format!("x-{number}: y\r\n"));
            }
            head.push_str("\r\n");
            assert_eq!(status_of(&gateway, head.as_bytes()).await, status, "{fields} fields");
        }
    });
}

#[test]
fn an_address_may_have_2_kib() {
    run(async {
        let (_fake, gateway) = with_server("").await;
        for (bytes, status) in [(2047, 200), (2048, 200), (2049, 414), (10_000, 414)] {
            let path = format!("/healthz?{}", "q".repeat(bytes - "/healthz?".len()));
            let head = request("GET", &path, &gateway.host(), &[], b"");
            assert_eq!(status_of(&gateway, &head).await, status, "{bytes} bytes");
        }
    });
}

#[test]
fn a_body_may_have_max_body() {
    run(async {
        let (fake, gateway) = with_server("max_body = \"64KiB\"").await;
        let body_of = |bytes: usize| {
            let empty = openai::request("big", "", false).to_string().len();
            openai::request("big", &"x".repeat(bytes - empty), false).to_string().into_bytes()
        };
        let json = [("Content-Type", "application/json")];
        for (bytes, status) in [(65_535, 200), (65_536, 200), (65_537, 413)] {
            let whole = request("POST", openai::CHAT, &gateway.host(), &json, &body_of(bytes));
            assert_eq!(status_of(&gateway, &whole).await, status, "{bytes} bytes");
            let chunked = in_chunks(&gateway, &body_of(bytes));
            assert_eq!(status_of(&gateway, &chunked).await, status, "{bytes} bytes in chunks");
        }
        // Refused by its announcement: not a byte of it has to be sent.
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 9999999999\r\n\r\n",
            openai::CHAT,
            gateway.host()
        );
        let mut conn = gateway.conn().await;
        conn.send(head.as_bytes()).await.unwrap();
        let refused = conn.answer(false).await.unwrap().expect(413);
        assert!(refused.error().1.contains("65536"), "{}", refused.text());
        assert_eq!(fake.chats(), 4);
    });
}

fn in_chunks(gateway: &Gateway, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n", openai::CHAT, gateway.host()).into_bytes();
    for piece in body.chunks(1000) {
        bytes.extend(reply::chunk(piece));
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

#[test]
fn json_may_be_32_deep() {
    run(async {
        let (fake, gateway) = with_server("").await;
        for (depth, status) in [(31, 200), (32, 200), (33, 400), (5000, 400)] {
            // The object itself is the first level.
            let deep = "[".repeat(depth - 1) + &"]".repeat(depth - 1);
            let body = format!(
                "{{\"model\":\"big\",\"messages\":[{{\"role\":\"user\",\"content\":\"[[[\"}}],\"x\":{deep}}}"
            );
            let json = [("Content-Type", "application/json")];
            let bytes = request("POST", openai::CHAT, &gateway.host(), &json, body.as_bytes());
            assert_eq!(status_of(&gateway, &bytes).await, status, "{depth} levels");
        }
        assert_eq!(fake.chats(), 2);
    });
}

const HASTY: &str = "max_connections = 16\nheader_timeout = \"400ms\"\nbody_timeout = \"400ms\"\nidle_timeout = \"400ms\"\nwrite_timeout = \"400ms\"";

#[test]
fn clients_that_send_nothing_more_are_let_go_and_good_ones_served() {
    run_long(async {
        let (fake, gateway) = with_server(HASTY).await;
        let host = gateway.host();
        let stuck = [
            Vec::new(),
            b"P".to_vec(),
            b"POST /v1/chat/completions HTTP/1.1\r\nHost:".to_vec(),
            format!("POST {} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{{", openai::CHAT).into_bytes(),
            format!("POST {} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{{", openai::CHAT).into_bytes(),
        ];
        let mut conns = Vec::new();
        for bytes in stuck.iter().cycle().take(100) {
            let mut conn = gateway.conn().await;
            conn.send(bytes).await.ok();
            conns.push(conn);
        }
        // More of them than there are places: a good client is served as they are let go.
        assert_eq!(gateway.chat("big", "hello").await.expect(200).content(), "fine");
        for (index, conn) in conns.iter_mut().enumerate() {
            let answer = conn.read_to_end().await;
            let text = String::from_utf8_lossy(&answer).into_owned();
            assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{index}: {text}");
        }
        assert_eq!(fake.chats(), 1);
    });
}

#[test]
fn a_byte_now_and_then_does_not_keep_a_head_open() {
    run_long(async {
        let (_fake, gateway) = with_server(HASTY).await;
        let mut conn = gateway.conn().await;
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(40));
        let head =
            format!("GET /healthz HTTP/1.1\r\nHost: {}\r\nX: {}", gateway.host(), "y".repeat(5000));
        let mut sent = 0;
        let dripping = async {
            for byte in head.as_bytes() {
                ticks.tick().await;
                if conn.send(&[*byte]).await.is_err() {
                    return true;
                }
                sent += 1;
            }
            false
        };
        let ended = tokio::time::timeout(bound(), dripping).await;
        assert!(ended.expect("the connection was kept open"), "all {sent} bytes were taken");
    });
}

#[test]
fn a_kept_connection_stays_while_nobody_else_waits() {
    run(async {
        let (_fake, gateway) = with_server("max_connections = 4\nidle_timeout = \"10m\"").await;
        let hello = request("GET", "/healthz", &gateway.host(), &[], b"");
        let mut kept = Vec::new();
        for _ in 0..4 {
            kept.push(gateway.conn().await);
        }
        for _ in 0..3 {
            for conn in kept.iter_mut().rev() {
                conn.send(&hello).await.unwrap();
                conn.answer(false).await.expect("its place was free to keep").expect(200);
            }
        }
    });
}

#[test]
fn the_last_place_is_for_the_one_who_comes() {
    run(async {
        let (_fake, gateway) = with_server("max_connections = 4\nheader_timeout = \"10m\"").await;
        let mut stuck = Vec::new();
        for _ in 0..3 {
            let mut conn = gateway.conn().await;
            conn.send(b"GET /healthz HTT").await.unwrap();
            stuck.push(conn);
        }
        // It comes, and is slow to ask: the only one without a request, and still not in the way.
        for _ in 0..20 {
            let mut conn = gateway.conn().await;
            for byte in request("GET", "/healthz", &gateway.host(), &[], b"") {
                conn.send(&[byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
            conn.answer(false).await.expect("it was sent away").expect(200);
        }
    });
}

#[test]
fn a_reload_changes_how_many_may_come() {
    run(async {
        let (_fake, gateway) = with_server("max_connections = 1\nidle_timeout = \"10m\"").await;
        let hello = request("GET", "/healthz", &gateway.host(), &[], b"");
        let served = async |conns: &mut [Conn]| {
            let mut all = true;
            for conn in conns {
                let sent = conn.send(&hello).await.is_ok();
                all &= sent && conn.answer(false).await.is_some_and(|it| it.status() == 200);
            }
            all
        };
        let mut two = [gateway.conn().await, gateway.conn().await];
        assert!(!served(&mut two).await, "the second one took the first one's place");
        let file = fs::read_to_string(&gateway.config).unwrap();
        fs::write(&gateway.config, file.replace("max_connections = 1", "max_connections = 3"))
            .unwrap();
        drop(two);
        gateway.signal("HUP");
        until("there is room for two", async || {
            let mut two = [gateway.conn().await, gateway.conn().await];
            (served(&mut two).await && served(&mut two).await).then_some(())
        })
        .await;
    });
}

#[test]
fn an_idle_connection_makes_room_for_a_new_one() {
    run(async {
        let (_fake, gateway) = with_server("max_connections = 4\nidle_timeout = \"10m\"").await;
        let mut idle = Vec::new();
        for _ in 0..4 {
            let mut conn = gateway.conn().await;
            conn.send(&request("GET", "/healthz", &gateway.host(), &[], b"")).await.unwrap();
            conn.answer(false).await.unwrap().expect(200);
            idle.push(conn);
        }
        for _ in 0..4 {
            gateway.get("/healthz").await.expect(200);
        }
    });
}

#[test]
fn a_client_that_takes_nothing_is_let_go() {
    run_long(async {
        let (fake, gateway) = with_server(HASTY).await;
        let piece = reply::chunk(openai::delta(&"stall ".repeat(200)).as_bytes());
        fake.on(
            openai::CHAT,
            vec![Act::Send(reply::chunked(openai::EVENTS)), Act::Repeat(piece, u64::MAX)],
        );
        let mut conn = Conn::narrow(gateway.port, 4096).await;
        conn.send(&gateway.chat_bytes("big", "hello", true)).await.unwrap();
        fake.until_gone(1).await;
        drop(conn);
    });
}
