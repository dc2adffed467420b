//! The watchdog: a sign of life is given only where the event loop turned and the queue's thread lives.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use crate::support::{Gateway, OpenAi, Setup, run, until_true};
use crate::systemd::{Systemd, tables};

/// Stops one thread of a process, and no other, until a line comes in or nobody is there to send one.
const HOLD: &str = "
import ctypes, os, sys
SEIZE, INTERRUPT, DETACH, ALL = 0x4206, 0x4207, 17, 0x40000000
thread = int(sys.argv[1])
trace = ctypes.CDLL(None, use_errno=True).ptrace
trace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
for request in SEIZE, INTERRUPT:
    if trace(request, thread, None, None) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))
os.waitpid(thread, ALL)
print('held', flush=True)
sys.stdin.readline()
trace(DETACH, thread, None, None)
";

/// The queue's thread, held; lets it go when dropped.
struct Held(Child);

impl Held {
    fn queue_of(gateway: &Gateway) -> Self {
        let tasks = fs::read_dir(format!("/proc/{}/task", gateway.pid())).unwrap();
        let thread =
            tasks.map(|entry| entry.unwrap().file_name().into_string().unwrap()).find(|id| {
                let name = fs::read_to_string(format!("/proc/{}/task/{id}/comm", gateway.pid()));
                name.unwrap().trim() == "edgehold-queue"
            });
        let mut child = Command::new("python3")
            .args(["-c", HOLD, &thread.expect("a thread of the queue")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "held\n", "a thread cannot be held here: is ptrace(2) allowed?");
        Self(child)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.stdin.take().unwrap().write_all(b"\n").ok();
        self.0.wait().ok();
    }
}

#[test]
fn a_hung_queue_gets_no_sign_of_life_though_the_event_loop_turns() {
    run(async {
        let fake = OpenAi::saying("fine");
        let (systemd, setup) = Systemd::watches(Setup::new(&tables(&fake)), "2000000");
        let mut gateway = setup.spawn();
        systemd.told("READY=1").await;
        systemd.told("WATCHDOG=1").await;
        let held = Held::queue_of(&gateway);
        until_true("it is noticed", || gateway.log().contains("thread does not answer")).await;
        // Whatever was sent before that is left behind by a status which comes after.
        let good = fs::read_to_string(&gateway.config).unwrap();
        while systemd.0.try_recv(&mut [0; 4096]).is_ok() {}
        fs::write(&gateway.config, "nonsense").unwrap();
        gateway.signal("HUP");
        loop {
            let text = systemd.next().await;
            assert!(!text.contains("WATCHDOG=1"), "{text}");
            if text.starts_with("STATUS=") && text.contains("REFUSED") {
                break;
            }
        }
        gateway.get("/healthz").await.expect(200);
        drop(held);
        systemd.told("WATCHDOG=1").await;
        until_true("that is said", || gateway.log().contains("thread answers again")).await;
        fs::write(&gateway.config, good).unwrap();
        // Nothing of it holds up the end.
        gateway.signal("TERM");
        assert_eq!(gateway.exit_code().await, Some(0));
    });
}

#[test]
fn a_hung_queue_does_not_hold_up_the_stop_for_ever() {
    run(async {
        let fake = OpenAi::saying("fine");
        let setup = Setup::new(&tables(&fake)).server("grace = \"500ms\"");
        let (systemd, setup) = Systemd::watches(setup, "400000");
        let mut gateway = setup.spawn();
        systemd.told("WATCHDOG=1").await;
        let held = Held::queue_of(&gateway);
        gateway.signal("TERM");
        systemd.told("STOPPING=1").await;
        // It ends; that the held thread ends too is for its holder to see, and only then for us.
        let stat = format!("/proc/{}/stat", gateway.pid());
        until_true("it ends", || fs::read_to_string(&stat).unwrap().contains(") Z ")).await;
        drop(held);
        assert_eq!(gateway.exit_code().await, Some(0));
    });
}
