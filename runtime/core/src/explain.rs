//! Why a task is where it is.

use crate::core::Core;
use crate::event::{Priority, TaskId, WorkerId};
use crate::place::is_ready;
use crate::task::State;

/// Names that an explanation lists at most.
const MOST: usize = 8;

/// What there is to say about a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Which.
    pub task: TaskId,
    /// The name of its class.
    pub class: String,
    /// Where it is in its life.
    pub state: State,
    /// Its place in the order.
    pub priority: Priority,
    /// Why it does not run, or where it or its result is.
    pub why: Why,
    /// Times that it failed so far.
    pub failures: u32,
    /// Workers that died while they may have run it.
    pub killed: Vec<String>,
}

/// Why a task does not run, or where it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Why {
    /// Inputs are not computed.
    Inputs {
        /// How many.
        count: u32,
        /// The first few, each with its state.
        first: Vec<(TaskId, State)>,
    },
    /// No worker may run it.
    NoWorker {
        /// It needs Python.
        python: bool,
        /// Only these may run it; empty for any.
        workers: Vec<String>,
        /// Resources that it needs.
        resources: Vec<(String, f64)>,
        /// Workers there are.
        present: u32,
    },
    /// Every worker that may run it is paused or retiring.
    Paused {
        /// How many there are.
        workers: u32,
    },
    /// Its resources are taken.
    Resource {
        /// The one that is short.
        name: String,
        /// What it needs.
        needed: f64,
        /// The most that a worker has free.
        free: f64,
    },
    /// No worker has room for its bytes at the moment.
    Memory {
        /// Bytes needed on the worker that has most room.
        needed: u64,
        /// Bytes free there.
        free: u64,
        /// That worker.
        worker: WorkerId,
    },
    /// It waits for its turn on the scheduler.
    Queued {
        /// Tasks before it in its queue.
        ahead: u64,
        /// The worker that holds most of its inputs, when it waits for that one.
        worker: Option<WorkerId>,
    },
    /// A worker runs it, or will after the tasks before it.
    OnWorker {
        /// Which.
        worker: WorkerId,
        /// Its name.
        name: String,
        /// Tasks on that worker with a better priority.
        ahead: u32,
        /// Tasks that the worker runs at a time.
        nthreads: u32,
        /// It was asked to give the task back.
        recalled: bool,
    },
    /// Its result is there.
    Stored {
        /// Where.
        workers: Vec<WorkerId>,
        /// How large.
        nbytes: u64,
        /// Active dependents.
        needs: u32,
        /// The client wants it.
        wanted: bool,
    },
    /// Nobody needs its result any more, so it is not kept, or not computed at all.
    NotNeeded,
}

impl Core {
    /// Explains where a task is and why, if its job is not closed.
    pub fn explain(&self, t: TaskId) -> Option<Explanation> {
        let task = self.find(t)?;
        let job = &self.jobs[t.job.0];
        let why = match task.state {
            State::Waiting => self.explain_waiting(t),
            State::Ready => self.explain_ready(t),
            State::Assigned => {
                let worker = &self.workers[task.worker];
                let own = job.priority(t.local);
                let before =
                    |a: &&crate::worker::Assigned| self.jobs[a.task.job.0].priority(a.task.local) < own;
                Why::OnWorker {
                    worker: WorkerId(task.worker),
                    name: worker.info.name.clone(),
                    ahead: worker.assigned.iter().filter(before).count() as u32,
                    nthreads: worker.nthreads as u32,
                    recalled: task.has(crate::task::RECALLED),
                }
            }
            State::Stored => Why::Stored {
                workers: self.holders(t),
                nbytes: task.nbytes,
                needs: task.needs,
                wanted: task.has(crate::task::WANTED),
            },
            State::Released => Why::NotNeeded,
        };
        let trouble = job.troubles.get(&t.local);
        Some(Explanation {
            task: t,
            class: job.class(t.local).class.name.clone(),
            state: task.state,
            priority: job.priority(t.local),
            why,
            failures: trouble.map_or(0, |x| x.failures),
            killed: trouble.map_or(vec![], |x| x.killed.clone()),
        })
    }

    fn explain_waiting(&self, t: TaskId) -> Why {
        let job = &self.jobs[t.job.0];
        let mut missing: Vec<(TaskId, State)> = job
            .inputs(t.local)
            .map(|e| job.resolve(job.edges[e].input))
            .filter_map(|input| Some((input, self.find(input)?.state)))
            .filter(|(_, state)| *state != State::Stored)
            .collect();
        missing.sort_by_key(|(input, _)| *input);
        missing.dedup();
        let count = missing.len() as u32;
        missing.truncate(MOST);
        Why::Inputs { count, first: missing }
    }

    fn explain_ready(&self, t: TaskId) -> Why {
        let class = self.jobs[t.job.0].class(t.local);
        let lane = &self.lanes[class.lane as usize];
        let members = lane.members.as_slice();
        if members.is_empty() {
            return Why::NoWorker {
                python: lane.demands.python,
                workers: lane.demands.workers.clone(),
                resources: class.class.resources.clone(),
                present: self.workers.len() as u32,
            };
        }
        let active: Vec<u32> = members.iter().copied().filter(|w| self.workers[*w].is_active()).collect();
        if active.is_empty() {
            return Why::Paused { workers: members.len() as u32 };
        }
        if !active.iter().any(|w| self.has_resources(*w, class.lane)) {
            for (name, needed) in &lane.demands.resources {
                let free =
                    active.iter().filter_map(|w| self.workers[*w].resource(name)).map(|r| r.free).max();
                if free.is_none_or(|f| f < *needed) {
                    return Why::Resource {
                        name: name.clone(),
                        needed: *needed as f64 / 1e6,
                        free: free.unwrap_or(0) as f64 / 1e6,
                    };
                }
            }
        }
        let roomiest = active.iter().copied().max_by_key(|w| self.workers[*w].free_bytes());
        if let Some(worker) = roomiest
            && !active.iter().any(|w| self.fits(t, *w))
        {
            let needed = self.need(t, worker);
            return Why::Memory { needed, free: self.workers[worker].free_bytes(), worker: WorkerId(worker) };
        }
        let own = self.jobs[t.job.0].priority(t.local);
        let queues = self.workers.iter().map(|(n, w)| (&w.queue, Some(WorkerId(n))));
        let queue = queues.chain([(&lane.queue, None)]).find(|(q, _)| q.iter().any(|p| p == own));
        let (ahead, worker) = queue.map_or((0, None), |(q, worker)| {
            (q.iter().filter(|p| *p < own && is_ready(&self.jobs, *p)).count() as u64, worker)
        });
        Why::Queued { ahead, worker }
    }
}

impl Explanation {
    /// In words. `key` and `worker` name tasks and workers as people know them.
    pub fn text(&self, key: &dyn Fn(TaskId) -> String, worker: &dyn Fn(WorkerId) -> String) -> String {
        let mut text = format!("{} ({}): {}", self.state.name(), self.class, self.why.text(key, worker));
        if self.failures > 0 {
            text += &format!("; it failed {} times so far", self.failures);
        }
        if !self.killed.is_empty() {
            text += &format!("; workers that died while it may have run there: {}", self.killed.join(", "));
        }
        text
    }
}

impl Why {
    fn text(&self, key: &dyn Fn(TaskId) -> String, worker: &dyn Fn(WorkerId) -> String) -> String {
        match self {
            Why::Inputs { count, first } => {
                let first: Vec<String> =
                    first.iter().map(|(t, state)| format!("{} ({})", key(*t), state.name())).collect();
                format!("it waits for {count} inputs, such as {}", first.join(", "))
            }
            Why::NoWorker { python, workers, resources, present } => {
                let mut needs: Vec<String> = vec![];
                if *python {
                    needs.push("Python".into());
                }
                if !workers.is_empty() {
                    needs.push(format!("one of the workers {}", workers.join(", ")));
                }
                needs.extend(resources.iter().map(|(name, amount)| format!("{amount} of resource {name}")));
                if needs.is_empty() {
                    needs.push("any worker".into());
                }
                format!("none of the {present} workers may run it; it needs {}", needs.join(" and "))
            }
            Why::Paused { workers } => {
                format!("all {workers} workers that may run it are paused or retiring")
            }
            Why::Resource { name, needed, free } => {
                format!("it needs {needed} of resource {name}, and no worker has more than {free} free")
            }
            Why::Memory { needed, free, worker: roomiest } => format!(
                "no worker has room for it: worker {} has most, {free} bytes, where it needs {needed}",
                worker(*roomiest)
            ),
            Why::Queued { ahead, worker: Some(holder) } => format!(
                "it is queued behind {ahead} others for worker {}, which holds its inputs",
                worker(*holder)
            ),
            Why::Queued { ahead, worker: None } => {
                format!("it is queued behind {ahead} others for any worker")
            }
            Why::OnWorker { name, ahead, nthreads, recalled, .. } => {
                let back = if *recalled { "; it was asked to give it back" } else { "" };
                format!("worker {name} has it behind {ahead} others, and runs {nthreads} at a time{back}")
            }
            Why::Stored { workers, nbytes, needs, wanted } => {
                let workers: Vec<String> = workers.iter().map(|w| worker(*w)).collect();
                let client = if *wanted { ", and the client wants it" } else { "" };
                let needs = if *needs == 1 {
                    "1 task needs it".to_string()
                } else {
                    format!("{needs} tasks need it")
                };
                format!("its result ({nbytes} bytes) is on {}; {needs}{client}", workers.join(", "))
            }
            Why::NotNeeded => "not computed or kept, since nobody needs its result any more".into(),
        }
    }
}
