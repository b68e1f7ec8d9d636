//! Scenarios against a real Kubernetes. One: `make e2e SCENARIO=name`, all: `cargo test -p e2e`.

#[path = "scenarios/engine.rs"]
mod engine;
#[path = "scenarios/operator/mod.rs"]
mod operator;
