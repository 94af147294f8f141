//! The way from executors to a Spark driver of this container, and whether it is free: a listener
//! and a caller that prove it without Spark, and what the kernel says of drivers that run.
//!
//! This room knows no platform and no settings: it is given addresses and ports.

mod drivers;
mod files;
pub(crate) mod listen;
pub(crate) mod reach;

use std::net::IpAddr;

pub(crate) use drivers::{Driver, Way, drivers};
pub(crate) use files::{Master, Written, masters, written};

use crate::workload::{Network, PortRange};

/// What a listener says to a caller, in one line.
pub(crate) const GREETING: &[u8] = b"lyftlearn-runtime spark listen\n";

/// Ports that one command takes: each is an open file.
pub(crate) const MOST_PORTS: u32 = 512;

/// What somebody has to admit, and where.
pub(crate) fn admit(ports: PortRange, from: Option<Network>, address: &str) -> String {
    let from = from.map_or_else(
        || "the executors' network".to_owned(),
        |network| network.to_string(),
    );
    format!(
        "admit TCP {ports} from {from} in the security group of the interface that has {address}"
    )
}

/// An address and ports, as `spark reach` takes them.
pub(crate) fn target(address: &str, ports: PortRange) -> String {
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V6(six)) => format!("[{six}]:{ports}"),
        _ => format!("{address}:{ports}"),
    }
}

/// Ports in a row as ranges, such as `7078-7080, 7094`.
pub(crate) fn ranges(ports: impl IntoIterator<Item = u16>) -> String {
    let mut all: Vec<PortRange> = Vec::new();
    for port in ports {
        match all.last_mut() {
            Some(range) if range.last.checked_add(1) == Some(port) => range.last = port,
            _ => all.push(PortRange {
                first: port,
                last: port,
            }),
        }
    }
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::{admit, ranges, target};

    #[test]
    fn ports_in_a_row_are_a_range() {
        assert_eq!(ranges([7078, 7079, 7080, 7094]), "7078-7080, 7094");
        assert_eq!(ranges([65535]), "65535");
        assert_eq!(ranges([]), "");
    }

    #[test]
    fn a_fix_names_ports_network_and_address() {
        let ports = "7078-7109".parse().unwrap();
        assert_eq!(
            admit(ports, "10.78.0.0/16".parse().ok(), "10.77.1.2"),
            "admit TCP 7078-7109 from 10.78.0.0/16 in the security group of the interface that has 10.77.1.2"
        );
        assert_eq!(
            admit(ports, None, "10.77.1.2"),
            "admit TCP 7078-7109 from the executors' network in the security group of the interface that has 10.77.1.2"
        );
        assert_eq!(target("10.77.1.2", ports), "10.77.1.2:7078-7109");
        assert_eq!(target("fd77::2", ports), "[fd77::2]:7078-7109");
    }
}
