//! Simulated clusters drive the core: random graphs, latencies, deaths, retirements, failures.
//!
//! `DASK_SIM_SEED=n` runs the one seed of a failure; `DASK_SIM_RUNS=n` makes each test run more or fewer of them.

mod graph;
mod rng;
mod world;

use graph::Chaos;
use rng::Rng;
use world::{Setup, World};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Whether every test runs as many seeds as it means to.
fn is_whole() -> bool {
    number("DASK_SIM_SEED").is_none() && number("DASK_SIM_RUNS").is_none()
}

/// What happened in many worlds.
#[derive(Default)]
struct Explored {
    events: u64,
    losses: u64,
    spared: u64,
}

/// Runs a kind of world for many seeds.
fn explore(runs: u64, setup: impl Fn(&mut Rng) -> Setup) -> Explored {
    let mut explored = Explored::default();
    let one = number("DASK_SIM_SEED");
    let seeds = one.map_or(0..number("DASK_SIM_RUNS").unwrap_or(runs), |seed| seed..seed + 1);
    for seed in seeds {
        let setup = setup(&mut Rng(seed));
        let mut world = World::new(seed, setup);
        if let Err(e) = world.run() {
            panic!("DASK_SIM_SEED={seed} ({setup:?}): {e}");
        }
        explored.events += world.events;
        explored.losses += world.losses;
        explored.spared += world.spared;
    }
    explored
}

const CALM: Chaos = Chaos { failing: false, restricted: false, poison: false };

fn calm(rng: &mut Rng) -> Setup {
    Setup {
        workers: rng.range(1, 50),
        jobs: rng.range(1, 4),
        chaos: CALM,
        cancel: 0,
        let_go: 0,
        die: 0,
        retire: 0,
        pause: 0,
        unfetched: 0,
        memory: 0,
        latency: [10_000, 300_000, 20_000_000][rng.below(3) as usize],
    }
}

#[test]
fn without_losses_everything_runs_once() {
    let explored = explore(60, |rng| Setup { workers: rng.range(1, 12), ..calm(rng) });
    assert!(explored.losses == 0 && explored.spared == 0 && (explored.events > 10_000 || !is_whole()));
}

#[test]
fn what_nobody_needs_any_more_does_not_start() {
    let explored = explore(100, |rng| Setup { let_go: 80, workers: rng.range(1, 12), ..calm(rng) });
    assert!(explored.losses == 0 && (explored.spared > 500 || !is_whole()), "{} spared", explored.spared);
}

#[test]
fn deaths_lose_nothing() {
    let explored = explore(80, |rng| Setup { die: rng.range(10, 90), ..calm(rng) });
    assert!(explored.losses > 100 || !is_whole());
}

#[test]
fn retirement_loses_nothing() {
    explore(60, |rng| Setup { retire: rng.range(10, 90), ..calm(rng) });
}

#[test]
fn restrictions_and_resources_hold() {
    explore(60, |rng| Setup { chaos: Chaos { restricted: true, ..CALM }, ..calm(rng) });
}

#[test]
fn memory_holds_or_the_job_fails_by_name() {
    explore(100, |rng| Setup { memory: rng.range(100, 3000), workers: rng.range(1, 8), ..calm(rng) });
}

#[test]
fn failures_end_one_job() {
    explore(80, |rng| Setup {
        chaos: Chaos { failing: true, poison: true, restricted: false },
        cancel: 20,
        unfetched: rng.below(6),
        ..calm(rng)
    });
}

#[test]
fn everything_at_once() {
    let explored = explore(150, |rng| Setup {
        workers: rng.range(1, 50),
        jobs: rng.range(1, 5),
        chaos: Chaos { failing: rng.chance(50), restricted: rng.chance(50), poison: rng.chance(30) },
        cancel: 15,
        let_go: rng.below(50),
        die: rng.below(60),
        retire: rng.below(40),
        pause: rng.below(30),
        unfetched: rng.below(5),
        memory: if rng.chance(50) { 0 } else { rng.range(200, 5000) },
        latency: [10_000, 300_000, 20_000_000][rng.below(3) as usize],
    });
    assert!(explored.events > 50_000 || !is_whole());
}
