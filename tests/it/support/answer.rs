//! A response, as it came.

use serde_json::Value;

use crate::support::stream::{Streamed, data_of};

/// A response's status line and headers.
#[derive(Debug, Clone)]
pub struct Head {
    pub status: u16,
    pub headers: Vec<(String, String)>,
}

/// A whole response.
#[derive(Debug, Clone)]
pub struct Answer {
    pub head: Head,
    pub body: Vec<u8>,
    /// Whether the body ended as its framing says, rather than with the connection.
    pub whole: bool,
}

impl Head {
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split("\r\n");
        let mut first = lines.next()?.splitn(3, ' ');
        first.next().filter(|version| version.starts_with("HTTP/1."))?;
        let status = first.next()?.parse().ok()?;
        let headers = lines.filter(|line| !line.is_empty()).map(|line| {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            (name.to_owned(), value.trim().to_owned())
        });
        Some(Self { status, headers: headers.collect() })
    }
}

impl Answer {
    pub fn status(&self) -> u16 {
        self.head.status
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.get(name)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text()))
    }

    /// The same answer, if it has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status(), status, "{:?} {}", self.head, self.text());
        self
    }

    /// The error's code and message, in OpenAI's form.
    #[track_caller]
    pub fn error(&self) -> (String, String) {
        let json = self.json();
        let error = &json["error"];
        let message = error["message"].as_str().unwrap_or_else(|| panic!("no message: {json}"));
        for field in ["type", "param", "code"] {
            assert!(error.get(field).is_some(), "error without {field}: {json}");
        }
        (error["code"].as_str().unwrap_or_default().to_owned(), message.to_owned())
    }

    /// The text of a chat answer that is no stream.
    #[track_caller]
    pub fn content(&self) -> String {
        let json = self.json();
        let content = json["choices"][0]["message"]["content"].as_str();
        content.unwrap_or_else(|| panic!("no content: {json}")).to_owned()
    }

    /// Data of the events of a stream.
    pub fn events(&self) -> Vec<String> {
        let text = self.text();
        text.split("\n\n").filter_map(data_of).collect()
    }

    pub fn stream(&self) -> Streamed {
        Streamed::of(&self.events())
    }
}
