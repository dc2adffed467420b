//! The HTTP client of one provider: its pool, its headers and key, and what a failed call means.

use std::io::{self, Write};
use std::sync::Arc;

use http::{HeaderName, HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use tokio::time::Instant;

use crate::config::{Key, Place, Provider, ProviderKind, Proxy, Secret};
use crate::dialect::anthropic;
use crate::lifecycle::Tasks;
use crate::provider::clock::Clock;
use crate::provider::connect::{ConnectError, Connector};
use crate::provider::http1::{Body, Head, NoHead, exchange};
use crate::provider::pool::Pool;
use crate::provider::tls::Tls;
use crate::router::LinkFault;

/// The HTTP client of one provider.
pub(super) struct HttpClient {
    connector: Connector,
    pool: Arc<Pool>,
    /// The fields of every head, each with its line's end.
    standing: Vec<u8>,
    key: Option<Key>,
    /// What stands before the key.
    key_field: &'static [u8],
    /// Whether a proxy passes plain requests on, and has to be told where to.
    through_proxy: bool,
}

/// A response whose head has come.
#[derive(Debug)]
pub(super) struct Response {
    /// Its head.
    pub(super) head: Head,
    /// Its body, still to be read.
    pub(super) body: Body,
}

impl HttpClient {
    /// # Errors
    /// Where `ca_file` cannot be used, or a header value is none.
    pub(super) fn new(
        config: &Provider,
        proxy: &Proxy,
        background: Tasks,
        clock: Arc<Clock>,
    ) -> io::Result<Self> {
        let is_https = config.base_url.https;
        let tls = match is_https {
            true => Some(Arc::new(Tls::new(config, clock)?)),
            false => None,
        };
        let proxy = intercept(config, proxy);
        let mut fields = standing_fields(config)?;
        // Through a tunnel the CONNECT carries it; on a plain request it has to be with us.
        if let Some(auth) = proxy.as_ref().and_then(Intercept::basic_auth)
            && !is_https
        {
            set(&mut fields, "proxy-authorization", auth.as_bytes());
        }
        let standing = fields
            .iter()
            .flat_map(|(name, value)| [name.as_bytes(), b": ", value, b"\r\n"].concat());
        let standing = standing.collect();
        let through_proxy = proxy.is_some() && !is_https;
        let connector = Connector::new(tls, proxy, config.deadlines.connect);
        let pool = Pool::new(config.max_concurrent, background);
        let key = config.api_key.clone().map(Key::new);
        let key_field = key_field(config.kind);
        Ok(Self { connector, pool, standing, key, key_field, through_proxy })
    }

    /// Closes the connections that wait for a request.
    pub(super) fn close_idle(&self) {
        self.pool.clear();
    }

    /// Sends a POST with a JSON body and waits until `until` for the response's head.
    pub(super) async fn post(
        &self,
        uri: &Uri,
        body: &[u8],
        until: Instant,
    ) -> Result<Response, CallError> {
        self.send("POST", uri, None, body, until).await
    }

    /// The same with a header of the request's own.
    pub(super) async fn post_with(
        &self,
        uri: &Uri,
        field: Option<(&str, &HeaderValue)>,
        body: &[u8],
        until: Instant,
    ) -> Result<Response, CallError> {
        self.send("POST", uri, field, body, until).await
    }

    /// Sends a GET and waits until `until` for the response's head.
    pub(super) async fn get(&self, uri: &Uri, until: Instant) -> Result<Response, CallError> {
        self.send("GET", uri, None, &[], until).await
    }

    async fn send(
        &self,
        method: &str,
        uri: &Uri,
        field: Option<(&str, &HeaderValue)>,
        body: &[u8],
        until: Instant,
    ) -> Result<Response, CallError> {
        let head = self.head(method, uri, field, body.len())?;
        let calling = self.call(uri, &head, body);
        tokio::time::timeout_at(until, calling).await.unwrap_or(Err(CallError::Late))
    }

    async fn call(&self, uri: &Uri, head: &[u8], body: &[u8]) -> Result<Response, CallError> {
        let mut conn = match self.pool.take() {
            Some(conn) => conn,
            // Boxed: a call that waits for its answer need not hold the room for connecting.
            None => Box::pin(self.connector.connect(uri.clone())).await?,
        };
        let was_used = std::mem::replace(&mut conn.is_used, true);
        match exchange(conn, &self.pool, head, body).await {
            Ok((head, body)) => Ok(Response { head, body }),
            Err(NoHead::Silent(_)) if was_used => Err(CallError::Stale),
            Err(NoHead::Silent(why) | NoHead::Broken(why)) => Err(CallError::Broken(why)),
        }
    }

    fn head(
        &self,
        method: &str,
        uri: &Uri,
        field: Option<(&str, &HeaderValue)>,
        length: usize,
    ) -> Result<Vec<u8>, CallError> {
        let mut head = Vec::with_capacity(self.standing.len() + 512);
        head.extend_from_slice(method.as_bytes());
        head.push(b' ');
        if self.through_proxy {
            head.extend_from_slice(uri.scheme_str().unwrap_or("http").as_bytes());
            head.extend_from_slice(b"://");
            head.extend_from_slice(uri.authority().map_or("", |it| it.as_str()).as_bytes());
        }
        head.extend_from_slice(uri.path_and_query().map_or("/", |it| it.as_str()).as_bytes());
        head.extend_from_slice(b" HTTP/1.1\r\n");
        head.extend_from_slice(&self.standing);
        if let Some((name, value)) = field {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        if let Some(key) = &self.key {
            let key = key.current().map_err(|error| CallError::Key(error.to_string()))?;
            let value = key.expose().as_bytes();
            if !is_field_value(value) {
                return Err(CallError::Key("the key holds characters that no header may".into()));
            }
            head.extend_from_slice(self.key_field);
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        }
        if method == "POST" {
            // Writing into memory cannot fail.
            write!(head, "content-length: {length}\r\n").ok();
        }
        head.extend_from_slice(b"\r\n");
        Ok(head)
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

/// Where each kind of provider looks for its key.
fn key_field(kind: ProviderKind) -> &'static [u8] {
    match kind {
        ProviderKind::Anthropic => b"x-api-key: ",
        ProviderKind::Gemini => b"x-goog-api-key: ",
        ProviderKind::Ollama | ProviderKind::OpenAi => b"authorization: Bearer ",
    }
}

/// Header fields by name; each name is there once.
type Fields = Vec<(String, Vec<u8>)>;

/// The fields of every call. Nothing of the client's own headers is among them: an Ollama
/// answers 403 to a foreign Host or Origin, and a key has one origin only.
fn standing_fields(config: &Provider) -> io::Result<Fields> {
    let mut fields = Vec::new();
    set(&mut fields, "host", host_of(&config.base_url.origin()).as_bytes());
    set(&mut fields, "content-type", b"application/json");
    set(&mut fields, "accept", b"application/json, text/event-stream");
    set(&mut fields, "accept-encoding", b"identity");
    set(&mut fields, "user-agent", concat!("edgehold/", env!("CARGO_PKG_VERSION")).as_bytes());
    if config.kind == ProviderKind::Anthropic {
        set(&mut fields, "anthropic-version", anthropic::VERSION.as_bytes());
    }
    for (name, value) in &config.headers {
        let bad = || io::Error::new(io::ErrorKind::InvalidInput, format!("header {name}"));
        HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        let value = value.expose().as_bytes();
        if !is_field_value(value) {
            return Err(bad());
        }
        set(&mut fields, name, value);
    }
    Ok(fields)
}

/// Host and port as a Host field has them: without the scheme's own port (RFC 9110 section 7.2).
fn host_of(origin: &str) -> &str {
    match origin.split_once("://") {
        Some(("http", rest)) => rest.strip_suffix(":80").unwrap_or(rest),
        Some(("https", rest)) => rest.strip_suffix(":443").unwrap_or(rest),
        _ => origin,
    }
}

/// The configuration's word stands in the place of ours.
fn set(fields: &mut Fields, name: &str, value: &[u8]) {
    fields.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    fields.push((name.to_owned(), value.to_owned()));
}

/// SECURITY: a line's end in a value would be the begin of a field, or of a request, of its own.
fn is_field_value(value: &[u8]) -> bool {
    HeaderValue::from_bytes(value).is_ok()
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

impl From<ConnectError> for CallError {
    fn from(error: ConnectError) -> Self {
        Self::Link(error.fault, error.detail)
    }
}
