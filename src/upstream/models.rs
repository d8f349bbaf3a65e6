//! What upstream tells of its models: their names, and how many tokens they take.
//!
//! The list is asked for once for all who wait, by a task of its own that no client's leaving ends. What was told stays
//! known until something newer is: a list that cannot be had now says nothing about the models. Where upstream asks
//! for a key and we have none, it is asked with that of the client who needs to know; the key itself is not kept.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use super::{Upstream, UpstreamError, full};

/// What upstream told is believed for so long; a stale list is used while a fresh one is fetched.
const MODELS_FRESH: Duration = Duration::from_secs(60);
/// A list that is needed now is waited for no longer.
const MODELS_PATIENCE: Duration = Duration::from_secs(3);
/// And where the last attempt failed, no longer than this.
const SECOND_PATIENCE: Duration = Duration::from_millis(500);
/// The list itself may take longer: it is there for the next question then.
const GIVEN_UP: Duration = Duration::from_secs(10);
/// After a failure nobody asks again for so long.
const PAUSE: Duration = Duration::from_secs(2);
/// Askers remembered. With keys of their own they are as many as there are clients.
const MOST_ASKERS: usize = 1_000;
/// Models remembered of what several clients were told.
const MOST_MODELS: usize = 10_000;

/// A model of upstream's and its window in tokens, where upstream tells it.
pub type Model = (String, Option<u64>);

/// Reads the body of `/v1/models`; `None` if it is not a list.
pub type ReadModels = fn(&[u8]) -> Option<Vec<Model>>;

/// A list of models, or why there is none.
pub type Models = Result<Arc<Vec<Model>>, Arc<UpstreamError>>;

/// The list as it was last told, and who is asking for it.
#[derive(Default)]
pub(super) struct Known {
    told: RwLock<Told>,
    asking: Mutex<HashMap<Asker, Asking>>,
    hasher: RandomState,
}

#[derive(Clone, Default)]
struct Told {
    list: Option<(Arc<Vec<Model>>, Instant)>,
    /// Without a client's key nothing is told.
    wants_key: bool,
}

/// We ourselves, or the hash of a client's key.
type Asker = Option<u64>;

/// What is told to all who wait.
type Answer = watch::Receiver<Option<Models>>;

enum Asking {
    /// With the moment until which the answer is worth waiting for.
    Now(Answer, Instant),
    Failed(Instant, Arc<UpstreamError>),
    /// A client was told.
    Told(Instant),
}

impl Upstream {
    /// Upstream's models: known ones at once; others are waited for, not longer than `until`. `client` is the
    /// `Authorization` that a client sends along, for an upstream that asks for one.
    pub async fn models(self: &Arc<Self>, client: Option<&HeaderValue>, until: Instant) -> Models {
        let client = client.filter(|_| self.key.is_none());
        let Told { list, wants_key } = self.known.told.read().clone();
        let with_key = client.filter(|_| wants_key);
        if let Some((models, at)) = list {
            if at.elapsed() > MODELS_FRESH && (with_key.is_some() || !wants_key) {
                // Whoever comes next has what it finds.
                let _ = self.ask(with_key, PAUSE);
            }
            return Ok(models);
        }
        let told = self.told(with_key, PAUSE, until).await;
        match (&told, client) {
            (Err(error), Some(_)) if with_key.is_none() && error.is_refusal() => {
                self.told(client, PAUSE, until).await
            }
            _ => told,
        }
    }

    /// Upstream's models as it tells them now, or told a moment ago. Where it tells them to nobody without a key, what it
    /// told to a client.
    pub async fn models_now(self: &Arc<Self>, moment: Duration) -> Models {
        let known = self.known.told.read().list.clone();
        match known {
            Some((models, at)) if at.elapsed() < moment => return Ok(models),
            _ => {}
        }
        let told = self.told(None, Duration::ZERO, Instant::now() + MODELS_PATIENCE).await;
        told.or_else(|error| match self.models_told() {
            Some(models) if error.is_refusal() && !models.is_empty() => Ok(models),
            _ => Err(error),
        })
    }

    /// Upstream's models as it told them last, if it ever did.
    pub fn models_told(&self) -> Option<Arc<Vec<Model>>> {
        self.known.told.read().list.as_ref().map(|(models, _)| models.clone())
    }

    /// Takes note of a list that upstream sent to somebody else: to a client with its own key, or to one without.
    pub fn learn_models(&self, body: &[u8], with_clients_key: bool) {
        if let Some(models) = (self.read_models)(body) {
            self.note(models, with_clients_key && self.key.is_none());
        }
    }

    /// The window of a model in tokens: as configured, or as upstream tells. A name that is not listed has the window that
    /// all listed ones have, since llama.cpp serves any name and vLLM its own model where none is named.
    pub async fn window(
        self: &Arc<Self>,
        model: Option<&str>,
        client: Option<&HeaderValue>,
        until: Instant,
    ) -> Option<u64> {
        if let Some(window) = model.and_then(|model| self.windows.get(model)).copied().or(self.window) {
            return Some(window);
        }
        let mut models = self.models(client, until).await.ok()?;
        let is_listed = |name: &str| models.iter().any(|(id, _)| id == name);
        // What another client was told may lack what this one may use.
        if model.is_some_and(|model| !is_listed(model))
            && let Some(key) = self.untold(client)
            && let Ok(told) = self.told(Some(key), PAUSE, until).await
        {
            models = told;
        }
        match models.iter().find(|(id, _)| Some(id.as_str()) == model) {
            Some((_, window)) => *window,
            None => {
                let first = models.first()?.1;
                first.filter(|_| models.iter().all(|(_, window)| *window == first))
            }
        }
    }

    /// Whether the known models are all that a client may use: an upstream that asks for keys tells each its own.
    pub fn has_told_all(&self, client: Option<&HeaderValue>) -> bool {
        self.untold(client).is_none()
    }

    /// The key of a client, where upstream tells nothing without one and told nothing to this one of late.
    fn untold<'a>(&self, client: Option<&'a HeaderValue>) -> Option<&'a HeaderValue> {
        let client = client.filter(|_| self.key.is_none() && self.known.told.read().wants_key)?;
        let asker = Some(self.known.hasher.hash_one(client));
        let asking = self.known.asking.lock();
        let was_told = matches!(asking.get(&asker), Some(Asking::Told(at)) if at.elapsed() < MODELS_FRESH);
        (!was_told).then_some(client)
    }

    /// What is told to one who asks, and waits for it no longer than `until`.
    async fn told(self: &Arc<Self>, client: Option<&HeaderValue>, pause: Duration, until: Instant) -> Models {
        let (mut answer, worth_it) = match self.ask(client, pause) {
            Ok(asked) => asked,
            Err(error) => return Err(error),
        };
        let until = until.min(worth_it);
        let waited = tokio::time::timeout_at(until.into(), answer.wait_for(Option::is_some)).await;
        let told = match &waited {
            Ok(Ok(told)) => (**told).clone(),
            // Too late, or the task that asks is gone.
            Ok(Err(_)) | Err(_) => None,
        };
        told.unwrap_or_else(|| Err(Arc::new(self.late(MODELS_PATIENCE))))
    }

    fn late(&self, after: Duration) -> UpstreamError {
        UpstreamError::HeaderTimeout { base: self.base.to_string(), after }
    }

    /// Asks, unless somebody does already, or failed less than `pause` ago. The moment until which the answer is worth
    /// waiting for comes with it, the same for all who wait.
    fn ask(
        self: &Arc<Self>,
        client: Option<&HeaderValue>,
        pause: Duration,
    ) -> Result<(Answer, Instant), Arc<UpstreamError>> {
        let asker = client.map(|key| self.known.hasher.hash_one(key));
        let mut asking = self.known.asking.lock();
        let patience = match asking.get(&asker) {
            // A task that died leaves no answer.
            Some(Asking::Now(answer, until)) if answer.has_changed().is_ok() => {
                return Ok((answer.clone(), *until));
            }
            Some(Asking::Failed(at, error)) if at.elapsed() < pause => return Err(error.clone()),
            Some(Asking::Failed(..)) => SECOND_PATIENCE,
            Some(Asking::Now(..) | Asking::Told(_)) | None => MODELS_PATIENCE,
        };
        if asking.len() >= MOST_ASKERS {
            asking.retain(|_, asking| matches!(asking, Asking::Now(..)));
        }
        let (tell, answer) = watch::channel(None);
        let until = Instant::now() + patience;
        asking.insert(asker, Asking::Now(answer.clone(), until));
        drop(asking);
        let (upstream, client) = (self.clone(), client.cloned());
        tokio::spawn(async move {
            let told = upstream.fetch(client).await;
            let mut asking = upstream.known.asking.lock();
            match &told {
                Ok(_) if asker.is_some() => asking.insert(asker, Asking::Told(Instant::now())),
                Ok(_) => asking.remove(&asker),
                Err(error) => asking.insert(asker, Asking::Failed(Instant::now(), error.clone())),
            };
            drop(asking);
            // Nobody may be waiting any more.
            let _ = tell.send(Some(told));
        });
        Ok((answer, until))
    }

    async fn fetch(&self, client: Option<HeaderValue>) -> Models {
        let with_key = client.is_some();
        let fetched = tokio::time::timeout(GIVEN_UP, self.fetch_models(client)).await;
        let fetched = fetched.unwrap_or_else(|_| Err(self.late(GIVEN_UP)));
        match fetched {
            Ok(models) => {
                if !with_key {
                    self.known.told.write().wants_key = false;
                }
                Ok(self.note(models, with_key))
            }
            Err(error @ UpstreamError::NotModels { .. }) => match self.models_told() {
                // It is there and lists nothing: not to be asked again for every request.
                None => {
                    tracing::warn!(%error, "the model's window is not known: set --window");
                    Ok(self.note(Vec::new(), with_key))
                }
                // Rather what stands in front of it: models do not vanish in this way.
                Some(_) => Err(Arc::new(error)),
            },
            Err(error) => {
                if error.is_refusal() && !with_key && self.key.is_none() {
                    self.known.told.write().wants_key = true;
                }
                tracing::debug!(%error, "no list of models");
                Err(Arc::new(error))
            }
        }
    }

    async fn fetch_models(&self, client: Option<HeaderValue>) -> Result<Vec<Model>, UpstreamError> {
        let mut headers = HeaderMap::new();
        headers.extend(client.map(|key| (AUTHORIZATION, secret(key))));
        let response = self.send(Method::GET, "/models", headers, full(Bytes::new())).await?;
        let (status, base) = (response.status(), self.base.to_string());
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(UpstreamError::Refused { base, status: status.as_u16() });
            }
            StatusCode::NOT_FOUND => {}
            status if status.is_success() => {}
            status => return Err(UpstreamError::NoList { base, status: status.as_u16() }),
        }
        let body = self.read_whole(response.into_body()).await?;
        let not_models = UpstreamError::NotModels { base, status: status.as_u16() };
        (self.read_models)(&body).filter(|_| status.is_success()).ok_or(not_models)
    }

    /// Keeps a list. What one client was told is not all there is: it is joined to what is known.
    fn note(&self, mut models: Vec<Model>, to_a_client: bool) -> Arc<Vec<Model>> {
        let mut told = self.known.told.write();
        if let Some((before, _)) = told.list.as_ref().filter(|_| to_a_client) {
            let named: std::collections::HashSet<&str> = models.iter().map(|(id, _)| id.as_str()).collect();
            let others: Vec<Model> =
                before.iter().filter(|(id, _)| !named.contains(id.as_str())).cloned().collect();
            if models.len() + others.len() <= MOST_MODELS {
                models.extend(others);
            }
        }
        let models = Arc::new(models);
        told.list = Some((models.clone(), Instant::now()));
        models
    }
}

/// A client's key as a header that no log shows.
pub(super) fn secret(mut key: HeaderValue) -> HeaderValue {
    key.set_sensitive(true);
    key
}
