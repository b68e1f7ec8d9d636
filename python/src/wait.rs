//! Waiting without the interpreter, and with an ear for Ctrl-C.

use dask_runtime::worker::engine::{Engine, Seceded};
use pyo3::prelude::*;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How long Ctrl-C may go unheard.
const EAR: Duration = Duration::from_millis(50);

thread_local! {
    /// The engine whose compute thread this is.
    static COMPUTES_FOR: RefCell<Option<Arc<Engine>>> = const { RefCell::new(None) };
    /// Another thread computes in place of this one, until its task ends.
    static SECEDED: RefCell<Option<Seceded>> = const { RefCell::new(None) };
}

/// Notes that this thread computes for an engine.
pub(crate) fn compute_for(engine: Option<Arc<Engine>>) {
    COMPUTES_FOR.with(|e| *e.borrow_mut() = engine);
}

/// The engine whose compute thread this is.
pub(crate) fn computes_for() -> Option<Arc<Engine>> {
    COMPUTES_FOR.with(|e| e.borrow().clone())
}

/// Has another thread compute in place of this task's, until `rejoin` or the task's end. Elsewhere it does nothing.
#[pyfunction]
pub(crate) fn secede(py: Python<'_>) {
    let engine = computes_for();
    if let Some(engine) = engine.filter(|_| SECEDED.with(|s| s.borrow().is_none())) {
        let seceded = py.detach(|| Engine::secede(&engine));
        SECEDED.with(|s| *s.borrow_mut() = Some(seceded));
    }
}

/// Takes a thread again after `secede`. Also called when a task ends.
#[pyfunction]
pub(crate) fn rejoin(py: Python<'_>) {
    if let Some(seceded) = SECEDED.with(|s| s.borrow_mut().take()) {
        py.detach(|| drop(seceded));
    }
}

/// Waits until `ready` says something, which is asked whenever `bell` rings; `None` when the time is up.
///
/// On a compute thread another one takes its place meanwhile, so that what is waited for can be computed.
///
/// # Errors
/// KeyboardInterrupt and whatever else a signal raises.
pub(crate) fn wait<T: Send, R: Send>(
    py: Python<'_>,
    state: &Mutex<T>,
    bell: &Condvar,
    timeout: Option<Duration>,
    ready: impl Fn(&mut T) -> Option<R> + Sync,
) -> PyResult<Option<R>> {
    if let Some(result) = ready(&mut lock(state)) {
        return Ok(Some(result));
    }
    let engine = computes_for();
    let elsewhere = engine.map(|engine| py.detach(|| Engine::secede(&engine)));
    let result = sleep(py, state, bell, timeout, ready);
    py.detach(|| drop(elsewhere));
    result
}

fn sleep<T: Send, R: Send>(
    py: Python<'_>,
    state: &Mutex<T>,
    bell: &Condvar,
    timeout: Option<Duration>,
    ready: impl Fn(&mut T) -> Option<R> + Sync,
) -> PyResult<Option<R>> {
    let until = timeout.map(|t| Instant::now() + t);
    loop {
        let outcome = py.detach(|| {
            let slice = Instant::now() + EAR;
            let end = until.map_or(slice, |u| u.min(slice));
            let mut state = lock(state);
            loop {
                if let Some(result) = ready(&mut state) {
                    return Some(result);
                }
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return None;
                }
                state = bell.wait_timeout(state, left).unwrap_or_else(|e| e.into_inner()).0;
            }
        });
        if outcome.is_some() {
            return Ok(outcome);
        }
        py.check_signals()?;
        crate::interrupt::check(py)?;
        if until.is_some_and(|u| Instant::now() >= u) {
            return Ok(None);
        }
    }
}

/// The lock, whatever happened under it before.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}
