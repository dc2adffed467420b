//! Models that fail: the next target, then an extract where one may stand in, then what is missing is
//! named.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::summaries::{SMALL, calls, maps, small};
use crate::support::reader::{cloud_reader, document, facts, paragraphs, read, reader, told};
use crate::support::{
    Act, Gateway, NO_RETRY, Ollama, OpenAi, Seen, alias, ollama, openai, reply, run, run_long,
};

const MARKER: &str = "POISON";

/// A document of 60 paragraphs with the marker in one of them.
fn marked(at: u32) -> String {
    paragraphs(60).replace(&format!("FACT-{at} "), &format!("FACT-{at} {MARKER} "))
}

/// A provider that fails whenever the marker is in what it is asked.
fn poisoned(status: u16) -> OpenAi {
    let fake = cloud_reader();
    fake.answer(openai::CHAT, move |seen| match seen.json().to_string().contains(MARKER) {
        true => reply::json(status, &openai::error("it is broken", "server_error", None)),
        false => told(seen),
    });
    fake
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect()
}

/// That one chunk is missing, is named, and has the marker: the summary's other facts are there.
#[track_caller]
fn assert_one_left_out(summary: &Value, text: &str) {
    let coverage = &summary["coverage"];
    let number = |name: &str| coverage[name].as_u64().unwrap();
    assert_eq!(number("chunks_summarised") + 1, number("chunks"), "{coverage}");
    let skipped = strings(&coverage["skipped"]);
    assert_eq!(skipped.len(), 1, "{coverage}");
    let numbers: Vec<usize> = skipped[0]
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|word| word.parse().ok())
        .collect();
    let (from, to) = (numbers[1], numbers[2]);
    assert!(text[from..to].contains(MARKER), "{skipped:?}");
    assert_eq!(number("bytes") - number("bytes_summarised"), (to - from) as u64, "{coverage}");
    let rest: BTreeSet<u32> = facts(&[&text[..from], " ", &text[to..]].concat());
    assert_eq!(facts(summary["summary"].as_str().unwrap()), rest);
}

#[test]
fn a_chunk_that_nobody_does_is_named_wherever_it_stands() {
    run_long(async {
        for (status, at) in [(500, 1), (500, 30), (500, 60), (400, 1), (400, 30)] {
            let fake = poisoned(status);
            let tables = fake.table("first", "local", SMALL) + NO_RETRY;
            let gateway = Gateway::with(&tables).await;
            let text = marked(at);
            let answer = gateway.summarise("?model=first/x", &text).await.expect(200);
            assert_one_left_out(&answer.json(), &text);
        }
    });
}

#[test]
fn a_chunk_that_one_target_cannot_do_goes_to_the_next_if_it_may() {
    run_long(async {
        let (first, second) = (poisoned(500), cloud_reader());
        let tables = first.table("first", "local", SMALL)
            + &second.table("second", "cloud", SMALL)
            + &alias("both", &["first/x", "second/gpt-test"])
            + NO_RETRY;
        let gateway = Gateway::with(&tables).await;
        let text = marked(30);
        let summary = gateway.summarise("?model=both", &text).await.expect(200).json();
        let coverage = &summary["coverage"];
        assert_eq!(coverage["skipped"], json!([]));
        assert_eq!(coverage["bytes"], coverage["bytes_summarised"]);
        assert_eq!(facts(summary["summary"].as_str().unwrap()), facts(&text));
        let seen = calls(&second);
        assert_eq!(seen.len(), 1, "only what the first could not do");
        assert!(document(&seen[0]).contains(MARKER));
        // Bound to the device, it goes nowhere else.
        for query in ["?model=both&locality=local"] {
            let summary = gateway.summarise(query, &text).await.expect(200).json();
            assert_one_left_out(&summary, &text);
            assert_eq!(summary["locality"], "local");
        }
        let header = [("X-Edgehold-Locality", "local")];
        let answer = gateway.summarise_with("?model=both", &header, &text).await.expect(200);
        assert_one_left_out(&answer.json(), &text);
        assert_eq!(second.chats(), 1);
    });
}

#[test]
fn where_every_chunk_fails_there_is_no_summary() {
    run_long(async {
        for status in [500, 400] {
            let fake = OpenAi::new();
            let error = openai::error("out of order", "server_error", None);
            fake.on(openai::CHAT, reply::json(status, &error));
            let tables = fake.table("first", "local", SMALL) + NO_RETRY;
            let gateway = Gateway::with(&tables).await;
            let answer = gateway.summarise("?model=first/x", &paragraphs(200)).await;
            assert!(matches!(answer.status(), 400 | 502 | 503), "{}", answer.text());
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            // Its own words, or those of the breaker that has opened meanwhile.
            assert!(detail.contains("first/x"), "{detail}");
        }
    });
}

#[test]
fn a_model_that_is_not_there_has_an_extract_stand_in_where_that_is_listed_or_nothing_named() {
    run_long(async {
        let fake = Ollama::saying("never");
        let tables = small(&fake)
            + &alias("listed", &["local/tiny", "builtin/extractive"])
            + &alias("bare", &["local/tiny"]);
        let gateway = Gateway::with(&tables).await;
        fake.down().await;
        let text = paragraphs(30);
        for query in ["", "?model=listed", "?locality=local", "?model=listed&locality=local"] {
            let answer = gateway.summarise(query, &text).await.expect(200);
            let summary = answer.json();
            assert_eq!(summary["method"], "extractive", "{query}");
            assert_eq!(summary["target"], "builtin/extractive", "{query}");
            assert_eq!(answer.header("x-edgehold-target"), Some("builtin/extractive"));
            assert_eq!(summary["locality"], "local");
            assert_eq!(summary["coverage"]["bytes"], summary["coverage"]["bytes_summarised"]);
            assert!(!facts(summary["summary"].as_str().unwrap()).is_empty(), "{summary}");
        }
        for query in ["?model=bare", "?model=default", "?model=local/tiny"] {
            let refused = gateway.summarise(query, &text).await.expect(503);
            assert!(refused.header("retry-after").is_some(), "{query}: {:?}", refused.head);
        }
        for query in ["?model=listed&locality=cloud", "?model=builtin/extractive&locality=cloud"] {
            let refused = gateway.summarise(query, &text).await;
            assert!((400..600).contains(&refused.status()), "{query}: {}", refused.text());
        }
    });
}

#[test]
fn without_any_model_there_is_still_the_extract() {
    run(async {
        let gateway = Gateway::with("").await;
        let text = paragraphs(10);
        for query in ["?model=builtin/extractive", "?model=builtin/extractive&style=bullets"] {
            let summary = gateway.summarise(query, &text).await.expect(200).json();
            assert_eq!(summary["method"], "extractive");
            let lines = summary["summary"].as_str().unwrap().lines();
            let is_list = lines.clone().all(|line| line.starts_with("- "));
            assert_eq!(is_list, query.contains("bullets"), "{summary}");
        }
    });
}

#[test]
fn a_model_that_dies_midway_leaves_the_rest_to_the_extract() {
    run_long(async {
        let fake = reader(4);
        fake.chat_answer(|seen| match prompt_has(seen, MARKER) {
            true => vec![ollama::begun("half"), Act::Close],
            false => read(seen, 4),
        });
        let tables = small(&fake) + &alias("listed", &["local/tiny", "builtin/extractive"]);
        let gateway = Gateway::with(&tables).await;
        let text = marked(30);
        let summary = gateway.summarise("?model=listed", &text).await.expect(200).json();
        assert_eq!(summary["method"], "map_reduce");
        assert_eq!(summary["coverage"]["skipped"], json!([]));
        assert_eq!(summary["coverage"]["bytes"], summary["coverage"]["bytes_summarised"]);
    });
}

fn prompt_has(seen: &Seen, word: &str) -> bool {
    seen.json().to_string().contains(word)
}

#[test]
fn a_runner_that_dies_once_is_asked_again() {
    run_long(async {
        let fake = reader(4);
        let died = std::sync::atomic::AtomicBool::new(false);
        fake.chat_answer(move |seen| {
            let first =
                prompt_has(seen, MARKER) && !died.swap(true, std::sync::atomic::Ordering::SeqCst);
            match first {
                true => vec![
                    ollama::begun("half"),
                    Act::Send(reply::chunk(ollama::runner_died().as_bytes())),
                    Act::Send(b"0\r\n\r\n".to_vec()),
                ],
                false => read(seen, 4),
            }
        });
        let tables = small(&fake).replace(NO_RETRY, "");
        let gateway = Gateway::with(&tables).await;
        let text = marked(30);
        let summary = gateway.summarise("?model=default", &text).await.expect(200).json();
        assert_eq!(summary["coverage"]["skipped"], json!([]));
        assert_eq!(facts(summary["summary"].as_str().unwrap()), facts(&text));
        let chunks = summary["coverage"]["chunks"].as_u64().unwrap();
        assert_eq!(maps(&fake.chats()).len() as u64, chunks + 1);
    });
}

#[test]
fn the_extract_answers_summaries_and_nothing_else() {
    run(async {
        let fake = Ollama::saying("from a model");
        let tables = fake.local("local")
            + &alias("only", &["builtin/extractive"])
            + &alias("last", &["local/tiny", "builtin/extractive"])
            + NO_RETRY;
        let gateway = Gateway::with(&tables).await;
        assert_eq!(gateway.chat("last", "hello").await.expect(200).content(), "from a model");
        fake.down().await;
        let text = [("Content-Type", "text/plain")];
        for model in ["only", "last", "builtin/extractive"] {
            let chat = gateway.chat(model, "hello").await;
            let embed = json!({"model": model, "input": "hello"});
            let embed = gateway.post(openai::EMBEDDINGS, &embed).await;
            let ask = gateway.ask("POST", &format!("/v1/ask?model={model}"), &text, b"hello").await;
            for answer in [chat, embed, ask] {
                assert!((400..600).contains(&answer.status()), "{model}: {}", answer.text());
            }
            let answer = gateway.summarise(&format!("?model={model}"), "A text.").await;
            assert_eq!(answer.expect(200).json()["method"], "extractive", "{model}");
        }
    });
}
