//! What lines come to, by the cases that existing servers were asked.
#![expect(
    clippy::disallowed_methods,
    reason = "the cases are read from the repository"
)]

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use super::super::region::{Snapshot, Value, create_sparse};
use super::super::statsd::{Dialect, Listener, Rules};
use super::Store;

const SIZE: u64 = 1 << 20;

fn store(rules: Rules) -> Store {
    Store::over(Some(&create_sparse(SIZE).unwrap()), rules)
}

fn shown(store: &Store) -> BTreeMap<String, Value> {
    store.turn_sets();
    of(store.snapshot())
}

/// All but the runtime's own metrics, with their names in Prometheus' form.
fn of(snapshot: Snapshot) -> BTreeMap<String, Value> {
    let series = snapshot.series.into_iter();
    let series = series.filter(|series| !series.name.starts_with("lyftlearn_runtime_"));
    let named = series.map(|series| {
        let labels: Vec<String> = (series.labels.iter())
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        (
            format!("{}{{{}}}", series.name, labels.join(",")),
            series.value,
        )
    });
    named.collect()
}

fn refused(store: &Store) -> f64 {
    count(store, "lyftlearn_runtime_statsd_refused_lines_total")
}

fn count(store: &Store, name: &str) -> f64 {
    let account = serde_json::to_value(store.account()).unwrap();
    let counts = account["counts"][name].as_object().cloned();
    let counts = counts.unwrap_or_default();
    counts.values().filter_map(serde_json::Value::as_f64).sum()
}

/// `\n`, `\\` and `\xNN`, as the file writes bytes.
fn bytes(written: &str) -> Vec<u8> {
    let mut found = Vec::new();
    let mut rest = written.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            found.push(*first);
            continue;
        }
        let (kind, after) = rest.split_first().unwrap();
        rest = after;
        match kind {
            b'n' => found.push(b'\n'),
            b'r' => found.push(b'\r'),
            b't' => found.push(b'\t'),
            b'\\' => found.push(b'\\'),
            b'x' => {
                let (digits, after) = rest.split_at(2);
                rest = after;
                let digits = std::str::from_utf8(digits).unwrap();
                found.push(u8::from_str_radix(digits, 16).unwrap());
            }
            other => panic!("\\{other} in the cases"),
        }
    }
    found
}

/// One row of the cases.
fn check(row: &str) {
    let columns: Vec<&str> = row.split('\t').collect();
    let [id, input, verdict, kind, effect, labels] = columns[..6] else {
        panic!("{row}");
    };
    let rules = Rules {
        dialects: vec![
            Dialect::Lyft,
            Dialect::Librato,
            Dialect::SignalFx,
            Dialect::InfluxDb,
            Dialect::Graphite,
        ],
        ..Rules::default()
    };
    let store = store(rules);
    store.packet(&bytes(input), Listener::Udp);
    let found = shown(&store);
    let errors = refused(&store);
    match verdict {
        "accept" => assert_eq!(errors, 0.0, "{id}"),
        "reject" => assert!(errors == 1.0 && found.is_empty(), "{id}: {found:?}"),
        "partial" => assert_eq!(errors, 1.0, "{id}"),
        "nonmetric" => {
            let events = count(&store, "lyftlearn_runtime_statsd_events_total");
            assert!(events == 1.0 && errors == 0.0 && found.is_empty(), "{id}");
            return;
        }
        other => panic!("{id}: {other}"),
    }
    if verdict == "reject" {
        return;
    }
    assert_eq!(found.len(), 1, "{id}: {found:?}");
    let (name, value) = found.into_iter().next().unwrap();
    let note = columns[columns.len() - 1];
    if let Some(expected) = note
        .split("name ")
        .nth(1)
        .filter(|_| note.contains("name v"))
    {
        assert!(name.starts_with(expected), "{id}: {name}");
    }
    let mut expected: Vec<&str> = labels.split(',').filter(|label| *label != "-").collect();
    expected.sort_unstable();
    let shown = name.split_once('{').unwrap().1.trim_end_matches('}');
    assert_eq!(shown, expected.join(","), "{id}");
    check_effect(id, kind, effect, &value);
}

#[track_caller]
fn check_effect(id: &str, kind: &str, effect: &str, value: &Value) {
    let number = |text: &str| -> f64 { text.trim_matches(['+', '=', 's', 'x']).parse().unwrap() };
    let near = |a: f64, b: f64| assert!((a - b).abs() <= b.abs() * 1e-3, "{id}: {a}, not {b}");
    match (kind, value) {
        // A monotonic total: a decrement becomes debt.
        ("counter", Value::Counter(found)) => near(*found, number(effect).max(0.0)),
        ("gauge", Value::Gauge(found)) => assert_eq!(*found, number(effect), "{id}"),
        ("set", Value::Gauge(found)) => {
            assert_eq!(*found, number(effect.split(' ').next().unwrap()), "{id}");
        }
        ("timer" | "histogram" | "distribution", Value::Histogram(found)) => {
            let (values, weight) = effect.split_once(' ').unwrap();
            let weight = number(weight);
            let values: Vec<f64> = values.split(',').map(number).collect();
            near(found.sum, values.iter().sum::<f64>() * weight);
            // Buckets have whole numbers.
            #[expect(clippy::cast_precision_loss, reason = "there are few")]
            let count = found.count as f64;
            assert_eq!(count, (values.len() as f64 * weight).round(), "{id}");
        }
        (kind, value) => panic!("{id}: {kind} became {value:?}"),
    }
}

#[test]
fn every_case_of_existing_servers_has_its_verdict() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/statsd/vectors.tsv");
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(rows.len(), 80);
    rows.into_iter().for_each(check);
}

#[track_caller]
fn counted(store: &Store, series: &str) -> f64 {
    match shown(store).get(series) {
        Some(Value::Counter(value) | Value::Gauge(value)) => *value,
        other => panic!("{series} is {other:?}"),
    }
}

#[test]
fn a_total_is_monotonic_and_debt_is_subtracted_first() {
    let store = store(Rules::default());
    for (line, total) in [
        ("a:5|c", 5.0),
        ("a:-2|c", 5.0),
        ("a:1|c", 5.0),
        ("a:3|c", 7.0),
    ] {
        store.packet(line.as_bytes(), Listener::Udp);
        assert_eq!(counted(&store, "a{}"), total, "{line}");
    }
}

#[test]
fn the_listener_decides_whether_a_sign_means_a_delta() {
    let store = store(Rules::default());
    store.packet(b"g:5|g\ng:-2|g", Listener::Udp);
    assert_eq!(counted(&store, "g{}"), 3.0);
    store.packet(b"g:-2|g", Listener::Datagram);
    assert_eq!(counted(&store, "g{}"), -2.0);
}

#[test]
fn timers_of_some_count_in_microseconds() {
    let rules = Rules {
        microseconds: vec!["go.".to_owned()],
        ..Rules::default()
    };
    let store = store(rules);
    store.packet(b"go.a:1500000|ms\nb:1500|ms", Listener::Udp);
    let found = shown(&store);
    for name in ["go_a_seconds{}", "b_seconds{}"] {
        let Value::Histogram(buckets) = &found[name] else {
            panic!("{found:?}");
        };
        assert!((buckets.sum - 1.5).abs() < 1e-9 && buckets.count == 1);
    }
}

#[test]
fn running_totals_of_some_count_by_how_much_they_grow() {
    let rules = Rules {
        cumulative: vec!["spark.".to_owned()],
        ..Rules::default()
    };
    let file = create_sparse(SIZE).unwrap();
    let first = Store::over(Some(&file), rules.clone());
    let lines = b"spark.a:5|c\nspark.a:5|c\nspark.a:7.5|c|@0.1\nspark.a:3|c\nspark.a:3:4|c";
    first.packet(lines, Listener::Udp);
    // 5 and 2.5, and 4 after the sender has begun anew.
    assert_eq!(counted(&first, "spark_a{}"), 11.5);
    // Tags distinguish sources; names without tags are not affected.
    first.packet(
        b"spark.a:2|c|#executor:1\na:5|c\na:5|c\nspark.g:5|g\nspark.a:-1|c",
        Listener::Udp,
    );
    assert_eq!(counted(&first, "spark_a{executor=1}"), 2.0);
    assert_eq!(counted(&first, "a{}"), 10.0);
    assert_eq!(counted(&first, "spark_g{}"), 5.0);
    assert_eq!(refused(&first), 1.0);
    // A successor knows the last total.
    let next = Store::over(Some(&file), rules);
    next.packet(b"spark.a:6|c", Listener::Udp);
    assert_eq!(counted(&next, "spark_a{}"), 13.5);
}

#[test]
fn fractions_of_an_observation_add_up() {
    let store = store(Rules::default());
    for _ in 0..30 {
        store.packet(b"a:2|h|@0.3", Listener::Udp);
    }
    let Value::Histogram(buckets) = &shown(&store)["a{}"] else {
        panic!("it is a histogram");
    };
    assert_eq!(buckets.count, 100);
    assert!((buckets.sum - 200.0).abs() < 1e-6);
}

#[test]
fn names_that_are_made_of_a_histograms_are_not_anothers() {
    let store = store(Rules::default());
    let lines = "a:1|h\na.sum:1|c\nb_count:1|g\nb:1|ms\nb:1|h\nc:1|c\nc_total:1|g\nc.total:1|c";
    store.packet(lines.as_bytes(), Listener::Udp);
    let found = shown(&store);
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["a{}", "b_count{}", "b_seconds{}", "c_total{}", "c{}"]
    );
    assert_eq!(refused(&store), 3.0);
}

#[test]
fn a_successor_continues_the_totals() {
    let file = create_sparse(SIZE).unwrap();
    let first = Store::over(Some(&file), Rules::default());
    first.packet(b"a:5|c\na:-1|c\ng:7|g\nh:1|h\nt:1|ms\ns:x|s", Listener::Udp);
    first.turn_sets();
    let second = Store::over(Some(&file), Rules::default());
    second.packet(
        b"a:3|c\ng:+1|g\nh:1|h\ns:x|s\ns:y|s\na:1|g\nt:1|c\ng:1|s",
        Listener::Udp,
    );
    assert_eq!(counted(&second, "s{}"), 2.0);
    assert_eq!(counted(&second, "a{}"), 7.0);
    assert_eq!(counted(&second, "g{}"), 8.0);
    assert_eq!(refused(&second), 3.0);
    assert_eq!(count(&second, "lyftlearn_runtime_statsd_lines_total"), 14.0);
}

#[test]
fn a_set_is_what_came_since_the_last_look() {
    let store = store(Rules::default());
    let came = |members: usize| {
        for member in (0..members).chain(0..members / 2) {
            store.packet(format!("s:{member}|s").as_bytes(), Listener::Udp);
        }
        counted(&store, "s{}")
    };
    assert_eq!(came(4_096), 4_096.0);
    assert_eq!(came(0), 0.0);
    // Beyond it is an estimate: these are five times its standard error.
    for members in [4_097, 20_000, 200_000] {
        let (counted, exact) = (came(members), members as f64);
        assert!(
            (counted / exact - 1.0).abs() < 0.04,
            "{counted} of {members}"
        );
        assert_eq!(counted.fract(), 0.0);
    }
    assert_eq!(came(3), 3.0);
    assert_eq!(refused(&store), 0.0);
}

/// Of members that never end, in sets that are as many as there is room for.
#[test]
fn endless_sets_take_bounded_memory_and_rejections_are_counted() {
    let store = store(Rules::default());
    const SETS: usize = 300;
    for set in 0..SETS {
        let lines: Vec<String> = (0..4_200).map(|n| format!("s.{set}:{n}|s\n")).collect();
        for packet in lines.chunks(1_000) {
            store.packet(packet.concat().as_bytes(), Listener::Udp);
        }
    }
    // 256 are estimates; of each of the others 4,096 are known.
    assert_eq!(refused(&store), 44.0 * 104.0);
    assert_eq!(counted(&store, "s_299{}"), 4_096.0);
}

/// Ten million of them are the same to it as these: beyond what there is room for, nothing
/// is kept.
#[test]
fn distinct_names_without_end_take_no_more_room() {
    let store = store(Rules::default());
    const NAMES: usize = 50_000;
    for name in 0..NAMES {
        let kind = ["c", "g", "ms", "h", "s"][name % 5];
        store.packet(
            format!("name.{name}:1|{kind}|#k:{name}").as_bytes(),
            Listener::Udp,
        );
    }
    let (kept, lost) = (shown(&store).len(), refused(&store));
    assert!(kept > 300 && kept < 1_300, "{kept}");
    #[expect(clippy::cast_precision_loss, reason = "there are few")]
    let all = kept as f64 + lost;
    assert_eq!(all, 50_000.0);
    let inner = store.0.borrow();
    assert!(inner.spelled.len() <= kept && inner.known.len() <= kept + 100);
    // A timer has six names.
    assert!(inner.families.len() <= 6 * kept + 100 && inner.sets.len() <= kept);
    drop(inner);
    // Series that have room continue.
    store.packet(b"name.0:1|c|#k:0", Listener::Udp);
    assert_eq!(counted(&store, "name_0{k=0}"), 2.0);
}

#[test]
fn a_passed_region_cannot_shrink_and_other_files_are_rejected() {
    let file = create_sparse(SIZE).unwrap();
    assert!(file.set_len(0).is_err() && file.set_len(2 * SIZE).is_err());
    let kept = |file: Option<&std::fs::File>| {
        let store = Store::over(file, Rules::default());
        store.packet(b"a:1|c", Listener::Udp);
        assert_eq!(counted(&store, "a{}"), 1.0);
        serde_json::to_value(store.account()).unwrap()["kept"] == true
    };
    assert!(kept(Some(&file)));
    // A file that somebody could cut, and none.
    let other = tempfile::tempfile().unwrap();
    other.set_len(SIZE).unwrap();
    assert!(!kept(Some(&other)) && !kept(None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_packet_is_counted_or_refused(
        packet in proptest::collection::vec(any::<u8>(), 0..65_536)
    ) {
        let store = store(Rules::default());
        store.packet(&packet, Listener::Stream);
        let lines = packet.split(|byte| *byte == b'\n');
        let lines = lines.filter(|line| line.iter().any(|byte| !b" \t\r".contains(byte)));
        #[expect(clippy::cast_precision_loss, reason = "there are few")]
        let lines = lines.count() as f64;
        prop_assert_eq!(count(&store, "lyftlearn_runtime_statsd_lines_total"), lines);
        prop_assert!(refused(&store) <= lines * 64.0);
    }
}
