//! Asks the running service: one GET over its own listener, found by the configuration.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::Value;

use crate::config::{Config, Listen};

const PATIENCE: Duration = Duration::from_secs(15);

/// Most bytes of an answer.
const LARGEST_ANSWER: u64 = 4 * 1024 * 1024;

/// What the service said.
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Said {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// Asks for a path.
///
/// # Errors
/// Which address was asked, and what went wrong.
pub(super) fn get(config: &Config, path: &str, header: Option<&str>) -> Result<Said, String> {
    let listen = config.server.listen.first().ok_or("there is no listener to ask")?;
    let asked = match listen {
        Listen::Tcp(address) => {
            let address = reachable(*address);
            TcpStream::connect_timeout(&address, PATIENCE).and_then(|stream| {
                stream.set_read_timeout(Some(PATIENCE))?;
                exchange(stream, &request(config, path, &address.to_string(), header))
            })
        }
        Listen::Unix(socket) => UnixStream::connect(socket).and_then(|stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            exchange(stream, &request(config, path, "localhost", header))
        }),
    };
    asked.map_err(|error| {
        format!(
            "edgehold does not answer at {listen} ({error}); is it running with this configuration?"
        )
    })
}

/// A listener on every address is asked at the loopback one.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn request(config: &Config, path: &str, host: &str, header: Option<&str>) -> String {
    // Whoever can read the configuration may read its tokens too: the first one will do.
    let token = config.clients.first().and_then(|client| client.token.read().ok());
    let token = token.map(|token| format!("Authorization: Bearer {}\r\n", token.expose()));
    let header = header.map(|header| format!("{header}\r\n"));
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\n{}{}Connection: close\r\n\r\n",
        token.unwrap_or_default(),
        header.unwrap_or_default()
    )
}

fn exchange(mut stream: impl Read + Write, request: &str) -> io::Result<Said> {
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(LARGEST_ANSWER).read_to_string(&mut answer)?;
    let strange = || io::Error::new(io::ErrorKind::InvalidData, "the answer is not edgehold's");
    // Every answer of ours that is no stream has a length, so what follows the head is the body.
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(strange)?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or_else(strange)?;
    Ok(Said { status, body: body.to_owned() })
}
