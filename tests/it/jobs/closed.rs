//! A queue whose database cannot be opened: jobs are refused for now, and nothing is said to be gone.

use crate::jobs::near;
use crate::support::{Gateway, JOBS, OpenAi, at, chat_job, openai, reply, run};

#[test]
fn a_closed_queue_says_that_it_is_closed_and_all_else_is_served() {
    run(async {
        let fake = OpenAi::new();
        fake.on(openai::CHAT, reply::json(200, &openai::answer("at once")));
        let tables = near(&fake) + "[queue]\npath = \"/dev/null/queue.db\"\n";
        let gateway = Gateway::with(&tables).await;
        assert_eq!(gateway.chat("big", "now").await.expect(200).content(), "at once");
        assert_eq!(gateway.status().await["queue"]["state"], "closed");
        let refused = [
            gateway.put_job("a", &chat_job("big", "a")).await,
            gateway.get(&at("a")).await,
            gateway.get(&format!("{}/result", at("a"))).await,
            gateway.get(&format!("{}/events", at("a"))).await,
            gateway.get(JOBS).await,
            gateway.delete(&at("a")).await,
            gateway.get("/v1/responses/resp_a").await,
            gateway.delete("/v1/responses/resp_a").await,
        ];
        for answer in refused {
            let answer = answer.expect(503);
            assert!(answer.header("retry-after").is_some(), "{:?}", answer.head);
        }
    });
}
