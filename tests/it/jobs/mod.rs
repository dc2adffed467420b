//! Jobs: taken durably, done when they can be, answered as the path itself would have answered.

mod asks;
mod attempts;
mod background;
mod bad;
mod cli;
mod clients;
mod closed;
mod create;
mod events;
mod full;
mod list;
mod look;
mod offline;
mod paths;
mod prefer;
mod refine;
mod remove;
mod restart;
mod same;
mod secrets;
mod turns;

use serde_json::Value;

use crate::support::{Act, NO_RETRY, OpenAi, alias, openai, reply};

/// A provider whose answers wait to be released.
fn held() -> OpenAi {
    let fake = OpenAi::new();
    hold(&fake);
    fake
}

/// Lets its answers wait from now on.
fn hold(fake: &OpenAi) {
    let answer = reply::json(200, &openai::answer("in the end"));
    fake.on(openai::CHAT, [vec![Act::Stall], answer].concat());
}

/// The provider as `cloud`, with the alias `big`. It is in the LAN, where asking again costs nothing,
/// so that its return is noticed soon.
fn near(fake: &OpenAi) -> String {
    fake.table("cloud", "local", "") + &alias("big", &["cloud/x"]) + NO_RETRY
}

/// One job at a time.
const ONE: &str = "[queue]\nconcurrency = 1\n";

/// What the provider was asked, in its order.
fn questions(fake: &OpenAi) -> Vec<String> {
    fake.seen(openai::CHAT).iter().map(|seen| question(&seen.json())).collect()
}

fn question(request: &Value) -> String {
    let turns = request["messages"].as_array().expect("turns");
    turns.last().unwrap()["content"].as_str().expect("text").to_owned()
}
