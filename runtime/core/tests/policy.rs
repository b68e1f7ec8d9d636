//! What the core decides, one policy at a time.

use dask_core::*;
use proptest::prelude::*;
use std::collections::VecDeque;

const MS: u64 = 1_000_000;

/// A core, and the orders that its workers have not answered.
struct Lab {
    core: Core,
    now: u64,
    actions: Actions,
    orders: VecDeque<(WorkerId, Compute, Vec<Input>)>,
    recalls: Vec<(WorkerId, Vec<TaskId>)>,
    fetches: Vec<(WorkerId, Input)>,
    frees: Vec<(WorkerId, TaskId)>,
    tell: Vec<Tell>,
    most_stored: u64,
}

fn info(i: u32) -> WorkerInfo {
    WorkerInfo {
        id: WorkerId(i),
        name: format!("w{i}"),
        address: format!("tcp://{i}"),
        nthreads: 1,
        ..WorkerInfo::default()
    }
}

fn class(name: &str) -> Class {
    Class { name: name.into(), ..Class::default() }
}

fn block(class: u32, inputs: &[&[u32]]) -> Block {
    let counts = inputs.iter().map(|i| i.len() as u32).collect();
    Block { class, count: inputs.len() as u32, inputs: Inputs::Counted { counts, ids: inputs.concat() } }
}

fn roots(count: u32) -> Block {
    Block { class: 0, count, inputs: Inputs::Fixed { each: 0, ids: vec![] } }
}

impl Lab {
    fn new(workers: impl IntoIterator<Item = WorkerInfo>) -> Lab {
        let mut lab = Lab {
            core: Core::new(),
            now: 0,
            actions: Actions::default(),
            orders: VecDeque::new(),
            recalls: vec![],
            fetches: vec![],
            frees: vec![],
            tell: vec![],
            most_stored: 0,
        };
        for w in workers {
            lab.on(Event::WorkerJoined(w));
        }
        lab
    }

    fn on(&mut self, event: Event) {
        self.core.handle(self.now, event, &mut self.actions);
        self.core.check().expect("every invariant holds");
        for o in self.actions.orders() {
            self.orders.extend(o.computes().map(|(c, i)| (o.worker, *c, i.to_vec())));
            if !o.recall.is_empty() {
                self.recalls.push((o.worker, o.recall.clone()));
            }
            self.frees.extend(o.free.iter().map(|t| (o.worker, *t)));
            self.fetches.extend(o.fetch.iter().map(|i| (o.worker, *i)));
        }
        self.tell.append(&mut self.actions.tell);
        self.actions.clear();
        self.most_stored = self.most_stored.max(self.core.counts().stored);
    }

    fn job(&mut self, classes: Vec<Class>, blocks: Vec<Block>, wanted: &[u32]) -> JobId {
        let job = self.core.next_job();
        self.on(Event::JobOpened { job, priority: 0 });
        let batch = Batch { classes, blocks, wanted: wanted.to_vec(), external: vec![] };
        self.on(Event::TasksAdded { job, batch });
        self.on(Event::JobComplete { job });
        job
    }

    fn done(&mut self, worker: WorkerId, task: TaskId, nbytes: u64, nanos: u64) {
        let tasks = vec![Done { task: task.local, nbytes, nanos }];
        self.on(Event::Finished { worker, job: task.job, tasks });
    }

    /// Answers the oldest order. Returns what it was.
    fn step(&mut self, nbytes: u64, nanos: u64) -> Option<(WorkerId, u32)> {
        let (worker, order, _) = self.orders.pop_front()?;
        self.now += nanos;
        self.done(worker, order.task, nbytes, nanos);
        Some((worker, order.task.local))
    }

    /// Answers every order with these bytes and nanoseconds, and gives back nothing.
    fn run(&mut self, nbytes: u64, nanos: u64) -> Vec<(WorkerId, u32)> {
        let mut ran = vec![];
        loop {
            while let Some((worker, _)) = self.recalls.pop() {
                self.on(Event::Returned { worker, tasks: vec![] });
            }
            let Some(step) = self.step(nbytes, nanos) else { return ran };
            ran.push(step);
        }
    }

    fn failure(&self) -> &Failure {
        let failed = self.tell.iter().find_map(|t| if let Tell::JobFailed(f) = t { Some(f) } else { None });
        failed.expect("a job failed")
    }

    fn explain(&self, job: JobId, local: u32) -> String {
        let why = self.core.explain(TaskId { job, local }).expect("the job is open");
        why.text(&|t| t.local.to_string(), &|w| w.0.to_string())
    }

    fn on_worker(&self, worker: u32) -> Vec<u32> {
        let of = self.orders.iter().filter(|(w, ..)| w.0 == worker);
        of.map(|(_, c, _)| c.task.local).collect()
    }
}

#[test]
fn sources_are_held_back() {
    let mut lab = Lab::new([info(0), WorkerInfo { nthreads: 3, ..info(1) }]);
    let job = lab.job(vec![class("read")], vec![roots(1000)], &[]);
    assert_eq!((lab.on_worker(0).len(), lab.on_worker(1).len()), (2, 4), "a task a thread, and one more");
    assert!(lab.explain(job, 900).contains("queued behind"), "{}", lab.explain(job, 900));
    // Long tasks: one goes, one comes.
    lab.step(8, 100 * MS);
    assert_eq!(lab.orders.len(), 6);
}

#[test]
fn short_tasks_are_sent_ahead_in_time() {
    let mut lab = Lab::new([info(0)]);
    lab.job(vec![class("add")], vec![roots(2000)], &[]);
    for _ in 0..3 {
        lab.step(8, 10_000);
    }
    assert!((150..=210).contains(&lab.orders.len()), "2 ms of 10 µs, not {}", lab.orders.len());
    for _ in 0..50 {
        lab.step(8, 1_000);
    }
    assert!((300..=400).contains(&lab.orders.len()), "{}", lab.orders.len());
}

#[test]
fn x_plus_its_transpose_keeps_few_blocks() {
    let n = 30;
    let mut blocks = vec![];
    let mut at = 0;
    for i in 0..n {
        for j in i..n {
            if i == j {
                blocks.extend([roots(1), block(1, &[&[at, at]])]);
                at += 2;
            } else {
                blocks.extend([roots(2), block(1, &[&[at, at + 1], &[at + 1, at]])]);
                at += 4;
            }
        }
    }
    let mut lab = Lab::new((0..4).map(info));
    lab.job(vec![class("random"), class("add")], blocks, &[]);
    let ran = lab.run(8_000_000, 5 * MS);
    assert_eq!(ran.len() as u32, at, "each task runs once");
    assert!(lab.most_stored <= 24, "{} of {} results at a time", lab.most_stored, at);
    assert_eq!(lab.core.counts().total(), 0);
}

#[test]
fn neighbours_meet_on_one_worker() {
    let mut lab = Lab::new((0..4).map(info));
    let sums: Vec<Vec<u32>> = (0..50).map(|i| (4 * i..4 * i + 4).collect()).collect();
    let sums: Vec<&[u32]> = sums.iter().map(Vec::as_slice).collect();
    lab.job(vec![class("read"), class("sum")], vec![roots(200), block(1, &sums)], &[]);
    let mut place = vec![WorkerId::default(); 250];
    for (worker, local) in lab.run(1_000_000, MS) {
        place[local as usize] = worker;
    }
    let together = (0..50).filter(|i| place[4 * i..4 * i + 4].iter().all(|w| *w == place[200 + i])).count();
    assert!(together >= 45, "{together} of 50");
}

#[test]
fn a_task_goes_where_its_bytes_are() {
    let mut lab = Lab::new((0..3).map(info));
    lab.job(vec![class("read"), class("add")], vec![roots(3), block(1, &[&[0, 1, 2]])], &[3]);
    let sizes = [10, 1_000_000, 20];
    let mut large = WorkerId::default();
    for _ in 0..3 {
        let (worker, order, _) = lab.orders.pop_front().expect("an order");
        if order.task.local == 1 {
            large = worker;
        }
        lab.done(worker, order.task, sizes[order.task.local as usize], MS);
    }
    let (worker, order, inputs) = lab.orders.pop_front().expect("the sum");
    assert_eq!((worker, order.task.local), (large, 3));
    assert_eq!(inputs.len(), 3);
    assert_eq!(inputs[1].from, large);
    assert_ne!(inputs[0].from, large);
}

#[test]
fn an_idle_worker_gets_what_queues_behind_a_slow_one() {
    let mut lab = Lab::new([info(0)]);
    let job = lab.job(vec![class("f")], vec![roots(100)], &[]);
    // Quick ones first, so that many are sent ahead; then worker 0 hangs.
    for _ in 0..3 {
        lab.step(8, 10_000);
    }
    assert_eq!(lab.on_worker(0).len(), 97);
    lab.now += 50 * MS;
    lab.on(Event::WorkerJoined(info(1)));
    let (victim, tasks) = lab.recalls.pop().expect("tasks are asked back");
    assert_eq!((victim, tasks.len()), (WorkerId(0), 48));
    assert!(tasks.iter().all(|t| t.local > 50), "the last ones: {tasks:?}");
    assert!(lab.explain(job, 99).contains("asked to give it back"));
    lab.orders.retain(|(_, c, _)| !tasks.contains(&c.task));
    lab.on(Event::Returned { worker: victim, tasks });
    assert!(lab.on_worker(1).len() > 30, "{:?}", lab.on_worker(1));
    lab.run(8, 10_000);
    assert_eq!(lab.core.counts().total(), 0);
}

#[test]
fn priority_comes_before_order() {
    let mut lab = Lab::new([]);
    let urgent = Class { priority: 5, ..class("urgent") };
    lab.job(vec![class("f"), urgent], vec![roots(3), block(1, &[&[], &[]])], &[]);
    lab.on(Event::WorkerJoined(info(0)));
    let order: Vec<u32> = lab.run(8, 100 * MS).into_iter().map(|(_, local)| local).collect();
    assert_eq!(order, [3, 4, 0, 1, 2]);
}

#[test]
fn restrictions_and_their_relief() {
    let strict = Class { workers: vec!["w1".into()], ..class("strict") };
    let lax = Class { workers: vec!["tcp://9".into()], allow_other_workers: true, ..class("lax") };
    let mut lab = Lab::new([info(0)]);
    let job = lab.job(vec![strict, lax], vec![roots(1), block(1, &[&[]])], &[]);
    assert_eq!(lab.on_worker(0), [1]);
    assert!(lab.explain(job, 0).contains("one of the workers w1"), "{}", lab.explain(job, 0));
    lab.on(Event::WorkerJoined(info(1)));
    assert_eq!(lab.on_worker(1), [0]);
}

#[test]
fn resources_bound_what_runs_at_a_time() {
    let gpu = Class { resources: vec![("gpu".into(), 0.4)], ..class("train") };
    let big = WorkerInfo { nthreads: 8, resources: vec![("gpu".into(), 1.0)], ..info(0) };
    let mut lab = Lab::new([big, info(1)]);
    let job = lab.job(vec![gpu], vec![roots(10)], &[]);
    assert_eq!((lab.on_worker(0).len(), lab.on_worker(1).len()), (2, 0));
    assert!(lab.explain(job, 9).contains("0.4 of resource gpu"), "{}", lab.explain(job, 9));
    assert_eq!(lab.run(8, MS).len(), 10);
}

#[test]
fn resources_that_no_worker_has_fail_by_name_after_a_minute() {
    let gpu = WorkerInfo { resources: vec![("gpu".into(), 1.0)], ..info(0) };
    let mut lab = Lab::new([gpu, info(1)]);
    let much = Class { resources: vec![("gpu".into(), 2.0)], ..class("train") };
    lab.job(vec![much.clone()], vec![roots(2)], &[]);
    lab.on(TICK);
    lab.now += 59_000 * MS;
    lab.on(TICK);
    assert!(!lab.tell.iter().any(|t| matches!(t, Tell::JobFailed(_))), "a worker may come: {:?}", lab.tell);
    lab.on(Event::WorkerJoined(WorkerInfo { resources: vec![("gpu".into(), 2.0)], ..info(2) }));
    lab.now += 5_000 * MS;
    lab.on(TICK);
    assert_eq!(lab.on_worker(2), [0]);
    assert!(!lab.tell.iter().any(|t| matches!(t, Tell::JobFailed(_))), "one came: {:?}", lab.tell);
    lab.on(Event::WorkerLost { worker: WorkerId(2) });
    lab.on(TICK);
    lab.now += 60_000 * MS;
    lab.on(TICK);
    let reason = lab.failure().reason.clone();
    assert_eq!(reason, Reason::NoResources { resources: vec![("gpu".into(), 2.0)], workers: 2 });
    assert!(reason.to_string().starts_with("it needs 2 of resource gpu, but none of the 2 workers has that"));
}

#[test]
fn workers_are_named_by_address_too() {
    let at = |i: u32| WorkerInfo { address: format!("tcp://10.0.0.{i}:40{i}"), ..info(i) };
    for name in ["w1", "tcp://10.0.0.1:401", "10.0.0.1:401", "10.0.0.1"] {
        let mut lab = Lab::new([at(0), at(1)]);
        lab.job(vec![Class { workers: vec![name.into()], ..class("f") }], vec![roots(3)], &[]);
        assert!(lab.run(3, MS).iter().all(|(w, _)| w.0 == 1), "{name}");
    }
}

#[test]
fn python_needs_a_worker_with_python() {
    let python = Class { python: true, ..class("f") };
    let mut lab = Lab::new([info(0), WorkerInfo { python: true, ..info(1) }]);
    lab.job(vec![python.clone()], vec![roots(5)], &[]);
    assert!(lab.run(8, MS).iter().all(|(w, _)| w.0 == 1));
    let mut lab = Lab::new([info(0)]);
    lab.job(vec![python], vec![roots(5)], &[]);
    assert_eq!(lab.failure().reason, Reason::NoPython { workers: 1 });
    assert!(lab.orders.is_empty());
}

fn limited(i: u32, limit: u64) -> WorkerInfo {
    WorkerInfo { memory_limit: limit, ..info(i) }
}

#[test]
fn a_task_larger_than_every_worker_fails_by_name() {
    let mut lab = Lab::new([limited(0, 1000), limited(1, 500)]);
    let huge = Class { nbytes: 900, ..class("huge") };
    lab.job(vec![huge], vec![roots(1)], &[]);
    let reason = Reason::TooLarge { needed: 900, result: 900, scratch: 0, inputs: 0, largest: 800 };
    assert_eq!(lab.failure().reason, reason);
    assert_eq!(lab.failure().class, "huge");
}

#[test]
fn workers_full_of_needed_results_fail_the_job_and_no_other() {
    let mut lab = Lab::new([limited(0, 1000)]);
    let chunk = Class { nbytes: 300, ..class("chunk") };
    let bad = lab.job(vec![chunk.clone()], vec![roots(5)], &[0, 1, 2, 3, 4]);
    assert_eq!(lab.on_worker(0), [0, 1], "a third one has no room");
    lab.step(300, MS);
    assert!(lab.explain(bad, 2).contains("no worker has room"), "{}", lab.explain(bad, 2));
    lab.step(300, MS);
    lab.on(TICK);
    let reason = Reason::MemoryFull { needed: 300, workers: 1, stored: 600, capacity: 800 };
    assert_eq!((lab.failure().reason.clone(), lab.failure().task.map(|t| t.local)), (reason, Some(2)));
    assert_eq!(lab.tell.last(), Some(&Tell::JobClosed { job: bad }));
    lab.tell.clear();
    let good = lab.job(vec![chunk], vec![roots(5)], &[4]);
    lab.run(300, MS);
    assert!(lab.tell.contains(&Tell::JobDone { job: good }), "{:?}", lab.tell);
}

/// What a paused worker says on which `active` tasks go on.
fn paused(worker: u32, process: u64, active: u64) -> Event {
    let memory = Measured { paused: true, process, kept: 300, active };
    Event::MemoryReport { worker: WorkerId(worker), memory }
}

const TICK: Event = Event::Tick { delivering: false };

#[test]
fn a_paused_worker_gives_back_what_it_does_not_start() {
    let mut lab = Lab::new([info(0)]);
    let job = lab.job(vec![class("f")], vec![roots(1)], &[]);
    assert_eq!(lab.on_worker(0), [0]);
    lab.on(paused(0, 900, 1));
    assert!(lab.recalls.is_empty(), "it runs");
    lab.on(paused(0, 900, 0));
    let back = vec![TaskId { job, local: 0 }];
    assert_eq!(lab.recalls, [(WorkerId(0), back.clone())]);
    lab.on(paused(0, 900, 0));
    assert_eq!(lab.recalls.len(), 1, "it is asked once");
    lab.orders.clear();
    lab.on(Event::Returned { worker: WorkerId(0), tasks: back });
    lab.on(Event::WorkerJoined(info(1)));
    assert_eq!(lab.on_worker(1), [0]);
}

#[test]
fn workers_that_stay_paused_fail_the_job_with_their_sizes() {
    let mut lab = Lab::new([limited(0, 1000)]);
    let chunk = Class { nbytes: 300, ..class("chunk") };
    let job = lab.job(vec![chunk], vec![roots(1), block(0, &[&[]])], &[0, 1]);
    lab.step(300, MS);
    lab.on(paused(0, 900, 1));
    lab.step(300, MS);
    let bad = lab.job(vec![Class { nbytes: 100, ..class("f") }], vec![roots(1)], &[0]);
    assert!(lab.explain(bad, 0).contains("paused"), "{}", lab.explain(bad, 0));
    lab.on(TICK);
    // Memory that comes free, by itself or by what the core orders, starts the count anew.
    for process in [950, 940, 940, 940] {
        lab.on(paused(0, process, 0));
    }
    lab.on(Event::Tick { delivering: true });
    assert!(lab.core.state(TaskId { job: bad, local: 0 }).is_some(), "results are on their way to a client");
    lab.on(Event::Released { job, tasks: vec![0] });
    for _ in 0..2 {
        lab.on(paused(0, 940, 0));
        lab.on(TICK);
    }
    assert!(lab.core.state(TaskId { job: bad, local: 0 }).is_some(), "what was released may not be free yet");
    lab.on(paused(0, 940, 0));
    lab.on(TICK);
    let reason = Reason::Paused { needed: 100, workers: 1, process: 940, limit: 1000, stored: 300 };
    assert_eq!((lab.failure().job, lab.failure().reason.clone()), (bad, reason));
}

#[test]
fn results_on_their_way_to_a_client_are_waited_for() {
    let mut lab = Lab::new([limited(0, 1000)]);
    let chunk = Class { nbytes: 300, ..class("chunk") };
    let job = lab.job(vec![chunk], vec![roots(5)], &[0, 1, 2, 3, 4]);
    for taken in [vec![0, 1], vec![2, 3], vec![4]] {
        lab.run(300, MS);
        lab.on(Event::Tick { delivering: true });
        lab.on(Event::Released { job, tasks: taken });
    }
    assert!(lab.tell.contains(&Tell::JobDone { job }), "{:?}", lab.tell);
}

#[test]
fn retries_then_failure_with_the_chain() {
    let mut lab = Lab::new([info(0)]);
    let risky = Class { retries: 2, ..class("risky") };
    let job = lab.job(vec![risky, class("sum")], vec![roots(1), block(1, &[&[0], &[1]])], &[2]);
    for attempt in 1..=3 {
        let (worker, order, _) = lab.orders.pop_front().expect("a try");
        assert_eq!((attempt, order.task.local), (attempt, 0));
        lab.on(Event::Failed { worker, task: order.task, error: "no".into(), retryable: true });
    }
    let reason = Reason::Raised { worker: "w0".into(), attempt: 3, error: "no".into() };
    assert_eq!(lab.failure().reason, reason);
    let chain: Vec<TaskId> = (0..3).map(|local| TaskId { job, local }).collect();
    assert_eq!(lab.failure().chain, chain);
}

#[test]
fn what_is_not_retryable_fails_at_once() {
    let mut lab = Lab::new([info(0)]);
    lab.job(vec![Class { retries: 9, ..class("f") }], vec![roots(1)], &[]);
    let (worker, order, _) = lab.orders.pop_front().expect("an order");
    lab.on(Event::Failed { worker, task: order.task, error: "no".into(), retryable: false });
    assert!(matches!(lab.failure().reason, Reason::Raised { attempt: 1, .. }));
}

#[test]
fn a_task_that_kills_three_workers_fails() {
    let mut lab = Lab::new((0..4).map(info));
    lab.job(vec![class("crash")], vec![roots(1)], &[]);
    for _ in 0..3 {
        let (worker, ..) = lab.orders.pop_front().expect("an order");
        lab.on(Event::WorkerLost { worker });
    }
    let Reason::KilledWorkers { workers } = &lab.failure().reason else { panic!("{:?}", lab.failure()) };
    assert_eq!(workers.len(), 3);
    assert!(lab.orders.is_empty());
}

#[test]
fn only_what_is_needed_is_computed_again() {
    // 0 and 1 feed 2, which feeds 3; 4 is wanted.
    let mut lab = Lab::new([info(0)]);
    let blocks = vec![roots(2), block(0, &[&[0, 1], &[2], &[]])];
    let job = lab.job(vec![class("f")], blocks, &[3, 4]);
    while lab.core.state(TaskId { job, local: 3 }) != Some(State::Assigned)
        || lab.core.state(TaskId { job, local: 4 }) != Some(State::Stored)
    {
        // Task 3 is left for the end.
        let at = lab.orders.iter().position(|(_, c, _)| c.task.local != 3).expect("an order");
        let (worker, order, _) = lab.orders.remove(at).expect("it is there");
        lab.done(worker, order.task, 8, MS);
    }
    lab.on(Event::Released { job, tasks: vec![4] });
    lab.orders.clear();
    lab.on(Event::WorkerJoined(info(1)));
    lab.on(Event::WorkerLost { worker: WorkerId(0) });
    let mut again: Vec<u32> = lab.run(8, MS).into_iter().map(|(_, local)| local).collect();
    again.sort_unstable();
    assert_eq!(again, [0, 1, 2, 3], "not 4, which nobody wants any more");
}

#[test]
fn what_is_let_go_does_not_start_unless_others_need_it() {
    // 0 feeds 1 and 2; 3 feeds 4, and nobody wants 5.
    let blocks = vec![roots(1), block(0, &[&[0], &[0], &[], &[3]]), roots(1)];
    for (gone, run) in [
        (vec![1], vec![0, 2, 3, 4, 5]),
        (vec![1, 2], vec![0, 3, 4, 5]),
        (vec![4], vec![0, 1, 2, 5]),
        (vec![2, 1, 4], vec![0, 5]),
    ] {
        let mut lab = Lab::new([info(0)]);
        let job = lab.job(vec![class("f")], blocks.clone(), &[1, 2, 4]);
        let ordered = lab.on_worker(0);
        assert_eq!(ordered, [0, 3], "a task a thread, and one more");
        lab.on(Event::Released { job, tasks: gone.clone() });
        // Task 0 runs, 3 has not started.
        let recalled: Vec<Vec<u32>> =
            lab.recalls.iter().map(|(_, tasks)| tasks.iter().map(|t| t.local).collect()).collect();
        for (worker, tasks) in std::mem::take(&mut lab.recalls) {
            let back: Vec<TaskId> = tasks.into_iter().filter(|t| t.local == 3).collect();
            lab.orders.retain(|(_, c, _)| !back.contains(&c.task));
            lab.on(Event::Returned { worker, tasks: back });
        }
        let mut ran: Vec<u32> = lab.run(8, MS).into_iter().map(|(_, local)| local).collect();
        ran.sort_unstable();
        assert_eq!(ran, run, "without {gone:?}");
        let unneeded: Vec<u32> = [(0, [1, 2].as_slice()), (3, &[4])]
            .into_iter()
            .filter(|(_, dependents)| dependents.iter().all(|d| gone.contains(d)))
            .map(|(t, _)| t)
            .collect();
        let mut asked = recalled.concat();
        asked.sort_unstable();
        assert_eq!(asked, unneeded, "what is on the worker is asked back");
        assert!(lab.tell.contains(&Tell::JobDone { job }));
        let left: Vec<u32> = [1, 2, 4].into_iter().filter(|t| !gone.contains(t)).collect();
        lab.on(Event::Released { job, tasks: left });
        assert!(lab.tell.contains(&Tell::JobClosed { job }));
    }
}

#[test]
fn what_is_let_go_runs_where_another_job_needs_it() {
    let mut lab = Lab::new([info(0)]);
    lab.job(vec![class("before")], vec![roots(2)], &[0, 1]);
    let first = lab.job(vec![class("f")], vec![roots(2)], &[0, 1]);
    let second = lab.core.next_job();
    lab.on(Event::JobOpened { job: second, priority: 0 });
    let batch = Batch {
        classes: vec![class("g")],
        blocks: vec![block(0, &[&[EXTERNAL]])],
        wanted: vec![0],
        external: vec![TaskId { job: first, local: 1 }],
    };
    lab.on(Event::TasksAdded { job: second, batch });
    lab.on(Event::JobComplete { job: second });
    lab.on(Event::Released { job: first, tasks: vec![0, 1] });
    let state = |lab: &Lab, local| lab.core.state(TaskId { job: first, local });
    assert_eq!([state(&lab, 0), state(&lab, 1)], [Some(State::Released), Some(State::Ready)]);
    // When that job goes too, nobody needs it.
    lab.on(Event::JobCancelled { job: second });
    assert!(lab.tell.contains(&Tell::JobClosed { job: first }) && lab.on_worker(0) == [0, 1]);
}

#[test]
fn what_is_needed_again_while_its_worker_dies_runs_again() {
    // 0 feeds 2, which feeds 3, on the other worker, and with 1 also 4.
    let near = Class { workers: vec!["w0".into()], allow_other_workers: true, ..class("near") };
    let far = Class { workers: vec!["w1".into()], ..class("far") };
    let blocks = vec![roots(2), block(0, &[&[0]]), block(1, &[&[2]]), block(0, &[&[2, 1]])];
    let mut lab = Lab::new([info(0), info(1)]);
    let job = lab.job(vec![near, far], blocks, &[3, 4]);
    for local in [0, 2] {
        lab.done(WorkerId(0), TaskId { job, local }, 8, MS);
    }
    lab.on(Event::WorkerLost { worker: WorkerId(0) });
    let state = |lab: &Lab, local| lab.core.state(TaskId { job, local });
    assert!([0, 3].iter().all(|t| state(&lab, *t) == Some(State::Assigned)), "0 for 2, which 4 needs");
    // The copy for 3 outlived the loss, so nobody needs 0, until this worker dies too.
    lab.on(Event::ReplicaLanded { worker: WorkerId(1), tasks: vec![TaskId { job, local: 2 }] });
    lab.on(Event::WorkerLost { worker: WorkerId(1) });
    assert_eq!(state(&lab, 0), Some(State::Ready));
}

#[test]
fn a_retiring_worker_hands_over_what_only_it_holds() {
    let mut lab = Lab::new([info(0)]);
    let job = lab.job(vec![class("f")], vec![roots(2)], &[0, 1]);
    lab.run(8, MS);
    lab.on(Event::Retire { worker: WorkerId(0) });
    let blocked = Tell::RetireBlocked { worker: WorkerId(0), results: 2, nbytes: 16 };
    assert_eq!(lab.tell.last(), Some(&blocked));
    lab.on(Event::WorkerJoined(info(1)));
    assert_eq!(lab.fetches.len(), 2);
    for (worker, input) in std::mem::take(&mut lab.fetches) {
        assert_eq!((worker, input.from), (WorkerId(1), WorkerId(0)));
        lab.on(Event::ReplicaLanded { worker, tasks: vec![input.task] });
    }
    assert_eq!(lab.tell.last(), Some(&Tell::WorkerRetired { worker: WorkerId(0) }));
    let moved = Tell::Ready { task: TaskId { job, local: 1 }, worker: WorkerId(1), nbytes: 8 };
    assert!(lab.tell.contains(&moved), "the client hears of the new place");
    lab.on(Event::WorkerLost { worker: WorkerId(0) });
    assert!(lab.orders.is_empty(), "nothing is computed again");
}

#[test]
fn a_copy_that_comes_late_is_not_freed_under_the_run_that_replaces_it() {
    for fails in [false, true] {
        let mut lab = Lab::new([info(0)]);
        let job = lab.job(vec![Class { retries: 1, ..class("f") }], vec![roots(1)], &[0]);
        lab.run(8, MS);
        lab.on(Event::WorkerJoined(info(1)));
        lab.on(Event::Retire { worker: WorkerId(0) });
        lab.on(Event::WorkerLost { worker: WorkerId(0) });
        let (worker, task) = (WorkerId(1), TaskId { job, local: 0 });
        assert!(lab.fetches.len() == 1 && lab.orders.len() == 1, "it copies and computes at once");
        lab.on(Event::ReplicaLanded { worker, tasks: vec![task] });
        assert_eq!(lab.frees, [], "the worker may have computed it already");
        if fails {
            lab.orders.clear();
            lab.on(Event::Failed { worker, task, error: "no".into(), retryable: true });
            assert_eq!(lab.frees, [(worker, task)], "nothing else would free the copy");
            lab.frees.clear();
        }
        lab.run(8, MS);
        assert!(lab.frees.is_empty() && lab.core.holders(task) == [worker]);
    }
}

#[test]
fn jobs_may_use_results_that_others_keep() {
    let mut lab = Lab::new([info(0)]);
    let first = lab.job(vec![class("f")], vec![roots(1)], &[0]);
    lab.run(8, MS);
    let kept = TaskId { job: first, local: 0 };
    let second = lab.core.next_job();
    lab.on(Event::JobOpened { job: second, priority: 0 });
    let batch = Batch {
        classes: vec![class("g")],
        blocks: vec![block(0, &[&[EXTERNAL], &[0, EXTERNAL]])],
        wanted: vec![1],
        external: vec![kept],
    };
    lab.on(Event::TasksAdded { job: second, batch });
    lab.on(Event::JobComplete { job: second });
    lab.on(Event::Released { job: first, tasks: vec![0] });
    assert_eq!(lab.core.state(kept), Some(State::Stored), "the second job needs it");
    let (_, _, inputs) = &lab.orders[0];
    assert_eq!(inputs[0].task, kept);
    lab.run(8, MS);
    assert!(lab.tell.contains(&Tell::JobClosed { job: first }));
    assert!(lab.tell.contains(&Tell::JobDone { job: second }));
}

#[test]
fn batches_that_are_wrong_are_refused_by_name() {
    let cases: Vec<(Batch, &str)> = vec![
        (
            Batch { blocks: vec![roots(1)], ..Batch::default() },
            "block 0 names class 0, but the job has 0 classes",
        ),
        (
            Batch { classes: vec![class("f")], blocks: vec![block(0, &[&[0]])], ..Batch::default() },
            "block 0: task 0 names input 0; an input must be an earlier task",
        ),
        (
            Batch {
                classes: vec![class("f")],
                blocks: vec![block(0, &[&[EXTERNAL | 3]])],
                ..Batch::default()
            },
            "block 0: task 0 names external input 3, but the batch has 0",
        ),
        (
            Batch {
                classes: vec![class("f")],
                blocks: vec![Block {
                    class: 0,
                    count: 2,
                    inputs: Inputs::Fixed { each: u32::MAX, ids: vec![1] },
                }],
                ..Batch::default()
            },
            "block 0 has 1 inputs where its tasks take 8589934590",
        ),
        (
            Batch {
                classes: vec![class("f")],
                blocks: vec![Block {
                    class: 0,
                    count: 2,
                    inputs: Inputs::Counted { counts: vec![0], ids: vec![] },
                }],
                ..Batch::default()
            },
            "block 0 has 2 tasks, but 1 input counts",
        ),
        (
            Batch { classes: vec![class("f")], blocks: vec![roots(u32::MAX)], ..Batch::default() },
            "a job can have at most 2147483647 tasks; split it",
        ),
        (
            Batch { classes: vec![class("f")], blocks: vec![roots(2)], wanted: vec![2], ..Batch::default() },
            "task 2 is wanted, but the job has 2 tasks",
        ),
        (
            Batch {
                classes: vec![Class { resources: vec![("gpu".into(), f64::NAN)], ..class("f") }],
                ..Batch::default()
            },
            "class `f` asks for NaN of resource `gpu`; an amount lies between 0 and 10^12",
        ),
    ];
    for (batch, text) in cases {
        let mut lab = Lab::new([info(0)]);
        let job = lab.core.next_job();
        lab.on(Event::JobOpened { job, priority: 0 });
        lab.on(Event::TasksAdded { job, batch });
        assert_eq!(lab.failure().reason.to_string(), text);
        assert_eq!(lab.tell.last(), Some(&Tell::JobClosed { job }));
        assert!(lab.orders.is_empty() && lab.core.jobs().is_empty());
    }
}

#[test]
fn nothing_is_added_after_the_end() {
    let mut lab = Lab::new([info(0)]);
    let job = lab.job(vec![class("f")], vec![roots(1)], &[]);
    lab.on(Event::TasksAdded { job, batch: Batch { blocks: vec![roots(1)], ..Batch::default() } });
    assert!(lab.failure().reason.to_string().contains("declared complete"));
}

/// Events that refer to a few small numbers, so that many hit something, and most make no sense.
fn nonsense() -> impl Strategy<Value = Event> {
    let worker = || (0u32..5).prop_map(WorkerId);
    let job = || (0u32..4).prop_map(JobId);
    let task = move || (job(), 0u32..8).prop_map(|(job, local)| TaskId { job, local });
    let tasks = move || prop::collection::vec(task(), 0..4);
    let locals = || prop::collection::vec(0u32..8, 0..4);
    let done = || {
        (0u32..8, any::<u64>(), any::<u64>()).prop_map(|(task, nbytes, nanos)| Done { task, nbytes, nanos })
    };
    let batch = (locals(), locals(), 1u32..4).prop_map(move |(counts, wanted, classes)| {
        let counts: Vec<u32> = counts.into_iter().map(|c| c % 3).collect();
        let n: u32 = counts.iter().sum();
        let ids = (0..n).map(|i| if i % 5 == 4 { EXTERNAL } else { i / 2 }).collect();
        Batch {
            classes: (0..classes)
                .map(|i| Class { python: i == 2, nbytes: u64::from(i) << 62, ..class("c") })
                .collect(),
            blocks: vec![
                roots(2),
                Block { class: 0, count: counts.len() as u32, inputs: Inputs::Counted { counts, ids } },
            ],
            wanted,
            external: vec![TaskId { job: JobId(0), local: 1 }],
        }
    });
    prop_oneof![
        3 => (0u32..6, 0u32..3, any::<bool>(), 0u64..4).prop_map(|(id, nthreads, python, limit)| {
            let memory_limit = [0, 1, 1 << 40, u64::MAX][limit as usize];
            let resources = vec![("r".into(), f64::INFINITY), ("s".into(), -1.0)];
            Event::WorkerJoined(WorkerInfo { nthreads, python, memory_limit, resources, ..info(id) })
        }),
        1 => worker().prop_map(|worker| Event::WorkerLost { worker }),
        1 => worker().prop_map(|worker| Event::Retire { worker }),
        2 => (worker(), any::<bool>(), 0u64..2).prop_map(|(worker, paused, active)| {
            let memory = Measured { paused, process: u64::MAX, kept: 0, active };
            Event::MemoryReport { worker, memory }
        }),
        1 => any::<bool>().prop_map(|delivering| Event::Tick { delivering }),
        3 => (job(), any::<i32>()).prop_map(|(job, priority)| Event::JobOpened { job, priority }),
        4 => (job(), batch).prop_map(|(job, batch)| Event::TasksAdded { job, batch }),
        1 => job().prop_map(|job| Event::JobComplete { job }),
        1 => job().prop_map(|job| Event::JobCancelled { job }),
        1 => (job(), locals()).prop_map(|(job, tasks)| Event::Released { job, tasks }),
        6 => (worker(), job(), prop::collection::vec(done(), 0..4))
            .prop_map(|(worker, job, tasks)| Event::Finished { worker, job, tasks }),
        2 => (worker(), task(), any::<bool>()).prop_map(|(worker, task, retryable)| {
            Event::Failed { worker, task, error: String::new(), retryable }
        }),
        2 => (worker(), task(), task(), worker())
            .prop_map(|(worker, task, input, from)| Event::InputMissing { worker, task, input, from }),
        3 => (worker(), tasks()).prop_map(|(worker, tasks)| Event::ReplicaLanded { worker, tasks }),
        2 => (worker(), tasks()).prop_map(|(worker, tasks)| Event::ReplicaDropped { worker, tasks }),
        1 => (worker(), task(), worker()).prop_map(|(worker, task, from)| Event::FetchFailed { worker, task, from }),
        2 => (worker(), tasks()).prop_map(|(worker, tasks)| Event::Returned { worker, tasks }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever clients and workers say, in whatever order: no panic, and every invariant holds.
    #[test]
    fn nonsense_does_no_harm(events in prop::collection::vec(nonsense(), 1..80)) {
        let mut core = Core::new();
        let mut actions = Actions::default();
        for (now, event) in events.into_iter().enumerate() {
            core.handle(now as u64, event.clone(), &mut actions);
            prop_assert_eq!(core.check(), Ok(()), "after {:?}", event);
            for job in core.jobs() {
                for local in 0..12 {
                    if let Some(e) = core.explain(TaskId { job, local }) {
                        prop_assert!(!e.text(&|t| t.local.to_string(), &|w| w.0.to_string()).is_empty());
                    }
                }
            }
            actions.clear();
        }
    }
}

#[test]
fn a_tolerant_task_that_fails_for_good_yields_its_failure() {
    let mut lab = Lab::new([info(0)]);
    let tolerant = Class { tolerant: true, retries: 1, ..class("f") };
    let job = lab.job(vec![tolerant], vec![roots(2), block(0, &[&[0]])], &[1, 2]);
    for attempt in 0..2 {
        let at = lab.orders.iter().position(|(_, c, _)| c.task.local == 0).expect("it is ordered");
        let (worker, order, _) = lab.orders.remove(at).expect("an order");
        assert!(!order.condemned, "attempt {attempt}");
        lab.on(Event::Failed { worker, task: order.task, error: "no luck".into(), retryable: true });
    }
    let condemned =
        lab.tell.iter().filter(|t| matches!(t, Tell::Condemned(f) if f.task.is_some_and(|t| t.local == 0)));
    assert_eq!(condemned.count(), 1, "{:?}", lab.tell);
    assert!(lab.orders.iter().any(|(_, c, _)| c.task.local == 0 && c.condemned));
    lab.run(8, MS);
    assert!(lab.tell.contains(&Tell::JobDone { job }), "{:?}", lab.tell);
}

#[test]
fn a_worker_whose_thread_waits_inside_a_task_gets_another() {
    let mut lab = Lab::new([info(0)]);
    lab.job(vec![class("f")], vec![roots(1)], &[0]);
    lab.job(vec![class("g")], vec![roots(40)], &[39]);
    let before = lab.on_worker(0).len();
    lab.on(Event::Threads { worker: WorkerId(0), nthreads: 2 });
    assert_eq!(lab.on_worker(0).len(), before + 1, "one more task, as one thread more computes");
}
