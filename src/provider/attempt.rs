//! One attempt: a turn, the model load, the call, and what the response's head says.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Uri};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::chat::{Error, Kind};
use crate::config::{Locality, Place, ProviderKind, Target};
use crate::dialect::ollama::{self as wire, Options, Shown};
use crate::dialect::{Broken, Unsupported, anthropic, decode_error};
use crate::provider::call::{Call, ChatCall, CountCall, EmbedCall};
use crate::provider::client::Response;
use crate::provider::context::TooLong;
use crate::provider::failure::{Failure, Phase};
use crate::provider::http1::{Body, Media};
use crate::provider::ollama::{LoadState, Ready, unloads_at_once};
use crate::provider::pump::Pump;
use crate::provider::slots::{NoTurn, Turn};
use crate::provider::wire::Wire;
use crate::provider::{Exchange, Upstream};
use crate::router::LinkFault;

/// Most bytes of an error's body, or of a small answer about the provider itself, that are read.
const SMALL_ANSWER: usize = 256 * 1024;

/// How long such a small answer may take.
const SMALL_WAIT: Duration = Duration::from_secs(5);

/// A wait that the client is told where a turn or a load was what was missing.
const BUSY_WAIT: Duration = Duration::from_secs(2);

/// Anthropic's header for features that are being tried.
const BETA: &str = "anthropic-beta";

/// For what is no Ollama.
const NO_OPTIONS: Options<'_> = Options { num_ctx: 0, keep_alive: "", thinks: false };

impl Upstream {
    /// Makes one attempt at a chat request.
    ///
    /// # Errors
    /// The failure says what to try next.
    pub async fn chat(self: &Arc<Self>, chat: &ChatCall<'_>) -> Result<Exchange, Failure> {
        let call = &chat.call;
        let cannot = |what: Unsupported| unsupported(call, &what);
        if self.config.kind == ProviderKind::Ollama {
            return self.ollama_chat(chat).await;
        }
        self.fits(call)?;
        let wire = self.chat_wire(chat, &NO_OPTIONS).map_err(cannot)?;
        let turn = self.turn(call).await?;
        let beta = chat.beta.filter(|_| self.own(chat).is_some());
        self.exchange(call, wire, beta, turn, None).await
    }

    async fn ollama_chat(self: &Arc<Self>, chat: &ChatCall<'_>) -> Result<Exchange, Failure> {
        let (call, request) = (&chat.call, chat.request);
        let least = request.num_ctx;
        let num_ctx = self.window(call, request.sampling.max_tokens, least).await?;
        let is_native = self.own(chat).is_some();
        if let Some(need) = self.lacks(&call.target.model, &request.needs(), is_native) {
            return Err(unsupported(call, &Unsupported(need.to_string())));
        }
        let keep_alive = request.keep_alive.as_deref().unwrap_or(&self.config.keep_alive);
        let thinks = self.says(&call.target.model, "thinking");
        let options = Options { num_ctx, keep_alive, thinks };
        let wire = self.chat_wire(chat, &options).map_err(|cannot| unsupported(call, &cannot))?;
        // Without a question the client wants the model to be loaded, or unloaded.
        let unloads = request.messages.is_empty() && unloads_at_once(keep_alive);
        if !unloads {
            let own = self.own_options(num_ctx);
            let options = if request.messages.is_empty() { &options } else { &own };
            let load = || wire::load_body(&call.target.model, options);
            self.loaded(call, num_ctx, &self.paths.chat, load).await?;
        }
        let turn = self.turn(call).await?;
        let done = self.exchange(call, wire, None, turn, Some(num_ctx)).await;
        if unloads {
            self.models.failed(&call.target.model);
            return done;
        }
        self.remember(call, num_ctx, done)
    }

    /// Makes one attempt at a request for embeddings.
    ///
    /// # Errors
    /// The failure says what to try next.
    pub async fn embed(self: &Arc<Self>, embed: &EmbedCall<'_>) -> Result<Exchange, Failure> {
        let call = &embed.call;
        let cannot = |what: Unsupported| unsupported(call, &what);
        if self.config.kind != ProviderKind::Ollama {
            self.fits(call)?;
            let wire = self.embed_wire(embed, &NO_OPTIONS).map_err(cannot)?;
            let turn = self.turn(call).await?;
            return self.exchange(call, wire, None, turn, None).await;
        }
        let num_ctx = self.window(call, Some(0), None).await?;
        let keep_alive = embed.request.keep_alive.as_deref().unwrap_or(&self.config.keep_alive);
        let wire = self
            .embed_wire(embed, &Options { num_ctx, keep_alive, thinks: false })
            .map_err(cannot)?;
        let load = || wire::embed_load_body(&call.target.model, &self.own_options(num_ctx));
        self.loaded(call, num_ctx, &wire.uri, load).await?;
        let turn = self.turn(call).await?;
        let done = self.exchange(call, wire, None, turn, Some(num_ctx)).await;
        self.remember(call, num_ctx, done)
    }

    /// Has a prompt's tokens counted.
    ///
    /// # Errors
    /// The failure says what to try next.
    pub async fn count(self: &Arc<Self>, count: &CountCall<'_>) -> Result<u64, Failure> {
        let call = &count.call;
        let turn = self.turn(call).await?;
        let mut exchange =
            self.exchange(call, self.count_wire(count), count.beta, turn, None).await?;
        let mut whole = Vec::new();
        while let Some(chunk) = exchange.pump.next().await? {
            whole.extend_from_slice(&chunk);
            if whole.len() > SMALL_ANSWER {
                return Err(Failure::bad_answer(call.target.name(), "it is too long for a number"));
            }
        }
        anthropic::decode_count_answer(&whole)
            .map_err(|bad| self.no_answer(call.target.name(), &bad.0))
    }

    fn own_options(&self, num_ctx: u32) -> Options<'_> {
        Options { num_ctx, keep_alive: &self.config.keep_alive, thinks: false }
    }

    /// What the models of a provider that says nothing of them can take.
    fn fits(&self, call: &Call<'_>) -> Result<(), Failure> {
        match self.config.max_context {
            Some(largest) if call.estimate > largest => {
                Err(too_long(call, TooLong { needed: call.estimate, largest }))
            }
            _ => Ok(()),
        }
    }

    fn remember(
        &self,
        call: &Call<'_>,
        num_ctx: u32,
        done: Result<Exchange, Failure>,
    ) -> Result<Exchange, Failure> {
        match &done {
            Ok(_) => self.models.answered(&call.target.model, num_ctx, Instant::now()),
            Err(_) => self.models.failed(&call.target.model),
        }
        done
    }

    async fn turn(&self, call: &Call<'_>) -> Result<Turn, Failure> {
        let until = call
            .patience
            .map_or(call.request_end, |patience| (Instant::now() + patience).min(call.request_end));
        let turn = match call.goes_last {
            true => self.slots.take_last(until).await,
            false => self.slots.take(until).await,
        };
        turn.map_err(|no_turn| match no_turn {
            NoTurn::Late if call.patience.is_none() => {
                Failure::out_of_time(&format!("a turn at {}", call.target))
            }
            NoTurn::Late => busy(format!("{} is busy", call.target)),
            NoTurn::Full => busy(format!(
                "{} is busy and {} requests wait already; see max_waiting",
                call.target, self.config.max_waiting
            )),
        })
    }

    /// Chooses the context window, having asked what the model can.
    async fn window(
        &self,
        call: &Call<'_>,
        answer: Option<u32>,
        least: Option<u32>,
    ) -> Result<u32, Failure> {
        let model = &*call.target.model;
        let shown = match self.models.shown(model, Instant::now()) {
            Some(shown) => shown,
            None => self.show(call).await?,
        };
        if shown.remote && call.locality == Locality::Local {
            return Err(Failure::passed_by(Error::new(
                Kind::Unavailable,
                format!("{} runs in a cloud, and the request must stay local", call.target),
            )));
        }
        let allowed = self.config.max_context.unwrap_or(u32::MAX);
        self.models
            .choose_window(model, call.estimate, (answer, least), allowed)
            .map_err(|long| too_long(call, long))
    }

    pub(super) async fn show(&self, call: &Call<'_>) -> Result<Shown, Failure> {
        let target = call.target.to_string();
        let body = wire::show_body(&call.target.model);
        let phase = Phase::begin("model's description", SMALL_WAIT, call.request_end);
        let response = self
            .http
            .post(&self.paths.show, &body, phase.until)
            .await
            .map_err(|error| Failure::call(&self.config.name, &target, phase, error))?;
        let response = self.checked(&target, response).await?;
        let body = small_body(response.body, SMALL_ANSWER)
            .await
            .map_err(|why| Failure::bad_answer(&target, &why))?;
        let shown = wire::read_show(&body).map_err(|bad| Failure::bad_answer(&target, &bad.0))?;
        self.models.show(&call.target.model, shown.clone(), Instant::now());
        Ok(shown)
    }

    /// Waits until the model is loaded with `num_ctx`.
    async fn loaded(
        self: &Arc<Self>,
        call: &Call<'_>,
        num_ctx: u32,
        uri: &Uri,
        body: impl Fn() -> Vec<u8>,
    ) -> Result<(), Failure> {
        if unloads_at_once(&self.config.keep_alive) {
            return Ok(());
        }
        let model = &*call.target.model;
        let end = call.patience.map(|patience| Instant::now() + patience);
        // A load that is under way may be for a smaller window: then one more is needed.
        for _ in 0..2 {
            let loading = match self.models.ready(model, num_ctx, Instant::now()) {
                Ready::Now => return Ok(()),
                Ready::Wait(loading) => loading,
                Ready::Begin(sender, loading) => {
                    let load = Arc::clone(self).load(
                        call.target.clone(),
                        num_ctx,
                        (uri.clone(), body()),
                        sender,
                    );
                    self.background.spawn(load);
                    loading
                }
            };
            self.load_ended(call, loading, end).await?;
        }
        Ok(())
    }

    async fn load_ended(
        &self,
        call: &Call<'_>,
        mut loading: watch::Receiver<LoadState>,
        patience_end: Option<Instant>,
    ) -> Result<(), Failure> {
        let until = patience_end.map_or(call.request_end, |end| end.min(call.request_end));
        let ended = loading.wait_for(|state| !matches!(state, LoadState::Running));
        match tokio::time::timeout_at(until, ended).await {
            Ok(Ok(state)) => match &*state {
                LoadState::Failed(failure) => Err((**failure).clone()),
                LoadState::Running | LoadState::Done => Ok(()),
            },
            Ok(Err(_)) => Err(Failure::fault(format!("the load of {} was given up", call.target))),
            Err(_) if patience_end.is_some_and(|end| end < call.request_end) => {
                Err(busy(format!("{} is still being loaded", call.target)))
            }
            Err(_) => Err(Failure::out_of_time(&format!("the load of {}", call.target))),
        }
    }

    /// Loads a model, whoever still waits for it.
    async fn load(
        self: Arc<Self>,
        target: Target,
        num_ctx: u32,
        (uri, body): (Uri, Vec<u8>),
        ended: watch::Sender<LoadState>,
    ) {
        let name = target.to_string();
        let limit = self.config.deadlines.load;
        let phase = Phase::begin("model load", limit, Instant::now() + limit);
        let loaded = match self.http.post(&uri, &body, phase.until).await {
            Ok(response) => self.checked(&name, response).await.map(|_| ()),
            Err(error) => Err(Failure::call(&self.config.name, &name, phase, error)),
        };
        let state = match loaded {
            Ok(()) => {
                self.models.answered(&target.model, num_ctx, Instant::now());
                LoadState::Done
            }
            Err(failure) => {
                tracing::info!(target = %name, error = %failure.error, "model not loaded");
                LoadState::Failed(Arc::new(failure))
            }
        };
        // Nobody may be waiting any more; the model is loaded all the same.
        ended.send(state).ok();
    }

    /// Makes the call and looks at the response's head.
    async fn exchange(
        &self,
        call: &Call<'_>,
        wire: Wire,
        beta: Option<&HeaderValue>,
        turn: Turn,
        num_ctx: Option<u32>,
    ) -> Result<Exchange, Failure> {
        let target = Arc::clone(call.target.name());
        let deadlines = &self.config.deadlines;
        let phase = Phase::begin("first token", deadlines.first_token, call.request_end);
        let response = self
            .http
            .post_with(&wire.uri, beta.map(|value| (BETA, value)), &wire.body, phase.until)
            .await
            .map_err(|error| Failure::call(&self.config.name, &target, phase, error))?;
        let response = self.checked(&target, response).await?;
        let pump = Pump::new(response.body, target, phase, deadlines.idle, call.request_end);
        Ok(Exchange { pump, turn, num_ctx })
    }

    /// Passes a response on if its head is that of an answer.
    async fn checked(&self, target: &str, response: Response) -> Result<Response, Failure> {
        let head = &response.head;
        if head.is_encoded {
            return Err(Failure::bad_answer(target, "it is compressed, which was not asked for"));
        }
        if head.is_success() {
            return match head.media {
                Media::Events | Media::Json | Media::Lines => Ok(response),
                Media::Other => {
                    Err(self.no_answer(target, "its content type is not that of an answer"))
                }
            };
        }
        if head.is_redirection() || head.status < 200 {
            return Err(self.no_answer(target, "it redirects, and redirects are not followed"));
        }
        let (status, wait) = (head.status, head.wait);
        let body = small_body(response.body, SMALL_ANSWER).await.unwrap_or_default();
        let refusal = decode_error(self.dialect(), status, &body);
        let wait = wait.or(refusal.wait);
        Err(Failure::refused(target, status, refusal, wait))
    }

    /// What it means that an answer is none. What is not even the provider's JSON is a page.
    pub fn broken(&self, target: &str, broken: Broken) -> Failure {
        match broken {
            Broken::BadAnswer(why) => self.no_answer(target, &why),
            Broken::Cut | Broken::Error(_) | Broken::OffSchema(_) | Broken::TooLong(_) => {
                Failure::broken(target, broken)
            }
        }
    }

    /// A page or a redirect where an answer should be: beyond the LAN that is most likely a
    /// captive portal, which will answer for every target out there.
    pub fn no_answer(&self, target: &str, why: &str) -> Failure {
        match self.config.place {
            Place::Cloud => {
                Failure::link(&self.config.name, LinkFault::Captive, format!("{target}: {why}"))
            }
            Place::Local => Failure::bad_answer(target, why),
        }
    }
}

fn busy(message: String) -> Failure {
    Failure::passed_by(Error::new(Kind::Overloaded, message).retry_after(BUSY_WAIT))
}

fn too_long(call: &Call<'_>, long: TooLong) -> Failure {
    Failure::passed_by(Error::new(
        Kind::ContextLength,
        format!(
            "the prompt needs about {} tokens and the context of {} is {} tokens; shorten it, or raise max_context if the model can do more",
            long.needed, call.target, long.largest
        ),
    ))
}

fn unsupported(call: &Call<'_>, what: &Unsupported) -> Failure {
    Failure::passed_by(Error::new(
        Kind::Unsupported,
        format!("{} cannot do what was asked: {what}", call.target),
    ))
}

/// Reads a small body whole.
pub(super) async fn small_body(mut body: Body, most: usize) -> Result<Vec<u8>, String> {
    let reading = async {
        let mut whole = Vec::new();
        while let Some(piece) =
            poll_fn(|cx| body.poll_next(cx)).await.map_err(|error| error.to_string())?
        {
            if whole.len() + piece.len() > most {
                return Err(format!("its body is larger than {most} bytes"));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    };
    let late = Err("its body did not end in time".to_owned());
    tokio::time::timeout(SMALL_WAIT, reading).await.unwrap_or(late)
}
