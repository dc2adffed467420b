//! Where documents lie: for nobody else to read, within a quota, and not longer than they are needed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::summaries::{LATER, TEXT, small};
use crate::support::reader::{read, reader};
use crate::support::{Act, Gateway, Ollama, at, run_long, until_true};

fn held() -> Ollama {
    let fake = reader(4);
    fake.chat_answer(|seen| [vec![Act::Stall], read(seen, 4)].concat());
    fake
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn documents_are_for_the_services_user_alone_and_go_at_the_next_start() {
    run_long(async {
        let fake = held();
        let gateway = Gateway::with(&small(&fake)).await;
        let id = gateway.later("", &TEXT, b"The pump was mended (FACT-7).").await;
        let folder = gateway.folder().join("state/documents");
        assert_eq!(mode(&folder), 0o700);
        let name = gateway.documents().remove(0);
        assert_eq!(mode(&folder.join(&name)), 0o600);
        // What passes has no name at all, also while it is read.
        let mut conn = gateway.conn().await;
        let ask = crate::support::http::request(
            "POST",
            "/v1/summaries",
            &gateway.host(),
            &TEXT,
            &[b'x'; 100_000],
        );
        conn.send(&ask[..ask.len() - 1]).await.unwrap();
        until_true("it is there", || gateway.documents() == [name.clone()]).await;
        let orphan = format!("job-{}", "f".repeat(32));
        let setup = gateway
            .stopped_with(|_| {
                for name in ["now-0123", &orphan, "mine.txt"] {
                    fs::write(folder.join(name), "left over").unwrap();
                }
            })
            .await;
        fake.release();
        let gateway = setup.start().await;
        gateway.until_ended(&id, "succeeded").await;
        until_true("only what is not ours is left", || gateway.documents() == ["mine.txt"]).await;
    });
}

#[test]
fn a_full_quota_is_said_and_has_room_again_when_a_job_goes() {
    run_long(async {
        let fake = held();
        let quota = "[summaries]\nquota = \"150KiB\"\n";
        let gateway = Gateway::with(&(small(&fake) + quota)).await;
        let large = "A sentence about pumps. ".repeat(2500);
        let first = gateway.later("", &TEXT, large.as_bytes()).await;
        // Its text takes room as well while it is read.
        until_true("it is read", || fake.chats().len() == 1).await;
        for headers in [&[LATER][..], &[]] {
            let full = gateway.summarise_with("", headers, &large).await.expect(503);
            assert!(full.header("retry-after").is_some(), "{:?}", full.head);
            let detail = full.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains("quota") && detail.contains("[summaries]"), "{detail}");
        }
        gateway.until_documents(1).await;
        // What has room is still taken.
        let small = gateway.later("", &TEXT, b"A short one (FACT-1).").await;
        gateway.delete(&at(&first)).await.expect(200);
        gateway.delete(&at(&first)).await.expect(204);
        gateway.until_documents(1).await;
        let again = gateway.later("", &TEXT, large.as_bytes()).await;
        fake.release();
        gateway.until_ended(&small, "succeeded").await;
        gateway.until_ended(&again, "succeeded").await;
        gateway.until_documents(0).await;
    });
}
