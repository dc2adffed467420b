//! Where each kind of provider is called, and what it is sent for a request.

use std::io;

use http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::config::{BaseUrl, Provider, ProviderKind};
use crate::dialect::{Door, Unsupported, anthropic, gemini, ollama, openai};
use crate::provider::call::{ChatCall, CountCall, EmbedCall, Original};
use crate::provider::{Dialect, Upstream};

/// What may stand in a path as it is (RFC 3986 section 3.3).
const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');

/// The addresses of one provider's calls that are the same for all its models, parsed once.
pub(super) struct Paths {
    pub(super) list: Uri,
    pub(super) probe: Uri,
    pub(super) ps: Uri,
    pub(super) show: Uri,
    pub(super) chat: Uri,
    completions: Uri,
    count: Uri,
    embed: Uri,
    generate: Uri,
}

impl Paths {
    pub(super) fn new(config: &Provider) -> io::Result<Self> {
        let uri = |path: &str| address(&config.base_url, path, &config.query);
        // What a kind has no path for is never asked of it: `Upstream::lacks` sees to that.
        match config.kind {
            ProviderKind::Anthropic => Ok(Self {
                chat: uri("/v1/messages")?,
                completions: uri("/v1/messages")?,
                count: uri("/v1/messages/count_tokens")?,
                embed: uri("/v1/messages")?,
                generate: uri("/v1/messages")?,
                list: uri("/v1/models")?,
                probe: uri("/v1/models")?,
                ps: uri("/v1/models")?,
                show: uri("/v1/models")?,
            }),
            // Its addresses name the model: see `Upstream::of_model`.
            ProviderKind::Gemini => Ok(Self {
                chat: uri("/models")?,
                completions: uri("/models")?,
                count: uri("/models")?,
                embed: uri("/models")?,
                generate: uri("/models")?,
                list: uri("/models")?,
                probe: uri("/models")?,
                ps: uri("/models")?,
                show: uri("/models")?,
            }),
            ProviderKind::Ollama => Ok(Self {
                chat: uri("/api/chat")?,
                completions: uri("/api/generate")?,
                count: uri("/api/version")?,
                embed: uri("/api/embed")?,
                generate: uri("/api/generate")?,
                list: uri("/api/tags")?,
                probe: uri("/api/version")?,
                ps: uri("/api/ps")?,
                show: uri("/api/show")?,
            }),
            ProviderKind::OpenAi => Ok(Self {
                chat: uri("/chat/completions")?,
                completions: uri("/completions")?,
                count: uri("/models")?,
                embed: uri("/embeddings")?,
                generate: uri("/chat/completions")?,
                list: uri("/models")?,
                probe: uri("/models")?,
                ps: uri("/models")?,
                show: uri("/models")?,
            }),
        }
    }
}

fn address(base: &BaseUrl, path: &str, query: &[(String, String)]) -> io::Result<Uri> {
    base.join(path, query)
        .parse::<Uri>()
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, format!("base_url: {error}")))
}

/// A call of a provider, ready to go.
pub(super) struct Wire {
    pub(super) uri: Uri,
    pub(super) body: Vec<u8>,
}

impl Upstream {
    /// The client's own body, if this provider takes it as it is.
    pub(super) fn own<'a>(&self, chat: &'a ChatCall<'_>) -> Option<&'a Original<'a>> {
        chat.original.as_ref().filter(|_| chat.door.native() == Some(self.dialect()))
    }

    /// Whether a chat request goes to an Ollama as a text to go on with.
    pub(super) fn is_generate(chat: &ChatCall<'_>) -> bool {
        matches!(chat.door, Door::Generate | Door::Completions)
    }

    /// A chat request. `options` are for an Ollama.
    ///
    /// # Errors
    /// What the provider's dialect has no word for.
    pub(super) fn chat_wire(
        &self,
        chat: &ChatCall<'_>,
        options: &ollama::Options<'_>,
    ) -> Result<Wire, Unsupported> {
        let model = &*chat.call.target.model;
        let (request, own) = (chat.request, self.own(chat));
        match self.config.kind {
            ProviderKind::Anthropic => {
                let wishes = anthropic::Wishes { model, omit: &self.config.omit };
                let body = match own {
                    Some(own) => anthropic::own_body(own.body, &own.model_span, &wishes),
                    None => anthropic::chat_body(request, &wishes)?,
                };
                Ok(Wire { uri: self.paths.chat.clone(), body })
            }
            ProviderKind::Gemini => {
                let wishes = gemini::Wishes { model, omit: &self.config.omit };
                let body = gemini::chat_body(request, &wishes)?;
                let uri = match request.stream {
                    true => self.of_model(model, "streamGenerateContent", true)?,
                    false => self.of_model(model, "generateContent", false)?,
                };
                Ok(Wire { uri, body })
            }
            ProviderKind::Ollama => {
                let generates = Self::is_generate(chat);
                let body = match own {
                    Some(own) => ollama::own_body(own.body, model, options, true)?,
                    None if generates => ollama::generate_body(request, model, options)?,
                    None => ollama::chat_body(request, model, options)?,
                };
                let uri = if generates { &self.paths.generate } else { &self.paths.chat };
                Ok(Wire { uri: uri.clone(), body })
            }
            ProviderKind::OpenAi => {
                let wishes = self.openai_wishes(model);
                let body = match own {
                    Some(own) => openai::own_body(own.body, &own.model_span, &wishes),
                    None => openai::chat_body(request, &wishes)?,
                };
                let uri = match (chat.door, own) {
                    (Door::Completions, Some(_)) => &self.paths.completions,
                    _ => &self.paths.chat,
                };
                Ok(Wire { uri: uri.clone(), body })
            }
        }
    }

    /// A request for embeddings. `options` are for an Ollama.
    ///
    /// # Errors
    /// What the provider's dialect has no word for.
    pub(super) fn embed_wire(
        &self,
        embed: &EmbedCall<'_>,
        options: &ollama::Options<'_>,
    ) -> Result<Wire, Unsupported> {
        let model = &*embed.call.target.model;
        let own = embed.original.as_ref().filter(|_| embed.native == Some(self.dialect()));
        let request = embed.request;
        match self.config.kind {
            ProviderKind::Anthropic => Err(Unsupported("embeddings".to_owned())),
            ProviderKind::Gemini => {
                let wishes = gemini::Wishes { model, omit: &self.config.omit };
                let uri = self.of_model(model, "batchEmbedContents", false)?;
                Ok(Wire { uri, body: gemini::embed_body(request, &wishes)? })
            }
            ProviderKind::Ollama => {
                let body = match own {
                    Some(own) => ollama::own_body(own.body, model, options, false)?,
                    None => ollama::embed_body(request, model, options)?,
                };
                Ok(Wire { uri: self.paths.embed.clone(), body })
            }
            ProviderKind::OpenAi => {
                let wishes = self.openai_wishes(model);
                let body = match own {
                    Some(own) => openai::own_body(own.body, &own.model_span, &wishes),
                    None => openai::embed_body(request, &wishes)?,
                };
                Ok(Wire { uri: self.paths.embed.clone(), body })
            }
        }
    }

    /// A request to count a prompt's tokens, which only Anthropic does.
    pub(super) fn count_wire(&self, count: &CountCall<'_>) -> Wire {
        let wishes = anthropic::Wishes { model: &count.call.target.model, omit: &self.config.omit };
        let own = &count.original;
        let body = anthropic::own_body(own.body, &own.model_span, &wishes);
        Wire { uri: self.paths.count.clone(), body }
    }

    fn openai_wishes<'a>(&'a self, model: &'a str) -> openai::Wishes<'a> {
        let is_official = self.config.base_url.is_openais();
        openai::Wishes { model, omit: &self.config.omit, is_official }
    }

    /// Gemini's addresses name the model and what is to be done with it.
    fn of_model(&self, model: &str, method: &str, streams: bool) -> Result<Uri, Unsupported> {
        let mut query = self.config.query.clone();
        if streams {
            query.push(("alt".to_owned(), "sse".to_owned()));
        }
        let path = format!("/models/{}:{method}", utf8_percent_encode(model, PATH));
        address(&self.config.base_url, &path, &query)
            .map_err(|_| Unsupported(format!("a model called {model:?}")))
    }

    /// The dialect of its answers.
    pub fn dialect(&self) -> Dialect {
        match self.config.kind {
            ProviderKind::Anthropic => Dialect::Anthropic,
            ProviderKind::Gemini => Dialect::Gemini,
            ProviderKind::Ollama => Dialect::Ollama,
            ProviderKind::OpenAi => Dialect::OpenAi,
        }
    }
}
