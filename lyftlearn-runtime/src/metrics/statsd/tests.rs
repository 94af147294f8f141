//! The grammar, by cases and by random lines; `fuzz.rs` has the fuzz targets.

use proptest::prelude::*;

use super::{Dialect, Line, Number, Refusal, Series, Type, Values, parse};

const ALL: [Dialect; 5] = [
    Dialect::Lyft,
    Dialect::Librato,
    Dialect::SignalFx,
    Dialect::InfluxDb,
    Dialect::Graphite,
];

#[track_caller]
fn series(line: &str, dialects: &[Dialect]) -> Result<(String, Vec<(String, String)>), Refusal> {
    match parse(line.as_bytes())? {
        Line::Metric(metric) => {
            let series = Series::of(&metric, dialects)?;
            Ok((series.name, series.labels.into_iter().collect()))
        }
        other => panic!("{line} is {other:?}"),
    }
}

#[track_caller]
fn check(line: &str, dialects: &[Dialect], name: &str, labels: &[(&str, &str)]) {
    let labels = labels.iter();
    let labels = labels.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    assert_eq!(
        series(line, dialects),
        Ok((name.to_owned(), labels.collect())),
        "{line}"
    );
}

#[test]
fn tags_in_a_name_are_tags_in_the_dialects_that_are_on() {
    let usual = Dialect::USUAL;
    check(
        "a.b.__k=v.__l=w:1|c",
        &usual,
        "a_b",
        &[("k", "v"), ("l", "w")],
    );
    check("a.b.___f=i:1|c", &usual, "a_b", &[("_f", "i")]);
    check("a#k=v,l=w:1|c", &usual, "a", &[("k", "v"), ("l", "w")]);
    check("a[k=v].b:1|c", &usual, "a_b", &[("k", "v")]);
    check("a,k=v:1|c", &usual, "a_k_v", &[]);
    check("a;k=v:1|c", &usual, "a_k_v", &[]);
    check("a,k=v:1|c", &ALL, "a", &[("k", "v")]);
    check("a;k=v;l=w:1|c", &ALL, "a", &[("k", "v"), ("l", "w")]);
    // Signs without a tag behind them are a name's.
    check("a.__b:1|c", &usual, "a___b", &[]);
    assert_eq!(series("a#k=v:1|c|#l:w", &usual), Err(Refusal::MixedTags));
}

#[test]
fn names_stay_apart_and_reserved_labels_are_dropped() {
    check("1x:1|c", &[], "_1x", &[]);
    check("a:1|ms", &[], "a_seconds", &[]);
    check("a_seconds:1|ms", &[], "a_seconds", &[]);
    check("a:1|h|#le:1,quantile:2,b:3", &[], "a", &[("b", "3")]);
    check("a:1|c|#k.x:1,k_x:2", &[], "a", &[("k_x", "2")]);
    check("a:1|c|#:1,b:", &[], "a", &[("b", "")]);
    let ours = "lyftlearn.runtime.statsd_lines_total:1|c";
    assert_eq!(series(ours, &[]), Err(Refusal::Name));
    let long = format!("{}:1|c", "n".repeat(256));
    assert_eq!(series(&long, &[]), Err(Refusal::TooLong));
    let long = format!("a:1|c|#{}", "t".repeat(257));
    assert_eq!(series(&long, &[]), Err(Refusal::Tags));
    let many: Vec<String> = (0..65).map(|tag| format!("t{tag}")).collect();
    let many = format!("a:1|c|#{}", many.join(","));
    assert_eq!(series(&many, &[]), Err(Refusal::Tags));
    assert_eq!(parse(b"a:1|c|#a|#b|#c|#d|#e"), Err(Refusal::Tags));
    let long = format!("a:1|c|#{}", "t".repeat(9_000));
    assert_eq!(parse(long.as_bytes()), Err(Refusal::TooLong));
}

#[test]
fn a_rate_is_a_weight_up_to_a_million() {
    let Ok(Line::Metric(metric)) = parse(b"a:1|c|@0.0000001") else {
        panic!("it is a metric");
    };
    assert!(metric.clamped);
    assert_eq!(metric.weight, 1e6);
    for rate in ["0", "-0.1", "1.1", "abc", "NaN", "inf", ""] {
        let line = format!("a:1|c|@{rate}");
        assert_eq!(parse(line.as_bytes()), Err(Refusal::Rate), "{rate}");
    }
}

#[test]
fn several_values_of_the_original_server_are_one_each() {
    let Ok(Line::Several(several)) = parse(b"a:1|c:320|ms:2|c|@0.5:x|c:1|q") else {
        panic!("they are several");
    };
    let found: Vec<_> = several
        .metrics()
        .map(|metric| metric.map(|metric| (metric.kind, metric.weight)))
        .collect();
    assert_eq!(
        found,
        [
            Ok((Type::Counter, 1.0)),
            Ok((Type::Timer, 1.0)),
            Ok((Type::Counter, 2.0)),
            Err(Refusal::Value),
            Err(Refusal::Type),
        ]
    );
}

#[test]
fn lines_that_are_not_metrics_are_classified() {
    assert_eq!(parse(b""), Ok(Line::Blank));
    assert_eq!(parse(b" \r"), Ok(Line::Blank));
    assert_eq!(parse(b"_e{1,1}:a|b|#k:v"), Ok(Line::Event));
    for event in [
        "_e{1,2}:a|b",
        "_e{a,1}:a|b",
        "_e{99999999999999999999,1}:a|b",
        "_e{",
    ] {
        assert_eq!(parse(event.as_bytes()), Err(Refusal::Event), "{event}");
    }
    assert_eq!(parse(b"_sc|name|3|m:all | is"), Ok(Line::Check));
    for check in ["_sc|", "_sc||0", "_sc|name|4"] {
        assert_eq!(parse(check.as_bytes()), Err(Refusal::Check), "{check}");
    }
}

/// Pieces of lines, so that random ones are nearly right.
const PIECES: &[&str] = &[
    "a", "b.c", ":", ":", "|", "|", "c", "g", "ms", "h", "d", "s", "@", "0.1", "1", "-5", "+2",
    "#", "k:v", ",", "T", "e:", "c:", "_e{", "}", "_sc|", ".__", "=", "[", "]", ";", "\u{e9}",
    "\0", " ", "\r", "1e309", "NaN", "..", "le", "__x",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn pieces_of_lines_in_any_order_are_understood_or_refused(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..24)
    ) {
        never_panics(pieces.concat().as_bytes())?;
    }

    #[test]
    fn any_bytes_are_understood_or_refused(
        line in proptest::collection::vec(any::<u8>(), 0..200)
    ) {
        never_panics(&line)?;
    }
}

fn never_panics(line: &[u8]) -> Result<(), TestCaseError> {
    match parse(line) {
        Ok(Line::Metric(metric)) => {
            prop_assert!(metric.weight >= 1.0 && metric.weight <= 1e6);
            prop_assert!(!metric.name.is_empty());
            let member = matches!(metric.values, Values::Member(_));
            prop_assert_eq!(member, metric.kind == Type::Set);
            let finite = |number: Number| number.value.is_finite();
            prop_assert!(metric.values.numbers().all(finite));
            prop_assert!(member || metric.values.numbers().next().is_some());
            if let Ok(series) = Series::of(&metric, &ALL) {
                let labels = series.labels.iter();
                let labels = labels.map(|(key, value)| (key.as_str(), value.as_str()));
                prop_assert!(
                    crate::metrics::region::Key::new(&series.name, labels).is_ok()
                        || series.labels.len() > 10
                );
            }
        }
        Ok(Line::Several(several)) => {
            several.metrics().for_each(drop);
        }
        _ => {}
    }
    Ok(())
}
