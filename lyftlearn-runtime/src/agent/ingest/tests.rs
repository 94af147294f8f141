use std::cell::RefCell;
use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::rc::Rc;

use super::{Listener, Store, Tap, start};
use crate::metrics::statsd::Rules;

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
        ingest.drain();
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
