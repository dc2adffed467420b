//! HTTP itself: methods, lengths, kept connections, pipelines, Unix sockets.

use std::os::unix::fs::PermissionsExt;

use crate::support::http::{find, request};
use crate::support::{
    Conn, Gateway, NO_RETRY, Ollama, OpenAi, Setup, Stream, alias, openai, run, until_true,
};

async fn gateway() -> (OpenAi, Gateway) {
    let fake = OpenAi::saying("fine");
    let gateway =
        Gateway::with(&(fake.cloud("cloud") + &alias("big", &["cloud/x"]) + NO_RETRY)).await;
    (fake, gateway)
}

const PAGES: [&str; 6] = ["/healthz", "/readyz", "/status", "/metrics", "/", "/v1/models"];

#[test]
fn every_answer_that_is_no_stream_has_its_length() {
    run(async {
        let (_fake, gateway) = gateway().await;
        let mut answers = Vec::new();
        for path in PAGES.into_iter().chain(["/v1/models/big", "/v1/models/nobody", "/nowhere"]) {
            answers.push(gateway.get(path).await);
        }
        answers.push(gateway.chat("big", "x").await);
        answers.push(gateway.chat("nobody", "x").await);
        answers.push(gateway.ask("POST", "/v1/ask?model=big", &[], b"x").await);
        answers.push(gateway.ask("DELETE", "/healthz", &[], b"").await);
        answers
            .push(gateway.ask("POST", openai::CHAT, &[("Content-Type", "text/plain")], b"x").await);
        for answer in answers {
            let length = answer.header("content-length").map(str::parse);
            assert_eq!(length, Some(Ok(answer.body.len())), "{:?}", answer.head);
            assert!(answer.header("content-type").is_some(), "{:?}", answer.head);
            assert!(answer.header("x-request-id").is_some(), "{:?}", answer.head);
            assert!(answer.header("transfer-encoding").is_none(), "{:?}", answer.head);
        }
    });
}

#[test]
fn the_pages_are_what_they_say() {
    run(async {
        let (_fake, gateway) = gateway().await;
        assert_eq!(gateway.get("/healthz").await.expect(200).text(), "ok\n");
        gateway.get("/readyz").await.expect(200);
        assert_eq!(gateway.get("/").await.expect(200).text(), "Ollama is running");
        let page = gateway.ask("GET", "/", &[("Accept", "text/html,*/*")], b"").await.expect(200);
        assert!(page.header("content-type").is_some_and(|it| it.starts_with("text/html")));
        assert!(
            page.text().contains("edgehold") && page.text().contains("cloud"),
            "{}",
            page.text()
        );
        let status = gateway.status().await;
        for field in [
            "version",
            "target",
            "uptime_seconds",
            "state",
            "connectivity",
            "memory",
            "providers",
            "targets",
            "connections",
            "streams",
            "config",
        ] {
            assert!(status.get(field).is_some(), "{field}: {status}");
        }
        assert_eq!(status["state"], "ready");
        for field in [
            "cap_bytes",
            "budget_bytes",
            "reserved_bytes",
            "peak_bytes",
            "resident_bytes",
            "shed_total",
        ] {
            assert!(status["memory"][field].is_u64(), "{field}: {status}");
        }
        let provider = gateway.provider("cloud").await;
        assert_eq!((&provider["kind"], &provider["place"]), (&"openai".into(), &"cloud".into()));
        assert_eq!(gateway.target("cloud/x").await["state"], "ready");
        assert!(
            status["config"]["source"].as_str().is_some_and(|it| it.ends_with("edgehold.toml"))
        );
    });
}

#[test]
fn the_metrics_are_in_prometheus_form() {
    run(async {
        let (_fake, gateway) = gateway().await;
        gateway.chat("big", "x").await.expect(200);
        gateway.chat_stream("big", "x").await.expect(200);
        let answer = gateway.get("/metrics").await.expect(200);
        assert!(
            answer
                .header("content-type")
                .is_some_and(|it| it.starts_with("text/plain; version=0.0.4"))
        );
        let text = answer.text();
        assert!(text.ends_with('\n'));
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let name = series.split('{').next().unwrap();
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|it| name.strip_suffix(it))
                .unwrap_or(name);
            assert!(
                text.contains(&format!("# TYPE {family} "))
                    || text.contains(&format!("# TYPE {name} ")),
                "{name} has no type"
            );
        }
        for name in [
            "gen_ai_client_operation_duration_seconds_count",
            "gen_ai_server_time_to_first_token_seconds_count",
            "gen_ai_client_token_usage_count",
            "process_resident_memory_bytes",
        ] {
            assert!(gateway.metric(name).await > 0.0, "{name}: {text}");
        }
    });
}

#[test]
fn head_has_the_length_and_no_body() {
    run(async {
        let (_fake, gateway) = gateway().await;
        for path in PAGES {
            let whole = gateway.get(path).await;
            let mut conn = gateway.conn().await;
            conn.send(&request("HEAD", path, &gateway.host(), &[], b"")).await.unwrap();
            let head = conn.answer(true).await.unwrap();
            assert_eq!(head.status(), whole.status(), "{path}");
            assert!(head.header("content-length").is_some(), "{path}");
            if matches!(path, "/healthz" | "/readyz" | "/v1/models") {
                assert_eq!(head.header("content-length"), whole.header("content-length"), "{path}");
            }
            // The next answer begins where the head ended: there was no body.
            conn.send(&request("GET", "/healthz", &gateway.host(), &[], b"")).await.unwrap();
            assert_eq!(conn.answer(false).await.unwrap().expect(200).text(), "ok\n", "{path}");
        }
    });
}

#[test]
fn wrong_methods_and_paths_are_told_what_exists() {
    run(async {
        let (_fake, gateway) = gateway().await;
        let table = [
            ("GET", openai::CHAT, "POST"),
            ("PUT", openai::CHAT, "POST"),
            ("GET", "/v1/ask", "POST"),
            ("HEAD", "/v1/ask", "POST"),
            ("POST", "/v1/models", "GET"),
            ("DELETE", "/healthz", "GET"),
            ("PATCH", "/status", "GET"),
            ("BREW", "/metrics", "GET"),
        ];
        for (method, path, allowed) in table {
            let answer = gateway.ask(method, path, &[], b"").await.expect(405);
            let allow = answer.header("allow").unwrap_or_default();
            assert!(allow.split(", ").any(|it| it == allowed), "{method} {path}: {allow}");
        }
        for path in
            ["/nowhere", "/v1/chat/completions/", "/v1/chat", "/v2/chat/completions", "/V1/models"]
        {
            let message = gateway.get(path).await.expect(404).error().1;
            assert!(message.contains("/v1/chat/completions"), "{message}");
        }
        for (path, allowed) in [(openai::CHAT, "POST"), ("/healthz", "GET")] {
            let answer = gateway.ask("OPTIONS", path, &[], b"").await;
            assert!(matches!(answer.status(), 200 | 204), "{path}");
            assert!(answer.header("allow").is_some_and(|it| it.contains(allowed)), "{path}");
        }
    });
}

#[test]
fn a_connection_is_kept_for_many_requests() {
    run(async {
        let (_fake, gateway) = gateway().await;
        let mut conn = gateway.conn().await;
        for round in 0..20 {
            conn.send(&gateway.chat_bytes("big", "x", round % 2 == 0)).await.unwrap();
            let answer = conn.answer(false).await.unwrap().expect(200);
            assert!(answer.whole);
            conn.send(&request("GET", "/nowhere", &gateway.host(), &[], b"")).await.unwrap();
            conn.answer(false).await.unwrap().expect(404);
        }
        let close = [("Connection", "close")];
        conn.send(&request("GET", "/healthz", &gateway.host(), &close, b"")).await.unwrap();
        conn.answer(false).await.unwrap().expect(200);
        assert!(conn.read_to_end().await.is_empty());
    });
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    run(async {
        let (fake, gateway) = gateway().await;
        let mut bytes = Vec::new();
        for _ in 0..5 {
            bytes.extend(gateway.chat_bytes("big", "x", true));
            bytes.extend(request("GET", "/healthz", &gateway.host(), &[], b""));
        }
        let mut conn = gateway.conn().await;
        conn.send(&bytes).await.unwrap();
        for _ in 0..5 {
            conn.answer(false).await.unwrap().expect(200).stream().assert_whole();
            assert_eq!(conn.answer(false).await.unwrap().expect(200).text(), "ok\n");
        }
        assert_eq!((fake.chats(), fake.peak(openai::CHAT)), (5, 1));
    });
}

#[test]
fn a_client_may_ask_before_it_sends_its_body() {
    run(async {
        let (_fake, gateway) = gateway().await;
        let whole = gateway.chat_bytes("big", "x", false);
        let cut = find(&whole, b"\r\n\r\n").unwrap();
        let mut conn = gateway.conn().await;
        conn.send(&whole[..cut]).await.unwrap();
        conn.send(b"\r\nExpect: 100-continue\r\n\r\n").await.unwrap();
        assert_eq!(conn.head().await.unwrap().status, 100);
        conn.send(&whole[cut + 4..]).await.unwrap();
        assert_eq!(conn.answer(false).await.unwrap().expect(200).content(), "fine");
        // What is refused is refused before the body is sent.
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
            openai::CHAT,
            gateway.host()
        );
        let mut conn = gateway.conn().await;
        conn.send(head.as_bytes()).await.unwrap();
        assert_eq!(conn.head().await.unwrap().status, 415);
    });
}

#[test]
fn an_old_client_gets_an_old_answer() {
    run(async {
        let (_fake, gateway) = gateway().await;
        let body = openai::request("big", "x", false).to_string();
        let bytes = format!(
            "POST {} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            openai::CHAT,
            gateway.host(),
            body.len()
        );
        let mut conn = gateway.conn().await;
        conn.send(bytes.as_bytes()).await.unwrap();
        let answer = conn.answer(false).await.unwrap().expect(200);
        assert!(answer.whole && answer.header("transfer-encoding").is_none());
        assert!(conn.read_to_end().await.is_empty(), "and its connection ends");
    });
}

#[test]
fn a_client_that_sends_no_more_still_gets_its_answer() {
    run(async {
        let local = Ollama::saying("here you are");
        let gateway =
            Gateway::with(&(local.local("local") + &alias("small", &["local/tiny"]))).await;
        let mut conn = gateway.conn().await;
        conn.send(&request("GET", "/healthz", &gateway.host(), &[("Connection", "close")], b""))
            .await
            .unwrap();
        conn.finish_sending().await;
        conn.answer(false).await.unwrap().expect(200);
    });
}

#[test]
fn a_unix_socket_serves_as_well() {
    run(async {
        let fake = OpenAi::saying("fine");
        let setup = Setup::new(&(fake.cloud("cloud") + &alias("big", &["cloud/x"])))
            .listen("\"127.0.0.1:PORT\", \"unix:FOLDER/http.sock\"")
            .server("socket_mode = \"0600\"");
        let path = setup.folder().0.join("http.sock");
        let mut gateway = setup.start().await;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for host in ["localhost", "edgehold", &gateway.host()] {
            let mut conn = Conn::unix(&path).await;
            let body = openai::request("big", "x", true).to_string();
            let json = [("Content-Type", "application/json")];
            conn.send(&request("POST", openai::CHAT, host, &json, body.as_bytes())).await.unwrap();
            Stream::begin(conn).await.rest().await.assert_whole();
        }
        gateway.signal("TERM");
        assert_eq!(gateway.exit_code().await, Some(0));
        until_true("the socket is removed", || !path.exists()).await;
    });
}

#[test]
fn a_request_id_of_the_client_is_kept_if_it_is_fit() {
    run(async {
        let (_fake, gateway) = gateway().await;
        let id = |answer: crate::support::Answer| answer.header("x-request-id").unwrap().to_owned();
        let mine = gateway.ask("GET", "/healthz", &[("X-Request-Id", "abc-123_X")], b"").await;
        assert_eq!(id(mine), "abc-123_X");
        for unfit in ["a b", "<script>", &"x".repeat(300)] {
            let answer = gateway.ask("GET", "/healthz", &[("X-Request-Id", unfit)], b"").await;
            assert_ne!(id(answer), unfit);
        }
        let (one, two) = (gateway.get("/healthz").await, gateway.get("/healthz").await);
        assert_ne!(id(one), id(two));
    });
}
