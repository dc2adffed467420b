//! Asks the running service: one request over its own listener, found by the configuration.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::Value;

use crate::config::{Client, Config, Listen};

const PATIENCE: Duration = Duration::from_secs(15);

/// Most bytes of an answer.
const LARGEST_ANSWER: u64 = 64 * 1024 * 1024;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    /// A header line.
    pub(super) header: Option<&'a str>,
    /// Whose token is shown.
    pub(super) client: Option<&'a Client>,
}

impl<'a> Ask<'a> {
    /// A GET as the first client there is: whoever can read the configuration may read its tokens
    /// too.
    pub(super) fn get(config: &'a Config, path: &'a str) -> Self {
        Self { method: "GET", path, header: None, client: config.clients.first() }
    }
}

/// What the service said.
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Said {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// What is wrong, in the service's words.
    pub(super) fn complaint(&self) -> String {
        let value = self.json();
        let message = value.pointer("/error/message").or_else(|| value.pointer("/detail"));
        message.and_then(Value::as_str).unwrap_or("the service refused to answer").to_owned()
    }
}

/// Asks.
///
/// # Errors
/// Which address was asked, and what went wrong.
pub(super) fn ask(config: &Config, what: &Ask<'_>) -> Result<Said, String> {
    let (stream, host) = connect(config, PATIENCE)?;
    exchange(stream, &request(what, &host)).map_err(|error| silent(config, &error))
}

/// A connection to the service, whatever carries it.
pub(super) type Stream = Box<dyn ReadWrite>;

/// Both ways.
pub(super) trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

/// Connects to the service. With the connection comes the name that its Host header has.
///
/// # Errors
/// Which address was tried, and what went wrong.
pub(super) fn connect(config: &Config, patience: Duration) -> Result<(Stream, String), String> {
    let listen = config.server.listen.first().ok_or("there is no listener to ask")?;
    let connected: io::Result<(Stream, String)> = match listen {
        Listen::Tcp(address) => {
            let address = reachable(*address);
            TcpStream::connect_timeout(&address, PATIENCE).and_then(|stream| {
                stream.set_read_timeout(Some(patience))?;
                Ok((Box::new(stream) as Stream, address.to_string()))
            })
        }
        Listen::Unix(socket) => UnixStream::connect(socket).and_then(|stream| {
            stream.set_read_timeout(Some(patience))?;
            Ok((Box::new(stream) as Stream, "localhost".to_owned()))
        }),
    };
    connected.map_err(|error| silent(config, &error))
}

fn silent(config: &Config, error: &io::Error) -> String {
    let listen = config.server.listen.first().map(ToString::to_string).unwrap_or_default();
    format!(
        "edgehold does not answer at {listen} ({error}); is it running with this configuration?"
    )
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

fn request(what: &Ask<'_>, host: &str) -> String {
    let token = token_line(what.client);
    let header = what.header.map(|header| format!("{header}\r\n"));
    let length = if what.method == "GET" { "" } else { "Content-Length: 0\r\n" };
    format!(
        "{} {} HTTP/1.1\r\nHost: {host}\r\n{}{}{length}Connection: close\r\n\r\n",
        what.method,
        what.path,
        token,
        header.unwrap_or_default()
    )
}

/// The header line that shows a client's token; nothing where there is none.
pub(super) fn token_line(client: Option<&Client>) -> String {
    let token = client.and_then(|client| client.token.read().ok());
    token.map(|token| format!("Authorization: Bearer {}\r\n", token.expose())).unwrap_or_default()
}

fn exchange(mut stream: impl Read + Write, request: &str) -> io::Result<Said> {
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(LARGEST_ANSWER).read_to_end(&mut answer)?;
    let strange = || io::Error::new(io::ErrorKind::InvalidData, "the answer is not edgehold's");
    // Every answer of ours that is no stream has a length, so what follows the head is the body.
    let end = memchr::memmem::find(&answer, b"\r\n\r\n").ok_or_else(strange)?;
    let (head, body) = answer.split_at_checked(end + 4).ok_or_else(strange)?;
    let head = String::from_utf8_lossy(head);
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or_else(strange)?;
    if length(&head).is_some_and(|length| length != body.len()) {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the answer broke off"));
    }
    Ok(Said { status, body: String::from_utf8_lossy(body).into_owned() })
}

fn length(head: &str) -> Option<usize> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let (_, length) = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    length.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read from it is there already, and what is written to it is lost.
    struct Wire<'a>(&'a [u8]);

    impl Read for Wire<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for Wire<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn half_an_answer_is_none() {
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        let said = exchange(Wire(whole.as_bytes()), "").unwrap();
        assert_eq!((said.status, said.body.as_str()), (200, "hello"));
        for cut in 0..whole.len() {
            assert!(exchange(Wire(&whole.as_bytes()[..cut]), "").is_err(), "{cut}");
        }
    }
}
