//! Bodies that are held whole, and how much memory they may take together.

use std::sync::Arc;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::ApiError;
use crate::app::App;

/// Room is taken in steps of so many KiB: one for most bodies.
const STEP: usize = 64;

/// The room that one body takes among all of them; given up when dropped. It grows with what has come, and not by what
/// was announced: who sends nothing takes nothing.
pub(super) struct Held {
    room: Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
    bytes: usize,
    most: usize,
}

impl Held {
    pub fn nothing(app: &App) -> Self {
        Self { room: app.bodies.clone(), taken: None, bytes: 0, most: app.config.server.max_bodies }
    }

    #[cfg(test)]
    pub fn of(most: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(most / 1024)), taken: None, bytes: 0, most }
    }

    /// Room for so many bytes more.
    pub fn grow(&mut self, bytes: usize) -> Result<(), ApiError> {
        self.bytes += bytes;
        let has = self.taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let needs = self.bytes.div_ceil(STEP << 10) * STEP;
        let lacks = needs.saturating_sub(has);
        if lacks == 0 {
            return Ok(());
        }
        let more = u32::try_from(lacks).unwrap_or(u32::MAX);
        let more = self.room.clone().try_acquire_many_owned(more);
        let more = more.map_err(|_| ApiError::too_many_bytes(self.most as u64))?;
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            None => self.taken = Some(more),
        }
        Ok(())
    }
}

/// Reads a body to its end. Its room is held as long as what comes back.
pub(super) async fn read_whole(app: &App, body: Body) -> Result<(Bytes, Held), ApiError> {
    let limit = app.config.server.max_body;
    let too_large = || ApiError::too_large("the body", limit as u64, "--max-body-mib");
    // A client that says so beforehand need not send it.
    if http_body::Body::size_hint(&body).lower() > limit as u64 {
        return Err(too_large());
    }
    let mut body = Limited::new(body, limit);
    let mut held = Held::nothing(app);
    let (mut first, mut all) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error.is::<LengthLimitError>() {
            true => too_large(),
            false => ApiError::broken_body(&*error),
        })?;
        let Ok(data) = frame.into_data() else { continue };
        held.grow(data.len())?;
        match (first.is_empty(), all.is_empty()) {
            // Most bodies come in one piece, which is not copied.
            (true, true) => first = data,
            (_, true) => {
                all.reserve(first.len() + data.len());
                all.extend_from_slice(&first);
                all.extend_from_slice(&data);
            }
            (_, false) => all.extend_from_slice(&data),
        }
    }
    Ok((if all.is_empty() { first } else { all.freeze() }, held))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_taken_as_bytes_come_and_given_back() {
        let mut one = Held::of(1 << 20);
        let mut other = Held { taken: None, bytes: 0, room: one.room.clone(), most: one.most };
        one.grow(0).expect("nothing");
        assert_eq!(one.room.available_permits(), 1024);
        one.grow(1).expect("room");
        one.grow(65_535).expect("room");
        assert_eq!(one.room.available_permits(), 1024 - 64);
        other.grow(900 << 10).expect("room");
        one.grow(1 << 16).expect_err("no room");
        drop(other);
        one.grow(1 << 16).expect("room");
        drop(one);
    }
}
