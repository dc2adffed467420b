//! Which elements are open.

use crate::summary::extract::html::names::Role;

/// An element that is open.
pub(super) struct Open {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) never: bool,
    pub(super) around: bool,
}

/// How many open elements are of a sort.
#[derive(Debug, Default)]
pub(super) struct Within {
    pub(super) never: u32,
    pub(super) around: u32,
    pub(super) article: u32,
    pub(super) link: u32,
    pub(super) pre: u32,
    pub(super) row: u32,
    pub(super) cell: u32,
    pub(super) title: u32,
}

impl Within {
    /// An element was opened, or closed.
    pub(super) fn count(&mut self, open: &Open, more: bool) {
        let step = |counter: &mut u32, counts: bool| {
            if counts {
                *counter = if more { *counter + 1 } else { counter.saturating_sub(1) };
            }
        };
        step(&mut self.never, open.never);
        step(&mut self.around, open.around);
        step(&mut self.article, open.role == Role::Article && !open.around);
        step(&mut self.link, open.role == Role::Link);
        step(&mut self.pre, open.role == Role::Pre);
        step(&mut self.row, open.role == Role::Row);
        step(&mut self.cell, open.role == Role::Cell);
        step(&mut self.title, open.role == Role::Title);
    }
}
