//! `lastro serve`: opens everything, listens, and serves until it is told to stop.

use tokio::net::TcpListener;

use super::connection::ServerFile;
use super::{CommandError, output};
use crate::app::App;
use crate::config::Config;
use crate::server::{self, told_to_stop};

/// Serves until a signal says to stop, and then ends open answers.
pub async fn serve(config: Config) -> Result<(), CommandError> {
    let (listen, data) = (config.server.listen, config.data.clone());
    let app = App::open(config).await?;
    app.check_exposure()?;
    let bound = TcpListener::bind(listen).await.and_then(|listener| {
        let address = listener.local_addr()?;
        Ok((listener, address))
    });
    let (listener, address) = bound.map_err(|error| {
        CommandError::Usage(format!("cannot listen on {listen}: {error}; choose another with --listen"))
    })?;
    // Before anybody learns that it is there: as the first process of a container it would miss what comes earlier.
    let told_to_stop = told_to_stop();
    ServerFile::write(&data, address, app.keys.local()).map_err(|error| {
        CommandError::Usage(format!("{}: {error}; make it writable, and room in it", data.display()))
    })?;
    app.describe_holder(&format!("process {} at http://{address}", std::process::id()));
    if let Err(error) = output::print(format_args!("listening on http://{address}\n")) {
        tracing::debug!(%error, "nobody reads the output");
    }
    tracing::info!(upstream = app.upstream.base(), data = %data.display(), "lastro {}", env!("CARGO_PKG_VERSION"));
    if app.embeddings.is_none() {
        tracing::info!("no --embedding-model: search is by words alone");
    }
    let (holder, stopping) = (app.clone(), app.clone());
    let stop = async move {
        told_to_stop.await;
        stopping.describe_stopping();
    };
    let served = server::run(listener, app, stop).await;
    // While the folder is still held: the next process writes a file of its own.
    ServerFile::remove(&data);
    drop(holder);
    Ok(served?)
}
