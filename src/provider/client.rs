//! The HTTP client of one provider: its pool, its headers and key, and what a failed call means.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, PROXY_AUTHORIZATION,
    USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioTimer;
use tokio::time::Instant;

use crate::config::{Key, Place, Provider, Proxy, Secret};
use crate::lifecycle::Executor;
use crate::provider::connect::{ConnectError, Connector, Uses};
use crate::provider::tls::Tls;
use crate::router::LinkFault;

/// How long an unused connection is kept. Servers close theirs after 5 s and up; ours must be
/// the shorter life, or a request meets a connection that is just being closed.
const POOL_IDLE: Duration = Duration::from_secs(4);

/// hyper's smallest. It bounds an answer's head too, and what a stalled client can pin.
const BUFFER_BYTES: usize = 8 * 1024;

/// The HTTP client of one provider.
pub(super) struct HttpClient {
    pool: legacy::Client<Connector, Full<Bytes>>,
    headers: HeaderMap,
    key: Option<Key>,
}

impl HttpClient {
    /// # Errors
    /// Where `ca_file` cannot be used, or a header value is none.
    pub(super) fn new(config: &Provider, proxy: &Proxy, executor: Executor) -> io::Result<Self> {
        let tls = match config.base_url.https {
            true => Some(Arc::new(Tls::new(config.ca_file.as_deref())?)),
            false => None,
        };
        let proxy = intercept(config, proxy);
        let mut headers = standing_headers(config)?;
        // Through a tunnel the CONNECT carries it; on a plain request it has to be with us.
        if let Some(auth) = proxy.as_ref().and_then(Intercept::basic_auth)
            && !config.base_url.https
        {
            headers.insert(PROXY_AUTHORIZATION, auth.clone());
        }
        let connector = Connector::new(tls, proxy, config.deadlines.connect);
        let pool = legacy::Client::builder(executor)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(config.max_concurrent)
            .http1_max_buf_size(BUFFER_BYTES)
            .build(connector);
        let key = config.api_key.clone().map(Key::new);
        Ok(Self { pool, headers, key })
    }

    /// Sends a POST with a JSON body and waits until `until` for the response's head.
    pub(super) async fn post(
        &self,
        uri: Uri,
        body: Bytes,
        until: Instant,
    ) -> Result<Response<Incoming>, CallError> {
        self.send(Method::POST, uri, body, until).await
    }

    /// Sends a GET and waits until `until` for the response's head.
    pub(super) async fn get(
        &self,
        uri: Uri,
        until: Instant,
    ) -> Result<Response<Incoming>, CallError> {
        self.send(Method::GET, uri, Bytes::new(), until).await
    }

    async fn send(
        &self,
        method: Method,
        uri: Uri,
        body: Bytes,
        until: Instant,
    ) -> Result<Response<Incoming>, CallError> {
        let request = self.request(method, uri, body)?;
        match tokio::time::timeout_at(until, self.pool.request(request)).await {
            Ok(Ok(response)) => {
                if let Some(uses) = response.extensions().get::<Uses>() {
                    uses.answered();
                }
                Ok(response)
            }
            Ok(Err(error)) => Err(CallError::from_pool(&error)),
            Err(_) => Err(CallError::Late),
        }
    }

    fn request(
        &self,
        method: Method,
        uri: Uri,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, CallError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        if let Some(key) = &self.key {
            let key = key.current().map_err(|error| CallError::Key(error.to_string()))?;
            let mut value =
                HeaderValue::try_from(format!("Bearer {}", key.expose())).map_err(|_| {
                    CallError::Key("the key holds characters that no header may".into())
                })?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(request)
    }
}

/// The proxy on the way to a provider. A local provider is never reached through one: what is
/// local does not leave the LAN.
fn intercept(config: &Provider, proxy: &Proxy) -> Option<Intercept> {
    if config.place == Place::Local {
        return None;
    }
    let text = |secret: &Option<Secret>| {
        secret.as_ref().map(|s| s.expose().to_owned()).unwrap_or_default()
    };
    let matcher = Matcher::builder()
        .http(text(&proxy.http))
        .https(text(&proxy.https))
        .no(proxy.no.clone().unwrap_or_default())
        .build();
    matcher.intercept(&config.base_url.origin().parse().ok()?)
}

/// The headers of every call. Nothing of the client's own headers is among them: an Ollama
/// answers 403 to a foreign Host or Origin, and a key has one origin only.
fn standing_headers(config: &Provider) -> io::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("edgehold/", env!("CARGO_PKG_VERSION"))),
    );
    for (name, value) in &config.headers {
        let bad = || io::Error::new(io::ErrorKind::InvalidInput, format!("header {name}"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        let mut value = HeaderValue::from_str(value.expose()).map_err(|_| bad())?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Why a call got no response head.
#[derive(Debug)]
pub(super) enum CallError {
    /// The connection broke before a complete head came.
    Broken(String),
    /// The provider's key cannot be read.
    Key(String),
    /// No head came in time.
    Late,
    /// No connection came about.
    Link(LinkFault, String),
    /// A connection from the pool was closed before it answered a byte.
    Stale,
}

impl CallError {
    fn from_pool(error: &legacy::Error) -> Self {
        let mut source = error.source();
        while let Some(cause) = source {
            if let Some(connect) = cause.downcast_ref::<ConnectError>() {
                return Self::Link(connect.fault, connect.detail.clone());
            }
            if let Some(hyper) = cause.downcast_ref::<hyper::Error>() {
                return Self::from_hyper(hyper, reused(error));
            }
            source = cause.source();
        }
        Self::Broken(error.to_string())
    }

    fn from_hyper(error: &hyper::Error, reused: bool) -> Self {
        let reset = error
            .source()
            .and_then(|cause| cause.downcast_ref::<io::Error>())
            .is_some_and(|io| io.kind() == io::ErrorKind::ConnectionReset);
        if reused && (error.is_incomplete_message() || error.is_canceled() || reset) {
            return Self::Stale;
        }
        Self::Broken(match error.is_parse() {
            true => format!("it does not speak HTTP/1.1 ({error})"),
            false => error.to_string(),
        })
    }
}

fn reused(error: &legacy::Error) -> bool {
    let mut extensions = http::Extensions::new();
    if let Some(info) = error.connect_info() {
        info.get_extras(&mut extensions);
    }
    extensions.get::<Uses>().is_some_and(Uses::reused)
}

/// Whether the response came encoded though we asked for `identity`: it is not decoded, because
/// 16 KiB of zstd can become 512 MB.
pub(super) fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_some_and(|value| value.as_bytes() != b"identity")
}

/// Whether the response says that it is of one of the media types.
pub(super) fn is_type(headers: &HeaderMap, types: &[&str]) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim();
    types.iter().any(|wanted| essence.eq_ignore_ascii_case(wanted))
}
