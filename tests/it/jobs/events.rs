//! A job's changes as server-sent events.

use serde_json::Value;

use crate::jobs::{held, near};
use crate::support::http::request;
use crate::support::{Blocks, Gateway, at, run};

/// Events that are read as they come.
struct Events(Blocks);

#[derive(Debug)]
struct Event {
    id: String,
    name: String,
    data: Value,
}

impl Events {
    async fn of(gateway: &Gateway, id: &str, seen: Option<&str>) -> Self {
        let mut conn = gateway.conn().await;
        let headers: Vec<_> = seen.map(|seen| ("Last-Event-ID", seen)).into_iter().collect();
        let path = format!("{}/events", at(id));
        conn.send(&request("GET", &path, &gateway.host(), &headers, b"")).await.unwrap();
        Self(Blocks::of_events(conn).await.1)
    }

    /// The next event; `None` when the stream has ended in good order.
    async fn next(&mut self) -> Option<Event> {
        let block = self.0.next_event().await?;
        let field = |name: &str| {
            let line = block.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {block}")).to_owned()
        };
        let data = serde_json::from_str(&field("data: ")).unwrap();
        Some(Event { id: field("id: "), name: field("event: "), data })
    }
}

#[test]
fn every_change_comes_and_then_the_end() {
    run(async {
        let fake = held();
        let gateway = Gateway::with(&near(&fake)).await;
        gateway.queue_chat("a", "big", "hello").await;
        gateway.until_state("a", "running").await;
        let mut events = Events::of(&gateway, "a", None).await;
        let running = events.next().await.unwrap();
        assert_eq!((running.name.as_str(), &running.data["id"]), ("running", &"a".into()));
        // Who has seen that is told only what is new.
        let mut again = Events::of(&gateway, "a", Some(&running.id)).await;
        fake.release();
        for stream in [&mut events, &mut again] {
            let done = stream.next().await.unwrap();
            assert_eq!((done.name.as_str(), &done.data["attempts"]), ("succeeded", &1.into()));
            assert_ne!(done.id, running.id);
            assert!(stream.next().await.is_none(), "after the end");
        }
        let whole = gateway.get(&format!("{}/events", at("a"))).await.expect(200);
        let last = whole.text().lines().find_map(|it| it.strip_prefix("id: ").map(str::to_owned));
        // By 204 a browser knows that it need not come again.
        let path = format!("{}/events", at("a"));
        let seen = last.unwrap();
        gateway.ask("GET", &path, &[("Last-Event-ID", &seen)], b"").await.expect(204);
        gateway.ask("GET", &path, &[("Last-Event-ID", "nonsense")], b"").await.expect(200);
    });
}

#[test]
fn a_job_that_is_taken_back_ends_them() {
    run(async {
        let fake = held();
        let gateway = Gateway::with(&near(&fake)).await;
        gateway.queue_chat("a", "big", "hello").await;
        gateway.until_state("a", "running").await;
        let mut events = Events::of(&gateway, "a", None).await;
        assert_eq!(events.next().await.unwrap().name, "running");
        gateway.delete(&at("a")).await.expect(200);
        assert_eq!(events.next().await.unwrap().name, "cancelled");
        assert!(events.next().await.is_none());
    });
}

#[test]
fn a_stop_ends_them() {
    run(async {
        let fake = held();
        let mut gateway = Gateway::with(&near(&fake)).await;
        gateway.queue_chat("a", "big", "hello").await;
        gateway.until_state("a", "running").await;
        let mut events = Events::of(&gateway, "a", None).await;
        assert_eq!(events.next().await.unwrap().name, "running");
        gateway.signal("TERM");
        assert!(events.next().await.is_none(), "its connection keeps no service from its end");
        fake.release();
        assert_eq!(gateway.exit_code().await, Some(0));
    });
}
