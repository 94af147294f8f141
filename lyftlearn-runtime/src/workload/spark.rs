//! A Spark driver's network.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How executors elsewhere find a Spark driver of this container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spark {
    /// The address, or the name, that a driver advertises; `None` where none was found, or where
    /// the driver is elsewhere.
    pub address: Option<String>,
    /// Why this address was chosen, or why there is none.
    pub why: String,
    /// Where drivers listen for RPC; `None`: on any free port.
    pub driver_ports: Option<PortRange>,
    /// Where they listen for blocks.
    pub block_ports: Option<PortRange>,
    /// The executors' network, where a setting names it.
    pub executors: Option<Network>,
}

/// Ports, from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PortRange {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

/// A network: an address, and how many of its bits are the network's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Network {
    /// Its first address.
    pub address: IpAddr,
    /// Bits of it that all addresses of the network share.
    pub prefix: u8,
}

/// An address as Spark takes it for a host.
pub(crate) fn host(address: &str) -> String {
    match address.parse::<Ipv6Addr>() {
        Ok(six) => format!("[{six}]"),
        Err(_) => address.to_owned(),
    }
}

/// Not a range, or not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("malformed")
    }
}

impl Spark {
    /// All ports, where they are fixed.
    #[must_use]
    pub fn ports(&self) -> Option<PortRange> {
        Some(PortRange {
            first: self.driver_ports?.first,
            last: self.block_ports?.last,
        })
    }
}

impl PortRange {
    /// How many there are.
    #[must_use]
    pub fn count(self) -> u32 {
        u32::from(self.last) - u32::from(self.first) + 1
    }

    /// The lower half and the upper one.
    #[must_use]
    pub fn halves(self) -> (Self, Self) {
        let middle = u32::from(self.first) + self.count() / 2;
        let middle = u16::try_from(middle).expect("it is not above the last");
        let lower = Self {
            last: middle - 1,
            ..self
        };
        let upper = Self {
            first: middle,
            ..self
        };
        (lower, upper)
    }

    /// Whether a port is one of them.
    #[must_use]
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl FromStr for PortRange {
    type Err = Malformed;

    /// `7078-7109`, or one port.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let port = |digits: &str| {
            let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|port| all_digits && *port > 0)
        };
        let (first, last) = (port(first).ok_or(Malformed)?, port(last).ok_or(Malformed)?);
        (first <= last)
            .then_some(Self { first, last })
            .ok_or(Malformed)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl Network {
    /// The address that one asks the route to: the first host's.
    #[must_use]
    pub fn first_host(self) -> IpAddr {
        match self.address {
            IpAddr::V4(four) if self.prefix < 31 => Ipv4Addr::from(u32::from(four) + 1).into(),
            IpAddr::V6(six) if self.prefix < 127 => Ipv6Addr::from(u128::from(six) + 1).into(),
            address => address,
        }
    }

    /// Whether an address is of this network.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        masked(address.to_canonical(), self.prefix) == Some(self.address)
    }
}

/// The first address of its network; `None` when an address has not so many bits.
fn masked(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    match address {
        IpAddr::V4(four) => {
            let mask = u32::MAX.checked_shl(32_u32.checked_sub(prefix.into())?);
            Some(Ipv4Addr::from(u32::from(four) & mask.unwrap_or(0)).into())
        }
        IpAddr::V6(six) => {
            let mask = u128::MAX.checked_shl(128_u32.checked_sub(prefix.into())?);
            Some(Ipv6Addr::from(u128::from(six) & mask.unwrap_or(0)).into())
        }
    }
}

impl FromStr for Network {
    type Err = Malformed;

    /// `10.78.0.0/16`, or one address. Bits of a host are dropped.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| Malformed)?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => whole,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| Malformed)?
            }
            Some(_) => return Err(Malformed),
        };
        // All addresses are no network.
        let address = masked(address, prefix).filter(|_| prefix > 0);
        let address = address.ok_or(Malformed)?;
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Reads and writes both as texts.
macro_rules! as_text {
    ($name:ty) => {
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = Malformed;

            fn try_from(text: String) -> Result<Self, Malformed> {
                text.parse()
            }
        }
    };
}

as_text!(PortRange);
as_text!(Network);

#[cfg(test)]
mod tests {
    use super::{Network, PortRange};

    #[test]
    fn a_range_has_two_halves() {
        let range: PortRange = "7078-7109".parse().unwrap();
        assert_eq!(range.count(), 32);
        let (lower, upper) = range.halves();
        assert_eq!(
            (lower.to_string(), upper.to_string()),
            ("7078-7093".to_owned(), "7094-7109".to_owned())
        );
        let (lower, upper) = "65534-65535".parse::<PortRange>().unwrap().halves();
        assert_eq!(
            (lower.to_string(), upper.to_string()),
            ("65534".to_owned(), "65535".to_owned())
        );
        assert!(range.contains(7078) && range.contains(7109) && !range.contains(7110));
        for wrong in [
            "",
            "7078-",
            "-7078",
            "7109-7078",
            "0-1",
            "65536",
            "+1-2",
            "a",
            "1-2-3",
            " 1",
        ] {
            assert!(wrong.parse::<PortRange>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_network_has_a_first_host_and_no_bits_of_hosts() {
        for (text, shown, first) in [
            ("10.78.5.3/16", "10.78.0.0/16", "10.78.0.1"),
            ("10.78.5.3", "10.78.5.3/32", "10.78.5.3"),
            ("10.78.5.2/31", "10.78.5.2/31", "10.78.5.2"),
            ("fd78::7/64", "fd78::/64", "fd78::1"),
            ("fd78::7", "fd78::7/128", "fd78::7"),
        ] {
            let network: Network = text.parse().unwrap();
            assert_eq!(network.to_string(), shown);
            assert_eq!(network.first_host().to_string(), first);
        }
        for wrong in [
            "",
            "10.78.0.0/33",
            "10.78.0.0/0",
            "10.78.0.0/",
            "10.78/16",
            "::/129",
            "10.0.0.0/+8",
            "net",
        ] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn addresses_are_of_a_network_or_not() {
        let network: Network = "10.78.0.0/16".parse().unwrap();
        assert!(network.contains("10.78.255.1".parse().unwrap()));
        // As the kernel writes it of a socket that serves both families.
        assert!(network.contains("::ffff:10.78.1.2".parse().unwrap()));
        assert!(!network.contains("10.79.0.1".parse().unwrap()));
        assert!(!network.contains("fd78::1".parse().unwrap()));
        let six: Network = "fd78::/64".parse().unwrap();
        assert!(six.contains("fd78::9".parse().unwrap()));
        assert!(!six.contains("10.78.1.2".parse().unwrap()));
    }
}
