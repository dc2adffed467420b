//! What the service and systemd have to do with each other while it starts and runs.

use std::sync::Arc;
use std::time::Duration;

use crate::app::{AppError, runtime};
use crate::lifecycle::{Drain, Notify, NotifyEnv, Pace, Passed, Signals};
use crate::queue::Pulse;
use crate::server::{self, Gateway};

/// How often systemd hears how the service stands, where that changes.
const STATUS_TOLD: Duration = Duration::from_secs(10);

/// What systemd gives to a service that it starts; nothing, where there is no systemd.
#[derive(Debug, Default)]
pub struct Given {
    /// Where it wants to be told how we are.
    pub notify: NotifyEnv,
    /// Sockets to take in place of binding their addresses.
    pub passed: Passed,
    /// Where failed starts are counted.
    pub pace: Pace,
}

/// Tells systemd that the event loop turns and the queue's thread lives, and how the service stands
/// where that has changed. One wake-up does for both.
pub(super) async fn tell(notify: Notify, gateway: Arc<Gateway>) {
    if !notify.is_heard() {
        return;
    }
    let interval = notify.watchdog_interval().map_or(STATUS_TOLD, |it| it.min(STATUS_TOLD));
    let (drain, mut told, mut was) = (gateway.drain.clone(), String::new(), Pulse::Answers);
    let mut ticks = tokio::time::interval(interval);
    let telling = async {
        loop {
            ticks.tick().await;
            let pulse = gateway.queue.pulse(interval / 2).await;
            if pulse != was {
                say_pulse(pulse);
                was = pulse;
            }
            let now = server::standing(&gateway);
            let news = (now != told).then_some(now.as_str());
            notify.tick(pulse != Pulse::None, news);
            told = now;
        }
    };
    tokio::select! {
        () = drain.started() => {}
        () = telling => {}
    }
}

fn say_pulse(pulse: Pulse) {
    match pulse {
        Pulse::Answers => tracing::info!("the queue's thread answers again"),
        Pulse::Waits => tracing::warn!("the queue's thread waits for a slow disk"),
        Pulse::None => {
            tracing::error!(
                "the queue's thread does not answer: systemd is not told that all is well"
            );
        }
    }
}

/// Once it has run for a while, or is told to stop, this was no failed start.
pub(super) async fn keep_pace(pace: Pace, drain: Drain) {
    tokio::time::timeout(Pace::WELL, drain.started()).await.ok();
    pace.forget();
}

/// Holds a start back that comes after failed ones, and counts it. Returns whether it may go on: not
/// where a signal ends the wait. Somebody has come then, and the next start waits for nothing.
///
/// # Errors
/// Where the runtime cannot be made.
pub fn hold_back(pace: &Pace, wait: Duration, say: impl FnOnce()) -> Result<bool, AppError> {
    let waited = wait.is_zero()
        || runtime()?.block_on(async {
            let mut signals = Signals::new().map_err(AppError::Runtime)?;
            say();
            let waited = tokio::time::timeout(wait, signals.stop()).await.is_err();
            Ok(waited)
        })?;
    if waited {
        pace.begin();
    } else {
        pace.forget();
    }
    Ok(waited)
}
