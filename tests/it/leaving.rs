//! Clients that go away: their calls are cancelled, and the model's load is not.

use std::time::Instant;

use serde_json::json;

use crate::support::{
    Act, Gateway, Ollama, OpenAi, Stream, alias, ollama, openai, run, until, until_true,
};

#[test]
fn a_client_that_leaves_cancels_its_call() {
    run(async {
        let (first, local) = (OpenAi::new(), Ollama::saying("never"));
        first.on(openai::CHAT, vec![openai::begun("begun"), Act::Stall]);
        local.chat_acts(vec![ollama::begun("begun"), Act::Stall]);
        let tables = first.cloud("cloud")
            + &local.local("local")
            + &alias("big", &["cloud/x"])
            + &alias("small", &["local/tiny"]);
        let gateway = Gateway::with(&tables).await;
        let idle = gateway.metric("edgehold_budget_reserved_bytes").await;
        for (model, fake) in [("big", &*first), ("small", &*local)] {
            // In the middle of a stream.
            let mut stream = gateway.open(model, "hello").await;
            stream.first_text().await;
            let left = Instant::now();
            drop(stream);
            fake.until_gone(1).await;
            eprintln!("{model}: cancelled {:?} after its client left", fake.gone()[0] - left);
        }
        first.on(openai::CHAT, vec![Act::Stall]);
        local.chat_acts(vec![Act::Stall]);
        for (model, fake, path) in
            [("big", &*first, openai::CHAT), ("small", &*local, ollama::CHAT)]
        {
            // Before there was an answer, streamed or not.
            for streamed in [true, false] {
                let (asked, gone) = (fake.count(path), fake.gone().len());
                let mut conn = gateway.conn().await;
                conn.send(&gateway.chat_bytes(model, "hello", streamed)).await.unwrap();
                fake.until_seen(path, asked + 1).await;
                let left = Instant::now();
                drop(conn);
                fake.until_gone(gone + 1).await;
                eprintln!(
                    "{model}: cancelled {:?} after its client left",
                    fake.gone()[gone] - left
                );
            }
        }
        gateway.until_given_back(idle).await;
        assert_eq!(
            gateway.target("cloud/x").await["state"],
            "ready",
            "a client that leaves is no fault"
        );
    });
}

#[test]
fn a_load_goes_on_when_its_client_leaves() {
    run(async {
        let local = Ollama::saying("loaded and ready");
        local.load_acts([vec![Act::Stall], ollama::loaded()].concat());
        let gateway =
            Gateway::with(&(local.local("local") + &alias("small", &["local/tiny"]))).await;
        let mut left = gateway.conn().await;
        left.send(&gateway.chat_bytes("small", "hello", true)).await.unwrap();
        until_true("the load began", || local.loads().len() == 1).await;
        drop(left);
        // A second client waits for the same load: it is still open, and it is still the only one.
        let mut second = gateway.conn().await;
        second.send(&gateway.chat_bytes("small", "me too", true)).await.unwrap();
        until("the first is gone and the second is there", async || {
            (gateway.status().await["connections"] == json!(2)).then_some(())
        })
        .await;
        assert_eq!((local.loads().len(), local.gone().len()), (1, 0));
        local.release();
        let answer = Stream::begin(second).await.rest().await;
        answer.assert_whole();
        assert_eq!(answer.text, "loaded and ready");
        assert_eq!((local.loads().len(), local.gone().len(), local.chats().len()), (1, 0, 1));
    });
}
