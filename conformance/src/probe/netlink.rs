//! The helper's own network: addresses of the loopback interface, a route that makes every address
//! local, and a record of each packet. Three messages do not need a crate with a runtime of its
//! own.

use std::io::{Error, ErrorKind, Result};
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, sendto,
    socket,
};

/// In every network namespace.
const LOOPBACK: u32 = 1;

const NEW_ADDRESS: u16 = 20;
const NEW_ROUTE: u16 = 24;
/// Request, acknowledge, replace, create.
const FLAGS: u16 = 0x1 | 0x4 | 0x100 | 0x400;
const ERROR: u16 = 2;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const RTA_OIF: u16 = 4;

const TABLE_LOCAL: u8 = 255;
const PROTOCOL_BOOT: u8 = 3;
const SCOPE_HOST: u8 = 254;
const TYPE_LOCAL: u8 = 2;

/// Gives the loopback interface an address.
pub(super) fn address(address: Ipv4Addr) -> Result<()> {
    let mut body = vec![AddressFamily::Inet as u8, 32, 0, SCOPE_HOST];
    body.extend(LOOPBACK.to_ne_bytes());
    attribute(&mut body, IFA_LOCAL, &address.octets());
    attribute(&mut body, IFA_ADDRESS, &address.octets());
    request(NEW_ADDRESS, &body)
}

/// Makes every address local: a connection to it is refused at once, and the packet is recorded.
pub(super) fn everywhere_is_here() -> Result<()> {
    let route = |family: AddressFamily| {
        let mut body = vec![
            family as u8,
            0,
            0,
            0,
            TABLE_LOCAL,
            PROTOCOL_BOOT,
            SCOPE_HOST,
            TYPE_LOCAL,
        ];
        body.extend([0; 4]);
        attribute(&mut body, RTA_OIF, &LOOPBACK.to_ne_bytes());
        request(NEW_ROUTE, &body)
    };
    route(AddressFamily::Inet)?;
    // A machine without IPv6 has no such addresses to ask for.
    let _ = route(AddressFamily::Inet6);
    Ok(())
}

fn attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    body.extend(length.to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(value);
}

/// Sends one message to the kernel, and reads its answer.
fn request(kind: u16, body: &[u8]) -> Result<()> {
    let length =
        u32::try_from(16 + body.len()).map_err(|_| Error::from(ErrorKind::InvalidInput))?;
    let mut message = Vec::new();
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(FLAGS.to_ne_bytes());
    message.extend(1_u32.to_ne_bytes());
    message.extend([0; 4]);
    message.extend(body);
    let flags = SockFlag::SOCK_CLOEXEC;
    let protocol = SockProtocol::NetlinkRoute;
    let netlink = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
    bind(netlink.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
    sendto(
        netlink.as_raw_fd(),
        &message,
        &NetlinkAddr::new(0, 0),
        MsgFlags::empty(),
    )?;
    let mut answer = [0; 4096];
    let length = recv(netlink.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    let part = |at: usize| -> Option<[u8; 4]> { answer[..length].get(at..at + 4)?.try_into().ok() };
    let said = part(4).map(|part| u16::from_ne_bytes([part[0], part[1]]));
    match (said, part(16).map(i32::from_ne_bytes)) {
        (Some(ERROR), Some(0)) => Ok(()),
        (Some(ERROR), Some(code)) => Err(Error::from_raw_os_error(-code)),
        _ => Err(Error::other("the kernel gave another answer")),
    }
}

/// Every packet of this network, from its IP header on.
#[derive(Debug)]
pub(super) struct Packets(OwnedFd);

pub(super) fn packets() -> Result<Packets> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let all = SockProtocol::EthAll;
    Ok(Packets(socket(
        AddressFamily::Packet,
        SockType::Datagram,
        flags,
        all,
    )?))
}

impl Packets {
    /// The next one; its length, at most that of `into`.
    pub(super) fn next(&self, into: &mut [u8]) -> Result<usize> {
        loop {
            match recv(self.0.as_raw_fd(), into, MsgFlags::empty()) {
                Ok(length) => return Ok(length),
                Err(nix::errno::Errno::EINTR) => {}
                Err(err) => return Err(err.into()),
            }
        }
    }
}
