//! How the service stands, in the one line that `systemctl status` shows.

use crate::queue::State;
use crate::server::Gateway;

/// Most providers that are named; of the others only the number is said.
const NAMED: usize = 6;

/// What an operator asks first: does it take requests, what waits, whom does it reach, what is wrong.
pub fn standing(gateway: &Gateway) -> String {
    let doing =
        if gateway.drain.is_draining() { "finishing running requests" } else { "taking requests" };
    let parts = [Some(doing.to_owned()), Some(jobs(gateway)), providers(gateway)];
    parts.into_iter().flatten().chain(troubles(gateway)).collect::<Vec<_>>().join("; ")
}

fn jobs(gateway: &Gateway) -> String {
    let facts = gateway.queue.facts();
    if let Some(why) = facts.closed {
        return format!("NO JOBS: the queue is closed: {why}");
    }
    let (waiting, running) = (facts.counts.of(State::Queued), facts.counts.of(State::Running));
    let full = facts.full.map(|why| format!("; NO NEW JOBS: {why}")).unwrap_or_default();
    format!("{waiting} jobs waiting, {running} running{full}")
}

fn providers(gateway: &Gateway) -> Option<String> {
    let all = gateway.dispatch().snapshot().providers;
    let named = all.iter().take(NAMED).map(|it| format!("{} {}", it.name, it.reach));
    let more = all.len().checked_sub(NAMED).filter(|more| *more > 0);
    let said: Vec<String> = named.chain(more.map(|more| format!("and {more} more"))).collect();
    (!said.is_empty()).then(|| said.join(", "))
}

fn troubles(gateway: &Gateway) -> impl Iterator<Item = String> {
    let clock = gateway.dispatch().clock_state().why.map(|_| "the clock may be wrong".to_owned());
    let reload =
        gateway.reload().failed.as_ref().map(|_| {
            "the last reload was REFUSED, the configuration before it is served".to_owned()
        });
    [clock, reload].into_iter().flatten()
}
