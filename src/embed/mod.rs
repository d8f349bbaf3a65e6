//! Text embeddings, computed in this process.
//!
//! [`Embeddings`] is a handle to one thread that loads a model folder and then answers: questions
//! of searches before all else, several callers in one batch. Imports nothing from the rest of the crate.

mod batch;
mod bert;
mod config;
mod device;
mod error;
mod kernels;
#[cfg(test)]
mod layouts;
mod model;
mod profile;
mod queue;
mod rows;
mod sentence_transformers;
mod tokens;
mod weights;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::watch;
use tracing::{error, info};

pub use device::{DeviceChoice, gpu, has_gpu_driver};
pub use error::{EmbedError, ModelError};
pub use model::{ModelInfo, Side};
pub use profile::Languages;

use batch::{Reply, Text};
use model::Model;
use queue::{Queue, Urgency};
use tokens::Whole;

use crate::tasks;

/// What any model can embed.
const PROBE: &str = "A plain sentence of a few words.";

/// Where the model stands.
#[derive(Clone)]
pub enum State {
    Loading,
    Ready(Arc<ModelInfo>),
    /// Why it could not be loaded, with what to do.
    Failed(String),
}

/// A handle to the embedding thread. The thread ends when the last handle is gone.
#[derive(Clone)]
pub struct Embeddings {
    shared: Arc<Shared>,
}

/// Vectors of whole texts.
#[derive(Debug)]
pub struct Embedded {
    /// In the order of the texts.
    pub vectors: Vec<Vec<f32>>,
    /// That the model read: special ones and prefixes included.
    pub tokens: usize,
}

struct Shared {
    name: String,
    queue: Arc<Queue>,
    state: watch::Receiver<State>,
    /// What the thread will do, until it is started.
    thread: Mutex<Option<Thread>>,
}

struct Thread {
    folder: PathBuf,
    device: DeviceChoice,
    state: watch::Sender<State>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Embeddings {
    /// Starts the thread, which loads the model in `folder`. Returns at once.
    pub fn start(folder: PathBuf, device: DeviceChoice) -> Self {
        let embeddings = Self::prepare(folder, device);
        embeddings.load();
        embeddings
    }

    /// The same with the thread still to be started: until [`Self::load`] the model counts as being loaded.
    pub fn prepare(folder: PathBuf, device: DeviceChoice) -> Self {
        let (sender, state) = watch::channel(State::Loading);
        let name = model::name(&folder);
        let thread = Mutex::new(Some(Thread { folder, device, state: sender }));
        Embeddings { shared: Arc::new(Shared { name, queue: Arc::default(), state, thread }) }
    }

    /// Starts the thread, unless it was started before. Returns at once.
    pub fn load(&self) {
        let Some(Thread { folder, device, state }) = self.shared.thread.lock().take() else { return };
        let (queue, state) = (self.shared.queue.clone(), Arc::new(state));
        let run = {
            let state = state.clone();
            move || match load(folder, device) {
                Ok(model) => {
                    state.send_replace(State::Ready(model.info.clone()));
                    queue::work(&queue, &model);
                }
                Err(reason) => {
                    error!("embeddings are not available: {reason}");
                    state.send_replace(State::Failed(reason));
                }
            }
        };
        if let Err(error) = std::thread::Builder::new().name("embedding".to_owned()).spawn(run) {
            state.send_replace(State::Failed(format!("the embedding thread cannot be started: {error}")));
        }
    }

    /// The model's name, known before it is loaded.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    pub fn state(&self) -> State {
        self.shared.state.borrow().clone()
    }

    /// Texts that wait to be embedded, or are just now.
    pub fn waiting(&self) -> usize {
        self.shared.queue.texts()
    }

    /// Waits until the model is loaded, or could not be.
    pub async fn ready(&self) -> Result<Arc<ModelInfo>, EmbedError> {
        let mut state = self.shared.state.clone();
        // An error means that the thread is gone, which the last state explains.
        let _gone = state.wait_for(|state| !matches!(state, State::Loading)).await;
        self.info()
    }

    /// The vector of a question; [`EmbedError::NotReady`] while the model is loaded. Dropping the
    /// future takes the question out of the queue.
    pub async fn embed_query(&self, text: &str) -> Result<Vec<f32>, EmbedError> {
        self.info()?;
        let text = Text::Written(Side::Query, text.to_owned());
        let mut vectors = self.embed(Urgency::First, [text]).await?;
        vectors.pop().unwrap_or_else(|| Err(EmbedError::Failed("no vector was computed".to_owned())))
    }

    /// One vector for each passage, in their order, or why one has none: a text that cannot be embedded does not keep
    /// the others from it. Waits for the model. Dropping the future takes what is not yet computed out of the queue.
    pub async fn embed_passages(
        &self,
        texts: Vec<String>,
    ) -> Result<Vec<Result<Vec<f32>, EmbedError>>, EmbedError> {
        self.ready().await?;
        let texts = texts.into_iter().map(|text| Text::Written(Side::Passage, text));
        self.embed(Urgency::InTurn, texts).await
    }

    /// Why a plain text cannot be embedded now, where that is so: then it is the model that does not work, and not a text.
    pub async fn check(&self) -> Result<(), EmbedError> {
        let probe = Text::Written(Side::Passage, PROBE.to_owned());
        self.embed(Urgency::InTurn, [probe]).await?.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(())
    }

    /// One vector for each text, none of them cut, or with `most` of its first so many tokens; [`EmbedError::NotReady`]
    /// while the model is loaded. Questions of searches go first. Dropping the future takes what is not yet computed out
    /// of the queue.
    pub async fn embed_texts(
        &self,
        side: Side,
        texts: Vec<String>,
        most: Option<usize>,
    ) -> Result<Embedded, EmbedError> {
        let info = self.info()?;
        let encoded = tasks::blocking(move || encode(&info, side, &texts, most)).await?;
        let tokens = encoded.iter().map(Vec::len).sum();
        let vectors = self.embed(Urgency::InTurn, encoded.into_iter().map(Text::Encoded)).await?;
        Ok(Embedded { vectors: vectors.into_iter().collect::<Result<_, _>>()?, tokens })
    }

    /// The model, once it is loaded.
    pub fn info(&self) -> Result<Arc<ModelInfo>, EmbedError> {
        match self.state() {
            State::Ready(info) => Ok(info),
            State::Loading => Err(EmbedError::NotReady),
            State::Failed(reason) => Err(EmbedError::NoModel(reason)),
        }
    }

    async fn embed(
        &self,
        urgency: Urgency,
        texts: impl IntoIterator<Item = Text>,
    ) -> Result<Reply, EmbedError> {
        let reply = self.shared.queue.add(urgency, texts);
        reply.await.map_err(|_| EmbedError::Failed("the embedding thread has ended".to_owned()))
    }
}

fn encode(
    info: &ModelInfo,
    side: Side,
    texts: &[String],
    most: Option<usize>,
) -> Result<Vec<Vec<u32>>, EmbedError> {
    let mut encoded = Vec::with_capacity(texts.len());
    for (place, text) in texts.iter().enumerate() {
        let whole = match most {
            None => info.encode_whole(side, text),
            Some(most) => info.encode_first(side, text, most).map(Whole::Fits),
        };
        match whole.map_err(|error| EmbedError::Failed(error.to_string()))? {
            Whole::Fits(ids) => encoded.push(ids),
            Whole::TooLong { tokens, at_least } => {
                let (of, window) = (texts.len(), info.window());
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
