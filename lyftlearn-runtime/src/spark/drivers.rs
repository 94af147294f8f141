//! Drivers that run here and the hosts connected to them, from the kernel's table of sockets.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use crate::facts::{Connection, Facts, Listening, Transport};
use crate::workload::PortRange;

/// A process that listens at one of the drivers' ports.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Driver {
    pub(crate) port: u16,
    pub(crate) way: Way,
}

/// Whether executors get there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// No other host is connected or connecting.
    Nobody,
    /// This one asks, and our answer does not arrive there.
    NoAnswer(IpAddr),
    /// So many connections, and none to any port for blocks.
    NoBlocks(usize),
    /// So many connections, and some to ports for blocks.
    Free(usize),
}

/// Drivers whose RPC ports are in one range; `None` if the kernel does not show sockets.
pub(crate) fn drivers(facts: &Facts, rpc: PortRange, blocks: PortRange) -> Option<Vec<Driver>> {
    let listening = facts.listening()?;
    let connections = facts.connections()?;
    let interfaces = facts.interfaces();
    let own = interfaces.iter().flat_map(|one| one.addresses.iter());
    let own: BTreeSet<IpAddr> = own.copied().collect();
    Some(seen(&listening, &connections, &own, rpc, blocks))
}

fn seen(
    listening: &[Listening],
    connections: &[Connection],
    own: &BTreeSet<IpAddr>,
    rpc: PortRange,
    blocks: PortRange,
) -> Vec<Driver> {
    let from_elsewhere = |one: &&Connection| {
        let there = one.there.ip();
        !there.is_loopback() && !own.contains(&there) && there != one.here.ip()
    };
    let to = |ports: PortRange| {
        let to = connections.iter().filter(from_elsewhere);
        to.filter(move |one| ports.contains(one.here.port()))
    };
    let has_blocks = to(blocks).any(|one| one.established);
    let no_answer = |one: &Connection, all: &[&Connection]| {
        // Where another connection from there stands, the answers arrive.
        let there = one.there.ip();
        let arrives = all
            .iter()
            .any(|other| other.established && other.there.ip() == there);
        (!one.established && !arrives).then_some(there)
    };
    let tcp = listening
        .iter()
        .filter(|one| one.transport == Transport::Tcp);
    let ports: BTreeSet<u16> = tcp
        .map(|one| SocketAddr::port(&one.address))
        .filter(|port| rpc.contains(*port))
        .collect();
    let driver = |port: u16| {
        let all: Vec<&Connection> = to(rpc).filter(|one| one.here.port() == port).collect();
        let established = all.iter().filter(|one| one.established).count();
        let way = match all.iter().find_map(|one| no_answer(one, &all)) {
            Some(there) => Way::NoAnswer(there),
            None if established == 0 => Way::Nobody,
            None if has_blocks => Way::Free(established),
            None => Way::NoBlocks(established),
        };
        Driver { port, way }
    };
    ports.into_iter().map(driver).collect()
}

#[cfg(test)]
mod tests {
    use super::{Connection, Driver, Listening, Transport, Way, seen};

    const DRIVER: &str = "10.77.1.2:7078";

    #[track_caller]
    fn check(connections: &[(&str, &str, bool)], way: Way) {
        let listening =
            ["10.77.1.2:7078", "10.77.1.2:7094", "0.0.0.0:22"].map(|address| Listening {
                transport: Transport::Tcp,
                address: address.parse().unwrap(),
            });
        let connections: Vec<Connection> = connections
            .iter()
            .map(|(here, there, established)| Connection {
                here: here.parse().unwrap(),
                there: there.parse().unwrap(),
                established: *established,
            })
            .collect();
        let own = ["10.77.1.2".parse().unwrap()].into();
        let (rpc, blocks) = ("7078-7093".parse().unwrap(), "7094-7109".parse().unwrap());
        let found = seen(&listening, &connections, &own, rpc, blocks);
        assert_eq!(found, [Driver { port: 7078, way }]);
    }

    #[test]
    fn the_connections_show_the_fault() {
        check(&[], Way::Nobody);
        // Python and the driver itself.
        let own = [
            (DRIVER, "10.77.1.2:5000", true),
            (DRIVER, "127.0.0.1:5001", true),
        ];
        check(&own, Way::Nobody);
        let asks = (DRIVER, "10.78.1.2:5000", false);
        check(&[asks], Way::NoAnswer("10.78.1.2".parse().unwrap()));
        let one = (DRIVER, "10.78.1.2:5001", true);
        let other = (DRIVER, "10.78.1.3:5001", true);
        check(&[one, other], Way::NoBlocks(2));
        // One that is about to be connected like the others from there.
        check(&[one, asks], Way::NoBlocks(1));
        check(&[other, asks], Way::NoAnswer("10.78.1.2".parse().unwrap()));
        check(
            &[one, other, ("10.77.1.2:7094", "10.78.1.2:5002", true)],
            Way::Free(2),
        );
    }
}
