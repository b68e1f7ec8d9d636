//! The operator: watches Dask's custom resources and keeps schedulers, workers and job runners as their specs say.

pub mod api;
pub mod crd;
