//! Lanes in words: which model is wanted, where it may be, and in place of whose answer.

use crate::config::{Locality, Target};
use crate::dispatch::{Dispatch, Only, Way};
use crate::queue::Lane;

/// What decides which targets can serve a job. A name holds no line break, so that one parts them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) locality: Locality,
    pub(super) only: Only,
    pub(super) model: String,
    /// Whether an extract will do, where the name leads to one: it is a summary's.
    pub(super) extracts: bool,
}

/// What follows the locality where an extract will do.
const EXTRACTS: &str = "+extract";

impl Wanted {
    /// Whether it would find a target now, at this place.
    pub(super) fn way(&self, dispatch: &Dispatch, locality: Locality) -> Way {
        match self.extracts {
            false => dispatch.way(&self.model, locality, &self.only),
            true => dispatch.way_of_summary(&self.model, locality, &self.only),
        }
    }

    pub(super) fn lane(&self) -> Lane {
        let than = match &self.only {
            Only::All => "",
            Only::Better(than) => than.name(),
        };
        let extracts = if self.extracts { EXTRACTS } else { "" };
        Lane(format!("{}{extracts}\n{than}\n{}", self.locality, self.model).into())
    }

    /// What a lane says; `None` where it is none of ours.
    pub(super) fn of(lane: &Lane) -> Option<Self> {
        let mut words = lane.0.splitn(3, '\n');
        let (locality, than, model) = (words.next()?, words.next()?, words.next()?);
        let only = match than {
            "" => Only::All,
            than => Only::Better(Target::parse(than)?),
        };
        let bare = locality.strip_suffix(EXTRACTS);
        let (locality, extracts) = (bare.unwrap_or(locality).parse().ok()?, bare.is_some());
        Some(Self { locality, only, model: model.to_owned(), extracts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        let better = Only::Better(Target::parse("a/b").unwrap());
        for (only, extracts) in [(Only::All, true), (better, false)] {
            let model = "x|y:1".to_owned();
            let wanted = Wanted { locality: Locality::Local, only, model, extracts };
            assert_eq!(Wanted::of(&wanted.lane()), Some(wanted));
        }
        assert_eq!(Wanted::of(&Lane("nonsense".into())), None);
    }
}
