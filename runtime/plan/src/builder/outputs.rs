//! Outputs.

use super::gather::{identity, range_pieces};
use super::node::{Kind, Map, Params, Piece};
use super::{Array, BuildError, Builder, Result, Wanted, extent};
use crate::plan::{PRINTED_EDGE, PRINTED_WHOLE, Sink};
use crate::program::{FileRef, Format, Op};
use std::collections::{HashMap, HashSet};

fn check_path(path: &str) -> Result<()> {
    crate::path::check_output(path).map_err(|e| BuildError(format!("{path:?}: {e}")))
}

impl Builder {
    fn want(&mut self, name: &str, array: Array, made: Option<Array>, to: Sink) -> Result<()> {
        self.wanted.push(Wanted { name: name.into(), array, made, to });
        Ok(())
    }

    /// Prints it as numpy does; only the items that numpy shows are made for it, where the shape is known.
    ///
    /// # Errors
    /// Never.
    pub fn print(&mut self, name: &str, x: Array) -> Result<()> {
        let items = self.shape(x).into_iter().try_fold(1u64, |n, s| Some(n.saturating_mul(s?)));
        let edge = items.is_some_and(|n| n > PRINTED_WHOLE).then_some(PRINTED_EDGE);
        self.want(name, x, None, Sink::Print { edge })
    }

    /// One `.npy` file at the submitter's path; where the shape is unknown it is written when all blocks are there.
    ///
    /// # Errors
    /// When the path is wrong.
    pub fn npy(&mut self, name: &str, x: Array, path: &str) -> Result<()> {
        check_path(path)?;
        self.want(name, x, Some(x), Sink::Npy { path: path.into() })
    }

    /// JSON at the submitter's path, or on its standard output.
    ///
    /// # Errors
    /// When the path is wrong.
    pub fn json(&mut self, name: &str, x: Array, path: Option<&str>) -> Result<()> {
        path.map_or(Ok(()), check_path)?;
        self.want(name, x, Some(x), Sink::Json { path: path.map(String::from) })
    }

    /// A Zarr array at the workers' path; its chunks are the array's first along each axis.
    ///
    /// # Errors
    /// When the path is wrong, or the shape is unknown.
    pub fn zarr(&mut self, name: &str, x: Array, path: &str) -> Result<()> {
        check_path(path)?;
        let shape = self.known(x, "a Zarr array")?;
        let each: Vec<u64> =
            self.chunks(x).iter().map(|c| c.iter().copied().max().unwrap_or(1).max(1)).collect();
        let regular = shape
            .iter()
            .zip(&each)
            .map(|(&n, &c)| {
                let mut chunks = vec![c; (n / c) as usize];
                if n % c > 0 || n == 0 {
                    chunks.push(n % c);
                }
                chunks
            })
            .collect();
        let x = self.rechunk_to(x, regular)?;
        let file = FileRef { path: path.into(), format: Format::Zarr };
        let dtype = self.dtype(x);
        let create = Op::Create { file: file.clone(), dtype, shape, chunks: each };
        let create = self.blocks(Some(create), vec![], Params::default(), dtype, vec![]);
        self.nodes[create.0 as usize].keep = true;
        let chunks = self.chunks(x).to_vec();
        let mut params = Params::default();
        let start = params.start(&chunks);
        let of = vec![(x, self.same(x)), (create, vec![])];
        let write = self.blocks(Some(Op::Write { file, start }), of, params, dtype, chunks);
        self.want(name, x, Some(write), Sink::Zarr { path: path.into() })
    }

    /// Keeps it on the workers for later graphs.
    ///
    /// # Errors
    /// Never.
    pub fn keep(&mut self, name: &str, x: Array) -> Result<()> {
        self.want(name, x, Some(x), Sink::Keep)
    }

    /// A copy in which printed arrays have their one block too.
    pub(crate) fn with_outputs(&self) -> Builder {
        let mut b = self.clone();
        let stops: HashSet<Array> = b.wanted.iter().filter_map(|w| w.made).collect();
        for i in 0..b.wanted.len() {
            if let (None, Sink::Print { edge }) = (b.wanted[i].made, &b.wanted[i].to) {
                let made = b.printed(b.wanted[i].array, edge.map(u64::from), &stops);
                b.wanted[i].made = Some(made);
            }
        }
        b
    }

    /// What is printed of an array, in one block of its own.
    fn printed(&mut self, x: Array, edge: Option<u64>, stops: &HashSet<Array>) -> Array {
        let shown = match edge {
            None => x,
            Some(edge) => {
                let axes = self.chunks(x).to_vec();
                let picks: Vec<Pick> = axes.iter().map(|c| Pick::ends(c, edge)).collect();
                self.pick(x, &picks, stops, &mut HashMap::new())
            }
        };
        // One block of all that is shown.
        let chunks = self.chunks(shown).to_vec();
        let pieces = chunks.iter().map(|c| vec![identity(c).concat()]).collect();
        let joined = chunks.iter().map(|c| vec![extent(c).unwrap_or(super::node::UNKNOWN)]).collect();
        let dtype = self.dtype(shown);
        let one = self.gather(vec![shown], pieces, None, dtype, joined);
        // Its own node, so that it is an output's task even when the array itself has one block.
        let same = self.same(one);
        let chunks = self.chunks(one).to_vec();
        self.alias(one, same, dtype, chunks)
    }

    /// Some items of each axis, cut as far below elementwise operators as it goes, so that only these are computed.
    /// Arrays in `stops` are made anyway.
    fn pick(
        &mut self,
        x: Array,
        picks: &[Pick],
        stops: &HashSet<Array>,
        done: &mut HashMap<(Array, Vec<Pick>), Array>,
    ) -> Array {
        let key = (x, picks.to_vec());
        if let Some(&a) = done.get(&key) {
            return a;
        }
        // Shared operands are visited once, but a chain may be long: deep ones are cut where they are.
        let deep = done.len() > 500;
        let node = self.node(x).clone();
        let chunks: Vec<Vec<u64>> = picks.iter().map(|p| p.pieces.iter().map(|q| q.len).collect()).collect();
        let out = match &node.kind {
            Kind::Blocks { op: Some(op), of, params, .. }
                if !of.is_empty()
                    && params.is_empty()
                    && !deep
                    && !stops.contains(&x)
                    && (op.is_elementwise() || matches!(op, Op::Transpose { .. })) =>
            {
                done.insert(key.clone(), x);
                let inputs = of
                    .iter()
                    .map(|(a, maps)| {
                        let own = self.chunks(*a).to_vec();
                        let below: Vec<Pick> = maps
                            .iter()
                            .enumerate()
                            .map(|(i, m)| match m {
                                Map::Axis(axis) => picks[*axis as usize].clone(),
                                _ => Pick::all(&own[i]),
                            })
                            .collect();
                        (self.pick(*a, &below, stops, done), maps.clone())
                    })
                    .collect();
                self.blocks(Some(op.clone()), inputs, Params::default(), node.dtype, chunks)
            }
            _ => {
                let pieces = picks.iter().map(|p| p.pieces.iter().map(|&q| vec![q]).collect()).collect();
                self.gather(vec![x], pieces, None, node.dtype, chunks)
            }
        };
        done.insert(key, out);
        out
    }
}

/// Items of one axis, one piece a block.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Pick {
    pieces: Vec<Piece>,
}

impl Pick {
    fn all(chunks: &[u64]) -> Pick {
        Pick { pieces: identity(chunks).concat() }
    }

    /// The first and last `edge` items, or all when there are not more.
    fn ends(chunks: &[u64], edge: u64) -> Pick {
        match extent(chunks) {
            Some(n) if n > 2 * edge => {
                let mut pieces = range_pieces(chunks, 0, edge);
                pieces.extend(range_pieces(chunks, n - edge, edge));
                Pick { pieces }
            }
            _ => Pick::all(chunks),
        }
    }
}
