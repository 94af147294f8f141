//! A server that metrics are sent to.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::choice::choice;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Server {
    /// Its name or address.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) protocol: Protocol,
}

/// How it is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Protocol {
    /// Packets.
    Udp,
    /// One stream.
    Tcp,
}

choice!(Protocol {
    Self::Udp => "udp",
    Self::Tcp => "tcp",
});

impl Server {
    /// Whether it is in this container, or in its pod.
    pub(crate) fn is_loopback(&self) -> bool {
        let address: Result<IpAddr, _> = self.host.parse();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}
