//! Looking at jobs, and waiting for them.

use serde_json::json;

use crate::jobs::{ONE, held, near};
use crate::support::http::request;
use crate::support::{Conn, Gateway, at, run};

/// A request that waits; something was asked after it, so that it has arrived.
async fn waiting(gateway: &Gateway, path: &str) -> Conn {
    let mut conn = gateway.conn().await;
    conn.send(&request("GET", path, &gateway.host(), &[], b"")).await.unwrap();
    gateway.status().await;
    conn
}

#[test]
fn a_wait_ends_with_the_job() {
    run(async {
        let fake = held();
        let gateway = Gateway::with(&near(&fake)).await;
        gateway.queue_chat("a", "big", "hello").await;
        gateway.until_state("a", "running").await;
        let mut job = waiting(&gateway, "/v1/jobs/a?wait=60").await;
        let mut result = waiting(&gateway, "/v1/jobs/a/result?wait=60").await;
        fake.release();
        assert_eq!(job.answer(false).await.unwrap().expect(200).json()["state"], "succeeded");
        let answer = result.answer(false).await.unwrap().expect(200);
        assert_eq!(answer.content(), "in the end");
        assert_eq!(answer.header("x-edgehold-provisional"), None);
        // What has ended is not waited for.
        assert_eq!(gateway.get("/v1/jobs/a?wait=60").await.expect(200).header("retry-after"), None);
    });
}

#[test]
fn a_wait_that_is_over_tells_how_it_stands() {
    run(async {
        let fake = held();
        let gateway = Gateway::with(&near(&fake)).await;
        gateway.queue_chat("a", "big", "hello").await;
        gateway.until_state("a", "running").await;
        for wait in ["", "?wait=0", "?wait=1"] {
            let job = gateway.get(&format!("/v1/jobs/a{wait}")).await.expect(200);
            assert_eq!(job.json()["state"], "running");
            let none = gateway.get(&format!("/v1/jobs/a/result{wait}")).await.expect(202);
            assert_eq!(none.json()["id"], "a");
            for answer in [job, none] {
                let again = answer.header("retry-after").expect("when to ask again");
                assert!(again.parse::<u64>().is_ok_and(|it| it > 0), "{again}");
            }
        }
        let none = gateway.get("/v1/jobs/a/result?version=provisional").await.expect(404);
        assert_eq!(none.json()["code"], "not_found");
        assert_eq!(fake.chats(), 1);
        fake.release();
    });
}

#[test]
fn a_stop_ends_a_wait() {
    run(async {
        let fake = held();
        let mut gateway = Gateway::with(&near(&fake)).await;
        gateway.queue_chat("a", "big", "hello").await;
        gateway.until_state("a", "running").await;
        let mut job = waiting(&gateway, "/v1/jobs/a?wait=60").await;
        gateway.signal("TERM");
        assert_eq!(job.answer(false).await.unwrap().expect(200).json()["id"], "a");
        fake.release();
        assert_eq!(gateway.exit_code().await, Some(0));
    });
}

#[test]
fn who_waits_has_a_place() {
    run(async {
        let fake = held();
        let gateway = Gateway::with(&(near(&fake) + ONE)).await;
        for id in ["a", "b", "c"] {
            gateway.queue_chat(id, "big", id).await;
        }
        gateway.until_state("a", "running").await;
        assert_eq!(gateway.job("b").await["position"], 0);
        assert_eq!(gateway.job("c").await["position"], 1);
        let high = crate::support::chat_job_with("big", "d", "priority", &json!("high"));
        gateway.put_job("d", &high).await.expect(202);
        let places = [("d", 0), ("b", 1), ("c", 2)];
        for (id, place) in places {
            assert_eq!(gateway.job(id).await["position"], place, "{id}");
        }
        let queue = gateway.status().await["queue"].clone();
        assert_eq!((&queue["state"], &queue["jobs"]["queued"]), (&json!("open"), &json!(3)));
        assert_eq!(queue["jobs"]["running"], 1, "{queue}");
        fake.release();
    });
}

#[test]
fn what_is_not_there_is_said_so() {
    run(async {
        let fake = held();
        let gateway = Gateway::with(&near(&fake)).await;
        for below in ["", "/result", "/events", "/export"] {
            let none = gateway.get(&format!("{}{below}", at("nobody"))).await.expect(404);
            assert_eq!(none.header("content-type"), Some("application/problem+json"), "{below}");
            let problem = none.json();
            assert_eq!((&problem["status"], &problem["code"]), (&json!(404), &json!("not_found")));
            assert!(problem["detail"].as_str().unwrap().contains("nobody"), "{problem}");
        }
        gateway.delete(&at("nobody")).await.expect(404);
        gateway.post(&format!("{}/retry", at("nobody")), &json!({})).await.expect(404);
    });
}
