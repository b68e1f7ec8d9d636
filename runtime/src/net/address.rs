//! Addresses as people write them: `tcp://host:port`, `host:port`, `host`.

use std::fmt;
use std::str::FromStr;

/// Where a process listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// Name or number of the host; IPv6 without brackets.
    pub host: String,
    /// Port; 0 asks for a free one.
    pub port: u16,
}

/// Port on which schedulers listen unless told otherwise.
pub const SCHEDULER_PORT: u16 = 8786;

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Address, String> {
        let bad = |why: &str| {
            format!("address {text:?}: {why}; write tcp://host:port, such as tcp://127.0.0.1:8786")
        };
        let rest = match text.split_once("://") {
            Some(("tcp", rest)) => rest,
            Some((scheme, _)) => return Err(bad(&format!("the scheme {scheme:?} is not supported"))),
            None => text,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = if let Some(v6) = rest.strip_prefix('[') {
            let (host, tail) = v6.split_once(']').ok_or_else(|| bad("a bracket is not closed"))?;
            (host, tail.strip_prefix(':'))
        } else {
            match rest.rsplit_once(':') {
                Some((host, port)) if !host.contains(':') => (host, Some(port)),
                Some(_) => return Err(bad("an IPv6 address stands in brackets")),
                None => (rest, None),
            }
        };
        if host.is_empty() || host.contains(['/', '@', ' ']) {
            return Err(bad("the host is missing or malformed"));
        }
        let port = match port {
            Some(p) => p.parse().map_err(|_| bad(&format!("the port {p:?} is not a number below 65536")))?,
            None => SCHEDULER_PORT,
        };
        Ok(Address { host: host.into(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "tcp://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "tcp://{}:{}", self.host, self.port)
        }
    }
}

impl From<std::net::SocketAddr> for Address {
    fn from(a: std::net::SocketAddr) -> Address {
        Address { host: a.ip().to_string(), port: a.port() }
    }
}

impl Address {
    /// What the socket calls of the standard library take.
    pub fn pair(&self) -> (&str, u16) {
        (&self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, shown) in [
            ("tcp://10.0.0.1:8786", "tcp://10.0.0.1:8786"),
            ("scheduler.ns.svc:9000", "tcp://scheduler.ns.svc:9000"),
            ("localhost", "tcp://localhost:8786"),
            ("tcp://[::1]:80/", "tcp://[::1]:80"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn refuses_by_name() {
        for (text, why) in [
            ("tls://a:1", "scheme"),
            ("tcp://:1", "host"),
            ("a:70000", "port"),
            ("::1", "brackets"),
            ("[::1:8786", "bracket"),
            ("user@host:1", "host"),
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(error.contains(why) && error.contains(text), "{error}");
        }
    }
}
