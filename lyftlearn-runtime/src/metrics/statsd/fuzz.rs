//! Lines of all dialects: their meaning is known before they are written.

use super::{Dialect, Line, Number, Refusal, Series, Type, Values, parse};
use crate::fuzz::{Draw, target};

const DIALECTS: [Dialect; 5] = [
    Dialect::Lyft,
    Dialect::Librato,
    Dialect::SignalFx,
    Dialect::InfluxDb,
    Dialect::Graphite,
];

const NAMES: &[&str] = &[
    "a", "b.c", "x-y", "9", "_", "\u{e9}", "le", "__k", "a:b", "#", "=", "[", ";",
];
const VALUES: &[&str] = &[
    "1", "-5", "+2", "0.5", "1e3", "NaN", "1e309", "", "x", "1:2", ":3", "0x1",
];
const KINDS: &[&str] = &["c", "g", "ms", "h", "d", "s", "", "c:1|c", "x"];
const FIELDS: &[&str] = &[
    "@0.5",
    "@1",
    "@0",
    "@2",
    "@x",
    "@1e-9",
    "#k:v",
    "#k:v,l:w,m",
    "#,",
    "#k",
    "T1700000000",
    "Tx",
    "c:id",
    "e:x",
    "card:low",
    "",
];

fn line(draw: &mut Draw<'_>) -> Vec<u8> {
    let mut line = draw.text(NAMES, 3);
    match draw.below(8) {
        0 => line.push_str(".__k=v.__l=w"),
        1 => line.push_str("#k=v,l=w"),
        2 => line.push_str("[k=v]"),
        3 => line.push_str(",k=v"),
        4 => line.push_str(";k=v"),
        5 => {
            line = draw
                .pick(&["_e{1,2}", "_sc|a", "_e{", "_e{99999999999999999999,1}"])
                .to_owned()
        }
        _ => {}
    }
    line.push(':');
    line.push_str(draw.pick(VALUES));
    line.push('|');
    line.push_str(draw.pick(KINDS));
    for _ in 0..draw.below(4) {
        line.push('|');
        line.push_str(draw.pick(FIELDS));
    }
    draw.damaged(line)
}

fn lines(draw: &mut Draw<'_>) {
    let line = line(draw);
    let found = parse(&line);
    // White space at the end is no part of a line.
    let padded = [&line[..], b" \r\n"].concat();
    if line.len() < 8_000 {
        assert_eq!(format!("{:?}", parse(&padded)), format!("{found:?}"));
    }
    let Ok(Line::Metric(metric)) = found else {
        if let Ok(Line::Several(several)) = found {
            assert!(several.metrics().count() <= line.len() + 1);
        }
        return;
    };
    assert!(metric.weight >= 1.0 && metric.weight <= 1e6);
    assert!(!metric.name.is_empty());
    let member = matches!(metric.values, Values::Member(_));
    assert_eq!(member, metric.kind == Type::Set);
    assert!(
        metric
            .values
            .numbers()
            .all(|number: Number| number.value.is_finite())
    );
    assert!(member || metric.values.numbers().next().is_some());
    let from = draw.below(DIALECTS.len());
    match Series::of(&metric, &DIALECTS[from..]) {
        Ok(series) => {
            assert!(is_legal(&series.name) && !series.name.starts_with("lyftlearn_runtime_"));
            assert!(series.name.len() <= 255 && series.labels.len() <= 64);
            for (name, value) in &series.labels {
                assert!(is_legal(name) && !name.starts_with("__"), "{name}");
                assert!(!value.contains(char::is_control) && value.len() <= 256);
            }
        }
        Err(refusal) => {
            let of_names = [
                Refusal::Name,
                Refusal::Tags,
                Refusal::MixedTags,
                Refusal::Encoding,
                Refusal::TooLong,
            ];
            assert!(of_names.contains(&refusal), "{refusal:?}");
        }
    }
}

/// As Prometheus takes names.
fn is_legal(name: &str) -> bool {
    let taken = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    name.chars().all(taken) && name.starts_with(|first: char| !first.is_ascii_digit())
}

/// What a client of any dialect writes is what it meant.
fn meant(draw: &mut Draw<'_>) {
    let name: String = (0..=draw.below(8))
        .map(|_| draw.pick(&['a', 'b', 'c', '_']))
        .collect();
    let (word, kind) = draw.pick(&[
        ("c", Type::Counter),
        ("g", Type::Gauge),
        ("h", Type::Histogram),
        ("d", Type::Histogram),
    ]);
    let value = f64::from(u32::try_from(draw.below(65_536)).expect("it is small")) / 8.0;
    let labels: std::collections::BTreeMap<&str, &str> = (0..draw.below(3))
        .map(|_| {
            (
                draw.pick(&["k", "l", "m"]),
                draw.pick(&["v", "w", "1.5", "a/b"]),
            )
        })
        .collect();
    let joined = |between: &str, of: char| {
        let pairs: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}{of}{value}"))
            .collect();
        pairs.join(between)
    };
    let any = !labels.is_empty();
    let written = match draw.below(6) {
        0 if any => format!("{name}.__{}:{value}|{word}", joined(".__", '=')),
        1 if any => format!("{name}#{}:{value}|{word}", joined(",", '=')),
        2 if any => format!("{name}[{}]:{value}|{word}", joined(",", '=')),
        3 if any => format!("{name},{}:{value}|{word}", joined(",", '=')),
        4 if any => format!("{name};{}:{value}|{word}", joined(";", '=')),
        _ => format!("{name}:{value}|{word}|#{}", joined(",", ':')),
    };
    let Ok(Line::Metric(metric)) = parse(written.as_bytes()) else {
        panic!("{written}");
    };
    assert_eq!(metric.kind, kind);
    let values: Vec<f64> = metric.values.numbers().map(|number| number.value).collect();
    assert_eq!(values, [value], "{written}");
    let series = Series::of(&metric, &DIALECTS).expect("it is right");
    let found: Vec<(&str, &str)> = (series.labels.iter())
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(found, labels.into_iter().collect::<Vec<_>>(), "{written}");
    assert_eq!(series.name, name, "{written}");
}

#[test]
fn fuzz_lines() {
    target!(4_000, lines);
}

#[test]
fn fuzz_meant() {
    target!(2_000, meant);
}
