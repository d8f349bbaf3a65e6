//! A model that is computed by a thread of this process.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::watch;
use tracing::{error, info};

use super::batch::{self, Reply, Text};
use super::device::{self, DeviceChoice};
use super::error::EmbedError;
use super::info::{ModelInfo, State};
use super::model::{self, Model};
use super::queue::{self, Queue, Urgency};
use super::sides::{Side, Sides};
use super::tokens::Whole;
use crate::tasks;

/// The way to the embedding thread, which ends when this is dropped.
pub struct Local {
    name: String,
    queue: Arc<Queue>,
    loading: watch::Receiver<Loading>,
    /// What the thread will do, until it is started.
    thread: Mutex<Option<Thread>>,
}

/// What became of loading the model: nothing yet, the model, or why there is none.
type Loading = Option<Result<Loaded, String>>;

/// What callers need of a model without waiting for the thread.
#[derive(Clone)]
struct Loaded {
    info: Arc<ModelInfo>,
    sides: Arc<Sides>,
}

struct Thread {
    folder: PathBuf,
    device: DeviceChoice,
    loading: watch::Sender<Loading>,
}

impl Drop for Local {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Local {
    /// The way to a thread that is still to be started, by [`Self::load`].
    pub fn prepare(folder: PathBuf, device: DeviceChoice) -> Self {
        let (sender, loading) = watch::channel(None);
        let name = model::name(&folder);
        let thread = Mutex::new(Some(Thread { folder, device, loading: sender }));
        Self { name, queue: Arc::default(), loading, thread }
    }

    /// Starts the thread, unless it was started before. Returns at once.
    pub fn load(&self) {
        let Some(Thread { folder, device, loading }) = self.thread.lock().take() else { return };
        let (queue, loading) = (self.queue.clone(), Arc::new(loading));
        let run = {
            let loading = loading.clone();
            move || match load(folder, device) {
                Ok(model) => {
                    let loaded = Loaded { info: model.info.clone(), sides: model.sides.clone() };
                    loading.send_replace(Some(Ok(loaded)));
                    queue::work(&queue, &model);
                }
                Err(reason) => {
                    error!("embeddings are not available: {reason}");
                    loading.send_replace(Some(Err(reason)));
                }
            }
        };
        if let Err(error) = std::thread::Builder::new().name("embedding".to_owned()).spawn(run) {
            let reason = format!("the embedding thread cannot be started: {error}");
            loading.send_replace(Some(Err(reason)));
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn state(&self) -> State {
        match &*self.loading.borrow() {
            None => State::Loading,
            Some(Ok(loaded)) => State::Ready(loaded.info.clone()),
            Some(Err(reason)) => State::Failed(reason.clone()),
        }
    }

    /// Texts that wait to be embedded, or are just now.
    pub fn waiting(&self) -> usize {
        self.queue.texts()
    }

    /// Waits until the model is loaded, or could not be.
    pub async fn loaded(&self) {
        let mut loading = self.loading.clone();
        // An error means that the thread is gone, which the last state explains.
        let _gone = loading.wait_for(Option::is_some).await;
    }

    /// A vector for each text, or why it has none. Dropping the future takes what is not yet computed out of the queue.
    pub async fn embed(
        &self,
        urgency: Urgency,
        texts: impl IntoIterator<Item = Text>,
    ) -> Result<Reply, EmbedError> {
        let reply = self.queue.add(urgency, texts);
        reply.await.map_err(|_| EmbedError::Failed("the embedding thread has ended".to_owned()))
    }

    /// The tokens of each text, none of them cut, or `most` of its first so many tokens.
    pub async fn encode(
        &self,
        side: Side,
        texts: Vec<String>,
        most: Option<usize>,
    ) -> Result<Vec<Vec<u32>>, EmbedError> {
        let Loaded { info, sides } = self.now()?;
        tasks::blocking(move || encode(&info, &sides, side, &texts, most)).await
    }

    /// The byte ranges of this model's tokens in a text.
    pub fn token_spans(&self, text: &str) -> Result<Vec<Range<usize>>, EmbedError> {
        self.now()?.sides.spans(text).map_err(|error| EmbedError::Failed(error.to_string()))
    }

    fn now(&self) -> Result<Loaded, EmbedError> {
        match &*self.loading.borrow() {
            None => Err(EmbedError::NotReady),
            Some(Ok(loaded)) => Ok(loaded.clone()),
            Some(Err(reason)) => Err(EmbedError::NoModel(reason.clone())),
        }
    }
}

fn encode(
    info: &ModelInfo,
    sides: &Sides,
    side: Side,
    texts: &[String],
    most: Option<usize>,
) -> Result<Vec<Vec<u32>>, EmbedError> {
    let mut encoded = Vec::with_capacity(texts.len());
    for (place, text) in texts.iter().enumerate() {
        let whole = match most {
            None => sides.encode_whole(side, text),
            Some(most) => sides.encode_first(side, text, most).map(Whole::Fits),
        };
        match whole.map_err(|error| EmbedError::Failed(error.to_string()))? {
            Whole::Fits(ids) => encoded.push(ids),
            Whole::TooLong { tokens, at_least } => {
                let (of, window) = (texts.len(), info.window);
                return Err(EmbedError::TooLong { place, of, tokens, at_least, window });
            }
        }
    }
    Ok(encoded)
}

fn load(folder: PathBuf, device: DeviceChoice) -> Result<Model, String> {
    let start = Instant::now();
    let loaded = batch::catch(|| {
        let (device, name) = device::open(device);
        Model::load(&folder, device, name).map_err(|error| error.to_string())
    });
    let model = loaded.map_err(|error| match error {
        EmbedError::Failed(reason) => reason,
        other => other.to_string(),
    })?;
    let info = &model.info;
    let seconds = start.elapsed().as_secs_f64();
    info!(model = info.name, device = info.device, seconds, "the embedding model is loaded");
    Ok(model)
}
