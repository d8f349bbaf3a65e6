//! The listening side: the socket, the layers around every route, and the end.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use http::Uri;
use http::header::{HOST, ORIGIN};
use tokio::net::TcpListener;

use crate::api::{self, ApiError};
use crate::app::App;

/// Open answers are given this long to end after the server was told to stop.
const DRAIN: Duration = Duration::from_secs(30);

/// Serves until `shutdown`, then lets open answers end for a while.
pub async fn run(
    listener: TcpListener,
    app: Arc<App>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let background = tokio::spawn(app.clone().work());
    let routes = api::routes(app.clone()).layer(middleware::from_fn_with_state(app, refuse_strangers));
    // Without it, small frames wait for an acknowledgement: about 40 ms each.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY not set");
        }
    });
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let serving = axum::serve(listener, routes).with_graceful_shutdown(async move {
        shutdown.await;
        // The receiver lives as long as this function.
        let _ = stop.send(true);
    });
    let deadline = async move {
        let mut stopped = stopped;
        if stopped.wait_for(|stop| *stop).await.is_ok() {
            tokio::time::sleep(DRAIN).await;
        }
    };
    let outcome = tokio::select! {
        outcome = serving.into_future() => outcome,
        () = deadline => {
            tracing::warn!("answers that were still open were cut off");
            Ok(())
        }
    };
    background.abort();
    outcome
}

/// Without keys, a web page must not reach a local server through the browser of whoever runs it:
/// requests for another host, or from a page of another origin, are refused.
async fn refuse_strangers(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = headers.get(HOST).map(|h| h.to_str().unwrap_or("?").to_owned());
    let host = host.or_else(|| request.uri().authority().map(ToString::to_string));
    if !app.config.server.allow_remote_without_keys
        && let Some(host) = &host
        && !is_loopback(host)
    {
        return ApiError::foreign_host(host).into_response();
    }
    if let Some(origin) = headers.get(ORIGIN) {
        let origin = origin.to_str().unwrap_or("?");
        let authority = origin.parse::<Uri>().ok().and_then(|u| u.authority().map(ToString::to_string));
        if authority.is_none() || authority != host {
            return ApiError::foreign_origin(origin).into_response();
        }
    }
    next.run(request).await
}

fn is_loopback(authority: &str) -> bool {
    let Ok(uri) = format!("http://{authority}/").parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_names_of_this_machine_pass() {
        for ours in ["localhost", "LOCALHOST:8080", "127.0.0.1:80", "127.9.9.9", "[::1]:8080"] {
            assert!(is_loopback(ours), "{ours}");
        }
        for foreign in
            ["example.com", "localhost.example.com", "10.0.0.1:8080", "", "127.0.0.1.nip.io", "a b"]
        {
            assert!(!is_loopback(foreign), "{foreign}");
        }
    }
}
