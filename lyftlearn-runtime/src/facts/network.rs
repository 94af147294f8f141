//! Who listens in this network: a pod's containers share one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Facts;
use crate::contract::{limits, linux};

/// How somebody is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Transport {
    Tcp,
    Udp,
}

/// A socket that takes whatever comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listening {
    pub(crate) transport: Transport,
    pub(crate) address: SocketAddr,
}

/// The kernel's words for it (proc_net(5)): of TCP one that listens, of UDP one that is not
/// connected.
const TCP_LISTENS: &str = "0A";
const UDP_UNCONNECTED: &str = "07";

impl Facts {
    /// Everybody who listens; `None` where the kernel does not tell.
    pub(crate) fn listening(&self) -> Option<Vec<Listening>> {
        let tables = [
            (linux::TCP_SOCKETS, Transport::Tcp, TCP_LISTENS),
            (linux::UDP_SOCKETS, Transport::Udp, UDP_UNCONNECTED),
        ];
        let mut found = None;
        for (paths, transport, state) in tables {
            for path in paths {
                // Half of an answer would be a wrong one.
                let table = self.file(path, limits::KERNEL_FILE_BYTES).ok()?;
                if let Some(table) = table {
                    let table = String::from_utf8_lossy(&table).into_owned();
                    let all: &mut Vec<Listening> = found.get_or_insert_default();
                    all.extend(read(&table, state).map(|address| Listening { transport, address }));
                }
            }
        }
        found
    }
}

impl Listening {
    /// Whether who asks for `address` would meet this one, or be in its way.
    pub(crate) fn meets(&self, transport: Transport, address: SocketAddr) -> bool {
        let (here, there) = (self.address.ip(), address.ip());
        self.transport == transport
            && self.address.port() == address.port()
            && (here == there || is_all(here, there) || is_all(there, here))
    }
}

/// Whether the first stands for the second, too: IPv6's for both.
fn is_all(all: IpAddr, one: IpAddr) -> bool {
    all.is_unspecified() && (all.is_ipv6() || one.is_ipv4())
}

/// The second column is the address, the fourth what the socket does.
fn read(table: &str, state: &str) -> impl Iterator<Item = SocketAddr> {
    table.lines().skip(1).filter_map(move |line| {
        let mut columns = line.split_whitespace();
        let address = columns.nth(1)?;
        (columns.nth(1)? == state).then_some(())?;
        let (ip, port) = address.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        Some(SocketAddr::new(ip_of(ip)?, port))
    })
}

/// Words of four bytes, each as this machine holds it.
fn ip_of(text: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let digits = text.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            Some(Ipv6Addr::from(bytes).to_canonical())
        }
        _ => None,
    }
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    #[test]
    fn who_listens_is_read_and_who_is_connected_is_not() {
        let root = tempfile::tempdir().unwrap();
        let facts = Facts::empty().with_root(root.path());
        assert_eq!(facts.listening(), None);
        let directory = root.path().join("proc/net");
        std::fs::create_dir_all(&directory).unwrap();
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when\n";
        for (table, lines) in [
            (
                "tcp",
                "   0: 00000000:238E 00000000:0000 0A 0:0 0\n   1: 0100007F:1F90 0100007F:9999 01 0:0 0\ngarbage\n",
            ),
            (
                "tcp6",
                "   0: 00000000000000000000000001000000:1FBD 0:0 0A 0:0 0\n   1: 0000000000000000FFFF00000100007F:1FBE 0:0 0A 0:0 0\n",
            ),
            ("udp", "  17: 0100007F:1FBD 00000000:0000 07 0:0 0\n"),
        ] {
            std::fs::write(directory.join(table), format!("{head}{lines}")).unwrap();
        }
        let found: Vec<(Transport, String)> = (facts.listening().unwrap().iter())
            .map(|each| (each.transport, each.address.to_string()))
            .collect();
        let expected = [
            (Transport::Tcp, "0.0.0.0:9102"),
            (Transport::Tcp, "[::1]:8125"),
            (Transport::Tcp, "127.0.0.1:8126"),
            (Transport::Udp, "127.0.0.1:8125"),
        ];
        assert_eq!(
            found,
            expected.map(|(transport, text)| (transport, text.to_owned()))
        );
    }

    #[test]
    fn what_is_known_in_part_is_not_known() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("proc/net");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("tcp"), "head\n").unwrap();
        let facts = Facts::empty().with_root(root.path());
        assert_eq!(facts.listening(), Some(Vec::new()));
        // Tests run as root: a directory stands for what may not be read.
        std::fs::create_dir(directory.join("udp")).unwrap();
        assert_eq!(facts.listening(), None);
    }

    #[test]
    fn all_addresses_are_in_the_way_of_each() {
        for (here, there, meets) in [
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "0.0.0.0:1", true),
            ("[::]:1", "127.0.0.1:1", true),
            ("0.0.0.0:1", "[::1]:1", false),
            ("127.0.0.1:1", "127.0.0.2:1", false),
            ("127.0.0.1:1", "127.0.0.1:2", false),
        ] {
            let listening = Listening {
                transport: Transport::Udp,
                address: here.parse().unwrap(),
            };
            let there: SocketAddr = there.parse().unwrap();
            assert_eq!(listening.meets(Transport::Udp, there), meets, "{here}");
            assert!(!listening.meets(Transport::Tcp, there));
        }
    }
}
