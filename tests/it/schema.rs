//! Answers by a JSON schema: checked where the provider does not see to it, asked for once more,
//! then asked of the next.

use serde_json::{Value, json};

use crate::support::http::request;
use crate::support::{
    Act, Gateway, NO_RETRY, Ollama, OpenAi, Seen, Stream, alias, ollama, openai, reply, run,
};

const GOOD: &str = r#"{"name":"Ann","age":7}"#;
const BAD: &str = r#"{"name":"Ann"}"#;

fn asking(model: &str, stream: bool) -> Value {
    let mut body = openai::request(model, "a person", stream);
    body["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "person", "schema": {
        "type": "object", "required": ["name", "age"], "additionalProperties": false,
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}}});
    body
}

/// A provider that answers by a list, and by its last entry from then on.
fn answering(answers: &[&str]) -> OpenAi {
    let fake = OpenAi::saying(answers.last().unwrap());
    for answer in answers.split_last().unwrap().1 {
        fake.once(openai::CHAT, reply::json(200, &openai::answer(answer)));
    }
    fake
}

#[test]
fn a_wrong_answer_is_asked_for_once_more_with_what_was_wrong() {
    run(async {
        let fake = answering(&[BAD, GOOD]);
        let gateway = Gateway::with(&(fake.cloud("cloud") + NO_RETRY)).await;
        let answer = gateway.post(openai::CHAT, &asking("cloud/m", false)).await.expect(200);
        assert_eq!(answer.content(), GOOD);
        let seen = fake.seen(openai::CHAT);
        assert_eq!(seen.len(), 2);
        let second = seen[1].json();
        let turns = second["messages"].as_array().unwrap();
        assert_eq!(turns.len(), 3);
        assert_eq!((&turns[1]["role"], &turns[1]["content"]), (&json!("assistant"), &json!(BAD)));
        assert!(turns[2]["content"].as_str().unwrap().contains("$.age is missing"), "{second}");
        assert_eq!(second["response_format"]["json_schema"]["name"], "person");
        assert!(gateway.metrics().await.contains("edgehold_retries_total{target=\"cloud/m\"} 1"));
        assert_eq!(gateway.status().await["targets"], json!([]), "the target is well");
    });
}

#[test]
fn then_the_next_target_is_asked_and_then_the_client_is_told() {
    run(async {
        let (first, second) = (answering(&[BAD]), answering(&["no JSON at all", BAD, GOOD]));
        let tables = first.cloud("first")
            + &second.cloud("second")
            + NO_RETRY
            + &alias("both", &["first/m", "second/m"]);
        let gateway = Gateway::with(&tables).await;
        let refused = gateway.post(openai::CHAT, &asking("both", false)).await.expect(502);
        let (_, message) = refused.error();
        assert!(message.contains("first/m") && message.contains("second/m"), "{message}");
        assert!(message.contains("$.age is missing"), "{message}");
        assert!(!message.contains("Ann"), "no word of the answer: {message}");
        assert_eq!((first.chats(), second.chats()), (2, 2));
        let answer = gateway.post(openai::CHAT, &asking("both", false)).await.expect(200);
        assert_eq!(answer.content(), GOOD);
        assert_eq!(answer.header("x-edgehold-target"), Some("second/m"));
    });
}

#[test]
fn whoever_sees_to_it_is_believed_and_what_is_no_answer_is_not_checked() {
    run(async {
        let (believed, cut) = (answering(&[BAD]), OpenAi::new());
        let mut short = openai::answer(BAD);
        short["choices"][0]["finish_reason"] = json!("length");
        cut.on(openai::CHAT, reply::json(200, &short));
        let tables = believed.table("believed", "cloud", "enforces_schema = true")
            + &cut.cloud("cut")
            + NO_RETRY;
        let gateway = Gateway::with(&tables).await;
        for model in ["believed/m", "cut/m"] {
            let answer = gateway.post(openai::CHAT, &asking(model, false)).await.expect(200);
            assert_eq!(answer.content(), BAD, "{model}");
        }
        assert_eq!((believed.chats(), cut.chats()), (1, 1));
    });
}

#[test]
fn an_ollamas_answer_is_checked_too() {
    run(async {
        let fake = Ollama::saying(GOOD);
        let gateway = Gateway::with(&(fake.local("local") + NO_RETRY)).await;
        let answer = gateway.post(openai::CHAT, &asking("local/tiny", false)).await.expect(200);
        assert_eq!(answer.content(), GOOD);
        let format = asking("", false)["response_format"]["json_schema"]["schema"].clone();
        let body = json!({"model": "local/tiny", "stream": false, "format": format,
            "messages": [{"role": "user", "content": "a person"}]});
        let answer = gateway.post("/api/chat", &body).await.expect(200).json();
        assert_eq!(answer["message"]["content"], GOOD);
        let wrong = Ollama::saying(BAD);
        let gateway = Gateway::with(&(wrong.local("local") + NO_RETRY)).await;
        let error = gateway.post("/api/chat", &body).await.expect(502).json();
        assert!(error["error"].as_str().unwrap().contains("$.age is missing"), "{error}");
        let chats = wrong.chats();
        assert_eq!(chats.len(), 2);
        let turns = chats[1].json()["messages"].clone();
        assert_eq!(turns[1], json!({"role": "assistant", "content": BAD}));
        assert!(turns[2]["content"].as_str().unwrap().contains("$.age is missing"), "{turns}");
    });
}

#[test]
fn a_text_that_is_gone_on_with_is_repaired_as_a_chat() {
    run(async {
        let fake = Ollama::saying(GOOD);
        let lines = [
            json!({"model": "tiny", "response": BAD, "done": false}),
            json!({"model": "tiny", "response": "", "done": true, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 3}),
        ];
        let lines = lines.map(|it| ollama::line(&it));
        fake.on("/api/generate", vec![Act::Send(reply::pieces(ollama::LINES, &lines))]);
        let gateway = Gateway::with(&(fake.local("local") + NO_RETRY)).await;
        let format = asking("", false)["response_format"]["json_schema"]["schema"].clone();
        let body = json!({"model": "local/tiny", "system": "Be brief.", "prompt": "a person", "format": format, "stream": false});
        let answer = gateway.post("/api/generate", &body).await.expect(200);
        assert_eq!(answer.header("x-edgehold-attempts"), Some("2"), "both calls count");
        assert_eq!(answer.json()["response"], GOOD);
        let turns = fake.chats()[0].json()["messages"].clone();
        let said: Vec<&str> =
            turns.as_array().unwrap().iter().map(|it| it["content"].as_str().unwrap()).collect();
        assert_eq!(&said[..3], ["Be brief.", "a person", BAD]);
        assert!(said[3].contains("$.age is missing"), "{turns}");
    });
}

#[test]
fn a_request_that_only_its_own_dialect_knows_is_not_written_anew() {
    run(async {
        let fake = answering(&[BAD]);
        let gateway = Gateway::with(&(fake.cloud("cloud") + NO_RETRY)).await;
        let mut body = asking("cloud/m", false);
        body["logit_bias"] = json!({"1": 5});
        gateway.post(openai::CHAT, &body).await.expect(502);
        assert_eq!(fake.chats(), 1, "without logit_bias it would be another request");
    });
}

#[test]
fn a_repair_teaches_the_model_nothing_wrong_of_its_prompts() {
    run(async {
        // The real one counts what it was sent: about a token for four letters.
        let fake = Ollama::saying("");
        let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(4000));
        fake.chat_answer(move |seen| {
            let turns = seen.json()["messages"].clone();
            let letters: usize = turns
                .as_array()
                .unwrap()
                .iter()
                .map(|it| it["content"].as_str().unwrap().len())
                .sum();
            let text = if turns.as_array().unwrap().len() > 1 { GOOD } else { &long };
            ollama::stream_of(text, letters as u64 / 4)
        });
        let gateway = Gateway::with(&(fake.local("local") + NO_RETRY)).await;
        let mut body = asking("local/tiny", false);
        body["messages"][0]["content"] = json!("word ".repeat(100));
        gateway.post(openai::CHAT, &body).await.expect(200);
        assert_eq!(fake.chats().len(), 2);
        let windows = |seen: &Seen| seen.json()["options"]["num_ctx"].as_u64().unwrap();
        let before = windows(&fake.chats()[0]);
        // A prompt that just fits the same window still does.
        gateway.chat("local/tiny", &"word ".repeat(900)).await.expect(200);
        assert_eq!(windows(fake.chats().last().unwrap()), before);
    });
}

#[test]
fn a_stream_is_held_to_it_only_where_that_is_asked() {
    run(async {
        let fake = answering(&[BAD]);
        let gateway = Gateway::with(&(fake.cloud("cloud") + NO_RETRY)).await;
        let body = asking("cloud/m", true);
        let stream = gateway.post(openai::CHAT, &body).await.expect(200).stream();
        stream.assert_whole();
        assert_eq!(stream.text, BAD);
        let strict = [("Content-Type", "application/json"), ("X-Edgehold-Strict", "true")];
        let text = body.to_string();
        // What broke before anything of it went out is another attempt's business.
        let refused = gateway.ask("POST", openai::CHAT, &strict, text.as_bytes()).await.expect(502);
        assert!(refused.text().contains("$.age is missing"), "{}", refused.text());
        let frames = openai::frames(BAD);
        let end = reply::pieces(openai::EVENTS, &frames[2..]);
        let (_, end) = end.split_at(reply::chunked(openai::EVENTS).len());
        let begun = reply::open(openai::EVENTS, &frames[..2]);
        fake.once(openai::CHAT, vec![begun, Act::Stall, Act::Send(end.to_vec())]);
        let mut conn = gateway.conn().await;
        let bytes = request("POST", openai::CHAT, &gateway.host(), &strict, text.as_bytes());
        conn.send(&bytes).await.unwrap();
        let mut stream = Stream::begin(conn).await;
        let first = stream.first_text().await;
        fake.release();
        let rest = stream.rest().await;
        rest.assert_broken();
        assert_eq!(first + &rest.text, BAD, "it went on as it came");
        let error = rest.error.unwrap();
        assert!(error["message"].as_str().unwrap().contains("$.age is missing"), "{error}");
        fake.says(GOOD);
        let stream =
            gateway.ask("POST", openai::CHAT, &strict, text.as_bytes()).await.expect(200).stream();
        stream.assert_whole();
        let wrong = [("Content-Type", "application/json"), ("X-Edgehold-Strict", "yes")];
        gateway.ask("POST", openai::CHAT, &wrong, text.as_bytes()).await.expect(400);
    });
}
