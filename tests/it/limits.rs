//! Memory stays flat, whatever providers send and clients do not read.

use crate::support::{
    Act, Conn, Gateway, NO_RETRY, Ollama, OpenAi, Pair, SECOND, Setup, alias, emulated, ollama,
    openai, reply, run, run_long, until_true,
};

const MIB: u64 = 1024 * 1024;
const SMALL: &str = "[routing]\nretries = 0\nbreaker_failures = 1000\n";

/// What the gateway's memory may grow by while it is abused.
async fn flat(gateway: &Gateway, before_kib: u64, allowed_kib: u64) {
    let after = gateway.memory_kib("VmHWM");
    let grown = after.saturating_sub(before_kib);
    eprintln!("memory: {before_kib} KiB before, at most {after} KiB, grown by {grown} KiB");
    // An emulator's own memory grows with the code that it translates.
    assert!(emulated() || grown <= allowed_kib, "grown by {grown} KiB, allowed {allowed_kib} KiB");
    let (peak, capacity) = (
        gateway.metric("edgehold_budget_peak_bytes").await,
        gateway.metric("edgehold_budget_capacity_bytes").await,
    );
    assert!(peak <= capacity && capacity > 0.0, "{peak} of {capacity}");
}

/// A first target that sends what `acts` says, with an alias of its own and one with a second.
async fn abused(acts: Vec<Act>, openai_kind: bool) -> (Pair, Box<dyn std::any::Any>, u64) {
    let (table, fake): (String, Box<dyn std::any::Any>) = if openai_kind {
        let fake = OpenAi::new();
        fake.on(openai::CHAT, acts);
        (fake.table("first", "cloud", "max_answer = \"256KiB\""), Box::new(fake))
    } else {
        let fake = Ollama::saying("never");
        fake.chat_acts(acts);
        (fake.table("first", "max_answer = \"256KiB\""), Box::new(fake))
    };
    let pair = Pair::with(&table, SMALL).await;
    // Once through, so that what is made only once is there.
    pair.chat("second/gpt-test", "warm").await.expect(200);
    let before = pair.memory_kib("VmHWM");
    (pair, fake, before)
}

fn endless_line(openai_kind: bool) -> Vec<Act> {
    let (media, start) = match openai_kind {
        true => (openai::EVENTS, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\""),
        false => (
            ollama::LINES,
            "{\"model\":\"tiny\",\"message\":{\"role\":\"assistant\",\"content\":\"",
        ),
    };
    let piece = reply::chunk(&vec![b'x'; 64 * 1024]);
    vec![reply::open(media, &[start.to_owned()]), Act::Repeat(piece, 100 * MIB), Act::Close]
}

#[test]
fn a_line_of_100_mb_is_not_held() {
    run_long(async {
        for openai_kind in [true, false] {
            for stream in [true, false] {
                let (pair, _fake, before) = abused(endless_line(openai_kind), openai_kind).await;
                let answer = pair.ask_both(stream).await.expect(200);
                let text = if stream { answer.stream().text } else { answer.content() };
                assert_eq!(text, SECOND, "nothing had gone out: the second one answers");
                flat(&pair, before, 3 * 1024).await;
            }
        }
    });
}

#[test]
fn a_long_line_after_the_first_token_is_an_error() {
    run(async {
        let mut acts = endless_line(true);
        acts.insert(0, openai::begun("begun"));
        acts[1] = Act::Send(reply::chunk(b"data: {\"choices\":[{\"delta\":{\"content\":\""));
        let (pair, _fake, before) = abused(acts, true).await;
        let stream = pair.chat_stream("both", "hello").await.expect(200).stream();
        stream.assert_broken();
        assert_eq!(stream.text, "begun");
        flat(&pair, before, 3 * 1024).await;
    });
}

#[test]
fn an_endless_body_is_cut_and_its_sender_let_go() {
    run_long(async {
        let spaces = reply::chunk(&[b' '; 16 * 1024]);
        let json = reply::chunked("application/json");
        let events = reply::chunked(openai::EVENTS);
        let comment = reply::chunk(b": still here\n\n");
        for (stream, acts) in [
            (false, vec![Act::Send(json), Act::Repeat(spaces.clone(), u64::MAX)]),
            (
                false,
                vec![
                    Act::Send(reply::head(200, &[("Content-Type", "application/json")])),
                    Act::Repeat(spaces, u64::MAX),
                ],
            ),
            (
                false,
                vec![
                    Act::Send(reply::head(
                        200,
                        &[("Content-Type", "application/json"), ("Content-Length", "99999999999")],
                    )),
                    Act::Repeat(vec![b' '; 4096], u64::MAX),
                ],
            ),
            (true, vec![Act::Send(events), Act::Repeat(comment, 64 * MIB), Act::Close]),
        ] {
            let first = OpenAi::new();
            first.on(openai::CHAT, acts);
            let pair =
                Pair::with(&first.table("first", "cloud", "max_answer = \"256KiB\""), SMALL).await;
            let before = pair.memory_kib("VmHWM");
            let answer = pair.ask_both(stream).await.expect(200);
            let text = if stream { answer.stream().text } else { answer.content() };
            assert_eq!(text, SECOND);
            flat(&pair, before, 3 * 1024).await;
            if !stream {
                first.until_gone(1).await;
            }
        }
    });
}

#[test]
fn an_endless_stream_of_good_events_ends_some_time() {
    run_long(async {
        let first = OpenAi::new();
        let piece = reply::chunk(openai::delta(&"word ".repeat(50)).as_bytes());
        first.on(
            openai::CHAT,
            vec![Act::Send(reply::chunked(openai::EVENTS)), Act::Repeat(piece, u64::MAX)],
        );
        let tables = first.table("first", "cloud", "max_answer = \"64KiB\"")
            + &alias("one", &["first/tiny"])
            + NO_RETRY;
        let gateway = Gateway::with(&tables).await;
        let before = gateway.memory_kib("VmHWM");
        let stream = gateway.chat_stream("one", "hello").await.expect(200).stream();
        stream.assert_broken();
        assert!(stream.text.starts_with("word word"));
        first.until_gone(1).await;
        flat(&gateway, before, 3 * 1024).await;
    });
}

#[test]
fn a_head_of_a_megabyte_is_refused() {
    run(async {
        let head = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n", "x".repeat(1_000_000));
        let (pair, _fake, before) =
            abused(vec![Act::Send(head.into_bytes()), Act::Close], true).await;
        assert_eq!(pair.ask_both(false).await.expect(200).content(), SECOND);
        flat(&pair, before, 2 * 1024).await;
    });
}

const STREAM_BYTES: u64 = 10 * MIB;

#[test]
fn a_client_that_reads_a_byte_at_a_time_does_not_make_memory_grow() {
    run_long(async {
        let first = OpenAi::new();
        let event = openai::delta(&"slow ".repeat(200));
        let events = STREAM_BYTES / event.len() as u64;
        let piece = reply::chunk(event.as_bytes());
        let total = events * piece.len() as u64;
        let end = openai::frames("").split_off(1).concat();
        first.on(
            openai::CHAT,
            vec![
                Act::Send(reply::chunked(openai::EVENTS)),
                Act::Repeat(piece, total),
                Act::Send([reply::chunk(end.as_bytes()), b"0\r\n\r\n".to_vec()].concat()),
            ],
        );
        let gateway = Gateway::with(&(first.cloud("first") + &alias("one", &["first/tiny"]))).await;
        gateway.get("/status").await;
        let before = gateway.memory_kib("VmHWM");
        let mut conn = Conn::narrow(gateway.port, 4096).await;
        conn.send(&gateway.chat_bytes("one", "hello", true)).await.unwrap();
        let mut text = Vec::new();
        for _ in 0..2000 {
            text.push(conn.read_byte().await.expect("the stream goes on"));
        }
        // All buffers on the way are full when the provider's sending stands still.
        let mut sent = (0, 0);
        until_true("the provider is held back", || {
            sent = if first.sent() == sent.0 { (sent.0, sent.1 + 1) } else { (first.sent(), 0) };
            sent.1 > 40
        })
        .await;
        assert!(first.sent() < total, "the provider was never held back");
        flat(&gateway, before, 2 * 1024).await;
        text.extend(conn.read_to_end_of_body().await);
        let text = String::from_utf8_lossy(&text);
        assert_eq!(text.matches("slow ").count() as u64, events * 200, "every byte arrives");
        assert!(text.contains("[DONE]"));
        flat(&gateway, before, 2 * 1024).await;
    });
}

#[test]
fn stalled_readers_hold_little_each() {
    run_long(async {
        let first = OpenAi::new();
        let piece = reply::chunk(openai::delta(&"stall ".repeat(100)).as_bytes());
        first.on(
            openai::CHAT,
            vec![Act::Send(reply::chunked(openai::EVENTS)), Act::Repeat(piece, u64::MAX)],
        );
        let tables =
            first.table("first", "cloud", "max_concurrent = 64") + &alias("one", &["first/tiny"]);
        let gateway = Gateway::with(&tables).await;
        let idle = gateway.metric("edgehold_budget_reserved_bytes").await;
        // With the first comes what is there only once.
        let mut readers = vec![stalled(&gateway).await];
        let before = gateway.memory_kib("VmHWM");
        for _ in 0..40 {
            readers.push(stalled(&gateway).await);
        }
        flat(&gateway, before, 40 * 80).await;
        drop(readers);
        first.until_gone(41).await;
        gateway.until_given_back(idle).await;
    });
}

/// A reader of a stream that has read no more than its head.
async fn stalled(gateway: &Gateway) -> Conn {
    let mut conn = Conn::narrow(gateway.port, 4096).await;
    conn.send(&gateway.chat_bytes("one", "hello", true)).await.unwrap();
    assert_eq!(conn.head().await.unwrap().status, 200);
    conn
}

#[test]
fn over_budget_is_refused_and_what_never_fits_says_so() {
    run(async {
        let first = OpenAi::new();
        first.on(openai::CHAT, vec![Act::Stall]);
        let tables = first.table("first", "cloud", "max_concurrent = 64")
            + &alias("one", &["first/tiny"])
            + "[memory]\ncap = \"10MiB\"\n[queue]\nmax_jobs = 100\n";
        let setup = Setup::new(&tables).server("max_body = \"1MiB\"");
        let gateway = setup.start().await;
        let long = "x".repeat(900_000);
        let mut waiting = Vec::new();
        let mut refused = None;
        for _ in 0..20 {
            let mut conn = gateway.conn().await;
            conn.send(&gateway.chat_bytes("one", &long, false)).await.ok();
            let seen = first.chats();
            let answered = tokio::select! {
                answer = conn.answer(false) => answer,
                () = first.until_seen(openai::CHAT, seen + 1) => None,
            };
            if let Some(answer) = answered {
                refused = Some(answer);
                break;
            }
            waiting.push(conn);
        }
        let refused = refused.expect("twenty bodies of 0.9 MB do not fit into 10 MiB").expect(503);
        assert_eq!(refused.error().0, "overloaded");
        assert!(refused.header("retry-after").is_some());
        assert!(!waiting.is_empty());
        assert!(gateway.metric("edgehold_budget_shed_total").await >= 1.0);
        drop(waiting);
    });
}

#[test]
fn a_whole_answer_is_held_within_the_budget_too() {
    run(async {
        let long = "y".repeat(3_000_000);
        let (remote, local) = (OpenAi::saying(&long), Ollama::saying(&long));
        let tables = remote.cloud("remote")
            + &local.local("local")
            + NO_RETRY
            + "[memory]\ncap = \"11MiB\"\n[queue]\nmax_jobs = 100\n";
        let gateway = Gateway::with(&tables).await;
        for model in ["remote/gpt-test", "local/tiny"] {
            let answer = gateway.chat(model, "hello").await.expect(413);
            assert_eq!(answer.error().0, "request_too_large", "{model}");
        }
        // What is not held needs no room: a stream of the same length goes through.
        let stream = gateway.chat_stream("remote/gpt-test", "hello").await.expect(200);
        assert_eq!(stream.stream().text.len(), long.len());
        let (short_remote, short_local) = ("z".repeat(500_000), "z".repeat(500_000));
        remote.says(&short_remote);
        local.chat_acts(ollama::stream(&short_local));
        for model in ["remote/gpt-test", "local/tiny"] {
            let answer = gateway.chat(model, "hello").await.expect(200);
            assert_eq!(answer.content().len(), short_remote.len(), "{model}");
        }
        assert!(gateway.metric("edgehold_budget_peak_bytes").await >= 1_000_000.0);
        assert!(gateway.metric("edgehold_budget_shed_total").await >= 2.0);
    });
}
