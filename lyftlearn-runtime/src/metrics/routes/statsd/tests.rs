//! With real sockets: the server receives exactly the counted values.

use std::cell::{Cell, RefCell};
use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::rc::Rc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use super::Plan;
use super::lines::Batch;
use super::sender::{QUEUE_BYTES, Relay, Shared, start};
use super::settings::Tags;
use crate::metrics::region::{Buckets, Series, Snapshot, Value};
use crate::metrics::routes::deltas::Deltas;
use crate::metrics::routes::link::Link;
use crate::metrics::routes::running::Tap;
use crate::metrics::routes::{Losses, Means, Protocol, Server};

/// Ends a test that would wait for ever.
const PATIENCE: Duration = Duration::from_mins(2);

fn counter(name: &str, labels: &[(&str, &str)], value: Value) -> Series {
    Series {
        name: name.to_owned(),
        labels: (labels.iter())
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        unit: None,
        help: None,
        value,
    }
}

#[track_caller]
fn check(series: &[Series], tags: Tags, expected: &str) {
    let mut batch = Batch::default();
    let common = [("job".to_owned(), "j.1".to_owned())];
    for series in series {
        batch.add(&Deltas::default(), series, &common, tags);
    }
    assert_eq!(batch.text, expected);
}

#[test]
fn lines_are_in_the_servers_dialect() {
    let series = [
        counter(
            "rows",
            &[("split", "a.b:c|d"), ("none", "")],
            Value::Counter(2.5),
        ),
        counter("level", &[("job", "own")], Value::Gauge(-1.0)),
        counter(
            "t_seconds",
            &[],
            Value::Histogram(Buckets {
                positive: vec![(-4, 4)],
                zero: 1,
                count: 5,
                ..Buckets::default()
            }),
        ),
    ];
    check(
        &series,
        Tags::Lyft,
        "rows.__job=j_1.__split=a_b_c_d:2.5|c\nlevel.__job=own:0|g\nlevel.__job=own:-1|g\n\
         t_seconds.__job=j_1:0|ms\nt_seconds.__job=j_1:738.413|ms|@0.25\n",
    );
    check(
        &series,
        Tags::DogStatsd,
        "rows:2.5|c|#job:j.1,split:a.b:c_d\nlevel:-1|g|#job:own\n\
         t_seconds:0|d|#job:j.1\nt_seconds:0.738413|d|@0.25|#job:j.1\n",
    );
}

#[test]
fn a_server_that_cuts_the_inverse_of_a_rate_counts_every_value() {
    for times in (2..20_000).chain([1 << 40, (1 << 50) - 1]) {
        let observed = Buckets {
            positive: vec![(0, times)],
            count: times,
            ..Buckets::default()
        };
        let mut batch = Batch::default();
        let series = counter("t", &[], Value::Histogram(observed));
        batch.add(&Deltas::default(), &series, &[], Tags::Lyft);
        let rate = batch.text.trim_end().rsplit('@').next().unwrap();
        let inverse = 1.0 / rate.parse::<f64>().unwrap();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "as statsd_exporter does"
        )]
        let counted = inverse as u64;
        assert_eq!(counted, times, "{}", batch.text);
    }
}

#[test]
fn only_what_went_out_is_not_sent_again() {
    let mut deltas = Deltas::default();
    let mut series = [
        counter("a", &[], Value::Counter(1.0)),
        counter("b", &[], Value::Counter(2.0)),
    ];
    let lines = |deltas: &Deltas, series: &[Series]| {
        let mut batch = Batch::default();
        for series in series {
            batch.add(deltas, series, &[], Tags::Lyft);
        }
        batch
    };
    let batch = lines(&deltas, &series);
    assert_eq!(batch.text, "a:1|c\nb:2|c\n");
    assert_eq!(batch.record(6, &mut deltas), 1);
    series[0].value = Value::Counter(4.0);
    let deltas = Deltas::known(&deltas.document().unwrap());
    assert_eq!(lines(&deltas, &series).text, "a:3|c\nb:2|c\n");
}

fn to(port: u16, protocol: Protocol) -> Server {
    Server {
        host: "127.0.0.1".to_owned(),
        port,
        protocol,
    }
}

/// Sends one counter and the offered lines, and finishes.
fn run(server: Server, offered: &[&[u8]], values: bool) -> u64 {
    let offer = |tap: Tap| {
        offered.iter().for_each(|lines| tap(lines));
        std::future::ready(())
    };
    run_beside(server, values, Duration::from_secs(2), offer).0
}

/// The same with whatever else goes on, and its result.
fn run_beside<F: Future>(
    server: Server,
    values: bool,
    patience: Duration,
    beside: impl FnOnce(Tap) -> F,
) -> (u64, F::Output) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let plan = Plan {
        server,
        values,
        relays: true,
        aggregate: false,
        tags: Tags::Lyft,
        seconds: 3_600,
    };
    let snapshot = Snapshot {
        series: vec![counter("rows", &[], Value::Counter(7.0))],
        ..Snapshot::default()
    };
    let means = Means {
        labels: Vec::new(),
        run: None,
        counted: Rc::new(move |_| snapshot.clone()),
        begun: Rc::new(|_| Duration::ZERO),
        losses: Losses::default(),
    };
    tokio::task::LocalSet::new().block_on(&runtime, async move {
        let running = start(&plan, &means);
        let beside = beside(running.tap().unwrap());
        let deadline = Instant::now() + patience;
        running.end(deadline);
        (running.finish(deadline).await, beside.await)
    })
}

#[test]
fn a_stream_gets_lines_byte_for_byte_and_totals_after_them() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let mut text = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut text).unwrap();
        text
    });
    let left = run(
        to(port, Protocol::Tcp),
        &[b"x:1|c\ny:\xff|c", b"z:1|g\n"],
        true,
    );
    assert_eq!(left, 0);
    assert_eq!(
        server.join().unwrap(),
        b"x:1|c\ny:\xff|c\nz:1|g\nrows:7|c\n"
    );
}

#[test]
fn totals_are_sent_although_lines_go_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // A server in the same thread: while it reads, the next lines arrive.
    let beside = |tap: Tap| {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let lines = b"x:1|c\n".repeat(20_000);
        let fill = move || (0..QUEUE_BYTES / lines.len()).for_each(|_| tap(&lines));
        fill();
        tokio::task::spawn_local(async move {
            loop {
                fill();
                tokio::task::yield_now().await;
            }
        });
        let server = tokio::task::spawn_local(async move {
            let mut text = Vec::new();
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_to_end(&mut text).await.unwrap();
            text
        });
        async { server.await.unwrap() }
    };
    let (_, text) = run_beside(to(port, Protocol::Tcp), true, PATIENCE, beside);
    assert!(text.ends_with(b"\nrows:7|c\n"));
}

#[test]
fn packets_get_the_same() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    assert_eq!(run(to(port, Protocol::Udp), &[b"x:1|c", b"y:2|c"], true), 0);
    let mut packet = [0; 2_000];
    let length = socket.recv(&mut packet).unwrap();
    assert_eq!(&packet[..length], b"x:1|c\ny:2|c");
    let length = socket.recv(&mut packet).unwrap();
    assert_eq!(&packet[..length], b"rows:7|c");
}

#[test]
fn undelivered_values_are_counted() {
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        drop(taken);
        assert_eq!(run(to(port, protocol), &[b"x:1|c\ny:1|c"], true), 3);
    }
}

#[test]
fn a_line_that_was_cut_comes_whole_on_the_next_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // More than the kernel holds on either side.
    let many = b"a.name.that.is.long.enough:1|c\n".repeat(1_000_000);
    let server = std::thread::spawn(move || {
        // The first reader goes away after some of it, in the middle of a line.
        let (mut first, _) = listener.accept().unwrap();
        let mut some = vec![0; 40_000];
        first.read_exact(&mut some).unwrap();
        drop(first);
        let (mut second, _) = listener.accept().unwrap();
        let mut text = Vec::new();
        second.read_to_end(&mut text).unwrap();
        text
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let left = runtime.block_on(async {
        let mut link = Link::new(to(port, Protocol::Tcp));
        let mut rest = &many[..];
        while !rest.is_empty() {
            rest = &rest[link.send(rest).await..];
        }
        link.close().await;
        rest.len()
    });
    assert_eq!(left, 0);
    let text = server.join().unwrap();
    assert!(text.starts_with(b"a.name.that.is.long.enough:1|c\n"));
    assert!(text.ends_with(b"\n"));
    let whole = |line: &[u8]| line == b"a.name.that.is.long.enough:1|c" || line.is_empty();
    assert!(text.split(|byte| *byte == b'\n').all(whole));
}

#[test]
fn what_waits_is_bounded_and_the_rest_is_counted() {
    let relay = Relay(Rc::new(Shared {
        queue: RefCell::default(),
        dropped: Rc::default(),
        pending: Cell::default(),
        ending: Rc::default(),
    }));
    let dropped = || relay.0.dropped.get();
    let line = [b'x'; 1_023];
    for _ in 0..5_000 {
        relay.offer(&line);
    }
    assert!(relay.0.queue.borrow().len() <= QUEUE_BYTES);
    assert_eq!(dropped() + relay.0.queued(), 5_000);
    relay.offer(&[b"a\nb\n".as_slice(), &[b'x'; 4_000]].concat());
    assert_eq!(dropped() + relay.0.queued(), 5_003);
}
