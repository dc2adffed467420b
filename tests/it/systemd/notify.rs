//! READY, RELOADING, STOPPING and the line that `systemctl status` shows.

use std::fs;

use crate::support::{Act, OpenAi, Setup, alias, at, chat_job, openai, run};
use crate::systemd::{Systemd, tables};

#[test]
fn systemd_is_told_what_it_wants_to_know() {
    run(async {
        let fake = OpenAi::saying("fine");
        let (systemd, setup) = Systemd::watches(Setup::new(&tables(&fake)), "200000");
        let mut gateway = setup.spawn();
        assert!(systemd.next().await.contains("opening"), "READY comes after the database");
        systemd.told("READY=1").await;
        // READY means that it listens, and that the queue can be used.
        gateway.get("/healthz").await.expect(200);
        assert_eq!(gateway.status().await["queue"]["state"], "open");
        systemd.told("WATCHDOG=1").await;
        systemd.told("WATCHDOG=1").await;
        gateway.signal("HUP");
        let reloading = systemd.told("RELOADING=1").await;
        let micros = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
        assert!(micros.unwrap().parse::<u64>().unwrap() > 0, "{reloading}");
        systemd.told("READY=1").await;
        gateway.signal("TERM");
        systemd.told("STOPPING=1").await;
        assert_eq!(gateway.exit_code().await, Some(0));
    });
}

#[test]
fn the_status_says_how_it_stands_once_for_each_change() {
    run(async {
        let fake = OpenAi::new();
        fake.on(openai::CHAT, vec![openai::begun("begun"), Act::Stall]);
        let (systemd, setup) = Systemd::watches(Setup::new(&tables(&fake)), "200000");
        let gateway = setup.spawn();
        let text = systemd.told("READY=1").await;
        assert!(
            text.contains("STATUS=taking requests; 0 jobs waiting, 0 running; cloud "),
            "{text}"
        );
        gateway.put(&at("one"), &chat_job("big", "hello")).await.expect(202);
        let mut last = systemd.told_where(|text| text.contains("0 jobs waiting, 1 running")).await;
        // What has not changed since is not said again.
        let mut bare = 0;
        while bare < 5 {
            let text = systemd.next().await;
            if text == "WATCHDOG=1" {
                bare += 1;
            } else {
                assert_ne!(text, last);
                last = text;
            }
        }
        fs::write(&gateway.config, "nonsense").unwrap();
        gateway.signal("HUP");
        systemd.told_where(|text| text.starts_with("READY=1") && text.contains("REFUSED")).await;
    });
}

#[test]
fn a_queue_that_cannot_be_used_is_said_and_stops_nothing() {
    run(async {
        let fake = OpenAi::saying("fine");
        let setup = Setup::new(&tables(&fake)).env("STATE_DIRECTORY", "/proc/nowhere");
        let (systemd, setup) = Systemd::watches(setup, "200000");
        let gateway = setup.spawn();
        let text = systemd.told("READY=1").await;
        assert!(text.contains("; NO JOBS: the queue is closed: "), "{text}");
        gateway.chat("big", "x").await.expect(200);
        // Its thread answers all the same, also after it has tried to open it again.
        for _ in 0..10 {
            systemd.told("WATCHDOG=1").await;
        }
    });
}

#[test]
fn what_is_said_of_many_providers_is_one_short_line() {
    run(async {
        let fake = OpenAi::saying("fine");
        let many: String = (0..30).map(|n| fake.cloud(&format!("provider-{n:02}"))).collect();
        let setup = Setup::new(&(many + &alias("big", &["provider-00/x"])));
        let (systemd, setup) = Systemd::watches(setup, "200000");
        let _gateway = setup.spawn();
        let text = systemd.told("READY=1").await;
        let status = text.lines().find_map(|line| line.strip_prefix("STATUS=")).unwrap();
        assert!(status.contains("provider-05") && status.contains("and 24 more"), "{status}");
        assert!(!status.contains("provider-06") && status.len() <= 400, "{status}");
    });
}
