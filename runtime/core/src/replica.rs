//! Where results are: a first holder in the task itself, further ones in a pool of linked nodes.

use crate::core::Core;
use crate::event::{Actions, TaskId, Tell, WorkerId};
use crate::task::{NONE, State, Task, WANTED};

/// Further holders of results, as linked lists.
#[derive(Debug, Default)]
pub(crate) struct Replicas {
    nodes: Vec<Node>,
    free: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    worker: u32,
    next: u32,
}

impl Replicas {
    /// Adds a holder of a stored result; it does not hold it yet.
    pub(crate) fn add(&mut self, task: &mut Task, worker: u32) {
        let node = Node { worker, next: task.link };
        task.link = match self.free.pop() {
            Some(at) => {
                self.nodes[at as usize] = node;
                at
            }
            None => {
                self.nodes.push(node);
                self.nodes.len() as u32 - 1
            }
        };
    }

    /// Removes a holder. Returns false when it was the only one; then the task is unchanged.
    pub(crate) fn remove(&mut self, task: &mut Task, worker: u32) -> bool {
        if task.worker == worker {
            if task.link == NONE {
                return false;
            }
            let node = self.nodes[task.link as usize];
            self.free.push(task.link);
            task.worker = node.worker;
            task.link = node.next;
            return true;
        }
        let mut before = NONE;
        let mut at = task.link;
        while at != NONE {
            let node = self.nodes[at as usize];
            if node.worker == worker {
                if before == NONE {
                    task.link = node.next;
                } else {
                    self.nodes[before as usize].next = node.next;
                }
                self.free.push(at);
                return true;
            }
            before = at;
            at = node.next;
        }
        true
    }

    /// The workers that hold a stored result.
    pub(crate) fn holders(&self, task: &Task) -> impl Iterator<Item = u32> {
        let (first, link) =
            if task.state == State::Stored { (Some(task.worker), task.link) } else { (None, NONE) };
        let mut at = link;
        first.into_iter().chain(std::iter::from_fn(move || {
            let node = self.nodes.get(at as usize)?;
            at = node.next;
            Some(node.worker)
        }))
    }

    pub(crate) fn holds(&self, task: &Task, worker: u32) -> bool {
        task.state == State::Stored
            && (task.worker == worker || (task.link != NONE && self.holders(task).any(|w| w == worker)))
    }

    /// Nodes in use.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len() - self.free.len()
    }
}

impl Core {
    /// Bytes of a result, when some worker holds it.
    pub fn stored(&self, task: TaskId) -> Option<u64> {
        self.find(task).filter(|task| task.state == State::Stored).map(|task| task.nbytes)
    }

    /// Workers that hold a result now.
    pub fn holders(&self, task: TaskId) -> Vec<WorkerId> {
        self.find(task).map_or(vec![], |t| self.replicas.holders(t).map(WorkerId).collect())
    }

    /// Counts a further copy of a stored result.
    pub(crate) fn add_holder(&mut self, t: TaskId, worker: u32) {
        let task = &mut self.jobs[t.job.0].tasks[t.local as usize];
        self.replicas.add(task, worker);
        let nbytes = task.nbytes;
        let worker = &mut self.workers[worker];
        worker.stored = worker.stored.saturating_add(nbytes);
        worker.held += 1;
    }

    /// Takes a copy of a stored result off the books. Returns false when it was the only one: then the task
    /// still names this worker, and the caller changes its state at once.
    pub(crate) fn drop_holder(&mut self, t: TaskId, worker: u32, out: &mut Actions) -> bool {
        let task = &mut self.jobs[t.job.0].tasks[t.local as usize];
        let was_first = task.worker == worker;
        let left = self.replicas.remove(task, worker);
        if left && was_first && task.has(WANTED) {
            out.tell.push(Tell::Ready { task: t, worker: WorkerId(task.worker), nbytes: task.nbytes });
        }
        let nbytes = task.nbytes;
        self.forget_bytes(worker, nbytes);
        left
    }

    /// Takes a result off a worker's books, if the worker is there.
    pub(crate) fn forget_bytes(&mut self, worker: u32, nbytes: u64) {
        if let Some(w) = self.workers.get_mut(worker) {
            w.stored = w.stored.saturating_sub(nbytes);
            w.held -= 1;
            self.mark(worker);
        }
    }
}
