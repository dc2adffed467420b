//! Jobs for providers that are not there: taken all the same, done when they are back.

use serde_json::json;

use crate::jobs::{ONE, held, near, questions};
use crate::support::answer::Answer;
use crate::support::{
    Gateway, JSON, NO_RETRY, Ollama, OpenAi, alias, alias_with, at, chat_job, job, openai, run,
    until_true,
};

/// Hands in what may not leave the device.
async fn put_local(gateway: &Gateway, id: &str, model: &str) -> Answer {
    let headers = [&JSON[..], &[("X-Edgehold-Locality", "local")]].concat();
    let body = chat_job(model, "private").to_string();
    gateway.ask("PUT", &at(id), &headers, body.as_bytes()).await
}

#[test]
fn a_job_waits_for_its_provider_and_needs_nobody_to_ask_again() {
    run(async {
        let mut fake = OpenAi::saying("back again");
        fake.down().await;
        let gateway = Gateway::with(&near(&fake)).await;
        gateway.chat("big", "now").await.expect(503);
        gateway.queue_chat("a", "big", "later").await;
        let taken = gateway.chat_with("big", "too", &[("Prefer", "respond-async")]).await;
        let other = taken.expect(202).json()["id"].as_str().unwrap().to_owned();
        fake.up();
        // Nobody asks the gateway for anything.
        until_true("both are asked for", || fake.chats() == 2).await;
        for id in ["a", other.as_str()] {
            gateway.until_ended(id, "succeeded").await;
            assert_eq!(gateway.result(id).await.expect(200).content(), "back again");
        }
        let mut asked = questions(&fake);
        asked.sort();
        assert_eq!(asked, ["later", "too"]);
    });
}

#[test]
fn what_is_bound_to_the_device_stays_there() {
    run(async {
        let mut local = Ollama::saying("from here");
        let cloud = OpenAi::saying("from afar");
        local.down().await;
        let tables = local.local("local")
            + &cloud.cloud("cloud")
            + &alias("both", &["cloud/gpt-test", "local/tiny"])
            + NO_RETRY;
        let gateway = Gateway::with(&tables).await;
        put_local(&gateway, "bound", "both").await.expect(202);
        assert_eq!(gateway.job("bound").await["locality"], "local");
        // One that may leave goes past it.
        gateway.queue_chat("free", "both", "public").await;
        gateway.until_ended("free", "succeeded").await;
        gateway.until_reach("local", "down").await;
        assert_eq!(gateway.job("bound").await["state"], "queued");
        local.up();
        let done = gateway.until_ended("bound", "succeeded").await;
        assert_eq!(done["target"], "local/tiny");
        let result = gateway.result("bound").await.expect(200);
        assert_eq!(result.header("x-edgehold-locality"), Some("local"));
        assert_eq!((questions(&cloud), local.chats().len()), (vec!["public".into()], 1));
    });
}

#[test]
fn what_must_not_leave_waits_where_only_a_cloud_could_do_it() {
    run(async {
        let cloud = OpenAi::saying("from afar");
        let tables = cloud.cloud("cloud")
            + &alias("big", &["cloud/gpt-test"])
            + &alias_with("away", &["cloud/gpt-test"], "locality = \"cloud\"")
            + NO_RETRY;
        let gateway = Gateway::with(&tables).await;
        put_local(&gateway, "bound", "big").await.expect(202);
        gateway.queue_chat("free", "big", "public").await;
        gateway.until_ended("free", "succeeded").await;
        let bound = gateway.until_state("bound", "queued").await;
        assert_eq!(bound["attempts"], 0);
        assert_eq!(questions(&cloud), ["public"]);
        // Words that contradict each other are refused at once.
        let local = [("X-Edgehold-Locality", "local")];
        let sync = gateway.chat_with("away", "private", &local).await;
        assert_eq!(sync.status(), 400, "{}", sync.text());
        put_local(&gateway, "never", "away").await.expect(400);
        assert_eq!((gateway.listed("").await.len(), cloud.chats()), (2, 1));
    });
}

#[test]
fn a_model_that_nobody_can_be_asked_for_may_be_there_later() {
    run(async {
        let mut local = Ollama::saying("from here");
        local.down().await;
        let gateway = Gateway::with(&(local.local("local") + NO_RETRY)).await;
        gateway.queue_chat("there", "tiny", "hello").await;
        gateway.queue_chat("not", "unheard-of", "hello").await;
        local.up();
        gateway.until_ended("there", "succeeded").await;
        let failed = gateway.until_ended("not", "failed").await;
        assert_eq!(failed["last_error"]["code"], "model_not_found");
        assert_eq!(gateway.result("not").await.expect(404).error().0, "model_not_found");
        // Now that it can be asked, it is said at once.
        gateway.put_job("now", &chat_job("unheard-of", "hello")).await.expect(404);
        assert_eq!(gateway.get(&at("now")).await.expect(404).json()["code"], "not_found");
        assert_eq!(local.count(openai::CHAT), 0);
    });
}

#[test]
fn a_question_is_for_the_model_that_was_the_default_when_it_was_taken() {
    run(async {
        let local = Ollama::saying("from here");
        let busy = held();
        let tables = local.local("box") + &near(&busy) + ONE;
        let gateway = Gateway::with(&tables).await;
        gateway.queue_chat("first", "big", "hello").await;
        gateway.put_job("asked", &job("/v1/ask", &json!("hello"))).await.expect(202);
        gateway.rewrite(&(tables + &alias("default", &["cloud/x"])));
        gateway.signal("HUP");
        until_true("it is reloaded", || gateway.log().contains("reloaded")).await;
        busy.release();
        let done = gateway.until_ended("asked", "succeeded").await;
        assert_eq!(
            (&done["model"], &done["target"]),
            (&json!("box/tiny:latest"), &json!("box/tiny:latest"))
        );
        assert_eq!((questions(&busy), local.chats().len()), (vec!["hello".into()], 1));
    });
}
