//! The resolved configuration as TOML, secrets masked: what `edgehold check` prints.

use std::fmt::{self, Write};
use std::time::Duration;

use crate::config::units::{show_duration, show_size};
use crate::config::{Config, Deadlines, KeySource, Provider, Queue, Summaries};

impl Config {
    /// Every setting with its value, defaults included, as TOML. No secret is in it: a key shows
    /// its source, a header `***`.
    pub fn describe(&self) -> String {
        let mut out = Lines(String::new());
        self.write(&mut out);
        out.0
    }

    fn write(&self, out: &mut Lines) {
        let server = &self.server;
        out.line("[server]");
        out.list("listen", server.listen.iter());
        out.list("hosts", server.hosts.iter());
        out.text("socket_mode", format_args!("0{:o}", server.socket_mode));
        out.text("max_body", show_size(server.max_body));
        out.text("max_document", show_size(server.max_document));
        out.number("max_connections", server.max_connections);
        out.time("grace", server.grace);
        out.time("header_timeout", server.header_timeout);
        out.time("body_timeout", server.body_timeout);
        out.time("idle_timeout", server.idle_timeout);
        out.time("write_timeout", server.write_timeout);
        out.line("\n[memory]");
        out.text("cap", show_size(self.memory.cap));
        out.line("\n[log]");
        out.text("level", self.log.level);
        out.line("\n[deadlines]");
        out.deadlines(&self.deadlines);
        out.line("\n[routing]");
        out.number("retries", self.routing.retries);
        out.time("max_wait", self.routing.max_wait);
        out.number("breaker_failures", self.routing.breaker_failures);
        out.time("breaker_cooldown", self.routing.breaker_cooldown);
        out.queue(&self.queue);
        out.summaries(&self.summaries);
        for provider in self.providers.values() {
            out.provider(provider);
        }
        for name in &self.builtins {
            out.line(&format!("\n[providers.{name}]"));
            out.text("kind", "builtin");
        }
        for (name, alias) in &self.models {
            out.line(&format!("\n[models.{name:?}]"));
            out.list("targets", alias.targets.iter());
            out.list("refine", alias.refine.iter());
            out.text("locality", alias.locality);
        }
        for client in &self.clients {
            out.line("\n[[clients]]");
            out.text("name", &client.name);
            out.key("token", &client.token);
            out.text("locality", client.locality);
        }
    }
}

struct Lines(String);

impl Lines {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn put(&mut self, line: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _infallible = writeln!(self.0, "{line}");
    }

    fn text(&mut self, key: &str, value: impl fmt::Display) {
        self.put(format_args!("{key} = {:?}", value.to_string()));
    }

    fn number(&mut self, key: &str, value: impl fmt::Display) {
        self.put(format_args!("{key} = {value}"));
    }

    fn time(&mut self, key: &str, value: Duration) {
        self.text(key, show_duration(value));
    }

    fn list(&mut self, key: &str, values: impl Iterator<Item = impl fmt::Display>) {
        let values: Vec<String> = values.map(|value| format!("{:?}", value.to_string())).collect();
        self.put(format_args!("{key} = [{}]", values.join(", ")));
    }

    fn key(&mut self, key: &str, source: &KeySource) {
        match source {
            KeySource::Env { name, .. } => self.put(format_args!("{key} = {{ env = {name:?} }}")),
            KeySource::File(path) => self.put(format_args!("{key} = {{ file = {path:?} }}")),
        }
    }

    fn deadlines(&mut self, deadlines: &Deadlines) {
        self.time("connect", deadlines.connect);
        self.time("load", deadlines.load);
        self.time("first_token", deadlines.first_token);
        self.time("idle", deadlines.idle);
        self.time("total", deadlines.total);
    }

    fn queue(&mut self, queue: &Queue) {
        self.line("\n[queue]");
        if let Some(path) = &queue.path {
            self.text("path", path.display());
        }
        self.text("quota", show_size(queue.quota));
        self.number("max_jobs", queue.max_jobs);
        self.time("ttl", queue.ttl);
        self.time("result_ttl", queue.result_ttl);
        self.number("max_attempts", queue.max_attempts);
        self.number("concurrency", queue.concurrency);
    }

    fn summaries(&mut self, summaries: &Summaries) {
        self.line("\n[summaries]");
        if let Some(path) = &summaries.path {
            self.text("path", path.display());
        }
        self.text("quota", show_size(summaries.quota));
        self.text("memory", show_size(summaries.memory));
        self.time("time", summaries.time);
    }

    fn provider(&mut self, provider: &Provider) {
        self.line(&format!("\n[providers.{}]", provider.name));
        self.text("kind", provider.kind);
        self.text("base_url", &provider.base_url);
        if let Some(key) = &provider.api_key {
            self.key("api_key", key);
        }
        self.text("locality", provider.place);
        for (name, value) in &provider.headers {
            self.text(&format!("headers.{name:?}"), value);
        }
        for (name, value) in &provider.query {
            self.text(&format!("query.{name:?}"), value);
        }
        if let Some(path) = &provider.ca_file {
            self.text("ca_file", path.display());
        }
        self.number("max_concurrent", provider.max_concurrent);
        self.number("max_waiting", provider.max_waiting);
        self.time("patience", provider.patience);
        self.text("keep_alive", &provider.keep_alive);
        if let Some(tokens) = provider.max_context {
            self.number("max_context", tokens);
        }
        self.text("max_answer", show_size(provider.max_answer));
        self.list("omit", provider.omit.iter());
        self.list("lacks", provider.lacks.iter());
        self.number("enforces_schema", provider.enforces_schema);
        self.line(&format!("[providers.{}.deadlines]", provider.name));
        self.deadlines(&provider.deadlines);
    }
}
