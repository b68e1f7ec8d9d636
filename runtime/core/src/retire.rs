//! Retirement: a worker leaves without loss, after what only it holds has moved to others.

use crate::core::Core;
use crate::event::{Actions, Input, TaskId, Tell, WorkerId};
use crate::task::State;
use crate::worker::Retiring;

/// A result on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Move {
    pub(crate) to: u32,
    pub(crate) nbytes: u64,
}

impl Core {
    pub(crate) fn retire(&mut self, worker: WorkerId, out: &mut Actions) {
        let number = worker.0;
        let Some(w) = self.workers.get_mut(number) else { return self.ignore() };
        if w.retiring.is_some() {
            return self.ignore();
        }
        w.retiring = Some(Retiring::default());
        let queued: Vec<TaskId> = w.assigned.iter().map(|a| a.task).collect();
        self.retiring.insert(number);
        self.empty_queue(number);
        if !queued.is_empty() {
            self.ask_back(number, queued, out);
        }
        for job in self.jobs.numbers() {
            if self.jobs[job].counts[State::Stored as usize] == 0 {
                continue;
            }
            for local in 0..self.jobs[job].tasks.len() as u32 {
                let t = self.jobs[job].id(local);
                self.move_off(t, number, out);
            }
        }
        // What was on its way here goes elsewhere when it lands.
        self.mark(number);
    }

    /// If a retiring worker holds this result, has it moved elsewhere.
    pub(crate) fn move_off(&mut self, t: TaskId, number: u32, out: &mut Actions) {
        let is_retiring = |core: &Core, w: u32| core.workers.get(w).is_some_and(|w| w.retiring.is_some());
        let Some(task) = self.find(t) else { return };
        if !is_retiring(self, number) || !self.replicas.holds(task, number) || self.moves.contains_key(&t) {
            return;
        }
        if self.replicas.holders(task).any(|w| !is_retiring(self, w)) {
            return self.leave_retiring(t, out);
        }
        let nbytes = task.nbytes;
        let room = self.workers.iter().filter(|(_, w)| w.is_active() && w.free_bytes() >= nbytes);
        // Of workers without a limit, the one that stores least.
        let target = room.max_by_key(|(_, w)| (w.free_bytes(), std::cmp::Reverse(w.stored))).map(|(n, _)| n);
        match target {
            Some(to) => {
                let w = &mut self.workers[to];
                w.reserved = w.reserved.saturating_add(nbytes);
                self.moves.insert(t, Move { to, nbytes });
                out.of(WorkerId(to)).fetch.push(Input { task: t, from: WorkerId(number) });
            }
            None => {
                if let Some(r) = self.workers[number].retiring.as_mut() {
                    r.blocked.push(t);
                }
            }
        }
    }

    /// A move did not happen: it starts anew from whatever retiring worker holds the result.
    pub(crate) fn move_from_all(&mut self, t: TaskId, out: &mut Actions) {
        let holders: Vec<u32> = self.find(t).map_or(vec![], |task| self.replicas.holders(task).collect());
        for holder in holders {
            self.move_off(t, holder, out);
        }
    }

    /// A fetch to `number` is over. Returns whether there was one.
    pub(crate) fn end_move(&mut self, t: TaskId, number: u32) -> bool {
        match self.moves.get(&t) {
            Some(m) if m.to == number => {
                let nbytes = m.nbytes;
                self.moves.remove(&t);
                let w = &mut self.workers[number];
                w.reserved = w.reserved.saturating_sub(nbytes);
                self.mark(number);
                true
            }
            _ => false,
        }
    }

    /// Frees a result on retiring workers, as long as another one holds it.
    pub(crate) fn leave_retiring(&mut self, t: TaskId, out: &mut Actions) {
        if self.retiring.is_empty() {
            return;
        }
        let holders: Vec<u32> = self.replicas.holders(self.task(t)).collect();
        let (leaving, staying): (Vec<u32>, Vec<u32>) =
            holders.into_iter().partition(|w| self.retiring.contains(*w));
        if staying.is_empty() {
            // It landed on a worker that began to retire meanwhile.
            return self.move_from_all(t, out);
        }
        for number in leaving {
            out.of(WorkerId(number)).free.push(t);
            self.drop_holder(t, number, out);
        }
    }

    /// Tries blocked moves again, and tells who may go.
    pub(crate) fn advance_retirements(&mut self, out: &mut Actions) {
        for number in self.retiring.as_slice().to_vec() {
            self.retry_blocked(number, out);
            let worker = &mut self.workers[number];
            let stuck = worker.retiring.as_ref().map_or(0, |r| r.blocked.len());
            let may_go = worker.held == 0 && worker.assigned.is_empty();
            let (held, stored) = (worker.held, worker.stored);
            let Some(r) = worker.retiring.as_mut() else { continue };
            if may_go && !r.told_retired {
                r.told_retired = true;
                out.tell.push(Tell::WorkerRetired { worker: WorkerId(number) });
            } else if stuck > 0 && !r.told_blocked {
                r.told_blocked = true;
                out.tell.push(Tell::RetireBlocked {
                    worker: WorkerId(number),
                    results: held,
                    nbytes: stored,
                });
            }
        }
    }

    fn retry_blocked(&mut self, number: u32, out: &mut Actions) {
        loop {
            let Some(r) = self.workers[number].retiring.as_mut() else { return };
            let Some(t) = r.blocked.pop() else { return };
            let before = r.blocked.len();
            self.move_off(t, number, out);
            if self.workers[number].retiring.as_ref().is_some_and(|r| r.blocked.len() > before) {
                return;
            }
        }
    }
}
