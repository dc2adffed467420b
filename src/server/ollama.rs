//! What a client of an Ollama asks beside inference: which models there are, which are loaded, what
//! one is, and how old the Ollama is. Nothing here changes an Ollama.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::Response;
use serde_json::{Value, json};

use crate::dialect::ollama::decode_show;
use crate::dispatch::{About, Dispatch, Said, Wishes};
use crate::server::Current;
use crate::server::body::Reply;
use crate::server::failed::Failed;
use crate::server::respond::{JSON, whole};

/// The version whose API is spoken here, for clients that ask and where no Ollama can be asked.
const API_VERSION: &str = "0.12.6";

/// A time for what has none.
const NO_TIME: &str = "1970-01-01T00:00:00Z";

/// A digest for what has none: Ollama's own program shows the first twelve places of it.
const NO_DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// GET /api/tags: the models of the local Ollamas as they say it, and every alias.
pub(super) async fn tags(dispatch: &Arc<Dispatch>) -> Result<Response<Reply>, Failed> {
    let mut said = dispatch.about(&About::Tags).await?;
    let mut models = gathered(&mut said);
    let known: BTreeSet<String> =
        models.iter().filter_map(|it| it.get("name")?.as_str()).map(str::to_owned).collect();
    // The catch-all is a rule and no name.
    let aliases = dispatch.config().models.keys().filter(|name| *name != "*");
    for name in aliases.filter(|name| !known.contains(*name)) {
        models.push(json!({
            "name": name, "model": name, "modified_at": NO_TIME, "size": 0, "digest": NO_DIGEST,
            "details": no_details(),
        }));
    }
    Ok(answer(&json!({"models": models}), said))
}

/// GET /api/ps: what the local Ollamas have loaded.
pub(super) async fn ps(dispatch: &Arc<Dispatch>) -> Result<Response<Reply>, Failed> {
    let mut said = dispatch.about(&About::Ps).await?;
    let models = gathered(&mut said);
    Ok(answer(&json!({"models": models}), said))
}

/// GET /api/version: that of the first local Ollama that says.
pub(super) async fn version(dispatch: &Arc<Dispatch>) -> Result<Response<Reply>, Failed> {
    let said = dispatch.about(&About::Version).await?;
    let version = said.values.iter().find_map(|it| it.get("version")?.as_str());
    let version = json!({"version": version.unwrap_or(API_VERSION)});
    Ok(answer(&version, said))
}

/// POST /api/show: what the first Ollama among the model's targets says of it. Of a model that is
/// elsewhere little is known.
pub(super) async fn show(
    current: &Current,
    wishes: &Wishes,
    body: &[u8],
) -> Result<Response<Reply>, Failed> {
    let name = decode_show(body)?.model;
    let mut said = current.dispatch.show(&name, wishes).await?;
    let shown = said.values.pop().unwrap_or_else(|| {
        json!({
            "modelfile": "", "parameters": "", "template": "", "modified_at": NO_TIME,
            "details": no_details(), "capabilities": ["completion"],
            // Its Python client wants the field, and its own program this entry.
            "model_info": {"general.architecture": "unknown"},
        })
    });
    Ok(answer(&shown, said))
}

fn gathered(said: &mut Said) -> Vec<Value> {
    let mut names = BTreeSet::new();
    let lists = said.values.iter_mut().filter_map(|it| match it.get_mut("models")?.take() {
        Value::Array(models) => Some(models),
        _ => None,
    });
    // Where two have a model of one name, a request goes to the first.
    let mut is_first = |it: &Value| match it.get("name").and_then(Value::as_str) {
        Some(name) => names.insert(name.to_owned()),
        None => false,
    };
    lists.flatten().filter(|it| is_first(it)).collect()
}

fn no_details() -> Value {
    json!({
        "parent_model": "", "format": "", "family": "", "families": [], "parameter_size": "",
        "quantization_level": "",
    })
}

fn answer(value: &Value, said: Said) -> Response<Reply> {
    whole(value.to_string(), JSON).map(|reply| reply.holding(said.reservation))
}
