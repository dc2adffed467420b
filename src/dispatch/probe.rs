//! What is found of the ways to providers, and who is told: probes, the news of the health, the
//! clock.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::config::ProviderName;
use crate::dispatch::Dispatch;
use crate::provider::Clock;
use crate::router::{Health, LinkFault};

/// Most probes at a time: each takes a connection, and a name look-up that may hang.
const MOST_PROBES: usize = 6;

/// Who is told that something has changed.
#[derive(Debug, Default)]
pub(super) struct News {
    /// The prober: another link may be due first.
    links: Notify,
    /// The prober: another configuration may be served now.
    replaced: Notify,
    /// How often the network has changed.
    network: AtomicU64,
    /// How often something that stood in a target's way may have gone.
    returns: watch::Sender<u64>,
}

impl News {
    /// Those who wait for a return go on waiting, and a reload is one.
    pub(super) fn carry_over(&self) -> Self {
        self.returns.send_modify(|count| *count += 1);
        Self { returns: self.returns.clone(), ..Self::default() }
    }
}

/// What a probe found.
type Found = Result<(), (LinkFault, String)>;

/// A probe under way.
struct Probe<'a> {
    provider: ProviderName,
    /// How often the network had changed when it began.
    network: u64,
    asking: Pin<Box<dyn Future<Output = Found> + Send + 'a>>,
}

impl Dispatch {
    /// A number that grows whenever something that stood in a target's way may have gone: a link
    /// came up, a target did well after trouble, another configuration is served. It goes on
    /// growing over reloads.
    pub fn returns(&self) -> watch::Receiver<u64> {
        self.news.returns.subscribe()
    }

    /// The clock by which certificates are judged.
    pub fn clock(&self) -> &Arc<Clock> {
        self.providers.clock()
    }

    /// Lets the health learn something, and tells whom it concerns.
    pub(super) fn learn(&self, learn: impl FnOnce(&mut Health)) {
        let changes = {
            let mut health = self.health();
            learn(&mut health);
            health.take_changes()
        };
        if changes.links {
            self.news.links.notify_one();
        }
        if let Some(provider) = changes.came_up {
            tracing::info!(%provider, "provider can be reached");
        }
        if changes.returned {
            self.news.returns.send_modify(|count| *count += 1);
        }
        if let Some((connectivity, why)) = changes.connectivity {
            tracing::info!(%connectivity, why, "the way to the cloud changed");
        }
    }

    /// The network changed: every provider is worth a probe.
    pub fn network_changed(&self) {
        tracing::debug!("the network changed");
        for upstream in self.providers.iter() {
            upstream.close_idle();
        }
        self.news.network.fetch_add(1, Ordering::Relaxed);
        self.learn(|health| health.network_changed(Instant::now().into_std()));
    }

    /// Lets the prober look again: another configuration may be served now.
    pub fn wake_prober(&self) {
        self.news.replaced.notify_one();
    }

    /// Probes each provider when it is worth it, until `wake_prober` is called.
    pub async fn probe(&self) {
        let mut running = Vec::new();
        loop {
            let next = self.begin_due(&mut running);
            let due = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.news.replaced.notified() => return,
                () = self.news.links.notified() => {}
                () = due => {}
                (probe, found) = first_of(&mut running) => {
                    self.probed(&mut running, &probe, found);
                }
            }
        }
    }

    /// Begins the probes that are due. Returns when the next one is.
    ///
    /// A probe that began before the network changed may wait for an answer that was lost with the
    /// old network, so another one begins beside it. It goes on all the same: on a network that
    /// changes every second no other would ever end.
    fn begin_due<'a>(&'a self, running: &mut Vec<Probe<'a>>) -> Option<Instant> {
        let network = self.news.network.load(Ordering::Relaxed);
        let now = Instant::now();
        let mut next = None;
        for (provider, at) in self.health().next_probes(now.into_std()) {
            let is_asked = |probe: &Probe| probe.provider == provider && probe.network == network;
            if running.iter().any(is_asked) {
                continue;
            }
            let at = Instant::from_std(at);
            if at > now {
                next = Some(next.map_or(at, |next: Instant| next.min(at)));
                continue;
            }
            drop_younger(running, &provider);
            // Where there is no room, the end of any probe is waited for.
            if let Some(upstream) = self.providers.get(&provider)
                && running.len() < MOST_PROBES
            {
                let asking = Box::pin(upstream.probe());
                running.push(Probe { provider, network, asking });
            }
        }
        next
    }

    fn probed(&self, running: &mut Vec<Probe<'_>>, probe: &Probe<'_>, found: Found) {
        let provider = &probe.provider;
        match &found {
            Ok(()) => {
                tracing::debug!(%provider, "a probe got through");
                running.retain(|other| other.provider != *provider);
            }
            Err((fault, why)) => {
                tracing::debug!(%provider, %fault, why, "a probe failed");
                // It tells of the network that was.
                if probe.network != self.news.network.load(Ordering::Relaxed) {
                    return;
                }
            }
        }
        self.learn(|health| health.probed(provider, found, Instant::now().into_std()));
    }

    /// How the clock stands, by itself and by what providers' certificates say.
    pub fn clock_state(&self) -> ClockState {
        let (now, floor) = (self.clock().system(), self.clock().floor());
        let early = (now < floor).then(|| {
            let floor = "the time of the build, or one that is remembered";
            format!("the system's clock is before {floor}: certificates are judged by that")
        });
        let refused = self.health().clock_fault();
        let why =
            early.or_else(|| refused.map(|why| format!("a certificate is not valid now: {why}")));
        ClockState { now, floor, why }
    }
}

/// How the clock stands.
#[derive(Debug)]
pub struct ClockState {
    /// What the system's clock says, in seconds since 1970.
    pub now: u64,
    /// It cannot be earlier than this.
    pub floor: u64,
    /// Why the clock may be wrong, if it may be.
    pub why: Option<String>,
}

/// Of two probes of a provider the older one may go on.
fn drop_younger(running: &mut Vec<Probe<'_>>, provider: &ProviderName) {
    let mut seen = false;
    running.retain(|probe| probe.provider != *provider || !std::mem::replace(&mut seen, true));
}

/// The first of them that ends. Without any, none ever does.
async fn first_of<'a>(running: &mut Vec<Probe<'a>>) -> (Probe<'a>, Found) {
    std::future::poll_fn(|cx| {
        for at in 0..running.len() {
            if let Some(probe) = running.get_mut(at)
                && let Poll::Ready(found) = probe.asking.as_mut().poll(cx)
            {
                return Poll::Ready((running.remove(at), found));
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use crate::budget::Budget;
    use crate::config::{Config, Env, Target};
    use crate::provider::Providers;
    use crate::router::Outcome;
    use crate::telemetry::Metrics;

    use super::*;

    fn dispatch(port: u16, before: Option<&Dispatch>) -> Arc<Dispatch> {
        let text = format!(
            "[providers.far]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:{port}/v1\"\nlocality = \"cloud\"\n"
        );
        let config = Arc::new(Config::parse(&text, None, &Env::default()).unwrap());
        let providers = Providers::new(&config, &Default::default(), &Arc::default()).unwrap();
        let budget = Budget::new(1 << 20);
        Dispatch::new(config, providers, before, Arc::new(Metrics::default()), budget)
    }

    #[tokio::test]
    async fn a_return_is_told_of_also_over_a_reload() {
        let first = dispatch(1, None);
        let (far, target) = (Arc::from("far"), Target::parse("far/model").unwrap());
        let mut returns = first.returns();
        let learns = |dispatch: &Dispatch, outcome: Outcome| {
            let now = Instant::now().into_std();
            dispatch.learn(|health| health.record(&target, outcome, now));
        };
        let mut grown = || {
            let grown = returns.has_changed().unwrap();
            returns.mark_unchanged();
            grown
        };
        learns(&first, Outcome::Link(LinkFault::Dns, "no name".to_owned()));
        assert!(!grown(), "nothing came back");
        first.learn(|health| health.probed(&far, Ok(()), Instant::now().into_std()));
        assert!(grown(), "a probe got through");
        learns(&first, Outcome::Success);
        assert!(!grown(), "nothing was wrong");
        learns(&first, Outcome::Fault("500".to_owned()));
        assert!(!grown());
        learns(&first, Outcome::Success);
        assert!(grown(), "the trouble is over");
        let second = dispatch(1, Some(&first));
        assert!(grown(), "another configuration");
        drop(first);
        learns(&second, Outcome::Success);
        assert!(grown(), "an attempt got through");
        assert_eq!(*second.returns().borrow(), 4);
    }

    async fn accept(listener: &TcpListener) -> TcpStream {
        let accepting = tokio::time::timeout(Duration::from_secs(10), listener.accept());
        accepting.await.expect("a probe comes").unwrap().0
    }

    #[tokio::test]
    async fn a_probe_of_the_old_network_holds_up_no_other_and_is_not_believed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dispatch = dispatch(listener.local_addr().unwrap().port(), None);
        let scene = async {
            let oldest = accept(&listener).await;
            let mut younger = Vec::new();
            for _ in 0..5 {
                dispatch.network_changed();
                younger.push(accept(&listener).await);
            }
            // Only the oldest and the newest still wait.
            for given_up in younger.iter_mut().take(4) {
                given_up.read_to_end(&mut Vec::new()).await.unwrap();
            }
            // What the oldest one finds is of another network. One more change, so that the prober
            // has certainly turned once more.
            drop(oldest);
            dispatch.network_changed();
            let mut newest = accept(&listener).await;
            newest.read_u8().await.unwrap();
            assert_eq!(dispatch.snapshot().providers[0].reach, "unknown");
            let answer =
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
            newest.write_all(answer).await.unwrap();
            let mut returns = dispatch.returns();
            returns.wait_for(|count| *count == 1).await.unwrap();
            let state = dispatch.snapshot();
            assert_eq!(state.connectivity_why, "reached: far");
        };
        tokio::select! {
            () = dispatch.probe() => panic!("nobody woke the prober"),
            () = scene => {}
        }
    }

    #[tokio::test]
    async fn the_prober_ends_when_it_is_woken() {
        let dispatch = dispatch(1, None);
        dispatch.wake_prober();
        tokio::time::timeout(Duration::from_secs(10), dispatch.probe()).await.unwrap();
    }

    #[tokio::test]
    async fn a_clock_is_suspected_by_itself_and_by_certificates() {
        let dispatch = dispatch(1, None);
        assert!(dispatch.clock_state().why.is_none());
        dispatch.clock().raise(u64::MAX);
        let why = dispatch.clock_state().why.unwrap();
        assert!(why.contains("before"), "{why}");
    }
}
