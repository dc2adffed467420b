//! Sockets that systemd opened: they are served, they outlive the process, and what does not fit is said.

use std::fs;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::http::request;
use crate::support::{Conn, OpenAi, Setup, run, run_long, until_true};
use crate::systemd::tables;

const CLIENTS: usize = 8;
const RESTARTS: usize = 5;

/// Asks again and again, on a new connection each time. Panics where it is not answered.
async fn ask_on(port: u16, stop: Arc<AtomicBool>, answered: Arc<AtomicUsize>) {
    while !stop.load(Ordering::Relaxed) {
        let mut conn = Conn::tcp(port).await;
        let host = format!("127.0.0.1:{port}");
        conn.send(&request("GET", "/healthz", &host, &[], b"")).await.unwrap();
        let answer = conn.answer(false).await.expect("a connection was let in and not answered");
        answer.expect(200);
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

fn passed(fake: &OpenAi) -> (u16, Setup) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    (port, Setup::new(&tables(fake)).port(port).passed(socket))
}

#[test]
fn nobody_is_refused_while_it_is_restarted() {
    run_long(async {
        let fake = OpenAi::saying("fine");
        let (port, setup) = passed(&fake);
        let mut gateway = setup.start().await;
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| tokio::spawn(ask_on(port, Arc::clone(&stop), Arc::clone(&answered))))
            .collect();
        for restart in 1..=RESTARTS {
            let enough = answered.load(Ordering::Relaxed) + 10 * CLIENTS;
            until_true("clients are answered", || {
                answered.load(Ordering::Relaxed) >= enough
                    || clients.iter().any(tokio::task::JoinHandle::is_finished)
            })
            .await;
            gateway = gateway.stopped().await;
            eprintln!("restart {restart}: {} answered", answered.load(Ordering::Relaxed));
        }
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.await.unwrap();
        }
        gateway.chat("big", "x").await.expect(200);
    });
}

#[test]
fn without_such_a_socket_a_stopped_gateway_refuses() {
    run(async {
        let fake = OpenAi::saying("fine");
        let mut gateway = Setup::new(&tables(&fake)).start().await;
        let port = gateway.port;
        gateway.signal("TERM");
        assert_eq!(gateway.exit_code().await, Some(0));
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    });
}

#[test]
fn a_unix_socket_of_systemds_stays_as_it_is() {
    run(async {
        let fake = OpenAi::saying("fine");
        let (_, setup) = passed(&fake);
        let path = setup.folder().0.join("socket");
        let unix = UnixListener::bind(&path).unwrap();
        let before = fs::symlink_metadata(&path).unwrap();
        let setup = setup
            .listen("\"unix:FOLDER/socket\", \"127.0.0.1:PORT\"")
            .server("socket_mode = \"0600\"")
            .passed(unix);
        let mut gateway = setup.start().await;
        for _ in 0..2 {
            let mut conn = Conn::unix(&path).await;
            conn.send(&request("GET", "/healthz", "localhost", &[], b"")).await.unwrap();
            conn.answer(false).await.unwrap().expect(200);
            gateway = gateway.stopped().await;
        }
        let after = fs::symlink_metadata(&path).unwrap();
        assert_eq!((after.ino(), after.mode()), (before.ino(), before.mode()));
    });
}

#[test]
fn an_address_that_no_socket_was_passed_for_is_bound() {
    run(async {
        let fake = OpenAi::saying("fine");
        let (port, setup) = passed(&fake);
        let gateway =
            setup.listen("\"unix:FOLDER/own\", \"127.0.0.1:PORT\", \"[::1]:PORT\"").start().await;
        assert!(gateway.folder().join("own").exists());
        assert!(TcpStream::connect(("::1", port)).is_ok());
    });
}

#[test]
fn what_was_passed_to_another_process_is_not_touched() {
    run(async {
        let fake = OpenAi::saying("fine");
        for pid in ["1", ""] {
            let setup = Setup::new(&tables(&fake)).env("LISTEN_PID", pid).env("LISTEN_FDS", "1");
            setup.start().await.get("/healthz").await.expect(200);
        }
    });
}

/// How a start ends, and what it says.
async fn refusal(setup: Setup) -> String {
    let mut gateway = setup.spawn();
    assert_eq!(gateway.exit_code().await, Some(78), "{}", gateway.log());
    gateway.log()
}

#[test]
fn a_socket_that_the_configuration_does_not_know_is_said() {
    run(async {
        let fake = OpenAi::saying("fine");
        let (port, setup) = passed(&fake);
        let said = refusal(setup.listen("\"127.0.0.1:9\", \"unix:/run/x\"")).await;
        for wanted in [
            format!("edgehold.socket passed a socket of ListenStream=127.0.0.1:{port}"),
            format!("listen = [\"127.0.0.1:{port}\"] in the configuration"),
            "ListenStream=127.0.0.1:9, ListenStream=/run/x".to_owned(),
            "for listen = [\"127.0.0.1:9\", \"unix:/run/x\"]".to_owned(),
        ] {
            assert!(said.contains(&wanted), "{wanted}: {said}");
        }
        let setup = Setup::new(&tables(&fake));
        let unix = UnixListener::bind(setup.folder().0.join("socket")).unwrap();
        let said = refusal(setup.passed(unix)).await;
        assert!(said.contains("listen = [\"unix:/"), "{said}");
    });
}

#[test]
fn what_cannot_be_served_is_said() {
    run(async {
        let fake = OpenAi::saying("fine");
        let setup = || Setup::new(&tables(&fake));
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let said = refusal(setup().passed(udp)).await;
        assert!(said.contains("a datagram socket for 127.0.0.1:"), "{said}");
        assert!(said.contains("ListenStream="), "{said}");
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let twice = setup().port(port).passed(socket.try_clone().unwrap()).passed(socket);
        let said = refusal(twice).await;
        assert!(said.contains("more than one socket"), "{said}");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let _client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (connection, _) = listener.accept().unwrap();
        let said = refusal(setup().port(port).passed(connection)).await;
        assert!(said.contains("(Accept=yes)"), "{said}");
        let file = fs::File::open("/dev/null").unwrap();
        let said = refusal(setup().passed(file)).await;
        assert!(said.contains("no stream socket"), "{said}");
    });
}

#[test]
fn an_address_that_others_reach_wants_clients_all_the_same() {
    run(async {
        let fake = OpenAi::saying("fine");
        let socket = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let setup = Setup::new(&tables(&fake)).port(port).passed(socket);
        let said = refusal(setup.listen("\"0.0.0.0:PORT\"")).await;
        assert!(said.contains("[[clients]]"), "{said}");
    });
}
