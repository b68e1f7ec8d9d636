//! Raw binary: nothing but elements; the document says what they are.

use super::flat::{self, Layout};
use super::path;
use super::region::Region;
use crate::chunk::Chunk;
use crate::run::{Context, Error};
use dask_plan::Described;
use dask_plan::program::{FileRef, Format};
use std::fs::File;

/// Reads a region.
pub(super) fn read(file: &FileRef, region: &Region, context: &Context) -> Result<Chunk, Error> {
    let (open, layout) = open(file, context)?;
    flat::read(&open, &file.path, &layout, region, context)
}

/// What the document says, once the file is seen to be large enough for it.
pub(super) fn describe(file: &FileRef, context: &Context) -> Result<Described, Error> {
    let (open, layout) = open(file, context)?;
    flat::check_len(&open, &file.path, &layout)?;
    Ok(Described { shape: layout.shape, dtype: layout.dtype, chunks: None })
}

fn open(file: &FileRef, context: &Context) -> Result<(File, Layout), Error> {
    let Format::Raw { dtype, shape, offset, fortran, big_endian } = &file.format else {
        return Err(super::error(&file.path, "is not raw binary"));
    };
    let layout = Layout {
        offset: *offset,
        dtype: *dtype,
        shape: shape.clone(),
        fortran: *fortran,
        big_endian: *big_endian,
    };
    let at = path::existing(&file.path, context)?;
    Ok((flat::open(&file.path, &at.path)?, layout))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dask_plan::DType;
    use proptest::prelude::*;

    /// A file of 0, 1, 2, … and its reader.
    fn numbers(
        shape: &[u64],
        fortran: bool,
        big_endian: bool,
        offset: u64,
    ) -> (tempfile::TempDir, FileRef, Context) {
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = vec![7; offset as usize];
        for i in 0..shape.iter().product::<u64>() as i32 {
            bytes.extend(if big_endian { i.to_be_bytes() } else { i.to_le_bytes() });
        }
        std::fs::write(dir.path().join("x"), bytes).unwrap();
        let format = Format::Raw { dtype: DType::Int32, shape: shape.to_vec(), offset, fortran, big_endian };
        let context = Context { data_dirs: vec![dir.path().into()], ..Context::default() };
        (dir, FileRef { path: "x".into(), format }, context)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn regions_are_slices(
            axes in prop::collection::vec((1u64..70, any::<u64>(), any::<u64>()), 1..4),
            fortran: bool,
            big_endian: bool,
            offset in 0u64..9,
        ) {
            let shape: Vec<u64> = axes.iter().map(|a| a.0).collect();
            let start: Vec<u64> = axes.iter().map(|a| a.1 % a.0).collect();
            let len: Vec<u64> = axes.iter().zip(&start).map(|(a, s)| a.2 % (a.0 - s + 1)).collect();
            let (_dir, file, context) = numbers(&shape, fortran, big_endian, offset);
            let region = |start: Vec<u64>, shape| Region { start, shape };
            let whole = read(&file, &region(vec![0; shape.len()], shape.clone()), &context).unwrap();
            let n: i32 = shape.iter().product::<u64>() as i32;
            let in_order = if fortran { whole.transpose(&(0..shape.len()).rev().collect::<Vec<_>>()) } else { whole.clone() };
            let contiguous = in_order.to_contiguous();
            prop_assert_eq!(contiguous.as_slice::<i32>().unwrap(), &(0..n).collect::<Vec<_>>()[..]);
            let ranges: Vec<_> = start.iter().zip(&len).map(|(&s, &l)| (s as usize, l as usize, 1)).collect();
            let part = read(&file, &region(start, len), &context).unwrap();
            prop_assert!(part == whole.slice(&ranges));
        }
    }

    #[test]
    fn short_files_are_named_with_sizes() {
        let (_dir, mut file, context) = numbers(&[10], false, false, 0);
        let Format::Raw { shape, .. } = &mut file.format else { unreachable!() };
        *shape = vec![5, 3];
        let text = describe(&file, &context).unwrap_err().to_string();
        assert!(text.contains("takes 60 bytes") && text.contains("has 40"), "{text}");
        let Format::Raw { shape, .. } = &mut file.format else { unreachable!() };
        *shape = vec![0, u64::MAX];
        assert!(describe(&file, &context).unwrap_err().to_string().contains("overflows"));
    }
}
