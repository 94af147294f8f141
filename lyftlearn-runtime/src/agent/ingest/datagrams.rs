//! Datagrams, many in one system call.

use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{MsgFlags, MultiHeaders, recvmmsg};
use rustix::net::sockopt;

/// In one call. A packet's own costs, which are the kernel's, do not become less by more.
const PACKETS: usize = 64;
/// No datagram is longer. Of each buffer as much memory is used as was ever received in it.
const PACKET_BYTES: usize = 65_536;
/// Calls in one turn: a millisecond or two, after which others have theirs.
const CALLS: usize = 16;

/// The kernel accounts for at least this much of each packet in a socket's buffer.
const ACCOUNTED_BYTES: usize = 512;

/// Turns that take every packet that is queued now, if all of them are full.
pub(super) fn turns(socket: &impl AsFd) -> usize {
    let buffer = sockopt::socket_recv_buffer_size(socket).unwrap_or_default();
    // A unix socket's queue is limited by its length, which is less than one turn.
    buffer / ACCOUNTED_BYTES / (CALLS * PACKETS) + 1
}

pub(super) struct Datagrams {
    buffers: Vec<u8>,
    headers: MultiHeaders<()>,
}

impl Datagrams {
    pub(super) fn new() -> Self {
        Self {
            buffers: vec![0; PACKETS * PACKET_BYTES],
            headers: MultiHeaders::preallocate(PACKETS, None),
        }
    }

    /// Passes on the packets that have arrived, and whether each was truncated. Returns whether
    /// more may have arrived.
    pub(super) fn receive(
        &mut self,
        socket: &impl AsFd,
        mut each: impl FnMut(&[u8], bool),
    ) -> bool {
        (0..CALLS).all(|_| self.receive_once(socket, &mut each) == PACKETS)
    }

    fn receive_once(&mut self, socket: &impl AsFd, each: &mut impl FnMut(&[u8], bool)) -> usize {
        let buffers = self.buffers.chunks_exact_mut(PACKET_BYTES);
        let mut slices: Vec<_> = buffers.map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let (number, flags) = (socket.as_fd().as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        // A fault of a socket shows also when there is nothing to receive.
        let Ok(packets) = recvmmsg(number, &mut self.headers, slices.iter_mut(), flags, None)
        else {
            return 0;
        };
        let mut count = 0;
        for packet in packets {
            count += 1;
            let truncated = packet.flags.contains(MsgFlags::MSG_TRUNC);
            packet.iovs().for_each(|bytes| each(bytes, truncated));
        }
        count
    }
}
