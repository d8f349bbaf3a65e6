//! Who waits for embeddings, and the loop of the one thread that computes them.
//!
//! Questions of searches go first: everything else is computed in batches of about [`BATCH_TIME`],
//! and questions that arrive meanwhile are answered between two layers of such a batch. The others,
//! ingestion and whoever asks for embeddings, take turns by the batch. A caller who has left is
//! skipped. A batch that fails or panics is computed in halves: only the texts that fail by themselves are answered with
//! an error, and the loop goes on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::batch::{Batch, Job, Reply, Text};
use super::model::Model;

/// How long a batch should take on the CPU: the wait of a model change or a shutdown,
/// and the share of work lost when its caller has left. Larger batches are not faster.
const BATCH_TIME: Duration = Duration::from_millis(100);
/// The bounds of a batch on the CPU, in tokens.
const CPU_BATCH: (usize, usize) = (256, 4096);
/// The tokens of a batch on a GPU, which needs many to be busy.
const GPU_BATCH: usize = 16_384;
/// The most tokens of questions computed together. One text always fits.
const QUESTION_BATCH: usize = 512;

/// How soon a job is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// A question that somebody's answer waits for.
    First,
    /// In turn.
    InTurn,
}

#[derive(Default)]
struct Waiting {
    questions: VecDeque<Job>,
    others: VecDeque<Job>,
    closed: bool,
}

/// Jobs on their way to the embedding thread.
#[derive(Default)]
pub struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    texts: Arc<AtomicUsize>,
}

impl Queue {
    /// Adds a job. Dropping the receiver takes it back.
    pub fn add(&self, urgency: Urgency, texts: impl IntoIterator<Item = Text>) -> oneshot::Receiver<Reply> {
        let (reply, receiver) = oneshot::channel();
        let job = Job::new(texts, reply, &self.texts);
        let mut waiting = self.waiting.lock();
        match urgency {
            Urgency::First => waiting.questions.push_back(job),
            Urgency::InTurn => waiting.others.push_back(job),
        }
        self.arrived.notify_one();
        receiver
    }

    /// Texts whose callers wait.
    pub fn texts(&self) -> usize {
        self.texts.load(Relaxed)
    }

    /// Lets the thread end once nobody waits.
    pub fn close(&self) {
        self.waiting.lock().closed = true;
        self.arrived.notify_one();
    }

    fn take_questions(&self) -> VecDeque<Job> {
        std::mem::take(&mut self.waiting.lock().questions)
    }

    /// Moves what waits for its turn to `to`; sleeps while there is nothing to do at all. False at the end.
    fn wait(&self, to: &mut VecDeque<Job>) -> bool {
        let mut waiting = self.waiting.lock();
        while to.is_empty() && waiting.questions.is_empty() && waiting.others.is_empty() {
            if waiting.closed {
                return false;
            }
            self.arrived.wait(&mut waiting);
        }
        to.append(&mut waiting.others);
        true
    }
}

/// Computes what waits in `queue` until it is closed.
pub fn work(queue: &Queue, model: &Model) {
    let mut jobs = VecDeque::new();
    let mut budget = if model.on_cpu() { CPU_BATCH.0 } else { GPU_BATCH };
    while queue.wait(&mut jobs) {
        answer_questions(queue, model);
        let batch = Batch::take(&mut jobs, model, budget);
        let tokens = batch.tokens;
        let (start, mut interrupted) = (Instant::now(), Duration::ZERO);
        batch.run(&mut jobs, model, &mut || {
            let start = Instant::now();
            answer_questions(queue, model);
            interrupted += start.elapsed();
        });
        if model.on_cpu() && tokens > 0 {
            budget = next_budget(budget, tokens, start.elapsed().saturating_sub(interrupted));
        }
    }
}

/// The tokens that take [`BATCH_TIME`] at the measured speed, going there by halves because one
/// measurement may be off.
fn next_budget(budget: usize, tokens: usize, took: Duration) -> usize {
    let fitting = tokens as f64 * BATCH_TIME.as_secs_f64() / took.as_secs_f64().max(1e-6);
    let (least, most) = CPU_BATCH;
    usize::midpoint(budget, fitting.min(most as f64) as usize).clamp(least, most)
}

fn answer_questions(queue: &Queue, model: &Model) {
    loop {
        let mut questions = queue.take_questions();
        if questions.is_empty() {
            return;
        }
        while !questions.is_empty() {
            let batch = Batch::take(&mut questions, model, QUESTION_BATCH);
            batch.run(&mut questions, model, &mut || {});
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sides::Side;
    use super::super::tests::load;
    use super::super::tests::tiny::tiny_model;
    use super::*;

    fn passages(count: usize) -> Vec<Text> {
        (0..count).map(|i| Text::Written(Side::Passage, "cats sat on mats ".repeat(i % 4))).collect()
    }

    #[test]
    fn a_question_is_answered_inside_a_batch_of_passages() {
        let model = load(tiny_model().path()).expect("loads");
        let queue = Queue::default();
        let mut ingestion = queue.add(Urgency::InTurn, passages(8));
        let mut jobs = VecDeque::new();
        assert!(queue.wait(&mut jobs));
        let batch = Batch::take(&mut jobs, &model, 4096);
        let mut question = queue.add(Urgency::First, passages(1));
        let mut order = Vec::new();
        batch.run(&mut jobs, &model, &mut || {
            answer_questions(&queue, &model);
            order.push((question.try_recv().is_ok(), ingestion.try_recv().is_ok()));
        });
        assert_eq!(order[0], (true, false));
        assert_eq!(ingestion.try_recv().expect("answered").len(), 8);
    }

    #[test]
    fn a_caller_who_left_is_not_computed_for() {
        let model = load(tiny_model().path()).expect("loads");
        let queue = Queue::default();
        drop(queue.add(Urgency::InTurn, passages(8)));
        let stays = queue.add(Urgency::InTurn, passages(3));
        let mut jobs = VecDeque::new();
        assert!(queue.wait(&mut jobs));
        let batch = Batch::take(&mut jobs, &model, 4096);
        assert_eq!(batch.texts.len(), 3);
        drop(stays);
        assert!(Batch::take(&mut jobs, &model, 4096).texts.is_empty());
    }

    #[test]
    fn a_budget_splits_jobs_that_take_turns_and_one_text_always_fits() {
        let model = load(tiny_model().path()).expect("loads");
        let queue = Queue::default();
        let mut answers = [queue.add(Urgency::InTurn, passages(5)), queue.add(Urgency::InTurn, passages(2))];
        queue.close();
        let mut jobs = VecDeque::new();
        let mut sizes = Vec::new();
        while queue.wait(&mut jobs) {
            let batch = Batch::take(&mut jobs, &model, 9);
            sizes.push(batch.tokens);
            batch.run(&mut jobs, &model, &mut || {});
        }
        // Lengths with special tokens: 2, 6, 10, 14, 2 and 2, 6. The second caller comes after one batch of the first.
        assert_eq!(sizes, [8, 8, 10, 14, 2]);
        let counts = answers.each_mut().map(|answer| answer.try_recv().expect("answered").len());
        assert_eq!(counts, [5, 2]);
    }

    #[test]
    fn the_budget_follows_the_measured_speed_within_its_bounds() {
        assert_eq!(next_budget(1000, 1000, BATCH_TIME), 1000);
        assert_eq!(next_budget(1000, 1000, BATCH_TIME / 2), 1500);
        assert_eq!(next_budget(1000, 10, BATCH_TIME), CPU_BATCH.0.max(505));
        assert_eq!(next_budget(4096, 4096, Duration::ZERO), 4096);
    }
}
