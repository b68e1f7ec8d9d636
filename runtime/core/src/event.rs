//! The seam: what the core is told ([`Event`]) and what it orders ([`Actions`]).
//!
//! # Rules of the conversation
//! - Links are first in, first out, per worker and direction.
//! - Every [`Compute`] order is answered exactly once: by a [`Event::Finished`] record, [`Event::Failed`],
//!   [`Event::InputMissing`] or [`Event::Returned`]. [`Event::WorkerLost`] and the end of the job
//!   ([`Tell::JobClosed`]) answer all that is open.
//! - Every [`Orders::fetch`] is answered by [`Event::ReplicaLanded`] or [`Event::FetchFailed`].
//! - Every [`Orders::recall`] is answered by [`Event::Returned`], in which the tasks that had already started
//!   are absent; those are answered like any other.
//! - A worker keeps a result until it is told to free it, or until the job is closed.
//! - A worker may keep an input that it fetched for a task. If it does, it reports it by
//!   [`Event::ReplicaLanded`], before it reports that task; the core then sends a free for it in due time.
//! - Messages that come too late (the job is closed, the worker is lost) are ignored, and so is every message
//!   that makes no sense; [`crate::Core::ignored`] counts them.

/// A job, numbered by the shell: the first is 0, each later one is one more (see [`crate::Core::next_job`]).
/// Numbers are never used again, so a late message cannot hit a wrong task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u32);

/// A worker's connection, numbered by the shell: the first is 0, each later one is one more (see
/// [`crate::Core::next_worker`]). A worker that comes back gets a new number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkerId(pub u32);

/// A task: its job, and its place in the order in which the job's batches listed the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId {
    /// The job.
    pub job: JobId,
    /// Dense number within the job.
    pub local: u32,
}

/// What runs first. Smaller sorts first, on the scheduler as on the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Priority {
    /// The job's priority plus the class's, negated, since people write "higher runs earlier".
    pub rank: i32,
    /// Earlier jobs first.
    pub job: JobId,
    /// The planner's order, which keeps memory flat.
    pub local: u32,
}

/// Set in an input's number when the rest of it is an index into [`Batch::external`].
pub const EXTERNAL: u32 = 1 << 31;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A worker connected.
    WorkerJoined(WorkerInfo),
    /// A worker's connection ended, for whatever reason.
    WorkerLost {
        /// Which.
        worker: WorkerId,
    },
    /// A worker is to leave without loss: it gets no new tasks, what only it holds moves to others, then
    /// [`Tell::WorkerRetired`] says that it may go.
    Retire {
        /// Which.
        worker: WorkerId,
    },
    /// What a worker measured of its memory.
    MemoryReport {
        /// Which.
        worker: WorkerId,
        /// Its memory.
        memory: Measured,
    },
    /// Some time passed. Only now do jobs fail for want of memory or resources: until then what the core told last, or what
    /// it never sees, may still free some.
    Tick {
        /// Results are on their way to clients, which will release them.
        delivering: bool,
    },
    /// A worker now runs so many tasks at a time: one of its threads waits inside a task, and another took its place, or it is
    /// back.
    Threads {
        /// Which.
        worker: WorkerId,
        /// How many; 0 is taken as 1.
        nthreads: u32,
    },
    /// A client opened a job.
    JobOpened {
        /// Its number: [`crate::Core::next_job`].
        job: JobId,
        /// Higher runs earlier.
        priority: i32,
    },
    /// Tasks of an open job.
    TasksAdded {
        /// Which job.
        job: JobId,
        /// The tasks; they start at once.
        batch: Batch,
    },
    /// No tasks follow.
    JobComplete {
        /// Which job.
        job: JobId,
    },
    /// Nobody wants the job any more. It is closed at once, whatever its state.
    JobCancelled {
        /// Which job.
        job: JobId,
    },
    /// The client has, or no longer needs, these wanted results. What has not started and nobody else needs does not start,
    /// nor do the inputs that it alone needs; what runs goes on, and its result is dropped. A job that is done and holds no
    /// wanted result is closed. While the job is not complete, a later batch may still name a released result as an
    /// input: it is then computed (again).
    Released {
        /// Which job.
        job: JobId,
        /// Job-local numbers.
        tasks: Vec<u32>,
    },
    /// A worker computed tasks of one job and keeps their results.
    Finished {
        /// Who.
        worker: WorkerId,
        /// Of which job.
        job: JobId,
        /// In the order in which they finished.
        tasks: Vec<Done>,
    },
    /// A task raised an error, or the worker could not run it.
    Failed {
        /// Where.
        worker: WorkerId,
        /// Which.
        task: TaskId,
        /// What it said.
        error: String,
        /// Whether the class's retries apply. `false` fails the job at once.
        retryable: bool,
    },
    /// A worker could not get an input from the peer that the order named: the task did not run there.
    InputMissing {
        /// Who.
        worker: WorkerId,
        /// The task whose order this answers.
        task: TaskId,
        /// The input.
        input: TaskId,
        /// The peer that did not give it.
        from: WorkerId,
    },
    /// A worker now holds copies of these results.
    ReplicaLanded {
        /// Who.
        worker: WorkerId,
        /// Which.
        tasks: Vec<TaskId>,
    },
    /// A worker no longer holds these results, though nobody told it to free them.
    ReplicaDropped {
        /// Who.
        worker: WorkerId,
        /// Which.
        tasks: Vec<TaskId>,
    },
    /// A worker could not do an [`Orders::fetch`].
    FetchFailed {
        /// Who.
        worker: WorkerId,
        /// The result.
        task: TaskId,
        /// The peer that did not give it.
        from: WorkerId,
    },
    /// The answer to [`Orders::recall`].
    Returned {
        /// Who.
        worker: WorkerId,
        /// The recalled tasks that had not started, and now never will there.
        tasks: Vec<TaskId>,
    },
}

/// One computed task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Job-local number.
    pub task: u32,
    /// Bytes that its result takes.
    pub nbytes: u64,
    /// Nanoseconds that it ran, without waiting for inputs.
    pub nanos: u64,
}

/// What a worker measured of its memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// It is too full to start tasks.
    pub paused: bool,
    /// Bytes that its process takes.
    pub process: u64,
    /// Bytes of the results that it keeps.
    pub kept: u64,
    /// Tasks that run there or get their inputs; while it is paused, not those that only wait to be started.
    pub active: u64,
}

/// What a worker says of itself when it connects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkerInfo {
    /// Its number: [`crate::Core::next_worker`].
    pub id: WorkerId,
    /// Its name, which restrictions may use.
    pub name: String,
    /// Its address, which restrictions may use.
    pub address: String,
    /// Tasks that it runs at a time. 0 is taken as 1.
    pub nthreads: u32,
    /// Bytes that it may use; 0 when nothing limits it.
    pub memory_limit: u64,
    /// Amounts of named resources.
    pub resources: Vec<(String, f64)>,
    /// It runs Python bodies.
    pub python: bool,
}

impl Default for WorkerId {
    /// No worker's number.
    fn default() -> WorkerId {
        WorkerId(u32::MAX)
    }
}

/// Tasks that join a job, as columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Appended to the job's table of classes.
    pub classes: Vec<Class>,
    /// Tasks, numbered on from the batch before.
    pub blocks: Vec<Block>,
    /// Tasks of the job whose results the client wants, job-local, this batch included. They are kept until
    /// [`Event::Released`] names them.
    pub wanted: Vec<u32>,
    /// Results of other jobs that inputs of this batch name by [`EXTERNAL`]. The other job must still hold
    /// them for its client when the batch is added.
    pub external: Vec<TaskId>,
}

/// Tasks of one class.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Index into the job's table of classes.
    pub class: u32,
    /// Number of tasks.
    pub count: u32,
    /// What they need.
    pub inputs: Inputs,
}

/// The inputs of a block's tasks: job-local numbers of earlier tasks, task by task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inputs {
    /// Each task has the same number of them.
    Fixed {
        /// How many.
        each: u32,
        /// `count × each` numbers.
        ids: Vec<u32>,
    },
    /// Each task says how many it has.
    Counted {
        /// `count` numbers.
        counts: Vec<u32>,
        /// As many numbers as they add up to.
        ids: Vec<u32>,
    },
}

/// What the tasks of one template (and one set of annotations) share.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Class {
    /// For people.
    pub name: String,
    /// Bytes of a typical result; 0 when unknown (then what was measured so far counts).
    pub nbytes: u64,
    /// Bytes that a run takes beside its inputs and its result.
    pub scratch: u64,
    /// Names or addresses of the workers that may run it; empty for any.
    pub workers: Vec<String>,
    /// Whether others may when none of these is there.
    pub allow_other_workers: bool,
    /// Amounts of named resources that a task occupies while it runs or queues on a worker.
    pub resources: Vec<(String, f64)>,
    /// How often a task that failed is tried again.
    pub retries: u32,
    /// Higher runs earlier; adds to the job's.
    pub priority: i32,
    /// The body is Python: only workers with Python can run it.
    pub python: bool,
    /// A task that fails for good does not end its job: it yields its failure in place of a result, see
    /// [`Tell::Condemned`].
    pub tolerant: bool,
}

/// What the shell has to do: first send every worker its [`Orders`], then act on what is told.
///
/// Hand the same value to every [`crate::Core::handle`] call, let several calls add to it, and
/// [`clear`](Actions::clear) it after sending: its buffers are used again.
#[derive(Debug, Default)]
pub struct Actions {
    orders: Vec<Orders>,
    used: usize,
    /// Index + 1 into `orders` of each worker, 0 for none.
    at: Vec<u32>,
    /// News, in order.
    pub tell: Vec<Tell>,
}

/// One worker's orders. It handles `free` first, then the others.
#[derive(Debug, Default)]
pub struct Orders {
    /// Who.
    pub worker: WorkerId,
    /// Tasks to compute.
    pub compute: Vec<Compute>,
    /// The inputs of those tasks, one after another.
    pub inputs: Vec<Input>,
    /// Tasks to give back if they have not started.
    pub recall: Vec<TaskId>,
    /// Results to drop.
    pub free: Vec<TaskId>,
    /// Results to fetch and keep.
    pub fetch: Vec<Input>,
}

/// An order to compute a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compute {
    /// Which.
    pub task: TaskId,
    /// The job-local class.
    pub class: u32,
    /// Its place in the worker's queue.
    pub priority: Priority,
    /// Number of its inputs, which follow those of the task before in [`Orders::inputs`].
    pub inputs: u32,
    /// It is not run again: its result is its failure, see [`Tell::Condemned`].
    pub condemned: bool,
}

/// A result and where to get it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// Which.
    pub task: TaskId,
    /// A worker that holds it; the ordered worker itself when it has it already.
    pub from: WorkerId,
}

/// News for the shell and its clients.
#[derive(Clone, Debug, PartialEq)]
pub enum Tell {
    /// A wanted result can be fetched from a worker. It comes again when the result was lost and computed again.
    Ready {
        /// Which.
        task: TaskId,
        /// A worker that holds it.
        worker: WorkerId,
        /// Its size.
        nbytes: u64,
    },
    /// Every task that was needed is computed, and no more follow. Wanted results are kept until they are released.
    JobDone {
        /// Which.
        job: JobId,
    },
    /// A task cannot be computed, so the job ends. [`Tell::JobClosed`] follows.
    JobFailed(crate::Failure),
    /// A task of a tolerant class failed for good. An order to compute it follows that says so
    /// ([`Compute::condemned`]): the worker keeps the failure as its result.
    Condemned(crate::Failure),
    /// The core has forgotten the job. Tell each worker that knows it: it drops the job's results and queued
    /// tasks at once, answers nothing more about them, and drops what a task or a fetch that is under way brings.
    JobClosed {
        /// Which.
        job: JobId,
    },
    /// The worker holds nothing that is needed and runs nothing: it may end.
    WorkerRetired {
        /// Which.
        worker: WorkerId,
    },
    /// A retiring worker cannot hand over all that it holds: no other worker has room or will take it. It stays, and
    /// the move is tried again when that changes.
    RetireBlocked {
        /// Which.
        worker: WorkerId,
        /// Results that have no other place.
        results: u32,
        /// Their size.
        nbytes: u64,
    },
}

impl Actions {
    /// Every worker's orders.
    pub fn orders(&self) -> &[Orders] {
        &self.orders[..self.used]
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.used == 0 && self.tell.is_empty()
    }

    /// Forgets everything and keeps the buffers.
    pub fn clear(&mut self) {
        for orders in &mut self.orders[..self.used] {
            self.at[orders.worker.0 as usize] = 0;
            orders.compute.clear();
            orders.inputs.clear();
            orders.recall.clear();
            orders.free.clear();
            orders.fetch.clear();
        }
        self.used = 0;
        self.tell.clear();
    }

    /// The orders of one worker, to add to.
    pub(crate) fn of(&mut self, worker: WorkerId) -> &mut Orders {
        let index = worker.0 as usize;
        if index >= self.at.len() {
            self.at.resize(index + 1, 0);
        }
        if self.at[index] == 0 {
            if self.used == self.orders.len() {
                self.orders.push(Orders::default());
            }
            self.orders[self.used].worker = worker;
            self.used += 1;
            self.at[index] = self.used as u32;
        }
        &mut self.orders[self.at[index] as usize - 1]
    }
}

impl Orders {
    /// The tasks to compute, each with its inputs.
    pub fn computes(&self) -> impl Iterator<Item = (&Compute, &[Input])> {
        let mut at = 0;
        self.compute.iter().map(move |c| {
            let inputs = &self.inputs[at..at + c.inputs as usize];
            at += inputs.len();
            (c, inputs)
        })
    }
}
