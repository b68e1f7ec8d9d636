//! Where files may be: below the data directories, and nowhere else.

use super::{error, io_error};
use crate::run::{Context, Error};
use std::path::{Path, PathBuf};

/// A path that was found to lie below a data directory, links resolved.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Resolved {
    /// The data directory, canonical.
    pub(super) root: PathBuf,
    /// The file or folder, canonical as far as it exists.
    pub(super) path: PathBuf,
}

/// Finds an existing file or folder. Relative paths are tried in each data directory in turn.
///
/// # Errors
/// When it does not exist, or lies outside the data directories.
pub(super) fn existing(path: &str, context: &Context) -> Result<Resolved, Error> {
    dask_plan::path::check(path).map_err(|e| error(path, e))?;
    for candidate in candidates(path, context)? {
        match candidate.full.canonicalize() {
            Ok(full) if full.starts_with(&candidate.root) => {
                return Ok(Resolved { root: candidate.root, path: full });
            }
            Ok(_) => return Err(error(path, leaves(context))),
            Err(e)
                if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {}
            Err(e) => return Err(io_error(path, "opening it", &e)),
        }
    }
    Err(error(path, format!("no such file; looked below {}", list(context))))
}

/// Where a file or folder is to be created: in place of one that exists, else in the first data directory.
///
/// # Errors
/// When that would be outside the data directories.
pub(super) fn to_create(path: &str, context: &Context) -> Result<Resolved, Error> {
    dask_plan::path::check_output(path).map_err(|e| error(path, e))?;
    let candidates = candidates(path, context)?;
    if let Some(found) = candidates.iter().find(|c| c.full.symlink_metadata().is_ok()) {
        let full = found.full.canonicalize().map_err(|e| io_error(path, "resolving its link", &e))?;
        return below(path, full, &found.root, context);
    }
    let first = candidates.into_iter().next().ok_or_else(|| error(path, no_dirs(context)))?;
    // Links are resolved in the part that exists; what is below it will be made by us and has none.
    let mut missing = vec![];
    let mut prefix = first.full.as_path();
    while prefix.symlink_metadata().is_err() {
        let (Some(name), Some(parent)) = (prefix.file_name(), prefix.parent()) else { break };
        missing.push(name);
        prefix = parent;
    }
    let folder = prefix.canonicalize().map_err(|e| io_error(path, "resolving its folder", &e))?;
    let mut full = folder.clone();
    full.extend(missing.iter().rev());
    let found = below(path, full, &first.root, context)?;
    if !folder.is_dir() {
        return Err(error(path, format!("{} is not a folder; choose another path", folder.display())));
    }
    Ok(found)
}

/// Whether `path`, which may not exist, still lies below `root` when its links are resolved.
pub(super) fn stays_below(root: &Path, path: &Path) -> bool {
    path.ancestors().find_map(|p| p.canonicalize().ok()).is_some_and(|p| p.starts_with(root))
}

fn below(path: &str, full: PathBuf, root: &Path, context: &Context) -> Result<Resolved, Error> {
    if full.starts_with(root) && full != root {
        return Ok(Resolved { root: root.to_path_buf(), path: full });
    }
    Err(error(path, leaves(context)))
}

struct Candidate {
    root: PathBuf,
    full: PathBuf,
}

fn candidates(path: &str, context: &Context) -> Result<Vec<Candidate>, Error> {
    let given = Path::new(path);
    if context.data_dirs.is_empty() {
        return Err(error(path, no_dirs(context)));
    }
    let mut found = vec![];
    for dir in &context.data_dirs {
        let root = dir
            .canonicalize()
            .map_err(|e| error(path, format!("the data directory {} cannot be used: {e}", dir.display())))?;
        if given.is_absolute() {
            if let Ok(rest) = given.strip_prefix(dir).or_else(|_| given.strip_prefix(&root)) {
                found.push(Candidate { full: root.join(rest), root });
            }
        } else {
            found.push(Candidate { full: root.join(given), root });
        }
    }
    if found.is_empty() {
        return Err(error(path, leaves(context)));
    }
    Ok(found)
}

fn no_dirs(context: &Context) -> String {
    format!("there is no data directory; name one by {}", option(context))
}

fn leaves(context: &Context) -> String {
    format!("lies outside {}, or a link in it leads out; name its folder there too", list(context))
}

/// The data directories, and what names them.
fn list(context: &Context) -> String {
    let dirs = context.data_dirs.iter().map(|d| d.display().to_string()).collect::<Vec<_>>().join(", ");
    format!("{dirs} ({})", option(context))
}

fn option(context: &Context) -> String {
    match context.owner.as_str() {
        "" => "--data-dir".into(),
        owner => format!("--data-dir of {owner}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn context(dirs: &[&Path]) -> Context {
        Context { data_dirs: dirs.iter().map(|d| d.to_path_buf()).collect(), ..Context::default() }
    }

    #[test]
    fn only_below_the_data_directories() {
        let (a, b, out) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(b.path().join("x.npy"), "").unwrap();
        std::fs::write(out.path().join("secret"), "").unwrap();
        symlink(out.path(), a.path().join("way-out")).unwrap();
        symlink(out.path().join("new"), a.path().join("dangling")).unwrap();
        symlink(b.path().join("x.npy"), b.path().join("inside")).unwrap();
        let context = context(&[a.path(), b.path()]);
        let root = b.path().canonicalize().unwrap();

        for good in ["x.npy", "./x.npy", "inside", b.path().join("x.npy").to_str().unwrap()] {
            assert_eq!(existing(good, &context).unwrap().path, root.join("x.npy"), "{good}");
        }
        let secret = out.path().join("secret");
        for (bad, hint) in [
            ("../x.npy", "`..`"),
            ("way-out/secret", "--data-dir"),
            (secret.to_str().unwrap(), "--data-dir"),
            ("/etc/passwd", "--data-dir"),
            ("nothing.npy", "looked below"),
            ("", "empty"),
        ] {
            let text = existing(bad, &context).unwrap_err().to_string();
            assert!(text.contains(hint), "{bad}: {text}");
        }
        std::fs::write(a.path().join("file"), "").unwrap();
        for bad in
            ["file/x.zarr", "way-out/new.zarr", "way-out", "dangling", "a/../../b", "/tmp-elsewhere/x", "."]
        {
            assert!(to_create(bad, &context).is_err(), "{bad}");
        }
        let new = to_create("deep/er/new.zarr", &context).unwrap();
        assert_eq!(new.path, a.path().canonicalize().unwrap().join("deep/er/new.zarr"));
        let of_worker = |data_dirs| Context { data_dirs, owner: "worker a".into(), ..Context::default() };
        for context in [of_worker(vec![]), of_worker(vec![a.path().into()])] {
            let text = existing("x.npy", &context).unwrap_err().to_string();
            assert!(text.contains("--data-dir of worker a"), "{text}");
        }
        assert!(!stays_below(&new.root, &new.root.join("way-out/c/0")));
        assert!(stays_below(&new.root, &new.root.join("deep/c/0")));
    }
}
