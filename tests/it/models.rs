//! Names: what there is, what a name leads to, and what would be taken now.

use serde_json::Value;

use crate::support::{
    Gateway, NO_RETRY, Ollama, OpenAi, alias, alias_with, ollama, reply, run, until,
};

fn ids(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().filter_map(|it| it["id"].as_str()).collect()
}

#[test]
fn the_list_has_aliases_targets_and_local_models() {
    run(async {
        let (small, big) = (Ollama::saying("small"), OpenAi::saying("big"));
        small.on("/api/tags", reply::json(200, &ollama::tags(&["tiny:latest", "llama3.2:1b"])));
        let tables = small.local("local")
            + &big.cloud("cloud")
            + &alias("default", &["local/tiny", "cloud/gpt-test"])
            + &alias("*", &["cloud/gpt-test"]);
        let gateway = Gateway::with(&tables).await;
        let list = gateway.get("/v1/models").await.expect(200).json();
        assert_eq!(list["object"], "list");
        let known = ids(&list);
        for name in ["default", "local/tiny", "cloud/gpt-test", "local/llama3.2:1b"] {
            assert!(known.contains(&name), "{name} in {known:?}");
        }
        assert!(!known.contains(&"*"), "a rule is no name: {known:?}");
        let first = &list["data"][0];
        assert_eq!(first["object"], "model");
        assert!(first["created"].is_number() && first["owned_by"].is_string(), "{first}");
    });
}

#[test]
fn every_way_to_name_a_model_leads_there() {
    run(async {
        let (small, big) = (Ollama::saying("small"), OpenAi::saying("big"));
        let tables = small.local("local")
            + &big.cloud("cloud")
            + NO_RETRY
            + &alias("default", &["cloud/gpt-test"]);
        let gateway = Gateway::with(&tables).await;
        let table = [
            ("default", "cloud/gpt-test"),
            ("local/tiny", "local/tiny"),
            ("cloud/some/other", "cloud/some/other"),
            ("tiny", "local/tiny"),
            ("tiny:latest", "local/tiny:latest"),
        ];
        for (name, target) in table {
            let answer = gateway.chat(name, "hello").await.expect(200);
            let who = answer.header("x-edgehold-target").unwrap();
            assert_eq!(
                who.trim_end_matches(":latest"),
                target.trim_end_matches(":latest"),
                "{name}"
            );
        }
        let unknown = gateway.chat("nobody", "hello").await.expect(404);
        let (code, message) = unknown.error();
        assert_eq!(code, "model_not_found");
        assert!(
            message.contains("default") && message.contains("tiny"),
            "names that exist: {message}"
        );
        gateway.get("/v1/models/nobody").await.expect(404).error();
    });
}

#[test]
fn a_catch_all_takes_the_rest() {
    run(async {
        let big = OpenAi::saying("big");
        let gateway = Gateway::with(&(big.cloud("cloud") + &alias("*", &["cloud/gpt-test"]))).await;
        let answer = gateway.chat("whatever", "hello").await.expect(200);
        assert_eq!(answer.header("x-edgehold-target"), Some("cloud/gpt-test"));
        let one = gateway.get("/v1/models/whatever").await.expect(200).json();
        assert_eq!(one["edgehold"]["resolves"], "catch-all");
    });
}

#[test]
fn one_model_explains_itself() {
    run(async {
        let (small, big) = (Ollama::saying("small"), OpenAi::saying("big"));
        let tables = small.local("local")
            + &big.cloud("cloud")
            + NO_RETRY
            + &alias("both", &["local/tiny", "cloud/gpt-test"])
            + &alias_with("private", &["cloud/gpt-test", "local/tiny"], "locality = \"local\"");
        let gateway = Gateway::with(&tables).await;
        let both = gateway.get("/v1/models/both").await.expect(200).json();
        assert_eq!((&both["id"], &both["object"]), (&"both".into(), &"model".into()));
        let says = &both["edgehold"];
        assert_eq!((&says["resolves"], &says["locality"]), (&"alias".into(), &"any".into()));
        let (first, second) = (&says["targets"][0], &says["targets"][1]);
        assert_eq!(
            (&first["target"], &first["place"], &first["verdict"]),
            (&"local/tiny".into(), &"local".into(), &"taken".into())
        );
        assert_eq!(
            (&second["target"], &second["verdict"]),
            (&"cloud/gpt-test".into(), &"next".into())
        );
        let private =
            gateway.get("/v1/models/private").await.expect(200).json()["edgehold"].clone();
        let skipped = &private["targets"][0];
        assert_eq!(
            (&private["locality"], &skipped["verdict"]),
            (&"local".into(), &"skipped".into())
        );
        assert!(skipped["why"].as_str().is_some_and(|why| !why.is_empty()), "{private}");
        let target = gateway.get("/v1/models/cloud/gpt-test").await.expect(200).json();
        assert_eq!(target["edgehold"]["resolves"], "target");
        let listed = gateway.get("/v1/models/tiny").await.expect(200).json();
        assert_eq!(listed["edgehold"]["resolves"], "listed");
    });
}

#[test]
fn a_target_that_is_down_is_explained() {
    run(async {
        let (small, big) = (Ollama::saying("small"), OpenAi::saying("big"));
        let tables = small.local("local")
            + &big.cloud("cloud")
            + NO_RETRY
            + &alias("both", &["local/tiny", "cloud/gpt-test"]);
        let gateway = Gateway::with(&tables).await;
        // Not in the middle of the first probe.
        gateway.until_reach("local", "up").await;
        small.down().await;
        assert_eq!(gateway.chat("both", "hello").await.expect(200).content(), "big");
        let says = until("the dead target is skipped", async || {
            let says = gateway.get("/v1/models/both").await.expect(200).json()["edgehold"].clone();
            (says["targets"][0]["verdict"] == "skipped").then_some(says)
        })
        .await;
        let why = says["targets"][0]["why"].as_str().unwrap();
        assert!(why.contains("local") && why.contains("refused"), "{why}");
        assert_eq!(says["targets"][1]["verdict"], "taken");
    });
}
