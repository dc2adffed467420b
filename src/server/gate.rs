//! Who may ask: Host, Origin and token of every request, before its path is looked at.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::{HeaderMap, Request};

use crate::chat::{Error, Kind};
use crate::config::{Client, Config, Key, Listen, Locality};
use crate::server::Peer;
use crate::server::names::{SEC_FETCH_SITE, X_API_KEY};
use crate::server::route::Route;

/// Names that a request may call us by, and tokens that it may show.
pub(super) struct Gate {
    hosts: Vec<String>,
    clients: Vec<Known>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

struct Known {
    client: Arc<Client>,
    token: Key,
}

/// Who asks.
#[derive(Debug, Clone, Default)]
pub(super) struct Caller {
    /// The client's entry in the configuration, if it showed a token of one.
    pub(super) client: Option<Arc<Client>>,
}

impl Caller {
    /// Where its requests may be served.
    pub(super) fn locality(&self) -> Locality {
        self.client.as_ref().map_or(Locality::Any, |client| client.locality)
    }
}

impl Gate {
    pub(super) fn new(config: &Config) -> Self {
        let mut hosts: Vec<String> = config.server.listen.iter().flat_map(own_names).collect();
        hosts.extend(config.server.hosts.iter().flat_map(|host| listed_names(host, config)));
        let clients = config.clients.iter().map(|client| Known {
            token: Key::new(client.token.clone()),
            client: Arc::new(client.clone()),
        });
        Self { hosts, clients: clients.collect() }
    }

    /// Lets a request in, or says why not.
    pub(super) fn admit<B>(
        &self,
        route: Option<Route>,
        peer: &Peer,
        request: &Request<B>,
    ) -> Result<Caller, Error> {
        check_size(request)?;
        let host = self.check_host(peer, request)?;
        check_origin(request.headers(), host)?;
        if self.clients.is_empty() || route.is_some_and(Route::is_open) {
            return Ok(Caller::default());
        }
        match (self.client_of(request.headers()), peer) {
            (Some(client), _) => Ok(Caller { client: Some(client) }),
            (None, Peer::Unix) if shown(request.headers()).is_none() => Ok(Caller::default()),
            (None, _) => Err(Error::new(
                Kind::Unauthorized,
                "a token of one of the configured [[clients]] is wanted: Authorization: Bearer TOKEN",
            )),
        }
    }

    /// SECURITY: a web page that rebinds its DNS name to this device still sends its own name.
    fn check_host<'a, B>(&self, peer: &Peer, request: &'a Request<B>) -> Result<&'a str, Error> {
        let mut all = request.headers().get_all(HOST).iter();
        let (Some(host), None) = (all.next(), all.next()) else {
            return Err(Error::invalid("one Host header is wanted (RFC 9112 section 3.2)"));
        };
        let host = host.to_str().unwrap_or_default();
        if host.is_empty() {
            return Err(Error::invalid("the Host header is empty"));
        }
        if let Some(authority) = request.uri().authority()
            && !authority.as_str().eq_ignore_ascii_case(host)
        {
            return Err(Error::invalid("the request's address and its Host header differ"));
        }
        let known = match peer {
            Peer::Unix => true,
            Peer::Tcp(at) => {
                self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
                    || (!at.ip().is_unspecified() && authority_of(at.ip(), at.port()) == host)
            }
        };
        if known {
            return Ok(host);
        }
        Err(Error::new(
            Kind::Misdirected,
            "the Host header is not a name of this gateway and its port, such as 127.0.0.1:11435; list it under hosts in [server] if it should be",
        ))
    }

    fn client_of(&self, headers: &HeaderMap) -> Option<Arc<Client>> {
        let shown = shown(headers)?;
        // Every token is compared whole, so that the time says nothing of how much was right.
        self.clients.iter().fold(None, |found, known| {
            let right = known
                .token
                .current()
                .is_ok_and(|token| same(token.expose().as_bytes(), shown.as_bytes()));
            if right { Some(Arc::clone(&known.client)) } else { found }
        })
    }
}

/// Most header fields of a request.
const MOST_FIELDS: usize = 64;

/// Longest path and query of a request, in bytes.
const LONGEST_URI: usize = 2048;

fn check_size<B>(request: &Request<B>) -> Result<(), Error> {
    let length = request.uri().path_and_query().map_or(0, |it| it.as_str().len());
    if length > LONGEST_URI {
        let message = format!("the path and query are longer than {LONGEST_URI} bytes");
        return Err(Error::new(Kind::UriTooLong, message));
    }
    if request.headers().len() > MOST_FIELDS {
        let message = format!("the request has more than {MOST_FIELDS} header fields");
        return Err(Error::new(Kind::HeadTooLarge, message));
    }
    Ok(())
}

/// The token that a request shows: as a bearer, or in Anthropic's own header.
fn shown(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    bearer.or_else(|| headers.get(&X_API_KEY)?.to_str().ok())
}

fn same(one: &[u8], other: &[u8]) -> bool {
    let differ = one.iter().zip(other).fold(0, |differ, (a, b)| differ | (a ^ b));
    one.len() == other.len() && std::hint::black_box(differ) == 0
}

/// SECURITY: browsers name the page that a request comes from; no page but our own may ask.
fn check_origin(headers: &HeaderMap, host: &str) -> Result<(), Error> {
    let own = |origin: &str| {
        origin.strip_prefix("http://").is_some_and(|rest| rest.eq_ignore_ascii_case(host))
    };
    let foreign = headers.get_all(ORIGIN).iter().any(|value| !value.to_str().is_ok_and(own));
    let cross = headers
        .get(&SEC_FETCH_SITE)
        .is_some_and(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"));
    if foreign || cross {
        return Err(Error::new(
            Kind::Forbidden,
            "requests from web pages of another origin are refused",
        ));
    }
    Ok(())
}

/// The names of a listener: its address, and for loopback every usual way to write it.
fn own_names(listen: &Listen) -> Vec<String> {
    let Listen::Tcp(address) = listen else { return Vec::new() };
    let port = address.port();
    if !address.ip().is_loopback() {
        let own = Some(address.ip()).filter(|ip| !ip.is_unspecified());
        return own
            .into_iter()
            .flat_map(|ip| with_default_port(authority_of(ip, port), port))
            .collect();
    }
    let names = [
        format!("localhost:{port}"),
        authority_of(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
        authority_of(IpAddr::V6(Ipv6Addr::LOCALHOST), port),
        authority_of(address.ip(), port),
    ];
    names.into_iter().flat_map(|name| with_default_port(name, port)).collect()
}

/// A listed name with a port is taken as it is; one without stands for each listener's port.
fn listed_names(host: &str, config: &Config) -> Vec<String> {
    let has_port = host.rsplit_once(':').is_some_and(|(name, port)| {
        port.parse::<u16>().is_ok() && (!name.contains(':') || name.ends_with(']'))
    });
    if has_port {
        return vec![host.to_owned()];
    }
    let ports = config.server.listen.iter().filter_map(|listen| match listen {
        Listen::Tcp(address) => Some(address.port()),
        Listen::Unix(_) => None,
    });
    ports.flat_map(|port| with_default_port(format!("{host}:{port}"), port)).collect()
}

/// HTTP's own port is left out by clients.
fn with_default_port(name: String, port: u16) -> Vec<String> {
    match name.strip_suffix(":80").filter(|_| port == 80) {
        Some(bare) => vec![bare.to_owned(), name],
        None => vec![name],
    }
}

fn authority_of(ip: IpAddr, port: u16) -> String {
    match ip {
        IpAddr::V4(ip) => format!("{ip}:{port}"),
        IpAddr::V6(ip) => format!("[{ip}]:{port}"),
    }
}
