//! Texts of several callers, computed together; and what a failure of the computation becomes.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::oneshot;

use super::error::EmbedError;
use super::model::Model;
use super::sides::Side;

/// A vector for each text, or why it has none.
pub type Reply = Vec<Result<Vec<f32>, EmbedError>>;

/// A text to be computed.
pub enum Text {
    /// Tokenised when its turn comes, with its side's prefix, and cut at the window.
    Written(Side, String),
    /// Tokens as they are.
    Encoded(Vec<u32>),
}

/// Texts of one caller, answered all at once.
pub struct Job {
    texts: VecDeque<Text>,
    vectors: Reply,
    reply: oneshot::Sender<Reply>,
    _counted: Counted,
}

/// Texts counted as waiting for as long as this lives.
struct Counted {
    texts: usize,
    waiting: Arc<AtomicUsize>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.texts, Relaxed);
    }
}

/// The next texts of the first jobs of a queue.
#[derive(Default)]
pub struct Batch {
    pub texts: Vec<Vec<u32>>,
    /// What is of each job, from the queue's front.
    shares: Vec<Vec<Share>>,
    pub tokens: usize,
}

/// A text of a job.
enum Share {
    /// One of the batch's texts.
    Computed,
    /// It could not be tokenised.
    Failed(EmbedError),
}

impl Batch {
    /// Takes texts from the front of `jobs` up to `budget` tokens, at least one. Jobs without a caller are dropped.
    pub fn take(jobs: &mut VecDeque<Job>, model: &Model, budget: usize) -> Self {
        jobs.retain(|job| !job.reply.is_closed());
        let mut batch = Batch::default();
        let mut full = false;
        while !full && batch.shares.len() < jobs.len() {
            let at = batch.shares.len();
            full = !batch.fill(&mut jobs[at], model, budget);
        }
        batch
    }

    /// Takes texts of one job. False once the budget is used up.
    fn fill(&mut self, job: &mut Job, model: &Model, budget: usize) -> bool {
        let mut share = Vec::new();
        let mut more = true;
        while let Some(text) = job.texts.pop_front() {
            let encoded = match text {
                Text::Encoded(ids) => Ok(ids),
                Text::Written(side, text) => catch(|| model.encode(side, &text).map_err(|e| e.to_string())),
            };
            match encoded {
                Ok(ids) if !self.texts.is_empty() && self.tokens + ids.len() > budget => {
                    job.texts.push_front(Text::Encoded(ids));
                    more = false;
                    break;
                }
                Ok(ids) => {
                    self.tokens += ids.len();
                    self.texts.push(ids);
                    share.push(Share::Computed);
                }
                Err(error) => share.push(Share::Failed(error)),
            }
        }
        self.shares.push(share);
        more
    }

    /// Computes the batch, and answers and removes the jobs that are complete. One that is not goes to the end of the
    /// queue: callers take turns, so that few texts need not wait for many.
    pub fn run(self, jobs: &mut VecDeque<Job>, model: &Model, pause: &mut dyn FnMut()) {
        let mut vectors = compute(model, &self.texts, pause).into_iter();
        let mut unfinished = VecDeque::new();
        for (mut job, share) in jobs.drain(..self.shares.len()).zip(self.shares) {
            let computed = share.into_iter().map(|text| match text {
                Share::Computed => vectors.next().unwrap_or_else(|| Err(missing())),
                Share::Failed(error) => Err(error),
            });
            job.vectors.extend(computed);
            match job.texts.is_empty() {
                true => job.answer(),
                false => unfinished.push_back(job),
            }
        }
        jobs.append(&mut unfinished);
    }
}

impl Job {
    /// Its texts count as `waiting` until it is answered or given up.
    pub fn new(
        texts: impl IntoIterator<Item = Text>,
        reply: oneshot::Sender<Reply>,
        waiting: &Arc<AtomicUsize>,
    ) -> Self {
        let texts: VecDeque<Text> = texts.into_iter().collect();
        waiting.fetch_add(texts.len(), Relaxed);
        let _counted = Counted { texts: texts.len(), waiting: waiting.clone() };
        Job { texts, vectors: Vec::new(), reply, _counted }
    }

    fn answer(self) {
        // The caller may have left since; then nobody needs the answer.
        let _left = self.reply.send(self.vectors);
    }
}

/// The vectors of texts. Where those of all cannot be computed together, those of each half are: in the end only a text
/// fails that fails by itself, and a batch too large for a device's memory becomes smaller ones.
fn compute(model: &Model, texts: &[Vec<u32>], pause: &mut dyn FnMut()) -> Reply {
    match catch(|| model.embed(texts, pause).map_err(|e| e.to_string())) {
        Ok(vectors) => vectors.into_iter().map(Ok).collect(),
        Err(error) if texts.len() <= 1 => texts.iter().map(|_| Err(error.clone())).collect(),
        Err(_) => {
            let (first, second) = texts.split_at(texts.len() / 2);
            let mut vectors = compute(model, first, pause);
            vectors.extend(compute(model, second, pause));
            vectors
        }
    }
}

fn missing() -> EmbedError {
    EmbedError::Failed("the model gave fewer vectors than there were texts".to_owned())
}

/// Runs `work`, a panic being an error as well.
pub fn catch<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, EmbedError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(reason(&*panic)))
        .map_err(EmbedError::Failed)
}

fn reason(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or(panic.downcast_ref::<String>().map(String::as_str));
    format!("the computation panicked: {}", text.unwrap_or("without a message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        let error = catch::<()>(|| panic!("by a test")).expect_err("fails");
        assert!(error.to_string().contains("by a test"), "{error}");
    }
}
