//! The command `dask-runtime`.

use std::process::ExitCode;

/// Chunks come from a pool; what is left are many small allocations on many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    dask_runtime::cli::main()
}
