//! The harness of the scenarios: a real Kubernetes, a namespace for each scenario, waiting by watching, and a report when
//! one fails.
//!
//! ```no_run
//! # use e2e::{Nodes, scenario};
//! scenario("a-name", Nodes::Shared, async |s| {
//!     let engine = e2e::engine::start(s, &e2e::engine::Options::default()).await?;
//!     let job = engine.submit("total", "version: 1\n…").await?;
//!     assert!(engine.output(&job).await?.contains("total:"));
//!     Ok(())
//! });
//! ```

pub mod cluster;
pub mod dask;
pub mod dask_kubernetes;
pub mod engine;
pub mod gate;
pub mod operator;
mod report;
mod scenario;

pub use operator::{Operator, operated, operated_on};
pub use scenario::{Nodes, Scenario, scenario};
