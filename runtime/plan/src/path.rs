//! What is wrong with a path wherever it is: the rest only the machine that has the files can say.

use std::path::{Component, Path};

/// Refuses what can be no file below a data directory.
///
/// # Errors
/// Says what is wrong and what would do, without the path itself.
pub fn check(path: &str) -> Result<(), String> {
    if path.is_empty() {
        return Err("the path is empty; name a file below the data directories".into());
    }
    if path.contains('\0') {
        return Err("the path holds a zero byte; name a file below the data directories".into());
    }
    if let Some((scheme, _)) = path.split_once("://") {
        return Err(format!(
            "paths of the kind {scheme}:// are not supported; only local files are read and written so far"
        ));
    }
    if Path::new(path).components().any(|c| c == Component::ParentDir) {
        return Err("`..` is not allowed in paths: name the file from its data directory".into());
    }
    Ok(())
}

/// [`check`], for something that is to be made: it needs a name of its own.
///
/// # Errors
/// As [`check`].
pub fn check_output(path: &str) -> Result<(), String> {
    check(path)?;
    match Path::new(path).file_name() {
        Some(_) => Ok(()),
        None => Err("that is a data directory itself; name what is to be made in it".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_everywhere() {
        for (path, named) in [("", "empty"), ("a\0", "zero byte"), ("s3://b/x", "s3://"), ("a/../b", "`..`")]
        {
            assert!(check(path).unwrap_err().contains(named), "{path}");
        }
        for path in [".", "./", "/"] {
            assert!(check(path).is_ok() && check_output(path).is_err(), "{path}");
        }
        for path in ["x", "./x", "/data/x", "a..b", "...", "a/."] {
            assert_eq!((check(path), check_output(path)), (Ok(()), Ok(())), "{path}");
        }
    }
}
