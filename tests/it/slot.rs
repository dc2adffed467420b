//! The local slot: one call at a time, a bounded and fair wait, and patience.

use crate::support::{
    Act, Gateway, NO_RETRY, Ollama, Pair, Stream, alias, ollama, reply, run, until,
};

/// An Ollama whose answers wait to be released.
fn held() -> Ollama {
    let fake = Ollama::saying("");
    let rest = ollama::lines("in the end", 12).concat();
    fake.chat_acts(vec![
        ollama::begun("held "),
        Act::Stall,
        Act::Send(reply::chunk(rest.as_bytes())),
        Act::Send(b"0\r\n\r\n".to_vec()),
    ]);
    fake
}

#[test]
fn calls_take_turns() {
    run(async {
        let fake = held();
        let gateway =
            Gateway::with(&(fake.local("local") + &alias("small", &["local/tiny"]))).await;
        let mut first = gateway.open("small", "first").await;
        first.first_text().await;
        let mut second = gateway.conn().await;
        second.send(&gateway.chat_bytes("small", "second", true)).await.unwrap();
        // Asking for the status passes the gateway after the second request has.
        gateway.status().await;
        assert_eq!(fake.chats().len(), 1, "one at a time");
        fake.release();
        first.rest().await.assert_whole();
        Stream::begin(second).await.rest().await.assert_whole();
        assert_eq!((fake.chats().len(), fake.peak(ollama::CHAT)), (2, 1));
    });
}

#[test]
fn turns_are_given_in_the_order_they_were_asked_for() {
    run(async {
        let fake = held();
        let gateway =
            Gateway::with(&(fake.local("local") + &alias("small", &["local/tiny"]))).await;
        let mut first = gateway.open("small", "0").await;
        first.first_text().await;
        let mut waiting = Vec::new();
        for number in 1..=5 {
            let mut conn = gateway.conn().await;
            conn.send(&gateway.chat_bytes("small", &number.to_string(), true)).await.unwrap();
            gateway.status().await;
            waiting.push(conn);
        }
        fake.release();
        first.rest().await;
        for conn in waiting {
            Stream::begin(conn).await.rest().await.assert_whole();
        }
        let order: Vec<String> = fake
            .chats()
            .iter()
            .map(|seen| seen.json()["messages"][0]["content"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(order, ["0", "1", "2", "3", "4", "5"]);
    });
}

#[test]
fn patience_ends_and_the_next_target_answers() {
    run(async {
        let fake = held();
        let pair = Pair::with(&fake.table("first", "patience = \"200ms\""), NO_RETRY).await;
        let mut first = pair.open("both", "first").await;
        first.first_text().await;
        let answer = pair.ask_both(false).await;
        pair.assert_second(&answer, false, "the slot is taken");
        assert_eq!(fake.chats().len(), 1);
        assert_eq!(pair.target("first/tiny").await["state"], "ready", "busy is no fault");
        fake.release();
        first.rest().await.assert_whole();
    });
}

#[test]
fn a_full_queue_passes_on_at_once_or_refuses() {
    run(async {
        let fake = held();
        let table = fake.table("first", "max_waiting = 1\npatience = \"20s\"");
        let pair = Pair::with(&table, NO_RETRY).await;
        let mut first = pair.open("one", "first").await;
        first.first_text().await;
        let (mut one, mut two) = (pair.conn().await, pair.conn().await);
        for conn in [&mut one, &mut two] {
            conn.send(&pair.chat_bytes("one", "waits", false)).await.unwrap();
        }
        // One of the two has the only place to wait in; the other is refused.
        let (refused, mut waits) = tokio::select! {
            answer = one.answer(false) => (answer, two),
            answer = two.answer(false) => (answer, one),
        };
        let refused = refused.unwrap().expect(503);
        assert!(refused.header("retry-after").is_some());
        assert!(refused.error().1.contains("first/tiny"), "{}", refused.text());
        // With another target there is no need to refuse.
        let answer = pair.ask_both(false).await;
        pair.assert_second(&answer, false, "the queue is full");
        fake.release();
        first.rest().await.assert_whole();
        waits.answer(false).await.unwrap().expect(200);
    });
}

#[test]
fn a_client_that_leaves_gives_its_place_up() {
    run(async {
        let fake = held();
        let gateway = Gateway::with(
            &(fake.table("local", "max_waiting = 1") + &alias("small", &["local/tiny"]) + NO_RETRY),
        )
        .await;
        let mut first = gateway.open("small", "first").await;
        first.first_text().await;
        let mut left = gateway.conn().await;
        left.send(&gateway.chat_bytes("small", "leaves", true)).await.unwrap();
        gateway.status().await;
        drop(left);
        // The first one and the one that asks for the status.
        until("its connection is gone", async || {
            (gateway.status().await["connections"] == 2).then_some(())
        })
        .await;
        let mut third = gateway.conn().await;
        third.send(&gateway.chat_bytes("small", "third", false)).await.unwrap();
        gateway.status().await;
        fake.release();
        third.answer(false).await.unwrap().expect(200);
        first.rest().await.assert_whole();
        let asked: Vec<String> = fake
            .chats()
            .iter()
            .map(|seen| seen.json()["messages"][0]["content"].to_string())
            .collect();
        assert_eq!(asked, ["\"first\"", "\"third\""], "nothing is asked for who has left");
    });
}

#[test]
fn while_a_model_loads_the_request_may_go_elsewhere() {
    run(async {
        let fake = Ollama::saying("now here");
        fake.load_acts([vec![Act::Stall], ollama::loaded()].concat());
        let pair = Pair::with(&fake.table("first", "patience = \"200ms\""), NO_RETRY).await;
        pair.assert_second(&pair.ask_both(true).await, true, "it is still being loaded");
        assert_eq!((fake.loads().len(), fake.gone().len()), (1, 0), "the load goes on");
        fake.release();
        let answer = until("the loaded model answers", async || {
            let answer = pair.ask_both(false).await.expect(200);
            (answer.header("x-edgehold-target") == Some("first/tiny")).then_some(answer)
        })
        .await;
        assert_eq!(answer.content(), "now here");
        assert_eq!(fake.loads().len(), 1);
    });
}
