//! The operator: watches Dask's custom resources and keeps schedulers, workers and job runners as their specs say.
//!
//! Decisions are pure (`controller/*/{validate,desired,status}`), and `apply` is the only place that writes.

pub mod action;
pub mod api;
pub mod args;
pub mod cache;
pub mod calls;
pub mod check;
pub mod children;
pub mod conditions;
pub mod controller;
pub mod crd;
pub mod fields;
pub mod fill;
pub mod lease;
pub mod metadata;
pub mod metrics;
pub mod names;
pub mod queue;
pub mod run;
pub mod server;
pub mod settings;
pub mod trouble;
pub mod watch;

mod apply;
