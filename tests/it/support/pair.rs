//! Two targets behind the alias `both`: a first that misbehaves, and a second that answers.

use std::ops::Deref;

use crate::support::answer::Answer;
use crate::support::fake::Fake;
use crate::support::gateway::Gateway;
use crate::support::openai::OpenAi;
use crate::support::setup::{QUICK, Setup, alias};
use crate::support::stream::Streamed;

/// What the second one says.
pub const SECOND: &str = "the second one answers";

/// A gateway and its second target. The first one belongs to the test.
pub struct Pair {
    pub gateway: Gateway,
    pub second: OpenAi,
}

impl Deref for Pair {
    type Target = Gateway;

    fn deref(&self) -> &Gateway {
        &self.gateway
    }
}

impl Pair {
    /// `table` configures the provider `first`.
    pub async fn new(table: &str) -> Self {
        Self::with(table, QUICK).await
    }

    pub async fn with(table: &str, more: &str) -> Self {
        let second = OpenAi::saying(SECOND);
        let gateway = Self::setup(&second, table, more).start().await;
        Self { gateway, second }
    }

    pub fn setup(second: &OpenAi, table: &str, more: &str) -> Setup {
        let targets = ["first/tiny", "second/gpt-test"];
        let aliases = alias("both", &targets) + &alias("one", &targets[..1]);
        Setup::new(&(table.to_owned() + &second.cloud("second") + &aliases + more))
    }

    /// Asks once. What the client gets is the second one's answer, and nothing else.
    #[track_caller]
    pub fn assert_second(&self, answer: &Answer, stream: bool, why: &str) {
        assert_eq!(answer.status(), 200, "{why}: {}", answer.text());
        assert_eq!(answer.header("x-edgehold-target"), Some("second/gpt-test"), "{why}");
        if stream {
            let streamed = answer.stream();
            streamed.assert_whole();
            assert_eq!(streamed.text, SECOND, "{why}");
        } else {
            assert_eq!(answer.content(), SECOND, "{why}");
        }
        assert_eq!(self.second.chats(), 1, "{why}");
    }

    pub async fn ask_both(&self, stream: bool) -> Answer {
        match stream {
            true => self.gateway.chat_stream("both", "hello").await,
            false => self.gateway.chat("both", "hello").await,
        }
    }

    /// A stream of the first one that begins with `begun`, and breaks off when it is released.
    pub async fn assert_breaks(&self, first: &Fake, begun: &str, why: &str) -> Streamed {
        let mut stream = self.gateway.open("both", "hello").await;
        assert_eq!(stream.first_text().await, begun, "{why}");
        first.release();
        let streamed = stream.rest().await;
        streamed.assert_broken();
        assert_eq!(streamed.text, "", "{why}");
        assert_eq!(self.second.chats(), 0, "{why}: a second answer was begun");
        streamed
    }
}
