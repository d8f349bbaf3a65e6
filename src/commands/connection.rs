//! To the running server on a data folder, or to one started for this command.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::CommandError;
use crate::access::Secret;
use crate::app::{App, AppError};
use crate::config::Config;
use crate::openai::ErrorBody;
use crate::server;
use crate::store::OpenError;

/// What a server leaves in its data folder for the commands.
#[derive(Serialize, Deserialize)]
pub struct ServerFile {
    pub address: SocketAddr,
    pub pid: u32,
    /// The server's local key: whoever may read the data folder may do everything.
    #[serde(default)]
    pub key: String,
}

pub(super) const NAME: &str = "server.json";
/// A server on this machine answers sooner, or is not there.
const PATIENCE: Duration = Duration::from_secs(2);

impl ServerFile {
    /// Tells the commands where the server is.
    pub fn write(data: &Path, address: SocketAddr, key: &Secret) -> std::io::Result<()> {
        let file = Self { address, pid: std::process::id(), key: key.reveal().to_owned() };
        // Written whole under another name first: a reader never sees a part. Made anew, since the mode of a file that
        // is there stays.
        let temporary = data.join("server.json.new");
        match std::fs::remove_file(&temporary) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        written.write_all(&serde_json::to_vec(&file)?)?;
        std::fs::rename(temporary, data.join(NAME))
    }

    /// The server is gone.
    pub fn remove(data: &Path) {
        // One that stays points nowhere, which the commands notice.
        let _ = std::fs::remove_file(data.join(NAME));
    }

    fn read(data: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(data.join(NAME)).ok()?).ok()
    }
}

/// A client for a server on this machine: no TLS, and no certificates to read for it.
pub(super) fn http_client(key: &str) -> Result<reqwest::Client, reqwest::Error> {
    // Fails only where a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut headers = HeaderMap::new();
    if let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {key}")) {
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    reqwest::Client::builder().no_proxy().tls_certs_only([]).default_headers(headers).build()
}

/// A server to ask.
pub struct Connection {
    pub client: reqwest::Client,
    base: String,
    own: Option<JoinHandle<std::io::Result<()>>>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(own) = &self.own {
            own.abort();
        }
    }
}

impl Connection {
    /// Finds the running server of the data folder, or starts one.
    pub async fn open(config: Config) -> Result<Self, CommandError> {
        match Self::running(&config.data).await? {
            Some(running) => Ok(running),
            None => Self::start(config).await,
        }
    }

    /// The running server of a data folder, if it answers.
    pub async fn running(data: &Path) -> Result<Option<Self>, CommandError> {
        let Some(file) = ServerFile::read(data) else { return Ok(None) };
        let client = http_client(&file.key)?;
        let base = format!("http://{}", reachable(file.address));
        let health = client.get(format!("{base}/health")).timeout(PATIENCE).send().await;
        let answers = health.is_ok_and(|response| response.status().is_success());
        Ok(answers.then_some(Self { client, base, own: None }))
    }

    async fn start(mut config: Config) -> Result<Self, CommandError> {
        // A folder of samples is the server's to sync; a command touches only what it is told to.
        config.collections = None;
        let app = match App::open(config).await {
            Err(AppError::Open(OpenError::InUse { path, holder })) => {
                let holder = holder.unwrap_or_else(|| "another process".to_owned());
                let message =
                    format!("the data folder {} is held by {holder}, which does not answer", path.display());
                return Err(CommandError::Refused(message));
            }
            app => app?,
        };
        let client = http_client(app.keys.local().reveal())?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let base = format!("http://{}", listener.local_addr()?);
        let own = tokio::spawn(server::run(listener, app, std::future::pending()));
        Ok(Self { client, base, own: Some(own) })
    }

    /// An address of the server's.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Waits until the server's own model is loaded, so that a command started alone searches as the server would.
    pub async fn until_ready(&self) -> Result<(), CommandError> {
        while self.own.is_some() {
            let ready = self.client.get(self.url("/ready")).send().await?;
            if ready.status().is_success() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

/// A server that listens on all addresses is asked on this machine's own.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => ([127, 0, 0, 1], v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => {
            SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), v6.port())
        }
        address => address,
    }
}

/// The response, or the message of the error that it is.
pub async fn checked(response: reqwest::Response) -> Result<reqwest::Response, CommandError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.bytes().await?;
    Err(CommandError::Refused(match serde_json::from_slice::<ErrorBody>(&body) {
        Ok(body) => body.error.message,
        Err(_) => format!("status {status}: {}", String::from_utf8_lossy(&body)),
    }))
}

/// A name as a part of a path.
pub fn segment(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}
