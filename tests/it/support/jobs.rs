//! Jobs as a client has them: handed in, looked at, waited for.

use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::gateway::Gateway;
use crate::support::openai;
use crate::support::wait::until;

pub const JOBS: &str = "/v1/jobs";

/// What is handed in for a path.
pub fn job(path: &str, body: &Value) -> Value {
    json!({"path": path, "body": body})
}

/// A chat as a job.
pub fn chat_job(model: &str, text: &str) -> Value {
    job(openai::CHAT, &openai::request(model, text, false))
}

/// The same with a field more.
pub fn chat_job_with(model: &str, text: &str, field: &str, value: &Value) -> Value {
    let mut job = chat_job(model, text);
    job[field] = value.clone();
    job
}

pub fn at(id: &str) -> String {
    format!("{JOBS}/{id}")
}

impl Gateway {
    pub async fn put_job(&self, id: &str, job: &Value) -> Answer {
        self.put(&at(id), job).await
    }

    /// A chat that is to be done under an id, and is taken.
    pub async fn queue_chat(&self, id: &str, model: &str, text: &str) {
        self.put_job(id, &chat_job(model, text)).await.expect(202);
    }

    pub async fn job(&self, id: &str) -> Value {
        self.get(&at(id)).await.expect(200).json()
    }

    pub async fn until_state(&self, id: &str, state: &str) -> Value {
        until(&format!("{id} is {state}"), async || {
            Some(self.job(id).await).filter(|job| job["state"] == state)
        })
        .await
    }

    /// Waits until a job has ended, and asserts how.
    pub async fn until_ended(&self, id: &str, state: &str) -> Value {
        let job = until(&format!("{id} ends"), async || {
            let job = self.get(&format!("{}?wait=5", at(id))).await.expect(200).json();
            Some(job).filter(|job| job["state"] != "queued" && job["state"] != "running")
        })
        .await;
        assert_eq!(job["state"], state, "{job}");
        job
    }

    pub async fn result(&self, id: &str) -> Answer {
        self.get(&format!("{}/result", at(id))).await
    }

    /// Ids of the jobs that a list has.
    pub async fn listed(&self, query: &str) -> Vec<String> {
        let list = self.get(&format!("{JOBS}{query}")).await.expect(200).json();
        ids(&list)
    }
}

/// Ids of a page of a list.
pub fn ids(list: &Value) -> Vec<String> {
    let all = list["jobs"].as_array().unwrap_or_else(|| panic!("no list: {list}"));
    all.iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
}
