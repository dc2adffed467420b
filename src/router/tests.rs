//! Names, plans and health by tables, with the time put in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::{Config, Conflict, Env, Locality, Target};

use super::*;

const CONFIG: &str = r#"
[providers.box]
kind = "ollama"

[providers.lan]
kind = "openai"
base_url = "http://10.0.0.2/v1"
locality = "local"

[providers.far]
kind = "openai"
base_url = "https://far.example/v1"

[models.both]
targets = ["box/small", "far/big"]

[models.home]
targets = ["box/small", "lan/small", "far/big"]
locality = "local"

[models."*"]
targets = ["far/any"]

[routing]
breaker_failures = 2
breaker_cooldown = "30s"
"#;

fn config() -> Config {
    Config::parse(CONFIG, None, &Env::default()).unwrap()
}

fn target(text: &str) -> Target {
    Target::parse(text).unwrap()
}

fn listings(of: &[(&str, Option<&[&str]>)]) -> Listings {
    let owned = |models: &[&str]| models.iter().map(|it| (*it).to_owned()).collect();
    let listed = of.iter().map(|(name, models)| (Arc::from(*name), models.map(owned)));
    Listings::from(listed.collect::<BTreeMap<_, _>>())
}

/// Where a name leads, as text.
fn leads(name: &str, config: &Config, listings: &Listings) -> String {
    match resolve(name, config, || listings.clone()) {
        Resolution::Route(route) => {
            let targets: Vec<String> = route.targets.iter().map(Target::to_string).collect();
            format!("{}: {}", route.resolves, targets.join(" "))
        }
        Resolution::Undecided { provider } => format!("undecided: {provider}"),
        Resolution::Unknown { known } => format!("unknown; {}", known.join(" ")),
    }
}

#[test]
fn a_name_is_an_alias_then_a_target_then_listed_then_anything() {
    let known =
        listings(&[("box", Some(&["tiny:latest", "both:latest", "small:1b"])), ("lan", None)]);
    let all = config();
    let mut strict = config();
    strict.models.retain(|name, _| name != "*");
    let table = [
        ("both", "alias: box/small far/big", "alias: box/small far/big"),
        ("far/x/y", "target: far/x/y", "target: far/x/y"),
        ("tiny", "listed: box/tiny:latest", "listed: box/tiny:latest"),
        ("tiny:latest", "listed: box/tiny:latest", "listed: box/tiny:latest"),
        ("small", "catch-all: far/any", "undecided: lan"),
        ("nobody/x", "catch-all: far/any", "undecided: lan"),
        ("box/", "catch-all: far/any", "undecided: lan"),
        ("*", "catch-all: far/any", "undecided: lan"),
    ];
    for (name, with, without) in table {
        assert_eq!(leads(name, &all, &known), with);
        assert_eq!(leads(name, &strict, &known), without, "without the catch-all");
    }
    let heard = listings(&[("box", Some(&["tiny:latest"])), ("lan", Some(&[]))]);
    assert_eq!(leads("small", &strict, &heard), "unknown; both home box/tiny:latest");
}

/// The plan for an alias: each target with a word for what is done with it.
fn planned(health: &Health, name: &str, wish: Result<Locality, Conflict>, now: Instant) -> String {
    let config = config();
    let Resolution::Route(route) = resolve(name, &config, Listings::default) else {
        panic!("{name}")
    };
    let locality = wish.and_then(|wish| route.locality.strictest(wish));
    let known = Known { remote: &|it| it.model.contains("remote"), lacks: &|_| None };
    let plan = plan(&route, locality, &config, health, &known, now);
    let word = |step: &Step| match &step.verdict {
        Verdict::Take => "take",
        Verdict::Skip(Reason::BreakerOpen { .. }) => "open",
        Verdict::Skip(Reason::Cooling { .. }) => "cooling",
        Verdict::Skip(Reason::Link { .. }) => "link",
        Verdict::Skip(Reason::Locality(_)) => "locality",
        Verdict::Skip(Reason::LocalityConflict) => "conflict",
        Verdict::Skip(Reason::Lacks(_)) => "unable",
        Verdict::Skip(Reason::RemoteModel) => "remote",
    };
    plan.steps.iter().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_strictest_locality_wins_and_fails_closed() {
    let (health, now) = (Health::new(&config()), Instant::now());
    let table = [
        ("both", Ok(Locality::Any), "take take"),
        ("both", Ok(Locality::Local), "take locality"),
        ("both", Ok(Locality::Cloud), "locality take"),
        ("both", Err(Conflict), "conflict conflict"),
        ("home", Ok(Locality::Any), "take take locality"),
        ("home", Ok(Locality::Cloud), "conflict conflict conflict"),
        ("box/remote", Ok(Locality::Local), "remote"),
        ("box/gpt-oss:120b-cloud", Ok(Locality::Local), "remote"),
        ("box/gpt-oss:cloud", Ok(Locality::Local), "remote"),
        ("box/gpt-oss:cloud", Ok(Locality::Any), "take"),
        ("lan/its-own-cloud", Ok(Locality::Local), "take"),
    ];
    for (name, wish, want) in table {
        assert_eq!(planned(&health, name, wish, now), want, "{name} {wish:?}");
    }
}

fn refused() -> Outcome {
    Outcome::Link(LinkFault::Refused, "no".to_owned())
}

fn fault() -> Outcome {
    Outcome::Fault("500".to_owned())
}

fn limited(seconds: Option<u64>) -> Outcome {
    Outcome::Limited { wait: seconds.map(Duration::from_secs), why: "busy".to_owned() }
}

#[test]
fn what_attempts_found_decides_what_is_tried() {
    for (what, found, at, want) in courses() {
        let (mut health, start) = (Health::new(&config()), Instant::now());
        let second = |seconds| start + Duration::from_secs(seconds);
        for (at, name, outcome) in found {
            health.begin(&target(name), second(at));
            health.record(&target(name), outcome, second(at));
        }
        assert_eq!(planned(&health, "both", Ok(Locality::Any), second(at)), want, "{what}");
    }
}

/// At which second which target ended how.
type Found = (u64, &'static str, Outcome);

/// What it shows, what was found, and the plan at which second.
fn courses() -> Vec<(&'static str, Vec<Found>, u64, &'static str)> {
    vec![
        ("a refused local provider", vec![(0, "box/small", refused())], 0, "link take"),
        ("is tried again soon", vec![(0, "box/small", refused())], 1, "take take"),
        (
            "all links down: a belief alone refuses nothing",
            vec![(0, "box/small", refused()), (0, "far/big", refused())],
            0,
            "take take",
        ),
        (
            "a link fault is not the target's",
            (0..9).map(|at| (at, "box/small", refused())).collect(),
            60,
            "take take",
        ),
        ("one fault opens nothing", vec![(0, "box/small", fault())], 0, "take take"),
        (
            "faults in a row open",
            vec![(0, "box/small", fault()), (0, "box/small", fault())],
            29,
            "open take",
        ),
        (
            "until the cooldown is over",
            vec![(0, "box/small", fault()), (0, "box/small", fault())],
            30,
            "take take",
        ),
        (
            "a success between them",
            vec![
                (0, "box/small", fault()),
                (0, "box/small", Outcome::Success),
                (0, "box/small", fault()),
            ],
            0,
            "take take",
        ),
        ("Retry-After", vec![(0, "far/big", limited(Some(7)))], 6, "take cooling"),
        ("Retry-After, over", vec![(0, "far/big", limited(Some(7)))], 7, "take take"),
        ("a pause without a number", vec![(0, "far/big", limited(None))], 0, "take cooling"),
        ("a short one", vec![(0, "far/big", limited(None))], 1, "take take"),
        (
            "that doubles",
            vec![(0, "far/big", limited(None)), (1, "far/big", limited(None))],
            2,
            "take cooling",
        ),
        (
            "a refused key pauses",
            vec![(0, "far/big", Outcome::Refused("401".to_owned()))],
            59,
            "take cooling",
        ),
        ("a client that left", vec![(0, "box/small", Outcome::Neutral)], 0, "take take"),
        ("another target's fault", vec![(0, "far/any", limited(Some(9)))], 0, "take take"),
    ]
}

#[test]
fn a_half_open_breaker_lets_one_through_and_a_reload_lets_it_go() {
    let (mut health, start) = (Health::new(&config()), Instant::now());
    let small = target("box/small");
    for _ in 0..2 {
        health.record(&small, fault(), start);
    }
    let later = start + Duration::from_secs(30);
    health.begin(&small, later);
    assert_eq!(planned(&health, "both", Ok(Locality::Any), later), "open take");
    // The trial tells the old one how it ends: the new one must not wait for that.
    let reloaded = health.carry_over(&config());
    assert_eq!(planned(&reloaded, "both", Ok(Locality::Any), later), "take take");
    assert_eq!(planned(&reloaded, "both", Ok(Locality::Any), start), "open take", "still known");
    health.record(&small, Outcome::Success, later);
    assert_eq!(planned(&health, "both", Ok(Locality::Any), later), "take take");
}

#[test]
fn the_wait_is_the_shortest_of_those_who_ask_for_one() {
    let (config, mut health, now) = (config(), Health::new(&config()), Instant::now());
    health.record(&target("box/small"), limited(Some(9)), now);
    health.record(&target("far/big"), limited(Some(4)), now);
    let Resolution::Route(route) = resolve("both", &config, Listings::default) else { panic!() };
    let known = Known { remote: &|_| false, lacks: &|_| None };
    let plan = plan(&route, Ok(Locality::Any), &config, &health, &known, now);
    assert_eq!(plan.takes().count(), 0);
    assert_eq!(plan.retry_after(), Some(Duration::from_secs(4)));
}

#[test]
fn the_way_to_the_cloud_as_a_whole() {
    let now = Instant::now();
    let down = |fault| Err((fault, String::new()));
    let table = [
        (vec![], Connectivity::Unknown),
        (vec![("box", Ok(()))], Connectivity::Unknown),
        (vec![("far", Ok(())), ("box", down(LinkFault::Refused))], Connectivity::Online),
        (vec![("far", down(LinkFault::Dns))], Connectivity::Offline),
        (vec![("far", down(LinkFault::Captive))], Connectivity::Captive),
        (vec![("far", down(LinkFault::Captive)), ("far", Ok(()))], Connectivity::Online),
    ];
    for (found, want) in table {
        let mut health = Health::new(&config());
        for (provider, found) in found {
            health.probed(&Arc::from(provider), found, now);
        }
        assert_eq!(health.snapshot(&config(), now).connectivity, want);
    }
}

#[test]
fn only_what_is_not_known_to_be_up_is_probed() {
    let (mut health, now) = (Health::new(&config()), Instant::now());
    let due = |health: &Health| {
        let mut due = health.next_probes(now);
        due.sort();
        due.into_iter().map(|(name, at)| (name.to_string(), at - now)).collect::<Vec<_>>()
    };
    let named = |name: &str, seconds| (name.to_owned(), Duration::from_secs(seconds));
    assert_eq!(due(&health), [named("box", 0), named("far", 0), named("lan", 0)]);
    health.record(&target("box/small"), Outcome::Success, now);
    health.record(&target("far/big"), refused(), now);
    assert_eq!(due(&health), [named("far", 1), named("lan", 0)]);
}

#[test]
fn a_change_of_the_network_has_every_way_looked_at_again() {
    let (mut health, start) = (Health::new(&config()), Instant::now());
    let after = |seconds| start + Duration::from_secs(seconds);
    let due = |health: &Health| {
        let due = health.next_probes(start).into_iter();
        due.map(|(name, at)| (name.to_string(), (at - start).as_secs())).collect::<Vec<_>>()
    };
    let named = |name: &str, seconds| (name.to_owned(), seconds);
    health.record(&target("box/small"), Outcome::Success, start);
    health.probed(&Arc::from("lan"), Ok(()), start);
    for _ in 0..5 {
        health.record(&target("far/big"), refused(), start);
    }
    assert_eq!(due(&health), [named("far", 16)]);
    health.network_changed(after(2));
    assert_eq!(due(&health), [named("box", 2), named("far", 2), named("lan", 2)]);
    assert_eq!(planned(&health, "both", Ok(Locality::Any), after(2)), "take take");
    // What fails again waits as after a first failure.
    health.record(&target("far/big"), refused(), after(2));
    health.probed(&Arc::from("box"), Ok(()), after(2));
    assert_eq!(due(&health), [named("far", 3), named("lan", 2)]);
    // A network that changes all the time has what is up probed now and then, and not for ever.
    health.probed(&Arc::from("lan"), Ok(()), after(2));
    for second in 3..9 {
        health.network_changed(after(second));
    }
    assert_eq!(due(&health), [named("box", 12), named("far", 8), named("lan", 12)]);
    health.probed(&Arc::from("box"), Ok(()), after(12));
    health.network_changed(after(13));
    assert_eq!(due(&health), [named("box", 22), named("far", 13), named("lan", 12)]);
}

#[test]
fn changes_are_told_once_and_only_where_there_is_news() {
    let (mut health, now) = (Health::new(&config()), Instant::now());
    let far: Arc<str> = Arc::from("far");
    let news = |health: &mut Health| {
        let changes = health.take_changes();
        let words = changes.connectivity.map(|(state, why)| format!("{state}, {why}"));
        (changes.links, changes.returned, words.unwrap_or_default())
    };
    let none = (false, false, String::new());
    assert_eq!(news(&mut health), none);
    health.probed(&Arc::from("box"), Ok(()), now);
    assert_eq!(news(&mut health), (true, true, String::new()));
    health.probed(&far, Err((LinkFault::Dns, "no".to_owned())), now);
    let offline = "offline, far: name look-up failed".to_owned();
    assert_eq!(news(&mut health), (true, false, offline));
    health.probed(&far, Err((LinkFault::Refused, "no".to_owned())), now);
    assert_eq!(news(&mut health), (true, false, String::new()), "still offline");
    health.record(&target("far/big"), Outcome::Success, now);
    assert_eq!(news(&mut health), (true, true, "online, reached: far".to_owned()));
    health.record(&target("far/big"), Outcome::Success, now);
    assert_eq!(news(&mut health), none, "nothing stood in its way");
    health.record(&target("far/big"), fault(), now);
    assert_eq!(news(&mut health), none);
    health.record(&target("far/big"), Outcome::Success, now);
    assert_eq!(news(&mut health), (false, true, String::new()), "trouble is over");
    let mut next = health.carry_over(&config());
    next.probed(&Arc::from("box"), Ok(()), now);
    next.probed(&far, Ok(()), now);
    assert_eq!(news(&mut next), (true, true, String::new()), "a reload is no news of the cloud");
    next.probed(&far, Err((LinkFault::Captive, "page".to_owned())), now);
    assert_eq!(news(&mut next), (true, false, "captive, far: captive portal".to_owned()));
}

#[test]
fn a_certificate_of_another_time_points_at_the_clock() {
    let (mut health, now) = (Health::new(&config()), Instant::now());
    assert_eq!(health.clock_fault(), None);
    health.record(&target("far/big"), Outcome::Link(LinkFault::Clock, "expired".to_owned()), now);
    assert_eq!(health.clock_fault().as_deref(), Some("far: expired"));
    health.probed(&Arc::from("far"), Ok(()), now);
    assert_eq!(health.clock_fault(), None);
}

#[test]
fn a_client_that_makes_up_targets_fills_no_memory() {
    let (mut health, start) = (Health::new(&config()), Instant::now());
    health.record(&target("far/big"), limited(Some(3600)), start);
    for made_up in 1..=10_000 {
        let at = start + Duration::from_millis(made_up);
        // What is in use is not what is forgotten.
        health.record(&target("far/big"), limited(Some(3600)), at);
        health.record(&target(&format!("far/{made_up}")), fault(), at);
    }
    let now = start + Duration::from_secs(10);
    let known = health.snapshot(&config(), now).targets;
    assert!(known.len() < 300, "{}", known.len());
    assert_eq!(planned(&health, "both", Ok(Locality::Any), now), "take cooling");
}
