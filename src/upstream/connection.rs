//! One connection to upstream, and how it is made.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::UpstreamError;
use super::socket::{Peek, Socket};
use crate::net::root_cause;

/// What breaks a request's body off.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A request's body: bytes at hand, or a stream.
pub type Payload = Either<Full<Bytes>, UnsyncBoxBody<Bytes, BodyError>>;

/// How connections are made.
pub(super) struct Connector {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    patience: Duration,
    /// For messages.
    base: String,
}

impl Connector {
    /// To the host of an address. Reading the system's certificates takes as long as the rest of a start, so that is
    /// done only where they are needed.
    pub fn new(base: &str, uri: &Uri, patience: Duration) -> Result<Self, UpstreamError> {
        let bad = |cause: String| UpstreamError::Address { base: base.to_owned(), cause };
        let host = uri.host().ok_or_else(|| bad("it names no host".to_owned()))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let secure = uri.scheme_str() == Some("https");
        let tls = if secure {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .and_then(BuilderVerifierExt::with_platform_verifier)
                .map_err(|e| bad(format!("TLS: {e}")))?;
            let mut config = config.with_no_client_auth();
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            let name = ServerName::try_from(host.clone()).map_err(|e| bad(e.to_string()))?;
            Some((TlsConnector::from(Arc::new(config)), name))
        } else {
            None
        };
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Ok(Self { host, port, tls, patience, base: base.to_owned() })
    }

    /// A new connection; addresses of a name are tried in turn.
    pub async fn connect(&self) -> Result<Connection, UpstreamError> {
        let deadline = Instant::now() + self.patience;
        match timeout_at(deadline, self.dial(deadline)).await {
            Ok(connected) => connected.map_err(|error| UpstreamError::Unreachable {
                base: self.base.clone(),
                cause: root_cause(&error),
            }),
            Err(_) => Err(UpstreamError::ConnectTimeout { base: self.base.clone(), after: self.patience }),
        }
    }

    async fn dial(&self, deadline: Instant) -> io::Result<Connection> {
        let socket = Socket::new(self.dial_tcp(deadline).await?)?;
        let peek = socket.peek();
        match &self.tls {
            None => Connection::start(TokioIo::new(socket), peek).await,
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), socket).await?;
                Connection::start(TokioIo::new(stream), peek).await
            }
        }
    }

    async fn dial_tcp(&self, deadline: Instant) -> io::Result<TcpStream> {
        let addresses: Vec<_> = lookup_host((self.host.as_str(), self.port)).await?.collect();
        let mut failed = io::Error::new(io::ErrorKind::NotFound, format!("{} has no address", self.host));
        for (tried, address) in addresses.iter().enumerate() {
            // One that does not answer leaves time for the next.
            let share = (deadline - Instant::now()) / (addresses.len() - tried) as u32;
            match tokio::time::timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failed = error,
                Err(_) if tried + 1 == addresses.len() => std::future::pending().await,
                Err(_) => {}
            }
        }
        Err(failed)
    }

    /// The `Host` header of every request.
    pub fn host_header(uri: &Uri) -> Option<HeaderValue> {
        let authority = uri.authority()?;
        // Never what stands before an @.
        let host = authority.as_str().rsplit('@').next()?;
        HeaderValue::from_str(host).ok()
    }
}

/// A connection that carries one exchange at a time. Dropping it closes it at once.
///
/// Nothing reads or writes it but whoever waits for it: one task carries both sides of a request, so that a frame
/// wakes one task and not two, and frames that came together leave together.
pub(super) struct Connection {
    sender: http1::SendRequest<Payload>,
    driver: Driver,
    peek: Peek,
}

/// What reads and writes.
enum Driver {
    /// Polled by whoever waits.
    Here(Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>),
    /// A task, for a body that comes at its own pace: it must go on while the answer is not read.
    Apart {
        _task: AbortOnDrop,
    },
    Ended,
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Connection {
    async fn start<T>(io: TokioIo<T>, peek: Peek) -> io::Result<Self>
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http1::handshake(io).await.map_err(io::Error::other)?;
        Ok(Self { sender, driver: Driver::Here(Box::pin(connection.with_upgrades())), peek })
    }

    /// Reads and writes what can be. What goes wrong is told to whoever waits for the answer.
    pub fn drive(&mut self, cx: &mut Context<'_>) {
        if let Driver::Here(driver) = &mut self.driver
            && driver.as_mut().poll(cx).is_ready()
        {
            self.driver = Driver::Ended;
        }
    }

    /// Sends a request and waits for the head of its answer. A request of which nothing was sent comes back.
    pub async fn exchange(
        &mut self,
        request: http::Request<Payload>,
    ) -> Result<http::Response<Incoming>, TrySendError<http::Request<Payload>>> {
        if matches!(request.body(), Either::Right(_)) {
            self.driver = match std::mem::replace(&mut self.driver, Driver::Ended) {
                Driver::Here(driver) => {
                    let task = tokio::spawn(driver);
                    Driver::Apart { _task: AbortOnDrop(task.abort_handle()) }
                }
                driver => driver,
            };
        }
        let mut head = pin!(self.sender.try_send_request(request));
        poll_fn(|cx| {
            if let Driver::Here(driver) = &mut self.driver
                && driver.as_mut().poll(cx).is_ready()
            {
                self.driver = Driver::Ended;
            }
            head.as_mut().poll(cx)
        })
        .await
    }

    /// Whether another request can be sent now.
    pub fn is_ready(&self) -> bool {
        self.sender.is_ready()
    }

    /// Waits until another request can be sent; false if that never happens.
    pub async fn becomes_ready(&mut self) -> bool {
        poll_fn(|cx| {
            self.drive(cx);
            self.sender.poll_ready(cx)
        })
        .await
        .is_ok()
    }

    /// Whether upstream has left.
    pub fn is_closed(&self) -> bool {
        matches!(self.driver, Driver::Ended) || self.sender.is_closed() || self.peek.is_closed()
    }

    /// Lets go of a connection that speaks another protocol from here on.
    pub fn detach(self) {
        if let Driver::Here(driver) = self.driver {
            tokio::spawn(driver);
        }
    }
}
