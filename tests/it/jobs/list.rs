//! Lists of jobs: in the order of their acceptance, page by page, by state.

use serde_json::Value;

use crate::jobs::{ONE, held, near};
use crate::support::jobs::ids;
use crate::support::{Gateway, JOBS, OpenAi, at, run};

const IDS: [&str; 5] = ["zebra", "a", "m", "0", "Z"];

async fn five(fake: &OpenAi) -> Gateway {
    let gateway = Gateway::with(&(near(fake) + ONE)).await;
    for id in IDS {
        gateway.queue_chat(id, "big", id).await;
    }
    gateway.until_state("zebra", "running").await;
    gateway
}

#[test]
fn pages_follow_one_another() {
    run(async {
        let fake = held();
        let gateway = five(&fake).await;
        assert_eq!(gateway.listed("").await, IDS);
        for limit in 1..=6 {
            let mut found = Vec::new();
            let mut after = String::new();
            loop {
                let path = format!("{JOBS}?limit={limit}{after}");
                let page = gateway.get(&path).await.expect(200).json();
                assert!(ids(&page).len() <= limit, "{page}");
                found.extend(ids(&page));
                match page["next"].as_str() {
                    Some(next) => after = format!("&after={next}"),
                    None => break,
                }
                assert!(found.len() < IDS.len(), "a next page where nothing is left: {page}");
            }
            assert_eq!(found, IDS, "limit {limit}");
        }
        fake.release();
    });
}

#[test]
fn a_page_says_what_its_jobs_say() {
    run(async {
        let fake = held();
        let gateway = five(&fake).await;
        let mut page = gateway.get(&format!("{JOBS}?limit=2&after=a")).await.expect(200).json();
        assert_eq!(ids(&page), ["m", "0"]);
        for listed in page["jobs"].as_array_mut().unwrap() {
            let mut job = gateway.job(listed["id"].as_str().unwrap()).await;
            for it in [&mut job, listed] {
                it["expires_in_seconds"] = Value::Null;
            }
            assert_eq!(*listed, job);
        }
        fake.release();
    });
}

#[test]
fn the_next_page_does_not_need_the_last_job_of_the_one_before() {
    run(async {
        let fake = held();
        let gateway = five(&fake).await;
        let page = gateway.get(&format!("{JOBS}?limit=3")).await.expect(200).json();
        let last = ids(&page).pop().unwrap();
        gateway.delete(&at(&last)).await.expect(200);
        gateway.delete(&at(&last)).await.expect(204);
        let next = page["next"].as_str().unwrap();
        assert_eq!(gateway.listed(&format!("?after={next}")).await, IDS[3..]);
        gateway.get(&format!("{JOBS}?after={last}")).await.expect(404);
        for wrong in ["~", "~x", "~1.5", "a~1"] {
            gateway.get(&format!("{JOBS}?after={wrong}")).await.expect(400);
        }
        fake.release();
    });
}

#[test]
fn states_are_told_apart() {
    run(async {
        let fake = held();
        let gateway = five(&fake).await;
        gateway.delete(&at("m")).await.expect(200);
        assert_eq!(gateway.listed("?state=running").await, ["zebra"]);
        assert_eq!(gateway.listed("?state=queued").await, ["a", "0", "Z"]);
        assert_eq!(gateway.listed("?state=queued&limit=2&after=a").await, ["0", "Z"]);
        assert_eq!(gateway.listed("?state=cancelled").await, ["m"]);
        for state in ["succeeded", "failed", "expired", "corrupt"] {
            assert_eq!(gateway.listed(&format!("?state={state}")).await, [""; 0], "{state}");
        }
        fake.release();
        for id in ["zebra", "a", "0", "Z"] {
            gateway.until_ended(id, "succeeded").await;
        }
        assert_eq!(gateway.listed("?state=succeeded").await, ["zebra", "a", "0", "Z"]);
    });
}

#[test]
fn a_list_that_cannot_be_is_refused() {
    run(async {
        let fake = held();
        let gateway = five(&fake).await;
        let table = [
            ("limit=0", 400, "100"),
            ("limit=101", 400, "100"),
            ("limit=-1", 400, "limit"),
            ("limit=many", 400, "limit"),
            ("state=done", 400, "succeeded"),
            ("state=", 400, "queued"),
            ("after=a.b", 400, "id"),
            ("after=nobody", 404, "nobody"),
            ("sort=id", 400, "limit"),
        ];
        for (query, status, word) in table {
            let refused = gateway.get(&format!("{JOBS}?{query}")).await;
            assert_eq!(refused.status(), status, "{query}: {}", refused.text());
            let detail = refused.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains(word), "{query}: {detail}");
        }
        fake.release();
    });
}
