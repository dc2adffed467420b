//! A scripted provider on a raw socket: it misbehaves exactly as it is told, and says what it saw.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use tokio::net::TcpSocket;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

use crate::support::serve::{Act, Route, Seen, Shared, accept};
use crate::support::wait::until_true;

/// A scripted server.
pub struct Fake {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    tls: Option<TlsAcceptor>,
}

impl Fake {
    pub fn new() -> Self {
        Self::listen(own_address(), None)
    }

    /// Behind TLS, where `localhost` is.
    pub fn with_tls(acceptor: TlsAcceptor) -> Self {
        Self::listen(Ipv4Addr::LOCALHOST, Some(acceptor))
    }

    fn listen(address: Ipv4Addr, tls: Option<TlsAcceptor>) -> Self {
        let mut fake = Self { address: (address, 0).into(), shared: Arc::default(), tls };
        fake.up();
        fake
    }

    /// Begins to listen, at the address it had before.
    pub fn up(&mut self) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(self.address).unwrap();
        let listener = socket.listen(256).unwrap();
        self.address = listener.local_addr().unwrap();
        let accepting = accept(Arc::clone(&self.shared), listener, self.tls.clone());
        let task = tokio::spawn(accepting).abort_handle();
        self.shared.tasks.lock().unwrap().push(task);
    }

    /// Stops listening and drops every connection: the next one is refused.
    pub async fn down(&self) {
        let tasks = std::mem::take(&mut *self.shared.tasks.lock().unwrap());
        for task in &tasks {
            task.abort();
        }
        until_true("the fake is down", || tasks.iter().all(AbortHandle::is_finished)).await;
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What it does at every request for a path that ends so.
    pub fn on(&self, path: &str, acts: Vec<Act>) {
        self.answer(path, move |_| acts.clone());
    }

    /// The same, depending on the request.
    pub fn answer(&self, path: &str, script: impl Fn(&Seen) -> Vec<Act> + Send + Sync + 'static) {
        self.with_route(path, |route| route.always = Some(Arc::new(script)));
    }

    /// What it does at the next request for a path that ends so, in the order of the calls.
    pub fn once(&self, path: &str, acts: Vec<Act>) {
        self.with_route(path, |route| route.once.push_back(acts));
    }

    fn with_route(&self, path: &str, change: impl FnOnce(&mut Route)) {
        let mut routes = self.shared.routes.lock().unwrap();
        if let Some(route) = routes.iter_mut().find(|route| route.path == path) {
            return change(route);
        }
        let mut route = Route { path: path.to_owned(), once: VecDeque::new(), always: None };
        change(&mut route);
        routes.push(route);
    }

    /// Requests for paths that end so, oldest first.
    pub fn seen(&self, path: &str) -> Vec<Seen> {
        let seen = self.shared.seen.lock().unwrap();
        seen.iter().filter(|seen| seen.path.ends_with(path)).cloned().collect()
    }

    pub fn count(&self, path: &str) -> usize {
        self.seen(path).len()
    }

    pub async fn until_seen(&self, path: &str, count: usize) {
        let what = format!("request {count} for {path}");
        until_true(&what, || self.count(path) >= count).await;
    }

    /// Connections that were accepted.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// TLS handshakes that the other side gave up.
    pub fn handshakes_failed(&self) -> usize {
        self.shared.handshakes_failed.load(Ordering::SeqCst)
    }

    /// Bytes received; of TLS only what was decrypted.
    pub fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::SeqCst)
    }

    /// Bytes that went out.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }

    /// When clients left in the middle of an answer.
    pub fn gone(&self) -> Vec<Instant> {
        self.shared.gone.lock().unwrap().clone()
    }

    pub async fn until_gone(&self, count: usize) {
        until_true(&format!("client {count} is gone"), || self.gone().len() >= count).await;
    }

    /// Most requests for this exact path that were being answered at once.
    pub fn peak(&self, path: &str) -> usize {
        let peak = self.shared.peak.lock().unwrap();
        peak.iter().find(|(known, _)| known.ends_with(path)).map_or(0, |(_, peak)| *peak)
    }

    /// Lets the next stall of every script go on, those to come too.
    pub fn release(&self) {
        self.shared.released.send_modify(|released| *released += 1);
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        for task in self.shared.tasks.lock().unwrap().iter() {
            task.abort();
        }
    }
}

/// A loopback address that nobody else uses: while a fake is down, its port can go to nobody, and
/// no other test can answer in its place.
fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed) & 0xfff;
    let process = std::process::id() & 0x7ff;
    Ipv4Addr::from_bits(0x7f80_0000 | process << 12 | number)
}
