//! What an administrator decides for the whole operator.

/// Settings that decisions depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Image of the native engine.
    pub native_image: String,
    /// Image of stock Dask.
    pub dask_image: String,
    /// The cluster's DNS domain.
    pub cluster_domain: String,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            native_image: format!("ghcr.io/dask/dask-runtime-python:{}", env!("CARGO_PKG_VERSION")),
            dask_image: "ghcr.io/dask/dask:latest".into(),
            cluster_domain: "cluster.local".into(),
        }
    }
}

/// The cluster's domain as a pod's resolver knows it: the search entry `svc.DOMAIN`.
pub fn domain_of(resolv_conf: &str) -> Option<String> {
    let search = resolv_conf.lines().filter_map(|line| line.trim().strip_prefix("search "));
    search.flat_map(str::split_whitespace).find_map(|entry| entry.strip_prefix("svc.")).map(str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_is_read_from_the_resolver() {
        let text = "nameserver 10.96.0.10\nsearch ns.svc.k8s.example svc.k8s.example k8s.example\n";
        assert_eq!(domain_of(text).as_deref(), Some("k8s.example"));
        assert_eq!(domain_of("nameserver 8.8.8.8\n"), None);
    }
}
