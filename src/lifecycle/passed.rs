//! Sockets that systemd opened for us (`sd_listen_fds(3)`): they outlive the process, so that nobody is
//! refused while it is restarted.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;

/// Sockets that were passed, each with the name of who passed it.
#[derive(Debug, Default)]
pub struct Passed(Vec<(String, PassedSocket)>);

/// One of them.
#[derive(Debug)]
pub enum PassedSocket {
    /// A TCP socket.
    Tcp(TcpListener),
    /// A Unix stream socket.
    Unix(UnixListener),
    /// What nothing can be served on, and what it is.
    Other(String),
}

impl Passed {
    /// Adds a socket. By default its name is that of the socket unit.
    pub fn push(&mut self, name: String, socket: PassedSocket) {
        self.0.push((name, socket));
    }
}

impl IntoIterator for Passed {
    type Item = (String, PassedSocket);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
