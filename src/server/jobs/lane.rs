//! Lanes in words: which model is wanted, where it may be, and in place of whose answer.

use crate::config::{Locality, Target};
use crate::dispatch::Only;
use crate::queue::Lane;

/// What decides which targets can serve a job. A name holds no line break, so that one parts them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) locality: Locality,
    pub(super) only: Only,
    pub(super) model: String,
}

impl Wanted {
    pub(super) fn lane(&self) -> Lane {
        let than = match &self.only {
            Only::All => "",
            Only::Better(than) => than.name(),
        };
        Lane(format!("{}\n{than}\n{}", self.locality, self.model).into())
    }

    /// What a lane says; `None` where it is none of ours.
    pub(super) fn of(lane: &Lane) -> Option<Self> {
        let mut words = lane.0.splitn(3, '\n');
        let (locality, than, model) = (words.next()?, words.next()?, words.next()?);
        let only = match than {
            "" => Only::All,
            than => Only::Better(Target::parse(than)?),
        };
        Some(Self { locality: locality.parse().ok()?, only, model: model.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        let better = Only::Better(Target::parse("a/b").unwrap());
        for only in [Only::All, better] {
            let wanted = Wanted { locality: Locality::Local, only, model: "x|y:1".to_owned() };
            assert_eq!(Wanted::of(&wanted.lane()), Some(wanted));
        }
        assert_eq!(Wanted::of(&Lane("nonsense".into())), None);
    }
}
