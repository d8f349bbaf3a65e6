//! Text embeddings.
//!
//! [`Embeddings`] is the one way to vectors: questions of searches, passages of documents, and texts of clients all go
//! through it. Behind it is one thread of this process that loads a model folder and then answers: questions of searches
//! before all else, several callers in one batch.

mod batch;
mod bert;
mod calibration;
mod config;
mod device;
mod error;
mod generic;
mod info;
mod kernels;
#[cfg(test)]
mod layouts;
mod local;
mod model;
mod played;
mod profile;
mod queue;
mod rows;
mod sentence_transformers;
mod sides;
mod tokens;
mod weights;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

pub use calibration::Calibration;
pub use device::{DeviceChoice, gpu, has_gpu_driver};
pub use error::{EmbedError, ModelError};
pub use info::{ModelInfo, Relevance, State};
pub use profile::Languages;
pub use sides::Side;

use batch::{Reply, Text};
use local::Local;
use played::Played;
use queue::Urgency;

/// What any model can embed.
const PROBE: &str = "A plain sentence of a few words.";

/// A handle to the embedding model. Cheap to clone; the model goes when the last handle is dropped.
#[derive(Clone)]
pub struct Embeddings {
    model: Backend,
}

/// What computes the vectors.
#[derive(Clone)]
enum Backend {
    Local(Arc<Local>),
    Played(Arc<Played>),
}

/// Vectors of whole texts.
#[derive(Debug)]
pub struct Embedded {
    /// In the order of the texts.
    pub vectors: Vec<Vec<f32>>,
    /// That the model read: special ones and prefixes included.
    pub tokens: usize,
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
        Self { model: Backend::Local(Arc::new(Local::prepare(folder, device))) }
    }

    /// A model that a test plays: it is ready at once, and `answer` gives the vector of each text.
    pub fn played(info: ModelInfo, answer: played::Answer) -> Self {
        Self { model: Backend::Played(Arc::new(Played { info: Arc::new(info), answer })) }
    }

    /// Starts loading the model, unless that was done before. Returns at once.
    pub fn load(&self) {
        match &self.model {
            Backend::Local(local) => local.load(),
            Backend::Played(_) => {}
        }
    }

    /// The model's name, known before it is loaded.
    pub fn name(&self) -> &str {
        match &self.model {
            Backend::Local(local) => local.name(),
            Backend::Played(played) => &played.info.name,
        }
    }

    pub fn state(&self) -> State {
        match &self.model {
            Backend::Local(local) => local.state(),
            Backend::Played(played) => State::Ready(played.info.clone()),
        }
    }

    /// Texts that wait to be embedded, or are just now.
    pub fn waiting(&self) -> usize {
        match &self.model {
            Backend::Local(local) => local.waiting(),
            Backend::Played(_) => 0,
        }
    }

    /// The model, once it is loaded.
    pub fn info(&self) -> Result<Arc<ModelInfo>, EmbedError> {
        match self.state() {
            State::Ready(info) => Ok(info),
            State::Loading => Err(EmbedError::NotReady),
            State::Failed(reason) => Err(EmbedError::NoModel(reason)),
        }
    }

    /// Waits until the model is loaded, or could not be.
    pub async fn ready(&self) -> Result<Arc<ModelInfo>, EmbedError> {
        match &self.model {
            Backend::Local(local) => local.loaded().await,
            Backend::Played(_) => {}
        }
        self.info()
    }

    /// The vector of a question; [`EmbedError::NotReady`] while the model is loaded. Dropping the
    /// future takes the question out of the queue.
    pub async fn embed_query(&self, text: &str) -> Result<Vec<f32>, EmbedError> {
        self.info()?;
        let mut vectors = self.embed(Urgency::First, Side::Query, vec![text.to_owned()]).await?;
        vectors.pop().unwrap_or_else(|| Err(EmbedError::Failed("no vector was computed".to_owned())))
    }

    /// One vector for each passage, in their order, or why one has none: a text that cannot be embedded does not keep
    /// the others from it. Waits for the model. Dropping the future takes what is not yet computed out of the queue.
    pub async fn embed_passages(
        &self,
        texts: Vec<String>,
    ) -> Result<Vec<Result<Vec<f32>, EmbedError>>, EmbedError> {
        self.ready().await?;
        self.embed(Urgency::InTurn, Side::Passage, texts).await
    }

    /// Why a plain text cannot be embedded now, where that is so: then it is the model that does not work, and not a text.
    pub async fn check(&self) -> Result<(), EmbedError> {
        let reply = self.embed(Urgency::InTurn, Side::Passage, vec![PROBE.to_owned()]).await?;
        reply.into_iter().collect::<Result<Vec<_>, _>>()?;
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
        match &self.model {
            Backend::Local(local) => {
                let encoded = local.encode(side, texts, most).await?;
                let tokens = encoded.iter().map(Vec::len).sum();
                let vectors = local.embed(Urgency::InTurn, encoded.into_iter().map(Text::Encoded)).await?;
                Ok(Embedded { vectors: vectors.into_iter().collect::<Result<_, _>>()?, tokens })
            }
            Backend::Played(_) => Err(EmbedError::Failed("a played model has no tokens".to_owned())),
        }
    }

    /// The byte ranges of this model's tokens in a text, in order and without special tokens.
    pub fn token_spans(&self, text: &str) -> Result<Vec<Range<usize>>, EmbedError> {
        match &self.model {
            Backend::Local(local) => local.token_spans(text),
            Backend::Played(_) => Err(EmbedError::Failed("a played model has no tokens".to_owned())),
        }
    }

    async fn embed(&self, urgency: Urgency, side: Side, texts: Vec<String>) -> Result<Reply, EmbedError> {
        match &self.model {
            Backend::Local(local) => {
                local.embed(urgency, texts.into_iter().map(|text| Text::Written(side, text))).await
            }
            Backend::Played(played) => Ok(played.answer(&texts).await),
        }
    }
}
