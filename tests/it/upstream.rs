//! What providers do on the wire: heads and bodies in every lawful form, and connections that are
//! used again or not.

use crate::support::{Act, Gateway, NO_RETRY, OpenAi, alias, openai, reply, run};

const SAID: &str = "as it was said";

async fn gateway(fake: &OpenAi) -> Gateway {
    Gateway::with(&(fake.cloud("cloud") + &alias("one", &["cloud/x"]) + NO_RETRY)).await
}

fn whole(head: &[(&str, &str)], body: Vec<u8>) -> Vec<u8> {
    let mut all = vec![("Content-Type", "application/json")];
    all.extend_from_slice(head);
    [reply::head(200, &all), body].concat()
}

fn body() -> Vec<u8> {
    openai::answer(SAID).to_string().into_bytes()
}

/// A body in chunks of a few bytes, with an extension and a trailer.
fn in_chunks() -> Vec<u8> {
    let chunks: Vec<Vec<u8>> = body().chunks(7).map(reply::chunk).collect();
    let first = [b"1;name=\"value\"\r\n ".as_slice(), b"\r\n"].concat();
    [first, chunks.concat(), b"0\r\nX-Trailer: 1\r\n\r\n".to_vec()].concat()
}

#[test]
fn a_whole_answer_in_every_lawful_form() {
    run(async {
        let length = body().len().to_string();
        let known = whole(&[("Content-Length", &length)], body());
        let chunked = whole(&[("Transfer-Encoding", "chunked")], in_chunks());
        let interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
        let table = [
            ("a length", vec![Act::Send(known.clone())]),
            ("byte by byte", known.chunks(1).map(|it| Act::Send(it.to_vec())).collect()),
            ("chunks", vec![Act::Send(chunked.clone())]),
            ("chunks, byte by byte", chunked.chunks(1).map(|it| Act::Send(it.to_vec())).collect()),
            ("until the close", vec![Act::Send(whole(&[], body())), Act::Close]),
            ("interim heads", vec![Act::Send([interim.as_slice(), &known].concat())]),
            ("a length beside chunks", {
                let head = [("Transfer-Encoding", "chunked"), ("Content-Length", "5")];
                vec![Act::Send(whole(&head, in_chunks())), Act::Close]
            }),
        ];
        for (form, acts) in table {
            let fake = OpenAi::new();
            fake.on(openai::CHAT, acts);
            let gateway = gateway(&fake).await;
            let answer = gateway.chat("one", "hello").await.expect(200);
            assert_eq!(answer.content(), SAID, "{form}");
        }
    });
}

#[test]
fn what_is_no_http_is_no_answer() {
    run(async {
        let many: String = (0..200).map(|number| format!("X-{number}: 1\r\n")).collect();
        let table = [
            ("two lengths", whole(&[("Content-Length", "5"), ("Content-Length", "6")], body())),
            ("no number", whole(&[("Content-Length", "five")], body())),
            ("another coding", whole(&[("Transfer-Encoding", "gzip, chunked")], body())),
            ("chunks that are none", whole(&[("Transfer-Encoding", "chunked")], body())),
            ("a long head", {
                whole(&[("Content-Length", "2"), ("X", &"x".repeat(9_000))], b"{}".to_vec())
            }),
            ("an endless head", format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(40_000)).into()),
            ("too many fields", format!("HTTP/1.1 200 OK\r\n{many}\r\n").into()),
            ("another protocol", b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n\r\n".to_vec()),
        ];
        for (fault, bytes) in table {
            let fake = OpenAi::new();
            fake.on(openai::CHAT, vec![Act::Send(bytes), Act::Close]);
            let gateway = gateway(&fake).await;
            let answer = gateway.chat("one", "hello").await;
            assert_eq!(answer.status(), 502, "{fault}: {}", answer.text());
        }
    });
}

#[test]
fn a_connection_is_used_again_only_where_its_end_is_known() {
    run(async {
        let length = body().len().to_string();
        let table = [
            ("a length", whole(&[("Content-Length", &length)], body()), true),
            ("chunks", whole(&[("Transfer-Encoding", "chunked")], in_chunks()), true),
            (
                "told to close",
                { whole(&[("Content-Length", &length), ("Connection", "close")], body()) },
                false,
            ),
            (
                "bytes too many",
                {
                    [whole(&[("Content-Length", &length)], body()), b"HTTP/1.1 200".to_vec()]
                        .concat()
                },
                false,
            ),
        ];
        for (form, bytes, again) in table {
            let fake = OpenAi::new();
            fake.on(openai::CHAT, vec![Act::Send(bytes)]);
            let gateway = gateway(&fake).await;
            // Its probe leaves a connection behind, which the first request takes.
            gateway.until_reach("cloud", "up").await;
            for _ in 0..2 {
                gateway.chat("one", "hello").await.expect(200);
            }
            let nth: Vec<usize> = fake.seen(openai::CHAT).iter().map(|seen| seen.nth).collect();
            assert_eq!(nth.len(), 2, "{form}");
            assert_eq!(nth[1] > nth[0], again, "{form}: {nth:?}");
        }
    });
}

#[test]
fn a_configured_header_stands_in_the_place_of_ours() {
    run(async {
        let fake = OpenAi::saying(SAID);
        let table =
            fake.table("cloud", "cloud", "headers = { User-Agent = \"mine/1\", X-Team = \"a\" }");
        let gateway = Gateway::with(&(table + &alias("one", &["cloud/x"]))).await;
        gateway.chat("one", "hello").await.expect(200);
        let head = fake.seen(openai::CHAT)[0].head.to_ascii_lowercase();
        for (name, value) in
            [("user-agent", "mine/1"), ("x-team", "a"), ("accept-encoding", "identity")]
        {
            let lines = head.lines().filter(|line| line.starts_with(&format!("{name}:")));
            assert_eq!(lines.collect::<Vec<_>>(), [format!("{name}: {value}")], "{head}");
        }
    });
}
