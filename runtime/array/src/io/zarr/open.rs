//! Finds an array's metadata and keeps arrays open: opening one for every task would cost as much as reading a
//! small chunk.

use super::metadata::{self, Metadata};
use super::store::LocalStore;
use super::{error, io_error};
use crate::io::path::{self, Resolved};
use crate::run::{Context, Error};
use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use zarrs::array::{Array, ArrayMetadata};
use zarrs::storage::ReadableWritableStorageTraits;

/// Most arrays kept open.
const KEPT: usize = 256;

/// Most bytes of metadata that are read.
const MAX_METADATA: u64 = 64 << 20;

/// An array over any store.
pub(super) type ZarrArray = Array<dyn ReadableWritableStorageTraits>;

/// An open array.
pub(super) struct Opened {
    pub(super) array: ZarrArray,
    pub(super) metadata: Metadata,
}

/// Tells one state of a metadata file from another.
#[derive(Clone, Copy, PartialEq)]
struct Stamp {
    version: u8,
    modified: (i64, i64),
    len: u64,
    inode: u64,
}

type Cache = Mutex<HashMap<Resolved, (Stamp, Arc<Opened>)>>;

/// Opens an array, or finds it still open and unchanged.
///
/// # Errors
/// When there is none, or it is not one that is read natively.
pub(super) fn open(path: &str, context: &Context) -> Result<Arc<Opened>, Error> {
    static CACHE: LazyLock<Cache> = LazyLock::new(Cache::default);
    let at = path::existing(path, context)?;
    let Some(stamp) = stamp(&at.path) else { return Err(error(path, missing(&at.path))) };
    let cache = || CACHE.lock().unwrap_or_else(|e| e.into_inner());
    if let Some((found, opened)) = cache().get(&at)
        && *found == stamp
    {
        return Ok(Arc::clone(opened));
    }
    let opened = Arc::new(load(path, &at, stamp)?);
    let mut cache = cache();
    if cache.len() >= KEPT {
        cache.clear();
    }
    cache.insert(at, (stamp, Arc::clone(&opened)));
    Ok(opened)
}

/// Whether a folder has an array's or a group's metadata.
pub(super) fn has_metadata(dir: &Path) -> bool {
    stamp(dir).is_some()
}

fn stamp(dir: &Path) -> Option<Stamp> {
    [(3, "zarr.json"), (2, ".zarray")].into_iter().find_map(|(version, name)| {
        let m = fs::metadata(dir.join(name)).ok().filter(fs::Metadata::is_file)?;
        Some(Stamp { version, modified: (m.mtime(), m.mtime_nsec()), len: m.len(), inode: m.ino() })
    })
}

fn load(path: &str, at: &Resolved, stamp: Stamp) -> Result<Opened, Error> {
    if stamp.len > MAX_METADATA {
        return Err(error(
            path,
            format!("has {} bytes of metadata; at most {MAX_METADATA} are read", stamp.len),
        ));
    }
    let file = at.path.join(if stamp.version == 3 { "zarr.json" } else { ".zarray" });
    if !path::stays_below(&at.root, &file) {
        return Err(error(path, "its metadata is a link that leads out of the data directory"));
    }
    let text = fs::read(&file).map_err(|e| io_error(path, "reading its metadata", &e))?;
    let damaged = |e: String| error(path, format!("its metadata is damaged: {e}"));
    let json: Value = serde_json::from_slice(&text).map_err(|e| damaged(e.to_string()))?;
    if json["node_type"] == "group" {
        return Err(error(path, group(&at.path)));
    }
    let checked = if stamp.version == 3 { metadata::version3(&json) } else { metadata::version2(&json) };
    let checked = checked.map_err(|e| error(path, e))?;
    let parsed = if stamp.version == 3 {
        serde_json::from_value(json).map(ArrayMetadata::V3)
    } else {
        serde_json::from_value(json).map(ArrayMetadata::V2)
    };
    let parsed = parsed.map_err(|e| damaged(e.to_string()))?;
    let array = array(at, parsed)
        .map_err(|e| error(path, format!("cannot be opened natively: {e}; try zarr-python")))?;
    Ok(Opened { array, metadata: checked })
}

/// The array of a folder, with metadata that was checked.
pub(super) fn array(at: &Resolved, metadata: ArrayMetadata) -> Result<ZarrArray, String> {
    let storage: Arc<dyn ReadableWritableStorageTraits> =
        Arc::new(LocalStore { root: at.root.clone(), dir: at.path.clone() });
    Array::new_with_metadata(storage, "/", metadata).map_err(|e| e.to_string())
}

/// Why a folder is no array.
fn missing(dir: &Path) -> String {
    if !dir.is_dir() {
        return "is not a Zarr array, which is a folder (use `npy` or `raw` to read a file)".into();
    }
    if dir.join(".zgroup").exists() {
        return group(dir);
    }
    "is not a Zarr array: the folder has neither zarr.json (version 3) nor .zarray (version 2)".into()
}

/// Says which arrays a group has.
fn group(dir: &Path) -> String {
    let mut found = vec![];
    list(dir, dir, 3, &mut found);
    if found.is_empty() {
        return "is a Zarr group without arrays".into();
    }
    found.sort();
    format!("is a Zarr group; name one of its arrays: {}", found.join(", "))
}

fn list(base: &Path, dir: &Path, depth: usize, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let child = entry.path();
        // Links are not followed, and a long list helps nobody.
        if found.len() >= 20 || !entry.file_type().is_ok_and(|t| t.is_dir()) {
            continue;
        }
        let is_array = child.join(".zarray").is_file()
            || fs::read(child.join("zarr.json"))
                .is_ok_and(|t| serde_json::from_slice::<Value>(&t).is_ok_and(|j| j["node_type"] == "array"));
        if is_array {
            found.push(child.strip_prefix(base).unwrap_or(&child).display().to_string());
        } else if depth > 0 {
            list(base, &child, depth - 1, found);
        }
    }
}
