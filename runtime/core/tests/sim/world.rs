//! A simulated cluster: workers that really compute (hashes of) values, links that are slow but in order, a
//! client, and a clock that only this file moves.

use crate::graph::{self, Plan};
use crate::rng::{Rng, mix};
use dask_core::*;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

/// What a worker is told, one message each.
#[derive(Clone, Debug)]
enum Order {
    Compute(Compute, Vec<Input>),
    Recall(Vec<TaskId>),
    Free(TaskId),
    Fetch(Input),
    Forget(JobId),
}

/// What happens at some time.
#[derive(Debug)]
enum Step {
    /// To the core, from a worker (dropped when the worker's link was cut) or from elsewhere.
    Core(Option<WorkerId>, Event),
    Worker(WorkerId, Order),
    /// An input arrives for an order.
    Arrive(WorkerId, TaskId, u64, Input),
    /// A result arrives that the worker was told to fetch.
    Fetched(WorkerId, Input),
    Computed(WorkerId, TaskId, u64),
    Die(WorkerId),
    Join(Box<WorkerInfo>),
    /// The client looks after its results.
    Client(JobId),
    /// The client does not want some of its results any more.
    LetGo(JobId),
    Submit,
    Tick,
}

#[derive(Debug)]
struct Held {
    order: Compute,
    inputs: Vec<Input>,
    /// Values of the inputs, as they come.
    values: Vec<Option<u64>>,
    serial: u64,
}

#[derive(Debug)]
struct Worker {
    info: WorkerInfo,
    store: HashMap<TaskId, u64>,
    /// Orders that have not started, by priority.
    queue: BTreeMap<Priority, Held>,
    running: Vec<(Held, u64)>,
    /// It starts nothing.
    paused: bool,
    /// When the last message of each direction arrives.
    to_core: u64,
    from_core: u64,
    slow: u64,
    closed: BTreeSet<JobId>,
}

/// What the client knows of a job.
pub(crate) struct Submitted {
    pub(crate) plan: Plan,
    salt: u64,
    /// Where wanted results are.
    places: BTreeMap<u32, WorkerId>,
    /// Tasks whose failure is their result.
    condemned: BTreeSet<u32>,
    /// Wanted results that came.
    got: BTreeSet<u32>,
    /// Wanted results of which the client let go before they came.
    let_go: BTreeSet<u32>,
    pub(crate) done: bool,
    pub(crate) closed: bool,
    pub(crate) cancelled: bool,
    pub(crate) failure: Option<Failure>,
    runs: HashMap<u32, u32>,
    /// Other jobs still to be submitted may name its results.
    keep_until: u64,
}

impl Submitted {
    /// Whether a task's failure may be its result, and is not yet.
    fn tolerates(&self, task: TaskId) -> bool {
        let class = self.plan.tasks[task.local as usize].0;
        self.plan.classes[class as usize].tolerant && !self.condemned.contains(&task.local)
    }

    /// Which tasks had to run, whatever their dependents in other jobs were: those that a result which came depends on,
    /// and those whose results never were for anybody.
    fn needed(&self) -> Vec<bool> {
        let tasks = &self.plan.tasks;
        let inputs = |t: usize| tasks[t].1.iter().filter(|i| *i & EXTERNAL == 0).map(|i| *i as usize);
        let mut needed = vec![true; tasks.len()];
        (0..tasks.len()).flat_map(inputs).for_each(|i| needed[i] = false);
        self.plan.wanted.iter().for_each(|w| needed[*w as usize] = self.got.contains(w));
        for t in (0..tasks.len()).rev().filter(|t| needed[*t]).collect::<Vec<_>>() {
            let mut stack = vec![t];
            while let Some(t) = stack.pop() {
                stack.extend(inputs(t).filter(|i| !std::mem::replace(&mut needed[*i], true)));
            }
        }
        needed
    }
}

/// What kind of run it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) workers: u64,
    pub(crate) jobs: u64,
    pub(crate) chaos: graph::Chaos,
    /// Percent of jobs that are cancelled, of jobs of which results are let go, of workers that die, retire and pause, of
    /// fetches that fail.
    pub(crate) cancel: u64,
    pub(crate) let_go: u64,
    pub(crate) die: u64,
    pub(crate) retire: u64,
    pub(crate) pause: u64,
    pub(crate) unfetched: u64,
    /// Bytes, or 0.
    pub(crate) memory: u64,
    pub(crate) latency: u64,
}

pub(crate) struct World {
    pub(crate) core: Core,
    pub(crate) rng: Rng,
    pub(crate) setup: Setup,
    actions: Actions,
    now: u64,
    serial: u64,
    steps: BinaryHeap<Reverse<(u64, u64)>>,
    bodies: HashMap<u64, Step>,
    workers: BTreeMap<WorkerId, Worker>,
    pub(crate) jobs: Vec<Submitted>,
    pub(crate) events: u64,
    /// Deaths, drops, failed fetches and failed tasks.
    pub(crate) losses: u64,
    pub(crate) deaths: u64,
    pub(crate) most_stored: u64,
    /// Tasks that never ran, since nobody needed their results any more.
    pub(crate) spared: u64,
    submitted: u64,
}

impl World {
    pub(crate) fn new(seed: u64, setup: Setup) -> World {
        let mut world = World {
            core: Core::new(),
            rng: Rng(seed),
            setup,
            actions: Actions::default(),
            now: 0,
            serial: 0,
            steps: BinaryHeap::new(),
            bodies: HashMap::new(),
            workers: BTreeMap::new(),
            jobs: vec![],
            events: 0,
            losses: 0,
            deaths: 0,
            most_stored: 0,
            spared: 0,
            submitted: 0,
        };
        for i in 0..setup.workers {
            let at = if world.rng.chance(70) { 0 } else { world.rng.below(200_000_000) };
            world.join(at, i);
        }
        world.at(0, Step::Submit);
        world.at(1_000_000, Step::Tick);
        world
    }

    fn at(&mut self, time: u64, step: Step) {
        self.serial += 1;
        self.steps.push(Reverse((time, self.serial)));
        self.bodies.insert(self.serial, step);
    }

    fn join(&mut self, at: u64, index: u64) {
        let info = WorkerInfo {
            id: WorkerId::default(),
            name: format!("worker {index}"),
            address: format!("tcp://{index}"),
            nthreads: self.rng.range(1, 8) as u32,
            memory_limit: self.setup.memory,
            resources: if self.rng.chance(50) { vec![("gpu".into(), 1.0)] } else { vec![] },
            python: self.rng.chance(70),
        };
        self.at(at, Step::Join(Box::new(info)));
    }

    fn latency(&mut self) -> u64 {
        1 + self.rng.below(self.setup.latency)
    }

    /// A message from a worker, after those that it sent before.
    fn send(&mut self, from: WorkerId, event: Event) {
        let latency = self.latency();
        let Some(w) = self.workers.get_mut(&from) else { return };
        w.to_core = w.to_core.max(self.now + latency);
        let at = w.to_core;
        self.at(at, Step::Core(Some(from), event));
    }

    fn order(&mut self, to: WorkerId, order: Order) {
        let latency = self.latency();
        let Some(w) = self.workers.get_mut(&to) else { return };
        w.from_core = w.from_core.max(self.now + latency);
        let at = w.from_core;
        self.at(at, Step::Worker(to, order));
    }

    /// Runs to the end.
    pub(crate) fn run(&mut self) -> Result<(), String> {
        while let Some(Reverse((time, serial))) = self.steps.pop() {
            let Some(step) = self.bodies.remove(&serial) else { continue };
            self.now = self.now.max(time);
            if self.now > 3_000_000_000_000 {
                return Err(self.stuck());
            }
            let tasks: usize = self.jobs.iter().map(|j| j.plan.tasks.len()).sum();
            if self.events > 20_000 + 50 * tasks as u64 {
                return Err(format!("after {} events for {tasks} tasks {}", self.events, self.stuck()));
            }
            self.step(step)?;
        }
        self.judge()
    }

    fn stuck(&self) -> String {
        let mut text = String::from("the run does not end");
        for (at, job) in self.jobs.iter().enumerate().filter(|(_, j)| !j.closed) {
            for local in 0..job.plan.tasks.len() as u32 {
                let e = self.core.explain(TaskId { job: JobId(at as u32), local });
                if let Some(e) = e.filter(|e| e.state.is_active() || e.state == State::Stored) {
                    let why = e.text(&|t| t.local.to_string(), &|w| w.0.to_string());
                    text += &format!("\ntask {local} of job {at} is {why}");
                }
            }
        }
        text
    }

    fn step(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Core(from, event) => {
                // A cut link delivers nothing more.
                if from.is_none_or(|w| self.workers.contains_key(&w))
                    || matches!(event, Event::WorkerLost { .. })
                {
                    self.handle(event)?;
                }
            }
            Step::Worker(w, order) => self.take_order(w, order),
            Step::Arrive(w, task, serial, input) => self.arrive(w, task, serial, input),
            Step::Fetched(w, input) => self.fetched(w, input),
            Step::Computed(w, task, serial) => self.computed(w, task, serial),
            Step::Die(w) => self.die(w),
            Step::Join(mut info) => {
                info.id = self.core.next_worker();
                let slow = if self.rng.chance(10) { 20 } else { 1 };
                let worker = Worker {
                    info: (*info).clone(),
                    store: HashMap::new(),
                    queue: BTreeMap::new(),
                    running: vec![],
                    paused: false,
                    to_core: self.now,
                    from_core: self.now,
                    slow,
                    closed: BTreeSet::new(),
                };
                let id = info.id;
                self.workers.insert(id, worker);
                self.handle(Event::WorkerJoined(*info))?;
                if self.rng.chance(self.setup.die) {
                    let at = self.now + self.rng.below(300_000_000);
                    self.at(at, Step::Die(id));
                }
                if self.rng.chance(self.setup.retire) {
                    let at = self.now + self.rng.below(300_000_000);
                    self.at(at, Step::Core(None, Event::Retire { worker: id }));
                }
            }
            Step::Client(job) => self.client(job)?,
            Step::LetGo(job) => self.let_go(job)?,
            Step::Submit => self.submit()?,
            Step::Tick => self.tick()?,
        }
        Ok(())
    }

    fn handle(&mut self, event: Event) -> Result<(), String> {
        self.events += 1;
        let copy = event.clone();
        let mut actions = std::mem::take(&mut self.actions);
        self.core.handle(self.now, event, &mut actions);
        // The full check is dear, so large states are checked now and then only.
        let tasks = self.core.counts().total();
        if tasks < 150 || self.events.is_multiple_of(tasks / 50) {
            self.core.check().map_err(|e| format!("after {copy:?} at {}: {e}", self.now))?;
        }
        self.most_stored = self.most_stored.max(self.core.counts().stored);
        let mut orders = vec![];
        for o in actions.orders() {
            orders.extend(o.free.iter().map(|t| (o.worker, Order::Free(*t))));
            orders.extend(o.computes().map(|(c, inputs)| (o.worker, Order::Compute(*c, inputs.to_vec()))));
            if !o.recall.is_empty() {
                orders.push((o.worker, Order::Recall(o.recall.clone())));
            }
            orders.extend(o.fetch.iter().map(|i| (o.worker, Order::Fetch(*i))));
        }
        for (to, order) in orders {
            self.order(to, order);
        }
        let tell = std::mem::take(&mut actions.tell);
        actions.clear();
        self.actions = actions;
        for news in tell {
            self.told(news)?;
        }
        Ok(())
    }

    fn told(&mut self, news: Tell) -> Result<(), String> {
        match news {
            Tell::Ready { task, worker, .. } => {
                let job = &mut self.jobs[task.job.0 as usize];
                if !job.plan.wanted.contains(&task.local) {
                    return Err(format!("{task:?} is told ready, but nobody wants it"));
                }
                job.places.insert(task.local, worker);
                let at = self.now + self.latency();
                self.at(at, Step::Client(task.job));
            }
            Tell::JobDone { job } => {
                let j = &mut self.jobs[job.0 as usize];
                if j.done || j.closed {
                    return Err(format!("{job:?} is told done again, or too late"));
                }
                j.done = true;
            }
            Tell::JobFailed(failure) => {
                let job = &mut self.jobs[failure.job.0 as usize];
                let ran = matches!(failure.reason, Reason::Raised { .. } | Reason::KilledWorkers { .. });
                if let Some(task) = failure.task.filter(|t| ran && job.tolerates(*t)) {
                    return Err(format!("{task:?} failed its job, but its class is tolerant"));
                }
                job.failure = Some(failure);
            }
            Tell::Condemned(failure) => {
                let job = &mut self.jobs[failure.job.0 as usize];
                let task = failure.task.ok_or("nothing is condemned")?;
                if !job.tolerates(task) || !job.condemned.insert(task.local) {
                    return Err(format!("{task:?} is condemned again, or though its class is not tolerant"));
                }
            }
            Tell::JobClosed { job } => {
                self.jobs[job.0 as usize].closed = true;
                for w in self.workers.keys().copied().collect::<Vec<_>>() {
                    self.order(w, Order::Forget(job));
                }
            }
            Tell::WorkerRetired { worker } => {
                // It dies at once and takes nothing with it: its link is cut with nothing of worth in it.
                let at = self.now + 1;
                let stats = self.core.worker(worker).ok_or("a worker that is gone retired")?;
                if stats.held > 0 || stats.assigned > 0 {
                    return Err(format!("worker {worker:?} retired with {stats:?}"));
                }
                self.deaths += 1;
                self.workers.remove(&worker);
                self.at(at, Step::Core(Some(worker), Event::WorkerLost { worker }));
            }
            Tell::RetireBlocked { .. } => {}
        }
        Ok(())
    }

    fn take_order(&mut self, id: WorkerId, order: Order) {
        let Some(w) = self.workers.get_mut(&id) else { return };
        match order {
            Order::Free(t) => {
                w.store.remove(&t);
            }
            Order::Forget(job) => {
                w.closed.insert(job);
                w.store.retain(|t, _| t.job != job);
                w.queue.retain(|_, h| h.order.task.job != job);
                w.running.retain(|(h, _)| h.order.task.job != job);
                self.start(id);
            }
            Order::Recall(tasks) => {
                let mut back = vec![];
                w.queue.retain(|_, h| {
                    let asked = tasks.contains(&h.order.task);
                    if asked {
                        back.push(h.order.task);
                    }
                    !asked
                });
                self.send(id, Event::Returned { worker: id, tasks: back });
            }
            Order::Fetch(input) => {
                let at = self.now + self.latency();
                self.at(at, Step::Fetched(id, input));
            }
            Order::Compute(order, inputs) => {
                self.serial += 1;
                let serial = self.serial;
                let mut arrivals = vec![];
                let mut values = vec![];
                for input in &inputs {
                    let here = w.store.get(&input.task).copied();
                    values.push(here);
                    if here.is_none() {
                        arrivals.push(*input);
                    }
                }
                w.queue.insert(order.priority, Held { order, inputs, values, serial });
                for input in arrivals {
                    let at = self.now + self.latency();
                    self.at(at, Step::Arrive(id, order.task, serial, input));
                }
                self.start(id);
            }
        }
    }

    /// What a peer has to give.
    fn peer_gives(&mut self, input: Input) -> Option<u64> {
        if self.rng.chance(self.setup.unfetched) {
            self.losses += 1;
            return None;
        }
        let value = self.workers.get(&input.from).and_then(|w| w.store.get(&input.task)).copied();
        self.losses += u64::from(value.is_none());
        value
    }

    fn arrive(&mut self, id: WorkerId, task: TaskId, serial: u64, input: Input) {
        let waits = |w: &Worker| w.queue.values().any(|h| h.order.task == task && h.serial == serial);
        if !self.workers.get(&id).is_some_and(waits) {
            return;
        }
        let value = self.peer_gives(input);
        let keep = self.rng.chance(50);
        let Some(w) = self.workers.get_mut(&id) else { return };
        let Some(key) = w.queue.iter().find(|(_, h)| h.serial == serial).map(|(p, _)| *p) else { return };
        match value {
            Some(value) => {
                if let Some(h) = w.queue.get_mut(&key) {
                    for (i, v) in h.inputs.iter().zip(&mut h.values) {
                        if i.task == input.task {
                            *v = Some(value);
                        }
                    }
                }
                if keep && !w.closed.contains(&input.task.job) && w.store.insert(input.task, value).is_none()
                {
                    self.send(id, Event::ReplicaLanded { worker: id, tasks: vec![input.task] });
                }
                self.start(id);
            }
            None => {
                w.queue.remove(&key);
                self.send(id, Event::InputMissing { worker: id, task, input: input.task, from: input.from });
            }
        }
    }

    fn fetched(&mut self, id: WorkerId, input: Input) {
        if self.workers.get(&id).is_none_or(|w| w.closed.contains(&input.task.job)) {
            return;
        }
        let value = self.peer_gives(input);
        let Some(w) = self.workers.get_mut(&id) else { return };
        match value {
            Some(value) => {
                w.store.insert(input.task, value);
                self.send(id, Event::ReplicaLanded { worker: id, tasks: vec![input.task] });
            }
            None => self.send(id, Event::FetchFailed { worker: id, task: input.task, from: input.from }),
        }
    }

    /// Starts tasks on free threads.
    fn start(&mut self, id: WorkerId) {
        loop {
            let Some(w) = self.workers.get_mut(&id) else { return };
            if w.paused || w.running.len() >= w.info.nthreads as usize {
                return;
            }
            let next = w.queue.iter().find(|(_, h)| h.values.iter().all(Option::is_some)).map(|(p, _)| *p);
            let Some(held) = next.and_then(|p| w.queue.remove(&p)) else { return };
            let plan = &self.jobs[held.order.task.job.0 as usize].plan;
            let nanos = 1 + plan.nanos[held.order.class as usize] / 2 * w.slow;
            let nanos = nanos + self.rng.below(nanos);
            let (task, serial) = (held.order.task, held.serial);
            w.running.push((held, nanos));
            self.check_memory(id);
            let at = self.now + nanos;
            self.at(at, Step::Computed(id, task, serial));
        }
    }

    /// What a worker really stores, and what its runs take, never passes 0.80 of its limit.
    fn check_memory(&self, id: WorkerId) {
        let w = &self.workers[&id];
        if w.info.memory_limit == 0 {
            return;
        }
        let class = |t: &TaskId| {
            let plan = &self.jobs[t.job.0 as usize].plan;
            &plan.classes[plan.tasks[t.local as usize].0 as usize]
        };
        // Word of a closed job may be under way.
        let is_open = |t: &TaskId| !self.jobs[t.job.0 as usize].closed;
        let running: BTreeSet<TaskId> = w.running.iter().map(|(h, _)| h.order.task).filter(is_open).collect();
        let mut all: BTreeSet<TaskId> = w.store.keys().copied().filter(is_open).collect();
        all.extend(&running);
        let stored: u64 = all.iter().map(|t| class(t).nbytes).sum();
        let used = stored + running.iter().map(|t| class(t).scratch).sum::<u64>();
        assert!(used <= w.info.memory_limit * 4 / 5, "worker {id:?} takes {used} bytes at {}", self.now);
    }

    fn computed(&mut self, id: WorkerId, task: TaskId, serial: u64) {
        let Some(w) = self.workers.get_mut(&id) else { return };
        let Some(at) = w.running.iter().position(|(h, _)| h.serial == serial) else { return };
        let (held, nanos) = w.running.swap_remove(at);
        let job = &mut self.jobs[task.job.0 as usize];
        let condemned = held.order.condemned;
        if job.plan.poison == Some(task.local) && !condemned {
            self.losses += 1;
            return self.die(id);
        }
        if !condemned && self.rng.chance(job.plan.failing) {
            self.losses += 1;
            let event = Event::Failed { worker: id, task, error: "no luck".into(), retryable: true };
            self.send(id, event);
        } else {
            *job.runs.entry(task.local).or_default() += 1;
            let value = graph::compute(job.salt, task.local, held.values.iter().flatten().copied());
            w.store.insert(task, value);
            let plan = &job.plan;
            let nbytes = plan.classes[plan.tasks[task.local as usize].0 as usize].nbytes;
            let done = Done { task: task.local, nbytes, nanos };
            self.send(id, Event::Finished { worker: id, job: task.job, tasks: vec![done] });
        }
        self.start(id);
    }

    fn die(&mut self, id: WorkerId) {
        if let Some(w) = self.workers.remove(&id) {
            self.losses += 1;
            self.deaths += 1;
            let at = self.now + self.latency();
            self.at(at, Step::Core(Some(id), Event::WorkerLost { worker: id }));
            if self.rng.chance(60) {
                let index = w.info.name.rsplit(' ').next().and_then(|i| i.parse().ok()).unwrap_or(0);
                let at = at + self.latency();
                self.join(at, index);
            }
        }
    }

    /// The client reads what it can, and lets go of it.
    fn client(&mut self, id: JobId) -> Result<(), String> {
        let job = &mut self.jobs[id.0 as usize];
        if job.closed || self.now < job.keep_until {
            let at = job.keep_until + 1;
            if !job.closed {
                self.at(at, Step::Client(id));
            }
            return Ok(());
        }
        let mut got = vec![];
        // What is not there any more is told again when it is.
        for (local, worker) in &std::mem::take(&mut job.places) {
            let t = TaskId { job: id, local: *local };
            let value = self.workers.get(worker).and_then(|w| w.store.get(&t));
            let Some(value) = value.filter(|_| !job.got.contains(local)) else { continue };
            if *value != job.plan.values[*local as usize] {
                return Err(format!("{t:?} has a wrong value"));
            }
            got.push(*local);
        }
        job.got.extend(&got);
        if got.is_empty() { Ok(()) } else { self.handle(Event::Released { job: id, tasks: got }) }
    }

    /// The client lets go of some results that have not come, as soon as no other job can come to need them.
    fn let_go(&mut self, id: JobId) -> Result<(), String> {
        let job = &self.jobs[id.0 as usize];
        if job.closed {
            return Ok(());
        }
        if self.now < job.keep_until {
            let at = job.keep_until + 1 + self.rng.below(50_000_000);
            self.at(at, Step::LetGo(id));
            return Ok(());
        }
        let part = self.rng.range(1, 100);
        let is_open = |w: &&u32| {
            let added = self.core.state(TaskId { job: id, local: **w }).is_some();
            added && !job.got.contains(w) && !job.let_go.contains(w)
        };
        let open = job.plan.wanted.iter().filter(is_open);
        let gone: Vec<u32> = open.copied().filter(|_| self.rng.chance(part)).collect();
        let job = &mut self.jobs[id.0 as usize];
        job.let_go.extend(&gone);
        gone.iter().for_each(|w| {
            job.places.remove(w);
        });
        if self.rng.chance(50) {
            let at = self.now + self.rng.below(100_000_000);
            self.at(at, Step::LetGo(id));
        }
        if gone.is_empty() { Ok(()) } else { self.handle(Event::Released { job: id, tasks: gone }) }
    }

    fn submit(&mut self) -> Result<(), String> {
        let outside: Vec<(TaskId, u64)> = self
            .jobs
            .iter()
            .enumerate()
            .filter(|(_, j)| !j.closed && j.keep_until > self.now)
            .flat_map(|(at, j)| {
                let of =
                    move |w: &u32| (TaskId { job: JobId(at as u32), local: *w }, j.plan.values[*w as usize]);
                j.plan.wanted.iter().map(of)
            })
            .collect();
        for (t, _) in &outside {
            let job = &mut self.jobs[t.job.0 as usize];
            job.keep_until = job.keep_until.max(self.now + 3_000_000_000);
        }
        let salt = mix(self.rng.next());
        let id = self.core.next_job();
        let plan = graph::random(&mut self.rng, salt, self.setup.chaos, &outside);
        let batches = plan.batches(&mut self.rng);
        let priority = plan.priority;
        let keep_until = if self.rng.chance(30) { self.now + 300_000_000 } else { 0 };
        self.jobs.push(Submitted {
            plan,
            salt,
            places: BTreeMap::new(),
            condemned: BTreeSet::new(),
            got: BTreeSet::new(),
            let_go: BTreeSet::new(),
            done: false,
            closed: false,
            cancelled: false,
            failure: None,
            runs: HashMap::new(),
            keep_until,
        });
        self.handle(Event::JobOpened { job: id, priority })?;
        let mut at = self.now;
        for batch in batches {
            self.at(at, Step::Core(None, Event::TasksAdded { job: id, batch }));
            at += self.rng.below(20_000_000);
        }
        self.at(at, Step::Core(None, Event::JobComplete { job: id }));
        let early = self.setup.die > 0 && self.rng.chance(30);
        if early {
            // What is released before the job is complete may have to be computed again.
            self.losses += 1;
        } else {
            let job = &mut self.jobs[id.0 as usize];
            job.keep_until = job.keep_until.max(at);
        }
        if self.rng.chance(self.setup.cancel) {
            self.jobs[id.0 as usize].cancelled = true;
            let at = self.now + self.rng.below(400_000_000);
            self.at(at, Step::Core(None, Event::JobCancelled { job: id }));
        }
        if self.rng.chance(self.setup.let_go) {
            let at = self.now + self.rng.below(200_000_000);
            self.at(at, Step::LetGo(id));
        }
        self.submitted += 1;
        if self.submitted < self.setup.jobs {
            let at = self.now + self.rng.below(200_000_000);
            self.at(at, Step::Submit);
        }
        Ok(())
    }

    /// Workers report their memory; when little is left that could help, help comes.
    fn tick(&mut self) -> Result<(), String> {
        let open = self.submitted < self.setup.jobs || self.jobs.iter().any(|j| !j.closed);
        if !open {
            return Ok(());
        }
        let late = self.now > 5_000_000_000;
        for worker in self.workers.keys().copied().collect::<Vec<_>>() {
            let paused = !late && self.rng.chance(self.setup.pause);
            self.measure(worker, paused);
        }
        let delivering = self.jobs.iter().any(|j| !j.closed && !j.places.is_empty());
        self.handle(Event::Tick { delivering })?;
        if late {
            self.setup.die = 0;
            self.setup.retire = 0;
            self.setup.unfetched = 0;
            self.rescue();
        }
        let at = self.now + 500_000_000;
        self.at(at, Step::Tick);
        Ok(())
    }

    /// Has workers join that may run anything, and again when they are gone: a task that kills its worker may kill all
    /// that may run it.
    fn rescue(&mut self) {
        for index in 0..4 {
            let name = format!("rescuer {index}");
            if self.workers.values().any(|w| w.info.name == name) {
                continue;
            }
            let info = WorkerInfo {
                id: WorkerId::default(),
                name,
                address: "tcp://1".into(),
                nthreads: 2,
                memory_limit: self.setup.memory,
                resources: vec![("gpu".into(), 1.0)],
                python: true,
            };
            self.at(self.now, Step::Join(Box::new(info)));
        }
    }

    /// A worker measures its memory, after which it is paused or not.
    fn measure(&mut self, worker: WorkerId, paused: bool) {
        let Some(w) = self.workers.get_mut(&worker) else { return };
        w.paused = paused;
        let fetching = w.queue.values().filter(|h| h.values.iter().any(Option::is_none)).count();
        let kept = w.store.len() as u64;
        let memory = Measured { paused, process: kept, kept, active: (w.running.len() + fetching) as u64 };
        self.send(worker, Event::MemoryReport { worker, memory });
        self.start(worker);
    }

    /// Whether everything ended as it should.
    fn judge(&mut self) -> Result<(), String> {
        for (at, job) in self.jobs.iter().enumerate() {
            if !job.closed {
                return Err(format!("job {at} is not closed: {}", self.stuck()));
            }
            if let Some(f) = &job.failure {
                let right = match &f.reason {
                    Reason::Raised { attempt, .. } => {
                        job.plan.failing > 0 && *attempt >= 1 || self.setup.unfetched > 0 || self.losses >= 20
                    }
                    Reason::KilledWorkers { workers } => workers.len() >= 3 && self.deaths >= 3,
                    Reason::TooLarge { .. } | Reason::MemoryFull { .. } => self.setup.memory > 0,
                    Reason::Paused { .. } => self.setup.pause > 0,
                    Reason::NoPython { .. } | Reason::NoResources { .. } => self.setup.chaos.restricted,
                    Reason::InputGone { task } => {
                        let other = &self.jobs[task.job.0 as usize];
                        other.failure.is_some() || other.cancelled || other.closed
                    }
                    Reason::Invalid(_) => false,
                };
                if !right {
                    return Err(format!("job {at} failed for no reason: {f:?}"));
                }
                if f.task.is_none_or(|t| t.job != f.job || f.chain.first() != Some(&t)) {
                    return Err(format!("job {at}: wrong chain in {f:?}"));
                }
                continue;
            }
            if job.cancelled && !job.done {
                continue;
            }
            if !job.done || (!job.cancelled && job.got.len() + job.let_go.len() != job.plan.wanted.len()) {
                return Err(format!("job {at} closed, but the client has not got everything"));
            }
            for (local, needed) in (0..).zip(job.needed()) {
                match job.runs.get(&local) {
                    None if needed => return Err(format!("task {local} of job {at} never ran")),
                    None => self.spared += 1,
                    Some(1) => {}
                    Some(n) if self.losses == 0 => {
                        return Err(format!("task {local} of job {at} ran {n} times without a loss"));
                    }
                    Some(_) => {}
                }
            }
        }
        let counts = self.core.counts();
        if counts.total() > 0 || self.core.workers().iter().any(|w| w.held > 0 || w.stored > 0) {
            return Err(format!("something is left: {counts:?}"));
        }
        if let Some((id, w)) = self.workers.iter().find(|(_, w)| !w.store.is_empty()) {
            return Err(format!("worker {id:?} still stores {:?}", w.store.keys().collect::<Vec<_>>()));
        }
        Ok(())
    }
}
