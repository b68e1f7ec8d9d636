//! Every invariant, derived again from scratch. Tests call this after each step.

use crate::core::Core;
use crate::event::TaskId;
use crate::task::{COMPUTED, COPIED, FOREIGN, LET_GO, RECALLED, State, WANTED};
use std::collections::{HashMap, HashSet};

macro_rules! ensure {
    ($cond:expr, $($what:tt)*) => {
        if !$cond {
            return Err(format!($($what)*));
        }
    };
}

impl Core {
    /// Derives every invariant of the state between two events again.
    ///
    /// It looks at every task and edge, so it is for tests.
    ///
    /// # Errors
    /// Names the first invariant that does not hold.
    pub fn check(&self) -> Result<(), String> {
        ensure!(
            self.dirty.is_empty()
                && self.doomed.is_empty()
                && self.unneeded.is_empty()
                && self.settling.is_empty()
                && self.newly_ready.is_empty(),
            "work lists are not empty between events"
        );
        let mut seen = Seen::default();
        for number in self.jobs.numbers() {
            self.check_job(number, &mut seen)?;
        }
        ensure!(seen.counts == self.counts, "tasks by state are {:?}, not {:?}", seen.counts, self.counts);
        ensure!(
            seen.copies == self.replicas.len(),
            "{} further copies, {} nodes",
            seen.copies,
            self.replicas.len()
        );
        self.check_workers(&seen)?;
        self.check_lanes()?;
        self.check_progress(&seen)
    }

    fn check_job(&self, number: u32, seen: &mut Seen) -> Result<(), String> {
        let job = &self.jobs[number];
        let mut counts = [0u32; 5];
        let mut by_class = vec![[0u32; 5]; job.classes.len()];
        for local in 0..job.tasks.len() as u32 {
            let t = job.id(local);
            let task = self.task(t);
            counts[task.state as usize] += 1;
            by_class[task.class as usize][task.state as usize] += 1;
            seen.counts[task.state as usize] += 1;
            self.check_edges(t)?;
            self.check_place(t, seen)?;
        }
        ensure!(counts == job.counts, "job {number} counts {:?}, not {counts:?}", job.counts);
        for (at, class) in job.classes.iter().enumerate() {
            ensure!(
                by_class[at] == class.counts,
                "class {at} of job {number} counts {:?}, not {:?}",
                class.counts,
                by_class[at]
            );
            ensure!(self.lanes[class.lane as usize].users > 0, "class {at} of job {number} has no lane");
        }
        ensure!(
            !job.complete
                || job.unfinished() > 0
                || job.counts[State::Stored as usize] > 0
                || job.foreign.keys().any(|l| job.tasks[*l as usize].needs > 0),
            "job {number} holds nothing and is not closed"
        );
        Ok(())
    }

    fn check_edges(&self, t: TaskId) -> Result<(), String> {
        let job = &self.jobs[t.job.0];
        let task = self.task(t);
        let inputs: Vec<TaskId> = job.inputs(t.local).map(|e| job.resolve(job.edges[e].input)).collect();
        ensure!(job.inputs(t.local).all(|e| job.edges[e].consumer == t.local), "{t:?}: edges of others");
        let missing =
            inputs.iter().filter(|i| self.find(**i).is_none_or(|x| x.state != State::Stored)).count();
        match task.state {
            State::Waiting => {
                ensure!(
                    task.waiting as usize == missing,
                    "{t:?} waits for {} inputs, not {missing}",
                    task.waiting
                );
                ensure!(missing > 0, "{t:?} waits for nothing");
                for i in &inputs {
                    let state = self.find(*i).map(|x| x.state);
                    ensure!(state.is_some_and(|s| s != State::Released), "{t:?} waits for {i:?}, {state:?}");
                }
            }
            State::Ready => ensure!(missing == 0, "{t:?} is ready but misses {missing} inputs"),
            _ => {}
        }
        let dependents = self.all_dependents(t);
        let active = dependents.iter().filter(|c| self.task(**c).state.is_active()).count();
        ensure!(task.needs as usize == active, "{t:?} is needed by {active} tasks, not {}", task.needs);
        for c in dependents.iter().filter(|c| c.job == t.job) {
            ensure!(
                job.inputs(c.local).any(|e| job.resolve(job.edges[e].input) == t),
                "{c:?} does not depend on {t:?}"
            );
        }
        ensure!(
            task.has(FOREIGN) || !job.foreign.contains_key(&t.local),
            "{t:?} has foreign dependents and no flag"
        );
        Ok(())
    }

    fn check_place(&self, t: TaskId, seen: &mut Seen) -> Result<(), String> {
        let task = self.task(t);
        let complete = self.jobs[t.job.0].complete;
        match task.state {
            State::Assigned => {
                let w = self.workers.get(task.worker).ok_or(format!("{t:?} is on a worker that is gone"))?;
                let order = w.assigned.get(task.link as usize);
                ensure!(order.is_some_and(|a| a.task == t), "{t:?} is not in its worker's list");
                ensure!(
                    !task.has(RECALLED) || w.recalled.contains(&t),
                    "{t:?} is marked as recalled, but was not"
                );
            }
            State::Stored => {
                ensure!(task.has(COMPUTED), "{t:?} is stored and was never computed");
                let freed = !task.is_needed() && (complete || task.has(LET_GO));
                ensure!(!freed, "{t:?} is stored and nobody needs it");
                let mut once = HashSet::new();
                for holder in self.replicas.holders(task) {
                    ensure!(once.insert(holder), "{t:?} is on worker {holder} twice");
                    ensure!(self.workers.get(holder).is_some(), "{t:?} is on worker {holder}, which is gone");
                    let books = seen.stored.entry(holder).or_default();
                    books.0 += 1;
                    books.1 += task.nbytes;
                }
                seen.copies += once.len() - 1;
            }
            State::Released => {
                ensure!(!task.has(WANTED), "{t:?} is released and the client wants it");
                ensure!(
                    task.has(COMPUTED) || task.is_abandoned(),
                    "{t:?} was never computed, and is released though nobody let it go"
                );
            }
            State::Waiting | State::Ready => {
                ensure!(!task.is_abandoned(), "{t:?} is to be computed and nobody needs it any more");
            }
        }
        ensure!(task.has(RECALLED) <= (task.state == State::Assigned), "{t:?} is recalled from nowhere");
        ensure!(task.has(COPIED) <= (task.state == State::Assigned), "{t:?} has a copy that nothing counts");
        Ok(())
    }

    fn check_workers(&self, seen: &Seen) -> Result<(), String> {
        let mut assigned = 0;
        for (n, w) in self.workers.iter() {
            let (held, stored) = seen.stored.get(&n).copied().unwrap_or_default();
            ensure!(
                (w.held, w.stored) == (held, stored),
                "worker {n} holds {held} results of {stored} bytes, not {} of {}",
                w.held,
                w.stored
            );
            assigned += w.assigned.len() as u64;
            let moving: u64 = self.moves.values().filter(|m| m.to == n).map(|m| m.nbytes).sum();
            let reserved = w.assigned.iter().map(|a| a.reserved).sum::<u64>() + moving;
            ensure!(w.reserved == reserved, "worker {n} reserves {reserved} bytes, not {}", w.reserved);
            let busy = w.assigned.iter().map(|a| a.nanos).sum::<u64>();
            ensure!(w.busy == busy, "worker {n} is busy for {busy} ns, not {}", w.busy);
            for (at, a) in w.assigned.iter().enumerate() {
                let task = self.find(a.task);
                ensure!(
                    task.is_some_and(|x| x.state == State::Assigned
                        && x.worker == n
                        && x.link as usize == at),
                    "worker {n} lists {:?}, which is elsewhere",
                    a.task
                );
            }
            for r in &w.resources {
                let taken: u64 = w
                    .assigned
                    .iter()
                    .flat_map(|a| {
                        let lane = self.jobs[a.task.job.0].class(a.task.local).lane;
                        &self.lanes[lane as usize].demands.resources
                    })
                    .filter(|(name, _)| *name == r.name)
                    .map(|(_, amount)| amount)
                    .sum();
                ensure!(
                    r.free + taken == r.total,
                    "worker {n}: {} of {} {} free, {taken} taken",
                    r.free,
                    r.total,
                    r.name
                );
            }
            ensure!(
                self.idle.contains(n) <= (w.is_active() && w.has_idle_thread()),
                "worker {n} is not idle"
            );
            ensure!(
                self.idle.contains(n) || !w.is_active() || !w.has_idle_thread(),
                "worker {n} is idle, and nobody knows"
            );
            ensure!(
                self.excess.contains(n) == (w.assigned.len() > w.nthreads),
                "worker {n}: wrong in the set of those with excess"
            );
            ensure!(
                self.backlogged.contains(n) || w.queue.len() == 0,
                "worker {n} has a queue, and nobody knows"
            );
            ensure!(
                self.retiring.contains(n) == w.retiring.is_some(),
                "worker {n}: wrong in the set of retiring"
            );
            ensure!(w.is_active() || w.queue.len() == 0, "worker {n} is not active and has a queue");
            ensure!(w.recalled.is_empty() || self.recalling.contains(n), "worker {n} is recalling unnoticed");
        }
        ensure!(
            assigned == self.counts[State::Assigned as usize],
            "{assigned} orders for {} assigned tasks",
            self.counts[State::Assigned as usize]
        );
        for set in [&self.idle, &self.backlogged, &self.excess, &self.recalling, &self.retiring] {
            for n in set.as_slice() {
                ensure!(self.workers.get(*n).is_some(), "worker {n} is gone and still in a set");
            }
        }
        for (t, m) in &self.moves {
            ensure!(self.find(*t).is_some(), "{t:?} moves, and its job is gone");
            ensure!(self.workers.get(m.to).is_some(), "{t:?} moves to worker {}, which is gone", m.to);
        }
        Ok(())
    }

    fn check_lanes(&self) -> Result<(), String> {
        let mut users = vec![0; self.lanes.len()];
        for (_, job) in self.jobs.iter() {
            for class in &job.classes {
                users[class.lane as usize] += 1;
            }
        }
        for (at, lane) in self.lanes.iter().enumerate() {
            ensure!(lane.users == users[at], "lane {at} has {} users, not {}", users[at], lane.users);
            for (n, w) in self.workers.iter() {
                let listed = w.lanes.contains(&(at as u32));
                ensure!(listed == lane.members.contains(n), "worker {n} and lane {at} disagree");
                if lane.live {
                    let others = lane.demands.allow_other_workers
                        && !self.workers.iter().any(|(_, w)| lane.demands.names(w));
                    let named = lane.demands.workers.is_empty() || others || lane.demands.names(w);
                    ensure!(
                        listed == (named && lane.demands.can_run(w)),
                        "worker {n} is wrongly in lane {at}, or not"
                    );
                }
            }
            for set in [&lane.members, &lane.idle, &lane.open] {
                for n in set.as_slice() {
                    ensure!(lane.members.contains(*n), "worker {n} is no member of lane {at}");
                    ensure!(self.workers.get(*n).is_some(), "worker {n} is gone and still in lane {at}");
                }
            }
        }
        Ok(())
    }

    /// No task waits for nothing: each ready one is in a queue, and some worker works if any could.
    fn check_progress(&self, seen: &Seen) -> Result<(), String> {
        if seen.counts[State::Ready as usize] == 0 {
            return Ok(());
        }
        let mut queued = HashSet::new();
        for (lane, l) in self.lanes.iter().enumerate() {
            for p in l.queue.iter() {
                if let Some(job) = self.jobs.get(p.job.0)
                    && job.class(p.local).lane == lane as u32
                {
                    queued.insert((p.job, p.local));
                }
            }
        }
        for (_, w) in self.workers.iter() {
            queued.extend(w.queue.iter().map(|p| (p.job, p.local)));
        }
        for (number, job) in self.jobs.iter() {
            for local in 0..job.tasks.len() as u32 {
                let state = job.tasks[local as usize].state;
                ensure!(
                    state != State::Ready || queued.contains(&(job.id, local)),
                    "task {local} of job {number} is ready, and in no queue"
                );
            }
        }
        let runs = self.counts[State::Assigned as usize] > 0 || !self.moves.is_empty();
        for (at, lane) in self.lanes.iter().enumerate() {
            let mut ready = lane.queue.iter().filter(|p| crate::place::is_ready(&self.jobs, *p));
            let active = |n: &&u32| self.workers[**n].is_active();
            let fits = |p| {
                let t = crate::place::task_of(p);
                lane.members.as_slice().iter().filter(active).any(|n| self.fits(t, *n))
            };
            ensure!(
                runs || !ready.any(fits),
                "lane {at} has ready tasks that fit into active workers, and nothing runs"
            );
        }
        Ok(())
    }
}

/// What [`Core::check`] counts on its way.
#[derive(Default)]
struct Seen {
    counts: [u64; 5],
    /// Results and bytes by worker.
    stored: HashMap<u32, (u32, u64)>,
    copies: usize,
}
