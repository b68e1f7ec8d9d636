//! Writes one `.npy` file from blocks that arrive in any order.

use super::header::header;
use crate::chunk::{Chunk, checked_nbytes};
use crate::io::region::{Region, Runs};
use crate::io::{error, io_error};
use crate::run::Error;
use dask_plan::DType;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A C-ordered, little-endian `.npy` file in the making.
///
/// It has another name until [`Writer::finish`], so that nobody reads half an array; dropped before that, it is
/// removed.
#[derive(Debug)]
pub struct Writer {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    dtype: DType,
    shape: Vec<u64>,
    offset: u64,
    /// Elements that are still to be written.
    missing: u64,
    finished: bool,
}

impl Writer {
    /// Starts a file of this shape and dtype beside `path`, which is replaced in the end.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be created, or the size overflows.
    pub fn create(path: &Path, dtype: DType, shape: &[u64]) -> Result<Writer, Error> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = path.display().to_string();
        let extents: Option<Vec<usize>> = shape.iter().map(|&n| n.try_into().ok()).collect();
        let nbytes = extents.and_then(|s| checked_nbytes(&s, dtype));
        let nbytes =
            nbytes.ok_or_else(|| error(&name, format!("shape {shape:?} of {dtype} is too large")))?;
        // Renaming would put a file in place of a device.
        if path.exists() && !path.is_file() {
            return Err(error(&name, "exists and is not a regular file; choose another path"));
        }
        let file_name = path.file_name().ok_or_else(|| error(&name, "names no file"))?;
        let unique = format!(".{}-{}.partial", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut temporary = file_name.to_os_string();
        temporary.push(unique);
        let temporary = path.with_file_name(temporary);
        let file = OpenOptions::new().write(true).create_new(true).open(&temporary);
        let file = file.map_err(|e| io_error(&name, "creating it", &e))?;
        let header = header(dtype, shape);
        let writer = Writer {
            file,
            temporary,
            path: path.to_path_buf(),
            dtype,
            shape: shape.to_vec(),
            offset: header.len() as u64,
            missing: shape.iter().product(),
            finished: false,
        };
        let len = writer.offset + nbytes as u64;
        writer
            .file
            .set_len(len)
            .and_then(|()| writer.file.write_all_at(&header, 0))
            .map_err(|e| writer.io(&e))?;
        Ok(writer)
    }

    /// Writes a block whose first element is element `start` of the array. Each element must be written once.
    ///
    /// # Errors
    /// [`Error::Operand`] when the block does not fit, [`Error::File`] when it cannot be written (a full disk).
    pub fn write(&mut self, start: &[u64], block: &Chunk) -> Result<(), Error> {
        let region =
            Region { start: start.to_vec(), shape: block.shape().iter().map(|&n| n as u64).collect() };
        let fits = start.len() == block.ndim() && region.check(&self.shape).is_ok();
        if !fits || block.dtype() != self.dtype {
            return Err(Error::Operand(format!(
                "a block of shape {:?} and dtype {} at {start:?} does not fit an array of shape {:?} and dtype {}",
                block.shape(),
                block.dtype(),
                self.shape,
                self.dtype
            )));
        }
        let n = block.len() as u64;
        if n > self.missing {
            return Err(Error::Operand(format!("{}: more elements than the array has", self.path.display())));
        }
        let itemsize = self.dtype.itemsize() as u64;
        let block = block.to_contiguous();
        let runs = Runs::new(&self.shape, &region);
        let run = (runs.len * itemsize).max(1) as usize;
        for (bytes, at) in block.as_bytes().unwrap_or_default().chunks_exact(run).zip(runs.starts) {
            self.file.write_all_at(bytes, self.offset + at * itemsize).map_err(|e| self.io(&e))?;
        }
        self.missing -= n;
        Ok(())
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// [`Error::File`] when elements are missing, or it cannot be renamed.
    pub fn finish(mut self) -> Result<(), Error> {
        if self.missing > 0 {
            let name = self.path.display().to_string();
            return Err(error(&name, format!("{} elements were never written", self.missing)));
        }
        std::fs::rename(&self.temporary, &self.path).map_err(|e| self.io(&e))?;
        self.finished = true;
        Ok(())
    }

    fn io(&self, e: &std::io::Error) -> Error {
        io_error(&self.path.display().to_string(), "writing it", e)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.finished {
            // Nothing more can be done about a file that cannot be removed.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::npy;
    use crate::run::Context;

    #[test]
    fn blocks_in_any_order_make_the_array() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npy");
        let x = Chunk::from_slice(&[5, 7], &(0..35).map(f64::from).collect::<Vec<_>>());
        let mut writer = Writer::create(&path, DType::Float64, &[5, 7]).unwrap();
        for (row, col) in [(3, 4), (0, 0), (3, 0), (0, 4)] {
            let block = x.slice(&[(row, (5 - row).min(3), 1), (col, (7 - col).min(4), 1)]);
            writer.write(&[row as u64, col as u64], &block).unwrap();
        }
        assert!(!path.exists());
        writer.finish().unwrap();
        let context = Context { data_dirs: vec![dir.path().into()], ..Context::default() };
        let whole = Region { start: vec![0, 0], shape: vec![5, 7] };
        assert!(npy::read("x.npy", &whole, &context).unwrap() == x);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn scalars_and_empty_arrays() {
        let dir = tempfile::tempdir().unwrap();
        let context = Context { data_dirs: vec![dir.path().into()], ..Context::default() };
        let mut writer = Writer::create(&dir.path().join("s.npy"), DType::Bool, &[]).unwrap();
        writer.write(&[], &Chunk::scalar(true)).unwrap();
        writer.finish().unwrap();
        let region = Region { start: vec![], shape: vec![] };
        assert!(npy::read("s.npy", &region, &context).unwrap().item::<bool>());
        Writer::create(&dir.path().join("e.npy"), DType::Int8, &[0, 3]).unwrap().finish().unwrap();
        assert_eq!(npy::describe("e.npy", &context).unwrap().shape, [0, 3]);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_nothing_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npy");
        let mut writer = Writer::create(&path, DType::Int8, &[4]).unwrap();
        let two = Chunk::from_slice(&[2], &[1i8, 2]);
        assert!(writer.write(&[3], &two).unwrap_err().to_string().contains("[3]"));
        assert!(
            writer
                .write(&[0], &Chunk::from_slice(&[2], &[1u8, 2]))
                .unwrap_err()
                .to_string()
                .contains("uint8")
        );
        writer.write(&[0], &two).unwrap();
        assert!(writer.finish().unwrap_err().to_string().contains("2 elements were never written"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(Writer::create(&path, DType::Int64, &[u64::MAX]).is_err());
        assert!(Writer::create(Path::new("/dev/null"), DType::Int64, &[1]).is_err());
    }
}
