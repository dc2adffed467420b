//! The way to a provider: names that do not resolve, captive portals, certificates.

use std::path::Path;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;

use crate::support::tls::Authority;
use crate::support::{
    Fake, Folder, Gateway, NO_RETRY, OpenAi, Pair, QUICK, alias, openai, reply, run, until,
};

#[test]
fn a_name_that_does_not_resolve_is_passed_over() {
    run(async {
        for stream in [false, true] {
            let table = openai::table("first", "http://edgehold-test.invalid:8080/v1", "cloud", "");
            let pair = Pair::new(&table).await;
            let answer = pair.ask_both(stream).await;
            pair.assert_second(&answer, stream, "DNS");
            let reach = pair.provider("first").await;
            assert_eq!(reach["reach"], "down", "{reach}");
            assert!(reach["why"].as_str().is_some_and(|why| !why.is_empty()), "{reach}");
        }
    });
}

#[test]
fn a_captive_portal_is_never_a_result() {
    run(async {
        let elsewhere = Fake::new();
        let login = format!("http://{}/login", elsewhere.address);
        for acts in [reply::page(), reply::redirect(&login)] {
            for stream in [false, true] {
                let first = OpenAi::new();
                first.on("", acts.clone());
                first.on("/v1/models", acts.clone());
                first.on(openai::CHAT, acts.clone());
                let tables = first.cloud("first") + &alias("one", &["first/tiny"]) + NO_RETRY;
                let gateway = Gateway::with(&tables).await;
                let answer = match stream {
                    true => gateway.chat_stream("one", "hello").await,
                    false => gateway.chat("one", "hello").await,
                };
                let refused = answer.expect(503);
                assert_eq!(refused.error().0, "no_target_available");
                until("the portal is noticed", async || {
                    (gateway.status().await["connectivity"] == "captive").then_some(())
                })
                .await;
            }
        }
        assert_eq!(
            (elsewhere.connections(), elsewhere.bytes()),
            (0, 0),
            "redirects are not followed"
        );
    });
}

#[test]
fn a_portals_page_from_a_local_provider_says_nothing_of_the_cloud() {
    run(async {
        let first = OpenAi::new();
        first.on(openai::CHAT, reply::page());
        let pair = Pair::new(&first.table("first", "local", "")).await;
        pair.assert_second(&pair.ask_both(false).await, false, "a page");
        assert_ne!(pair.status().await["connectivity"], "captive");
    });
}

/// A provider behind TLS, as `localhost`, and the file of the authority that is trusted.
fn behind_tls(acceptor: TlsAcceptor, place: &str, ca_file: &Path) -> (OpenAi, String) {
    let fake = OpenAi::on_fake(Fake::with_tls(acceptor));
    fake.says("over TLS");
    let address = format!("https://localhost:{}/v1", fake.port());
    let ca_file = format!("ca_file = \"{}\"", ca_file.display());
    let table = openai::table("first", &address, place, &ca_file);
    (fake, table)
}

#[test]
fn a_right_certificate_is_taken() {
    run(async {
        let (authority, folder) = (Authority::new(), Folder::new());
        let ca_file = authority.write(&folder.0);
        let (fake, table) = behind_tls(authority.server("localhost"), "cloud", &ca_file);
        let pair = Pair::with(&table, "").await;
        for stream in [false, true] {
            let answer = pair.ask_both(stream).await.expect(200);
            assert_eq!(answer.header("x-edgehold-target"), Some("first/tiny"));
        }
        assert!(fake.bytes() > 0);
        assert_eq!(fake.handshakes_failed(), 0);
    });
}

/// Asks a first provider behind this server, and wants the second one's answer. Returns how the
/// way to the first one stands then, the pair, and the fake.
async fn wrong_certificate(
    fault: &str,
    server: TlsAcceptor,
    place: &str,
    ca: &Path,
) -> (Value, Pair, OpenAi) {
    let (fake, table) = behind_tls(server, place, ca);
    let pair = Pair::new(&table).await;
    pair.assert_second(&pair.ask_both(false).await, false, fault);
    assert!(fake.handshakes_failed() > 0, "{fault}: it was tried");
    assert_eq!((fake.bytes(), fake.chats()), (0, 0), "{fault}: no byte of the request");
    (pair.provider("first").await, pair, fake)
}

#[test]
fn a_strangers_certificate_is_a_portals_in_the_cloud_and_none_on_the_lan() {
    run(async {
        let (authority, stranger, folder) = (Authority::new(), Authority::new(), Folder::new());
        let ca_file = authority.write(&folder.0);
        for (place, reach, words) in
            [("cloud", "captive", "captive portal"), ("local", "down", "TLS")]
        {
            let servers = [
                ("wrong name", authority.server("portal.example")),
                ("unknown authority", stranger.server("localhost")),
                ("self-signed", Authority::self_signed("localhost")),
            ];
            for (fault, server) in servers {
                let (first, pair, _fake) = wrong_certificate(fault, server, place, &ca_file).await;
                assert_eq!(first["reach"], reach, "{fault}: {first}");
                let why = first["why"].as_str().unwrap_or_default();
                assert!(why.starts_with(words), "{fault}: {why}");
                assert_eq!(why.contains("sign-in page"), place == "cloud", "{fault}: {why}");
                assert_ne!(
                    pair.target("first/tiny").await["state"],
                    "open",
                    "no breaker's business"
                );
                let refused = pair.chat("one", "hello").await.expect(503);
                assert_eq!(refused.error().0, "no_target_available", "{fault}");
            }
        }
    });
}

#[test]
fn a_certificate_that_is_not_valid_now_points_at_the_clock() {
    run(async {
        let (authority, folder) = (Authority::new(), Folder::new());
        let ca_file = authority.write(&folder.0);
        for place in ["cloud", "local"] {
            let servers = [
                ("not valid yet", authority.not_yet("localhost")),
                ("expired", authority.expired("localhost")),
            ];
            for (fault, server) in servers {
                let (first, pair, _fake) = wrong_certificate(fault, server, place, &ca_file).await;
                assert_eq!(first["reach"], "down", "{fault}: {first}");
                let why = first["why"].as_str().unwrap_or_default();
                assert!(why.starts_with("certificate not valid now: is the clock right?"), "{why}");
                assert!(why.contains(fault), "{fault}: {why}");
                assert_ne!(
                    pair.target("first/tiny").await["state"],
                    "open",
                    "no breaker's business"
                );
                let clock = pair.status().await["clock"].clone();
                assert_eq!(clock["suspect"], true, "{fault}: {clock}");
                let why = clock["why"].as_str().unwrap_or_default();
                assert!(why.contains("first") && why.contains(fault), "{fault}: {why}");
                let page = pair.page().await;
                assert!(page.contains("The clock may be wrong"), "{page}");
                let refused = pair.chat("one", "hello").await.expect(503);
                assert!(refused.error().1.contains("is the clock right?"), "{}", refused.text());
            }
        }
    });
}

#[test]
fn a_clock_that_is_right_is_not_suspected() {
    run(async {
        let (authority, folder) = (Authority::new(), Folder::new());
        let (fake, table) =
            behind_tls(authority.server("localhost"), "cloud", &authority.write(&folder.0));
        let pair = Pair::with(&table, "").await;
        pair.ask_both(false).await.expect(200);
        let clock = pair.status().await["clock"].clone();
        assert_eq!((&clock["suspect"], &clock["why"]), (&false.into(), &Value::Null), "{clock}");
        assert!(clock["floor"].as_u64() > Some(1_700_000_000), "the build's time: {clock}");
        assert!(clock["now"].as_u64() >= clock["floor"].as_u64(), "{clock}");
        assert_eq!(fake.handshakes_failed(), 0);
    });
}

#[test]
fn the_built_in_roots_do_not_know_a_self_signed_authority() {
    run(async {
        let authority = Authority::new();
        let fake = OpenAi::on_fake(Fake::with_tls(authority.server("localhost")));
        fake.says("never");
        let table =
            openai::table("first", &format!("https://localhost:{}/v1", fake.port()), "cloud", "");
        let pair = Pair::new(&table).await;
        pair.assert_second(&pair.ask_both(true).await, true, "self-signed");
        assert_eq!(fake.bytes(), 0);
        assert_eq!(pair.provider("first").await["reach"], "captive");
    });
}

#[test]
fn a_server_that_speaks_no_tls_is_passed_over() {
    run(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("https://localhost:{}/v1", listener.local_addr().unwrap().port());
        let answering = async move {
            while let Ok((mut plain, _)) = listener.accept().await {
                plain
                    .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                    .await
                    .ok();
            }
        };
        let task = tokio::spawn(answering).abort_handle();
        let pair = Pair::new(&openai::table("first", &address, "cloud", "")).await;
        pair.assert_second(&pair.ask_both(false).await, false, "plain");
        task.abort();
    });
}

#[test]
fn a_handshake_that_hangs_ends_with_the_connect_deadline() {
    run(async {
        // It accepts, and never says a word.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("https://localhost:{}/v1", listener.local_addr().unwrap().port());
        let table = openai::table("first", &address, "cloud", "");
        let quick = QUICK.replace("connect = \"3s\"", "connect = \"300ms\"");
        let pair = Pair::with(&table, &quick).await;
        let answer = pair.ask_both(false).await;
        pair.assert_second(&answer, false, "hung handshake");
        assert_eq!(pair.provider("first").await["reach"], "down");
    });
}
