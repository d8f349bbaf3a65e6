//! Work that must not run on the asynchronous threads, and steps that nobody's leaving stops.
//!
//! A worker that dies is an error of the kind that the work itself has.

use tokio::task::JoinError;

/// Does work that blocks, or that computes for long, on a thread for such work.
pub async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<JoinError> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await?
}

/// Runs steps that belong together to their end, even if whoever asked for them leaves half-way.
pub async fn to_its_end<T, E>(steps: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<JoinError> + Send + 'static,
{
    tokio::spawn(steps).await?
}
