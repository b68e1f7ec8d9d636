//! Ends of jobs: done, failed, refused, cancelled.

use crate::core::Core;
use crate::event::{Actions, JobId, TaskId, Tell};
use crate::failure::{Failure, Reason};
use crate::task::{CONDEMNED, State, WANTED};
use std::collections::HashSet;

/// Tasks of a failure's chain at most.
const MOST_CHAIN: usize = 16;

impl Core {
    /// Ends jobs that are done, and closes those that hold nothing any more.
    pub(crate) fn settle(&mut self, out: &mut Actions) {
        while let Some(number) = self.settling.pop() {
            let Some(job) = self.jobs.get_mut(number) else { continue };
            if !job.complete || job.unfinished() > 0 {
                continue;
            }
            if !job.told_done {
                job.told_done = true;
                out.tell.push(Tell::JobDone { job: job.id });
            }
            let awaited = job.foreign.keys().any(|local| job.tasks[*local as usize].needs > 0);
            if job.counts[State::Stored as usize] == 0 && !awaited {
                let id = job.id;
                self.drop_job(id, out);
            }
        }
    }

    /// Fails a job for a batch that is not right.
    pub(crate) fn refuse(&mut self, id: JobId, reason: String, out: &mut Actions) {
        out.tell.push(Tell::JobFailed(Failure {
            job: id,
            task: None,
            class: String::new(),
            reason: Reason::Invalid(reason),
            chain: vec![],
        }));
        self.drop_job(id, out);
    }

    /// Fails the jobs of doomed tasks, or condemns the tasks where their classes want that.
    pub(crate) fn fail_doomed(&mut self, out: &mut Actions) {
        while let Some((t, reason)) = self.doomed.pop() {
            // The job may have failed already.
            let Some(job) = self.jobs.get_mut(t.job.0) else { continue };
            // Or nobody needs the task any more.
            if !job.tasks[t.local as usize].state.is_active() {
                continue;
            }
            let class = &job.class(t.local).class;
            let (name, tolerant) = (class.name.clone(), class.tolerant);
            let task = &mut job.tasks[t.local as usize];
            // What keeps a task from running at all would keep its failure from being stored as well.
            let ran = matches!(reason, Reason::Raised { .. } | Reason::KilledWorkers { .. });
            let condemned = tolerant && ran && !task.has(CONDEMNED);
            if condemned {
                task.flags |= CONDEMNED;
            }
            let failure = Failure { job: t.job, task: Some(t), class: name, reason, chain: self.chain(t) };
            if condemned {
                out.tell.push(Tell::Condemned(failure));
            } else {
                out.tell.push(Tell::JobFailed(failure));
                self.drop_job(t.job, out);
            }
        }
    }

    /// Dependents from a task on to a wanted result.
    fn chain(&self, t: TaskId) -> Vec<TaskId> {
        let job = &self.jobs[t.job.0];
        let mut chain = vec![t];
        let mut at = t.local;
        while chain.len() < MOST_CHAIN && !job.tasks[at as usize].has(WANTED) {
            let Some(next) = job.dependents(at).last() else { break };
            chain.push(job.id(next));
            at = next;
        }
        chain
    }

    /// Forgets a job, whatever its state.
    pub(crate) fn drop_job(&mut self, id: JobId, out: &mut Actions) {
        self.drop_orders(id);
        self.drop_results(id);
        for c in self.jobs[id.0].foreign.iter().flat_map(|(local, all)| all.iter().map(|c| (*c, *local))) {
            let (consumer, local) = c;
            if self.find(consumer).is_some_and(|task| task.state.is_active()) {
                self.doomed.push((consumer, Reason::InputGone { task: TaskId { job: id, local } }));
            }
        }
        self.leave_external(id);
        let Some(job) = self.jobs.remove(id.0) else { return };
        for (all, own) in self.counts.iter_mut().zip(job.counts) {
            *all -= u64::from(own);
        }
        for class in &job.classes {
            self.leave_lane(class.lane);
        }
        out.tell.push(Tell::JobClosed { job: id });
        self.let_go(out);
    }

    /// Takes a job's orders and moves off the workers' books.
    fn drop_orders(&mut self, id: JobId) {
        if self.jobs[id.0].counts[State::Assigned as usize] > 0 {
            for number in self.workers.numbers() {
                let of_job = self.workers[number].assigned.iter().map(|a| a.task).filter(|t| t.job == id);
                for t in of_job.collect::<Vec<_>>() {
                    self.unassign(t);
                }
            }
        }
        let moves: Vec<(TaskId, u32)> =
            self.moves.iter().filter(|(t, _)| t.job == id).map(|(t, m)| (*t, m.to)).collect();
        for (t, to) in moves {
            self.end_move(t, to);
        }
    }

    /// Takes a job's results off the workers' books.
    fn drop_results(&mut self, id: JobId) {
        if self.jobs[id.0].counts[State::Stored as usize] == 0 {
            return;
        }
        for local in 0..self.jobs[id.0].tasks.len() {
            let task = &mut self.jobs[id.0].tasks[local];
            if task.state != State::Stored {
                continue;
            }
            let nbytes = task.nbytes;
            loop {
                let task = &mut self.jobs[id.0].tasks[local];
                let holder = task.worker;
                let left = self.replicas.remove(task, holder);
                self.forget_bytes(holder, nbytes);
                if !left {
                    break;
                }
            }
        }
    }

    /// Takes a job's edges from other jobs back.
    fn leave_external(&mut self, id: JobId) {
        if self.jobs[id.0].external.is_empty() {
            return;
        }
        let inputs: HashSet<TaskId> = self.jobs[id.0].external.iter().copied().collect();
        for input in inputs {
            if input.job == id || self.find(input).is_none() {
                continue;
            }
            // Every edge that the input counts is in its list, and no other.
            let Some(consumers) = self.jobs[input.job.0].foreign.get_mut(&input.local) else { continue };
            let own: Vec<TaskId> = consumers.extract_if(.., |c| c.job == id).collect();
            if consumers.is_empty() {
                self.jobs[input.job.0].foreign.remove(&input.local);
            }
            let active = own.iter().filter(|c| self.task(**c).state.is_active()).count();
            self.task_mut(input).needs -= active as u32;
            self.unneeded.push(input);
            self.settling.push(input.job.0);
        }
    }
}
