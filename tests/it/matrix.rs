//! The four chats that clients have (OpenAI's two, Anthropic's, Ollama's) against every provider:
//! each case asked in the client's words, answered in the provider's, and read as the client's own
//! SDK reads it. The table of what passed is printed. What cannot be is named with its reason: what
//! a target cannot do is held to be refused before it is sent; what a client has no word for cannot
//! be asked, and nothing is held. The other doors are in `dialects.rs` and `ask.rs`.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::http::request;
use crate::support::matrix::ask::{body, path};
use crate::support::matrix::got::{Got, stream, whole};
use crate::support::matrix::serve::{acts, check};
use crate::support::matrix::{
    CASES, CLIENTS, Case, Client, PARTIAL, PROVIDERS, Provider, SCHEMA, THOUGHT, calls, schema,
    text,
};
use crate::support::{Act, Answer, Fake, Gateway, NO_RETRY, Seen, ollama, reply, run_long};

/// The four providers, each answering by the case that the model's name says.
struct Providers(Vec<(Provider, Fake)>);

impl Providers {
    fn new() -> Self {
        Self(PROVIDERS.map(|provider| (provider, fake(provider))).into())
    }

    fn tables(&self) -> String {
        let table = |(provider, fake): &(Provider, Fake)| {
            let (kind, more) = kind(*provider);
            let address = fake.address;
            format!(
                "[providers.{kind}]\nkind = \"{kind}\"\nbase_url = \"http://{address}{more}\"\n"
            )
        };
        self.0.iter().map(table).collect()
    }

    fn of(&self, wanted: Provider) -> &Fake {
        &self.0.iter().find(|(provider, _)| *provider == wanted).unwrap().1
    }
}

fn kind(provider: Provider) -> (&'static str, &'static str) {
    match provider {
        Provider::Anthropic => ("anthropic", ""),
        Provider::Gemini => ("gemini", "/v1beta"),
        Provider::Ollama => ("ollama", ""),
        Provider::OpenAi => ("openai", "/v1"),
    }
}

fn fake(provider: Provider) -> Fake {
    let fake = Fake::new();
    if provider == Provider::Ollama {
        fake.on("/api/version", reply::json(200, &serde_json::json!({"version": "0.12.0"})));
        fake.on("/api/show", reply::json(200, &ollama::show(8192)));
        fake.on("/api/tags", reply::json(200, &ollama::tags(&[])));
    }
    // A stall passes at once when it has been released before: each case waits for a release of its
    // own.
    let broken = AtomicUsize::new(0);
    fake.answer("", move |seen| {
        if seen.method == "GET" {
            return reply::json(200, &serde_json::json!({"data": [], "models": []}));
        }
        if provider == Provider::Ollama
            && seen.json()["messages"].as_array().is_none_or(Vec::is_empty)
        {
            return ollama::loaded();
        }
        let case = case_of(seen);
        let mut acts = acts(provider, case, seen);
        if case == Case::ErrorWithin {
            let earlier = broken.fetch_add(1, Ordering::Relaxed);
            acts.splice(1..1, vec![Act::Stall; earlier]);
        }
        acts
    });
    fake
}

/// The case is the model's name, up to the client's.
fn case_of(seen: &Seen) -> Case {
    let json = seen.json();
    let in_path = seen.path.rsplit('/').next().unwrap_or_default();
    let name = json["model"].as_str().unwrap_or(in_path);
    let word = name.split(['-', ':']).next().unwrap_or_default();
    CASES.into_iter().find(|case| format!("{case:?}") == word).unwrap_or_else(|| panic!("{name}"))
}

/// What cannot be, and why.
fn impossible(client: Client, provider: Provider, case: Case) -> Option<&'static str> {
    match (client, provider, case) {
        (Client::Ollama, _, Case::ForcedTool) => Some("Ollama's API has no word for it"),
        (Client::Ollama, _, Case::ImageUrl) => Some("Ollama's API takes pictures, no addresses"),
        (_, Provider::Ollama, Case::ForcedTool) => Some("an Ollama lets the model decide"),
        (_, Provider::Ollama, Case::ImageUrl) => Some("an Ollama fetches nothing"),
        (_, Provider::Gemini, Case::ImageUrl) => Some("Gemini fetches from its own store only"),
        _ => None,
    }
}

#[test]
fn every_client_is_served_by_every_provider() {
    run_long(async {
        let providers = Providers::new();
        let gateway = Gateway::with(&(providers.tables() + NO_RETRY)).await;
        let (mut passed, mut impossible_cells) = (0, Vec::new());
        for client in CLIENTS {
            for provider in PROVIDERS {
                for case in CASES {
                    match impossible(client, provider, case) {
                        None => {
                            cell(&gateway, &providers, client, provider, case).await;
                            passed += 1;
                        }
                        Some(why) => {
                            refused(&gateway, &providers, client, provider, case).await;
                            impossible_cells
                                .push(format!("{client:?} -> {provider:?}, {case:?}: {why}"));
                        }
                    }
                }
            }
        }
        let all = CLIENTS.len() * PROVIDERS.len() * CASES.len();
        eprintln!("{passed} of {all} cells pass; {} cannot be:", impossible_cells.len());
        for cell in &impossible_cells {
            eprintln!("  {cell}");
        }
        assert_eq!(passed + impossible_cells.len(), all);
        assert_eq!(impossible_cells.len(), 8 + 3 + 3 + 3, "no cell gets lost");
    });
}

fn model(client: Client, provider: Provider, case: Case) -> String {
    // How a model is told to think is read from its name.
    let generation = if provider == Provider::Gemini { "gemini-3-flash" } else { "4-5" };
    format!("{}/{case:?}-{client:?}-{generation}", kind(provider).0)
}

async fn asked(
    gateway: &Gateway,
    fake: &Fake,
    (client, provider, case): (Client, Provider, Case),
) -> Answer {
    let body = body(client, case, &model(client, provider, case)).to_string();
    // The test's own JSON sorts names; a client's schema has an order.
    let body = body.replace(&schema().to_string(), SCHEMA);
    let headers = [("Content-Type", "application/json")];
    if case != Case::ErrorWithin {
        return gateway.ask("POST", path(client), &headers, body.as_bytes()).await;
    }
    // What breaks before anything of it went out is another case.
    let mut conn = gateway.conn().await;
    let bytes = request("POST", path(client), &gateway.host(), &headers, body.as_bytes());
    conn.send(&bytes).await.unwrap();
    let head = conn.head().await.unwrap();
    let mut body = conn.chunk().await.unwrap();
    fake.release();
    while let Some(chunk) = conn.chunk().await.filter(|chunk| !chunk.is_empty()) {
        body.extend(chunk);
    }
    Answer { head, body, whole: true }
}

async fn cell(
    gateway: &Gateway,
    providers: &Providers,
    client: Client,
    provider: Provider,
    case: Case,
) {
    let at = format!("{client:?} -> {provider:?}, {case:?}");
    let answer = asked(gateway, providers.of(provider), (client, provider, case)).await;
    if case == Case::ErrorBefore {
        return limited(client, &answer, &at);
    }
    assert_eq!(answer.status(), 200, "{at}: {}", answer.text());
    assert_eq!(answer.header("x-edgehold-target"), Some(model(client, provider, case).as_str()));
    let seen = providers.of(provider).seen("");
    let last = seen.iter().rev().find(|seen| seen.method == "POST" && !seen.path.ends_with("show"));
    // Responses know no stop sequences.
    check(provider, case, last.unwrap(), client != Client::Responses);
    let media = answer.header("content-type").unwrap().to_owned();
    let got = match case.streams() {
        true => {
            let lines = client == Client::Ollama;
            assert_eq!(
                media,
                if lines { "application/x-ndjson" } else { "text/event-stream" },
                "{at}"
            );
            stream(client, &answer)
        }
        false => {
            assert_eq!(media, "application/json", "{at}");
            assert!(answer.header("content-length").is_some(), "{at}");
            whole(client, &answer)
        }
    };
    compare(client, provider, case, &got, &format!("{at}: {}", answer.text()));
}

fn compare(client: Client, provider: Provider, case: Case, got: &Got, at: &str) {
    if case == Case::ErrorWithin {
        assert_eq!((got.text.as_str(), got.ended), (PARTIAL, false), "{at}");
        assert!(got.error.as_deref().is_some_and(|why| why.contains("it broke")), "{got:?} {at}");
        return;
    }
    assert_eq!((got.ended, &got.error), (true, &None), "{at}");
    // Of JSON the meaning counts, and every other text to the letter.
    let meaning = |text: &str| match case {
        Case::Schema => serde_json::from_str(text).unwrap(),
        _ => serde_json::Value::from(text),
    };
    assert_eq!(meaning(&got.text), meaning(text(case)), "{at}");
    let thought = if case.is_of_thought() { THOUGHT } else { "" };
    assert_eq!(got.thought, thought, "{at}");
    compare_calls(client, provider, case, got, at);
    let finish = match case {
        Case::Length | Case::LengthStream => "length",
        _ if got.calls.is_empty() => "stop",
        _ => "tools",
    };
    assert_eq!(got.finish, Some(finish), "{at}");
    let silent = client == Client::Chat && case.streams() && case != Case::UsageAsked;
    // An Ollama has no cache to speak of, and its clients no word for one.
    let cached = if client == Client::Ollama || provider == Provider::Ollama { 0 } else { 2 };
    assert_eq!(got.usage, (!silent).then_some((12, 3, cached)), "{at}");
}

fn compare_calls(client: Client, provider: Provider, case: Case, got: &Got, at: &str) {
    let named: Vec<_> =
        got.calls.iter().map(|(_, name, args)| (name.as_str(), args.clone())).collect();
    assert_eq!(named, calls(case), "{at}");
    let mut ids: Vec<_> = got.calls.iter().map(|(id, _, _)| id).collect();
    assert!(ids.iter().all(|id| !id.is_empty()), "{at}");
    ids.dedup();
    // What an Ollama says goes on as it came, and older ones give no ids.
    let anonymous = client == Client::Ollama && provider == Provider::Ollama;
    assert!(anonymous || ids.len() == got.calls.len(), "{at}");
}

/// A rate limit keeps its meaning and its wait in every dialect.
fn limited(client: Client, answer: &Answer, at: &str) {
    assert_eq!(answer.status(), 429, "{at}: {}", answer.text());
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((6..=7).contains(&wait), "{at}: {wait}");
    let json = answer.json();
    let message = match client {
        Client::Chat | Client::Responses => {
            assert_eq!(json["error"]["code"], "rate_limit_exceeded", "{at}");
            &json["error"]["message"]
        }
        Client::Messages => {
            assert_eq!(
                (&json["type"], &json["error"]["type"]),
                (&"error".into(), &"rate_limit_error".into()),
                "{at}"
            );
            &json["error"]["message"]
        }
        Client::Ollama => &json["error"],
    };
    assert!(message.as_str().is_some_and(|it| it.contains("slow down")), "{at}: {json}");
}

/// What cannot be is refused before it is sent, and says what is missing.
async fn refused(
    gateway: &Gateway,
    providers: &Providers,
    client: Client,
    provider: Provider,
    case: Case,
) {
    // What the client has no word for cannot be asked.
    if client == Client::Ollama {
        return;
    }
    let before = posts(providers.of(provider));
    let answer = asked(gateway, providers.of(provider), (client, provider, case)).await.expect(400);
    let word = if case == Case::ForcedTool { "tool_choice" } else { "an image by its address" };
    assert!(answer.text().contains(word), "{client:?} {provider:?} {case:?}: {}", answer.text());
    assert_eq!(posts(providers.of(provider)), before, "{client:?} {provider:?} {case:?}");
}

fn posts(fake: &Fake) -> usize {
    let is_call = |seen: &&Seen| seen.method == "POST" && !seen.path.ends_with("show");
    fake.seen("").iter().filter(is_call).count()
}
