//! What a fake does with its connections: it reads requests, plays its script, and takes notes.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

use crate::support::http::find;
use crate::support::reply;
use crate::support::wire::Wire;

/// One thing that a fake does in answer to a request.
#[derive(Debug, Clone)]
pub enum Act {
    /// Sends bytes, as they are.
    Send(Vec<u8>),
    /// Sends a piece again and again, until so many bytes have gone out.
    Repeat(Vec<u8>, u64),
    /// Does nothing until it is released: the first one of a script by the first release, and so
    /// on. Sees if its client leaves.
    Stall,
    /// Ends the connection.
    Close,
    /// Breaks the connection off with an RST.
    Reset,
    /// Becomes a tunnel to an address, as a proxy does.
    Tunnel(SocketAddr),
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub head: String,
    pub body: Vec<u8>,
    /// How many requests came before it on its connection.
    pub nth: usize,
    pub at: Instant,
}

impl Seen {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

pub type Script = Arc<dyn Fn(&Seen) -> Vec<Act> + Send + Sync>;

/// What is done for paths that end so.
pub struct Route {
    pub path: String,
    pub once: VecDeque<Vec<Act>>,
    pub always: Option<Script>,
}

/// What all connections of a fake share.
#[derive(Default)]
pub struct Shared {
    pub routes: Mutex<Vec<Route>>,
    pub seen: Mutex<Vec<Seen>>,
    pub gone: Mutex<Vec<Instant>>,
    pub tasks: Mutex<Vec<AbortHandle>>,
    pub connections: AtomicUsize,
    pub handshakes_failed: AtomicUsize,
    pub bytes: AtomicU64,
    pub sent: AtomicU64,
    pub in_flight: Mutex<Vec<String>>,
    pub peak: Mutex<Vec<(String, usize)>>,
    pub released: watch::Sender<usize>,
}

/// Takes connections until it is stopped.
pub async fn accept(shared: Arc<Shared>, listener: TcpListener, tls: Option<TlsAcceptor>) {
    loop {
        let Ok((tcp, _)) = listener.accept().await else { continue };
        shared.connections.fetch_add(1, Ordering::SeqCst);
        let task = tokio::spawn(serve(Arc::clone(&shared), tcp, tls.clone())).abort_handle();
        let mut tasks = shared.tasks.lock().unwrap();
        tasks.retain(|task| !task.is_finished());
        tasks.push(task);
    }
}

async fn serve(shared: Arc<Shared>, tcp: TcpStream, tls: Option<TlsAcceptor>) {
    tcp.set_nodelay(true).ok();
    let mut wire = match tls {
        None => Wire::Plain(tcp),
        Some(tls) => match tls.accept(tcp).await {
            Ok(stream) => Wire::Tls(Box::new(stream)),
            Err(_) => {
                shared.handshakes_failed.fetch_add(1, Ordering::SeqCst);
                return;
            }
        },
    };
    let mut buffer = Vec::new();
    let mut nth = 0;
    while let Some(mut seen) = shared.read_request(&mut wire, &mut buffer).await {
        seen.nth = nth;
        nth += 1;
        let path = seen.path.clone();
        let acts = shared.script(&seen);
        shared.seen.lock().unwrap().push(seen);
        shared.enter(&path);
        let ended = shared.play(&mut wire, &mut buffer, acts).await;
        shared.leave(&path);
        match ended {
            Ended::Kept => {}
            Ended::Closed => return,
            Ended::Reset => return wire.reset(),
            Ended::Gone => return shared.gone.lock().unwrap().push(Instant::now()),
        }
    }
}

enum Ended {
    Kept,
    Closed,
    Reset,
    Gone,
}

impl Shared {
    async fn read_request(&self, wire: &mut Wire, buffer: &mut Vec<u8>) -> Option<Seen> {
        let end = loop {
            if let Some(at) = find(buffer, b"\r\n\r\n") {
                break at + 4;
            }
            self.read(wire, buffer).await?;
        };
        let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
        let mut first = head.split_whitespace();
        let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
        let mut seen = Seen { method, path, head, body: Vec::new(), nth: 0, at: Instant::now() };
        let length: usize =
            seen.header("content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
        while buffer.len() < end + length {
            self.read(wire, buffer).await?;
        }
        seen.body = buffer[end..end + length].to_vec();
        buffer.drain(..end + length);
        Some(seen)
    }

    async fn read(&self, wire: &mut Wire, buffer: &mut Vec<u8>) -> Option<()> {
        buffer.reserve(16 * 1024);
        let count = wire.read(buffer).await.ok().filter(|count| *count > 0)?;
        self.bytes.fetch_add(count as u64, Ordering::SeqCst);
        Some(())
    }

    fn script(&self, seen: &Seen) -> Vec<Act> {
        let path = seen.path.split('?').next().unwrap_or_default();
        let mut routes = self.routes.lock().unwrap();
        let mut matching: Vec<&mut Route> =
            routes.iter_mut().filter(|route| path.ends_with(route.path.as_str())).collect();
        if let Some(acts) = matching.iter_mut().find_map(|route| route.once.pop_front()) {
            return acts;
        }
        let script = matching.iter().find_map(|route| route.always.clone());
        drop(routes);
        script.map_or_else(not_found, |script| script(seen))
    }

    async fn play(&self, wire: &mut Wire, buffer: &mut Vec<u8>, acts: Vec<Act>) -> Ended {
        let mut stalls = 0;
        for act in acts {
            match act {
                Act::Send(bytes) => {
                    if !self.write(wire, &bytes).await {
                        return Ended::Gone;
                    }
                }
                Act::Repeat(piece, total) => {
                    let before = self.sent.load(Ordering::SeqCst);
                    while self.sent.load(Ordering::SeqCst) - before < total {
                        if !self.write(wire, &piece).await {
                            return Ended::Gone;
                        }
                    }
                }
                Act::Stall => {
                    stalls += 1;
                    if !self.stall(stalls, wire, buffer).await {
                        return Ended::Gone;
                    }
                }
                Act::Close => return Ended::Closed,
                Act::Reset => return Ended::Reset,
                Act::Tunnel(address) => {
                    wire.tunnel(address).await;
                    return Ended::Closed;
                }
            }
        }
        Ended::Kept
    }

    async fn write(&self, wire: &mut Wire, bytes: &[u8]) -> bool {
        let done = wire.write_all(bytes).await.is_ok();
        self.sent.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        done
    }

    /// False: the client left first.
    async fn stall(&self, nth: usize, wire: &mut Wire, buffer: &mut Vec<u8>) -> bool {
        let mut released = self.released.subscribe();
        tokio::select! {
            done = released.wait_for(|released| *released >= nth) => done.is_ok(),
            () = async { while self.read(wire, buffer).await.is_some() {} } => false,
        }
    }

    fn enter(&self, path: &str) {
        let mut in_flight = self.in_flight.lock().unwrap();
        in_flight.push(path.to_owned());
        let count = in_flight.iter().filter(|known| *known == path).count();
        let mut peak = self.peak.lock().unwrap();
        match peak.iter_mut().find(|(known, _)| known == path) {
            Some((_, highest)) => *highest = (*highest).max(count),
            None => peak.push((path.to_owned(), count)),
        }
    }

    fn leave(&self, path: &str) {
        let mut in_flight = self.in_flight.lock().unwrap();
        if let Some(at) = in_flight.iter().position(|known| known == path) {
            in_flight.remove(at);
        }
    }
}

fn not_found() -> Vec<Act> {
    reply::json(404, &serde_json::json!({"error": "404 page not found"}))
}
