//! Bounds: no test waits for ever, and none waits by the clock. What is waited for is a condition.

use std::future::Future;
use std::time::Duration;

/// Whether the binary under test runs under an emulator: all the same, only slower.
pub fn emulated() -> bool {
    std::env::var_os("EDGEHOLD_RUNNER").is_some_and(|runner| !runner.is_empty())
}

/// How long a test may take.
pub fn bound() -> Duration {
    Duration::from_secs(if emulated() { 300 } else { 30 })
}

/// Runs a test within its bound.
pub fn run(test: impl Future<Output = ()>) {
    run_within(bound(), test);
}

/// The same for a test that does the work of many.
pub fn run_long(test: impl Future<Output = ()>) {
    run_within(bound() * 4, test);
}

fn run_within(bound: Duration, test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let ended = tokio::time::timeout(bound, test).await;
        ended.expect("the test did not end within its bound");
    });
}

/// Asks again and again until there is an answer.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        loop {
            ticks.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    let answer = tokio::time::timeout(bound() * 2 / 3, asking).await;
    answer.unwrap_or_else(|_| panic!("this never came: {what}"))
}

/// Waits until something is true.
pub async fn until_true(what: &str, mut ask: impl FnMut() -> bool) {
    until(what, async || ask().then_some(())).await;
}
