//! What people and pages ask.

use super::crew::WorkerView;
use super::job::Stage;
use super::state::State;
use crate::net::message::Progress;
use dask_core::TaskId;
use std::collections::HashMap;

/// A job, for people.
#[derive(Clone, Debug)]
pub struct JobView {
    /// Its id.
    pub name: String,
    /// `open`, `running`, `done` or `failed`.
    pub state: &'static str,
    /// Why it failed.
    pub error: Option<String>,
    /// How far it is.
    pub progress: Progress,
    /// Names of its outputs.
    pub outputs: Vec<String>,
}

impl State {
    /// The workers.
    pub fn workers(&self) -> Vec<WorkerView> {
        let mut views: Vec<WorkerView> = self.crew.workers.values().map(|w| w.view.clone()).collect();
        views.sort_by_key(|v| v.id);
        views
    }

    /// Workers that ever joined, and that left.
    pub fn turnover(&self) -> (u64, u64) {
        (self.crew.added, self.crew.removed)
    }

    /// A job, for people.
    pub fn view(&self, number: u32) -> Option<JobView> {
        let job = self.jobs.get(&number)?;
        let (state, error) = match &job.stage {
            Stage::Open => ("open", None),
            Stage::Running => ("running", None),
            Stage::Done => ("done", None),
            Stage::Failed { error, .. } => ("failed", Some(error.clone())),
        };
        Some(JobView {
            name: job.name.clone(),
            state,
            error,
            progress: job.progress(self.crew.peak()),
            outputs: job.outputs.iter().map(|o| o.name.clone()).collect(),
        })
    }

    /// The jobs, oldest first.
    pub fn views(&self) -> Vec<JobView> {
        let mut numbers: Vec<u32> = self.jobs.iter().filter(|(_, j)| !j.internal).map(|(n, _)| *n).collect();
        numbers.sort_unstable();
        numbers.into_iter().filter_map(|n| self.view(n)).collect()
    }

    /// Runs and seconds by template name, over all jobs that are kept.
    pub fn templates(&self) -> Vec<(String, u64, f64)> {
        let mut sums: HashMap<&str, (u64, f64)> = HashMap::new();
        for (name, runs, seconds) in self.jobs.values().flat_map(|j| j.table.classes()) {
            let sum = sums.entry(name).or_default();
            sum.0 += runs;
            sum.1 += seconds;
        }
        let mut sums: Vec<_> =
            sums.into_iter().map(|(name, (runs, s))| (name.to_string(), runs, s)).collect();
        sums.sort_by(|a, b| a.0.cmp(&b.0));
        sums
    }

    /// Since when the scheduler is idle, in seconds since 1970.
    pub fn idle_since(&mut self) -> Option<f64> {
        // Whoever is idle may be deleted, and with it what is on its way to a client.
        let busy =
            self.counts.planning > 0 || self.jobs.values().any(|j| j.ended.is_none() || j.delivering());
        if busy {
            self.idle_since = None;
        } else if self.idle_since.is_none() {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            self.idle_since = Some(now.unwrap_or_default().as_secs_f64());
        }
        self.idle_since
    }

    /// Finds a task by its key: in one job, or in the newest that has it.
    ///
    /// # Errors
    /// Names what is not there.
    pub fn explain(&self, job: Option<&str>, key: &str) -> Result<String, String> {
        let numbers: Vec<u32> = match job {
            Some(name) => vec![self.job_number(name).ok_or_else(|| format!("there is no job {name:?}"))?],
            None => {
                let mut all: Vec<u32> = self.jobs.keys().copied().collect();
                all.sort_unstable_by(|a, b| b.cmp(a));
                all
            }
        };
        for number in numbers {
            let Some(job) = self.jobs.get(&number) else { continue };
            let Some(local) = job.table.find(key) else { continue };
            let what = match &job.stage {
                Stage::Failed { error, .. } => format!("gone: the job failed: {error}"),
                _ => self.core_explains(TaskId { job: job.id, local }),
            };
            return Ok(format!("task {} of job {} is {what}", job.table.key(local), job.name));
        }
        Err(format!("no job has a task {key:?}; keys are written as x or ('x', 0, 1)"))
    }

    fn core_explains(&self, task: TaskId) -> String {
        match self.core.explain(task) {
            Some(explanation) => explanation.text(
                &|task| match self.jobs.get(&task.job.0) {
                    Some(job) => job.table.key(task.local),
                    None => format!("task {} of a job that is gone", task.local),
                },
                &|worker| match self.crew.workers.get(&worker.0) {
                    Some(worker) => worker.view.name.clone(),
                    None => "one that is gone".into(),
                },
            ),
            None => "computed, and its job is closed".into(),
        }
    }
}
