//! Summaries are counted, by how they were made and what came of their pieces.

use crate::summaries::{TEXT, small};
use crate::support::reader::{paragraphs, reader};
use crate::support::{Gateway, run_long};

/// The value of one series.
async fn series(gateway: &Gateway, series: &str) -> u64 {
    let metrics = gateway.metrics().await;
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().unwrap())
}

#[test]
fn each_summary_is_counted_once_however_it_was_asked_for() {
    run_long(async {
        let fake = reader(4);
        let gateway = Gateway::with(&small(&fake)).await;
        gateway.summarise("", "Short.").await.expect(200);
        let events = [("Accept", "text/event-stream")];
        gateway.summarise_with("", &events, "Short.").await.expect(200);
        let id = gateway.later("", &TEXT, b"Short.").await;
        gateway.until_ended(&id, "succeeded").await;
        gateway.summarise("?model=builtin/extractive", "Short.").await.expect(200);
        let long = gateway.summarise("", &paragraphs(40)).await.expect(200).json();
        gateway.summarise("?style=song", "Short.").await.expect(400);
        let chunks = long["coverage"]["chunks"].as_u64().unwrap();
        for (method, count) in [("single", 3), ("extractive", 1), ("map_reduce", 1)] {
            let name = format!("edgehold_summaries_total{{method=\"{method}\"}}");
            assert_eq!(series(&gateway, &name).await, count, "{method}");
        }
        let done = series(&gateway, "edgehold_summary_chunks_total{what=\"summarised\"}").await;
        assert_eq!(done, 4 + chunks);
        let skipped = series(&gateway, "edgehold_summary_chunks_total{what=\"skipped\"}").await;
        assert_eq!(skipped, 0);
    });
}
