//! Listeners and their accept loop.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Notify;

use crate::budget::Reservation;
use crate::config::{Listen, Server};
use crate::lifecycle::Tasks;
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

/// What the kernel may hold of an answer that a client does not take. Its own default grows to
/// megabytes for each stalled client, outside every budget.
const SEND_BUFFER: usize = 32 * 1024;

/// One bound address.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    /// As the configuration names it.
    pub name: String,
}

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp(_) => "Tcp",
            Self::Unix(..) => "Unix",
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Socket::Unix(_, path) = &self.socket {
            std::fs::remove_file(path).ok();
        }
    }
}

/// Binds every listener.
///
/// # Errors
/// The address and what the system said of it.
pub fn bind(server: &Server) -> io::Result<Vec<Listener>> {
    server
        .listen
        .iter()
        .map(|listen| {
            let name = name_of(listen);
            let bound = match listen {
                Listen::Tcp(address) => bind_tcp(*address).map(Socket::Tcp),
                Listen::Unix(path) => bind_unix(path, server.socket_mode)
                    .map(|listener| Socket::Unix(listener, path.clone())),
            };
            let socket = bound.map_err(|error| {
                io::Error::new(error.kind(), format!("cannot listen on {name}: {error}"))
            })?;
            Ok(Listener { socket, name })
        })
        .collect()
}

fn name_of(listen: &Listen) -> String {
    match listen {
        Listen::Tcp(address) => address.to_string(),
        Listen::Unix(path) => format!("unix:{}", path.display()),
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4()?,
        SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6()?,
    };
    // Without it a restart has to wait until the last run's connections are forgotten.
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(u32::try_from(SEND_BUFFER).unwrap_or(u32::MAX))?;
    socket.bind(address)?;
    socket.listen(1024)
}

fn bind_unix(path: &Path, mode: u32) -> io::Result<UnixListener> {
    // A socket that nobody listens on is left over from a run that was cut off.
    let left_over = std::fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket());
    if left_over && std::os::unix::net::UnixStream::connect(path).is_err() {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    Ok(listener)
}

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
    async fn accept_all(self: Arc<Self>, listener: Listener) {
        let drain = self.gateway.drain.clone();
        loop {
            tokio::select! {
                () = drain.started() => return,
                () = self.accept_one(&listener) => {}
            }
        }
    }

    /// The connection first, then its place: nobody is asked to go before somebody has come. One
    /// connection waits here for its place, what comes after it waits in the kernel.
    async fn accept_one(&self, listener: &Listener) {
        let accepted = match &listener.socket {
            Socket::Tcp(socket) => socket.accept().await.map(|(stream, _)| Accepted::Tcp(stream)),
            Socket::Unix(socket, _) => {
                socket.accept().await.map(|(stream, _)| Accepted::Unix(stream))
            }
        };
        match accepted {
            Ok(stream) => self.begin(stream, self.place().await),
            Err(error) => {
                tracing::warn!(listener = %listener.name, %error, "cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
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
            let service = service_fn(move |request| {
                Arc::clone(&gateway).answer(peer.clone(), seat.busy(), request)
            });
            let connection = conn::builder().serve_connection(TokioIo::new(guarded), service);
            tokio::pin!(connection);
            let started = drain.started();
            tokio::pin!(started);
            let mut is_waiting = false;
            let first = poll_fn(|cx| {
                let ended = connection.as_mut().poll(cx);
                // The drain wakes this task whenever it begins; once it knows of it, a look will do.
                if ended.is_pending() && (!is_waiting || drain.is_draining()) {
                    is_waiting = true;
                    return started.as_mut().poll(cx).map(|()| None);
                }
                ended.map(Some)
            });
            let ended = match first.await {
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

enum Accepted {
    Tcp(TcpStream),
    Unix(UnixStream),
}
