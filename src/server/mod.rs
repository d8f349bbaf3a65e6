//! The listening side: connections and their limits, what every request passes, and the end.

mod body;
mod client;
mod connections;
mod cors;
mod presented;
mod refusal;
mod requests;
mod signals;
mod stream;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::api::{Api, Tunnel};
use crate::app::App;
use connections::{Connections, Patience, Pulse, Registered};
use requests::Requests;
use stream::ClientStream;

pub use signals::told_to_stop;

/// How often connections that wait too long are looked for.
const SWEEP: Duration = Duration::from_millis(500);
/// An idle connection is kept for so long: longer than clients and balancers in front keep theirs.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Descriptors of a connection: the client's and upstream's.
pub(crate) const FILES_OF_A_CONNECTION: u64 = 2;
/// Descriptors of the process that are not a connection's: files, the store, the listener, children.
pub(crate) const OTHER_FILES: u64 = 256;

/// Serves until `shutdown`, then lets open answers end for a while.
pub async fn run(
    listener: TcpListener,
    app: Arc<App>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let background = tokio::spawn(app.clone().work());
    let config = &app.config.server;
    let limits = config.limits.clone();
    let most = within_file_limit(limits.connections);
    let requests = Requests::new(&app, Api::new(app.clone()));
    let connections = Connections::new(Patience { head: limits.header_timeout, idle: KEEP_ALIVE });
    // A task of its own, and not this future: who blocks on that wakes another thread for every connection.
    let mut accepting = JoinSet::new();
    accepting.spawn(accept(listener, connections.clone(), requests, most, shutdown));
    if let Some(ended) = accepting.join_next().await {
        ended.map_err(io::Error::other)?;
    }
    connections.stop();
    if tokio::time::timeout(limits.drain_timeout, connections.all_ended()).await.is_err() {
        tracing::warn!(open = connections.count(), "answers that were still open are cut off");
        connections.close_all();
    }
    app.ingest.stop().await;
    background.abort();
    app.close().await;
    Ok(())
}

/// Takes connections in until `shutdown`; new ones are refused from then on.
async fn accept(
    listener: TcpListener,
    connections: Arc<Connections>,
    requests: Requests,
    most: usize,
    shutdown: impl Future<Output = ()> + Send,
) {
    let mut sweep = tokio::time::interval(SWEEP);
    sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => return,
            _ = sweep.tick() => connections.sweep(),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => take_in(stream, &connections, &requests, most),
                Err(error) => not_accepted(&error, &connections).await,
            },
        }
    }
}

/// As many connections as there can be files for.
fn within_file_limit(wanted: usize) -> usize {
    let limit = match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => limit,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files was not raised");
            return wanted;
        }
    };
    let possible = (limit.saturating_sub(OTHER_FILES) / FILES_OF_A_CONNECTION).max(1);
    if possible < wanted as u64 {
        tracing::warn!(
            possible,
            wanted,
            "the limit of open files allows fewer connections: raise `ulimit -n`"
        );
    }
    wanted.min(usize::try_from(possible).unwrap_or(usize::MAX))
}

async fn not_accepted(error: &io::Error, connections: &Connections) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    // The client's doing, and over.
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        return;
    }
    let made_room = connections.make_room();
    tracing::warn!(%error, made_room, "a connection could not be accepted");
    // Out of files, most likely: without a pause this would be a busy loop.
    tokio::time::sleep(Duration::from_millis(20)).await;
}

fn take_in(stream: TcpStream, connections: &Arc<Connections>, requests: &Requests, most: usize) {
    if connections.count() >= most && !connections.make_room() {
        // Everybody is being answered: whoever comes now is better sent away at once.
        tracing::debug!("a connection was refused: all are busy");
        return;
    }
    if let Err(error) = stream::prepare(&stream) {
        // It is gone already.
        tracing::debug!(%error, "a connection could not be set up");
        return;
    }
    let registered = connections.register();
    let id = registered.id();
    let task = tokio::spawn(serve(stream, registered, requests.clone()));
    connections.can_be_closed(id, task.abort_handle());
}

async fn serve(stream: TcpStream, registered: Registered, requests: Requests) {
    let pulse = registered.pulse.clone();
    let io = TokioIo::new(ClientStream::new(stream, pulse.clone()));
    let tunnel = Tunnel::default();
    let service = {
        let (pulse, tunnel) = (pulse.clone(), tunnel.clone());
        service_fn(move |request| {
            let (requests, pulse, tunnel) = (requests.clone(), pulse.clone(), tunnel.clone());
            async move { Ok::<_, Infallible>(requests.answer(request, pulse, &tunnel).await) }
        })
    };
    // No timer: the sweep looks after the head's time. That a client sends nothing more is no end: the stream finds out
    // whether it still waits.
    let mut connection =
        pin!(http1::Builder::new().half_close(true).serve_connection(io, service).with_upgrades());
    // Dropped before the connection, also where the task is aborted.
    let _over = CutOff(pulse.clone());
    let mut told = false;
    let ended = std::future::poll_fn(|cx| {
        if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
            return Poll::Ready(ended);
        }
        if !told && pulse.is_stopping(cx) {
            told = true;
            connection.as_mut().graceful_shutdown();
            return connection.as_mut().poll(cx);
        }
        Poll::Pending
    });
    if let Err(error) = ended.await {
        // The client left, or sent what is no request; hyper has answered 400 where that was possible.
        tracing::debug!(%error, "a connection ended early");
    }
    if let Some(passing) = tunnel.take() {
        pulse.became_a_tunnel();
        passing.await;
    }
}

/// Says that a connection is over before what belongs to it is dropped.
struct CutOff(Arc<Pulse>);

impl Drop for CutOff {
    fn drop(&mut self) {
        self.0.cut_off();
    }
}
