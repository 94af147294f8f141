use std::cell::{Cell, RefCell};
use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::net::sockopt;

use super::{Listener, Store, Tap, datagrams, start};
use crate::metrics::statsd::Rules;

/// Packets, or pieces of a stream, of more than a kilobyte: more than the kernel queues.
const FLOOD: usize = 100_000;

#[test]
fn the_tap_is_shown_every_byte_as_it_came_and_nothing_that_arrived_is_left() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let (to_udp, to_tcp) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let seen: Rc<RefCell<Vec<u8>>> = Rc::default();
        let tapped = Rc::clone(&seen);
        let tap: Tap = Rc::new(move |lines| tapped.borrow_mut().extend_from_slice(lines));
        let store = Store::over(None, Rules::default());
        let sockets = vec![(Listener::Udp, udp.into()), (Listener::Tcp, tcp.into())];
        let ingest = start(sockets, store.clone(), Some(tap)).unwrap();
        let packet = b"a.__k=v:1|c|c:in-1|T1\r\n\n\xff:x\nb:1|c";
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.send_to(packet, to_udp).unwrap();
        let stream = b"c:1|c\nd:1|c\n";
        TcpStream::connect(to_tcp)
            .unwrap()
            .write_all(stream)
            .unwrap();
        ingest.end();
        assert_eq!(*seen.borrow(), [&packet[..], stream].concat());
        let snapshot = store.snapshot();
        for name in ["a", "b", "c", "d"] {
            assert!(
                snapshot.series.iter().any(|series| series.name == name),
                "{name}"
            );
        }
    });
}

/// Drains while a sender goes on. Returns whether all was sent meanwhile, and how often lines were
/// received together.
fn drained(
    from: Listener,
    socket: OwnedFd,
    mut send: impl FnMut() -> std::io::Result<()> + Send + 'static,
) -> (bool, usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let count: Rc<Cell<usize>> = Rc::default();
        let counted = Rc::clone(&count);
        let tap: Tap = Rc::new(move |_| counted.set(counted.get() + 1));
        let store = Store::over(None, Rules::default());
        let ingest = start(vec![(from, socket)], store, Some(tap)).unwrap();
        let all_sent = Arc::new(AtomicBool::new(false));
        let said = Arc::clone(&all_sent);
        std::thread::spawn(move || {
            let sent = (0..FLOOD).try_for_each(|_| send());
            said.store(sent.is_ok(), Ordering::Release);
        });
        ingest.end();
        (all_sent.load(Ordering::Acquire), count.get())
    })
}

#[test]
fn a_drain_ends_although_senders_go_on() {
    let lines = b"a:1|c\n".repeat(200);
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut stream = TcpStream::connect(tcp.local_addr().unwrap()).unwrap();
    let text = lines.clone();
    let (all_sent, _) = drained(Listener::Tcp, tcp.into(), move || stream.write_all(&text));
    assert!(!all_sent);

    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let packets = UdpSocket::bind("127.0.0.1:0").unwrap();
    packets.connect(udp.local_addr().unwrap()).unwrap();
    // Packets without a byte.
    let buffer = sockopt::socket_recv_buffer_size(&udp).unwrap();
    let most = buffer.max(datagrams::LEAST_QUEUE_BYTES) / 576 + 64;
    let send = move || packets.send(&lines).map(drop);
    let (_, received) = drained(Listener::Udp, udp.into(), send);
    assert!(received <= most, "{received} of {most}");
}
