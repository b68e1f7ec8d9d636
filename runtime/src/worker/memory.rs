//! How much memory this process has and takes.

use std::path::Path;

/// Bytes that this process may use: the control group's limit, or else the machine's memory.
pub fn limit() -> u64 {
    let machine = field("/proc/meminfo", "MemTotal:").unwrap_or(0);
    let cgroup = cgroup_limit(Path::new("/sys/fs/cgroup"), &read("/proc/self/cgroup")).unwrap_or(0);
    match (machine, cgroup) {
        (machine, 0) => machine,
        (0, cgroup) => cgroup,
        (machine, cgroup) => machine.min(cgroup),
    }
}

/// Bytes of this process that are in memory.
pub fn resident() -> u64 {
    // The second field of statm; a page is asked of the system, since it is not 4096 everywhere.
    let pages: u64 =
        read("/proc/self/statm").split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
    pages * page()
}

/// The most that [`resident`] ever was.
pub fn peak() -> u64 {
    field("/proc/self/status", "VmHWM:").unwrap_or(0)
}

#[allow(unsafe_code)] // A query of the C library.
fn page() -> u64 {
    // SAFETY: sysconf reads a constant.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// A field in kB of a file in /proc.
fn field(path: &str, name: &str) -> Option<u64> {
    let text = read(path);
    let line = text.lines().find_map(|l| l.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// The lowest limit on the way from the process's group to the root; version 2 first, then version 1.
fn cgroup_limit(root: &Path, groups: &str) -> Option<u64> {
    let mut lowest: Option<u64> = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let (base, file) = match controllers {
            "" => (root.to_path_buf(), "memory.max"),
            c if c.split(',').any(|c| c == "memory") => (root.join("memory"), "memory.limit_in_bytes"),
            _ => continue,
        };
        // Inside a container the path may be the host's, which is not mounted; the root is then the container's own.
        let below = base.join(path.trim_start_matches('/'));
        for dir in below.ancestors().take_while(|d| d.starts_with(&base)) {
            if let Ok(n) = read(dir.join(file)).trim().parse::<u64>() {
                // Version 1 writes "none" as a number near the largest.
                if n < 1 << 60 {
                    lowest = Some(lowest.map_or(n, |l| l.min(n)));
                }
            }
        }
    }
    lowest
}

/// Reads an amount of memory: `2GiB`, `500 MB`, `1e9`, `0` for none.
///
/// # Errors
/// Says what is understood.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let split = text.find(|c: char| c.is_ascii_alphabetic() && !matches!(c, 'e' | 'E')).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let scale = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "ki" | "kib" => 1024.0,
        "mi" | "mib" => 1024.0 * 1024.0,
        "gi" | "gib" => 1024.0 * 1024.0 * 1024.0,
        "ti" | "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => {
            return Err(format!(
                "{text:?} is not an amount of memory; write bytes, or such as 4GiB or 500MB"
            ));
        }
    };
    match number.trim().parse::<f64>() {
        Ok(n) if n >= 0.0 && n * scale < 1e18 => Ok((n * scale) as u64),
        _ => Err(format!("{text:?} is not an amount of memory; write bytes, or such as 4GiB or 500MB")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read() {
        for (text, bytes) in
            [("2GiB", 2 << 30), ("500 MB", 500_000_000), ("1e9", 1_000_000_000), ("0", 0), ("1.5k", 1500)]
        {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["", "lots", "-1", "1 QB", "1e40"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_lowest_limit_above_counts() {
        let root = tempfile::tempdir().unwrap();
        let group = root.path().join("pod/container");
        std::fs::create_dir_all(&group).unwrap();
        std::fs::write(group.join("memory.max"), "max\n").unwrap();
        std::fs::write(root.path().join("pod/memory.max"), "1000\n").unwrap();
        assert_eq!(cgroup_limit(root.path(), "0::/pod/container\n"), Some(1000));
        assert_eq!(cgroup_limit(root.path(), "0::/elsewhere\n"), None);
        let v1 = root.path().join("memory");
        std::fs::create_dir_all(&v1).unwrap();
        std::fs::write(v1.join("memory.limit_in_bytes"), "9223372036854771712\n").unwrap();
        assert_eq!(cgroup_limit(root.path(), "4:cpu,memory:/docker/abc\n"), None);
        std::fs::write(v1.join("memory.limit_in_bytes"), "2000\n").unwrap();
        assert_eq!(cgroup_limit(root.path(), "4:cpu,memory:/docker/abc\n"), Some(2000));
    }

    #[test]
    fn this_process_takes_memory() {
        assert!(resident() > 0 && peak() >= resident() / 2 && limit() > 0);
    }
}
