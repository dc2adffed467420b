//! Starts that fail one after the other are held back, and somebody who comes ends that.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::cli::{Ran, ran};
use crate::support::setup::edgehold;
use crate::support::{Folder, OpenAi, Setup, run, until_true};
use crate::systemd::tables;

fn check(folder: &Folder, config: &Path) -> Command {
    let mut command = edgehold();
    command.args(["check", "--hold-back", "--config"]).arg(config);
    command.env("RUNTIME_DIRECTORY", &folder.0);
    command
}

async fn checked(folder: &Folder, config: &Path) -> Ran {
    ran(check(folder, config)).await
}

#[test]
fn failed_starts_are_counted_and_the_next_has_to_wait() {
    run(async {
        let folder = Folder::new();
        let bad = folder.write("bad.toml", "nonsense");
        for _ in 0..3 {
            let said = checked(&folder, &bad).await.expect(78).err;
            assert!(!said.contains("waiting"), "{said}");
        }
        assert_eq!(fs::read_to_string(folder.0.join("starts")).unwrap(), "3\n");
        // A fault that has gone: the start waits once more, and goes on.
        let good = folder.write("good.toml", "");
        let said = checked(&folder, &good).await.expect(0).err;
        assert!(said.contains("3 starts in a row have failed: waiting 4 s"), "{said}");
    });
}

#[test]
fn a_stop_ends_the_wait_and_the_next_start_waits_for_nothing() {
    run(async {
        let folder = Folder::new();
        let good = folder.write("good.toml", "");
        folder.write("starts", "99\n");
        let log = fs::File::create(folder.0.join("log")).unwrap();
        let mut child = check(&folder, &good).stderr(log).spawn().unwrap();
        until_true("it waits", || {
            fs::read_to_string(folder.0.join("log")).unwrap().contains("waiting 120 s")
        })
        .await;
        Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status().unwrap();
        until_true("it ends", || child.try_wait().unwrap().is_some()).await;
        let said = checked(&folder, &good).await.expect(0).err;
        assert!(!said.contains("waiting"), "{said}");
    });
}

#[test]
fn a_start_that_goes_well_is_forgotten() {
    run(async {
        let fake = OpenAi::saying("fine");
        let setup = Setup::new(&tables(&fake));
        let count = setup.folder().write("starts", "7\n");
        let folder = setup.folder().0.display().to_string();
        let mut gateway = setup.env("RUNTIME_DIRECTORY", &folder).start().await;
        assert!(count.exists(), "a service that has only begun may still fail");
        gateway.signal("TERM");
        assert_eq!(gateway.exit_code().await, Some(0));
        assert!(!count.exists());
    });
}
