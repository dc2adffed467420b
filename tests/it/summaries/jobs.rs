//! Summaries that are made later: handed in as everywhere, and answered as the path itself would.

use serde_json::{Value, json};

use crate::summaries::requests::{FILE, FORM, form};
use crate::summaries::{LATER, SMALL, SUMMARIES, TEXT, small};
use crate::support::http::find;
use crate::support::reader::{cloud_reader, facts, paragraphs, prompt, read, reader};
use crate::support::{
    Act, Gateway, JSON, NO_RETRY, Ollama, OpenAi, alias, at, job, openai, reply, run_long,
    until_true,
};

const DOCUMENT: &str = "The pump of hall 3 was mended on Tuesday (FACT-7). Grüße.";

/// A model whose answers wait to be released.
fn held() -> Ollama {
    let fake = reader(4);
    fake.chat_answer(|seen| [vec![Act::Stall], read(seen, 4)].concat());
    fake
}

/// What does not depend on when it was made.
fn lasting(summary: &Value) -> Vec<&Value> {
    let fields = ["summary", "target", "locality", "method", "coverage", "usage"];
    fields.iter().map(|field| &summary[field]).collect()
}

#[test]
fn a_job_is_handed_in_as_everything_is() {
    run_long(async {
        let fake = reader(4);
        let gateway = Gateway::with(&small(&fake)).await;
        let now = gateway.summarise("?length=short", DOCUMENT).await.expect(200).json();
        let parts = form(&[(FILE, DOCUMENT), ("name=\"length\"", "short")]);
        let body = json!({"text": DOCUMENT, "length": "short"});
        let raw = gateway.later("?length=short", &TEXT, DOCUMENT.as_bytes()).await;
        let text = body.to_string();
        let inline = gateway.later("", &JSON, text.as_bytes()).await;
        let filled = gateway.later("", &[FORM], &parts).await;
        let asked = job("/v1/summaries?length=short", &json!({"text": DOCUMENT}));
        gateway.put_job("put", &asked).await.expect(202);
        gateway.put_job("whole", &job(SUMMARIES, &body)).await.expect(202);
        for id in [&raw, &inline, &filled, "put", "whole"] {
            let job = gateway.until_ended(id, "succeeded").await;
            assert_eq!((&job["path"], &job["model"]), (&json!(SUMMARIES), &json!("default")));
            let result = gateway.result(id).await.expect(200);
            assert_eq!(result.header("content-type"), Some("application/json"));
            assert_eq!(result.header("x-edgehold-target"), Some("local/tiny"));
            assert_eq!(lasting(&result.json()), lasting(&now), "{id}");
            assert_eq!(result.json()["id"], *id);
            assert!(prompt(fake.chats().last().unwrap()).contains("about 60 words"));
        }
        gateway.until_documents(0).await;
        let bad = job(SUMMARIES, &json!({"text": DOCUMENT, "style": "song"}));
        let refused = gateway.put_job("bad", &bad).await.expect(400);
        assert!(refused.json()["detail"].as_str().unwrap().contains("bullets"));
        gateway.get(&at("bad")).await.expect(404);
    });
}

#[test]
fn who_takes_text_has_text_for_a_result_also_when_there_is_none() {
    run_long(async {
        let (fake, broken) = (reader(4), OpenAi::new());
        let error = openai::error("no such voice", "invalid_request_error", None);
        broken.on(openai::CHAT, reply::json(400, &error));
        let gateway = Gateway::with(&(small(&fake) + &broken.cloud("broken"))).await;
        let headers = [TEXT[0], ("Accept", "text/plain")];
        let id = gateway.later("", &headers, DOCUMENT.as_bytes()).await;
        gateway.until_ended(&id, "succeeded").await;
        let result = gateway.result(&id).await.expect(200);
        assert_eq!(result.text(), "FACT-7\n");
        assert_eq!(result.header("content-type"), Some("text/plain; charset=utf-8"));
        let now = gateway.summarise_with("?model=broken/x", &headers[1..], DOCUMENT).await;
        let id = gateway.later("?model=broken/x", &headers, DOCUMENT.as_bytes()).await;
        gateway.until_ended(&id, "failed").await;
        let later = gateway.result(&id).await.expect(400);
        assert_eq!((later.status(), later.text()), (now.status(), now.text()));
        assert_eq!(later.header("content-type"), now.header("content-type"));
        // In time it is the answer itself.
        let wait = [headers[1], ("Prefer", "respond-async, wait=20")];
        let answer = gateway.summarise_with("", &wait, DOCUMENT).await.expect(200);
        assert_eq!(answer.text(), "FACT-7\n");
        assert!(answer.header("preference-applied").is_some());
    });
}

#[test]
fn the_same_key_is_the_same_job_and_another_document_is_refused() {
    run_long(async {
        let fake = held();
        let gateway = Gateway::with(&small(&fake)).await;
        let key = ("Idempotency-Key", "report-1");
        let ask = async |query: &str, text: &str| {
            gateway.summarise_with(query, &[LATER, key], text).await
        };
        let first = ask("", DOCUMENT).await.expect(202);
        let again = ask("", DOCUMENT).await.expect(202);
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.json()["id"], first.json()["id"]);
        for (query, text) in [("", "Another document."), ("?style=bullets", DOCUMENT)] {
            let refused = ask(query, text).await.expect(422);
            assert_eq!(refused.header("content-type"), Some("application/problem+json"));
        }
        gateway.until_documents(1).await;
        assert!(gateway.documents()[0].starts_with("job-"), "{:?}", gateway.documents());
        fake.release();
        let id = first.json()["id"].as_str().unwrap().to_owned();
        gateway.until_ended(&id, "succeeded").await;
        let done = ask("", DOCUMENT).await.expect(200);
        assert_eq!(done.header("idempotent-replayed"), Some("true"));
        ask("", "Another document.").await.expect(422);
        gateway.until_documents(0).await;
        assert_eq!(fake.chats().len(), 1);
    });
}

#[test]
fn a_document_goes_with_its_job() {
    run_long(async {
        let fake = held();
        let gateway = Gateway::with(&small(&fake)).await;
        let kept = gateway.later("", &TEXT, DOCUMENT.as_bytes()).await;
        until_true("it is asked for", || fake.chats().len() == 1).await;
        let gone = gateway.later("", &TEXT, b"Another one.").await;
        gateway.until_documents(2).await;
        // Cancelled it can be tried again, and deleted it is gone.
        for id in [&kept, &gone] {
            gateway.delete(&at(id)).await.expect(200);
        }
        fake.until_gone(1).await;
        gateway.until_state(&kept, "cancelled").await;
        gateway.delete(&at(&gone)).await.expect(204);
        gateway.until_documents(1).await;
        gateway.post(&format!("{}/retry", at(&kept)), &json!({})).await.expect(202);
        fake.release();
        gateway.until_ended(&kept, "succeeded").await;
        assert_eq!(gateway.result(&kept).await.expect(200).json()["summary"], "FACT-7");
        gateway.until_documents(0).await;
    });
}

#[test]
fn where_a_job_may_be_done_is_known_before_it_is_taken() {
    run_long(async {
        let (fake, cloud) = (reader(4), cloud_reader());
        let tables = fake.table("local", SMALL)
            + &cloud.cloud("cloud")
            + &alias("both", &["local/tiny", "cloud/x"])
            + NO_RETRY;
        let gateway = Gateway::with(&tables).await;
        fake.down().await;
        let local = json!({"text": DOCUMENT, "model": "both", "locality": "local"});
        let inline = gateway.later("", &JSON, local.to_string().as_bytes()).await;
        let parts = form(&[(FILE, DOCUMENT), ("name=locality", "local"), ("name=model", "both")]);
        let filled = gateway.later("", &[FORM], &parts).await;
        gateway.put_job("put", &job("/v1/summaries?locality=local", &local)).await.expect(202);
        for id in [&inline, &filled, "put"] {
            assert_eq!(gateway.job(id).await["locality"], "local", "{id}");
        }
        let contrary = gateway
            .ask(
                "POST",
                "/v1/summaries?locality=cloud",
                &[JSON[0], LATER],
                local.to_string().as_bytes(),
            )
            .await;
        assert!((400..500).contains(&contrary.status()), "{}", contrary.text());
        let free = gateway.later("?model=both", &TEXT, DOCUMENT.as_bytes()).await;
        assert_eq!(gateway.until_ended(&free, "succeeded").await["target"], "cloud/x");
        assert_eq!(cloud.chats(), 1, "the others wait for the device");
    });
}

#[test]
fn a_job_waits_for_its_model_and_goes_on_by_itself() {
    run_long(async {
        let mut fake = reader(4);
        let tables = small(&fake) + &alias("listed", &["local/tiny", "builtin/extractive"]);
        let gateway = Gateway::with(&tables).await;
        fake.down().await;
        let waits = gateway.later("", &TEXT, DOCUMENT.as_bytes()).await;
        // An extract will do where the alias says so.
        let listed = gateway.later("?model=listed", &TEXT, DOCUMENT.as_bytes()).await;
        let job = gateway.until_ended(&listed, "succeeded").await;
        assert_eq!(job["target"], "builtin/extractive");
        assert_eq!(gateway.job(&waits).await["state"], "queued");
        gateway.until_documents(1).await;
        fake.up();
        let job = gateway.until_ended(&waits, "succeeded").await;
        assert_eq!(job["target"], "local/tiny");
    });
}

#[test]
fn finished_chunks_are_told_as_steps() {
    run_long(async {
        let fake = reader(4);
        fake.chat_answer(|seen| {
            let stall = prompt(seen).contains("FACT-30 ").then_some(Act::Stall);
            stall.into_iter().chain(read(seen, 4)).collect()
        });
        let gateway = Gateway::with(&small(&fake)).await;
        let text = paragraphs(60);
        let id = gateway.later("", &TEXT, text.as_bytes()).await;
        let job = crate::support::until("it has done some", async || {
            Some(gateway.job(&id).await).filter(|job| job["steps"].as_u64() >= Some(2))
        })
        .await;
        assert_eq!(job["state"], "running");
        let mut conn = gateway.conn().await;
        let path = format!("{}/events", at(&id));
        let ask = crate::support::http::request("GET", &path, &gateway.host(), &[], b"");
        conn.send(&ask).await.unwrap();
        fake.release();
        let events = conn.read_to_end_of_body().await;
        assert!(find(&events, b"\"steps\":").is_some());
        assert!(find(&events, b"event: succeeded").is_some());
        let steps = gateway.until_ended(&id, "succeeded").await["steps"].as_u64();
        let summary = gateway.result(&id).await.expect(200).json();
        assert_eq!(facts(summary["summary"].as_str().unwrap()), facts(&text));
        assert!(steps >= summary["coverage"]["chunks"].as_u64() || steps.is_none(), "{steps:?}");
    });
}

#[test]
fn a_draft_from_the_device_is_bettered() {
    run_long(async {
        let (fake, mut cloud) = (reader(4), cloud_reader());
        cloud.down().await;
        let models =
            "[models.both]\ntargets = [\"local/tiny\", \"cloud/x\"]\nrefine = [\"cloud/x\"]\n";
        let tables =
            fake.table("local", SMALL) + &cloud.table("cloud", "local", "") + models + NO_RETRY;
        let gateway = Gateway::with(&tables).await;
        let refine = ("X-Edgehold-Refine", "true");
        let text = paragraphs(30);
        let id = gateway.later("?model=both", &[TEXT[0], refine], text.as_bytes()).await;
        let draft = gateway.get(&format!("{}/result?wait=20", at(&id))).await.expect(200);
        assert_eq!(draft.header("x-edgehold-provisional"), Some("true"));
        assert_eq!(draft.json()["method"], "map_reduce");
        gateway.until_documents(1).await;
        cloud.up();
        let done = gateway.until_ended(&id, "succeeded").await;
        assert_eq!(done["target"], "cloud/x");
        let result = gateway.result(&id).await.expect(200).json();
        assert_eq!((&result["method"], &result["target"]), (&json!("single"), &json!("cloud/x")));
        gateway.until_documents(0).await;
    });
}

#[test]
fn a_job_of_a_model_that_is_out_of_order_ends_and_can_be_tried_again() {
    run_long(async {
        // Of many pieces, of a few, and one call for all of it.
        for count in [60, 14, 3] {
            let cloud = OpenAi::new();
            let error = openai::error("out of order", "invalid_request_error", None);
            cloud.on(openai::CHAT, reply::json(400, &error));
            let tables = cloud.table("cloud", "local", SMALL) + NO_RETRY;
            let gateway = Gateway::with(&tables).await;
            let text = paragraphs(count);
            let id = gateway.later("?model=cloud/x", &TEXT, text.as_bytes()).await;
            gateway.until_ended(&id, "failed").await;
            assert!(cloud.chats() <= 10, "{} calls", cloud.chats());
            let result = gateway.result(&id).await;
            assert!(matches!(result.status(), 400 | 500), "{}", result.text());
            assert!(result.text().contains("out of order"), "{}", result.text());
            gateway.until_documents(1).await;
            cloud.answer(openai::CHAT, crate::support::reader::told);
            gateway.post(&format!("{}/retry", at(&id)), &json!({})).await.expect(202);
            gateway.until_ended(&id, "succeeded").await;
            let summary = gateway.result(&id).await.expect(200).json();
            assert_eq!(summary["coverage"]["skipped"], json!([]));
            assert_eq!(facts(summary["summary"].as_str().unwrap()), facts(&text));
        }
    });
}
