//! Clients with tokens: each has its own jobs, and sees no other's.

use serde_json::json;

use crate::jobs::near;
use crate::support::answer::Answer;
use crate::support::jobs::ids;
use crate::support::{Gateway, JOBS, Ollama, OpenAi, Setup, at, chat_job, run};

const ONE: &str = "Bearer token-number-one-is-long";
const TWO: &str = "Bearer token-number-two-is-long";

async fn start(fake: &OpenAi) -> Gateway {
    start_with(&near(fake), "").await
}

/// With lines that stand in every client's entry.
async fn start_with(tables: &str, more: &str) -> Gateway {
    let setup = Setup::new(tables);
    let mut clients = String::new();
    for (name, token) in [("one", ONE), ("two", TWO)] {
        let file = setup.folder().write(name, token.strip_prefix("Bearer ").unwrap());
        clients += &format!(
            "[[clients]]\nname = \"{name}\"\ntoken = {{ file = \"{}\" }}\n{more}",
            file.display()
        );
    }
    setup.tables(&clients).start().await
}

async fn ask(gateway: &Gateway, token: &str, method: &str, path: &str, body: &str) -> Answer {
    let headers = [("Authorization", token), ("Content-Type", "application/json")];
    gateway.ask(method, path, &headers, body.as_bytes()).await
}

async fn until_done(gateway: &Gateway, token: &str, id: &str) -> Answer {
    let path = format!("{}/result?wait=20", at(id));
    ask(gateway, token, "GET", &path, "").await.expect(200)
}

#[test]
fn one_name_of_two_clients_is_two_jobs() {
    run(async {
        let fake = OpenAi::saying("done");
        let gateway = start(&fake).await;
        for (token, text) in [(ONE, "of one"), (TWO, "of two")] {
            let body = chat_job("big", text).to_string();
            let taken = ask(&gateway, token, "PUT", &at("same"), &body).await.expect(202);
            assert_eq!(taken.header("idempotent-replayed"), None);
            until_done(&gateway, token, "same").await;
        }
        // One lets its own go; the other's stays.
        ask(&gateway, ONE, "DELETE", &at("same"), "").await.expect(204);
        ask(&gateway, ONE, "GET", &at("same"), "").await.expect(404);
        ask(&gateway, TWO, "GET", &at("same"), "").await.expect(200);
        assert_eq!(fake.chats(), 2);
    });
}

#[test]
fn nobody_sees_anothers_job() {
    run(async {
        let fake = OpenAi::saying("done");
        let gateway = start(&fake).await;
        let body = chat_job("big", "of one").to_string();
        ask(&gateway, ONE, "PUT", &at("mine"), &body).await.expect(202);
        until_done(&gateway, ONE, "mine").await;
        let table = [
            ("GET", at("mine")),
            ("GET", format!("{}/result", at("mine"))),
            ("GET", format!("{}/result?version=provisional", at("mine"))),
            ("GET", format!("{}/events", at("mine"))),
            ("GET", format!("{}/export", at("mine"))),
            ("GET", format!("{JOBS}?after=mine")),
            ("POST", format!("{}/retry", at("mine"))),
            ("DELETE", at("mine")),
        ];
        let nobody = ask(&gateway, TWO, "GET", &at("nobody"), "").await.expect(404).text();
        for (method, path) in table {
            let theirs = ask(&gateway, TWO, method, &path, "").await.expect(404);
            // It looks as one that never was.
            assert_eq!(theirs.text(), nobody.replace("nobody", "mine"), "{method} {path}");
            ask(&gateway, "Bearer nonsense", method, &path, "").await.expect(401);
        }
        let list = ask(&gateway, TWO, "GET", JOBS, "").await.expect(200).json();
        assert_eq!(ids(&list), [""; 0]);
        let list = ask(&gateway, ONE, "GET", JOBS, "").await.expect(200).json();
        assert_eq!(ids(&list), ["mine"]);
    });
}

#[test]
fn nor_anothers_response() {
    run(async {
        let fake = OpenAi::saying("done");
        let gateway = start(&fake).await;
        let body = json!({"model": "big", "input": "hello", "background": true}).to_string();
        let begun = ask(&gateway, ONE, "POST", "/v1/responses", &body).await.expect(200).json();
        let path = format!("/v1/responses/{}", begun["id"].as_str().unwrap());
        for (method, path) in
            [("GET", path.clone()), ("DELETE", path.clone()), ("POST", format!("{path}/cancel"))]
        {
            ask(&gateway, TWO, method, &path, "").await.expect(404);
        }
        ask(&gateway, ONE, "GET", &path, "").await.expect(200);
    });
}

#[test]
fn what_contradicts_its_clients_entry_is_refused_though_nobody_knows_the_model() {
    run(async {
        let local = Ollama::saying("from here");
        local.down().await;
        let gateway = start_with(&local.local("local"), "locality = \"local\"\n").await;
        let mut headers = vec![("Authorization", ONE), ("Content-Type", "application/json")];
        let body = chat_job("unheard", "hello").to_string();
        gateway.ask("PUT", &at("fits"), &headers, body.as_bytes()).await.expect(202);
        headers.push(("X-Edgehold-Locality", "cloud"));
        let refused = gateway.ask("PUT", &at("a"), &headers, body.as_bytes()).await.expect(400);
        assert!(refused.text().contains("X-Edgehold-Locality"), "{}", refused.text());
        ask(&gateway, ONE, "GET", &at("a"), "").await.expect(404);
    });
}
