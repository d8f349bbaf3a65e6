//! Text embeddings, computed in this process.
//!
//! [`Embeddings`] is a handle to one thread that loads a model folder and then answers: questions
//! before passages, several callers in one batch. Imports nothing from the rest of the crate.

mod batch;
mod bert;
mod device;
mod kernels;
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

use tokio::sync::watch;
use tracing::{error, info};

pub use device::DeviceChoice;
pub use model::{ModelError, ModelInfo};
pub use profile::Languages;

use model::{Model, Side};
use queue::Queue;

/// Where the model stands.
#[derive(Clone)]
pub enum State {
    Loading,
    Ready(Arc<ModelInfo>),
    /// Why it could not be loaded, with what to do.
    Failed(String),
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum EmbedError {
    #[error("the embedding model is still being loaded")]
    NotReady,
    #[error("there is no embedding model: {0}")]
    NoModel(String),
    #[error("the embedding failed: {0}")]
    Failed(String),
}

/// A handle to the embedding thread. The thread ends when the last handle is gone.
#[derive(Clone)]
pub struct Embeddings {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Arc<Queue>,
    state: watch::Receiver<State>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Embeddings {
    /// Starts the thread, which loads the model in `folder`. Returns at once.
    pub fn start(folder: PathBuf, device: DeviceChoice) -> Self {
        let queue = Arc::new(Queue::default());
        let (sender, state) = watch::channel(State::Loading);
        let sender = Arc::new(sender);
        let (thread_queue, thread_sender) = (queue.clone(), sender.clone());
        let run = move || match load(folder, device) {
            Ok(model) => {
                thread_sender.send_replace(State::Ready(model.info.clone()));
                queue::work(&thread_queue, &model);
            }
            Err(reason) => {
                error!("embeddings are not available: {reason}");
                thread_sender.send_replace(State::Failed(reason));
            }
        };
        if let Err(error) = std::thread::Builder::new().name("embedding".to_owned()).spawn(run) {
            sender.send_replace(State::Failed(format!("the embedding thread cannot be started: {error}")));
        }
        Embeddings { shared: Arc::new(Shared { queue, state }) }
    }

    pub fn state(&self) -> State {
        self.shared.state.borrow().clone()
    }

    /// Waits until the model is loaded, or could not be.
    pub async fn ready(&self) -> Result<Arc<ModelInfo>, EmbedError> {
        let mut state = self.shared.state.clone();
        // An error means that the thread is gone, which the last state explains.
        let _gone = state.wait_for(|state| !matches!(state, State::Loading)).await;
        self.loaded()
    }

    /// The vector of a question; [`EmbedError::NotReady`] while the model is loaded. Dropping the
    /// future takes the question out of the queue.
    pub async fn embed_query(&self, text: &str) -> Result<Vec<f32>, EmbedError> {
        self.loaded()?;
        let mut vectors = self.embed(Side::Query, vec![text.to_owned()]).await?;
        vectors.pop().ok_or_else(|| EmbedError::Failed("no vector was computed".to_owned()))
    }

    /// One vector for each passage, in their order. Waits for the model. Dropping the future takes
    /// what is not yet computed out of the queue.
    pub async fn embed_passages(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        self.ready().await?;
        self.embed(Side::Passage, texts).await
    }

    fn loaded(&self) -> Result<Arc<ModelInfo>, EmbedError> {
        match self.state() {
            State::Ready(info) => Ok(info),
            State::Loading => Err(EmbedError::NotReady),
            State::Failed(reason) => Err(EmbedError::NoModel(reason)),
        }
    }

    async fn embed(&self, side: Side, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        let reply = self.shared.queue.add(side, texts);
        reply.await.unwrap_or_else(|_| Err(EmbedError::Failed("the embedding thread has ended".to_owned())))
    }
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
