//! The LLM server behind us: connections, requests and their answers, its models, its window, its count of tokens.
//!
//! One exchange: a path that stays under `/v1`, a warm connection or a new one, the request, the head of the answer by
//! a deadline, the body frame by frame. Nothing is sent twice, save a request of which no byte was sent because the
//! warm connection had died.

mod answer;
mod connection;
mod count;
mod error;
mod failures;
mod models;
mod path;
mod pool;
mod redirect;
mod reranking;
mod socket;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, UPGRADE, VIA};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body::Body;
use http_body_util::{BodyExt, Either, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use parking_lot::Mutex;

pub use answer::AnswerBody;
pub use connection::{BodyError, Payload};
pub use error::UpstreamError;
pub use failures::Failures;
pub use models::{Model, Models, ReadModels};
pub use reranking::{RerankApi, RerankError, RerankSettings, Reranking};

use connection::{Connection, Connector};
use pool::Pool;

use crate::net::{io_kind, root_cause};

/// The protocol of the requests that come here.
const PROTOCOL: &str = "1.1";
/// What is read to its end here is never larger.
const LARGEST_ANSWER: usize = 16 << 20;

/// Where upstream is and how it is spoken to.
#[derive(Clone, Debug)]
pub struct UpstreamSettings {
    /// `http://` or `https://`, ending in `/v1`.
    pub base: String,
    /// `Authorization` in place of the client's.
    pub key: Option<HeaderValue>,
    /// The window in tokens, whatever upstream tells.
    pub window: Option<u64>,
    /// The same of single models, whatever that says.
    pub windows: HashMap<String, u64>,
    /// To connect.
    pub connect_timeout: Duration,
    /// From the request to the head of the answer: the whole time of thinking, where the answer is not streamed.
    pub header_timeout: Duration,
    /// Between two frames of an answer.
    pub idle_timeout: Duration,
    /// An idle connection is used again for so long.
    pub keep_alive: Duration,
    /// Idle connections at most.
    pub most_idle: usize,
}

/// The LLM server.
pub struct Upstream {
    connector: Connector,
    pool: Arc<Pool>,
    base: Arc<str>,
    /// The path of `base`.
    path: String,
    host: HeaderValue,
    /// What every request says on its way (RFC 9110, section 7.6.3), so that one that comes back is known.
    via: HeaderValue,
    key: Option<HeaderValue>,
    window: Option<u64>,
    windows: HashMap<String, u64>,
    header_timeout: Duration,
    idle_timeout: Duration,
    read_models: ReadModels,
    known: models::Known,
    /// When a count last did not come in time.
    count_was_late: Mutex<Option<Instant>>,
    failures: Arc<Failures>,
}

/// A body of bytes at hand.
pub fn full(bytes: Bytes) -> Payload {
    Either::Left(Full::new(bytes))
}

impl Upstream {
    /// Connects to nothing yet.
    pub fn new(settings: &UpstreamSettings, read_models: ReadModels) -> Result<Self, UpstreamError> {
        let base = settings.base.trim_end_matches('/').to_owned();
        let bad = |cause: String| UpstreamError::Address { base: base.clone(), cause };
        let uri: Uri = base.parse().map_err(|e| bad(format!("{e}")))?;
        let host = Connector::host_header(&uri).ok_or_else(|| bad("it names no host".to_owned()))?;
        let via = format!("{PROTOCOL} lastro-{:016x}", fastrand::u64(..));
        let via = HeaderValue::from_str(&via).map_err(|e| bad(e.to_string()))?;
        Ok(Self {
            connector: Connector::new(&base, &uri, settings.connect_timeout)?,
            pool: Arc::new(Pool::new(settings.keep_alive, settings.most_idle)),
            path: uri.path().trim_end_matches('/').to_owned(),
            base: base.into(),
            host,
            via,
            key: settings.key.clone(),
            window: settings.window,
            windows: settings.windows.clone(),
            header_timeout: settings.header_timeout,
            idle_timeout: settings.idle_timeout,
            read_models,
            known: models::Known::default(),
            count_was_late: Mutex::default(),
            failures: Arc::default(),
        })
    }

    /// Where it is.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The name of this server in the `Via` of what it sends: another one each time it starts.
    pub fn pseudonym(&self) -> &str {
        self.via.to_str().unwrap_or_default().trim_start_matches(PROTOCOL).trim_start()
    }

    /// Sends a request. `path_and_query` begins after `/v1`. The headers are end-to-end ones; a configured key replaces
    /// the client's. Dropping the future or the body of the answer closes the connection.
    pub async fn send(
        &self,
        method: Method,
        path_and_query: &str,
        headers: HeaderMap,
        body: Payload,
    ) -> Result<Response<AnswerBody>, UpstreamError> {
        let path = path::under(&self.path, path_and_query)
            .ok_or_else(|| UpstreamError::Path(path_and_query.to_owned()))?;
        let answered = self.exchange(method, path, headers, body).await;
        self.failures.note(answered.as_ref().err());
        answered
    }

    /// What went wrong since the start, and whether it was there when last spoken to.
    pub fn failures(&self) -> &Failures {
        &self.failures
    }

    async fn exchange(
        &self,
        method: Method,
        path: PathAndQuery,
        headers: HeaderMap,
        body: Payload,
    ) -> Result<Response<AnswerBody>, UpstreamError> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = Uri::from(path);
        *request.headers_mut() = headers;
        request.headers_mut().insert(HOST, self.host.clone());
        request.headers_mut().append(VIA, self.via.clone());
        if let Some(key) = &self.key {
            request.headers_mut().insert(AUTHORIZATION, key.clone());
        }
        let head = request.method() == Method::HEAD;
        let may_switch = request.headers().contains_key(UPGRADE);
        let (mut response, connection) = self.deliver(request).await?;
        redirect::stay_here(&mut response, &self.host, &self.path);
        let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if switched && !may_switch {
            return Err(self.switched());
        }
        let untold = head && !response.headers().contains_key(CONTENT_LENGTH);
        Ok(response.map(|incoming| {
            let (pool, base, failures) = (self.pool.clone(), self.base.clone(), self.failures.clone());
            let idle = self.idle_timeout;
            let mut body = AnswerBody::new(incoming, connection, pool, base, failures, idle, untold);
            if switched {
                body.detach();
            }
            body
        }))
    }

    /// Sends a request on a warm connection or a new one, and waits for the head of the answer.
    async fn deliver(
        &self,
        mut request: Request<Payload>,
    ) -> Result<(Response<Incoming>, Connection), UpstreamError> {
        let mut connection = match self.pool.take() {
            Some(connection) => connection,
            None => self.connector.connect().await?,
        };
        let deadline = tokio::time::Instant::now() + self.header_timeout;
        let mut sent_again = false;
        loop {
            let answered = tokio::time::timeout_at(deadline, connection.exchange(request)).await;
            match answered {
                Ok(Ok(response)) => return Ok((response, connection)),
                Ok(Err(mut failed)) => match failed.take_message() {
                    // The connection died unused, and nothing was sent.
                    Some(unsent) if !sent_again => {
                        request = unsent;
                        connection = self.connector.connect().await?;
                        sent_again = true;
                    }
                    _ => return Err(self.failed(failed.into_error())),
                },
                Err(_) => {
                    let (base, after) = (self.base.to_string(), self.header_timeout);
                    return Err(UpstreamError::HeaderTimeout { base, after });
                }
            }
        }
    }

    /// A protocol that nobody asked for.
    pub fn switched(&self) -> UpstreamError {
        UpstreamError::Switched { base: self.base.to_string() }
    }

    /// Reads an answer's body to its end: a list of models, a count, a word.
    pub async fn read_whole<B>(&self, body: B) -> Result<Bytes, UpstreamError>
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        match Limited::new(body, LARGEST_ANSWER).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => {
                let cause = format!("answer of more than {LARGEST_ANSWER} bytes");
                Err(UpstreamError::Broken { base: self.base.to_string(), cause })
            }
            Err(error) => Err(self.broken(&*error)),
        }
    }

    /// An answer whose body broke off while it was read.
    pub fn broken(&self, error: &(dyn std::error::Error + 'static)) -> UpstreamError {
        UpstreamError::Broken { base: self.base.to_string(), cause: root_cause(error) }
    }

    fn failed(&self, error: hyper::Error) -> UpstreamError {
        if error.is_user() {
            let kind = io_kind(&error).unwrap_or(io::ErrorKind::BrokenPipe);
            return UpstreamError::Body(io::Error::new(kind, root_cause(&error)));
        }
        self.broken(&error)
    }
}
