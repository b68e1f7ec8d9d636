//! Random jobs.

use crate::rng::{Rng, mix};
use dask_core::{Batch, Block, Class, EXTERNAL, Inputs, TaskId};

/// A job before it is submitted.
pub(crate) struct Plan {
    pub(crate) classes: Vec<Class>,
    /// Class and inputs of each task; inputs with [`EXTERNAL`] count into `external`.
    pub(crate) tasks: Vec<(u32, Vec<u32>)>,
    pub(crate) external: Vec<TaskId>,
    pub(crate) wanted: Vec<u32>,
    pub(crate) priority: i32,
    /// What each task's result must be.
    pub(crate) values: Vec<u64>,
    /// A task that kills its worker.
    pub(crate) poison: Option<u32>,
    /// Percent of runs that fail.
    pub(crate) failing: u64,
    /// Virtual nanoseconds that tasks take, by class.
    pub(crate) nanos: Vec<u64>,
}

/// What a task makes of its inputs.
pub(crate) fn compute(salt: u64, local: u32, inputs: impl Iterator<Item = u64>) -> u64 {
    inputs.fold(mix(salt ^ u64::from(local)), |sum, x| mix(sum.rotate_left(7) ^ x))
}

/// What may happen in a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chaos {
    pub(crate) failing: bool,
    pub(crate) restricted: bool,
    pub(crate) poison: bool,
}

/// A random shape.
fn shape(rng: &mut Rng) -> Vec<Vec<u32>> {
    let mut tasks: Vec<Vec<u32>> = vec![];
    match rng.below(6) {
        // Layers.
        0 => {
            let (width, depth) = (rng.range(1, 30) as u32, rng.range(1, 6) as u32);
            for layer in 0..depth {
                for i in 0..width {
                    let own = (layer > 0).then(|| (layer - 1) * width + i);
                    let other = (layer > 0 && rng.chance(40))
                        .then(|| (layer - 1) * width + rng.below(u64::from(width)) as u32);
                    tasks.push(own.into_iter().chain(other).collect());
                }
            }
        }
        // A tree.
        1 => {
            let (mut level, fan) =
                ((0..rng.range(1, 80) as u32).collect::<Vec<_>>(), rng.range(2, 8) as usize);
            tasks.resize(level.len(), vec![]);
            while level.len() > 1 {
                let start = tasks.len() as u32;
                tasks.extend(level.chunks(fan).map(<[u32]>::to_vec));
                level = (start..tasks.len() as u32).collect();
            }
        }
        // x + x.T, in an order that keeps few blocks.
        2 => {
            let n = rng.range(1, 8);
            for i in 0..n {
                for j in i..n {
                    let a = tasks.len() as u32;
                    tasks.push(vec![]);
                    if i == j {
                        tasks.push(vec![a, a]);
                    } else {
                        tasks.push(vec![]);
                        tasks.push(vec![a, a + 1]);
                        tasks.push(vec![a + 1, a]);
                    }
                }
            }
        }
        // One source that everybody needs.
        3 => {
            let n = rng.range(1, 150) as u32;
            tasks.push(vec![]);
            tasks.extend((0..n).map(|_| vec![0]));
            tasks.push((1..=n).collect());
        }
        // Independent tasks.
        4 => tasks.resize(rng.range(1, 100) as usize, vec![]),
        // Anything.
        _ => {
            for local in 0..rng.range(1, 120) {
                let count = if local == 0 || rng.chance(25) { 0 } else { rng.range(1, 4.min(local)) };
                tasks.push((0..count).map(|_| (local - 1 - rng.below(local.min(30))) as u32).collect());
            }
        }
    }
    tasks
}

pub(crate) fn random(rng: &mut Rng, salt: u64, chaos: Chaos, outside: &[(TaskId, u64)]) -> Plan {
    let classes: Vec<Class> = (0..rng.range(1, 4))
        .map(|i| {
            let mut class = Class {
                name: format!("class {i}"),
                nbytes: rng.below(4) * 25,
                scratch: rng.below(3) * rng.below(2) * 20,
                retries: rng.below(6) as u32,
                priority: rng.below(5) as i32 / 2 - 1,
                tolerant: rng.chance(25),
                ..Class::default()
            };
            if chaos.restricted && rng.chance(30) {
                class.python = rng.chance(40);
                if rng.chance(40) {
                    class.resources = vec![("gpu".into(), [0.5, 1.0, 0.1][rng.below(3) as usize])];
                }
                if rng.chance(40) {
                    class.workers = vec![format!("worker {}", rng.below(4)), "tcp://1".into()];
                    class.allow_other_workers = rng.chance(50);
                }
            }
            class
        })
        .collect();
    let mut tasks: Vec<(u32, Vec<u32>)> =
        shape(rng).into_iter().map(|inputs| (rng.below(classes.len() as u64) as u32, inputs)).collect();
    let mut external = vec![];
    if !outside.is_empty() {
        for (_, inputs) in &mut tasks {
            if rng.chance(20) {
                inputs.push(EXTERNAL | external.len() as u32);
                external.push(outside[rng.below(outside.len() as u64) as usize]);
            }
        }
    }
    let mut values: Vec<u64> = vec![];
    let mut used = vec![false; tasks.len()];
    for (local, (_, inputs)) in tasks.iter().enumerate() {
        let of = |i: &u32| {
            if i & EXTERNAL == 0 { values[*i as usize] } else { external[(i & !EXTERNAL) as usize].1 }
        };
        let value = compute(salt, local as u32, inputs.iter().map(of));
        inputs.iter().filter(|i| **i & EXTERNAL == 0).for_each(|i| used[*i as usize] = true);
        values.push(value);
    }
    let wanted = (0..tasks.len() as u32).filter(|t| !used[*t as usize] && rng.chance(95) || rng.chance(5));
    let wanted = wanted.collect();
    Plan {
        poison: (chaos.poison && rng.chance(20)).then(|| rng.below(tasks.len() as u64) as u32),
        failing: if chaos.failing && rng.chance(50) { rng.range(1, 20) } else { 0 },
        nanos: classes.iter().map(|_| [500, 20_000, 1_000_000, 50_000_000][rng.below(4) as usize]).collect(),
        priority: rng.below(3) as i32,
        external: external.into_iter().map(|(t, _)| t).collect(),
        classes,
        tasks,
        wanted,
        values,
    }
}

impl Plan {
    /// Cut into batches; the whole is what was planned.
    pub(crate) fn batches(&self, rng: &mut Rng) -> Vec<Batch> {
        let mut batches = vec![];
        let mut at = 0;
        while at < self.tasks.len() {
            let end = if rng.chance(50) {
                self.tasks.len()
            } else {
                (at + rng.range(1, 40) as usize).min(self.tasks.len())
            };
            let first = batches.is_empty();
            let mut batch =
                Batch { classes: if first { self.classes.clone() } else { vec![] }, ..Batch::default() };
            for (class, inputs) in &self.tasks[at..end] {
                let inputs = inputs.iter().map(|i| {
                    if i & EXTERNAL == 0 {
                        return *i;
                    }
                    batch.external.push(self.external[(i & !EXTERNAL) as usize]);
                    EXTERNAL | (batch.external.len() as u32 - 1)
                });
                let ids: Vec<u32> = inputs.collect();
                match batch.blocks.last_mut() {
                    Some(Block { class: c, count, inputs: Inputs::Counted { counts, ids: all } })
                        if c == class =>
                    {
                        *count += 1;
                        counts.push(ids.len() as u32);
                        all.extend(ids);
                    }
                    _ => {
                        let inputs = if rng.chance(70) {
                            Inputs::Counted { counts: vec![ids.len() as u32], ids }
                        } else {
                            Inputs::Fixed { each: ids.len() as u32, ids }
                        };
                        batch.blocks.push(Block { class: *class, count: 1, inputs });
                    }
                }
            }
            let now = self.wanted.iter().filter(|w| (at..end).contains(&(**w as usize)));
            batch.wanted = now.copied().collect();
            batches.push(batch);
            at = end;
        }
        batches
    }
}
