//! What the name of a Claude says of how it wants to be asked: what one generation asks for, another
//! refuses with 400 (platform.claude.com/docs/en/models/opus-5-5/migration-guide, read 2026-11).

/// What a model's name says of its generation: how it is told to think has changed twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Generation(u32, u32);

impl Generation {
    /// `claude-opus-4-6`, `claude-3-7-sonnet-20250219`: the first one or two short numbers. A Claude
    /// without a number is taken for the newest. What is no Claude is a model of a service that
    /// speaks this dialect, which is asked as most Claudes are.
    pub(super) fn of(model: &str) -> Self {
        if !model.contains("claude") {
            return Self(4, 5);
        }
        let mut numbers = model
            .split(['-', '.', '@', '_'])
            .skip_while(|word| word.parse::<u32>().is_err())
            .map_while(|word| word.parse().ok().filter(|number| *number < 100));
        match (numbers.next(), numbers.next()) {
            (Some(major), minor) => Self(major, minor.unwrap_or_default()),
            (None, _) => Self(u32::MAX, 0),
        }
    }

    pub(super) fn thinks(self) -> bool {
        self >= Self(3, 7)
    }

    /// Thinks as much as it finds right, within an effort.
    pub(super) fn is_adaptive(self) -> bool {
        self >= Self(4, 6)
    }

    /// Thinks unless it is told not to.
    pub(super) fn may_be_told_not_to_think(self) -> bool {
        (Self(5, 0)..Self(5, 1)).contains(&self)
    }

    /// Always thinks, more or less, and refuses to be told which tool to call.
    pub(super) fn is_its_own_master(self) -> bool {
        self >= Self(5, 1)
    }

    pub(super) fn takes_sampling(self) -> bool {
        self < Self(4, 7)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations() {
        let table = [
            ("claude-opus-4-6", Generation(4, 6)),
            ("claude-haiku-4-5-20251001", Generation(4, 5)),
            ("claude-sonnet-4-20250514", Generation(4, 0)),
            ("claude-3-7-sonnet-latest", Generation(3, 7)),
            ("claude-opus-5", Generation(5, 0)),
            ("anthropic.claude-sonnet-4.5", Generation(4, 5)),
            ("claude-latest", Generation(u32::MAX, 0)),
            ("kimi-k2-0905", Generation(4, 5)),
        ];
        for (name, want) in table {
            assert_eq!(Generation::of(name), want, "{name}");
        }
    }
}
