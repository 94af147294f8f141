//! Several processes count in any order and die at any step. Finished counts must survive.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;

use super::crash::{Died, Dying, count};
use super::{Aggregate, here, key};
use crate::fuzz::{Draw, target};
use crate::metrics::region::layout::Layout;
use crate::metrics::region::{Region, Snapshot, Value};

const NAMES: &[&str] = &["a", "b", "rows", "a_longer_name_than_the_others", "a_b"];

thread_local! {
    /// One for all runs: what a region is made of is never given back.
    static REGION: Region = super::region();
}

fn fresh() -> Region {
    let region = REGION.with(|region| *region);
    let words = region.0.words;
    words.iter().for_each(|word| word.store(0, Relaxed));
    super::super::create::write_header(words, &here());
    region
}

fn totals(snapshot: &Snapshot) -> BTreeMap<String, f64> {
    let series = snapshot.series.iter();
    let counters = series.filter_map(|series| match series.value {
        Value::Counter(total) => Some((series.name.clone(), total)),
        _ => None,
    });
    counters.collect()
}

fn operations(draw: &mut Draw<'_>) {
    let region = fresh();
    let words = region.0.words;
    let layout = Layout::of(words.len());
    let mut counted: BTreeMap<&str, f64> = BTreeMap::new();
    // What the dead may have finished.
    let mut doubtful: BTreeMap<&str, f64> = BTreeMap::new();
    let mut observed = 0;
    let mut gauge = None;
    for _ in 0..draw.below(40) {
        let name = draw.pick(NAMES);
        match draw.below(6) {
            0 | 1 => {
                count(words, &layout, name);
                *counted.entry(name).or_default() += 1.0;
            }
            2 | 3 => {
                let dying = Dying {
                    words,
                    left: Cell::new(draw.below(40)),
                };
                let end = catch_unwind(AssertUnwindSafe(|| count(&dying, &layout, name)));
                match end {
                    Ok(()) => *counted.entry(name).or_default() += 1.0,
                    Err(why) => {
                        assert!(why.is::<Died>(), "it did not die of this");
                        *doubtful.entry(name).or_default() += 1.0;
                    }
                }
            }
            4 => {
                region
                    .histogram(&key("seconds"))
                    .observe(f64::from(draw.byte()));
                observed += 1;
            }
            _ => {
                let value = f64::from(draw.byte());
                region.gauge(key("loss"), Aggregate::Last).set(value);
                gauge = Some(value);
            }
        }
        if draw.once_in(4) {
            let found = Snapshot::of(words, &here()).expect("a region");
            assert_eq!(found.damaged_series, 0);
        }
    }
    let found = Snapshot::of(words, &here()).expect("a region");
    assert_eq!((found.damaged_series, found.dropped_series), (0, 0));
    let totals = totals(&found);
    for name in NAMES {
        let sure = counted.get(name).copied().unwrap_or_default();
        let most = sure + doubtful.get(name).copied().unwrap_or_default();
        let total = totals.get(*name).copied().unwrap_or_default();
        assert!(
            (sure..=most).contains(&total),
            "{name}: {total} of {sure} to {most}"
        );
    }
    let series = |name: &str| super::value(&found, name);
    match series("seconds") {
        Some(Value::Histogram(buckets)) => assert_eq!(buckets.count, observed),
        other => assert!(other.is_none() && observed == 0, "{other:?}"),
    }
    assert_eq!(series("loss"), gauge.map(Value::Gauge));
}

#[test]
fn fuzz_operations() {
    target!(500, operations);
}
