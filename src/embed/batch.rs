//! Texts of several callers, computed together; and what a failure of the computation becomes.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::oneshot;

use super::EmbedError;
use super::model::{Model, Side};

pub type Reply = Result<Vec<Vec<f32>>, EmbedError>;

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
    vectors: Vec<Vec<f32>>,
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
pub struct Batch {
    pub texts: Vec<Vec<u32>>,
    /// How many texts are of each job, from the queue's front.
    shares: Vec<usize>,
    pub tokens: usize,
}

impl Batch {
    /// Takes texts from the front of `jobs` up to `budget` tokens, at least one. Jobs without a
    /// caller are dropped, and those whose text cannot be tokenised are answered.
    pub fn take(jobs: &mut VecDeque<Job>, model: &Model, budget: usize) -> Self {
        jobs.retain(|job| !job.reply.is_closed());
        let mut batch = Batch { texts: Vec::new(), shares: Vec::new(), tokens: 0 };
        let mut full = false;
        while !full && batch.shares.len() < jobs.len() {
            let at = batch.shares.len();
            let before = batch.texts.len();
            match batch.fill(&mut jobs[at], model, budget) {
                Ok(more) => {
                    full = !more;
                    batch.shares.push(batch.texts.len() - before);
                }
                Err(error) => {
                    batch.tokens -= batch.texts.drain(before..).map(|ids| ids.len()).sum::<usize>();
                    if let Some(job) = jobs.remove(at) {
                        job.answer(Err(error));
                    }
                }
            }
        }
        batch
    }

    /// Takes texts of one job. False once the budget is used up.
    fn fill(&mut self, job: &mut Job, model: &Model, budget: usize) -> Result<bool, EmbedError> {
        while let Some(text) = job.texts.pop_front() {
            let ids = match text {
                Text::Encoded(ids) => ids,
                Text::Written(side, text) => catch(|| model.encode(side, &text).map_err(|e| e.to_string()))?,
            };
            if !self.texts.is_empty() && self.tokens + ids.len() > budget {
                job.texts.push_front(Text::Encoded(ids));
                return Ok(false);
            }
            self.tokens += ids.len();
            self.texts.push(ids);
        }
        Ok(true)
    }

    /// Computes the batch, and answers and removes the jobs that are complete. One that is not goes to the end of the
    /// queue: callers take turns, so that few texts need not wait for many.
    pub fn run(self, jobs: &mut VecDeque<Job>, model: &Model, pause: &mut dyn FnMut()) {
        let result = catch(|| model.embed(&self.texts, pause).map_err(|e| e.to_string()));
        let mut vectors = match &result {
            Ok(vectors) => vectors.iter().cloned(),
            Err(_) => [].iter().cloned(),
        };
        let mut unfinished = VecDeque::new();
        for (mut job, share) in jobs.drain(..self.shares.len()).zip(&self.shares) {
            job.vectors.extend(vectors.by_ref().take(*share));
            match &result {
                Err(error) => job.answer(Err(error.clone())),
                Ok(_) if job.texts.is_empty() => {
                    let vectors = std::mem::take(&mut job.vectors);
                    job.answer(Ok(vectors));
                }
                Ok(_) => unfinished.push_back(job),
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

    fn answer(self, reply: Reply) {
        // The caller may have left since; then nobody needs the answer.
        let _left = self.reply.send(reply);
    }
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
