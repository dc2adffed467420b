//! GET /v1/models: aliases, configured targets, and what local providers list.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::{HeaderMap, Request, Response};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::chat::Error;
use crate::config::{Place, Target};
use crate::dispatch::Dispatch;
use crate::router::{Plan, Route, Verdict};
use crate::server::body::Reply;
use crate::server::failed::Failed;
use crate::server::gate::Caller;
use crate::server::inference::locality;
use crate::server::names::ANTHROPIC_VERSION;
use crate::server::respond::{JSON, whole};

/// Every name that a client can ask for.
pub(super) async fn list(
    dispatch: &Arc<Dispatch>,
    headers: &HeaderMap,
) -> Result<Response<Reply>, Failed> {
    dispatch.refresh_listings(false).await;
    let mut names: BTreeSet<String> = BTreeSet::new();
    for (name, alias) in &dispatch.config().models {
        // The catch-all is a rule and no name.
        if name != "*" {
            names.insert(name.clone());
        }
        // What makes extracts is no model to chat with.
        let is_model = |target: &&Target| !dispatch.config().builtins.contains(&target.provider);
        names.extend(alias.targets.iter().filter(is_model).map(Target::to_string));
    }
    names.extend(dispatch.listings().targets());
    if headers.contains_key(&ANTHROPIC_VERSION) {
        return Ok(json_response(&for_anthropics_clients(&names)));
    }
    let data: Vec<Value> = names.iter().map(|name| object(name)).collect();
    Ok(json_response(&json!({"object": "list", "data": data})))
}

/// The list as Anthropic's clients know it, all of it on one page.
fn for_anthropics_clients(names: &BTreeSet<String>) -> Value {
    let data: Vec<Value> = names.iter().map(|name| anthropics_object(name)).collect();
    json!({"data": data, "has_more": false, "first_id": names.first(), "last_id": names.last()})
}

fn anthropics_object(name: &str) -> Value {
    json!({
        "type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z",
    })
}

fn object(name: &str) -> Value {
    let owner = name.split_once('/').map_or("edgehold", |(provider, _)| provider);
    json!({"id": name, "object": "model", "created": 0, "owned_by": owner})
}

/// One name, with what would happen to a request for it now.
pub(super) async fn one<B: Sync>(
    dispatch: &Arc<Dispatch>,
    caller: &Caller,
    request: &Request<B>,
) -> Result<Response<Reply>, Failed> {
    let path = request.uri().path().strip_prefix("/v1/models/").unwrap_or_default();
    let name = percent_decode_str(path)
        .decode_utf8()
        .map_err(|_| Error::invalid("the model's name must be UTF-8 when decoded"))?
        .into_owned();
    let wished = locality(request.headers(), caller)?;
    let route = dispatch.resolve(&name).await?;
    let locality = wished.and_then(|locality| route.locality.strictest(locality));
    let plan = dispatch.plan(&route, locality);
    let for_anthropics_client = request.headers().contains_key(&ANTHROPIC_VERSION);
    let mut object = if for_anthropics_client { anthropics_object(&name) } else { object(&name) };
    if let Some(fields) = object.as_object_mut() {
        let says = locality.map_or_else(|_| "none".to_owned(), |locality| locality.to_string());
        fields.insert("edgehold".to_owned(), explain(dispatch, &route, &says, &plan));
    }
    Ok(json_response(&object))
}

fn explain(dispatch: &Dispatch, route: &Route, locality: &str, plan: &Plan) -> Value {
    let mut taken = false;
    let targets: Vec<Value> = plan
        .steps
        .iter()
        .map(|step| {
            let (verdict, why) = match &step.verdict {
                Verdict::Take if taken => ("next", "if those before it fail".to_owned()),
                Verdict::Take => ("taken", "first that can be tried".to_owned()),
                Verdict::Skip(reason) => ("skipped", reason.to_string()),
            };
            taken |= step.verdict == Verdict::Take;
            let provider = dispatch.config().providers.get(&step.target.provider);
            let is_builtin = dispatch.config().builtins.contains(&step.target.provider);
            let place = match provider.map(|provider| provider.place) {
                Some(Place::Local) => "local",
                Some(Place::Cloud) => "cloud",
                None if is_builtin => "local",
                None => "unknown",
            };
            json!({"target": step.target.to_string(), "place": place, "verdict": verdict, "why": why})
        })
        .collect();
    json!({"resolves": route.resolves.to_string(), "locality": locality, "targets": targets})
}

fn json_response(value: &Value) -> Response<Reply> {
    let mut body = value.to_string();
    body.push('\n');
    whole(body, JSON)
}
