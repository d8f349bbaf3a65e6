//! The signals that end a server.

use std::future::Future;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for Ctrl-C, or for the signal by which containers are stopped. Each counts from this call on, however late the
/// future is polled.
pub fn told_to_stop() -> impl Future<Output = ()> + Send {
    let terminated = signals(SignalKind::terminate(), "SIGTERM");
    let interrupted = signals(SignalKind::interrupt(), "SIGINT");
    async move {
        tokio::select! {
            () = next(terminated) => {}
            () = next(interrupted) => {}
        }
        tracing::info!("stopping: open answers are finished first");
    }
}

fn signals(kind: SignalKind, name: &str) -> Option<Signal> {
    match signal(kind) {
        Ok(signals) => Some(signals),
        Err(error) => {
            tracing::warn!(%error, "{name} will end the server at once");
            None
        }
    }
}

async fn next(signals: Option<Signal>) {
    match signals {
        Some(mut signals) => {
            signals.recv().await;
        }
        None => std::future::pending().await,
    }
}
