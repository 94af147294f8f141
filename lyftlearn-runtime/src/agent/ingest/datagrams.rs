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

/// The kernel accounts for at least so much of each packet in a socket's buffer, besides its bytes.
const ACCOUNTED_BYTES: usize = 576;
/// Of a unix socket the queue is limited by its length, whatever its buffer.
pub(super) const LEAST_QUEUE_BYTES: usize = 1 << 20;

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

    /// The same with no more packets than can be queued when this begins.
    pub(super) fn receive_queued(&mut self, socket: &impl AsFd, mut each: impl FnMut(&[u8], bool)) {
        let buffer = sockopt::socket_recv_buffer_size(socket).unwrap_or_default();
        let mut left = buffer.max(LEAST_QUEUE_BYTES);
        while left > 0 {
            let mut accounted = 0;
            let mut each = |packet: &[u8], truncated| {
                accounted += packet.len() + ACCOUNTED_BYTES;
                each(packet, truncated);
            };
            if self.receive_once(socket, &mut each) < PACKETS {
                return;
            }
            left = left.saturating_sub(accounted);
        }
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
