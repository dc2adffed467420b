//! Each way to hand a document in, to say what is wanted, and to take the summary.

use serde_json::{Value, json};

use crate::summaries::{SUMMARIES, TEXT, small};
use crate::support::reader::{document, prompt, reader};
use crate::support::{Answer, Gateway, Ollama, run};

const DOCUMENT: &str = "The pump of hall 3 was mended on Tuesday (FACT-7). Grüße, 日本 🦀.";

async fn world() -> (Ollama, Gateway) {
    let fake = reader(4);
    let gateway = Gateway::with(&small(&fake)).await;
    (fake, gateway)
}

/// A form with these parts: what stands in the head of each, and what is in it.
pub fn form(parts: &[(&str, &str)]) -> Vec<u8> {
    let part = |(head, body): &(&str, &str)| {
        format!("--B\r\nContent-Disposition: form-data; {head}\r\n\r\n{body}\r\n")
    };
    let parts: String = parts.iter().map(part).collect();
    format!("a preamble\r\n{parts}--B--\r\n").into_bytes()
}

pub const FORM: (&str, &str) = ("Content-Type", "multipart/form-data; boundary=\"B\"");
pub const FILE: &str = "name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain";

#[track_caller]
fn assert_summary(answer: &Answer, fake: &Ollama, why: &str) {
    assert_eq!(answer.status(), 200, "{why}: {}", answer.text());
    let chats = fake.chats();
    let last = chats.last().unwrap_or_else(|| panic!("{why}: nobody was asked"));
    assert_eq!(document(last), DOCUMENT, "{why}");
    let json = answer.json();
    assert_eq!((&json["summary"], &json["method"]), (&json!("FACT-7"), &json!("single")), "{why}");
    assert_eq!(json["coverage"]["bytes"], json["coverage"]["bytes_summarised"], "{why}");
}

#[test]
fn a_document_comes_in_its_own_type() {
    run(async {
        let (fake, gateway) = world().await;
        let table: [&[(&str, &str)]; 7] = [
            &TEXT,
            &[("Content-Type", "text/plain")],
            &[("Content-Type", "TEXT/Plain; Charset=\"UTF-8\"")],
            &[("Content-Type", "text/markdown")],
            &[],
            &[
                ("Content-Type", "application/octet-stream"),
                ("Content-Disposition", "attachment; filename=\"report.txt\""),
            ],
            &[
                ("Content-Type", "application/octet-stream"),
                ("Content-Disposition", "attachment; filename*=UTF-8''b%C3%A4r.md"),
            ],
        ];
        for headers in table {
            let answer = gateway.ask("POST", SUMMARIES, headers, DOCUMENT.as_bytes()).await;
            assert_summary(&answer, &fake, &format!("{headers:?}"));
        }
        gateway.until_documents(0).await;
    });
}

#[test]
fn a_document_comes_as_text_in_json() {
    run(async {
        let (fake, gateway) = world().await;
        for body in [
            json!({"text": DOCUMENT}),
            json!({"model": "default", "text": DOCUMENT, "length": 50, "focus": null}),
        ] {
            let answer = gateway.post(SUMMARIES, &body).await;
            assert_summary(&answer, &fake, &body.to_string());
            let utf8 = [("Content-Type", "Application/JSON; charset=utf-8")];
            let answer = gateway.ask("POST", SUMMARIES, &utf8, body.to_string().as_bytes()).await;
            assert_summary(&answer, &fake, &body.to_string());
        }
    });
}

#[test]
fn a_document_comes_in_a_form() {
    run(async {
        let (fake, gateway) = world().await;
        let length = ("name=\"length\"", "words=30");
        let table: [&[(&str, &str)]; 6] = [
            &[(FILE, DOCUMENT)],
            &[("name=\"file\"", DOCUMENT)],
            &[("name=document; filename=x", DOCUMENT)],
            &[length, (FILE, DOCUMENT)],
            &[(FILE, DOCUMENT), length],
            &[length, (FILE, DOCUMENT), ("name=\"style\"", "bullets")],
        ];
        for parts in table {
            let answer = gateway.ask("POST", SUMMARIES, &[FORM], &form(parts)).await;
            let why = format!("{parts:?}");
            assert_summary(&answer, &fake, &why);
            let asked = prompt(fake.chats().last().unwrap());
            assert_eq!(asked.contains("30 words"), parts.contains(&length), "{why}");
        }
        gateway.until_documents(0).await;
    });
}

/// Options, and the words by which they are known in what the model is asked.
const OPTIONS: [(&str, &str, &str); 9] = [
    ("length", "short", "about 60 words"),
    ("length", "medium", "about 150 words"),
    ("length", "long", "about 400 words"),
    ("length", "words=33", "about 33 words"),
    ("style", "bullets", "begins with \"- \""),
    ("style", "headline", "as a headline"),
    ("language", "Esperanto", "language: Esperanto."),
    ("focus", "Wer zahlt & wann?", "Wer zahlt & wann?"),
    ("locality", "local", "Summarise this document"),
];

#[test]
fn options_are_the_same_in_query_json_and_form() {
    run(async {
        let (fake, gateway) = world().await;
        for (name, value, words) in OPTIONS {
            let query: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let path = format!("{SUMMARIES}?{name}={query}");
            gateway.ask("POST", &path, &TEXT, DOCUMENT.as_bytes()).await.expect(200);
            let mut body = json!({"text": DOCUMENT});
            body[name] = json!(value);
            gateway.post(SUMMARIES, &body).await.expect(200);
            let field = format!("name=\"{name}\"");
            let body = form(&[(&field, value), (FILE, DOCUMENT)]);
            gateway.ask("POST", SUMMARIES, &[FORM], &body).await.expect(200);
            for seen in fake.chats().iter().rev().take(3) {
                assert!(prompt(seen).contains(words), "{name}={value}: {}", prompt(seen));
            }
        }
    });
}

#[test]
fn a_model_is_named_in_query_json_and_form() {
    run(async {
        let (fake, other) = (reader(4), reader(4));
        let tables = small(&fake) + &other.local("other");
        let gateway = Gateway::with(&tables).await;
        let query = "?model=other/tiny";
        gateway.summarise(query, DOCUMENT).await.expect(200);
        let body = json!({"text": DOCUMENT, "model": "other/tiny"});
        gateway.post(SUMMARIES, &body).await.expect(200);
        let body = form(&[(FILE, DOCUMENT), ("name=model", "other/tiny")]);
        let answer = gateway.ask("POST", SUMMARIES, &[FORM], &body).await.expect(200);
        assert_eq!(answer.json()["target"], "other/tiny");
        assert_eq!(answer.header("x-edgehold-target"), Some("other/tiny"));
        assert_eq!((fake.chats().len(), other.chats().len()), (0, 3));
    });
}

fn sorted(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn the_summary_comes_as_it_is_accepted() {
    run(async {
        let (_fake, gateway) = world().await;
        for accept in ["application/json", "*/*", "image/png, application/json;q=0.5", ""] {
            let headers = [("Accept", accept)];
            let answer = gateway.summarise_with("", &headers, DOCUMENT).await.expect(200);
            assert_eq!(answer.header("content-type"), Some("application/json"), "{accept}");
            let json = answer.json();
            let fields = ["coverage", "id", "locality", "method", "object", "summary", "target"];
            assert_eq!(sorted(&json), [&fields[..], &["timings", "usage"]].concat());
            assert_eq!(json["id"].as_str(), answer.header("x-request-id"));
            assert_eq!((&json["object"], &json["locality"]), (&json!("summary"), &json!("local")));
            let coverage = ["bytes", "bytes_summarised", "chunks", "chunks_summarised", "skipped"];
            assert_eq!(sorted(&json["coverage"]), coverage);
            assert_eq!(sorted(&json["usage"]), ["calls", "input_tokens", "output_tokens"]);
            let timings = ["extract_ms", "map_ms", "reduce_ms", "total_ms"];
            assert_eq!(sorted(&json["timings"]), timings);
        }
        for accept in ["text/plain", "text/*", "application/json;q=0.1, text/plain"] {
            let headers = [("Accept", accept)];
            let answer = gateway.summarise_with("", &headers, DOCUMENT).await.expect(200);
            assert_eq!(answer.text(), "FACT-7\n");
            assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
            assert_eq!(answer.header("x-edgehold-target"), Some("local/tiny"));
            assert_eq!(answer.header("x-edgehold-locality"), Some("local"));
            assert_eq!(answer.header("x-edgehold-attempts"), Some("1"));
        }
    });
}

#[test]
fn nothing_but_a_post_is_taken() {
    run(async {
        let (_fake, gateway) = world().await;
        for method in ["GET", "PUT", "DELETE"] {
            let answer = gateway.ask(method, SUMMARIES, &[], b"").await.expect(405);
            assert!(answer.header("allow").is_some_and(|it| it.contains("POST")), "{method}");
        }
    });
}
