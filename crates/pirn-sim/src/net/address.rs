//! Names of hosts, and ports.

use std::fmt;
use std::sync::Arc;

/// A port of a host, by the host's name.
///
/// # Examples
///
/// ```
/// use pirn_sim::net::Address;
///
/// let address = Address::from(("server", 80));
/// assert_eq!((address.host(), address.port()), ("server", 80));
/// assert_eq!(address.to_string(), "server:80");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    pub(super) host: Arc<str>,
    pub(super) port: u16,
}

impl Address {
    /// The name of the host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl From<(&str, u16)> for Address {
    fn from((host, port): (&str, u16)) -> Address {
        let host = host.into();
        Address { host, port }
    }
}

impl From<(String, u16)> for Address {
    fn from((host, port): (String, u16)) -> Address {
        Address::from((&*host, port))
    }
}

impl From<&Address> for Address {
    fn from(address: &Address) -> Address {
        address.clone()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
