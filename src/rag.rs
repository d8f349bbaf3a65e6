//! The product's story: a chat and what it is about become a grounded request. Select, search, weave.

mod choice;
mod followup;
mod grounded;
mod intent;
mod manner;
mod passages;
mod report;
mod retrieval;
mod small_talk;
mod sources;
mod status;
mod whole;

use std::time::{Duration, Instant};

use crate::collection::{Catalog, CollectionError, OnEmpty};
use crate::openai::ChatRequest;
use crate::prompt::{Budget, Window, nothing_found};
use crate::selection::Selected;

pub use choice::Considered;
pub use grounded::Grounded;
pub use passages::whole_tokens;
pub use report::status_header;
pub use status::{RagStatus, Spent};

use choice::Wanted;
use manner::Manner;
use retrieval::Retrieval;
use small_talk::is_small_talk;

/// How the server grounds, where a collection does not say otherwise.
#[derive(Clone, Copy, Debug)]
pub struct RagSettings {
    /// Most passages given to the model.
    pub passages: usize,
    /// Retrieval ends by then.
    pub deadline: Duration,
}

impl RagSettings {
    /// What upstream tells of its models is waited for until then, for a request that came now: not for so long that
    /// nothing would be left for the search.
    pub fn window_known_by(&self) -> Instant {
        Instant::now() + self.deadline / 2
    }
}

/// Grounds requests.
pub struct Grounding<'a> {
    pub catalog: &'a Catalog,
    pub window: &'a dyn Window,
    pub settings: RagSettings,
}

impl Grounding<'_> {
    /// Grounds a request in what it is about. Where retrieval breaks, a request that chose its collections itself fails,
    /// and one of a default goes on without passages.
    pub async fn ground(
        &self,
        request: &ChatRequest,
        selected: &Selected,
    ) -> Result<Grounded, CollectionError> {
        if selected.off {
            return Ok(Grounded::without_passages(request, selected, RagStatus::Off));
        }
        if !request.can_be_grounded() {
            return Ok(Grounded::without_passages(request, selected, RagStatus::Empty).because("no_question"));
        }
        let earlier = || (!request.has_stored_turns()).then(|| request.earlier_turns());
        if is_small_talk(request.question(), earlier) {
            return Ok(
                Grounded::without_passages(request, selected, RagStatus::Skipped).because("small_talk")
            );
        }
        let grounded = self.with_passages(request, selected).await;
        if let Err(error) = &grounded {
            tracing::error!(%error, "retrieval failed");
            if !selected.rule.explicit {
                return Ok(Grounded::without_passages(request, selected, RagStatus::Error));
            }
        }
        grounded
    }

    async fn with_passages(
        &self,
        request: &ChatRequest,
        selected: &Selected,
    ) -> Result<Grounded, CollectionError> {
        let deadline = Instant::now() + self.settings.deadline;
        let model = selected.model.as_deref().or(request.model());
        let mut grounded = Grounded::without_passages(request, selected, RagStatus::Empty);

        // Select.
        let retrieval = Retrieval::of(self.catalog, request, selected, deadline).await?;
        let manner = Manner::of(selected);
        let template = manner.template();
        let mut budget = Budget::new(request, model, self.window, self.settings.window_known_by()).await;

        // Whole documents, where they fit. They have no scores to hold against a threshold.
        if selected.passages.is_none()
            && selected.ranking.score_threshold.is_none()
            && let Some(room) = budget.room_for_whole()
        {
            let started = Instant::now();
            if let Some(mut woven) = retrieval.weave_whole(&template, room).await?
                && budget.holds(&woven).await
            {
                grounded.spent.weave = started.elapsed();
                if request.response().is_some_and(|parts| parts.wants_results)
                    && let Some((query, timings)) = retrieval.score(&mut woven.passages).await
                {
                    (grounded.query, grounded.spent.search) = (Some(query), Some(timings));
                }
                grounded.status = RagStatus::Hit;
                grounded.write(request, selected, &woven.text, woven.passages);
                return Ok(grounded);
            }
        }

        // Search.
        let most = Wanted::AtMost(manner.passages(&self.settings));
        let found = retrieval.best(selected.passages.map_or(most, Wanted::Exactly)).await?;
        grounded.query = Some(found.query);
        grounded.spent.search = Some(found.timings);
        let mut considered = found.considered;

        // Weave.
        let started = Instant::now();
        if found.passages.is_empty() {
            grounded.reason = Some("nothing_relevant");
            match manner.on_empty() {
                OnEmpty::Answer => {}
                OnEmpty::Refuse => grounded.refuse = true,
                OnEmpty::Note => {
                    let note = nothing_found(manner.language());
                    if budget.has_room_for(note).await {
                        grounded.write(request, selected, note, Vec::new());
                    }
                }
            }
            grounded.considered = Some(considered);
            return Ok(grounded);
        }
        match budget.fit(&found.passages, &template).await {
            None => {
                grounded.status = RagStatus::NoRoom;
                considered.no_room = found.passages.len();
            }
            Some(woven) => {
                grounded.status = RagStatus::of(found.by);
                considered.no_room = found.passages.len() - woven.passages.len();
                grounded.write(request, selected, &woven.text, woven.passages);
            }
        }
        grounded.considered = Some(considered);
        grounded.spent.weave = started.elapsed();
        Ok(grounded)
    }
}
