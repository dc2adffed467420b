//! The accept loop of every listener, and a connection's life.

use std::future::{Future, poll_fn};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Notify;

use crate::budget::Reservation;
use crate::lifecycle::Tasks;
use crate::server::bind::{Listener, Socket};
use crate::server::conn::{self, Guarded, Idle, Limits};
use crate::server::{Gateway, Peer};

/// Memory of one connection: hyper's two buffers of 8 KiB, the task, the room of its request.
/// `scripts/bench` measures it, together with that of an attempt.
const CONNECTION_BYTES: usize = 20 * 1024;

/// A pause after a failed accept: out of descriptors, the next one would fail at once too.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a full accept loop waits for the connection that it asked to end before it asks the
/// next one.
const SHED_PAUSE: Duration = Duration::from_millis(50);

/// How long a connection that was taken just before the drain may take to say what it wants. Its
/// client has been let in: it is answered, and not cut off.
const NEWCOMER: Duration = Duration::from_secs(2);

/// Accepts connections on all listeners until the drain begins. Returns when no new one will be
/// taken; those that are open go on in `tasks`.
pub async fn serve(gateway: Arc<Gateway>, listeners: Vec<Listener>, tasks: Tasks) {
    let acceptor = Arc::new(Acceptor {
        gateway,
        places: Places::default(),
        idle: Idle::default(),
        tasks: tasks.clone(),
    });
    for listener in listeners {
        tasks.spawn(Arc::clone(&acceptor).accept_all(listener));
    }
    acceptor.gateway.drain.started().await;
}

/// What the accept loops share.
struct Acceptor {
    gateway: Arc<Gateway>,
    places: Places,
    idle: Idle,
    tasks: Tasks,
}

/// What one connection holds.
struct Held {
    _place: Place,
    _memory: Reservation,
}

/// How many connections there are. Their limit can change at any time, so that it is no semaphore.
#[derive(Clone, Default)]
struct Places(Arc<Taken>);

#[derive(Default)]
struct Taken {
    count: AtomicUsize,
    freed: Notify,
}

/// A connection's place; given back when dropped.
struct Place(Arc<Taken>);

impl Places {
    fn take(&self, most: usize) -> Option<Place> {
        let one_more = |taken: usize| (taken < most).then_some(taken + 1);
        let count = &self.0.count;
        count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(Place(Arc::clone(&self.0)))
    }

    async fn freed(&self) {
        self.0.freed.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
        self.0.freed.notify_one();
    }
}

impl Acceptor {
    /// The connection first, then its place: nobody is asked to go before somebody has come. One
    /// connection waits here for its place, what comes after it waits in the kernel. Whoever was
    /// taken keeps that, also when the drain begins.
    async fn accept_all(self: Arc<Self>, listener: Listener) {
        let drain = self.gateway.drain.clone();
        loop {
            let accepted = tokio::select! {
                () = drain.started() => return,
                accepted = accept(&listener.socket) => accepted,
            };
            match accepted {
                Ok(stream) => self.begin(stream, self.place().await),
                Err(error) => {
                    tracing::warn!(listener = %listener.name, %error, "cannot accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Waits for a free place; while there is none, the connection that has been idle longest is
    /// asked to end, so that idle clients cannot lock others out.
    async fn place(&self) -> Place {
        loop {
            let most = self.gateway.dispatch().config().server.max_connections;
            if let Some(place) = self.places.take(most) {
                return place;
            }
            self.idle.shed_oldest();
            tokio::time::timeout(SHED_PAUSE, self.places.freed()).await.ok();
        }
    }

    fn begin(&self, accepted: Accepted, place: Place) {
        let Ok(memory) = self.gateway.budget.reserve(CONNECTION_BYTES) else {
            self.gateway.metrics.shed("connection");
            return;
        };
        let held = Held { _place: place, _memory: memory };
        match accepted {
            Accepted::Tcp(stream) => {
                // Without it a short stream waits 40 ms for the client's delayed ACK.
                stream.set_nodelay(true).ok();
                let Ok(at) = stream.local_addr() else { return };
                self.connect(stream, Peer::Tcp(at), held);
            }
            Accepted::Unix(stream) => self.connect(stream, Peer::Unix, held),
        }
    }

    fn connect<S>(&self, stream: S, peer: Peer, held: Held)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let gateway = Arc::clone(&self.gateway);
        let limits = Limits::new(&gateway.dispatch().config().server);
        let guarded = Guarded::new(stream, &limits, &self.idle);
        self.tasks.spawn(async move {
            let _counted = gateway.metrics.connection_opened();
            let _held = held;
            let drain = gateway.drain.clone();
            let seat = guarded.seat();
            let asks = seat.clone();
            let service = service_fn(move |request| {
                Arc::clone(&gateway).answer(peer.clone(), seat.busy(), request)
            });
            let connection = conn::builder().serve_connection(TokioIo::new(guarded), service);
            tokio::pin!(connection);
            let started = drain.started();
            tokio::pin!(started);
            let mut is_waiting = false;
            let mut first = poll_fn(|cx| {
                let ended = connection.as_mut().poll(cx);
                // The drain wakes this task whenever it begins; once it knows of it, a look will do.
                if ended.is_pending() && (!is_waiting || drain.is_draining()) {
                    is_waiting = true;
                    return started.as_mut().poll(cx).map(|()| None);
                }
                ended.map(Some)
            })
            .await;
            if first.is_none() && !asks.has_asked() {
                let mut patience = Box::pin(tokio::time::sleep(NEWCOMER));
                first = poll_fn(|cx| match connection.as_mut().poll(cx) {
                    Poll::Ready(ended) => Poll::Ready(Some(ended)),
                    Poll::Pending if asks.has_asked() => Poll::Ready(None),
                    Poll::Pending => patience.as_mut().poll(cx).map(|()| None),
                })
                .await;
            }
            let ended = match first {
                Some(ended) => ended,
                None => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            // A client can break its connection at any time; that is no news.
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended");
            }
        });
    }
}

async fn accept(socket: &Socket) -> io::Result<Accepted> {
    match socket {
        Socket::Tcp(socket) => socket.accept().await.map(|(stream, _)| Accepted::Tcp(stream)),
        Socket::Unix(socket, _) => socket.accept().await.map(|(stream, _)| Accepted::Unix(stream)),
    }
}

enum Accepted {
    Tcp(TcpStream),
    Unix(UnixStream),
}
