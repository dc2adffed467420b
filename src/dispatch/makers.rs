//! Who can make a summary of a document.

use std::sync::Arc;

use crate::chat::Error;
use crate::config::{Locality, Target};
use crate::dispatch::{Course, Dispatch, Step, Wishes, allowed};
use crate::provider::Room;
use crate::router::Verdict;

/// Tokens of a request that is still to be made.
const SOME: u32 = 1;

/// Who can make a summary.
#[derive(Debug, Clone)]
pub struct Makers {
    /// What the first model among the targets takes at once; `None` where none would be asked now, and
    /// an extract is there in its place, or there is no model among the targets at all.
    pub room: Option<Room>,
    /// The extracts that edgehold makes itself, where they are among the targets.
    pub extracts: Option<Target>,
}

impl Dispatch {
    /// Who can make a summary under this name.
    ///
    /// # Errors
    /// No target has the name, or what is said of its place contradicts itself.
    pub async fn makers(self: &Arc<Self>, name: &str, wishes: &Wishes) -> Result<Makers, Error> {
        let route = self.resolve(name).await?;
        let locality = allowed(&route, wishes)?;
        let route = self.narrowed(route, &wishes.only);
        let plan = self.plan_for(&route, Ok(locality), &|_| None);
        let is_extract = |target: &Target| self.config.builtins.contains(&target.provider);
        let extracts = plan.takes().find(|target| is_extract(target)).cloned();
        let mut models = plan.steps.iter().filter(|step| !is_extract(&step.target));
        let taken = models.clone().find(|step| step.verdict == Verdict::Take);
        // Where nothing can be had in its place, the first is asked also against what is known.
        let asked = taken.or_else(|| models.next().filter(|_| extracts.is_none()));
        let room = match asked.map(|step| &step.target) {
            Some(target) => Some(self.room_at(target, locality, wishes).await),
            None => None,
        };
        Ok(Makers { room, extracts })
    }

    async fn room_at(&self, target: &Target, locality: Locality, wishes: &Wishes) -> Room {
        let course = Course { locality, end: wishes.end, attempts: 0, job: None };
        let step = Step { target, patience: None, course: &course };
        match self.providers.get(&target.provider) {
            Some(upstream) => upstream.room(&step.call(SOME)).await,
            // A provider of a target is configured; one that is not refuses the attempt itself.
            None => Room::default(),
        }
    }
}
