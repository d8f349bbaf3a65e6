//! Who asks. The table of routes says which scope a route needs, and a handler comes by an [`Access`] through it alone,
//! so that none can forget to say what it needs.

use std::future::{Ready, ready};
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request};
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use futures_util::future::Either;
use http::Extensions;
use http::request::Parts;

use super::ApiError;
use super::in_path::InPath;
use crate::access::{Access, Scope};
use crate::app::App;
use crate::collection::{Catalog, Collection};
use crate::selection::{SelectionError, listed};

/// Who asks, with the scope that the route needs.
pub struct Caller(pub Access);

impl Caller {
    /// Refuses a caller without another scope: for what turns out to need it.
    pub fn needs(&self, scope: Scope) -> Result<(), ApiError> {
        if self.0.may(scope) { Ok(()) } else { Err(ApiError::insufficient_scope(scope)) }
    }
}

/// Who asks, and below `/c/{collection}` sees the collections of the path alone: for what is about collections.
pub struct Within(pub Access);

/// A caller that has the scope of its route, and the collections of its path.
#[derive(Clone)]
struct Admitted {
    access: Access,
    /// `None` below a plain `/v1`.
    path: Option<Vec<Arc<Collection>>>,
}

impl Admitted {
    /// Lets a request in to a route that needs `scope`. Below collections that do not exist for the caller there is
    /// nothing.
    fn admit(extensions: &mut Extensions, scope: Scope, app: &App) -> Result<(), ApiError> {
        // The server puts it there for every request that it lets in.
        let access = extensions.get::<Access>().cloned().ok_or_else(ApiError::no_key)?;
        let caller = Caller(access);
        caller.needs(scope)?;
        let Caller(access) = caller;
        let path = match InPath::of(extensions)?.0 {
            None => None,
            Some(named) => Some(collections(&app.catalog, &access, "path", &named)?),
        };
        extensions.insert(Self { access, path });
        Ok(())
    }

    fn of(parts: &Parts) -> Result<&Self, ApiError> {
        let admitted = parts.extensions.get::<Self>();
        admitted.ok_or_else(|| ApiError::internal(&"a route that needs no scope asked for its caller"))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        Ok(Self(Admitted::of(parts)?.access.clone()))
    }
}

impl<S: Sync> FromRequestParts<S> for Within {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let Admitted { access, path } = Admitted::of(parts)?;
        Ok(Self(match path {
            None => access.clone(),
            Some(path) => access.within(path.iter().map(|collection| collection.id.0.clone())),
        }))
    }
}

/// The collections that a text names, with commas between several. `way` is where it stands.
pub(super) fn collections(
    catalog: &Catalog,
    access: &Access,
    way: &'static str,
    named: &str,
) -> Result<Vec<Arc<Collection>>, SelectionError> {
    match listed(named).as_slice() {
        [] => Err(SelectionError::Empty(way)),
        names => Ok(names.iter().map(|name| catalog.find(access, name)).collect::<Result<_, _>>()?),
    }
}

/// A handler for callers that have a scope.
#[derive(Clone)]
pub(super) struct Needs<H> {
    pub scope: Scope,
    pub handler: H,
}

impl<T, H: Handler<T, Arc<App>>> Handler<T, Arc<App>> for Needs<H> {
    type Future = Either<Ready<Response>, H::Future>;

    fn call(self, mut request: Request, app: Arc<App>) -> Self::Future {
        match Admitted::admit(request.extensions_mut(), self.scope, &app) {
            Ok(()) => Either::Right(self.handler.call(request, app)),
            Err(refused) => Either::Left(ready(refused.into_response())),
        }
    }
}
