//! An Ollama that shows what it was really given: it counts tokens in a way of its own, cuts what is
//! longer than `num_ctx` without a word as the real one does, and answers with the facts that are in
//! what is left. A fact is a word such as `FACT-17`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::ollama::{LINES, Ollama, end, piece};
use crate::support::openai::{self, OpenAi};
use crate::support::reply;
use crate::support::serve::{Act, Seen};

/// An Ollama for which every `bytes_a_token` bytes are a token.
pub fn reader(bytes_a_token: usize) -> Ollama {
    let ollama = Ollama::saying("");
    ollama.chat_answer(move |seen| read(seen, bytes_a_token));
    ollama
}

/// A provider in the cloud that answers in the same way, and reads all that it is sent.
pub fn cloud_reader() -> OpenAi {
    let cloud = OpenAi::new();
    cloud.answer(openai::CHAT, told);
    cloud
}

/// What it answers.
pub fn told(seen: &Seen) -> Vec<Act> {
    let prompt = prompt(seen);
    let mut answer = openai::answer(&words(&prompt));
    answer["usage"]["prompt_tokens"] = (prompt.len() / 4).into();
    reply::json(200, &answer)
}

/// What the local one answers.
pub fn read(seen: &Seen, bytes_a_token: usize) -> Vec<Act> {
    let prompt = prompt(seen);
    let window = seen.json()["options"]["num_ctx"].as_u64();
    let window = window.and_then(|it| usize::try_from(it).ok()).unwrap_or(2048);
    let tokens = (prompt.len() / bytes_a_token).min(window);
    let start = prompt.len() - (tokens * bytes_a_token).min(prompt.len());
    let start = (start..=prompt.len()).find(|at| prompt.is_char_boundary(*at)).unwrap();
    let text = words(&prompt[start..]);
    vec![Act::Send(reply::pieces(LINES, &[piece(&text), end(tokens as u64)]))]
}

/// The facts in a text, as an answer.
fn words(text: &str) -> String {
    let words: Vec<String> = facts(text).iter().map(|fact| format!("FACT-{fact}")).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(" ") }
}

/// All that it was sent, one message after the other.
pub fn prompt(seen: &Seen) -> String {
    let json = seen.json();
    let messages = json["messages"].as_array().cloned().unwrap_or_default();
    let texts = messages.iter().map(|message| message["content"].as_str().unwrap_or_default());
    texts.collect::<Vec<_>>().join("\n")
}

/// The document in what it was sent: what stands between the two marks.
pub fn document(seen: &Seen) -> String {
    let user = user(seen);
    let mark = mark(seen);
    let parts: Vec<&str> = user.split(&mark).collect();
    assert_eq!(parts.len(), 3, "the document stands between two marks: {user}");
    parts[1].trim_matches('\n').to_owned()
}

/// The line that the document stands between, as the system message names it.
pub fn mark(seen: &Seen) -> String {
    let json = seen.json();
    let system = json["messages"][0]["content"].as_str().unwrap().to_owned();
    assert_eq!(json["messages"][0]["role"], "system");
    let at = system.find("=====DOCUMENT-").unwrap();
    let end = system[at + 5..].find("=====").unwrap() + at + 10;
    system[at..end].to_owned()
}

fn user(seen: &Seen) -> String {
    let json: Value = seen.json();
    assert_eq!(json["messages"][1]["role"], "user");
    json["messages"][1]["content"].as_str().unwrap().to_owned()
}

/// Whether it was asked for notes on a piece of the document, and not on notes.
pub fn is_map(seen: &Seen) -> bool {
    user(seen).starts_with("Write short notes on this part")
}

/// The numbers of the facts in a text.
pub fn facts(text: &str) -> BTreeSet<u32> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .filter_map(|word| word.strip_prefix("FACT-")?.parse().ok())
        .collect()
}

/// A document of paragraphs, each with one fact.
pub fn paragraphs(count: u32) -> String {
    let one = |number: u32| {
        format!(
            "Paragraph {number} of the report speaks of the plant and its pumps at some length, so that it is not too short to be read. In the middle of it stands FACT-{number} for whoever looks. The rest of it goes on about valves, filters and the weather of that week, and ends here.\n\n"
        )
    };
    (1..=count).map(one).collect()
}
