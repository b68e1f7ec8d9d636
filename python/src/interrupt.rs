//! Interrupting the Python calls of a job that nobody waits for any more.
//!
//! A call is interrupted by an asynchronous KeyboardInterrupt, which the interpreter raises in the call's thread between two of
//! its instructions. Whoever touches a list of running calls holds the interpreter, so nobody waits for its lock for long, and
//! a call that has ended takes back what it has not been told yet: no other call on its thread is ever hit.
#![allow(unsafe_code)] // The interpreter's function for this has no safe name.

use crate::wait::lock;
use dask_core::JobId;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use std::cell::RefCell;
use std::ffi::c_long;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// The Python calls that an engine runs.
#[derive(Default)]
pub(crate) struct Running {
    calls: Mutex<Vec<Arc<Entry>>>,
}

/// A call that runs.
struct Entry {
    job: JobId,
    /// The interpreter's number of its thread.
    thread: c_long,
    interrupted: AtomicBool,
}

thread_local! {
    /// The call that this thread is in.
    static OWN: RefCell<Option<Arc<Entry>>> = const { RefCell::new(None) };
}

impl Running {
    /// Notes that this thread makes a call for a job, until the value is dropped.
    pub(crate) fn enter<'py>(self: &Arc<Self>, _py: Python<'py>, job: JobId) -> Call<'py> {
        // SAFETY: it only asks the system which thread this is.
        let thread = unsafe { pyo3::ffi::PyThread_get_thread_ident() } as c_long;
        let entry = Arc::new(Entry { job, thread, interrupted: AtomicBool::new(false) });
        OWN.set(Some(Arc::clone(&entry)));
        lock(&self.calls).push(Arc::clone(&entry));
        Call { running: Arc::clone(self), entry, _py }
    }

    /// Interrupts the calls of a job. One that is in C code ends when that returns.
    pub(crate) fn interrupt(&self, py: Python<'_>, job: JobId) {
        let interrupt = py.get_type::<PyKeyboardInterrupt>();
        for entry in lock(&self.calls).iter().filter(|entry| entry.job == job) {
            entry.interrupted.store(true, Ordering::Relaxed);
            // SAFETY: the interpreter is held; it takes a reference of its own. While the entry is listed, its call has
            // not ended, or will take this back.
            unsafe { pyo3::ffi::PyThreadState_SetAsyncExc(entry.thread, interrupt.as_ptr()) };
        }
    }
}

/// See [`Running::enter`].
pub(crate) struct Call<'py> {
    running: Arc<Running>,
    entry: Arc<Entry>,
    _py: Python<'py>,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        OWN.set(None);
        let mut calls = lock(&self.running.calls);
        calls.retain(|e| !Arc::ptr_eq(e, &self.entry));
        if self.entry.interrupted.load(Ordering::Relaxed) {
            take_back(&self.entry);
        }
    }
}

/// Has an interruption not raised that is on its way to the calling thread's call.
fn take_back(entry: &Entry) {
    // SAFETY: the interpreter is held by whoever has a `Python`, from which all callers come.
    unsafe { pyo3::ffi::PyThreadState_SetAsyncExc(entry.thread, null_mut()) };
}

/// For a thread inside of a call that runs no Python: the interpreter raises nothing there.
///
/// # Errors
/// KeyboardInterrupt, once, when the call was interrupted.
pub(crate) fn check(_py: Python<'_>) -> PyResult<()> {
    match OWN.with(|own| own.borrow().clone()).filter(|own| own.interrupted.swap(false, Ordering::Relaxed)) {
        Some(own) => {
            take_back(&own);
            Err(PyKeyboardInterrupt::new_err(()))
        }
        None => Ok(()),
    }
}
