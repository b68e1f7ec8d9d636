//! Groups as layers.

use super::groups::{Group, Groups};
use super::program::{Placed, write};
use super::view;
use crate::builder::node::{Kind, Map, Node};
use crate::builder::{BuildError, Builder};
use crate::columns::u32s;
use crate::plan::{Body, Layer, LayerPart, Output, Part, Table, Template, VERSION};
use crate::program::Op;
use std::collections::HashMap;

/// The plan of all groups: one layer each, in the order of their roots, which is topological.
pub(crate) fn lower(b: &Builder, groups: &Groups) -> Result<Vec<Part>, BuildError> {
    let tasks = groups.tasks();
    if tasks > u128::from(u32::MAX) {
        return Err(BuildError(format!("{tasks} tasks, more than a plan can number; use larger chunks")));
    }
    let mut part = Part { version: VERSION, last: true, ..Part::default() };
    let mut placed: HashMap<u32, Placed> = HashMap::new();
    let mut templates: HashMap<String, u32> = HashMap::new();
    let mut next = 0u32;
    for (&root, group) in &groups.by_root {
        let node = &b.nodes[root as usize];
        let label = name(b, group);
        let classes = classes(b, group);
        let counts: Vec<usize> =
            classes.iter().map(|c| 1 + c.iter().max().map_or(0, |&c| c as usize)).collect();
        let combinations: usize = counts.iter().product();
        let mut parts = Vec::with_capacity(combinations);
        for n in 0..combinations {
            let mut rest = n;
            let mut chosen = vec![vec![]; counts.len()];
            for a in (0..counts.len()).rev() {
                let class = (rest % counts[a]) as u32;
                rest /= counts[a];
                chosen[a] = (0..classes[a].len()).filter(|&i| classes[a][i] == class).collect();
            }
            let written = write(b, group, &placed, &chosen);
            let nbytes = nbytes(node);
            // What only views or writes leaves a result that is another's memory, or none.
            let scratch = written.peak.saturating_sub(nbytes);
            let key = format!("{nbytes} {scratch} {label} {:?}", written.program);
            let template = *templates.entry(key).or_insert_with(|| {
                part.templates.push(Template {
                    name: label.clone(),
                    body: Body::Program(written.program),
                    nbytes,
                    scratch,
                    annotations: Default::default(),
                });
                part.templates.len() as u32 - 1
            });
            parts.push(LayerPart { template, inputs: written.inputs, args: written.args });
        }
        let keys: Vec<Table> = group
            .needed
            .iter()
            .map(|n| {
                if n.iter().enumerate().all(|(i, &k)| i == k as usize) {
                    Table::Step(1)
                } else {
                    Table::Values(n.iter().map(|&k| i64::from(k)).collect())
                }
            })
            .collect();
        part.layers.push(Layer {
            name: part.names.len() as u32,
            grid: group.grid.clone(),
            keys: if keys.iter().all(|k| *k == Table::Step(1)) { vec![] } else { keys },
            classes: if combinations == 1 { vec![] } else { classes },
            parts,
        });
        part.names.push(format!("{label}-{root}"));
        let place = group
            .needed
            .iter()
            .zip(node.chunks.iter())
            .map(|(n, c)| {
                let mut place = vec![u32::MAX; c.len()];
                n.iter().enumerate().for_each(|(at, &i)| place[i as usize] = at as u32);
                place
            })
            .collect();
        placed.insert(root, Placed { first: next, grid: group.grid.clone(), place });
        next += group.grid.iter().product::<u32>();
    }
    for w in &b.wanted {
        let Some(p) = w.made.and_then(|a| placed.get(&a.0)) else { continue };
        let node = b.node(w.array);
        part.outputs.push(Output {
            name: w.name.clone(),
            to: w.to.clone(),
            dtype: node.dtype,
            chunks: node.chunks.to_vec(),
            tasks: u32s(p.first..p.first + p.grid.iter().product::<u32>()),
        });
    }
    Ok(vec![part])
}

/// Bytes of a typical result.
fn nbytes(node: &Node) -> u64 {
    match &node.kind {
        Kind::Blocks { op: Some(Op::Write { .. } | Op::Create { .. }), .. } => 0,
        _ => node.block_bytes(),
    }
}

/// What people call a group: its operators, sources first.
fn name(b: &Builder, group: &Group) -> String {
    let mut labels: Vec<String> = vec![];
    for (id, _) in &group.members {
        let node = &b.nodes[*id as usize];
        let quiet = matches!(
            &node.kind,
            Kind::Blocks {
                op: None | Some(Op::Full { .. } | Op::ExpandDims { .. } | Op::Squeeze { .. }),
                ..
            }
        );
        let label = node.label();
        if (!quiet || group.members.len() == 1) && labels.last() != Some(&label) {
            labels.push(label);
        }
    }
    if labels.is_empty() {
        labels.extend(group.members.last().map(|(id, _)| b.nodes[*id as usize].label()));
    }
    if labels.len() > 5 {
        let last = labels.split_off(labels.len() - 2);
        labels.truncate(2);
        labels.push("…".into());
        labels.extend(last);
    }
    labels.join("-")
}

/// Puts the indices of each grid axis into classes whose tasks have the same program.
fn classes(b: &Builder, group: &Group) -> Vec<Vec<u32>> {
    let mut classes: Vec<Vec<u32>> = group.grid.iter().map(|&g| vec![0; g as usize]).collect();
    let mut refine = |map: &Map, value: &dyn Fn(usize) -> u32| {
        let Some(g) = view::axis(map) else { return };
        let mut seen: HashMap<(u32, u32), u32> = HashMap::new();
        let mut index = vec![0; group.grid.len()];
        for i in 0..classes[g].len() {
            index[g] = i;
            let next = seen.len() as u32;
            let key = (classes[g][i], value(view::at(map, &index)));
            classes[g][i] = *seen.entry(key).or_insert(next);
        }
    };
    for (id, view) in &group.members {
        match &b.nodes[*id as usize].kind {
            Kind::Blocks { classes, .. } => {
                classes.iter().for_each(|(a, values)| refine(&view[*a as usize], &|i| values[i]));
            }
            Kind::Gather { axes, .. } => {
                for (pieces, map) in axes.iter().zip(view) {
                    let mut kinds: HashMap<Vec<(u32, bool, i64)>, u32> = HashMap::new();
                    let kind: Vec<u32> = pieces
                        .iter()
                        .map(|p| {
                            let next = kinds.len() as u32;
                            *kinds.entry(p.iter().map(|p| (p.of, p.whole, p.step)).collect()).or_insert(next)
                        })
                        .collect();
                    refine(map, &|i| kind[i]);
                }
            }
        }
    }
    classes
}
