//! From the name that a client wrote to targets.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::config::{Config, EXTRACTIVE, Locality, ProviderKind, ProviderName, Target};

/// The models that local providers list; `None` for one that cannot be asked.
#[derive(Debug, Clone, Default)]
pub struct Listings(BTreeMap<ProviderName, Option<Vec<String>>>);

impl From<BTreeMap<ProviderName, Option<Vec<String>>>> for Listings {
    fn from(listed: BTreeMap<ProviderName, Option<Vec<String>>>) -> Self {
        Self(listed)
    }
}

impl Listings {
    /// The first model of the first provider that lists one.
    pub fn first(&self) -> Option<String> {
        self.targets().next()
    }

    /// All listed models, written as targets.
    pub fn targets(&self) -> impl Iterator<Item = String> {
        self.0.iter().flat_map(|(provider, models)| {
            models.iter().flatten().map(move |model| format!("{provider}/{model}"))
        })
    }
}

/// Where a name leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// To these targets.
    Route(Route),
    /// Nobody can say: this provider might have it, and cannot be asked.
    Undecided {
        /// The provider.
        provider: ProviderName,
    },
    /// Nowhere. These names exist.
    Unknown {
        /// Aliases and listed models.
        known: Vec<String>,
    },
}

/// Targets for one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// By which rule the name was found.
    pub resolves: Resolves,
    /// In order of preference.
    pub targets: Arc<[Target]>,
    /// Where the request may be served, as far as the name says.
    pub locality: Locality,
    /// Targets whose answers are worth waiting for, the best first.
    pub refine: Arc<[Target]>,
}

impl Route {
    /// The targets whose answers are worth waiting for when this one has answered.
    pub fn better_than(&self, target: &Target) -> Arc<[Target]> {
        let end = self.refine.iter().position(|it| it == target).unwrap_or(self.refine.len());
        self.refine.iter().take(end).cloned().collect()
    }
}

/// By which rule a name was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolves {
    /// It is an alias.
    Alias,
    /// The alias `*` takes every name.
    CatchAll,
    /// A local provider lists it.
    Listed,
    /// It is `provider/model`.
    Target,
}

impl fmt::Display for Resolves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alias => "alias",
            Self::CatchAll => "catch-all",
            Self::Listed => "listed",
            Self::Target => "target",
        })
    }
}

/// Most names that an error lists.
const NAMES_SHOWN: usize = 20;

/// Finds the targets of a name: an alias; `provider/model`; a model that a local provider lists;
/// the alias `*`. The lists are only asked for where they decide.
pub fn resolve(name: &str, config: &Config, listings: impl FnOnce() -> Listings) -> Resolution {
    // The catch-all is a rule: nobody can ask for it by its name.
    let named = Some(name).filter(|name| *name != "*");
    let configured = named
        .and_then(|name| as_alias(name, config, Resolves::Alias))
        .or_else(|| as_target(name, config));
    if let Some(route) = configured {
        return Resolution::Route(route);
    }
    let listings = &listings();
    let found =
        as_listed(name, config, listings).or_else(|| as_alias("*", config, Resolves::CatchAll));
    if let Some(route) = found {
        return Resolution::Route(route);
    }
    let silent = listings.0.iter().find(|(_, models)| models.is_none());
    match silent {
        Some((provider, _)) => Resolution::Undecided { provider: provider.clone() },
        None => Resolution::Unknown { known: known_names(config, listings) },
    }
}

fn as_alias(name: &str, config: &Config, resolves: Resolves) -> Option<Route> {
    let alias = config.models.get(name)?;
    let (targets, refine) = (Arc::clone(&alias.targets), Arc::clone(&alias.refine));
    Some(Route { resolves, targets, locality: alias.locality, refine })
}

fn as_target(name: &str, config: &Config) -> Option<Route> {
    let (provider, model) = name.split_once('/').filter(|(_, model)| !model.is_empty())?;
    if let Some(builtin) = config.builtins.get(provider) {
        return (model == EXTRACTIVE).then(|| single(builtin, model, Resolves::Target));
    }
    let (provider, _) = config.providers.get_key_value(provider)?;
    Some(single(provider, model, Resolves::Target))
}

fn as_listed(name: &str, config: &Config, listings: &Listings) -> Option<Route> {
    listings.0.iter().find_map(|(provider, models)| {
        let kind = config.providers.get(provider)?.kind;
        let model = models.as_ref()?.iter().find(|model| is_same(model, name, kind))?;
        Some(single(provider, model, Resolves::Listed))
    })
}

/// An Ollama's name without a tag means the tag `latest`.
fn is_same(listed: &str, asked: &str, kind: ProviderKind) -> bool {
    let latest = || listed.strip_suffix(":latest") == Some(asked);
    listed == asked || (kind == ProviderKind::Ollama && !asked.contains(':') && latest())
}

fn single(provider: &ProviderName, model: &str, resolves: Resolves) -> Route {
    let target = Target::new(provider.clone(), model);
    let targets = Arc::from([target]);
    Route { resolves, targets, locality: Locality::Any, refine: Arc::default() }
}

fn known_names(config: &Config, listings: &Listings) -> Vec<String> {
    let aliases = config.models.keys().filter(|name| *name != "*").cloned();
    aliases.chain(listings.targets()).take(NAMES_SHOWN).collect()
}
