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
    Job,
    JobEvents,
    JobExport,
    JobResult,
    JobRetry,
    Jobs,
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
    Response,
    ResponseCancel,
    Responses,
    Status,
    Summaries,
}

/// One path: `{id}` stands for one segment, `{name}` at its end for anything.
struct Path {
    path: &'static str,
    route: Route,
    methods: &'static [Method],
}

const GET: &[Method] = &[Method::GET];
const POST: &[Method] = &[Method::POST];
const DELETE: &[Method] = &[Method::DELETE];
const GET_DELETE: &[Method] = &[Method::GET, Method::DELETE];
const GET_POST: &[Method] = &[Method::GET, Method::POST];
const GET_PUT_DELETE: &[Method] = &[Method::GET, Method::PUT, Method::DELETE];

static PATHS: [Path; 37] = [
    Path { path: "/v1/chat/completions", route: Route::Chat, methods: POST },
    Path { path: "/v1/completions", route: Route::Completions, methods: POST },
    Path { path: "/v1/responses", route: Route::Responses, methods: POST },
    Path { path: "/v1/responses/{id}", route: Route::Response, methods: GET_DELETE },
    Path { path: "/v1/responses/{id}/cancel", route: Route::ResponseCancel, methods: POST },
    Path { path: "/v1/jobs", route: Route::Jobs, methods: GET_POST },
    Path { path: "/v1/jobs/{id}", route: Route::Job, methods: GET_PUT_DELETE },
    Path { path: "/v1/jobs/{id}/result", route: Route::JobResult, methods: GET },
    Path { path: "/v1/jobs/{id}/events", route: Route::JobEvents, methods: GET },
    Path { path: "/v1/jobs/{id}/export", route: Route::JobExport, methods: GET },
    Path { path: "/v1/jobs/{id}/retry", route: Route::JobRetry, methods: POST },
    Path { path: "/v1/embeddings", route: Route::Embeddings, methods: POST },
    Path { path: "/v1/messages", route: Route::Messages, methods: POST },
    Path { path: "/v1/messages/count_tokens", route: Route::CountTokens, methods: POST },
    Path { path: "/api/chat", route: Route::OllamaChat, methods: POST },
    Path { path: "/api/generate", route: Route::OllamaGenerate, methods: POST },
    Path { path: "/api/embed", route: Route::OllamaEmbed, methods: POST },
    Path { path: "/api/embeddings", route: Route::OllamaEmbeddings, methods: POST },
    Path { path: "/api/show", route: Route::OllamaShow, methods: POST },
    Path { path: "/api/tags", route: Route::OllamaTags, methods: GET },
    Path { path: "/api/ps", route: Route::OllamaPs, methods: GET },
    Path { path: "/api/version", route: Route::OllamaVersion, methods: GET },
    // Known, so that their refusal can say why.
    Path { path: "/api/create", route: Route::OllamaChange, methods: POST },
    Path { path: "/api/pull", route: Route::OllamaChange, methods: POST },
    Path { path: "/api/push", route: Route::OllamaChange, methods: POST },
    Path { path: "/api/copy", route: Route::OllamaChange, methods: POST },
    Path { path: "/api/delete", route: Route::OllamaDelete, methods: DELETE },
    Path { path: "/api/blobs/{name}", route: Route::OllamaBlob, methods: POST },
    Path { path: "/v1/ask", route: Route::Ask, methods: POST },
    Path { path: "/v1/summaries", route: Route::Summaries, methods: POST },
    Path { path: "/v1/models", route: Route::Models, methods: GET },
    Path { path: "/v1/models/{name}", route: Route::Model, methods: GET },
    Path { path: "/healthz", route: Route::Health, methods: GET },
    Path { path: "/readyz", route: Route::Ready, methods: GET },
    Path { path: "/status", route: Route::Status, methods: GET },
    Path { path: "/metrics", route: Route::Metrics, methods: GET },
    Path { path: "/", route: Route::Page, methods: GET },
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
    pub(super) fn voice(self) -> Voice {
        match self {
            Self::Job
            | Self::JobEvents
            | Self::JobExport
            | Self::JobResult
            | Self::JobRetry
            | Self::Jobs
            | Self::Summaries => Voice::Problem,
            other => Voice::Door(other.door()),
        }
    }

    /// The same where it is that of a dialect.
    fn door(self) -> Door {
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
            Self::Response | Self::ResponseCancel | Self::Responses => Door::Responses,
            Self::Chat
            | Self::Embeddings
            | Self::Health
            | Self::Job
            | Self::JobEvents
            | Self::JobExport
            | Self::JobResult
            | Self::JobRetry
            | Self::Jobs
            | Self::Metrics
            | Self::Model
            | Self::Models
            | Self::Page
            | Self::Ready
            | Self::Status
            | Self::Summaries => Door::Chat,
        }
    }

    /// The path of what can be a job: what asks a model for an answer.
    pub(super) fn job_path(self) -> Option<&'static str> {
        match self {
            Self::Ask
            | Self::Chat
            | Self::Completions
            | Self::Embeddings
            | Self::Messages
            | Self::OllamaChat
            | Self::OllamaEmbed
            | Self::OllamaEmbeddings
            | Self::OllamaGenerate
            | Self::Responses
            | Self::Summaries => Some(self.label()),
            Self::CountTokens
            | Self::Health
            | Self::Job
            | Self::JobEvents
            | Self::JobExport
            | Self::JobResult
            | Self::JobRetry
            | Self::Jobs
            | Self::Metrics
            | Self::Model
            | Self::Models
            | Self::OllamaBlob
            | Self::OllamaChange
            | Self::OllamaDelete
            | Self::OllamaPs
            | Self::OllamaShow
            | Self::OllamaTags
            | Self::OllamaVersion
            | Self::Page
            | Self::Ready
            | Self::Response
            | Self::ResponseCancel
            | Self::Status => None,
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
pub(super) fn voice_of_unknown(path: &str) -> Voice {
    match path {
        _ if path.starts_with("/api/") => Voice::Door(Door::OllamaChat),
        _ if path.starts_with("/v1/messages") => Voice::Door(Door::Messages),
        _ if path.starts_with("/v1/jobs") || path.starts_with("/v1/summaries") => Voice::Problem,
        _ => Voice::Door(Door::Chat),
    }
}

/// The form in which a path answers and says what is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Voice {
    /// That of a dialect.
    Door(Door),
    /// Jobs and summaries are nobody's dialect: their errors are problem details (RFC 9457).
    Problem,
}

/// Every path that can be a job.
pub(super) fn job_paths() -> impl Iterator<Item = &'static str> {
    PATHS.iter().filter_map(|path| path.route.job_path())
}

/// Where a path leads, whatever the method.
pub(super) fn of_path(path: &str) -> Option<Route> {
    PATHS.iter().find(|known| matches(known.path, path)).map(|known| known.route)
}

fn matches(pattern: &str, path: &str) -> bool {
    if let Some(prefix) = pattern.strip_suffix("{name}") {
        return path.strip_prefix(prefix).is_some_and(|name| !name.is_empty());
    }
    let Some((prefix, suffix)) = pattern.split_once("{id}") else { return pattern == path };
    let id = path.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix));
    id.is_some_and(|id| !id.is_empty() && !id.contains('/'))
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
    let allow = allowed(known.methods);
    if known.route.changes() {
        return Err(refused(path).into());
    }
    match request.method() {
        &Method::OPTIONS => Ok(Found::Options(allow)),
        &Method::HEAD if known.methods.contains(&Method::GET) => Ok(Found::Route(known.route)),
        method if known.methods.contains(method) => Ok(Found::Route(known.route)),
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

fn allowed(methods: &[Method]) -> String {
    let names = methods.iter().flat_map(|method| match *method {
        Method::GET => vec!["GET", "HEAD"],
        _ => vec![method.as_str()],
    });
    names.chain(["OPTIONS"]).collect::<Vec<_>>().join(", ")
}

fn no_such_path(path: &str) -> Failed {
    let known: Vec<String> = PATHS
        .iter()
        .filter(|known| !known.route.changes())
        .map(|known| {
            let methods: Vec<&str> = known.methods.iter().map(Method::as_str).collect();
            format!("{} {}", methods.join(" or "), known.path)
        })
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
            (Method::PUT, "/v1/jobs/a", Ok(Found::Route(Route::Job))),
            (Method::POST, "/v1/jobs/a", Err(Kind::MethodNotAllowed)),
            (Method::GET, "/v1/jobs/a/result", Ok(Found::Route(Route::JobResult))),
            (Method::GET, "/v1/jobs/a/b", Err(Kind::NotFound)),
            (Method::OPTIONS, "/v1/jobs/a", options("GET, HEAD, PUT, DELETE, OPTIONS")),
            (Method::POST, "/v1/responses/a/cancel", Ok(Found::Route(Route::ResponseCancel))),
            (Method::POST, "/v1/messages", Ok(Found::Route(Route::Messages))),
            (Method::POST, "/v1/messages/count_tokens", Ok(Found::Route(Route::CountTokens))),
        ];
        for (method, path, want) in table {
            assert_eq!(ask(method.clone(), path), want, "{method} {path}");
        }
    }
}
