//! What the core knows of a task.

/// No edge, no replica.
pub(crate) const NONE: u32 = u32::MAX;

/// Where a task is in its life.
///
/// ```text
/// Waiting → Ready → Assigned → Stored → Released
///    ▲        │        │          │         │
///    └────────┴────────┴──────────┴─────────┘  a result was lost, or the task must run again
/// ```
///
/// From every other state a task can become released, when nobody needs its result any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// Some input is not there yet.
    Waiting,
    /// Every input is there; the task is in a queue of the scheduler.
    Ready,
    /// A worker was ordered to compute it: it runs, or queues there.
    Assigned,
    /// Its result is on one or more workers.
    Stored,
    /// Its result is nowhere, since nobody needs it any more (or it was lost, and nobody asked for it since). It may never
    /// have been computed.
    Released,
}

impl State {
    /// Every state, in order.
    pub const ALL: [State; 5] =
        [State::Waiting, State::Ready, State::Assigned, State::Stored, State::Released];

    /// Still to be computed.
    pub fn is_active(self) -> bool {
        matches!(self, State::Waiting | State::Ready | State::Assigned)
    }

    /// In lower case.
    pub fn name(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Ready => "ready",
            State::Assigned => "assigned",
            State::Stored => "stored",
            State::Released => "released",
        }
    }
}

/// The client wants the result.
pub(crate) const WANTED: u8 = 1;
/// It was computed at least once, so `nbytes` is its size.
pub(crate) const COMPUTED: u8 = 2;
/// The worker was asked to give it back.
pub(crate) const RECALLED: u8 = 4;
/// Tasks of other jobs depend on it, see `Job::foreign`.
pub(crate) const FOREIGN: u8 = 8;
/// The client wanted the result once and has let it go.
pub(crate) const LET_GO: u8 = 16;
/// The worker that is to compute it holds a copy that came too late to spare it that, and that nothing counts.
pub(crate) const COPIED: u8 = 32;
/// It failed for good, and its failure is its result.
pub(crate) const CONDEMNED: u8 = 64;

/// A task: 40 bytes. Its edges are in its job.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// Bytes of the result, when it was computed.
    pub(crate) nbytes: u64,
    /// First of its input edges; they end where those of the next task start.
    pub(crate) inputs: u32,
    /// First of the edges that lead to its dependents, or [`NONE`].
    pub(crate) dependents: u32,
    /// Job-local class.
    pub(crate) class: u32,
    /// While waiting: input edges whose result is not stored.
    pub(crate) waiting: u32,
    /// Edges to dependents that are active.
    pub(crate) needs: u32,
    /// While assigned: where. While stored: the first worker that holds it.
    pub(crate) worker: u32,
    /// While assigned: the place in the worker's list. While stored: the first further replica, or [`NONE`].
    pub(crate) link: u32,
    pub(crate) state: State,
    pub(crate) flags: u8,
}

impl Task {
    /// Whether it has one of these flags.
    pub(crate) fn has(&self, flags: u8) -> bool {
        self.flags & flags != 0
    }

    /// Somebody needs the result.
    pub(crate) fn is_needed(&self) -> bool {
        self.needs > 0 || self.has(WANTED)
    }

    /// Nobody needs the result any more, though somebody did. A task whose result never was for anybody is not abandoned:
    /// it runs for what it does besides.
    pub(crate) fn is_abandoned(&self) -> bool {
        !self.is_needed() && (self.has(LET_GO | COMPUTED | FOREIGN) || self.dependents != NONE)
    }
}

/// A task's input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    /// The job-local number of the input, or [`crate::EXTERNAL`] and an index into `Job::external`.
    pub(crate) input: u32,
    /// The next edge from the same input, or [`NONE`].
    pub(crate) next: u32,
    /// The dependent.
    pub(crate) consumer: u32,
}
