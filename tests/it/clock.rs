//! A box without a clock battery: its clock says 1970, and certificates are judged all the same.

use std::path::PathBuf;
use std::process::Command;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::tls::Authority;
use crate::support::{Fake, Folder, OpenAi, SECOND, Setup, alias, openai, run};

/// Put before libc, it says that a minute of 1970 has passed. Other clocks go on.
const IN_1970: &str = r"
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *time) {
    int failed = syscall(SYS_clock_gettime, id, time);
    if (!failed && id == CLOCK_REALTIME) time->tv_sec = 60;
    return failed;
}
";

/// The library that takes a dynamic program back to 1970.
fn in_1970(folder: &Folder) -> PathBuf {
    let (source, library) = (folder.write("clock.c", IN_1970), folder.0.join("clock.so"));
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source);
    assert!(compiler.status().unwrap().success());
    library
}

/// A static binary, or one of another machine, takes no library: there the unit tests speak.
fn takes_no_library() -> bool {
    let another =
        ["EDGEHOLD_BIN", "EDGEHOLD_RUNNER"].iter().any(|name| std::env::var_os(name).is_some());
    if another {
        eprintln!("not run: it needs the binary that cargo built for this machine");
    }
    another
}

#[test]
fn a_box_that_boots_in_1970_trusts_the_certificates_of_today() {
    if takes_no_library() {
        return;
    }
    run(async {
        let (authority, folder) = (Authority::new(), Folder::new());
        let ca_file = format!("ca_file = \"{}\"", authority.write(&folder.0).display());
        let servers = [
            ("good", authority.server("localhost"), 200),
            ("late", authority.not_yet("localhost"), 503),
            ("old", authority.expired("localhost"), 503),
        ];
        let preload = in_1970(&folder).display().to_string();
        for (name, server, status) in servers {
            let fake = OpenAi::on_fake(Fake::with_tls(server));
            fake.says(SECOND);
            let address = format!("https://localhost:{}/v1", fake.port());
            let tables = openai::table("far", &address, "cloud", &ca_file)
                + &alias("default", &["far/gpt-test"]);
            let gateway = Setup::new(&tables).env("LD_PRELOAD", &preload).start().await;
            let answer = gateway.chat("default", "hello").await;
            assert_eq!(answer.status(), status, "{name}: {}", answer.text());
            let clock = gateway.status().await["clock"].clone();
            assert_eq!((&clock["now"], &clock["suspect"]), (&60.into(), &true.into()), "{clock}");
            assert!(clock["why"].as_str().is_some_and(|why| why.contains("before")), "{clock}");
            let far = gateway.provider("far").await;
            let why = far["why"].as_str().unwrap_or_default();
            assert_eq!(why.contains("is the clock right?"), status == 503, "{name}: {far}");
            assert_eq!(far["why"] == Value::Null, status == 200, "{name}: {far}");
        }
    });
}

#[test]
fn how_late_it_was_is_known_at_the_next_start() {
    if takes_no_library() {
        return;
    }
    run(async {
        let gateway = Setup::new("").start().await;
        let clock = gateway.status().await["clock"].clone();
        let built = clock["floor"].as_i64().unwrap();
        // No certificate of a test's own authority proves a time, so it is put where it is kept.
        let gateway = gateway.stopped_with(|folder| {
            let database = Connection::open(folder.join("state/queue.db")).unwrap();
            let late = "INSERT INTO meta(name, value) VALUES('clock', ?1)";
            assert_eq!(database.execute(late, [built + 86_400]).unwrap(), 1);
        });
        let folder = Folder::new();
        let preload = in_1970(&folder).display().to_string();
        let again = gateway.await.env("LD_PRELOAD", &preload).start().await;
        let clock = again.status().await["clock"].clone();
        assert_eq!((&clock["now"], &clock["floor"]), (&60.into(), &(built + 86_400).into()));
    });
}
