//! The static order of tasks.
