//! Files that appear whole or not at all.

use super::io_error;
use crate::run::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes a file, in place of one that exists. What is no regular file (`/dev/stdout`, a named pipe) stays and is written
/// to.
///
/// # Errors
/// [`Error::File`] when it cannot be written (a full disk); what was there is left as it was.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let written = match path.metadata() {
        Ok(found) if !found.is_file() => {
            OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(bytes))
        }
        // The file that a link leads to is replaced, not the link.
        Ok(_) => path.canonicalize().and_then(|path| write(&path, bytes)),
        Err(_) => write(path, bytes),
    };
    written.map_err(|e| io_error(&path.display().to_string(), "writing it", &e))
}

/// Writes a file under another name, then gives it its own: readers see all of it or nothing.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let unique = format!("{}-{}.partial", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let temporary = path.with_added_extension(unique);
    let mut file = File::create_new(&temporary)?;
    let written = file.write_all(bytes).and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        // The first error counts; a file that cannot be removed is left.
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{FileTypeExt, symlink};

    #[test]
    fn a_file_is_replaced_where_a_link_leads() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        replace(&file, b"first").unwrap();
        symlink(&file, &link).unwrap();
        replace(&link, b"second").unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"second");
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "no temporary file stays");
    }

    #[test]
    fn a_full_disk_is_named_and_a_device_stays_one() {
        let text = replace(Path::new("/dev/full"), b"x").unwrap_err().to_string();
        assert!(text.starts_with("/dev/full: the disk is full"), "{text}");
        assert!(Path::new("/dev/full").metadata().unwrap().file_type().is_char_device());
        let nowhere = replace(Path::new("/nowhere/x"), b"x").unwrap_err().to_string();
        assert!(nowhere.starts_with("/nowhere/x: writing it failed"), "{nowhere}");
    }
}
