//! The log as the journal gets it: a line an event, with its priority and without a time.

use std::fs;

use crate::support::{OpenAi, Setup, run, until_true};
use crate::systemd::tables;

const PROMPT: &str = "prompt-canary-7f1c";
const KEY: &str = "sk-key-canary-93ab";

fn priority_of(line: &str) -> Option<u8> {
    let (digit, rest) = line.strip_prefix('<')?.split_once('>')?;
    (!rest.starts_with(char::is_numeric)).then(|| digit.parse().unwrap())
}

#[test]
fn each_event_is_a_line_with_its_priority() {
    run(async {
        let fake = OpenAi::saying("fine");
        let secret = Setup::new("");
        let key = secret.folder().write("key", KEY);
        let tables = tables(&fake).replace(
            "[providers.cloud]",
            &format!("[providers.cloud]\napi_key = {{ file = {key:?} }}"),
        );
        let trace = format!("{tables}\n[log]\nlevel = \"trace\"\n");
        let mut gateway = Setup::new(&trace).journal().start().await;
        gateway.chat("big", PROMPT).await.expect(200);
        // Two problems at once: their lines are one event.
        fs::write(&gateway.config, "[server]\nmax_body = \"x\"\ngrace = \"y\"\n").unwrap();
        gateway.signal("HUP");
        until_true("it is refused", || gateway.log().contains("the old one stays")).await;
        let listen = "[server]\nlisten = [\"127.0.0.1:1\"]\n";
        fs::write(&gateway.config, listen.to_owned() + &trace).unwrap();
        gateway.signal("HUP");
        until_true("it is taken", || gateway.log().contains("configuration reloaded")).await;
        gateway.signal("TERM");
        gateway.exit_code().await;
        let log = gateway.log();
        for line in log.lines() {
            assert!(priority_of(line).is_some(), "no priority, or a time: {line}");
        }
        let found = |text: &str| {
            let line = log.lines().find(|line| line.contains(text));
            line.and_then(priority_of).unwrap_or_else(|| panic!("no {text}: {log}"))
        };
        assert_eq!(found("the old one stays"), 3);
        assert_eq!(found("that takes a restart"), 4);
        assert_eq!(found("ready version="), 6);
        assert_eq!(found("answered id="), 7);
        let refused = log.lines().find(|line| line.contains("the old one stays")).unwrap();
        assert!(refused.contains("max_body") && refused.contains("server.grace"), "{refused}");
        for canary in [PROMPT, KEY] {
            assert!(!log.contains(canary), "{canary}: {log}");
        }
    });
}

#[test]
fn a_start_that_fails_is_an_error_in_the_journal() {
    run(async {
        for journal in [true, false] {
            let setup = Setup::new("[nonsense]\n").env("JOURNAL_STREAM", "1:2");
            let mut gateway = if journal { setup.journal() } else { setup }.spawn();
            assert_eq!(gateway.exit_code().await, Some(78));
            let log = gateway.log();
            // Without it standard error goes to another place than the journal.
            assert_eq!(log.starts_with("<3>"), journal, "{log}");
        }
    });
}
