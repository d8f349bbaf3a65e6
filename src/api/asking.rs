//! A request to a model on its way: read, grounded, sent.

use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::bodies::{Held, read_whole};
use super::params::RagHeaders;
use super::{ApiError, watch};
use crate::access::Access;
use crate::app::App;
use crate::citation::Mode;
use crate::openai::{ChatRequest, ModelApi};
use crate::rag::{Grounded, Grounding};
use crate::relay;
use crate::selection::{Body, Selected, Selection, Selector};
use crate::telemetry::{Model, Record};
use crate::upstream::{AnswerBody, full};

/// A request to a model, and what it is about.
pub(super) struct Asking<'a> {
    app: &'a App,
    record: &'a Record,
    headers: HeaderMap,
    body: Body,
    /// The body's room in memory.
    _held: Held,
    pub citations: Mode,
    pub selection: Selection,
}

impl<'a> Asking<'a> {
    /// Reads a request, and selects what it is about.
    pub async fn read(
        app: &'a App,
        access: &Access,
        record: &'a Record,
        path: Option<String>,
        request: Request,
        api: ModelApi,
    ) -> Result<Self, ApiError> {
        let (http::request::Parts { headers, .. }, body) = request.into_parts();
        let RagHeaders { mut asked, citations } = RagHeaders::read(&headers)?;
        asked.path = path;
        let (bytes, held) = read_whole(app, body).await?;
        let mut body = Body::new(api, bytes);
        let selector = Selector {
            catalog: &app.catalog,
            access,
            models: &app.models(headers.get(AUTHORIZATION)),
            default: app.config.default_collection.as_deref(),
            deadline: app.config.rag.deadline,
            models_known_by: app.config.rag.window_known_by(),
        };
        let selection = selector.select(&asked, &mut body).await?;
        let name = match &selection {
            Selection::Collections(selected, _) => selected.model.as_deref(),
            _ => None,
        };
        record.asks(&Model { body: body.bytes(), name, upstream: app.upstream.base() });
        Ok(Self { app, record, headers, body, _held: held, citations, selection })
    }

    /// Grounds the request in what it is about. One that cannot be read goes as it came.
    pub async fn ground(
        &self,
        selected: &Selected,
        request: Option<&ChatRequest>,
    ) -> Result<Grounded, ApiError> {
        let (app, began) = (self.app, Instant::now());
        let window = &app.models(self.headers.get(AUTHORIZATION));
        let grounding = Grounding { catalog: &app.catalog, window, settings: app.config.rag };
        let grounded = match request {
            Some(request) => grounding.ground(request, selected).await,
            None => Ok(Grounded::unread(self.body.bytes().clone(), selected)),
        };
        match grounded {
            Ok(grounded) => {
                watch::grounded(app, self.record, &grounded, began);
                Ok(grounded)
            }
            Err(_) => {
                watch::failed(self.record, selected, began);
                Err(ApiError::rag_unavailable())
            }
        }
    }

    /// Sends the body as it came.
    pub async fn relay(self, added: &[(HeaderName, HeaderValue)]) -> Result<Response, ApiError> {
        let body = self.body.bytes().clone();
        let (response, _) = self.send(body, false).await?;
        Ok(relay::response(response, added))
    }

    /// Asks upstream. An answer that is read here must not be compressed.
    pub async fn send(
        mut self,
        body: Bytes,
        is_read: bool,
    ) -> Result<(Response<AnswerBody>, Duration), ApiError> {
        let mut headers = relay::request_headers(std::mem::take(&mut self.headers));
        self.record.propagate(&mut headers);
        if is_read {
            headers.remove(ACCEPT_ENCODING);
        }
        let (path, started) = (self.body.api().path(), Instant::now());
        let response = self.app.upstream.send(Method::POST, path, headers, full(body)).await?;
        let took = started.elapsed();
        self.record.upstream_answered(took);
        Ok((response, took))
    }
}
