//! A stream that is cut anywhere says what it says whole.

use std::cell::RefCell;

use super::{FRAME_BYTES, Listener, Refusal, Rest};
use crate::fuzz::{Draw, target};
use crate::metrics::statsd::{LINE_BYTES, parse};

const PIECES: &[&[u8]] = &[
    b"a:1|c",
    b"b:2|g|#k:v",
    b"\n",
    b"\n",
    b"\r\n",
    b"_e{1,1}:a|b",
    b"_sc|a|0",
    b"x",
    b" ",
    b"\x05\0\0\0a:1|c",
    b"\0\0\0\0",
    b"\x0b\0\0\0a:1|c\nb:1|c",
    b"\xff\xff\xff\xff",
    b"\x01",
    b"\0",
];

/// The result of each line, in order.
fn come(pieces: &[&[u8]], from: Listener) -> Vec<String> {
    let come = RefCell::new(Vec::new());
    let take = |lines: &[u8]| {
        for line in lines.split(|byte| *byte == b'\n') {
            // However a line that is too long was cut, it is one that is not taken.
            let said = match parse(line) {
                _ if line.len() > LINE_BYTES => format!("{:?}", Refusal::TooLong),
                Ok(line) => format!("{line:?}"),
                Err(refusal) => format!("{refusal:?}"),
            };
            if said != "Blank" {
                come.borrow_mut().push(said);
            }
        }
    };
    let refuse = |refusal: Refusal| come.borrow_mut().push(format!("{refusal:?}"));
    let mut rest = Rest::default();
    for piece in pieces {
        if !rest.ended {
            rest.add(piece, from, take, refuse);
        }
        // Of a stream that is no longer understood nothing is kept, either.
        assert!(
            rest.bytes.len() <= FRAME_BYTES + LINE_BYTES + 8,
            "{}",
            rest.bytes.len()
        );
    }
    if !rest.ended {
        rest.end(take, refuse);
    }
    come.into_inner()
}

fn cuts(draw: &mut Draw<'_>) {
    let from = draw.pick(&[Listener::Tcp, Listener::Stream]);
    let mut stream = Vec::new();
    for _ in 0..draw.below(24) {
        match draw.below(16) {
            0 => stream.extend(b"y".repeat(draw.below(20_000))),
            1 => stream.extend(draw.bytes(8)),
            _ => stream.extend(draw.pick(PIECES)),
        }
    }
    let whole = come(&[&stream], from);
    let mut pieces: Vec<&[u8]> = Vec::new();
    let mut rest = &stream[..];
    while !rest.is_empty() && pieces.len() < 200 {
        let most = draw.pick(&[1, 3, 9, 9_000]);
        let (piece, after) = rest.split_at((1 + draw.below(most)).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    assert_eq!(come(&pieces, from), whole, "{}", stream.escape_ascii());
}

#[test]
fn fuzz_cuts() {
    target!(1_000, cuts);
}
