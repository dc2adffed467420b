//! How the configuration's own words are read and written.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use crate::config::{Ability, BaseUrl, Level, Listen, Locality, Place, ProviderKind, Target};

/// The target triple that this program was built for, as far as it can be told from within.
pub const TARGET: &str = if cfg!(all(target_arch = "aarch64", target_env = "musl")) {
    "aarch64-unknown-linux-musl"
} else if cfg!(all(target_arch = "arm", target_env = "musl")) {
    "armv7-unknown-linux-musleabihf"
} else if cfg!(all(target_arch = "x86_64", target_env = "musl")) {
    "x86_64-unknown-linux-musl"
} else if cfg!(all(target_arch = "x86_64", target_env = "gnu")) {
    "x86_64-unknown-linux-gnu"
} else {
    "another target"
};

/// Local and cloud are both demanded: nothing may serve that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict;

impl Locality {
    /// What both allow.
    ///
    /// # Errors
    /// Where one says local and the other cloud.
    pub fn strictest(self, other: Self) -> Result<Self, Conflict> {
        match (self, other) {
            (Self::Any, it) | (it, Self::Any) => Ok(it),
            (one, other) if one == other => Ok(one),
            _ => Err(Conflict),
        }
    }

    /// Whether a request may be served at this place.
    pub fn admits(self, place: Place) -> bool {
        match self {
            Self::Any => true,
            Self::Cloud => place == Place::Cloud,
            Self::Local => place == Place::Local,
        }
    }
}

impl FromStr for Locality {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "any" => Ok(Self::Any),
            "cloud" => Ok(Self::Cloud),
            "local" => Ok(Self::Local),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Locality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "any",
            Self::Cloud => "cloud",
            Self::Local => "local",
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cloud => "cloud",
            Self::Local => "local",
        })
    }
}

impl fmt::Display for ProviderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
            Self::OpenAi => "openai",
        })
    }
}

impl FromStr for Ability {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "embeddings" => Ok(Self::Embeddings),
            "images" => Ok(Self::Images),
            "json_schema" => Ok(Self::JsonSchema),
            "tools" => Ok(Self::Tools),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Ability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embeddings => "embeddings",
            Self::Images => "images",
            Self::JsonSchema => "json_schema",
            Self::Tools => "tools",
        })
    }
}

impl FromStr for Level {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "error" => Ok(Self::Error),
            "warn" => Ok(Self::Warn),
            "info" => Ok(Self::Info),
            "debug" => Ok(Self::Debug),
            "trace" => Ok(Self::Trace),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Listen {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.strip_prefix("unix:") {
            Some(path) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(_) => Err(()),
            None => text.parse().map(Self::Tcp).map_err(|_| ()),
        }
    }
}

impl Target {
    /// Reads `provider/model`, split at the first slash: a model's name may hold more.
    pub fn parse(text: &str) -> Option<Self> {
        let (provider, model) = text.split_once('/')?;
        if provider.is_empty() || model.is_empty() || text.chars().any(char::is_whitespace) {
            return None;
        }
        Some(Self::new(Arc::from(provider), model))
    }
}

impl BaseUrl {
    /// Reads `http(s)://host[:port][/path]`. User names, queries and fragments are refused: keys
    /// go into `api_key`, parameters into `query`.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let (https, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err("it must begin with http:// or https://"),
        };
        if rest.contains(['?', '#', '@'])
            || rest.chars().any(|c| c.is_whitespace() || c.is_control())
        {
            return Err("it must hold no user name, query, fragment or space");
        }
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let (host, port) = split_port(authority).ok_or("its port is no number from 1 to 65535")?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || authority.parse::<http::uri::Authority>().is_err() {
            return Err("it has no host");
        }
        Ok(Self {
            https,
            host: host.to_ascii_lowercase(),
            port: port.unwrap_or(if https { 443 } else { 80 }),
            path: path.trim_end_matches('/').to_owned(),
        })
    }

    /// Scheme, host and port: what a key is bound to. The scheme's own port is left out.
    pub fn origin(&self) -> String {
        let scheme = if self.https { "https" } else { "http" };
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        match (self.https, self.port) {
            (true, 443) | (false, 80) => format!("{scheme}://{host}"),
            (_, port) => format!("{scheme}://{host}:{port}"),
        }
    }

    /// The address of a path below the base, with parameters.
    pub fn join(&self, path: &str, query: &[(String, String)]) -> String {
        let encode = |text: &str| percent_encoding::utf8_percent_encode(text, RESERVED).to_string();
        let pairs: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        let mark = if pairs.is_empty() { "" } else { "?" };
        format!("{}{}{path}{mark}{}", self.origin(), self.path, pairs.join("&"))
    }

    /// Whether this is OpenAI's own API, or Azure's of it.
    pub fn is_openais(&self) -> bool {
        const AZURE: [&str; 2] = [".openai.azure.com", ".services.ai.azure.com"];
        self.host == "api.openai.com" || AZURE.iter().any(|domain| self.host.ends_with(domain))
    }

    /// Whether the host is this device.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Whether the host is, by its address, this device or its LAN. A name that has to be looked
    /// up can lead anywhere, so it is not.
    pub(super) fn place(&self) -> Place {
        let near = match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
            Ok(IpAddr::V6(ip)) => {
                ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
            }
            Err(_) => self.host == "localhost",
        };
        if near { Place::Local } else { Place::Cloud }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.path)
    }
}

/// All but what RFC 3986 section 2.3 calls unreserved.
const RESERVED: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            Some((host, Some(port.parse().ok().filter(|port| *port > 0)?)))
        }
        _ => Some((authority, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls() {
        let table = [
            ("http://127.0.0.1:11434", Place::Local, "http://127.0.0.1:11434"),
            ("http://192.168.1.5:8080/v1/", Place::Local, "http://192.168.1.5:8080/v1"),
            ("http://LOCALHOST:1", Place::Local, "http://localhost:1"),
            ("http://[::1]:11434", Place::Local, "http://[::1]:11434"),
            ("http://[fd00::1]", Place::Local, "http://[fd00::1]"),
            ("https://api.example.com/v1", Place::Cloud, "https://api.example.com/v1"),
            ("http://8.8.8.8", Place::Cloud, "http://8.8.8.8"),
            ("http://box.lan:11434", Place::Cloud, "http://box.lan:11434"),
        ];
        for (text, place, shown) in table {
            let url = BaseUrl::parse(text).unwrap();
            assert_eq!((url.place(), url.to_string().as_str()), (place, shown), "{text}");
        }
        for bad in [
            "",
            "ftp://x",
            "http://",
            "http://u:p@h",
            "http://h?x",
            "http://h:0",
            "http://h:x",
            "h:1",
        ] {
            assert!(BaseUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn joins_paths_and_parameters() {
        let url = BaseUrl::parse("https://h/openai/v1").unwrap();
        let query = [("api-version".to_owned(), "a b".to_owned())];
        assert_eq!(url.join("/models", &query), "https://h/openai/v1/models?api-version=a%20b");
        assert_eq!(url.join("/models", &[]), "https://h/openai/v1/models");
    }

    #[test]
    fn the_strictest_locality_wins() {
        use Locality::{Any, Cloud, Local};
        let table = [
            (Any, Any, Ok(Any)),
            (Any, Local, Ok(Local)),
            (Cloud, Any, Ok(Cloud)),
            (Local, Local, Ok(Local)),
            (Local, Cloud, Err(Conflict)),
        ];
        for (one, other, want) in table {
            assert_eq!(one.strictest(other), want);
            assert_eq!(other.strictest(one), want);
        }
    }

    #[test]
    fn targets_split_at_the_first_slash() {
        let target = Target::parse("openrouter/meta/llama:free").unwrap();
        assert_eq!((&*target.provider, &*target.model), ("openrouter", "meta/llama:free"));
        for bad in ["", "x", "/x", "x/", "a b/c"] {
            assert_eq!(Target::parse(bad), None, "{bad}");
        }
    }
}
