//! Connections: lines to a newline, and on a unix socket as DogStatsD's clients frame them,
//! a length of four bytes and so many bytes of lines.

use std::cell::RefCell;

use rustix::io::Errno;
use rustix::net::RecvFlags;

use super::super::places::Seat;
use super::sockets::Stream;
use super::{Shared, repeat};
use crate::metrics::statsd::{LINE_BYTES, Listener, Refusal};

/// At one time.
const READ_BYTES: usize = 16 << 10;
/// No client's frame is longer. What a newline stream begins with is printed text, which
/// would be a length of half a gigabyte.
const FRAME_BYTES: usize = 65_535;
const LENGTH: usize = 4;
/// Reads in one turn, after which others have theirs.
const READS: usize = 16;
/// The kernel keeps no more for a sender that has closed its end (`net.ipv4.tcp_wmem`, and as much
/// again where an administrator raised it).
pub(super) const SENDERS_BYTES: usize = 8 << 20;

pub(super) struct Connection {
    from: Listener,
    stream: Stream,
    rest: RefCell<Rest>,
}

/// The incomplete line or frame of a stream.
#[derive(Default)]
pub(super) struct Rest {
    bytes: Vec<u8>,
    framing: Option<Framing>,
    /// All up to the next newline belongs to a line that is too long.
    skipping: bool,
    ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Lines,
    Lengths,
}

impl Connection {
    pub(super) fn new(from: Listener, stream: Stream) -> Self {
        Self {
            from,
            stream,
            rest: RefCell::default(),
        }
    }

    /// Reads until the sender closes the stream.
    pub(super) async fn serve(&self, shared: &Shared, seat: &Seat) {
        while !self.rest.borrow().ended {
            if self.stream.readable().await.is_err() || shared.ended.get() {
                return;
            }
            seat.listens();
            if self.stream.received(|| self.receive_some(shared)) {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Counts the lines that are queued here, and so many bytes more. The sender may go on.
    pub(super) fn receive_queued(&self, shared: &Shared, more: usize, turns: &mut usize) {
        let queued = rustix::io::ioctl_fionread(&self.stream).unwrap_or_default();
        let bytes =
            usize::try_from(queued).map_or(usize::MAX, |queued| queued.saturating_add(more));
        let own = bytes / (READS * READ_BYTES) + 1;
        repeat(own, turns, || self.receive_some(shared));
    }

    /// The same, and a last line without its newline.
    pub(super) fn finish(&self, shared: &Shared) {
        self.receive_queued(shared, SENDERS_BYTES, &mut usize::MAX.clone());
        let mut rest = self.rest.borrow_mut();
        if !rest.ended {
            let take = |lines: &[u8]| shared.take(lines, self.from);
            rest.end(take, |refusal| shared.store.refuse(refusal));
        }
    }

    /// Whether there may be more.
    pub(super) fn receive_some(&self, shared: &Shared) -> bool {
        let mut rest = self.rest.borrow_mut();
        let take = |lines: &[u8]| shared.take(lines, self.from);
        let refuse = |refusal| shared.store.refuse(refusal);
        let mut buffer = [0; READ_BYTES];
        for _ in 0..READS {
            if rest.ended {
                return false;
            }
            match rustix::net::recv(&self.stream, &mut buffer, RecvFlags::DONTWAIT) {
                Ok((0, _)) => rest.end(take, refuse),
                Ok((count, _)) => rest.add(&buffer[..count], self.from, take, refuse),
                Err(Errno::AGAIN) => return false,
                Err(Errno::INTR) => {}
                Err(_) => rest.end(take, refuse),
            }
        }
        true
    }
}

impl Rest {
    fn add(
        &mut self,
        bytes: &[u8],
        from: Listener,
        take: impl Fn(&[u8]),
        refuse: impl Fn(Refusal),
    ) {
        self.bytes.extend_from_slice(bytes);
        let framing = match (self.framing, from) {
            (Some(framing), _) => framing,
            (None, Listener::Stream) => match length(&self.bytes) {
                Some(length) if length <= FRAME_BYTES => Framing::Lengths,
                Some(_) => Framing::Lines,
                // No line is shorter than a length; ten begins with a newline.
                None => return,
            },
            (None, _) => Framing::Lines,
        };
        self.framing = Some(framing);
        match framing {
            Framing::Lines => self.lines(take, refuse),
            Framing::Lengths => self.frames(take, refuse),
        }
    }

    fn lines(&mut self, take: impl Fn(&[u8]), refuse: impl Fn(Refusal)) {
        let mut from = 0;
        if self.skipping {
            match memchr::memchr(b'\n', &self.bytes) {
                Some(end) => {
                    from = end + 1;
                    self.skipping = false;
                }
                None => return self.bytes.clear(),
            }
        }
        if let Some(end) = memchr::memrchr(b'\n', &self.bytes[from..]) {
            take(&self.bytes[from..=from + end]);
            from += end + 1;
        }
        self.bytes.drain(..from);
        if self.bytes.len() > LINE_BYTES {
            refuse(Refusal::TooLong);
            self.skipping = true;
            self.bytes.clear();
        }
    }

    fn frames(&mut self, take: impl Fn(&[u8]), refuse: impl Fn(Refusal)) {
        let mut from = 0;
        while let Some(length) = length(&self.bytes[from..]) {
            if length > FRAME_BYTES {
                // Where the next one begins is not to be known any more.
                refuse(Refusal::Frame);
                self.ended = true;
                self.bytes = Vec::new();
                return;
            }
            let Some(frame) = self.bytes.get(from + LENGTH..from + LENGTH + length) else {
                break;
            };
            take(frame);
            from += LENGTH + length;
        }
        self.bytes.drain(..from);
    }

    /// The last line needs no newline; an incomplete frame is dropped.
    fn end(&mut self, take: impl Fn(&[u8]), refuse: impl Fn(Refusal)) {
        self.ended = true;
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.is_empty() || self.skipping {
            return;
        }
        match self.framing {
            Some(Framing::Lengths) => refuse(Refusal::Frame),
            _ => take(&bytes),
        }
    }
}

fn length(bytes: &[u8]) -> Option<usize> {
    let length = bytes.first_chunk::<LENGTH>()?;
    Some(u32::from_le_bytes(*length) as usize)
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;

    use super::{Listener, Refusal, Rest};

    /// The lines and the refusals that the pieces give.
    fn taken(pieces: &[&[u8]], from: Listener) -> (Vec<u8>, Vec<Refusal>) {
        let mut rest = Rest::default();
        let lines = RefCell::new(Vec::new());
        let refused = RefCell::new(Vec::new());
        let take = |bytes: &[u8]| {
            lines.borrow_mut().extend_from_slice(bytes);
            if bytes.last().is_some_and(|last| *last != b'\n') {
                lines.borrow_mut().push(b'\n');
            }
        };
        let refuse = |refusal| refused.borrow_mut().push(refusal);
        for piece in pieces {
            if !rest.ended {
                rest.add(piece, from, take, refuse);
            }
        }
        if !rest.ended {
            rest.end(take, refuse);
        }
        (lines.into_inner(), refused.into_inner())
    }

    #[track_caller]
    fn check(pieces: &[&[u8]], lines: &[u8], refused: &[Refusal]) {
        let expected = (lines.to_vec(), refused.to_vec());
        assert_eq!(taken(pieces, Listener::Stream), expected);
    }

    #[test]
    fn the_first_bytes_distinguish_frames_from_lines() {
        check(&[b"a:1|c\nb:1", b"|c"], b"a:1|c\nb:1|c\n", &[]);
        check(
            &[b"\x05\0\0\0a:1|c", b"\x05\0\0\0b:1|c"],
            b"a:1|c\nb:1|c\n",
            &[],
        );
        check(&[b"\x05\0", b"\0\0a:", b"1|c"], b"a:1|c\n", &[]);
        check(&[b"\0\0\0\0\x05\0\0\0a:1|c"], b"a:1|c\n", &[]);
        check(
            &[b"\x05\0\0\0a:1|c\xff\xff\xff\xff"],
            b"a:1|c\n",
            &[Refusal::Frame],
        );
        check(&[b"\x05\0\0\0a:"], b"", &[Refusal::Frame]);
        // The first byte of a length of ten is a newline.
        check(&[b"\n", b"\0\0\0a:1|c|#k:v"], b"a:1|c|#k:v\n", &[]);
        check(&[b"a\n"], b"a\n", &[]);
        check(&[b"a"], b"a\n", &[]);
    }

    #[test]
    fn a_line_that_is_too_long_costs_only_itself() {
        let long = [b'x'; 9_000];
        check(
            &[b"a:1|c\n", &long, &long, b"\nb:1|c\n"],
            b"a:1|c\nb:1|c\n",
            &[Refusal::TooLong],
        );
    }

    proptest! {
        #[test]
        fn where_a_stream_is_cut_does_not_matter(
            lines in proptest::collection::vec("[a-z]{1,20}:1\\|c", 1..40),
            cuts in proptest::collection::vec(0usize..800, 0..20),
        ) {
            let text = lines.join("\n") + "\n";
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < text.len()).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([text.len()]) {
                pieces.push(&text.as_bytes()[from..cut]);
                from = cut;
            }
            let (found, refused) = taken(&pieces, Listener::Tcp);
            prop_assert_eq!(String::from_utf8(found).unwrap(), text);
            prop_assert!(refused.is_empty());
        }
    }
}
