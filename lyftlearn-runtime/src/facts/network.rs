//! Finds the processes that listen in this network, which the containers of a pod share.

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

/// A TCP socket that somebody is connected to, or is about to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) here: SocketAddr,
    pub(crate) there: SocketAddr,
    /// Whether both have said so. If not, the other side has asked, and was answered.
    pub(crate) established: bool,
}

/// The kernel's words for it (proc_net(5)): of TCP one that listens, of UDP one that is not
/// connected.
const TCP_LISTENS: &str = "0A";
const UDP_UNCONNECTED: &str = "07";
/// Of TCP one that is connected, and one that was asked for and has been answered.
const TCP_ESTABLISHED: &str = "01";
const TCP_ASKED: &str = "03";

impl Facts {
    /// All listeners; `None` if the kernel does not show them.
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
                    let rows = rows(&table).filter(|row| row.state == state);
                    all.extend(rows.map(|row| Listening {
                        transport,
                        address: row.here,
                    }));
                }
            }
        }
        found
    }

    /// Connections of TCP, and those that are being made; `None` where the kernel does not tell.
    pub(crate) fn connections(&self) -> Option<Vec<Connection>> {
        let connection = |row: Row<'_>| {
            let established = row.state == TCP_ESTABLISHED;
            (established || row.state == TCP_ASKED).then_some(Connection {
                here: row.here,
                there: row.there,
                established,
            })
        };
        let tables = self.tcp_tables()?;
        let rows = tables.iter().flat_map(|table| rows(table));
        Some(rows.filter_map(connection).collect())
    }

    /// The processes that listen at a port, as far as this user may see.
    pub(crate) fn listeners_at(&self, port: u16) -> Vec<u32> {
        let tables = self.tcp_tables().unwrap_or_default();
        let rows = tables.iter().flat_map(|table| rows(table));
        let of_port = rows.filter(|row| row.state == TCP_LISTENS && row.here.port() == port);
        let sockets: Vec<String> = of_port
            .filter_map(|row| Some(format!("socket:[{}]", row.inode?)))
            .collect();
        let holds = |pid: &u32| {
            let directory = linux::OWN_FILES.replace("self", &pid.to_string());
            let files = self.entries(&directory).unwrap_or_default();
            files.iter().any(|file| {
                let link = std::path::Path::new(&directory).join(file);
                let link = self.below_root(&link).map(std::fs::read_link);
                let link = link.and_then(Result::ok);
                link.is_some_and(|link| sockets.iter().any(|socket| link.as_os_str() == &**socket))
            })
        };
        let processes = self.processes().unwrap_or_default();
        let mut found: Vec<u32> = processes.into_iter().filter(holds).collect();
        found.sort_unstable();
        found
    }

    fn tcp_tables(&self) -> Option<Vec<String>> {
        let mut tables = Vec::new();
        for path in linux::TCP_SOCKETS {
            let table = self.file(path, limits::KERNEL_FILE_BYTES).ok()?;
            tables.extend(table.map(|table| String::from_utf8_lossy(&table).into_owned()));
        }
        (!tables.is_empty()).then_some(tables)
    }
}

impl Listening {
    /// Whether a client that connects to `address` would reach this listener, or a bind would
    /// conflict with it.
    pub(crate) fn meets(&self, transport: Transport, address: SocketAddr) -> bool {
        let (here, there) = (self.address.ip(), address.ip());
        self.transport == transport
            && self.address.port() == address.port()
            && (here == there || is_all(here, there) || is_all(there, here))
    }
}

/// Whether the first address includes the second. IPv6's unspecified address includes both
/// families.
fn is_all(all: IpAddr, one: IpAddr) -> bool {
    all.is_unspecified() && (all.is_ipv6() || one.is_ipv4())
}

/// A socket's row.
struct Row<'a> {
    here: SocketAddr,
    there: SocketAddr,
    state: &'a str,
    inode: Option<&'a str>,
}

/// Columns 2 to 4 and 10 of proc_net(5).
fn rows(table: &str) -> impl Iterator<Item = Row<'_>> {
    table.lines().skip(1).filter_map(|line| {
        let mut columns = line.split_whitespace().skip(1);
        let here = address_of(columns.next()?)?;
        // Tables of sockets without a peer may have any text there.
        let there = address_of(columns.next()?).unwrap_or(here);
        let state = columns.next()?;
        let inode = columns.nth(5);
        Some(Row {
            here,
            there,
            state,
            inode,
        })
    })
}

fn address_of(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(SocketAddr::new(ip_of(ip)?, port))
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
    fn listeners_are_read_and_connections_are_ignored() {
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
    fn established_and_connecting_sockets_are_distinguished() {
        let root = tempfile::tempdir().unwrap();
        let facts = Facts::empty().with_root(root.path());
        assert_eq!(facts.connections(), None);
        let directory = root.path().join("proc/net");
        std::fs::create_dir_all(&directory).unwrap();
        // Three rows as a driver's JVM has them: listening, connected, and asked.
        let table = "head\n   0: 0000000000000000FFFF000002014D0A:1BA6 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100\n   1: 0000000000000000FFFF000002014D0A:1BA6 0000000000000000FFFF000002014E0A:9C40 01 00000000:00000000 02:000A7D2B 00000000     0        0 4712 2 0 20\n   2: 0000000000000000FFFF000002014D0A:1BB6 0000000000000000FFFF000003014E0A:9C41 03 00000000:00000000 01:00000064 00000003     0        0 0 1 0\n";
        std::fs::write(directory.join("tcp6"), table).unwrap();
        let shown: Vec<String> = (facts.connections().unwrap().iter())
            .map(|one| format!("{} {} {}", one.here, one.there, one.established))
            .collect();
        let expected = [
            "10.77.1.2:7078 10.78.1.2:40000 true",
            "10.77.1.2:7094 10.78.1.3:40001 false",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_listener_is_found_by_its_socket() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let here = Facts::empty().with_root("/");
        let port = listener.local_addr().unwrap().port();
        assert_eq!(here.listeners_at(port), [std::process::id()]);
    }

    #[test]
    fn unreadable_proc_net_table_hides_all_listeners() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("proc/net");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("tcp"), "head\n").unwrap();
        let facts = Facts::empty().with_root(root.path());
        assert_eq!(facts.listening(), Some(Vec::new()));
        // Tests run as root, which can read every file; a directory takes the place of an
        // unreadable one.
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
