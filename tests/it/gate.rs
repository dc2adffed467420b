//! Who may ask: Host, Origin, tokens, content types; and where the gateway may listen.

use crate::support::http::request;
use crate::support::{Gateway, NO_RETRY, OpenAi, Setup, alias, openai, run};

async fn with_server(lines: &str) -> (OpenAi, Gateway) {
    let fake = OpenAi::saying("fine");
    let tables = fake.cloud("cloud") + &alias("big", &["cloud/x"]) + NO_RETRY;
    let gateway = Setup::new(&tables).server(lines).start().await;
    (fake, gateway)
}

#[test]
fn host_must_be_a_name_of_the_gateway() {
    run(async {
        let (fake, gateway) = with_server("hosts = [\"edge.example\", \"box.lan:8080\"]").await;
        let port = gateway.port;
        let table = [
            (format!("127.0.0.1:{port}"), 200),
            (format!("localhost:{port}"), 200),
            (format!("LOCALHOST:{port}"), 200),
            (format!("[::1]:{port}"), 200),
            (format!("edge.example:{port}"), 200),
            (format!("Edge.Example:{port}"), 200),
            ("box.lan:8080".to_owned(), 200),
            ("localhost".to_owned(), 421),
            ("127.0.0.1".to_owned(), 421),
            (format!("127.0.0.1:{}", port.wrapping_add(1)), 421),
            (format!("0.0.0.0:{port}"), 421),
            (format!("127.0.0.2:{port}"), 421),
            (format!("127.1:{port}"), 421),
            (format!("2130706433:{port}"), 421),
            (format!("evil.local:{port}"), 421),
            (format!("evil.example:{port}"), 421),
            (format!("localhost.evil.example:{port}"), 421),
            (format!("edge.example.evil.example:{port}"), 421),
            (format!("xedge.example:{port}"), 421),
            (format!("box.lan:{port}"), 421),
            (format!("localhost.:{port}"), 421),
            (format!("user@localhost:{port}"), 421),
            (format!("192.168.1.1:{port}"), 421),
            (format!("evil.internal:{port}"), 421),
        ];
        for (host, status) in table {
            let mut conn = gateway.conn().await;
            conn.send(&request("GET", "/v1/models", &host, &[], b"")).await.unwrap();
            let answer = conn.answer(false).await.unwrap();
            let refused = matches!(answer.status(), 400 | 421);
            assert!(
                answer.status() == status || (status == 421 && refused),
                "{host}: {:?}",
                answer.head
            );
        }
        let empty = [("Host", "")];
        assert_eq!(gateway.ask("GET", "/status", &empty, b"").await.status(), 400);
        assert_eq!(fake.chats(), 0);
    });
}

#[test]
fn an_absolute_address_must_agree_with_host() {
    run(async {
        let (_fake, gateway) = with_server("").await;
        let host = gateway.host();
        for (path, status) in [
            (format!("http://{host}/healthz"), 200),
            ("http://evil.example/healthz".to_owned(), 400),
            (format!("http://evil.example:{}/healthz", gateway.port), 400),
        ] {
            let answer = gateway.ask("GET", &path, &[], b"").await;
            let refused = matches!(answer.status(), 400 | 421);
            assert!(
                answer.status() == status || (status == 400 && refused),
                "{path}: {:?}",
                answer.head
            );
        }
    });
}

#[test]
fn pages_of_another_origin_are_refused() {
    run(async {
        let (fake, gateway) = with_server("").await;
        let own = format!("http://{}", gateway.host());
        let table: [(&str, &str, u16); 12] = [
            ("Origin", &own, 200),
            ("Origin", "http://evil.example", 403),
            ("Origin", "https://evil.example", 403),
            ("Origin", "null", 403),
            ("Origin", "http://localhost", 403),
            ("Origin", "http://localhost:3000", 403),
            ("Origin", "file://", 403),
            ("Origin", &own.replace("http", "https"), 403),
            ("Sec-Fetch-Site", "cross-site", 403),
            ("Sec-Fetch-Site", "same-site", 403),
            ("Sec-Fetch-Site", "same-origin", 200),
            ("Sec-Fetch-Site", "none", 200),
        ];
        for (name, value, status) in table {
            let answer = gateway.chat_with("big", "hello", &[(name, value)]).await;
            assert_eq!(answer.status(), status, "{name}: {value}");
            let cors = answer
                .head
                .headers
                .iter()
                .find(|(name, _)| name.to_lowercase().starts_with("access-control"));
            assert_eq!(cors, None, "no CORS");
            let page = gateway.ask("GET", "/status", &[(name, value)], b"").await;
            assert_eq!(page.status(), status, "GET, {name}: {value}");
        }
        assert_eq!(fake.chats(), 3);
    });
}

#[test]
fn a_preflight_opens_nothing() {
    run(async {
        let (_fake, gateway) = with_server("").await;
        let headers =
            [("Origin", "http://evil.example"), ("Access-Control-Request-Method", "POST")];
        let answer = gateway.ask("OPTIONS", openai::CHAT, &headers, b"").await;
        assert!(answer.status() == 403 || answer.status() == 204);
        assert!(answer.header("access-control-allow-origin").is_none());
    });
}

#[test]
fn a_token_is_wanted_where_clients_are_configured() {
    run(async {
        let fake = OpenAi::saying("fine");
        let setup = Setup::new(&(fake.cloud("cloud") + &alias("big", &["cloud/x"])));
        let one = setup.folder().write("one", "token-number-one-is-long\n");
        let two = setup.folder().write("two", "token-number-two-is-long\n");
        let clients = format!(
            "[[clients]]\nname = \"one\"\ntoken = {{ file = \"{}\" }}\n[[clients]]\nname = \"two\"\ntoken = {{ file = \"{}\" }}\n",
            one.display(),
            two.display()
        );
        let gateway = setup.tables(&clients).start().await;
        let table = [
            ("Authorization", "Bearer token-number-one-is-long", 200),
            ("Authorization", "bearer token-number-two-is-long", 200),
            ("Authorization", "Bearer token-number-one-is-lon", 401),
            ("Authorization", "Bearer token-number-one-is-longer", 401),
            ("Authorization", "Bearer TOKEN-NUMBER-ONE-IS-LONG", 401),
            ("Authorization", "Bearer ", 401),
            ("Authorization", "Basic dG9rZW4=", 401),
            ("Authorization", "token-number-one-is-long", 401),
            ("X-Nothing", "x", 401),
        ];
        for (name, value, status) in table {
            let answer = gateway.chat_with("big", "hello", &[(name, value)]).await;
            assert_eq!(answer.status(), status, "{name}: {value}");
            if status == 401 {
                assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
                assert!(!answer.text().contains("token-number"));
            }
        }
        for (path, status) in [
            ("/healthz", 200),
            ("/status", 401),
            ("/metrics", 401),
            ("/v1/models", 401),
            ("/", 401),
            ("/nowhere", 401),
        ] {
            assert_eq!(gateway.get(path).await.status(), status, "{path}");
        }
        assert_eq!(fake.chats(), 2);
    });
}

#[test]
fn only_json_is_taken_where_json_is_wanted() {
    run(async {
        let (fake, gateway) = with_server("").await;
        let body = openai::request("big", "hello", false).to_string();
        let table: [(&[(&str, &str)], u16); 9] = [
            (&[("Content-Type", "application/json")], 200),
            (&[("Content-Type", "Application/JSON; charset=utf-8")], 200),
            (&[], 415),
            (&[("Content-Type", "text/plain")], 415),
            (&[("Content-Type", "application/x-www-form-urlencoded")], 415),
            (&[("Content-Type", "multipart/form-data; boundary=x")], 415),
            (&[("Content-Type", "application/jsonp")], 415),
            (&[("Content-Type", "application/json"), ("Content-Encoding", "gzip")], 415),
            (&[("Content-Type", "application/json"), ("Content-Encoding", "zstd")], 415),
        ];
        for (headers, status) in table {
            let answer = gateway.ask("POST", openai::CHAT, headers, body.as_bytes()).await;
            assert_eq!(answer.status(), status, "{headers:?}: {}", answer.text());
            gateway.ask("POST", openai::EMBEDDINGS, headers, b"x").await;
        }
        assert_eq!(fake.chats(), 2);
    });
}

#[test]
fn nothing_that_changes_an_ollama_reaches_it() {
    run(async {
        let (fake, gateway) = with_server("").await;
        for path in [
            "/api/create",
            "/api/pull",
            "/api/push",
            "/api/copy",
            "/api/delete",
            "/api/blobs/sha256:00",
        ] {
            for method in ["POST", "DELETE", "PUT", "GET", "HEAD"] {
                let head_only = method == "HEAD";
                let answer =
                    gateway.ask(method, path, &[("Content-Type", "application/json")], b"{}").await;
                let answer = answer.expect(403);
                let why =
                    |text: &str| text.contains(path) && text.contains("ask the Ollama itself");
                assert!(head_only || answer.json()["error"].as_str().is_some_and(why), "{path}");
            }
        }
        for path in ["/api/../api/pull", "//api/pull", "/v1/../api/pull", "/api/tags/../pull"] {
            for method in ["POST", "DELETE", "PUT", "GET"] {
                let answer =
                    gateway.ask(method, path, &[("Content-Type", "application/json")], b"{}").await;
                assert!(
                    matches!(answer.status(), 404 | 405 | 400),
                    "{method} {path}: {:?}",
                    answer.head
                );
            }
        }
        assert_eq!(fake.count(""), fake.count("/v1/models"));
    });
}

#[test]
fn other_machines_are_let_in_only_with_tokens() {
    run(async {
        let fake = OpenAi::saying("fine");
        for address in ["\"0.0.0.0:PORT\"", "\"[::]:PORT\"", "\"127.0.0.1:PORT\", \"0.0.0.0:PORT\""]
        {
            let mut gateway = Setup::new(&fake.cloud("cloud")).listen(address).spawn();
            assert_eq!(gateway.exit_code().await, Some(78), "{address}");
            assert!(gateway.log().contains("clients"), "{}", gateway.log());
        }
        let setup = Setup::new(&fake.cloud("cloud")).listen("\"0.0.0.0:PORT\"");
        let token = setup.folder().write("token", "token-number-one-is-long\n");
        let clients =
            format!("[[clients]]\nname = \"one\"\ntoken = {{ file = \"{}\" }}\n", token.display());
        let gateway = setup.tables(&clients).start().await;
        assert_eq!(gateway.get("/status").await.status(), 401);
    });
}
