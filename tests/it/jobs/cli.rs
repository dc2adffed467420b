//! `edgehold jobs`: what it prints and the code it ends with.

use serde_json::{Value, json};

use crate::cli::{Ran, with, with_config};
use crate::jobs::{ONE, hold, near, questions};
use crate::support::http::request;
use crate::support::{Conn, Gateway, JSON, OpenAi, Setup, at, chat_job, openai, reply, run_long};

const PATH: &str = "path = \"FOLDER/jobs/queue.db\"\n";

/// One job that is done, one that failed, one that runs, one that waits.
async fn four(fake: &OpenAi) -> Gateway {
    let gateway = Setup::new(&(near(fake) + ONE + PATH)).server("grace = \"1s\"").start().await;
    fake.says("fine");
    gateway.queue_chat("done", "big", "asked for").await;
    gateway.until_ended("done", "succeeded").await;
    let error = openai::error("bad temperature", "invalid_request_error", None);
    fake.once(openai::CHAT, reply::json(400, &error));
    gateway.queue_chat("bad", "big", "refused").await;
    gateway.until_ended("bad", "failed").await;
    hold(fake);
    gateway.queue_chat("runs", "big", "running").await;
    gateway.queue_chat("waits", "big", "waiting").await;
    gateway.until_state("runs", "running").await;
    gateway
}

async fn jobs(gateway: &Gateway, args: &[&str]) -> Ran {
    with_config(&[&["jobs"], args].concat(), &gateway.config).await
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn ids(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["id"].as_str().expect("an id")).collect()
}

#[test]
fn list_shows_all_or_those_in_a_state() {
    run_long(async {
        let fake = OpenAi::new();
        let gateway = four(&fake).await;
        let table = jobs(&gateway, &["list"]).await.expect(0).out;
        let rows: Vec<Vec<&str>> =
            table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[0][..3], ["ID", "STATE", "PRIORITY"], "{table}");
        let states =
            [("done", "succeeded"), ("bad", "failed"), ("runs", "running"), ("waits", "queued")];
        assert_eq!(rows.len(), 5, "{table}");
        for (row, (id, state)) in rows[1..].iter().zip(states) {
            assert_eq!(row[..5], [id, state, "normal", openai::CHAT, "big"], "{table}");
        }
        assert!(table.contains("bad temperature"), "{table}");
        let all = lines(&jobs(&gateway, &["list", "--json"]).await.expect(0).out);
        assert_eq!(ids(&all), ["done", "bad", "runs", "waits"]);
        assert_eq!(all[0], gateway.job("done").await);
        let some = jobs(&gateway, &["list", "--json", "--state", "queued"]).await.expect(0);
        assert_eq!(ids(&lines(&some.out)), ["waits"]);
        for bad in ["nonsense", "queued&limit=1", ""] {
            let refused = jobs(&gateway, &["list", "--state", bad]).await.expect(64);
            assert!(refused.out.is_empty() && refused.err.contains("state"), "{}", refused.err);
        }
        fake.release();
    });
}

#[test]
fn list_asks_for_every_page() {
    run_long(async {
        let fake = OpenAi::new();
        hold(&fake);
        let gateway = Gateway::with(&(near(&fake) + ONE)).await;
        let wanted: Vec<String> = (0..101).map(|number| format!("job-{number}")).collect();
        for id in &wanted {
            gateway.queue_chat(id, "big", "hello").await;
        }
        let all = lines(&jobs(&gateway, &["list", "--json"]).await.expect(0).out);
        assert_eq!(ids(&all), wanted);
        fake.release();
    });
}

#[test]
fn show_and_result_are_what_the_service_answers() {
    run_long(async {
        let fake = OpenAi::new();
        let gateway = four(&fake).await;
        let shown = jobs(&gateway, &["show", "done"]).await.expect(0).out;
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!((&shown["id"], &shown["state"]), (&json!("done"), &json!("succeeded")));
        let answer = jobs(&gateway, &["result", "done"]).await.expect(0).out;
        assert_eq!(answer, gateway.result("done").await.text());
        // An error is an answer, and no success.
        let error = jobs(&gateway, &["result", "bad"]).await.expect(65).out;
        assert_eq!(error, gateway.result("bad").await.text());
        let none = jobs(&gateway, &["result", "waits"]).await.expect(69);
        assert!(none.out.is_empty() && none.err.contains("waits"), "{}", none.err);
        fake.release();
    });
}

#[test]
fn cancel_and_retry_change_a_job() {
    run_long(async {
        let fake = OpenAi::new();
        let gateway = four(&fake).await;
        let said = jobs(&gateway, &["cancel", "waits"]).await.expect(0).out;
        assert_eq!(said, "waits cancelled\n");
        assert_eq!(gateway.job("waits").await["state"], "cancelled");
        assert_eq!(jobs(&gateway, &["cancel", "done"]).await.expect(0).out, "done deleted\n");
        gateway.get(&at("done")).await.expect(404);
        assert_eq!(jobs(&gateway, &["retry", "waits"]).await.expect(0).out, "waits queued\n");
        let refused = jobs(&gateway, &["retry", "runs"]).await.expect(65);
        assert!(refused.err.contains("running"), "{}", refused.err);
        fake.release();
        gateway.until_ended("waits", "succeeded").await;
        assert_eq!(questions(&fake), ["asked for", "refused", "running", "waiting"]);
    });
}

#[test]
fn a_job_that_is_not_there_is_said_so() {
    run_long(async {
        let fake = OpenAi::new();
        let gateway = Gateway::with(&near(&fake)).await;
        for command in ["show", "result", "cancel", "retry"] {
            let none = jobs(&gateway, &[command, "nobody"]).await.expect(64);
            assert!(none.out.is_empty() && none.err.contains("nobody"), "{command}: {}", none.err);
            for bad in ["a/b", "../status", "a b", "", &"x".repeat(65)] {
                let refused = jobs(&gateway, &[command, bad]).await.expect(64);
                assert!(refused.err.contains("64"), "{command} {bad}: {}", refused.err);
            }
            jobs(&gateway, &[command]).await.expect(64);
        }
        with(&["jobs"]).await.expect(64);
        with(&["jobs", "explode"]).await.expect(64);
    });
}

fn assert_exported(out: &str) {
    let all = lines(out);
    let found: Vec<&str> = all.iter().map(|it| it["job"]["id"].as_str().unwrap()).collect();
    assert_eq!(found, ["done", "bad", "runs", "waits"]);
    assert_eq!(all[0]["result"]["status"], 200);
    assert_eq!(all[0]["result"]["body"]["choices"][0]["message"]["content"], "fine");
    assert_eq!(all[0]["result"]["headers"]["content-type"], "application/json");
    assert_eq!(all[1]["result"]["status"], 400);
    for (line, asked) in [(&all[2], "running"), (&all[3], "waiting")] {
        assert_eq!(line["request"]["path"], openai::CHAT);
        assert_eq!(line["request"]["body"]["messages"][0]["content"], asked);
        assert_eq!(line["result"], Value::Null);
    }
}

#[test]
fn export_prints_everything_whether_it_runs_or_not() {
    run_long(async {
        let fake = OpenAi::new();
        let mut gateway = four(&fake).await;
        let database = gateway.folder().join("jobs/queue.db");
        let file = database.to_str().unwrap();
        assert_exported(&jobs(&gateway, &["export"]).await.expect(0).out);
        // The database of a service that runs is the service's.
        let refused = with(&["jobs", "export", "--database", file]).await.expect(65);
        assert!(refused.out.is_empty() && refused.err.contains(file), "{}", refused.err);
        gateway.signal("TERM");
        assert_eq!(gateway.exit_code().await, Some(0));
        assert_exported(&jobs(&gateway, &["export"]).await.expect(0).out);
        assert_exported(&with(&["jobs", "export", "--database", file]).await.expect(0).out);
        // Reading it has changed nothing.
        fake.release();
        let gateway = gateway.take_setup().start().await;
        gateway.until_ended("waits", "succeeded").await;
        assert_eq!(gateway.listed("").await, ["done", "bad", "runs", "waits"]);
    });
}

#[test]
fn export_after_a_crash_has_what_was_accepted() {
    run_long(async {
        let fake = OpenAi::new();
        let mut gateway = four(&fake).await;
        gateway.signal("KILL");
        gateway.exit_code().await;
        assert_exported(&jobs(&gateway, &["export"]).await.expect(0).out);
        fake.release();
    });
}

#[test]
fn without_a_service_or_a_database_nothing_is_told() {
    run_long(async {
        let fake = OpenAi::new();
        let mut gateway = Setup::new(&(near(&fake) + ONE + PATH)).start().await;
        gateway.signal("TERM");
        gateway.exit_code().await;
        for args in [&["list"][..], &["show", "a"], &["cancel", "a"], &["retry", "a"]] {
            let silent = jobs(&gateway, args).await.expect(69);
            assert!(silent.out.is_empty() && !silent.err.is_empty(), "{args:?}");
        }
        with(&["jobs", "export", "--database", "/nowhere/queue.db"]).await.expect(65);
        let other = gateway.folder().join("no-database");
        std::fs::write(&other, "a text that is no database, but long enough to look".repeat(99))
            .unwrap();
        let file = other.to_str().unwrap();
        let refused = with(&["jobs", "export", "--database", file]).await.expect(65);
        assert!(refused.out.is_empty() && refused.err.contains(file), "{}", refused.err);
    });
}

#[test]
fn a_404_is_an_answer_too() {
    run_long(async {
        let fake = OpenAi::new();
        let error = openai::error("no such model", "invalid_request_error", None);
        fake.on(openai::CHAT, reply::json(404, &error));
        let gateway = Gateway::with(&near(&fake)).await;
        gateway.queue_chat("a", "big", "hello").await;
        gateway.until_ended("a", "failed").await;
        let result = gateway.result("a").await.expect(404).text();
        assert_eq!(jobs(&gateway, &["result", "a"]).await.expect(65).out, result);
    });
}

#[test]
fn jobs_of_nobody_in_particular_are_seen_beside_those_of_clients() {
    run_long(async {
        let fake = OpenAi::saying("fine");
        let setup = Setup::new(&near(&fake)).listen("\"unix:FOLDER/sock\", \"127.0.0.1:PORT\"");
        let path = setup.folder().0.join("sock");
        let token = setup.folder().write("token", "token-number-one-is-long");
        let client = format!("[[clients]]\nname = \"one\"\ntoken = {{ file = {token:?} }}\n");
        let gateway = setup.tables(&client).start().await;
        let body = chat_job("big", "hello").to_string();
        let put = request("PUT", &at("a"), "localhost", &JSON, body.as_bytes());
        let mut conn = Conn::unix(&path).await;
        conn.send(&put).await.unwrap();
        conn.answer(false).await.expect("an answer").expect(202);
        let all = lines(&jobs(&gateway, &["list", "--json"]).await.expect(0).out);
        assert_eq!(ids(&all), ["a"]);
    });
}
