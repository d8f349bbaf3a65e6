//! Calls of [`Housekeeping`].

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use rusqlite::Transaction;

use crate::store::sqlite::database::Inner;
use crate::store::sqlite::upkeep::{self, BATCHES_KEPT, CHUNKS_AT_ONCE};
use crate::store::sqlite::{SqliteStore, changes, collections, copies, files, sweep};
use crate::store::*;
use crate::system::now;

#[async_trait]
impl Housekeeping for SqliteStore {
    async fn check_writable(&self) -> Result<()> {
        self.blocking(|inner| inner.check_place()).await?;
        self.inner.blobs.check_writable().await
    }

    async fn expired(&self) -> Result<Expired> {
        let read = |t: &Transaction<'_>| {
            let (files, collections) = (files::over_their_time(t)?, collections::over_their_time(t)?);
            Ok(Expired { files, collections })
        };
        self.read(read).await
    }

    async fn sweep(&self, before: SystemTime, kept: Duration) -> Result<Swept> {
        self.blocking(move |inner| sweep::sweep(inner, before, kept)).await
    }

    async fn removed(&self) {
        self.inner.removed.notified().await;
    }

    async fn tidy(&self) -> Result<bool> {
        while self.blocking(upkeep::give_pages_back).await? {
            tokio::task::yield_now().await;
        }
        self.blocking(upkeep::cut_log).await
    }

    async fn forget_old(&self) -> Result<()> {
        let before = now() - BATCHES_KEPT;
        while self.write(move |t, _| upkeep::forget_some_batches(t, before)).await? {}
        self.blocking(|inner| copies::remove_old(&inner.database)).await
    }

    async fn forget_vectors_but(&self, fingerprint: &str) -> Result<usize> {
        let kept = fingerprint.to_owned();
        let dead = self.read(move |t| changes::replaced_vectors(t, &kept)).await?;
        let mut forgotten = 0;
        for (collection, fingerprint) in dead {
            loop {
                let (collection, fingerprint) = (collection.clone(), fingerprint.clone());
                let some =
                    move |t: &Transaction<'_>| upkeep::forget_some_vectors(t, &collection, &fingerprint);
                let removed = self.write(move |t, _| some(t)).await?;
                forgotten += removed;
                if removed < CHUNKS_AT_ONCE {
                    break;
                }
            }
        }
        Ok(forgotten)
    }

    async fn close(&self) -> Result<()> {
        self.blocking(Inner::close).await
    }
}
