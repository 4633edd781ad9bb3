//! Addresses, and the names that stand for them.

use crate::blocking::run_io;
use crate::error::{Action, explain};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, ToSocketAddrs};

/// What a socket can connect to or listen at: a [`SocketAddr`], an [`IpAddr`] or a host name with
/// a port, or a string of the form `host:port`.
///
/// It is implemented for these and no others.
///
/// # Examples
///
/// ```
/// # pirn_core::shim::block_on(async {
/// let listener = pirn_io::TcpListener::bind(("127.0.0.1", 0)).await?;
/// let address = listener.local_addr();
/// assert!(pirn_io::TcpStream::connect(address).await.is_ok());
/// assert!(pirn_io::TcpStream::connect(address.to_string()).await.is_ok());
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub trait ToAddress: sealed::ToTarget {}

impl<T: sealed::ToTarget> ToAddress for T {}

mod sealed {
    use std::net::SocketAddr;

    /// An address, or a name that must be looked up.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Target {
        Address(SocketAddr),
        Name(String, u16),
    }

    pub trait ToTarget {
        #[doc(hidden)]
        fn to_target(self) -> std::io::Result<Target>;
    }
}

pub(super) use sealed::Target;

impl sealed::ToTarget for SocketAddr {
    fn to_target(self) -> io::Result<Target> {
        Ok(Target::Address(self))
    }
}

impl sealed::ToTarget for SocketAddrV4 {
    fn to_target(self) -> io::Result<Target> {
        Ok(Target::Address(self.into()))
    }
}

impl sealed::ToTarget for SocketAddrV6 {
    fn to_target(self) -> io::Result<Target> {
        Ok(Target::Address(self.into()))
    }
}

impl sealed::ToTarget for (IpAddr, u16) {
    fn to_target(self) -> io::Result<Target> {
        Ok(Target::Address(self.into()))
    }
}

impl sealed::ToTarget for (Ipv4Addr, u16) {
    fn to_target(self) -> io::Result<Target> {
        Ok(Target::Address(self.into()))
    }
}

impl sealed::ToTarget for (Ipv6Addr, u16) {
    fn to_target(self) -> io::Result<Target> {
        Ok(Target::Address(self.into()))
    }
}

impl sealed::ToTarget for (&str, u16) {
    fn to_target(self) -> io::Result<Target> {
        let (host, port) = self;
        // A literal IPv6 address may stand in brackets, as it does in URLs.
        let literal = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(host);
        Ok(match literal.parse::<IpAddr>() {
            Ok(ip) => Target::Address((ip, port).into()),
            Err(_) => Target::Name(host.to_owned(), port),
        })
    }
}

impl sealed::ToTarget for (String, u16) {
    fn to_target(self) -> io::Result<Target> {
        (self.0.as_str(), self.1).to_target()
    }
}

impl sealed::ToTarget for &str {
    fn to_target(self) -> io::Result<Target> {
        if let Ok(address) = self.parse() {
            return Ok(Target::Address(address));
        }
        let parts = self
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
        match parts {
            Some((host, port)) if !host.is_empty() => (host, port).to_target(),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("`{self}` is not an address: expected `host:port`"),
            )),
        }
    }
}

impl sealed::ToTarget for String {
    fn to_target(self) -> io::Result<Target> {
        self.as_str().to_target()
    }
}

impl sealed::ToTarget for &String {
    fn to_target(self) -> io::Result<Target> {
        self.as_str().to_target()
    }
}

impl Target {
    /// The addresses in the order to try them, at least one.
    pub(super) async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        match self {
            Target::Address(address) => Ok(vec![*address]),
            Target::Name(host, port) => lookup(host, *port).await,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Address(address) => address.fmt(f),
            Target::Name(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

/// Finds the addresses of `host`, each with `port`, in the order to try them; at least one.
///
/// The system's resolver does it, on the blocking pool: it knows `/etc/hosts` and whatever else
/// the machine is set up for.
///
/// # Errors
///
/// If there is no such name, or it has no address, or no server answers. [`Failure`] then says
/// [`Action::Lookup`] and names the host.
///
/// # Cancel safety
///
/// Dropping the future drops the lookup if it has not started; one that has started runs to its
/// end in the pool, unheard.
///
/// # Examples
///
/// ```
/// # pirn_core::shim::block_on(async {
/// let addresses = pirn_io::lookup("127.0.0.1", 80).await.unwrap();
/// assert_eq!(addresses, ["127.0.0.1:80".parse().unwrap()]);
/// # });
/// ```
///
/// [`Failure`]: crate::Failure
pub async fn lookup(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let about = host.to_owned();
    let found = run_io("lookup", move || {
        let found: Vec<SocketAddr> = (about.as_str(), port).to_socket_addrs()?.collect();
        if found.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "the name has no address",
            ));
        }
        Ok(found)
    });
    found
        .await
        .map_err(|error| explain(Action::Lookup, host, error))
}
