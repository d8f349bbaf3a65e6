//! Jobs that wait, are taken, given back, and owed.

use std::time::Instant;

use lastro::store::*;

use super::state::{State, Work};

impl State {
    /// Work on a document that begins, at once.
    pub fn enqueue(&mut self, key: DocumentKey) {
        let (not_before, stage) = (Instant::now(), Stage::Extract);
        let job = Work { stage, attempts: 0, failures: 0, not_before, is_owed: false, taken: None };
        self.jobs.insert(key, job);
    }

    /// What waits after a failure is tried at once.
    pub fn hurry(&mut self, key: DocumentKey) {
        if let Some(job) = self.jobs.get_mut(&key) {
            (job.failures, job.not_before) = (0, Instant::now());
        }
    }

    /// Vectors of a completed document are to be computed once more.
    pub fn owe(&mut self, key: DocumentKey) -> &mut Work {
        let (not_before, stage) = (Instant::now(), Stage::Embed);
        let new = Work { stage, attempts: 0, failures: 0, not_before, is_owed: true, taken: None };
        let job = self.jobs.entry(key).or_insert(new);
        job.attempts = 0;
        job
    }

    /// The oldest free job whose time has come, or else the oldest that another worker has left.
    pub fn take_job(&mut self, worker: &str, until: Instant) -> Result<Option<Job>> {
        let now = Instant::now();
        let is_free = |job: &Work| job.taken.is_none() && job.not_before <= now;
        let is_left =
            |job: &Work| job.taken.as_ref().is_some_and(|(by, until)| by != worker && *until <= now);
        let first = |which: &dyn Fn(&Work) -> bool| {
            let jobs = self.jobs.iter().filter(|(_, job)| which(job));
            jobs.map(|(key, job)| (job.is_owed, *key)).min()
        };
        let Some((_, key)) = first(&is_free).or_else(|| first(&is_left)) else { return Ok(None) };
        let document = self.record(self.by_key(key)?)?;
        Ok(self.jobs.get_mut(&key).map(|job| {
            job.attempts += 1;
            job.taken = Some((worker.to_owned(), until));
            Job { document, stage: job.stage, attempts: job.attempts, failures: job.failures }
        }))
    }

    /// Frees a job of a worker, and does not count the attempt.
    pub fn give_back(&mut self, worker: &str, key: DocumentKey) -> Option<&mut Work> {
        let of_worker = |job: &&mut Work| job.taken.as_ref().is_some_and(|(by, _)| by == worker);
        let job = self.jobs.get_mut(&key).filter(of_worker)?;
        job.attempts = job.attempts.saturating_sub(1);
        job.taken = None;
        Some(job)
    }

    pub fn release_jobs(&mut self, worker: &str) {
        let now = Instant::now();
        for job in self.jobs.values_mut() {
            job.taken.take_if(|(by, until)| by == worker || *until <= now);
        }
        let warned = self.documents.iter().filter(|document| document.warning.is_some());
        let (crashed, owed): (Vec<_>, Vec<_>) = warned.partition(|document| {
            document.warning.as_ref().is_some_and(|warning| warning.code == Warning::EMBEDDING_CRASHED)
        });
        // Those that stopped the process wait on: tried at each start, they would stop each.
        let crashed: Vec<DocumentKey> = crashed.into_iter().map(|document| document.key).collect();
        let owed = owed.into_iter().filter(|document| document.status == Status::Completed);
        let owed: Vec<DocumentKey> = owed.map(|document| document.key).collect();
        for (_, job) in self.jobs.iter_mut().filter(|(key, _)| !crashed.contains(key)) {
            if job.taken.is_none() {
                (job.failures, job.not_before) = (0, now);
            }
        }
        for key in owed {
            if !self.jobs.contains_key(&key) {
                self.owe(key);
            }
        }
    }
}
