//! Listeners: bound by us, or opened by systemd and passed.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::{Path, PathBuf};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, UnixListener};

use crate::config::{Listen, Server};
use crate::lifecycle::{Passed, PassedSocket};

/// What the kernel may hold of an answer that a client does not take. Its own default grows to
/// megabytes for each stalled client, outside every budget.
const SEND_BUFFER: usize = 32 * 1024;

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The system does not let us bind it.
    #[error("cannot listen on {0}: {1}")]
    Bind(String, io::Error),
    /// systemd passed a socket that the configuration does not know.
    #[error("{0}")]
    Passed(String),
}

/// One bound address.
#[derive(Debug)]
pub struct Listener {
    pub(in crate::server) socket: Socket,
    /// As the configuration names it.
    pub name: String,
}

/// What is listened on.
pub(in crate::server) enum Socket {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket, and its path where it is ours to take away.
    Unix(UnixListener, Option<PathBuf>),
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
        if let Socket::Unix(_, Some(path)) = &self.socket {
            std::fs::remove_file(path).ok();
        }
    }
}

/// Takes the sockets that were passed to the place of the address that each is bound to, and binds the
/// other addresses.
///
/// # Errors
/// The address and what the system said of it, or the socket that no entry of `listen` names.
pub fn bind(server: &Server, passed: Passed) -> Result<Vec<Listener>, ListenError> {
    let mut handed = Vec::new();
    for (by, socket) in passed {
        handed.push(Handed::new(&by, socket, &server.listen)?);
    }
    let listeners = server.listen.iter().map(|listen| {
        let name = listen.to_string();
        let ours = handed.iter().position(|it| it.at == *listen);
        let socket = match (ours, listen) {
            (Some(index), _) => handed.swap_remove(index).socket,
            (None, Listen::Tcp(address)) => bind_tcp(*address).map(Socket::Tcp),
            (None, Listen::Unix(path)) => bind_unix(path, server.socket_mode)
                .map(|listener| Socket::Unix(listener, Some(path.clone()))),
        };
        match socket {
            Ok(socket) => Ok(Listener { socket, name }),
            Err(error) => Err(ListenError::Bind(name, error)),
        }
    });
    let listeners = listeners.collect::<Result<Vec<_>, ListenError>>()?;
    match handed.first() {
        None => Ok(listeners),
        Some(twice) => Err(ListenError::Passed(format!(
            "{} was passed more than one socket: each address has one ListenStream=",
            twice.at
        ))),
    }
}

/// A socket that was passed, and whose place it takes.
struct Handed {
    at: Listen,
    socket: io::Result<Socket>,
}

impl Handed {
    fn new(by: &str, socket: PassedSocket, wanted: &[Listen]) -> Result<Self, ListenError> {
        let (at, is_listening) = match &socket {
            PassedSocket::Tcp(tcp) => (tcp.local_addr().ok().map(Listen::Tcp), listens(tcp)),
            PassedSocket::Unix(unix) => (path_of(unix).map(Listen::Unix), listens(unix)),
            PassedSocket::Other(what) => return Err(unfit(by, what)),
        };
        let Some(at) = at else { return Err(unfit(by, "a socket without an address")) };
        if !is_listening {
            return Err(unfit(by, &format!("a connection to {at} (Accept=yes)")));
        }
        if !wanted.contains(&at) {
            return Err(unknown(by, &at, wanted));
        }
        let socket = match socket {
            PassedSocket::Tcp(tcp) => adopt_tcp(tcp),
            PassedSocket::Unix(unix) => adopt_unix(unix),
            PassedSocket::Other(what) => return Err(unfit(by, &what)),
        };
        Ok(Self { at, socket })
    }
}

fn listens<'a, S>(socket: &'a S) -> bool
where
    SockRef<'a>: From<&'a S>,
{
    SockRef::from(socket).is_listener().unwrap_or(false)
}

fn path_of(unix: &StdUnixListener) -> Option<PathBuf> {
    unix.local_addr().ok()?.as_pathname().map(Path::to_owned)
}

fn adopt_tcp(tcp: StdTcpListener) -> io::Result<Socket> {
    tcp.set_nonblocking(true)?;
    // Its connections take it over.
    SockRef::from(&tcp).set_send_buffer_size(SEND_BUFFER)?;
    TcpListener::from_std(tcp).map(Socket::Tcp)
}

fn adopt_unix(unix: StdUnixListener) -> io::Result<Socket> {
    unix.set_nonblocking(true)?;
    UnixListener::from_std(unix).map(|unix| Socket::Unix(unix, None))
}

fn unfit(by: &str, what: &str) -> ListenError {
    ListenError::Passed(format!(
        "{by} passed {what}: only sockets of ListenStream= with Accept=no are served"
    ))
}

fn unknown(by: &str, at: &Listen, wanted: &[Listen]) -> ListenError {
    let stream = |listen: &Listen| match listen {
        Listen::Tcp(address) => format!("ListenStream={address}"),
        Listen::Unix(path) => format!("ListenStream={}", path.display()),
    };
    let listed =
        |each: &dyn Fn(&Listen) -> String| wanted.iter().map(each).collect::<Vec<_>>().join(", ");
    ListenError::Passed(format!(
        "{by} passed a socket of {}, and server.listen does not name that address; bring the two in \
         line: listen = [\"{at}\"] in the configuration, or in {by} {} for listen = [{}]",
        stream(at),
        listed(&stream),
        listed(&|listen| format!("\"{listen}\"")),
    ))
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
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
