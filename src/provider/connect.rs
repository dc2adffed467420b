//! A connection to a provider: name look-up, TCP (IPv4 and IPv6 raced), an HTTP proxy, TLS.
//!
//! Every failure is told apart by phase, because a device that is offline must move to its next
//! target at once and say why.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Intercept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use crate::provider::tls::Tls;
use crate::router::LinkFault;

/// How long unacknowledged bytes may stay on the way before the kernel gives the connection up
/// (RFC 5482). Keep-alive alone does not fire while data is unacknowledged.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(30);
const TCP_KEEPALIVE: Duration = Duration::from_secs(15);

/// Makes connections to one provider.
#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector<Resolver>,
    tls: Option<Arc<Tls>>,
    proxy: Option<Intercept>,
    deadline: Duration,
}

impl Connector {
    /// `deadline` bounds look-up, TCP, proxy and TLS together.
    pub(super) fn new(tls: Option<Arc<Tls>>, proxy: Option<Intercept>, deadline: Duration) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Resolver(GaiResolver::new()));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(TCP_KEEPALIVE));
        tcp.set_tcp_user_timeout(Some(TCP_USER_TIMEOUT));
        tcp.set_connect_timeout(Some(deadline));
        Self { tcp, tls, proxy, deadline }
    }

    /// Connects to the origin of `uri`.
    ///
    /// # Errors
    /// The phase that failed, and why.
    pub(super) async fn connect(&self, uri: Uri) -> Result<Conn, ConnectError> {
        let deadline = self.deadline;
        match tokio::time::timeout(deadline, self.clone().connect_unbounded(uri)).await {
            Ok(done) => done,
            Err(_) => Err(ConnectError::new(
                LinkFault::ConnectTimeout,
                format!("no connection within {} ms", deadline.as_millis()),
            )),
        }
    }

    async fn connect_unbounded(mut self, uri: Uri) -> Result<Conn, ConnectError> {
        let https = uri.scheme() == Some(&http::uri::Scheme::HTTPS);
        let host = uri.host().unwrap_or_default().to_owned();
        let tcp = match &self.proxy {
            None => self.tcp.call(uri).await.map_err(|error| from_tcp(&error))?,
            Some(proxy) if https => {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), self.tcp.clone());
                if let Some(auth) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(auth.clone());
                }
                tunnel.call(uri).await.map_err(|error| through_proxy(&error))?
            }
            Some(proxy) => {
                let to_proxy = self.tcp.call(proxy.uri().clone()).await;
                to_proxy.map_err(|error| through_proxy(&error))?
            }
        };
        let stream = match self.tls.as_ref().filter(|_| https) {
            None => Stream::Plain(tcp.into_inner()),
            Some(tls) => Stream::Tls(Box::new(handshake(tls, &host, tcp.into_inner()).await?)),
        };
        Ok(Conn { stream, is_used: false })
    }
}

async fn handshake(
    tls: &Tls,
    host: &str,
    tcp: TcpStream,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = rustls::pki_types::ServerName::try_from(name).map_err(|_| {
        ConnectError::new(LinkFault::Tls, "the host is no name a certificate can have".to_owned())
    })?;
    let connector = TlsConnector::from(tls.config());
    let stream = connector.connect(name, tcp).await.map_err(|error| {
        let (fault, detail) = tls.failed(&error);
        ConnectError::new(fault, detail)
    })?;
    tls.succeeded();
    Ok(stream)
}

/// Why no connection came about.
#[derive(Debug)]
pub(super) struct ConnectError {
    /// The phase that failed.
    pub(super) fault: LinkFault,
    /// For logs and messages: no key, no path.
    pub(super) detail: String,
}

impl ConnectError {
    fn new(fault: LinkFault, detail: String) -> Self {
        Self { fault, detail }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.fault, self.detail)
    }
}

impl StdError for ConnectError {}

fn from_tcp(error: &(dyn StdError + 'static)) -> ConnectError {
    if let Some(lookup) = find::<LookupError>(error) {
        return ConnectError::new(LinkFault::Dns, lookup.0.to_string());
    }
    let io = find::<io::Error>(error);
    let fault = match io.map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => LinkFault::Refused,
        Some(io::ErrorKind::TimedOut) => LinkFault::ConnectTimeout,
        _ => LinkFault::Unreachable,
    };
    ConnectError::new(fault, io.map_or_else(|| error.to_string(), ToString::to_string))
}

fn through_proxy(error: &(dyn StdError + 'static)) -> ConnectError {
    let why = find::<io::Error>(error).map_or_else(|| error.to_string(), ToString::to_string);
    ConnectError::new(LinkFault::Proxy, why)
}

fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// A connection, with or without TLS.
pub(super) struct Conn {
    stream: Stream,
    /// Whether it has answered before: the other side may have closed it while it was idle.
    pub(super) is_used: bool,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Conn {
    /// Whether an idle connection is still there. Bytes that nobody asked for make it unusable.
    pub(super) fn is_open(&mut self) -> bool {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(self).poll_read(&mut cx, &mut buffer).is_pending()
    }
}

impl AsyncRead for Conn {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Stream::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Conn {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Stream::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Stream::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(tcp) => tcp.is_write_vectored(),
            Stream::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

/// The system's resolver on a thread of its own, with failures that can be told from TCP's.
#[derive(Clone)]
pub(super) struct Resolver(GaiResolver);

#[derive(Debug)]
struct LookupError(io::Error);

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for LookupError {}

impl Service<Name> for Resolver {
    type Response = <GaiResolver as Service<Name>>::Response;
    type Error = Box<dyn StdError + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let looking = self.0.call(name);
        Box::pin(async move { looking.await.map_err(|error| LookupError(error).into()) })
    }
}
