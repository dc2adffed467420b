//! A provisional answer from the device, and a better one when it can be had.

use serde_json::{Value, json};

use crate::support::{
    Gateway, NO_RETRY, Ollama, OpenAi, at, chat_job, chat_job_with, openai, reply, run,
};

struct World {
    local: Ollama,
    cloud: OpenAi,
}

impl World {
    fn new() -> Self {
        Self { local: Ollama::saying("a draft"), cloud: OpenAi::saying("well considered") }
    }

    async fn start(&self) -> Gateway {
        let models = "[models.both]\ntargets = [\"local/tiny\", \"cloud/x\"]\nrefine = [\"cloud/x\"]\n\
            [models.plain]\ntargets = [\"local/tiny\", \"cloud/x\"]\n";
        // In the LAN its return is noticed soon.
        let cloud = self.cloud.table("cloud", "local", "");
        Gateway::with(&(self.local.local("local") + &cloud + models + NO_RETRY)).await
    }

    fn calls(&self) -> (usize, usize) {
        (self.local.chats().len(), self.cloud.chats())
    }
}

fn refined(model: &str) -> Value {
    chat_job_with(model, "hello", "refine", &json!(true))
}

async fn until_provisional(gateway: &Gateway, id: &str) -> Value {
    crate::support::until("there is a provisional answer", async || {
        Some(gateway.job(id).await).filter(|job| job["provisional"] == true)
    })
    .await
}

#[test]
fn the_draft_comes_first_and_the_better_one_in_its_place() {
    run(async {
        let mut world = World::new();
        world.cloud.down().await;
        let gateway = world.start().await;
        gateway.put_job("a", &refined("both")).await.expect(202);
        let draft = gateway.get(&format!("{}/result?wait=20", at("a"))).await.expect(200);
        assert_eq!(draft.content(), "a draft");
        assert_eq!(draft.header("x-edgehold-provisional"), Some("true"));
        assert_eq!(draft.header("x-edgehold-target"), Some("local/tiny"));
        assert_eq!(draft.header("x-edgehold-job"), Some("queued"));
        let job = until_provisional(&gateway, "a").await;
        assert_eq!((&job["target"], &job["attempts"]), (&json!("local/tiny"), &json!(1)));
        world.cloud.up();
        let done = gateway.until_ended("a", "succeeded").await;
        assert_eq!((&done["target"], &done["provisional"]), (&json!("cloud/x"), &json!(false)));
        let result = gateway.result("a").await.expect(200);
        assert_eq!(result.content(), "well considered");
        assert_eq!(result.header("x-edgehold-provisional"), None);
        assert_eq!(result.header("x-edgehold-job"), Some("succeeded"));
        let before = gateway.get(&format!("{}/result?version=provisional", at("a"))).await;
        assert_eq!(before.expect(200).content(), "a draft");
        assert_eq!(world.calls(), (1, 1));
    });
}

#[test]
fn by_a_header_it_is_the_same() {
    run(async {
        let world = World::new();
        let gateway = world.start().await;
        let headers = [("Prefer", "respond-async"), ("X-Edgehold-Refine", "true")];
        let taken = gateway.chat_with("both", "hello", &headers).await.expect(202).json();
        let id = taken["id"].as_str().unwrap();
        gateway.until_ended(id, "succeeded").await;
        assert_eq!(gateway.result(id).await.expect(200).content(), "well considered");
        assert_eq!(world.calls(), (1, 1));
        let headers = [("Prefer", "respond-async"), ("X-Edgehold-Refine", "maybe")];
        let refused = gateway.chat_with("both", "hello", &headers).await.expect(400);
        assert!(refused.error().1.contains("X-Edgehold-Refine"), "{}", refused.text());
    });
}

#[test]
fn without_a_list_or_a_wish_the_first_answer_is_the_result() {
    run(async {
        let world = World::new();
        let gateway = world.start().await;
        for (id, job) in [("plain", refined("plain")), ("unasked", chat_job("both", "hello"))] {
            gateway.put_job(id, &job).await.expect(202);
            gateway.until_ended(id, "succeeded").await;
            let result = gateway.result(id).await.expect(200);
            assert_eq!(result.content(), "a draft");
            assert_eq!(result.header("x-edgehold-provisional"), None);
            gateway.get(&format!("{}/result?version=provisional", at(id))).await.expect(404);
        }
        assert_eq!(world.calls(), (2, 0));
    });
}

#[test]
fn where_the_device_cannot_the_best_one_answers() {
    run(async {
        let world = World::new();
        world.local.down().await;
        let gateway = world.start().await;
        gateway.put_job("a", &refined("both")).await.expect(202);
        assert_eq!(gateway.until_ended("a", "succeeded").await["target"], "cloud/x");
        assert_eq!(world.calls(), (0, 1));
    });
}

#[test]
fn a_better_one_that_fails_leaves_the_draft() {
    run(async {
        let world = World::new();
        let error = openai::error("bad temperature", "invalid_request_error", None);
        world.cloud.on(openai::CHAT, reply::json(400, &error));
        let gateway = world.start().await;
        gateway.put_job("a", &refined("both")).await.expect(202);
        let done = gateway.until_ended("a", "succeeded").await;
        assert!(done["last_error"]["message"].is_string(), "{done}");
        assert_eq!(gateway.result("a").await.expect(200).content(), "a draft");
        assert_eq!(world.calls(), (1, 1));
    });
}

#[test]
fn a_draft_outlives_a_crash_and_the_jobs_time() {
    run(async {
        let world = World::new();
        world.cloud.down().await;
        let gateway = world.start().await;
        let mut short = refined("both");
        short["ttl"] = json!("3s");
        gateway.put_job("a", &short).await.expect(202);
        gateway.get(&format!("{}/result?wait=20", at("a"))).await.expect(200);
        let gateway = gateway.killed().await;
        assert_eq!(gateway.result("a").await.expect(200).content(), "a draft");
        let done = gateway.until_ended("a", "succeeded").await;
        assert_eq!(done["last_error"]["code"], "not_refined");
        assert_eq!(gateway.result("a").await.expect(200).content(), "a draft");
        assert_eq!(world.calls(), (1, 0));
    });
}

#[test]
fn what_is_bound_to_the_device_is_refined_by_nobody_else() {
    run(async {
        let world = World::new();
        let models = "[models.both]\ntargets = [\"local/tiny\", \"cloud/x\"]\nrefine = [\"cloud/x\"]\nlocality = \"local\"\n";
        let tables = world.local.local("local") + &world.cloud.cloud("cloud") + models + NO_RETRY;
        let gateway = Gateway::with(&tables).await;
        gateway.put_job("a", &refined("both")).await.expect(202);
        assert_eq!(gateway.until_ended("a", "succeeded").await["target"], "local/tiny");
        assert_eq!(world.calls(), (1, 0));
    });
}

#[test]
fn a_draft_that_could_not_be_bettered_is_the_answer_in_time() {
    run(async {
        let world = World::new();
        let error = openai::error("bad temperature", "invalid_request_error", None);
        world.cloud.on(openai::CHAT, reply::json(400, &error));
        let gateway = world.start().await;
        let headers = [("Prefer", "respond-async, wait=20"), ("X-Edgehold-Refine", "true")];
        let answer = gateway.chat_with("both", "hello", &headers).await.expect(200);
        assert_eq!(answer.content(), "a draft");
        assert_eq!(world.calls(), (1, 1));
    });
}
