//! Signals, drain and reload.

use std::fs;

use crate::support::{
    Act, Gateway, NO_RETRY, OpenAi, Setup, alias, openai, reply, run, until, until_true,
};

/// A provider whose streams begin, and end when they are released.
fn held() -> OpenAi {
    let fake = OpenAi::new();
    let rest = openai::frames("and done").split_off(1).concat();
    fake.on(
        openai::CHAT,
        vec![
            openai::begun("begun "),
            Act::Stall,
            Act::Send([reply::chunk(rest.as_bytes()), b"0\r\n\r\n".to_vec()].concat()),
        ],
    );
    fake
}

fn tables(fake: &OpenAi) -> String {
    fake.cloud("cloud") + &alias("big", &["cloud/x"]) + NO_RETRY
}

#[test]
fn a_stop_lets_a_running_stream_end() {
    run(async {
        for signal in ["TERM", "INT"] {
            let fake = held();
            let mut gateway = Setup::new(&tables(&fake)).server("grace = \"60s\"").start().await;
            let mut stream = gateway.open("big", "hello").await;
            assert_eq!(stream.first_text().await, "begun ");
            gateway.signal(signal);
            let port = gateway.port;
            until("new connections are refused", async || {
                tokio::net::TcpStream::connect(("127.0.0.1", port)).await.err()
            })
            .await;
            assert!(gateway.is_running());
            fake.release();
            let rest = stream.rest().await;
            rest.assert_whole();
            assert_eq!(rest.text, "and done");
            assert_eq!(gateway.exit_code().await, Some(0));
        }
    });
}

#[test]
fn an_idle_gateway_stops_at_once() {
    run(async {
        let fake = OpenAi::saying("fine");
        let mut gateway = Setup::new(&tables(&fake)).server("grace = \"10m\"").start().await;
        // A kept connection without a request is no reason to wait.
        let mut conn = gateway.conn().await;
        conn.send(&gateway.chat_bytes("big", "x", false)).await.unwrap();
        conn.answer(false).await.unwrap().expect(200);
        gateway.signal("TERM");
        assert_eq!(gateway.exit_code().await, Some(0));
        assert!(conn.read_to_end().await.is_empty());
    });
}

#[test]
fn who_was_let_in_is_answered_also_when_it_stops() {
    run(async {
        let fake = OpenAi::saying("fine");
        let mut gateway = Setup::new(&tables(&fake)).start().await;
        // It has been taken, and has not said anything yet.
        let mut conn = gateway.conn().await;
        until("it is taken", async || (gateway.status().await["connections"] == 2).then_some(()))
            .await;
        let silent = gateway.conn().await;
        gateway.signal("TERM");
        until_true("it is stopping", || gateway.log().contains("stopping")).await;
        conn.send(&gateway.chat_bytes("big", "x", false)).await.unwrap();
        assert_eq!(conn.answer(false).await.unwrap().expect(200).content(), "fine");
        // One that says nothing is not waited for.
        assert_eq!(gateway.exit_code().await, Some(0));
        drop(silent);
    });
}

#[test]
fn a_second_stop_does_not_wait() {
    run(async {
        let fake = held();
        let mut gateway = Setup::new(&tables(&fake)).server("grace = \"10m\"").start().await;
        let mut stream = gateway.open("big", "hello").await;
        stream.first_text().await;
        gateway.signal("TERM");
        until_true("it is stopping", || gateway.log().contains("stopping")).await;
        assert!(gateway.is_running());
        gateway.signal("TERM");
        gateway.exit_code().await;
        let rest = stream.rest().await;
        assert!(!rest.done, "a clean end of half an answer: {rest:?}");
        fake.until_gone(1).await;
    });
}

#[test]
fn the_grace_ends() {
    run(async {
        let fake = held();
        let mut gateway = Setup::new(&tables(&fake)).server("grace = \"300ms\"").start().await;
        let mut stream = gateway.open("big", "hello").await;
        stream.first_text().await;
        gateway.signal("TERM");
        gateway.exit_code().await;
        assert!(!stream.rest().await.done);
    });
}

#[test]
fn a_reload_brings_new_names() {
    run(async {
        let (one, two) = (OpenAi::saying("one"), OpenAi::saying("two"));
        let gateway = Gateway::with(&tables(&one)).await;
        gateway.chat("new", "x").await.expect(404);
        gateway.rewrite(&(two.cloud("other") + &alias("new", &["other/x"])));
        gateway.signal("HUP");
        let answer = until("the new name is there", async || {
            let answer = gateway.chat("new", "x").await;
            (answer.status() == 200).then_some(answer)
        })
        .await;
        assert_eq!(answer.content(), "two");
        gateway.chat("big", "x").await.expect(404);
        assert!(gateway.status().await["config"]["reload_error"].is_null());
    });
}

#[test]
fn a_reload_breaks_no_running_stream() {
    run(async {
        let (fake, two) = (held(), OpenAi::saying("two"));
        let gateway = Gateway::with(&tables(&fake)).await;
        let mut stream = gateway.open("big", "hello").await;
        stream.first_text().await;
        gateway.rewrite(&tables(&two));
        gateway.signal("HUP");
        until("the new target answers", async || {
            let answer = gateway.chat_with("big", "x", &[("X-Edgehold-Timeout", "2s")]).await;
            (answer.status() == 200 && answer.content() == "two").then_some(())
        })
        .await;
        fake.release();
        stream.rest().await.assert_whole();
    });
}

#[test]
fn a_bad_file_changes_nothing_and_is_told() {
    run(async {
        let fake = OpenAi::saying("fine");
        let gateway = Gateway::with(&tables(&fake)).await;
        let good = fs::read_to_string(&gateway.config).unwrap();
        let bad = [
            good.clone() + "[nonsense]\nx = 1\n",
            good.replace("cloud/x", "nobody/x"),
            "this is no TOML".to_owned(),
        ];
        for text in bad {
            fs::write(&gateway.config, &text).unwrap();
            gateway.signal("HUP");
            let error = until("the error is told", async || {
                let error = gateway.status().await["config"]["reload_error"].clone();
                error.as_str().map(str::to_owned)
            })
            .await;
            assert!(error.contains("edgehold.toml:"), "file and line: {error}");
            let config = gateway.status().await["config"].clone();
            assert!(
                config["reload_failed_at"].as_u64() >= config["loaded_at"].as_u64(),
                "{config}"
            );
            assert!(gateway.page().await.contains("The last reload failed ("));
            assert_eq!(gateway.metric("edgehold_config_last_reload_successful").await, 0.0);
            assert_eq!(gateway.chat("big", "x").await.expect(200).content(), "fine");
            fs::write(&gateway.config, &good).unwrap();
            gateway.signal("HUP");
            until("the error is gone", async || {
                gateway.status().await["config"]["reload_error"].is_null().then_some(())
            })
            .await;
        }
        assert_eq!(gateway.metric("edgehold_config_last_reload_successful").await, 1.0);
        assert_eq!(gateway.metric("edgehold_config_reload_failures_total").await, 3.0);
        assert!(gateway.metric("edgehold_config_loaded_timestamp_seconds").await > 1.7e9);
        assert!(!gateway.page().await.contains("The last reload failed"));
        fs::remove_file(&gateway.config).unwrap();
        gateway.signal("HUP");
        until("a file that is gone is told too", async || {
            gateway.status().await["config"]["reload_error"].is_string().then_some(())
        })
        .await;
        gateway.chat("big", "x").await.expect(200);
    });
}

#[test]
fn a_port_that_is_taken_is_told() {
    run(async {
        let fake = OpenAi::saying("fine");
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let address = format!("\"127.0.0.1:{port}\"");
        let mut gateway = Setup::new(&tables(&fake)).listen(&address).spawn();
        assert_eq!(gateway.exit_code().await, Some(69));
        assert!(gateway.log().contains(&port.to_string()), "{}", gateway.log());
    });
}
