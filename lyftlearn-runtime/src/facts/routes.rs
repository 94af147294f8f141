//! The kernel's routes and this container's interfaces: by which of its addresses it speaks to
//! another one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};

use nix::ifaddrs::getifaddrs;

use super::Facts;

/// Any port: nothing is sent there.
const ANY_PORT: u16 = 9;

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) name: String,
    /// Its addresses, of both families.
    pub(crate) addresses: Vec<IpAddr>,
}

impl Facts {
    /// The address of this container from which the kernel would speak to `there`. A UDP socket
    /// that is connected tells, and sends no packet. `None` without a route, and below another
    /// root.
    pub(crate) fn source_towards(&self, there: IpAddr) -> Option<IpAddr> {
        if !self.is_here() {
            return None;
        }
        let socket = UdpSocket::bind(SocketAddr::new(unspecified(there), 0)).ok()?;
        socket.connect(SocketAddr::new(there, ANY_PORT)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    }

    /// Whether a server of this container can listen on an address. Below another root none can.
    pub(crate) fn may_bind(&self, address: IpAddr) -> bool {
        self.is_here() && UdpSocket::bind(SocketAddr::new(address, 0)).is_ok()
    }

    /// The interface that has an address.
    pub(crate) fn interface_with(&self, address: IpAddr) -> Option<Interface> {
        let all = self.interfaces();
        all.into_iter()
            .find(|each| each.addresses.contains(&address))
    }

    /// All interfaces that have addresses, in the kernel's order.
    pub(crate) fn interfaces(&self) -> Vec<Interface> {
        let mut found: Vec<Interface> = Vec::new();
        if !self.is_here() {
            return found;
        }
        for each in getifaddrs().into_iter().flatten() {
            let Some(address) = each.address.as_ref().and_then(ip) else {
                continue;
            };
            let name = each.interface_name;
            match found.iter_mut().find(|known| known.name == name) {
                Some(known) => known.addresses.push(address),
                None => found.push(Interface {
                    name,
                    addresses: vec![address],
                }),
            }
        }
        found
    }

    /// The addresses that a name means here. May wait for a name server.
    pub(crate) fn addresses_of(&self, name: &str) -> Vec<IpAddr> {
        if !self.is_here() {
            return Vec::new();
        }
        let found = (name, ANY_PORT).to_socket_addrs();
        found.map_or_else(|_| Vec::new(), |all| all.map(|one| one.ip()).collect())
    }
}

fn unspecified(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

fn ip(address: &nix::sys::socket::SockaddrStorage) -> Option<IpAddr> {
    let four = address.as_sockaddr_in().map(|four| four.ip().into());
    four.or_else(|| address.as_sockaddr_in6().map(|six| six.ip().into()))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::Facts;

    #[test]
    fn one_speaks_to_loopback_from_loopback() {
        let here = Facts::empty().with_root("/");
        let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
        assert_eq!(here.source_towards(loopback), Some(loopback));
        assert!(here.may_bind(loopback));
        let interface = here.interface_with(loopback).unwrap();
        assert!(interface.addresses.contains(&loopback));
        assert_eq!(here.addresses_of("127.0.0.1"), [loopback]);
        // Documentation's: no interface has it.
        assert!(!here.may_bind([192, 0, 2, 77].into()));
    }

    #[test]
    fn below_another_root_the_kernel_is_not_asked() {
        let root = tempfile::tempdir().unwrap();
        let there = Facts::empty().with_root(root.path());
        let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
        assert_eq!(there.source_towards(loopback), None);
        assert!(!there.may_bind(loopback));
        assert!(there.interfaces().is_empty());
        assert!(there.addresses_of("localhost").is_empty());
    }
}
