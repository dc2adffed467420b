//! The context window: large enough, sticky, and never cut in silence.

use serde_json::Value;

use crate::support::{Gateway, NO_RETRY, Ollama, Pair, SECOND, Seen, alias, ollama, openai, run};

fn window(seen: &Seen) -> u64 {
    seen.json()["options"]["num_ctx"].as_u64().expect("num_ctx is always sent")
}

/// A prompt of about so many tokens of plain English.
fn prompt(tokens: usize) -> String {
    "the river runs to the sea and ".repeat(tokens / 7)
}

async fn gateway(fake: &Ollama) -> Gateway {
    Gateway::with(&(fake.local("local") + &alias("small", &["local/tiny"]) + NO_RETRY)).await
}

#[test]
fn the_window_grows_with_the_prompt_and_stays() {
    run(async {
        let fake = Ollama::saying("noted");
        let gateway = gateway(&fake).await;
        for text in ["short", &prompt(4000), "short again"] {
            gateway.chat("small", text).await.expect(200);
        }
        let windows: Vec<u64> = fake.chats().iter().map(window).collect();
        assert!(windows[0] < windows[1], "{windows:?}");
        assert!(windows[1] >= 4000 && windows[1] <= 8192, "{windows:?}");
        assert_eq!(windows[1], windows[2], "a smaller window would load the model again");
        let loads: Vec<u64> = fake.loads().iter().map(window).collect();
        assert_eq!(loads, windows[..2], "each window is loaded once, and with that window");
    });
}

#[test]
fn the_models_own_context_is_a_bound() {
    run(async {
        let fake = Ollama::saying("noted");
        fake.context(1024);
        let gateway = gateway(&fake).await;
        gateway.chat("small", "short").await.expect(200);
        assert!(window(&fake.chats()[0]) <= 1024);
    });
}

#[test]
fn what_does_not_fit_is_refused_with_both_numbers() {
    run(async {
        let fake = Ollama::saying("never");
        let gateway = gateway(&fake).await;
        let refused = gateway.chat("small", &prompt(30_000)).await.expect(400);
        let (code, message) = refused.error();
        assert_eq!(code, "context_length_exceeded");
        let numbers: Vec<u64> = message
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|word| word.parse().ok())
            .collect();
        assert!(numbers.contains(&8192), "the window: {message}");
        assert!(
            numbers.iter().any(|number| (15_000..60_000).contains(number)),
            "the need: {message}"
        );
        assert_eq!(fake.chats().len(), 0);
    });
}

#[test]
fn what_does_not_fit_goes_to_a_larger_context() {
    run(async {
        let fake = Ollama::saying("never");
        let pair = Pair::with(&fake.table("first", "max_context = 4096"), NO_RETRY).await;
        let answer = pair.chat("both", &prompt(6000)).await;
        pair.assert_second(&answer, false, "too long for the first");
        assert_eq!(fake.chats().len(), 0);
        assert_eq!(pair.target("first/tiny").await["state"], "ready");
    });
}

/// An Ollama whose prompt has `real` tokens, whatever it looks like, and that cuts in silence.
fn cutting(real: u64) -> Ollama {
    let fake = Ollama::saying("");
    fake.chat_answer(move |seen| ollama::stream_of("about something else", real.min(window(seen))));
    fake
}

#[test]
fn a_cut_prompts_answer_is_not_passed_off() {
    run(async {
        let fake = cutting(1_000_000);
        let gateway = gateway(&fake).await;
        let refused = gateway.chat("small", "looks short").await.expect(400);
        let (code, message) = refused.error();
        assert_eq!(code, "context_length_exceeded", "{message}");
        assert!(!refused.text().contains("something else"));
        let windows: Vec<u64> = fake.chats().iter().map(window).collect();
        assert!(windows.is_sorted(), "a retry never asks for less: {windows:?}");
    });
}

#[test]
fn a_cut_stream_ends_with_an_error() {
    run(async {
        let fake = cutting(1_000_000);
        let gateway = gateway(&fake).await;
        let answer = gateway.chat_stream("small", "looks short").await;
        if answer.status() == 200 {
            let stream = answer.stream();
            stream.assert_broken();
            assert_eq!(stream.error.unwrap()["code"], "context_length_exceeded");
        } else {
            assert_eq!(answer.expect(400).error().0, "context_length_exceeded");
        }
    });
}

#[test]
fn a_cut_prompt_goes_to_the_next_target() {
    run(async {
        let fake = cutting(1_000_000);
        let pair = Pair::with(&fake.local("first"), NO_RETRY).await;
        assert_eq!(pair.ask_both(false).await.expect(200).content(), SECOND);
    });
}

#[test]
fn a_cut_is_learned_from() {
    run(async {
        // A script of which the estimate knows little: four times the tokens that it expects.
        let real = 2600;
        let fake = cutting(real);
        let gateway = gateway(&fake).await;
        let text = "x y ".repeat(400);
        let mut answer = gateway.chat("small", &text).await;
        for _ in 0..5 {
            if answer.status() == 200 {
                break;
            }
            answer = gateway.chat("small", &text).await;
        }
        assert_eq!(answer.expect(200).content(), "about something else");
        let last = fake.chats().last().map(window).unwrap();
        assert!(last > real, "{last}");
    });
}

#[test]
fn num_predict_is_part_of_what_is_needed() {
    run(async {
        let fake = Ollama::saying("noted");
        let gateway = gateway(&fake).await;
        let mut body: Value = openai::request("small", "short", false);
        body["max_tokens"] = 3000.into();
        gateway.post(openai::CHAT, &body).await.expect(200);
        assert!(window(&fake.chats()[0]) > 3000);
    });
}
