//! The table of routes: each path once, with its methods, the scopes that they need, their handlers, and the name that
//! requests are counted under.
//!
//! The router is made from it, and so is the knowledge of what is ours in any spelling, and of what a request is counted
//! under. `openapi.json` is compared with it. What begins with `/v1` is also there below `/c/{collection}`.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::handler::Handler;
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, any};
use http::Method;

use super::caller::Needs;
use super::{
    ApiError, batches, chat, description, documents, embeddings, files, health, in_path, keys, metrics,
    models, preview, relay, responses, search, store_files, traces, unknown, vector_stores,
};
use crate::access::Scope::{self, Admin, Chat, Ingest, Metrics, Relay};
use crate::app::App;
use crate::telemetry::{Matched, Route};

/// Everything below `/v1` that has no row.
const REST: &str = "/v1/{*rest}";

fn table() -> Vec<Resource> {
    vec![
        // Asking a model. Other methods of these paths are the LLM server's.
        shared("/v1/chat/completions", Route::Chat).post(Chat, chat::completions),
        shared("/v1/responses", Route::Responses).post(Chat, responses::create),
        shared("/v1/completions", Route::Relay).post(Relay, relay::ungrounded),
        shared("/v1/messages", Route::Relay).post(Relay, relay::ungrounded),
        shared("/v1/embeddings", Route::Embeddings).post(Chat, embeddings::create),
        shared("/v1/models", Route::Models).get(Chat, models::list),
        // Ids may hold slashes.
        shared("/v1/models/{*model}", Route::Models).get(Chat, models::one),
        ours("/v1/rag/preview", Route::Preview).post(Chat, preview::preview),
        ours("/v1/rag/traces/{id}", Route::Traces).get(Chat, traces::one),
        // Files, collections and their documents, as OpenAI has them.
        ours("/v1/files", Route::Files).get(Chat, files::list).post(Ingest, files::create).of_any_size(),
        ours("/v1/files/{file}", Route::Files).get(Chat, files::one).delete(Ingest, files::delete),
        ours("/v1/files/{file}/content", Route::Files).get(Chat, files::content),
        ours("/v1/vector_stores", Route::VectorStores)
            .get(Chat, vector_stores::list)
            .post(Ingest, vector_stores::create),
        ours("/v1/vector_stores/{collection}", Route::VectorStores)
            .get(Chat, vector_stores::one)
            .post(Ingest, vector_stores::modify)
            .delete(Ingest, vector_stores::delete),
        ours("/v1/vector_stores/{collection}/search", Route::Search).post(Chat, search::search),
        ours("/v1/vector_stores/{collection}/files", Route::Documents)
            .get(Chat, store_files::list)
            .post(Ingest, store_files::attach),
        ours("/v1/vector_stores/{collection}/files/{file}", Route::Documents)
            .get(Chat, store_files::one)
            .post(Ingest, store_files::update)
            .delete(Ingest, store_files::delete),
        ours("/v1/vector_stores/{collection}/files/{file}/content", Route::Documents)
            .get(Chat, store_files::content),
        ours("/v1/vector_stores/{collection}/file_batches", Route::Documents).post(Ingest, batches::create),
        ours("/v1/vector_stores/{collection}/file_batches/{batch}", Route::Documents).get(Chat, batches::one),
        ours("/v1/vector_stores/{collection}/file_batches/{batch}/cancel", Route::Documents)
            .post(Ingest, batches::cancel),
        ours("/v1/vector_stores/{collection}/file_batches/{batch}/files", Route::Documents)
            .get(Chat, batches::files),
        // And in one call, for people and scripts.
        ours("/v1/vector_stores/{collection}/documents", Route::Documents)
            .get(Chat, documents::list)
            .post(Ingest, documents::upload)
            .of_any_size(),
        ours("/v1/vector_stores/{collection}/documents/{document}", Route::Documents)
            .get(Chat, documents::one)
            .delete(Ingest, documents::delete),
        ours("/v1/vector_stores/{collection}/documents/{document}/retry", Route::Documents)
            .post(Ingest, documents::retry),
        // The server itself.
        ours("/admin/keys", Route::Keys).get(Admin, keys::list).post(Admin, keys::create),
        ours("/admin/keys/{key}", Route::Keys).delete(Admin, keys::revoke),
        ours("/admin/keys/{key}/grants", Route::Keys).post(Admin, keys::grant),
        ours("/metrics", Route::Metrics).get(Metrics, metrics::text),
        ours("/openapi.json", Route::Other).get(Chat, description::openapi),
        ours("/health", Route::Health).get(None, health::health),
        ours("/ready", Route::Health).get(None, health::ready),
    ]
}

/// A row: a path and its methods.
struct Resource {
    path: &'static str,
    counted: Route,
    /// Its other methods are the LLM server's.
    shared: bool,
    methods: Vec<(Method, Option<Scope>)>,
    handlers: MethodRouter<Arc<App>>,
}

/// A path that is ours with every method.
fn ours(path: &'static str, counted: Route) -> Resource {
    Resource { path, counted, shared: false, methods: Vec::new(), handlers: MethodRouter::new() }
}

/// A path of the LLM server's of which some methods are ours.
fn shared(path: &'static str, counted: Route) -> Resource {
    let handlers = MethodRouter::new().fallback(Needs { scope: Relay, handler: relay::everything_else });
    Resource { path, counted, shared: true, methods: Vec::new(), handlers }
}

impl Resource {
    fn get<T: 'static>(self, scope: impl Into<Option<Scope>>, handler: impl Handler<T, Arc<App>>) -> Self {
        self.on(Method::GET, MethodFilter::GET, scope.into(), handler)
    }

    fn post<T: 'static>(self, scope: Scope, handler: impl Handler<T, Arc<App>>) -> Self {
        self.on(Method::POST, MethodFilter::POST, Some(scope), handler)
    }

    fn delete<T: 'static>(self, scope: Scope, handler: impl Handler<T, Arc<App>>) -> Self {
        self.on(Method::DELETE, MethodFilter::DELETE, Some(scope), handler)
    }

    fn on<T: 'static>(
        mut self,
        method: Method,
        filter: MethodFilter,
        scope: Option<Scope>,
        handler: impl Handler<T, Arc<App>>,
    ) -> Self {
        self.handlers = match scope {
            Some(scope) => self.handlers.on(filter, Needs { scope, handler }),
            None => self.handlers.on(filter, handler),
        };
        self.methods.push((method, scope));
        self
    }

    /// Bodies of it have limits of their own.
    fn of_any_size(mut self) -> Self {
        self.handlers = self.handlers.layer(DefaultBodyLimit::disable());
        self
    }

    /// Whether a method is answered here, and not by the LLM server.
    fn answers(&self, method: &Method) -> bool {
        // Who answers GET answers HEAD.
        let method = if method == Method::HEAD { &Method::GET } else { method };
        !self.shared || self.methods.iter().any(|(ours, _)| ours == method)
    }
}

struct Table {
    resources: Vec<Resource>,
    /// Numbers of resources, by their paths: in the router's own words.
    by_path: matchit::Router<usize>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let resources = table();
    let mut by_path = matchit::Router::new();
    for (number, resource) in resources.iter().enumerate() {
        by_path.insert(resource.path, number).expect("a path that no other row has");
    }
    Table { resources, by_path }
});

impl Table {
    fn find(&self, path: &str) -> Option<&Resource> {
        self.by_path.at(path).ok().map(|found| &self.resources[*found.value])
    }
}

/// The first segment below `/v1`.
fn noun(path: &str) -> Option<&str> {
    path.strip_prefix("/v1/")?.split('/').next()
}

/// Whether all paths that begin as this one are ours: what of them is not served yet is not the LLM server's either.
/// A server that does not regard case is there, too.
pub(super) fn begins_ours(path: &str) -> bool {
    let Some(first) = noun(path) else { return false };
    let mut whole = TABLE.resources.iter().filter(|resource| !resource.shared);
    whole.any(|ours| noun(ours.path).is_some_and(|noun| noun.eq_ignore_ascii_case(first)))
}

/// Whether a path has a row, or begins as one that is ours as a whole.
pub(super) fn is_ours(path: &str) -> bool {
    TABLE.find(path).is_some() || begins_ours(path)
}

/// What a request is counted under.
pub fn matched(method: &Method, path: &str) -> Matched {
    let (_, path) = in_path::split(path);
    match TABLE.find(path) {
        Some(row) if row.answers(method) => Matched { route: row.counted, template: row.path },
        _ if path.starts_with("/v1/") && !begins_ours(path) => {
            Matched { route: Route::Relay, template: REST }
        }
        _ => Matched { route: Route::Other, template: "/{*rest}" },
    }
}

/// What has no row goes to the LLM server, unless it begins as what is ours.
async fn rest(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    match begins_ours(request.uri().path()) {
        true => Err(unknown::route(request).await),
        false => relay::everything_else(State(app), request).await,
    }
}

/// A method of a path that is answered here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub method: Method,
    /// What varies stands in braces, after an asterisk where it may hold slashes.
    pub path: &'static str,
    /// What a key needs for it; `None` where nobody needs one.
    pub scope: Option<Scope>,
}

/// All endpoints of ours, in the order of the table. Those that begin with `/v1` are also there below
/// `/c/{collection}`.
pub fn routes() -> impl Iterator<Item = Endpoint> {
    TABLE.resources.iter().flat_map(|Resource { path, methods, .. }| {
        methods.iter().map(|(method, scope)| Endpoint { method: method.clone(), path, scope: *scope })
    })
}

/// Everything that is served, for requests whose path names no collection any more.
pub(super) fn router(app: Arc<App>) -> Router {
    let rows = TABLE.resources.iter();
    rows.fold(Router::new(), |router, row| router.route(row.path, row.handlers.clone()))
        .route(REST, any(Needs { scope: Relay, handler: rest }))
        .fallback(unknown::route)
        .method_not_allowed_fallback(unknown::method)
        .layer(DefaultBodyLimit::max(app.config.server.max_body))
        .with_state(app)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_counted_under_a_name() {
        for (method, path, route) in [
            ("POST", "/v1/chat/completions", Route::Chat),
            ("POST", "/c/handbook/v1/chat/completions", Route::Chat),
            ("GET", "/v1/chat/completions", Route::Relay),
            ("GET", "/v1/responses/resp_1", Route::Relay),
            ("POST", "/c/a%2Fb/v1/responses", Route::Responses),
            ("POST", "/v1/rag/preview", Route::Preview),
            ("GET", "/v1/rag/traces/trace_1", Route::Traces),
            ("POST", "/v1/vector_stores/x/search", Route::Search),
            ("POST", "/c/x/v1/vector_stores/x/search", Route::Search),
            ("DELETE", "/v1/vector_stores/x", Route::VectorStores),
            ("PUT", "/v1/vector_stores/x", Route::VectorStores),
            ("POST", "/v1/vector_stores/x/documents", Route::Documents),
            ("GET", "/v1/vector_stores/x/file_batches/y/files", Route::Documents),
            ("GET", "/v1/vector_stores/x/nothing", Route::Other),
            ("GET", "/v1/files/x/content", Route::Files),
            ("HEAD", "/v1/files", Route::Files),
            ("GET", "/v1/models/a/b@c", Route::Models),
            ("HEAD", "/v1/models", Route::Models),
            ("DELETE", "/v1/models/a", Route::Relay),
            ("POST", "/v1/completions", Route::Relay),
            ("POST", "/v1/audio/speech", Route::Relay),
            ("GET", "/ready", Route::Health),
            ("GET", "/metrics", Route::Metrics),
            ("POST", "/admin/keys/x/grants", Route::Keys),
            ("GET", "/c/x/metrics", Route::Other),
            ("GET", "/", Route::Other),
            ("GET", "/c/x", Route::Other),
            ("GET", "", Route::Other),
        ] {
            let method: Method = method.parse().expect("a method");
            assert_eq!(matched(&method, path).route, route, "{method} {path}");
        }
    }

    #[test]
    fn what_begins_as_a_path_of_ours_is_ours_unless_it_is_shared() {
        for (path, begins, is) in [
            ("/v1/files/x/y/z", true, true),
            ("/v1/FILES", true, true),
            ("/v1/rag/x", true, true),
            ("/v1/vector_stores", true, true),
            ("/v1/models/a/b", false, true),
            ("/v1/chat/completions", false, true),
            ("/v1/chat/completions/x", false, false),
            ("/v1/things", false, false),
            ("/files", false, false),
        ] {
            assert_eq!((begins_ours(path), is_ours(path)), (begins, is), "{path}");
        }
    }
}
