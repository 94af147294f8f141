//! What several processes do to a region, and what a reader makes of any bytes. Endings of
//! real processes are in `tests/metrics.rs` and with the Python package.

pub(in crate::metrics) mod corrupt;
mod crash;
mod fuzz;
mod interleaved;

use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use expect_test::{Expect, expect};

use super::layout::{Layout, gauge, header};
use super::{
    Aggregate, Buckets, Degraded, Key, Kind, Place, Reader, Region, Snapshot, Value, create,
};
use crate::facts::Facts;

fn here() -> Facts {
    Facts::empty().with_root("/")
}

fn in_directory(run: &Path) -> Facts {
    here().with_var("LYFTLEARN_RUN_DIR", run)
}

fn key(name: &str) -> Key {
    Key::new(name, []).unwrap()
}

fn value(snapshot: &Snapshot, name: &str) -> Option<Value> {
    let mut named = snapshot.series.iter().filter(|series| series.name == name);
    let found = named.next().map(|series| series.value.clone());
    assert!(named.next().is_none(), "{name} is there twice");
    found
}

/// A region of 64 KiB for this test alone.
fn memory() -> &'static [AtomicU64] {
    let words: Vec<AtomicU64> = std::iter::repeat_with(AtomicU64::default)
        .take(8_192)
        .collect();
    let words = Box::leak(words.into_boxed_slice());
    super::create::write_header(words, &here());
    words
}

fn region() -> Region {
    Region::over(memory(), here().pid_namespace().unwrap(), None)
}

fn made(run: &Path) -> Place {
    let mut place = create(run, 1 << 20).unwrap().unwrap();
    place.publish().unwrap();
    place
}

#[test]
fn an_early_reader_waits_until_the_region_is_ready() {
    let run = tempfile::tempdir().unwrap();
    let mut place = create(run.path(), 1 << 20).unwrap().unwrap();
    let facts = in_directory(run.path());
    let region = std::thread::scope(|scope| {
        let early = scope.spawn(|| Region::of(&facts));
        place.publish().unwrap();
        early.join().unwrap()
    });
    assert_eq!(region.degraded(), None);
    region.counter(&key("rows")).add(1);
    let snapshot = Reader::open(run.path()).unwrap().unwrap().snapshot();
    assert_eq!(value(&snapshot.unwrap(), "rows"), Some(Value::Counter(1.0)));
}

#[test]
fn what_one_process_counts_the_other_reads() {
    let run = tempfile::tempdir().unwrap();
    let place = made(run.path());
    assert_eq!(place.bytes(), 1 << 20);
    let region = Region::of(&in_directory(run.path()));
    assert_eq!(region.degraded(), None);
    let other = Region::of(&in_directory(run.path()));

    let rows = Key::new("rows", [("split", "train")]).unwrap();
    region.counter(&rows).add(512);
    assert!(other.counter(&rows).add_float(0.5));
    region.describe("rows", "rows", "What was read.").unwrap();
    region.gauge(key("loss"), Aggregate::Last).set(0.25);
    for seconds in [0.0, 1.0, 1.5, -3.0, f64::NAN] {
        other.histogram(&key("epoch")).observe(seconds);
    }

    let reader = Reader::open(run.path()).unwrap().unwrap();
    let snapshot = reader.snapshot().unwrap();
    assert_eq!(snapshot, region.snapshot());
    assert_eq!(snapshot.refused_values, 1);
    let [rows, loss, epoch] = &snapshot.series[..] else {
        panic!("{snapshot:?}");
    };
    assert_eq!(rows.labels, [("split".to_owned(), "train".to_owned())]);
    assert_eq!(rows.unit.as_deref(), Some("rows"));
    assert_eq!(rows.help.as_deref(), Some("What was read."));
    assert_eq!(rows.value, Value::Counter(512.5));
    assert_eq!((&*loss.name, &loss.value), ("loss", &Value::Gauge(0.25)));
    let buckets = Buckets {
        // 1 ends a bucket; 1.5 lies between 2^(4/8) and 2^(5/8).
        positive: vec![(-1, 1), (4, 1)],
        zero: 1,
        negative: 1,
        count: 4,
        sum: -0.5,
    };
    assert_eq!(epoch.value, Value::Histogram(buckets));
    assert_eq!(epoch.value.kind(), Kind::Histogram);
}

#[test]
fn a_region_is_its_owners_alone_and_a_new_start_begins_at_nothing() {
    use std::os::unix::fs::PermissionsExt;

    let run = tempfile::tempdir().unwrap();
    let path = run.path().join("metrics.region");
    let place = made(run.path());
    Region::of(&in_directory(run.path()))
        .counter(&key("rows"))
        .add(1);
    let link = path.symlink_metadata().unwrap().is_symlink();
    let target = path.canonicalize().unwrap();
    let mode = path
        .symlink_metadata()
        .map(|_| target.metadata().unwrap().permissions().mode());
    assert_eq!(mode.unwrap() & 0o777, 0o600);

    let second = made(run.path());
    let reader = Reader::open(run.path()).unwrap().unwrap();
    assert_eq!(reader.snapshot().unwrap(), Snapshot::default());
    drop((place, second));
    // A region outside the run directory is removed, one inside is removed with the directory.
    assert_eq!(link, !target.exists());
    assert!(create(run.path(), 0).unwrap().is_none());
    assert!(Reader::open(run.path()).unwrap().is_none());
    assert!(path.symlink_metadata().is_err());
}

#[test]
fn the_reason_for_a_private_region_is_reported() {
    let run = tempfile::tempdir().unwrap();
    let path = run.path().join("metrics.region");
    let degraded = |facts: &Facts| Region::of(facts).degraded().unwrap().clone();
    assert_eq!(degraded(&here()), Degraded::Unsupervised);
    let facts = in_directory(run.path());
    assert_eq!(degraded(&facts), Degraded::Absent);
    assert!(!Degraded::Absent.is_surprising());

    std::fs::write(&path, [0; 1 << 16]).unwrap();
    assert_eq!(degraded(&facts), Degraded::Broken(path.clone()));
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_eq!(degraded(&facts), Degraded::Denied(path.clone()));
    check_report(
        run.path(),
        expect![[r#"
        lyftlearn-runtime: cannot read /run/lyftlearn/metrics.region
          because: is a directory
          hint: only the program's user and root may read it
    "#]],
    );
    std::fs::remove_dir(&path).unwrap();
    std::fs::write(&path, "canary").unwrap();
    check_report(
        run.path(),
        expect![[r#"
            lyftlearn-runtime: cannot parse /run/lyftlearn/metrics.region: it is not a region of this version
              hint: lyftlearn-runtime run makes this file; check that nothing else writes to it
        "#]],
    );
}

#[track_caller]
fn check_report(run: &Path, expected: Expect) {
    let read = Reader::open(run).and_then(|reader| reader.unwrap().snapshot());
    let error = read.unwrap_err();
    let shown = error.report();
    let shown = shown.replace(run.to_str().unwrap(), "/run/lyftlearn");
    expected.assert_eq(&shown);
}

#[test]
fn series_without_room_are_counted_as_dropped() {
    let region = region();
    let counted = (0..2_000).filter(|n| {
        let counter = region.counter(&key(&format!("c{n}")));
        counter.add(1);
        region.snapshot().dropped_series == 0
    });
    let counted = counted.count();
    region.gauge(key("late"), Aggregate::Last).set(1.0);
    region.histogram(&key("later")).observe(1.0);
    let snapshot = region.snapshot();
    assert_eq!(snapshot.series.len(), counted);
    assert!(
        snapshot
            .series
            .iter()
            .all(|series| series.value == Value::Counter(1.0))
    );
    assert_eq!(snapshot.dropped_series, 2_000 - counted as u64 + 2);
    assert_eq!(snapshot.damaged_series, 0);
}

#[test]
fn large_numbers_and_fractions_are_exact() {
    let region = region();
    let counter = region.counter(&key("c"));
    counter.add(1 << 53);
    assert!(counter.add_float(1.0) && counter.add_float(1.0));
    assert_eq!(
        value(&region.snapshot(), "c"),
        Some(Value::Counter(9_007_199_254_740_994.0))
    );
    for refused in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(!counter.add_float(refused));
    }
    counter.raise_to(5);
    counter.raise_to(1 << 60);
    assert_eq!(
        value(&region.snapshot(), "c"),
        Some(Value::Counter(2f64.powi(60)))
    );
}

/// Gives the one cell of a gauge to a process that is dead.
fn kill(region: Region) {
    let cells = region.0.layout.cells.clone();
    let lines = region.0.words[header::CELLS_USED].load(Relaxed) as usize / 8;
    for line in 0..lines {
        let owner = &region.0.words[cells.start + line * 8 + gauge::OWNER];
        if super::Owner(owner.load(Relaxed)).is_alive(&here()) {
            owner.store(owner.load(Relaxed) ^ 2, Relaxed);
        }
    }
}

#[test]
fn a_dead_process_s_gauge_shows_until_somebody_takes_its_place() {
    let region = region();
    for (aggregate, name) in [
        (Aggregate::Last, "last"),
        (Aggregate::Sum, "sum"),
        (Aggregate::Max, "max"),
        (Aggregate::Min, "min"),
    ] {
        region.gauge(key(name), aggregate).set(7.0);
        assert_eq!(value(&region.snapshot(), name), Some(Value::Gauge(7.0)));
    }
    kill(region);
    let snapshot = region.snapshot();
    assert_eq!(value(&snapshot, "last"), Some(Value::Gauge(7.0)));
    for gone in ["sum", "max", "min"] {
        assert_eq!(value(&snapshot, gone), None);
    }
    // The cell is taken over, and begins at 0.
    let used = region.0.words[header::CELLS_USED].load(Relaxed);
    let sum = region.gauge(key("sum"), Aggregate::Sum);
    sum.add(2.0);
    sum.add(-0.5);
    assert_eq!(value(&region.snapshot(), "sum"), Some(Value::Gauge(1.5)));
    assert_eq!(region.0.words[header::CELLS_USED].load(Relaxed), used);
}

#[test]
fn only_one_process_reclaims_a_dead_cell() {
    use super::owner::Owner;

    let region = region();
    region.gauge(key("g"), Aggregate::Sum).set(7.0);
    kill(region);
    let layout = Layout::of(region.0.words.len());
    let cell = layout.cells.start;
    let kind = super::kind::of_gauge(Aggregate::Sum);
    // Two that count as alive: this process, and one of another namespace.
    let me = super::Me::within(here().pid_namespace().unwrap()).get();
    let cells: Vec<usize> = std::thread::scope(|scope| {
        let binders = [me, Owner(1)]
            .map(|owner| scope.spawn(move || region.own_cell(&key("g"), kind, owner).unwrap()));
        binders.map(|binder| binder.join().unwrap()).to_vec()
    });
    assert_ne!(cells[0], cells[1]);
    assert!(cells.contains(&cell));
}

#[test]
fn an_unset_gauge_is_no_series() {
    let region = region();
    let kind = super::kind::of_gauge(Aggregate::Last);
    assert!(
        region
            .own_cell(&key("g"), kind, region.0.me.get())
            .is_some()
    );
    assert_eq!(region.snapshot().series, []);
}

#[test]
fn threads_lose_nothing() {
    let region = region();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(move || {
                let (counter, histogram) = (region.counter(&key("c")), region.histogram(&key("h")));
                let gauge = region.gauge(key("g"), Aggregate::Last);
                for _ in 0..25_000 {
                    counter.add(1);
                    assert!(counter.add_float(0.5));
                    histogram.observe(3.0);
                    gauge.add(1.0);
                }
            });
        }
    });
    let snapshot = region.snapshot();
    assert_eq!(value(&snapshot, "c"), Some(Value::Counter(150_000.0)));
    assert_eq!(value(&snapshot, "g"), Some(Value::Gauge(100_000.0)));
    let Some(Value::Histogram(buckets)) = value(&snapshot, "h") else {
        panic!("{snapshot:?}");
    };
    assert_eq!((buckets.count, buckets.sum), (100_000, 300_000.0));
}
