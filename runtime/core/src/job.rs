//! Jobs: their tasks, edges and classes, and how a batch joins them.

use crate::event::{Batch, Class, EXTERNAL, Inputs, JobId, Priority, TaskId};
use crate::task::{Edge, NONE, State, Task};
use std::collections::HashMap;
use std::ops::Range;

/// A job and all of its tasks.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) priority: i32,
    pub(crate) tasks: Vec<Task>,
    pub(crate) edges: Vec<Edge>,
    pub(crate) classes: Vec<ClassState>,
    /// Tasks by state.
    pub(crate) counts: [u32; 5],
    /// No tasks follow.
    pub(crate) complete: bool,
    /// The client knows that it is done.
    pub(crate) told_done: bool,
    /// Inputs in other jobs.
    pub(crate) external: Vec<TaskId>,
    /// Dependents in other jobs, one for each edge.
    pub(crate) foreign: HashMap<u32, Vec<TaskId>>,
    /// What went wrong with a task so far.
    pub(crate) troubles: HashMap<u32, Trouble>,
}

/// What went wrong with a task so far.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    pub(crate) failures: u32,
    /// Times that an input could not be fetched.
    pub(crate) missing: u32,
    /// Names of the workers that died while they may have run it.
    pub(crate) killed: Vec<String>,
}

/// A class and what was learned of it.
#[derive(Debug)]
pub(crate) struct ClassState {
    pub(crate) class: Class,
    pub(crate) lane: u32,
    pub(crate) rank: i32,
    /// Bytes of a typical result, as far as known.
    pub(crate) nbytes: u64,
    /// Nanoseconds that a task takes; 0 when unknown.
    pub(crate) nanos: u64,
    /// Tasks by state.
    pub(crate) counts: [u32; 5],
    /// Results computed so far.
    pub(crate) computed: u64,
    /// Nanoseconds that they took together.
    pub(crate) total_nanos: u64,
}

impl ClassState {
    /// Learns from a computed task, which took at least 1 ns: a moving mean over about eight.
    pub(crate) fn learn(&mut self, nbytes: u64, nanos: u64) {
        self.total_nanos = self.total_nanos.saturating_add(nanos);
        if self.computed == 0 {
            self.nbytes = nbytes;
            self.nanos = nanos;
        } else {
            self.nbytes = mean(self.nbytes, nbytes);
            self.nanos = mean(self.nanos, nanos).max(1);
        }
        self.computed += 1;
    }
}

fn mean(old: u64, new: u64) -> u64 {
    if new >= old { old + (new - old).div_ceil(8) } else { old - (old - new) / 8 }
}

/// What [`Job::add`] leaves for the core to do.
pub(crate) struct Added {
    /// The new tasks.
    pub(crate) tasks: Range<u32>,
    /// Inputs that were released and are needed again.
    pub(crate) revive: Vec<u32>,
    /// Edges from other jobs: input and dependent.
    pub(crate) external: Vec<(TaskId, u32)>,
}

impl Job {
    pub(crate) fn new(id: JobId, priority: i32) -> Job {
        Job {
            id,
            priority,
            tasks: vec![],
            edges: vec![],
            classes: vec![],
            counts: [0; 5],
            complete: false,
            told_done: false,
            external: vec![],
            foreign: HashMap::new(),
            troubles: HashMap::new(),
        }
    }

    /// Tasks still to be computed.
    pub(crate) fn unfinished(&self) -> u32 {
        self.counts[State::Waiting as usize]
            + self.counts[State::Ready as usize]
            + self.counts[State::Assigned as usize]
    }

    pub(crate) fn id(&self, local: u32) -> TaskId {
        TaskId { job: self.id, local }
    }

    pub(crate) fn priority(&self, local: u32) -> Priority {
        let class = self.tasks[local as usize].class;
        Priority { rank: self.classes[class as usize].rank, job: self.id, local }
    }

    pub(crate) fn class(&self, local: u32) -> &ClassState {
        &self.classes[self.tasks[local as usize].class as usize]
    }

    /// The indices of a task's input edges.
    pub(crate) fn inputs(&self, local: u32) -> Range<usize> {
        let start = self.tasks[local as usize].inputs as usize;
        let end = self.tasks.get(local as usize + 1).map_or(self.edges.len(), |t| t.inputs as usize);
        start..end
    }

    /// The task that an edge starts from.
    pub(crate) fn resolve(&self, input: u32) -> TaskId {
        if input & EXTERNAL == 0 { self.id(input) } else { self.external[(input & !EXTERNAL) as usize] }
    }

    /// The job's own tasks that depend on `local`, one for each edge, latest first.
    pub(crate) fn dependents(&self, local: u32) -> impl Iterator<Item = u32> {
        let mut at = self.tasks[local as usize].dependents;
        std::iter::from_fn(move || {
            let edge = self.edges.get(at as usize)?;
            at = edge.next;
            Some(edge.consumer)
        })
    }

    pub(crate) fn set_state(&mut self, local: u32, state: State) {
        let task = &mut self.tasks[local as usize];
        let class = &mut self.classes[task.class as usize];
        class.counts[task.state as usize] -= 1;
        class.counts[state as usize] += 1;
        self.counts[task.state as usize] -= 1;
        self.counts[state as usize] += 1;
        task.state = state;
    }

    /// Appends a batch's tasks, all waiting. The classes are there already; `wanted` is left to the core.
    ///
    /// # Errors
    /// Names the block, the task and the number that is wrong. The job is of no use then.
    pub(crate) fn add(&mut self, batch: &Batch) -> Result<Added, String> {
        let start = self.tasks.len() as u32;
        let outside = self.external.len() as u32;
        self.external.extend_from_slice(&batch.external);
        let mut added = Added { tasks: start..start, revive: vec![], external: vec![] };
        let (mut tasks, mut edges) = (0usize, 0usize);
        for (b, block) in batch.blocks.iter().enumerate() {
            tasks = tasks.saturating_add(block.count as usize);
            edges = edges.saturating_add(check_columns(b, block.count, &block.inputs)?);
            if block.class as usize >= self.classes.len() {
                return Err(format!(
                    "block {b} names class {}, but the job has {} classes",
                    block.class,
                    self.classes.len()
                ));
            }
        }
        if self.tasks.len().saturating_add(tasks) >= EXTERNAL as usize {
            return Err(format!("a job can have at most {} tasks; split it", EXTERNAL - 1));
        }
        if self.edges.len().saturating_add(edges) >= NONE as usize {
            return Err(format!("a job's tasks can have at most {} inputs together; split it", NONE - 1));
        }
        grow(&mut self.tasks, tasks);
        grow(&mut self.edges, edges);
        for (b, block) in batch.blocks.iter().enumerate() {
            let (each, counts, ids) = match &block.inputs {
                Inputs::Fixed { each, ids } => (*each as usize, None, ids),
                Inputs::Counted { counts, ids } => (0, Some(counts), ids),
            };
            let mut at = 0;
            for i in 0..block.count as usize {
                let count = counts.map_or(each, |c| c[i] as usize);
                self.add_task(block.class, &ids[at..at + count], outside, &mut added)
                    .map_err(|e| format!("block {b}: {e}"))?;
                at += count;
            }
            self.classes[block.class as usize].counts[State::Waiting as usize] += block.count;
            self.counts[State::Waiting as usize] += block.count;
        }
        added.tasks.end = self.tasks.len() as u32;
        Ok(added)
    }

    fn add_task(
        &mut self,
        class: u32,
        inputs: &[u32],
        outside: u32,
        added: &mut Added,
    ) -> Result<(), String> {
        let local = self.tasks.len() as u32;
        let first = self.edges.len() as u32;
        let mut waiting = 0;
        for &input in inputs {
            let edge = self.edges.len() as u32;
            let mut entry = Edge { input, next: NONE, consumer: local };
            if input & EXTERNAL == 0 {
                let Some(from) = self.tasks.get_mut(input as usize) else {
                    return Err(format!(
                        "task {local} names input {input}; an input must be an earlier task"
                    ));
                };
                entry.next = std::mem::replace(&mut from.dependents, edge);
                from.needs += 1;
                waiting += u32::from(from.state != State::Stored);
                if from.state == State::Released {
                    added.revive.push(input);
                }
            } else {
                let index = outside as usize + (input & !EXTERNAL) as usize;
                let Some(from) = self.external.get(index) else {
                    return Err(format!(
                        "task {local} names external input {}, but the batch has {}",
                        input & !EXTERNAL,
                        self.external.len() - outside as usize
                    ));
                };
                added.external.push((*from, local));
                entry.input = EXTERNAL | index as u32;
                waiting += 1;
            }
            self.edges.push(entry);
        }
        self.tasks.push(Task {
            nbytes: 0,
            inputs: first,
            dependents: NONE,
            class,
            waiting,
            needs: 0,
            worker: NONE,
            link: NONE,
            state: State::Waiting,
            flags: 0,
        });
        Ok(())
    }
}

/// Room for `more`: exactly that for the first batch, since many jobs have one; growing by half later.
fn grow<T>(vec: &mut Vec<T>, more: usize) {
    if vec.capacity() - vec.len() < more {
        vec.reserve_exact(more.max(vec.len() / 2));
    }
}

/// Returns the number of input edges.
fn check_columns(block: usize, count: u32, inputs: &Inputs) -> Result<usize, String> {
    let (expected, ids) = match inputs {
        Inputs::Fixed { each, ids } => (u64::from(*each) * u64::from(count), ids.len()),
        Inputs::Counted { counts, ids } => {
            if counts.len() != count as usize {
                return Err(format!("block {block} has {count} tasks, but {} input counts", counts.len()));
            }
            (counts.iter().map(|c| u64::from(*c)).sum(), ids.len())
        }
    };
    if expected != ids as u64 {
        return Err(format!("block {block} has {ids} inputs where its tasks take {expected}"));
    }
    Ok(ids)
}
