//! The paths that there are, each with its methods: one table.

use http::{Method, Request};

use crate::chat::{Error, Kind};
use crate::dialect::Door;
use crate::server::failed::Failed;

/// Where a path leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Ask,
    Chat,
    Completions,
    CountTokens,
    Embeddings,
    Health,
    Messages,
    Metrics,
    Model,
    Models,
    OllamaBlob,
    OllamaChange,
    OllamaChat,
    OllamaDelete,
    OllamaEmbed,
    OllamaEmbeddings,
    OllamaGenerate,
    OllamaPs,
    OllamaShow,
    OllamaTags,
    OllamaVersion,
    Page,
    Ready,
    Responses,
    Status,
}

/// One path: `{id}` at its end stands for anything.
struct Path {
    path: &'static str,
    route: Route,
    method: Method,
}

static PATHS: [Path; 28] = [
    Path { path: "/v1/chat/completions", route: Route::Chat, method: Method::POST },
    Path { path: "/v1/completions", route: Route::Completions, method: Method::POST },
    Path { path: "/v1/responses", route: Route::Responses, method: Method::POST },
    Path { path: "/v1/embeddings", route: Route::Embeddings, method: Method::POST },
    Path { path: "/v1/messages", route: Route::Messages, method: Method::POST },
    Path { path: "/v1/messages/count_tokens", route: Route::CountTokens, method: Method::POST },
    Path { path: "/api/chat", route: Route::OllamaChat, method: Method::POST },
    Path { path: "/api/generate", route: Route::OllamaGenerate, method: Method::POST },
    Path { path: "/api/embed", route: Route::OllamaEmbed, method: Method::POST },
    Path { path: "/api/embeddings", route: Route::OllamaEmbeddings, method: Method::POST },
    Path { path: "/api/show", route: Route::OllamaShow, method: Method::POST },
    Path { path: "/api/tags", route: Route::OllamaTags, method: Method::GET },
    Path { path: "/api/ps", route: Route::OllamaPs, method: Method::GET },
    Path { path: "/api/version", route: Route::OllamaVersion, method: Method::GET },
    // Known, so that their refusal can say why.
    Path { path: "/api/create", route: Route::OllamaChange, method: Method::POST },
    Path { path: "/api/pull", route: Route::OllamaChange, method: Method::POST },
    Path { path: "/api/push", route: Route::OllamaChange, method: Method::POST },
    Path { path: "/api/copy", route: Route::OllamaChange, method: Method::POST },
    Path { path: "/api/delete", route: Route::OllamaDelete, method: Method::DELETE },
    Path { path: "/api/blobs/{id}", route: Route::OllamaBlob, method: Method::POST },
    Path { path: "/v1/ask", route: Route::Ask, method: Method::POST },
    Path { path: "/v1/models", route: Route::Models, method: Method::GET },
    Path { path: "/v1/models/{id}", route: Route::Model, method: Method::GET },
    Path { path: "/healthz", route: Route::Health, method: Method::GET },
    Path { path: "/readyz", route: Route::Ready, method: Method::GET },
    Path { path: "/status", route: Route::Status, method: Method::GET },
    Path { path: "/metrics", route: Route::Metrics, method: Method::GET },
    Path { path: "/", route: Route::Page, method: Method::GET },
];

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// OPTIONS: which methods there are.
    Options(String),
    /// A route, with a method that it has.
    Route(Route),
}

impl Route {
    /// The path as metrics call it.
    pub(super) fn label(self) -> &'static str {
        if self.changes() {
            return "changes of an Ollama";
        }
        PATHS.iter().find(|path| path.route == self).map_or("other", |path| path.path)
    }

    /// The form of its requests and answers; for what asks no model, that of its errors.
    pub(super) fn door(self) -> Door {
        match self {
            Self::Ask => Door::Ask,
            Self::Completions => Door::Completions,
            Self::CountTokens | Self::Messages => Door::Messages,
            Self::OllamaGenerate => Door::Generate,
            Self::OllamaBlob
            | Self::OllamaChange
            | Self::OllamaChat
            | Self::OllamaDelete
            | Self::OllamaEmbed
            | Self::OllamaEmbeddings
            | Self::OllamaPs
            | Self::OllamaShow
            | Self::OllamaTags
            | Self::OllamaVersion => Door::OllamaChat,
            Self::Responses => Door::Responses,
            Self::Chat
            | Self::Embeddings
            | Self::Health
            | Self::Metrics
            | Self::Model
            | Self::Models
            | Self::Page
            | Self::Ready
            | Self::Status => Door::Chat,
        }
    }

    /// Whether it would change an Ollama.
    fn changes(self) -> bool {
        matches!(self, Self::OllamaBlob | Self::OllamaChange | Self::OllamaDelete)
    }

    /// Whether anybody may ask, token or not: a health check has none.
    pub(super) fn is_open(self) -> bool {
        self == Self::Health
    }
}

/// The form of errors about a path that leads nowhere.
pub(super) fn door_of_unknown(path: &str) -> Door {
    match path {
        _ if path.starts_with("/api/") => Door::OllamaChat,
        _ if path.starts_with("/v1/messages") => Door::Messages,
        _ => Door::Chat,
    }
}

/// Where a path leads, whatever the method.
pub(super) fn of_path(path: &str) -> Option<Route> {
    PATHS.iter().find(|known| matches(known.path, path)).map(|known| known.route)
}

fn matches(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix("{id}") {
        Some(prefix) => path.strip_prefix(prefix).is_some_and(|id| !id.is_empty()),
        None => pattern == path,
    }
}

/// Where a request leads.
///
/// # Errors
/// 404 and 405 that name what exists.
pub(super) fn find<B>(request: &Request<B>) -> Result<Found, Failed> {
    let path = request.uri().path();
    if request.method() == Method::OPTIONS && path == "*" {
        return Ok(Found::Options("GET, HEAD, POST, OPTIONS".to_owned()));
    }
    let Some(known) = PATHS.iter().find(|known| matches(known.path, path)) else {
        return Err(no_such_path(path));
    };
    let allow = allowed(&known.method);
    if known.route.changes() {
        return Err(refused(path).into());
    }
    match request.method() {
        &Method::OPTIONS => Ok(Found::Options(allow)),
        &Method::HEAD if known.method == Method::GET => Ok(Found::Route(known.route)),
        method if *method == known.method => Ok(Found::Route(known.route)),
        method => {
            let message = format!("{} takes {allow}, not {method}", known.path);
            Err(Failed { allow: Some(allow), ..Error::new(Kind::MethodNotAllowed, message).into() })
        }
    }
}

/// SECURITY: whoever may ask a model may not change which ones there are.
fn refused(path: &str) -> Error {
    let shown: String = path.chars().take(80).collect();
    let message = format!(
        "{shown} would change the models of the Ollama behind this gateway, and nothing that comes through it may: ask the Ollama itself"
    );
    Error::new(Kind::Forbidden, message)
}

fn allowed(method: &Method) -> String {
    match *method {
        Method::GET => "GET, HEAD, OPTIONS".to_owned(),
        _ => format!("{method}, OPTIONS"),
    }
}

fn no_such_path(path: &str) -> Failed {
    let known: Vec<String> = PATHS
        .iter()
        .filter(|known| !known.route.changes())
        .map(|known| format!("{} {}", known.method, known.path))
        .collect();
    let shown: String = path.chars().take(80).collect();
    let message = format!("there is no path {shown}; there are: {}", known.join(", "));
    Error::new(Kind::NotFound, message).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: Method, path: &str) -> Result<Found, Kind> {
        let request = Request::builder().method(method).uri(path).body(()).unwrap();
        find(&request).map_err(|failed| failed.error.kind)
    }

    #[test]
    fn the_readme_names_every_path() {
        let readme = include_str!("../../README.md");
        for path in &PATHS {
            let named = readme.contains(&format!("{}`", path.path));
            assert!(named || path.route.changes(), "{}", path.path);
        }
    }

    #[test]
    fn paths_and_methods() {
        let options = |text: &str| Ok(Found::Options(text.to_owned()));
        let table = [
            (Method::POST, "/v1/chat/completions", Ok(Found::Route(Route::Chat))),
            (Method::POST, "/v1/chat/completions?x=1", Ok(Found::Route(Route::Chat))),
            (Method::GET, "/v1/chat/completions", Err(Kind::MethodNotAllowed)),
            (Method::HEAD, "/v1/chat/completions", Err(Kind::MethodNotAllowed)),
            (Method::POST, "/v1/chat/completions/", Err(Kind::NotFound)),
            (Method::GET, "/v1/models", Ok(Found::Route(Route::Models))),
            (Method::GET, "/v1/models/", Err(Kind::NotFound)),
            (Method::GET, "/v1/models/a/b:c", Ok(Found::Route(Route::Model))),
            (Method::HEAD, "/healthz", Ok(Found::Route(Route::Health))),
            (Method::DELETE, "/healthz", Err(Kind::MethodNotAllowed)),
            (Method::OPTIONS, "/healthz", options("GET, HEAD, OPTIONS")),
            (Method::OPTIONS, "/v1/ask", options("POST, OPTIONS")),
            (Method::POST, "/api/pull", Err(Kind::Forbidden)),
            (Method::HEAD, "/api/blobs/sha256:0", Err(Kind::Forbidden)),
            (Method::POST, "/api/nothing", Err(Kind::NotFound)),
            (Method::POST, "/v1/messages", Ok(Found::Route(Route::Messages))),
            (Method::POST, "/v1/messages/count_tokens", Ok(Found::Route(Route::CountTokens))),
        ];
        for (method, path, want) in table {
            assert_eq!(ask(method.clone(), path), want, "{method} {path}");
        }
    }
}
