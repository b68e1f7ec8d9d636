//! Products of matrices over blocks: partial products, added up in trees.

use super::node::{Map, Params};
use super::{Array, BuildError, Builder, Result, err};
use crate::infer;
use crate::program::{Binary, Op};

impl Builder {
    /// `numpy.dot`.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn dot(&mut self, a: Array, b: Array) -> Result<Array> {
        let (na, nb) = (self.chunks(a).len() as i64, self.chunks(b).len() as i64);
        if na == 0 || nb == 0 {
            return self.binary(Binary::Multiply, a, b);
        }
        self.tensordot(a, b, (&[na - 1], &[(nb - 2).max(0)]))
    }

    /// `numpy.matmul`.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn matmul(&mut self, a: Array, b: Array) -> Result<Array> {
        let (na, nb) = (self.chunks(a).len(), self.chunks(b).len());
        if na == 0 || nb == 0 {
            return err!("matmul of a number; use *");
        }
        if na <= 2 && nb <= 2 {
            return self.dot(a, b);
        }
        if na == 1 || nb == 1 {
            let vector = if na == 1 { self.expand_dims(a, &[0])? } else { self.expand_dims(b, &[1])? };
            let out = if na == 1 { self.matmul(vector, b)? } else { self.matmul(a, vector)? };
            return self.squeeze(out, Some(&[if na == 1 { -2 } else { -1 }]));
        }
        let (a, b, dtype) = self.product_operands(a, b, "matmul")?;
        let (ka, kb) = (na - 1, nb - 2);
        let (a, b) = self.contracted(a, b, &[ka], &[kb], "matmul")?;
        // Leading axes broadcast; then rows, columns, and the contracted axis.
        let lead = na.max(nb) - 2;
        let stacked = |n: usize, chunks: &[Vec<u64>]| {
            let mut c = vec![vec![1]; lead - (n - 2)];
            c.extend(chunks[..n - 2].iter().cloned());
            c
        };
        let (sa, sb) = (stacked(na, self.chunks(a)), stacked(nb, self.chunks(b)));
        let mut chunks = vec![];
        let (mut ta, mut tb) = (sa.clone(), sb.clone());
        for i in 0..lead {
            let of: Vec<&[u64]> =
                [&sa[i], &sb[i]].into_iter().map(|c| c.as_slice()).filter(|c| **c != [1]).collect();
            let common = if of.is_empty() {
                vec![1]
            } else {
                super::chunks::common(&of).map_err(|_| {
                    BuildError(format!(
                        "shapes {} and {} do not broadcast",
                        self.shape_text(a),
                        self.shape_text(b)
                    ))
                })?
            };
            for t in [&mut ta[i], &mut tb[i]] {
                if *t != [1] {
                    t.clone_from(&common);
                }
            }
            chunks.push(common);
        }
        let whole = |t: &[Vec<u64>], n: usize, own: &[Vec<u64>]| -> Vec<Vec<u64>> {
            t[lead - (n - 2)..].iter().chain(&own[n - 2..]).cloned().collect()
        };
        let (ca, cb) = (whole(&ta, na, self.chunks(a)), whole(&tb, nb, self.chunks(b)));
        let (a, b) = (self.rechunk_to(a, ca)?, self.rechunk_to(b, cb)?);
        let steps = self.chunks(a)[ka].len();
        chunks.push(self.chunks(a)[na - 2].clone());
        chunks.push(self.chunks(b)[nb - 1].clone());
        let maps = |n: usize, own: &[Vec<u64>], last: [u32; 2]| -> Vec<Map> {
            let stacked = (0..n - 2)
                .map(|i| if own[i] == [1] { Map::Const(0) } else { Map::Axis((lead - (n - 2) + i) as u32) });
            stacked.chain(last.map(Map::Axis)).collect()
        };
        let [row, col, inner] = [lead as u32, lead as u32 + 1, lead as u32 + 2];
        let of =
            vec![(a, maps(na, self.chunks(a), [row, inner])), (b, maps(nb, self.chunks(b), [inner, col]))];
        let mut partial = chunks.clone();
        partial.push(vec![1; steps]);
        let p = self.blocks(Some(Op::MatMul), of, Params::default(), dtype, partial);
        Ok(self.add_up(p, chunks))
    }

    /// `numpy.tensordot(a, b, axes)`.
    ///
    /// # Errors
    /// When the axes do not fit.
    pub fn tensordot(&mut self, a: Array, b: Array, axes: (&[i64], &[i64])) -> Result<Array> {
        let (na, nb) = (self.chunks(a).len(), self.chunks(b).len());
        let axes_a = axes.0.iter().map(|&i| self.axis(i, na)).collect::<Result<Vec<_>>>()?;
        let axes_b = axes.1.iter().map(|&i| self.axis(i, nb)).collect::<Result<Vec<_>>>()?;
        if axes_a.len() != axes_b.len() {
            return err!("tensordot over {} axes of a and {} of b", axes_a.len(), axes_b.len());
        }
        self.axes(Some(axes.0), na)?;
        self.axes(Some(axes.1), nb)?;
        let (a, b, dtype) = self.product_operands(a, b, "a product")?;
        let (a, b) = self.contracted(a, b, &axes_a, &axes_b, "a product")?;
        let free_a: Vec<usize> = (0..na).filter(|i| !axes_a.contains(i)).collect();
        let free_b: Vec<usize> = (0..nb).filter(|i| !axes_b.contains(i)).collect();
        let mut chunks: Vec<Vec<u64>> = free_a.iter().map(|&i| self.chunks(a)[i].clone()).collect();
        chunks.extend(free_b.iter().map(|&i| self.chunks(b)[i].clone()));
        let free = chunks.len();
        let mut partial = chunks.clone();
        let (mut ma, mut mb) = (vec![Map::Const(0); na], vec![Map::Const(0); nb]);
        for (k, (&i, &j)) in axes_a.iter().zip(&axes_b).enumerate() {
            partial.push(vec![1; self.chunks(a)[i].len()]);
            (ma[i], mb[j]) = (Map::Axis((free + k) as u32), Map::Axis((free + k) as u32));
        }
        free_a.iter().enumerate().for_each(|(k, &i)| ma[i] = Map::Axis(k as u32));
        free_b.iter().enumerate().for_each(|(k, &i)| mb[i] = Map::Axis((free_a.len() + k) as u32));
        let op = if (na, nb, &axes_a[..], &axes_b[..]) == (2, 2, &[1], &[0]) {
            Op::MatMul
        } else {
            let narrow = |v: &[usize]| v.iter().map(|&i| i as u32).collect();
            Op::TensorDot { a: narrow(&axes_a), b: narrow(&axes_b) }
        };
        let p = self.blocks(Some(op), vec![(a, ma), (b, mb)], Params::default(), dtype, partial);
        Ok(self.add_up(p, chunks))
    }

    /// Sums partial products over the grid axes beyond those of the result.
    fn add_up(&mut self, p: Array, chunks: Vec<Vec<u64>>) -> Array {
        let inner: Vec<usize> = (chunks.len()..self.chunks(p).len()).collect();
        let sum = self.tree(p, &inner, Some(Op::Fold(Binary::Add)), None);
        let mut maps: Vec<Map> = (0..chunks.len()).map(|i| Map::Axis(i as u32)).collect();
        maps.extend(inner.iter().map(|_| Map::Const(0)));
        self.alias(sum, maps, self.dtype(p), chunks)
    }

    /// Both operands in their common dtype.
    fn product_operands(&mut self, a: Array, b: Array, what: &str) -> Result<(Array, Array, crate::DType)> {
        self.known(a, what)?;
        self.known(b, what)?;
        let (dtype, _) = infer::binary(Binary::Multiply, self.dtype(a), self.dtype(b)).map_err(BuildError)?;
        Ok((self.cast(a, dtype)?, self.cast(b, dtype)?, dtype))
    }

    /// Both operands with common chunks along the contracted axes.
    fn contracted(
        &mut self,
        a: Array,
        b: Array,
        axes_a: &[usize],
        axes_b: &[usize],
        what: &str,
    ) -> Result<(Array, Array)> {
        let (mut ca, mut cb) = (self.chunks(a).to_vec(), self.chunks(b).to_vec());
        for (&i, &j) in axes_a.iter().zip(axes_b) {
            match super::chunks::common(&[&ca[i], &cb[j]]) {
                Ok(c) => (ca[i], cb[j]) = (c.clone(), c),
                Err(_) => {
                    return err!(
                        "{what} of shapes {} and {}: axis {i} of the first and axis {j} of the second differ",
                        self.shape_text(a),
                        self.shape_text(b)
                    );
                }
            }
        }
        Ok((self.rechunk_to(a, ca)?, self.rechunk_to(b, cb)?))
    }
}
