//! Futures that are pickled: within the arguments of calls, within values that are shared, or anywhere else.

use crate::engine::Inner;
use crate::future::Handle;
use std::cell::RefCell;
use std::sync::Arc;

thread_local! {
    /// Handles of what this thread pickled, while somebody collects them.
    static PASSED: RefCell<Option<Vec<Handle>>> = const { RefCell::new(None) };
}

/// Does something; returns handles of the futures that were pickled by it, too.
pub(crate) fn collecting<T>(f: impl FnOnce() -> T) -> (T, Vec<Handle>) {
    let before = PASSED.replace(Some(vec![]));
    let result = f();
    (result, PASSED.replace(before).unwrap_or_default())
}

/// A future is pickled. Where nobody collects it, its result is kept a while.
pub(crate) fn note(handle: Handle, inner: &Arc<Inner>) {
    let left = PASSED.with_borrow_mut(|passed| match passed {
        Some(passed) => {
            passed.push(handle);
            None
        }
        None => Some(handle),
    });
    if let Some(handle) = left {
        inner.linger(handle);
    }
}
