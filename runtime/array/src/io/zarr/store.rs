//! A folder on a local file system as a store of chunks.
//!
//! `zarrs` brings a file system store too; this one writes each key atomically and follows no link that leads out
//! of the data directory.

use crate::io::path::stays_below;
use crate::io::whole;
use std::fs::File;
use std::io::{Error, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use zarrs::storage::byte_range::{ByteRange, ByteRangeIterator, InvalidByteRangeError};
use zarrs::storage::{
    Bytes, MaybeBytes, MaybeBytesIterator, OffsetBytesIterator, ReadableStorageTraits, StorageError,
    StoreKey, StorePrefix, WritableStorageTraits, store_set_partial_many,
};

/// The folder of one array.
#[derive(Debug)]
pub(super) struct LocalStore {
    /// Data directory: links must not lead out of it.
    pub(super) root: PathBuf,
    /// The array's folder.
    pub(super) dir: PathBuf,
}

impl LocalStore {
    fn path(&self, key: &StoreKey) -> Result<PathBuf, StorageError> {
        let path = self.dir.join(key.as_str());
        if stays_below(&self.root, &path) {
            return Ok(path);
        }
        let message = format!("{key} is a link that leads out of the data directory");
        Err(storage_error(Error::new(ErrorKind::InvalidInput, message)))
    }

    /// A regular file, or `None` when there is none.
    fn open(&self, key: &StoreKey) -> Result<Option<(File, u64)>, StorageError> {
        let path = self.path(key)?;
        // The type is checked before opening: opening a named pipe would wait.
        let metadata = match path.metadata() {
            Ok(metadata) => metadata,
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            Err(e) => return Err(storage_error(e)),
        };
        if !metadata.is_file() {
            return Err(storage_error(Error::new(
                ErrorKind::InvalidInput,
                format!("{key} is not a regular file"),
            )));
        }
        Ok(Some((File::open(path).map_err(storage_error)?, metadata.len())))
    }

    /// Writes a chunk whole, in a folder that is made when it is missing.
    fn replace(&self, key: &StoreKey, value: &[u8]) -> Result<(), Error> {
        let path = self.path(key).map_err(|e| Error::new(ErrorKind::InvalidInput, e.to_string()))?;
        match whole::write(&path, value) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                std::fs::create_dir_all(path.parent().unwrap_or(&self.dir))?;
                whole::write(&path, value)
            }
            other => other,
        }
    }
}

fn storage_error(e: Error) -> StorageError {
    StorageError::IOError(Arc::new(e))
}

impl ReadableStorageTraits for LocalStore {
    fn get(&self, key: &StoreKey) -> Result<MaybeBytes, StorageError> {
        let Some((mut file, len)) = self.open(key)? else { return Ok(None) };
        let mut bytes = Vec::with_capacity(len as usize);
        std::io::Read::read_to_end(&mut file, &mut bytes).map_err(storage_error)?;
        Ok(Some(Bytes::from(bytes)))
    }

    fn get_partial_many<'a>(
        &'a self,
        key: &StoreKey,
        byte_ranges: ByteRangeIterator<'a>,
    ) -> Result<MaybeBytesIterator<'a>, StorageError> {
        let Some((file, len)) = self.open(key)? else { return Ok(None) };
        Ok(Some(Box::new(byte_ranges.map(move |range| {
            // Ranges come from damaged metadata too, so nothing here may wrap around.
            let (start, end) = match range {
                ByteRange::FromStart(start, None) => (Some(start), Some(len)),
                ByteRange::FromStart(start, Some(n)) => (Some(start), start.checked_add(n)),
                ByteRange::Suffix(n) => (len.checked_sub(n), Some(len)),
            };
            let Some((start, end)) = start.zip(end).filter(|&(start, end)| start <= end && end <= len) else {
                return Err(InvalidByteRangeError::new(range, len).into());
            };
            let mut bytes = vec![0; (end - start) as usize];
            file.read_exact_at(&mut bytes, start).map_err(storage_error)?;
            Ok(Bytes::from(bytes))
        }))))
    }

    fn size_key(&self, key: &StoreKey) -> Result<Option<u64>, StorageError> {
        Ok(self.open(key)?.map(|(_, len)| len))
    }

    fn supports_get_partial(&self) -> bool {
        true
    }
}

impl WritableStorageTraits for LocalStore {
    fn set(&self, key: &StoreKey, value: Bytes) -> Result<(), StorageError> {
        self.replace(key, &value).map_err(storage_error)
    }

    fn set_partial_many(
        &self,
        key: &StoreKey,
        offset_values: OffsetBytesIterator<'_>,
    ) -> Result<(), StorageError> {
        store_set_partial_many(self, key, offset_values)
    }

    fn erase(&self, key: &StoreKey) -> Result<(), StorageError> {
        match std::fs::remove_file(self.path(key)?) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(storage_error(e)),
            _ => Ok(()),
        }
    }

    fn erase_prefix(&self, _prefix: &StorePrefix) -> Result<(), StorageError> {
        // We replace chunks, and never remove folders that somebody else may have filled.
        Err(StorageError::Unsupported("folders are not erased".into()))
    }

    fn supports_set_partial(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, LocalStore) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        (dir, LocalStore { dir: root.join("x.zarr"), root })
    }

    #[test]
    fn keys_come_and_go() {
        let (_dir, store) = store();
        let key = StoreKey::new("c/0/1").unwrap();
        assert!(store.get(&key).unwrap().is_none());
        store.erase(&key).unwrap();
        store.set(&key, Bytes::from_static(b"first")).unwrap();
        store.set(&key, Bytes::from_static(b"second")).unwrap();
        assert_eq!(store.get(&key).unwrap().unwrap(), "second");
        assert_eq!(store.size_key(&key).unwrap(), Some(6));
        let part = |range| store.get_partial(&key, range).map(Option::unwrap);
        assert_eq!(part(ByteRange::FromStart(1, Some(2))).unwrap(), "ec");
        assert_eq!(part(ByteRange::Suffix(3)).unwrap(), "ond");
        for outside in [ByteRange::FromStart(4, Some(9)), ByteRange::Suffix(9), ByteRange::FromStart(7, None)]
        {
            assert!(part(outside).is_err());
        }
        assert!(part(ByteRange::FromStart(4, Some(u64::MAX))).is_err());
        assert_eq!(std::fs::read_dir(store.dir.join("c/0")).unwrap().count(), 1, "no temporary file stays");
        store.erase(&key).unwrap();
        assert!(store.get(&key).unwrap().is_none());
    }

    #[test]
    fn links_do_not_lead_out() {
        let (_dir, store) = store();
        let out = tempfile::tempdir().unwrap();
        std::fs::write(out.path().join("0"), "secret").unwrap();
        std::fs::create_dir(&store.dir).unwrap();
        std::os::unix::fs::symlink(out.path(), store.dir.join("c")).unwrap();
        let key = StoreKey::new("c/0").unwrap();
        assert!(store.get(&key).unwrap_err().to_string().contains("leads out"));
        assert!(store.set(&key, Bytes::new()).is_err());
        assert!(store.erase(&key).is_err());
        assert_eq!(std::fs::read(out.path().join("0")).unwrap(), b"secret");
        std::fs::create_dir(store.dir.join("d")).unwrap();
        assert!(store.get(&StoreKey::new("d").unwrap()).unwrap_err().to_string().contains("regular file"));
    }
}
