//! The compute threads.
//!
//! A thread takes several small tasks at a time, runs them without the lock, and gives the results back when it takes the
//! next ones. Reports go out when there is nothing to run, when the last one is [`REPORT_EVERY`] ago, and before a task
//! that may take long.

use super::engine::{Engine, Hand, InHand};
use super::lane::Trouble;
use super::task::{Ran, Taken, Task};
use dask_array::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::MutexGuard;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Nanoseconds between reports under load.
const REPORT_EVERY: u64 = 100_000;

/// Finished tasks that are not held back any longer.
const REPORT_AT: usize = 512;

pub(super) fn run(engine: &Engine) {
    let (mut taken, mut ran, mut dropped) = (vec![], vec![], vec![]);
    // Values were dropped since the lane was told.
    let mut freed = false;
    let hand = engine.hand();
    loop {
        let mut shared = engine.lock();
        ran.drain(..).for_each(|r| shared.ran(r, &mut dropped));
        if shared.surplus > 0 && !shared.stop {
            shared.surplus -= 1;
            drop(shared);
            engine.flush();
            engine.settle();
            engine.let_hand_go(&hand);
            return;
        }
        shared.next(&mut taken);
        if taken.is_empty() && !shared.stop {
            if shared.pending().is_some() {
                drop(shared);
                freed |= !dropped.is_empty();
                dropped.clear();
                engine.flush();
                engine.settle();
                continue;
            }
            if dropped.is_empty() {
                drop(shared);
                if look(engine) {
                    continue;
                }
                if std::mem::take(&mut freed)
                    && let Some(lane) = &engine.settings().lane
                {
                    lane.idle();
                }
                shared = engine.lock();
                if shared.ready() == 0 && shared.pending().is_none() && shared.surplus == 0 && !shared.stop {
                    shared = engine.sleep(shared);
                }
            }
        }
        if shared.stop {
            return;
        }
        engine.ready.store(shared.ready(), Ordering::Relaxed);
        let pending = shared.pending();
        drop(shared);
        // Freeing large memory takes long, so it happens without the lock.
        freed |= !dropped.is_empty();
        dropped.clear();
        if let Some(finished) = pending
            && !taken.is_empty()
        {
            let long = taken.iter().any(|t| t.task.expected().is_none_or(|nanos| nanos > REPORT_EVERY));
            if long || finished >= REPORT_AT || engine.unreported() > REPORT_EVERY {
                engine.flush();
                engine.settle();
            }
        }
        let mut from = Instant::now();
        let mut run_one = |Taken { task, inputs }: Taken| {
            let result = compute(&task, inputs);
            let to = Instant::now();
            let nanos = (to - from).as_nanos() as u64;
            from = to;
            Ran { task, result, nanos }
        };
        match &engine.settings().lane {
            Some(lane) if taken.first().is_some_and(|first| first.task.is_call()) => {
                // A call may wait for one that stands before or behind it here: others can take what ran and what did not start.
                lock(&hand).taken.extend(taken.drain(..));
                lane.calls(&mut || {
                    let mut last = None;
                    while let Some(next) = turn(&hand, last.take()) {
                        last = Some(run_one(next));
                    }
                });
                ran.append(&mut lock(&hand).ran);
            }
            _ => ran.extend(taken.drain(..).map(run_one)),
        }
    }
}

/// Puts down what ran last, and takes what comes next.
fn turn(hand: &Hand, last: Option<Ran>) -> Option<Taken> {
    let mut hand = lock(hand);
    hand.ran.extend(last);
    hand.taken.pop_front()
}

fn lock(hand: &Hand) -> MutexGuard<'_, InHand> {
    hand.lock().unwrap_or_else(|e| e.into_inner())
}

/// Looks for work for a moment, without the lock. Sleeping and being woken costs more than most tasks.
fn look(engine: &Engine) -> bool {
    let spin = engine.settings().spin;
    if spin == Duration::ZERO {
        return false;
    }
    let until = Instant::now() + spin;
    while Instant::now() < until {
        if engine.ready.load(Ordering::Relaxed) > 0 {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

fn compute(task: &Task, inputs: Vec<Value>) -> Result<Value, Trouble> {
    catch_unwind(AssertUnwindSafe(|| task.run(inputs)))
        .unwrap_or_else(|panic| Err(Trouble::from(format!("it panicked: {}", said(&*panic)))))
}

fn said(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
