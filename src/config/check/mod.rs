//! From the file to the checked types: defaults, limits, and every complaint at once.

mod providers;
mod queue;
mod summaries;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::config::file::{
    ClientTable, DeadlinesTable, File, ModelTable, RoutingTable, ServerTable,
};
use crate::config::{
    Alias, Client, Config, Deadlines, EXTRACTIVE, Env, KeySource, Level, Listen, Locality, Log,
    Memory, Provider, ProviderName, Proxy, Routing, Secret, Server, Target, units,
};

const MIB: u64 = 1 << 20;

/// Memory that a cap must leave beside the program itself.
const SMALLEST_CAP: u64 = 8 * MIB;

/// Complaints: the key, and what is wrong with it.
type Complaints = Vec<(String, String)>;

/// Checks a file.
pub(super) fn check(file: File, source: Option<&Path>, env: &Env) -> Result<Config, Complaints> {
    let mut checker = Checker { env, complaints: Vec::new() };
    let config = checker.config(file, source);
    if checker.complaints.is_empty() { Ok(config) } else { Err(checker.complaints) }
}

struct Checker<'a> {
    env: &'a Env,
    complaints: Complaints,
}

impl Checker<'_> {
    fn complain(&mut self, key: impl Into<String>, message: impl Display) {
        self.complaints.push((key.into(), message.to_string()));
    }

    fn config(&mut self, file: File, source: Option<&Path>) -> Config {
        let cap = self.size("memory.cap", file.memory.cap, 32 * MIB);
        if cap < SMALLEST_CAP {
            self.complain("memory.cap", "too small; allowed: 8MiB and up");
        }
        let deadlines = self.deadlines("deadlines", &file.deadlines, BUILT_IN_DEADLINES);
        let clients = self.clients(file.clients);
        let server = self.server(file.server, cap, !clients.is_empty());
        let (providers, builtins) = self.providers(file.providers, deadlines);
        let queue = self.queue(file.queue);
        Config {
            source: source.map(Path::to_owned),
            server,
            memory: Memory { cap },
            log: Log {
                level: self.word(
                    "log.level",
                    file.log.level,
                    Level::Info,
                    "error, warn, info, debug, trace",
                ),
            },
            deadlines,
            routing: self.routing(&file.routing),
            models: self.models(file.models, &providers, &builtins),
            providers,
            builtins,
            clients,
            summaries: self.summaries(file.summaries, cap, queue.path.as_deref()),
            queue,
            proxy: proxy(self.env),
        }
    }

    fn server(&mut self, table: ServerTable, cap: u64, has_clients: bool) -> Server {
        let listen = self.listen(table.listen, has_clients);
        let max_body = self.size("server.max_body", table.max_body, MIB);
        // A body is held three times over while it is served.
        if max_body.saturating_mul(3) > cap.saturating_sub(SMALLEST_CAP / 2) {
            self.complain(
                "server.max_body",
                "too large for memory.cap: three times max_body and 4MiB must fit into it",
            );
        }
        let max_connections = table.max_connections.unwrap_or(64);
        if max_connections == 0 || max_connections > 10_000 {
            self.complain("server.max_connections", "allowed: 1 to 10000");
        }
        Server {
            listen,
            hosts: self.hosts(table.hosts.unwrap_or_default()),
            socket_mode: self.socket_mode(table.socket_mode.as_deref()),
            max_body,
            max_document: self.size("server.max_document", table.max_document, 64 * MIB),
            max_connections: usize::try_from(max_connections).unwrap_or(64),
            grace: self.time("server.grace", table.grace, 10_000),
            header_timeout: self.limit("server.header_timeout", table.header_timeout, 10_000),
            body_timeout: self.limit("server.body_timeout", table.body_timeout, 30_000),
            idle_timeout: self.limit("server.idle_timeout", table.idle_timeout, 60_000),
            write_timeout: self.limit("server.write_timeout", table.write_timeout, 60_000),
        }
    }

    fn listen(&mut self, texts: Option<Vec<String>>, has_clients: bool) -> Vec<Listen> {
        let texts = texts.unwrap_or_else(|| vec!["127.0.0.1:11435".to_owned()]);
        if texts.is_empty() {
            self.complain("server.listen", "at least one address is wanted");
        }
        let mut listen = Vec::new();
        for text in &texts {
            let Ok(address) = text.parse::<Listen>() else {
                self.complain("server.listen", "allowed: IP:PORT such as \"127.0.0.1:11435\" or \"[::1]:11435\", and \"unix:/PATH\"");
                continue;
            };
            let exposed = matches!(&address, Listen::Tcp(it) if !it.ip().is_loopback());
            if exposed && !has_clients {
                self.complain("server.listen", format!("{address} can be reached by others, so [[clients]] with a token are wanted; without them only loopback addresses and unix sockets are allowed"));
            }
            listen.push(address);
        }
        listen
    }

    fn hosts(&mut self, hosts: Vec<String>) -> Vec<String> {
        for host in &hosts {
            if host.parse::<http::uri::Authority>().is_err() || host.contains('@') {
                self.complain(
                    "server.hosts",
                    "allowed: NAME or NAME:PORT, as clients write it in their Host header",
                );
            }
        }
        hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect()
    }

    fn socket_mode(&mut self, text: Option<&str>) -> u32 {
        match u32::from_str_radix(text.unwrap_or("0660"), 8) {
            Ok(mode) if mode <= 0o777 => mode,
            _ => {
                self.complain("server.socket_mode", "allowed: an octal mode such as \"0660\"");
                0o660
            }
        }
    }

    fn routing(&mut self, table: &RoutingTable) -> Routing {
        let retries = table.retries.unwrap_or(2);
        if retries > 10 {
            self.complain("routing.retries", "allowed: 0 to 10");
        }
        let breaker_failures = table.breaker_failures.unwrap_or(5);
        if breaker_failures == 0 {
            self.complain("routing.breaker_failures", "allowed: 1 and up");
        }
        Routing {
            retries,
            max_wait: self.time("routing.max_wait", table.max_wait.clone(), 20_000),
            breaker_failures,
            breaker_cooldown: self.limit(
                "routing.breaker_cooldown",
                table.breaker_cooldown.clone(),
                30_000,
            ),
        }
    }

    fn deadlines(&mut self, at: &str, table: &DeadlinesTable, base: Deadlines) -> Deadlines {
        let mut read = |name: &str, text: &Option<String>, base: Duration| match text {
            None => base,
            Some(text) => self.limit(&format!("{at}.{name}"), Some(text.clone()), 1),
        };
        Deadlines {
            connect: read("connect", &table.connect, base.connect),
            load: read("load", &table.load, base.load),
            first_token: read("first_token", &table.first_token, base.first_token),
            idle: read("idle", &table.idle, base.idle),
            total: read("total", &table.total, base.total),
        }
    }

    fn models(
        &mut self,
        tables: BTreeMap<String, ModelTable>,
        providers: &BTreeMap<ProviderName, Arc<Provider>>,
        builtins: &BTreeSet<ProviderName>,
    ) -> BTreeMap<String, Alias> {
        let mut models = BTreeMap::new();
        for (name, table) in tables {
            let at = format!("models.{name}");
            if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '/') {
                self.complain(&at, "an alias has no spaces and no / in its name");
            }
            if table.targets.is_empty() {
                self.complain(format!("{at}.targets"), "at least one \"PROVIDER/MODEL\" is wanted");
            }
            let locality = self.locality(&format!("{at}.locality"), table.locality);
            let mut read = |key: &str, texts: &[String]| {
                let at = format!("{at}.{key}");
                let all =
                    texts.iter().filter_map(|text| self.target(&at, text, providers, builtins));
                all.collect::<Arc<[Target]>>()
            };
            let (targets, refine) =
                (read("targets", &table.targets), read("refine", &table.refine));
            self.extracts_come_last(&at, &targets, &refine, builtins);
            models.insert(name, Alias { targets, refine, locality });
        }
        models
    }

    fn target(
        &mut self,
        at: &str,
        text: &str,
        providers: &BTreeMap<ProviderName, Arc<Provider>>,
        builtins: &BTreeSet<ProviderName>,
    ) -> Option<Target> {
        let Some(target) = Target::parse(text) else {
            self.complain(at, "allowed: \"PROVIDER/MODEL\"");
            return None;
        };
        if builtins.contains(&target.provider) {
            if &*target.model != EXTRACTIVE {
                let only = Target::extractive(Arc::clone(&target.provider));
                self.complain(at, format!("a provider of kind builtin has one model: {only}"));
            }
            return Some(target);
        }
        // A provider with a problem of its own has been complained about already.
        if !providers.contains_key(&target.provider) && self.complaints.is_empty() {
            let known: Vec<&str> = providers.keys().chain(builtins).map(|name| &**name).collect();
            self.complain(
                at,
                format!(
                    "there is no provider {}; there are: {}",
                    target.provider,
                    known.join(", ")
                ),
            );
        }
        Some(target)
    }

    /// An extract never fails, so that what stands behind one would never be asked.
    fn extracts_come_last(
        &mut self,
        at: &str,
        targets: &[Target],
        refine: &[Target],
        builtins: &BTreeSet<ProviderName>,
    ) {
        let is_extract = |target: &Target| builtins.contains(&target.provider);
        let before = targets.len().saturating_sub(1);
        if targets.iter().take(before).any(is_extract) {
            let message = "an extract never fails: a target of kind builtin has to be the last one";
            self.complain(format!("{at}.targets"), message);
        }
        if refine.iter().any(is_extract) {
            let message = "no answer is bettered by an extract; allowed: targets that are models";
            self.complain(format!("{at}.refine"), message);
        }
    }

    fn clients(&mut self, tables: Vec<ClientTable>) -> Vec<Client> {
        let mut clients: Vec<Client> = Vec::new();
        let mut tokens: Vec<Secret> = Vec::new();
        for (number, table) in tables.into_iter().enumerate() {
            let at = format!("clients[{number}]");
            let name = table.name.filter(|name| is_plain(name));
            let Some(name) = name else {
                self.complain(format!("{at}.name"), "wanted: 1 to 64 letters, digits, _ or -");
                continue;
            };
            if clients.iter().any(|client| client.name == name) {
                self.complain(format!("{at}.name"), "another client has this name");
            }
            let locality = self.locality(&format!("{at}.locality"), table.locality);
            let Some(token) = table.token else {
                self.complain(format!("{at}.token"), "wanted; allowed: { credential = \"NAME\" }, { env = \"NAME\" } or { file = \"/PATH\" }");
                continue;
            };
            let Some(token) = self.key(&format!("{at}.token"), token, false) else { continue };
            self.token(&format!("{at}.token"), &token, &mut tokens);
            clients.push(Client { name, token, locality });
        }
        clients
    }

    fn token(&mut self, at: &str, source: &KeySource, others: &mut Vec<Secret>) {
        match source.read() {
            Ok(token) if token.expose().len() < 16 => {
                self.complain(at, "too short to be safe; allowed: 16 characters and up");
            }
            Ok(token) if others.contains(&token) => {
                self.complain(at, "another client has the same token");
            }
            Ok(token) => others.push(token),
            Err(error) => self.complain(at, error),
        }
    }

    fn locality(&mut self, at: &str, text: Option<String>) -> Locality {
        self.word(at, text, Locality::Any, "local, cloud, any")
    }

    fn word<T: FromStr>(&mut self, at: &str, text: Option<String>, default: T, all: &str) -> T {
        match text.map(|text| text.parse()) {
            None => default,
            Some(Ok(value)) => value,
            Some(Err(_)) => {
                self.complain(at, format!("allowed: {all}"));
                default
            }
        }
    }

    fn size(&mut self, at: &str, text: Option<String>, default: u64) -> u64 {
        match text.map(|text| units::size(&text)) {
            None => default,
            Some(Some(bytes)) if bytes > 0 => bytes,
            Some(_) => {
                self.complain(at, "allowed: a size such as \"512KiB\" or \"32MiB\"");
                default
            }
        }
    }

    /// A time that may be nothing.
    fn time(&mut self, at: &str, text: Option<String>, default_millis: u64) -> Duration {
        let default = Duration::from_millis(default_millis);
        match text.map(|text| units::duration(&text)) {
            None => default,
            Some(Some(time)) if time <= LONGEST => time,
            Some(_) => {
                self.complain(
                    at,
                    "allowed: a time such as \"500ms\", \"10s\" or \"15m\", at most 7d",
                );
                default
            }
        }
    }

    /// A time that must be something.
    fn limit(&mut self, at: &str, text: Option<String>, default_millis: u64) -> Duration {
        let time = self.time(at, text, default_millis);
        if time.is_zero() {
            self.complain(at, "allowed: more than nothing");
        }
        time
    }
}

const LONGEST: Duration = Duration::from_secs(7 * 86_400);

const BUILT_IN_DEADLINES: Deadlines = Deadlines {
    connect: Duration::from_secs(10),
    load: Duration::from_secs(600),
    first_token: Duration::from_secs(120),
    idle: Duration::from_secs(60),
    total: Duration::from_secs(900),
};

fn is_plain(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// The proxy variables as curl reads them: `HTTP_PROXY` in capitals only outside CGI, where a
/// request header of that name could set it.
fn proxy(env: &Env) -> Proxy {
    let first = |names: &[&str]| names.iter().find_map(|name| env.get(name)).map(Secret::new);
    let http_names: &[&str] = match env.get("REQUEST_METHOD") {
        Some(_) => &["http_proxy", "all_proxy", "ALL_PROXY"],
        None => &["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
    };
    Proxy {
        http: first(http_names),
        https: first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
        no: env.get("no_proxy").or_else(|| env.get("NO_PROXY")).map(str::to_owned),
    }
}
