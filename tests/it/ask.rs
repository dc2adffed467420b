//! Plain text in, plain text out: for firmware that has no JSON parser.

use crate::support::{Gateway, NO_RETRY, Ollama, OpenAi, alias, run};

const TEXT: [(&str, &str); 1] = [("Content-Type", "text/plain; charset=utf-8")];

#[test]
fn a_question_gets_lines_of_text() {
    run(async {
        let fake = Ollama::saying("It is warm.");
        let gateway =
            Gateway::with(&(fake.local("local") + &alias("default", &["local/tiny"]))).await;
        let answer = gateway.ask("POST", "/v1/ask", &TEXT, "Wärm?".as_bytes()).await.expect(200);
        assert_eq!(answer.text(), "It is warm.\n");
        assert!(answer.header("content-type").is_some_and(|it| it.starts_with("text/plain")));
        assert_eq!(answer.header("content-length"), Some("12"));
        assert_eq!(answer.header("x-edgehold-target"), Some("local/tiny"));
        assert_eq!(fake.chats()[0].json()["messages"][0]["content"], "Wärm?");
        gateway.ask("POST", "/v1/ask", &[], b"no type at all").await.expect(200);
    });
}

#[test]
fn the_query_says_model_system_and_length() {
    run(async {
        let (small, big) = (Ollama::saying("small"), OpenAi::saying("big"));
        let tables =
            small.local("local") + &big.cloud("cloud") + &alias("default", &["cloud/gpt-test"]);
        let gateway = Gateway::with(&tables).await;
        let path = "/v1/ask?model=local%2Ftiny&system=be+brief%21&max_tokens=7";
        assert_eq!(gateway.ask("POST", path, &TEXT, b"hello").await.expect(200).text(), "small\n");
        let asked = small.chats()[0].json();
        assert_eq!(asked["messages"][0]["role"], "system");
        assert_eq!(asked["messages"][0]["content"], "be brief!");
        assert_eq!(asked["options"]["num_predict"], 7);
        assert_eq!(big.chats(), 0);
    });
}

#[test]
fn without_a_default_the_first_local_model_answers() {
    run(async {
        let fake = Ollama::saying("here");
        let gateway = Gateway::with(&fake.local("local")).await;
        let answer = gateway.ask("POST", "/v1/ask", &TEXT, b"hello").await.expect(200);
        assert_eq!(answer.header("x-edgehold-target"), Some("local/tiny:latest"));
    });
}

#[test]
fn errors_are_one_line_of_text() {
    run(async {
        let fake = OpenAi::saying("never");
        let tables = fake.cloud("cloud") + &alias("default", &["cloud/gpt-test"]) + NO_RETRY;
        let gateway = Gateway::with(&tables).await;
        let table: [(&str, &[u8], u16); 5] = [
            ("/v1/ask", b"", 400),
            ("/v1/ask", b"\xff\xfe", 400),
            ("/v1/ask?max_tokens=none", b"x", 400),
            ("/v1/ask?speed=fast", b"x", 400),
            ("/v1/ask?model=nobody", b"x", 404),
        ];
        for (path, body, status) in table {
            let answer = gateway.ask("POST", path, &TEXT, body).await.expect(status);
            let text = answer.text();
            assert!(
                text.ends_with('\n') && text.lines().count() == 1 && text.len() > 2,
                "{path}: {text:?}"
            );
            assert!(!text.starts_with('{'), "{path}: {text}");
        }
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        gateway.ask("POST", "/v1/ask", &form, b"x=1").await.expect(415);
        assert_eq!(fake.chats(), 0);
    });
}
