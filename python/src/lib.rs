//! The engine as the extension module `dask_runtime._engine`.
//!
//! **Lock order:** the engine's locks are never waited for while this thread holds the interpreter, and the interpreter is never
//! waited for under a lock of the engine. Dropping a value without the interpreter is fine: PyO3 puts it off.

mod annotated;
mod backend;
mod call;
mod dtypes;
mod engine;
mod finalize;
mod flags;
mod future;
mod graph;
mod host;
mod interrupt;
mod literal;
mod map;
mod names;
mod native;
mod passed;
mod quick;
mod recipe;
mod record;
mod seed;
mod sharing;
mod ship;
mod spec;
mod specialise;
mod value;
mod wait;

use pyo3::prelude::*;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[pymodule]
mod _engine {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::engine::{Engine, memory_limit};
    #[pymodule_export]
    use crate::future::{Handle, Watch, cancel, gather};
    #[pymodule_export]
    use crate::host::{command, scheduler_address, worker_address};
    #[pymodule_export]
    use crate::names::register;
    #[pymodule_export]
    use crate::recipe::recognise;
    #[pymodule_export]
    use crate::sharing::Request;
    #[pymodule_export]
    use crate::ship::forget_calls;
    #[pymodule_export]
    use crate::wait::{rejoin, secede};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
