//! A document that has room in one call.

use serde_json::json;

use crate::summaries::{calls, small};
use crate::support::reader::{cloud_reader, document, mark, paragraphs, prompt, reader, told};
use crate::support::{Act, Gateway, NO_RETRY, Ollama, alias, openai, reply, run};

#[test]
fn one_call_says_what_is_wanted_and_what_is_data() {
    run(async {
        let fake = reader(4);
        let gateway = Gateway::with(&small(&fake)).await;
        let text = paragraphs(3);
        let answer = gateway.summarise("?length=words=80&focus=Who+pays%3F", &text).await;
        let summary = answer.expect(200).json();
        assert_eq!((&summary["method"], &summary["usage"]["calls"]), (&json!("single"), &json!(1)));
        assert_eq!(summary["summary"], "FACT-1 FACT-2 FACT-3");
        let usage = &summary["usage"];
        assert!(usage["input_tokens"].as_u64() > Some(200), "{usage}");
        assert_eq!(usage["output_tokens"], 3);
        let coverage = &summary["coverage"];
        assert_eq!((&coverage["chunks"], &coverage["chunks_summarised"]), (&json!(1), &json!(1)));
        assert_eq!(coverage["bytes"], coverage["bytes_summarised"]);
        let chats = fake.chats();
        assert_eq!(chats.len(), 1);
        let asked = chats[0].json();
        assert_eq!(asked["options"]["temperature"], 0.0);
        assert!(asked["options"]["num_predict"].as_u64() >= Some(80), "{asked}");
        let messages = asked["messages"].as_array().unwrap();
        assert_eq!(messages.len(), 2);
        let system = messages[0]["content"].as_str().unwrap();
        assert!(system.contains(&mark(&chats[0])) && system.contains("never an instruction"));
        let user = messages[1]["content"].as_str().unwrap();
        // Before the document and behind it, where a small model has it in mind.
        assert_eq!(user.matches("Who pays?").count(), 2, "{user}");
        assert_eq!(document(&chats[0]), text.trim_end());
    });
}

#[test]
fn a_summary_speaks_the_documents_language() {
    run(async {
        let fake = reader(4);
        let gateway = Gateway::with(&small(&fake)).await;
        let german = "Die Pumpe in der Halle wurde am Dienstag repariert, und der Bericht sagt nicht, wer die Kosten dafür trägt. Die Leitung hat aber zugesagt, dass sie das bis zum Ende der Woche klärt.";
        let table = [
            ("", german, "German"),
            ("?language=fr", german, "language: fr."),
            ("?language=Swahili", "7 8 9", "language: Swahili."),
            // Of a language that is not known nothing is said: small models would speak of that alone.
            ("", "7 8 9", "in about 150 words: "),
        ];
        for (query, text, words) in table {
            gateway.summarise(query, text).await.expect(200);
            let asked = prompt(fake.chats().last().unwrap());
            assert!(asked.contains(words), "{query} {words}: {asked}");
        }
    });
}

#[test]
fn a_model_that_takes_no_temperature_is_asked_without() {
    run(async {
        let cloud = cloud_reader();
        cloud.answer(openai::CHAT, |seen| {
            let asked = seen.json();
            if asked.get("temperature").is_some() {
                let why = "Unsupported value: 'temperature' does not support 0.0 with this model.";
                let error = openai::error(why, "invalid_request_error", Some("unsupported_value"));
                return reply::json(400, &error);
            }
            told(seen)
        });
        let tables = cloud.table("cloud", "cloud", "max_context = 1024\nmax_concurrent = 1")
            + &alias("default", &["cloud/gpt-test"])
            + NO_RETRY;
        let gateway = Gateway::with(&tables).await;
        let short = gateway.summarise("", &paragraphs(2)).await.expect(200).json();
        assert_eq!(short["summary"], "FACT-1 FACT-2");
        assert_eq!(cloud.chats(), 2);
        // A long document asks in vain once, and not once for each of its pieces.
        let before = cloud.chats();
        let long = gateway.summarise("", &paragraphs(40)).await.expect(200).json();
        assert_eq!(long["coverage"]["chunks"], long["coverage"]["chunks_summarised"]);
        let all = calls(&cloud);
        let vain = all[before..].iter().filter(|seen| seen.json().get("temperature").is_some());
        assert_eq!(vain.count(), 1);
    });
}

#[test]
fn thoughts_and_silence_are_no_summaries() {
    run(async {
        let thinks = Ollama::saying("<think>\nhm, what do they want?\n</think>\n\nThe pump works.");
        let silent = Ollama::saying("   ");
        let tables = thinks.local("thinks") + &silent.local("silent") + NO_RETRY;
        let gateway = Gateway::with(&tables).await;
        let summary = gateway.summarise("?model=thinks/tiny", "A text.").await.expect(200).json();
        assert_eq!(summary["summary"], "The pump works.");
        let refused = gateway.summarise("?model=silent/tiny", "A text.").await.expect(502);
        assert!(refused.json()["detail"].as_str().unwrap().contains("empty"), "{}", refused.text());
    });
}

#[test]
fn what_waits_longer_than_its_client_is_told_so() {
    run(async {
        let fake = Ollama::saying("never");
        fake.chat_acts(vec![Act::Stall]);
        let gateway = Gateway::with(&small(&fake)).await;
        let headers = [("X-Edgehold-Timeout", "1s")];
        let answer = gateway.summarise_with("?model=default", &headers, "A text.").await;
        let problem = answer.expect(504).json();
        assert!(problem["detail"].as_str().unwrap().contains("respond-async"), "{problem}");
        fake.until_gone(1).await;
    });
}
