//! A writer that swaps like a kubelet, and concurrent readers.
#![expect(
    clippy::disallowed_methods,
    reason = "the kubelet's part, which looks for itself"
)]

use expect_test::expect;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Config, Snapshot};
use crate::facts::Facts;

const DEADLINE: Duration = Duration::from_secs(60);

/// A root, and the kubelet's AtomicWriter on its `/etc/lyftlearn/live`.
struct World {
    root: tempfile::TempDir,
    generation: u64,
}

impl World {
    fn new() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
            generation: 0,
        }
    }

    /// Where a file system in memory is: the kubelet's own for Secrets, and fast enough for
    /// a thousand swaps a second.
    fn in_memory() -> Self {
        let root = tempfile::tempdir_in("/run").or_else(|_| tempfile::tempdir());
        Self {
            root: root.unwrap(),
            generation: 0,
        }
    }

    fn live(&self) -> PathBuf {
        self.root.path().join("etc/lyftlearn/live")
    }

    fn config(&self) -> Config {
        Config::of(&Facts::empty().with_root(self.root.path())).unwrap()
    }

    /// As kubernetes/pkg/volume/util/atomic_writer.go does, step by step.
    fn swap(&mut self, keys: &[(&str, &str)]) {
        self.generation += 1;
        let live = self.live();
        std::fs::create_dir_all(&live).unwrap();
        let data = live.join("..data");
        let old = std::fs::read_link(&data).ok();
        let name = format!("..2026_01_31_10_00_00.{}", self.generation);
        for (key, value) in keys {
            let file = live.join(&name).join(key);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, value).unwrap();
        }
        std::fs::create_dir_all(live.join(&name)).unwrap();
        symlink(&name, live.join("..data_tmp")).unwrap();
        std::fs::rename(live.join("..data_tmp"), &data).unwrap();
        let first = |key: &str| key.split('/').next().unwrap().to_owned();
        for (key, _) in keys {
            // There already, mostly.
            let _ = symlink(Path::new("..data").join(first(key)), live.join(first(key)));
        }
        if let Some(old) = old {
            for entry in std::fs::read_dir(live.join(&old)).unwrap() {
                let entry = entry.unwrap().file_name();
                if !keys.iter().any(|(key, _)| *first(key) == *entry) {
                    std::fs::remove_file(live.join(entry)).unwrap();
                }
            }
            std::fs::remove_dir_all(live.join(old)).unwrap();
        }
    }

    /// Renamed into place: a reader that waits for a change must not see an empty file.
    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.live().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let draft = self.root.path().join("draft");
        std::fs::write(&draft, content).unwrap();
        std::fs::rename(draft, path).unwrap();
    }
}

#[track_caller]
fn check(snapshot: &Snapshot, expected: &[(&str, &str)]) {
    let found: Vec<(&str, &str)> = (snapshot.texts().iter())
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_directory_that_is_not_there_is_empty() {
    check(&World::new().config().snapshot().unwrap(), &[]);
    check(
        &Config::of(&Facts::empty()).unwrap().snapshot().unwrap(),
        &[],
    );
}

#[test]
fn a_files_name_is_the_key_and_its_content_the_value() {
    let world = World::new();
    world.write("threshold", "0.5\n");
    world.write("note", "two\n\n");
    world.write("ranker/weights/bias", "02139");
    world.write("ranker.depth", "");
    world.write(".hidden", "canary");
    world.write("..2026/hidden", "canary");
    symlink("nowhere", world.live().join("dangling")).unwrap();
    symlink(".", world.live().join("loop")).unwrap();
    symlink("threshold", world.live().join("linked")).unwrap();
    check(
        &world.config().snapshot().unwrap(),
        &[
            ("linked", "0.5"),
            ("note", "two\n"),
            ("ranker.depth", ""),
            ("ranker.weights.bias", "02139"),
            ("threshold", "0.5"),
        ],
    );
}

#[test]
fn of_a_volume_what_data_leads_to_counts() {
    let mut world = World::new();
    world.swap(&[("a", "1"), ("b/c", "2")]);
    let config = world.config();
    let first = config.snapshot().unwrap();
    check(&first, &[("a", "1"), ("b.c", "2")]);
    // Added, removed, renamed.
    world.swap(&[("a", "1"), ("d", "2")]);
    let second = config.snapshot().unwrap();
    check(&second, &[("a", "1"), ("d", "2")]);
    assert_eq!(Vec::from_iter(second.differences(&first)), ["b.c", "d"]);
    check(&first, &[("a", "1"), ("b.c", "2")]);
}

#[test]
fn a_later_directory_overrides_an_earlier_one() {
    let root = tempfile::tempdir().unwrap();
    for (file, value) in [("one/a", "1"), ("one/b", "1"), ("two/b", "2")] {
        let file = root.path().join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, value).unwrap();
    }
    let facts = Facts::empty().with_root(root.path()).with_var(
        "LYFTLEARN_RUNTIME_LIVE_DIRS",
        r#"["/one", "/two", "/none"]"#,
    );
    let config = Config::of(&facts).unwrap();
    check(&config.snapshot().unwrap(), &[("a", "1"), ("b", "2")]);
}

#[test]
fn on_sagemaker_it_is_in_the_input_channel() {
    let root = tempfile::tempdir().unwrap();
    let live = root.path().join("opt/ml/input/data/lyftlearn/live");
    std::fs::create_dir_all(&live).unwrap();
    std::fs::write(live.join("a"), "1").unwrap();
    let facts = Facts::empty()
        .with_root(root.path())
        .with_var("LYFTLEARN_RUNTIME_PLATFORM", "sagemaker");
    check(
        &Config::of(&facts).unwrap().snapshot().unwrap(),
        &[("a", "1")],
    );
}

#[test]
fn types_are_what_the_caller_declares() {
    let world = World::new();
    for (name, text) in [
        ("int", "7\n"),
        ("float", "1e-3"),
        ("bool", "true"),
        ("json", "[1]"),
    ] {
        world.write(name, text);
    }
    world.write("note", "canary");
    let snapshot = world.config().snapshot().unwrap();
    assert_eq!(snapshot.int("int").unwrap(), 7);
    assert!((snapshot.float("float").unwrap() - 0.001).abs() < 1e-12);
    assert!(snapshot.bool("bool").unwrap());
    assert_eq!(snapshot.json::<Vec<u32>>("json").unwrap(), [1]);
    expect![[r#"
        lyftlearn-runtime: cannot read note of the live configuration: expected a whole number
    "#]]
    .assert_eq(&snapshot.int("note").unwrap_err().report());
    expect![[r#"
        lyftlearn-runtime: cannot find flot in the live configuration; did you mean float?
    "#]]
    .assert_eq(&snapshot.text("flot").unwrap_err().report());
    assert_eq!(
        format!("{snapshot:?}"),
        r#"{"bool", "float", "int", "json", "note"}"#
    );
}

#[test]
fn every_value_that_cannot_be_used_is_named_at_once() {
    let world = World::new();
    world.write("a", b"canary \xff");
    world.write("b", vec![b'x'; (1 << 20) + 1]);
    world.write("c", vec![b'x'; 1 << 20]);
    world.write("d.e", "canary");
    world.write("d/e", "canary");
    nix::unistd::mkfifo(&world.live().join("f"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    let config = world.config();
    expect![[r#"
        lyftlearn-runtime: cannot use the live configuration
          a in /etc/lyftlearn/live: expected UTF-8
          b in /etc/lyftlearn/live: expected at most 1 MiB
          d.e in /etc/lyftlearn/live: expected one file of this name
          f in /etc/lyftlearn/live: expected a file
    "#]]
    .assert_eq(&config.snapshot().unwrap_err().report());
    for name in ["a", "b", "d.e", "f"] {
        std::fs::remove_file(world.live().join(name)).unwrap();
    }
    assert_eq!(config.snapshot().unwrap().texts().len(), 2);
}

#[test]
fn a_subpath_mount_is_a_problem() {
    let world = World::new();
    let table = world.root.path().join("proc/self/mountinfo");
    std::fs::create_dir_all(table.parent().unwrap()).unwrap();
    let volume = "/var/lib/kubelet/pods/1/volumes/kubernetes.io~configmap/live";
    let line =
        |root: &str, point: &str| format!("9 8 259:1 {root} {point} ro - ext4 /dev/root rw\n");
    let lines = [
        line(volume, "/etc/lyftlearn/live"),
        line(&format!("{volume}/..2026_01/a"), "/etc/lyftlearn/live/a"),
        line(
            &format!("{volume}/..2026_01/b//deleted"),
            "/etc/lyftlearn/live/b",
        ),
        line(&format!("{volume}/..2026_01/c"), "/etc/elsewhere/c"),
    ];
    std::fs::write(table, lines.concat()).unwrap();
    expect![[r#"
        /etc/lyftlearn/live/a is mounted by subPath and never follows its ConfigMap; mount the whole volume
        /etc/lyftlearn/live/b is mounted by subPath and never follows its ConfigMap; it has been replaced since; mount the whole volume"#]].assert_eq(&world.config().problems().join("\n"));
}

#[test]
fn a_file_that_is_written_again_within_one_tick_of_the_clock_is_seen() {
    let world = World::new();
    let config = world.config();
    for value in ["1", "2", "3", "4", "5", "6"] {
        world.write("a", value);
        check(&config.snapshot().unwrap(), &[("a", value)]);
    }
}

/// Starts to wait, calls `make`, and returns the result of the wait.
#[track_caller]
fn after(config: &Config, make: impl FnOnce()) -> Snapshot {
    let since = config.snapshot().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| config.changed(&since, Some(DEADLINE)));
        make();
        waiting
            .join()
            .unwrap()
            .unwrap()
            .expect("no change was seen")
    })
}

#[test]
fn every_kind_of_change_ends_the_waiting() {
    let mut world = World::new();
    let config = world.config();
    check(
        &after(&config, || world.write("deep/a", "1")),
        &[("deep.a", "1")],
    );
    check(
        &after(&config, || world.write("deep/a", "2")),
        &[("deep.a", "2")],
    );
    let live = world.live();
    let renamed = after(&config, || {
        std::fs::rename(live.join("deep/a"), live.join("b")).unwrap()
    });
    check(&renamed, &[("b", "2")]);
    check(
        &after(&config, || std::fs::remove_dir_all(&live).unwrap()),
        &[],
    );
    check(&after(&config, || world.swap(&[("a", "1")])), &[("a", "1")]);
    check(&after(&config, || world.swap(&[("a", "2")])), &[("a", "2")]);
}

#[test]
fn a_directory_that_is_itself_a_link_is_followed() {
    let world = World::new();
    let parent = world.root.path().join("etc/lyftlearn");
    for (name, value) in [("one", "1"), ("two", "2")] {
        std::fs::create_dir_all(parent.join(name)).unwrap();
        std::fs::write(parent.join(name).join("a"), value).unwrap();
    }
    symlink("one", world.live()).unwrap();
    let config = world.config();
    check(&config.snapshot().unwrap(), &[("a", "1")]);
    let second = after(&config, || {
        symlink("two", parent.join("temporary")).unwrap();
        std::fs::rename(parent.join("temporary"), world.live()).unwrap();
    });
    check(&second, &[("a", "2")]);
}

#[test]
fn the_same_content_is_no_change() {
    let mut world = World::new();
    world.swap(&[("a", "1")]);
    let config = world.config();
    let since = config.snapshot().unwrap();
    let watch = config.watch().unwrap();
    world.swap(&[("a", "1")]);
    assert_eq!(watch.look().unwrap(), since);
    assert_eq!(config.changed(&since, Some(Duration::ZERO)).unwrap(), None);
}

#[test]
fn no_watch_is_left_behind_by_swaps() {
    let mut world = World::new();
    world.swap(&[("a", "0")]);
    let config = world.config();
    let watch = config.watch().unwrap();
    for generation in 1..200 {
        let value = generation.to_string();
        world.swap(&[("a", &value)]);
        check(&watch.look().unwrap(), &[("a", &value)]);
    }
    assert_eq!(watch.watched.lock().unwrap().len(), 2);
}

/// What every key of a generation holds; keys come and go as well.
fn keys(generation: u64) -> Vec<String> {
    let count = if generation.is_multiple_of(2) { 50 } else { 49 };
    (0..count)
        .map(|number| format!("key-{number:02}"))
        .collect()
}

/// Reads until `end`: every set is of one generation. Returns reads and generations.
fn read_until(end: &AtomicBool, read: impl Fn() -> Snapshot) -> (u64, u64) {
    let (mut reads, mut generations, mut last) = (0, 0, 0);
    while !end.load(Ordering::Acquire) {
        let snapshot = read();
        let generation: u64 = snapshot.text("key-00").unwrap().parse().unwrap();
        assert_eq!(
            Vec::from_iter(snapshot.texts().keys()),
            Vec::from_iter(&keys(generation)),
            "of generation {generation}"
        );
        for (name, value) in snapshot.texts() {
            assert_eq!(*value, generation.to_string(), "{name} is torn");
        }
        assert!(generation >= last, "{generation} after {last}");
        generations += u64::from(generation > last);
        (reads, last) = (reads + 1, generation);
    }
    (reads, generations)
}

/// The kubelet's whole work, as fast as the file system has it.
#[test]
fn no_read_is_torn_by_a_kubelets_updates() {
    let mut world = World::in_memory();
    let config = world.config();
    let mut update = |generation: u64| {
        let (names, value) = (keys(generation), format!("{generation}\n"));
        let pairs: Vec<_> = (names.iter())
            .map(|name| (name.as_str(), value.as_str()))
            .collect();
        world.swap(&pairs);
    };
    update(0);
    let end = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| read_until(&end, || config.snapshot_anew().unwrap()));
        (1..=300).for_each(&mut update);
        end.store(true, Ordering::Release);
        let (reads, generations) = reader.join().unwrap();
        println!("{reads} reads, {generations} of 300 generations seen, none torn");
        assert!(generations > 10, "{generations}");
    });
}

/// Making files takes longest: here a round of directories is made before they are swapped
/// in, and each loses a key at once when the next one follows.
#[test]
fn no_read_is_torn_by_a_thousand_swaps_a_second() {
    const ROUNDS: u64 = 20;
    const SWAPS: u64 = 250;
    const PACE: Duration = Duration::from_micros(900);
    let world = World::in_memory();
    let (config, live) = (world.config(), world.live());
    let directory = |generation: u64| live.join(format!("..{generation}"));
    let make = |generation: u64| {
        std::fs::create_dir_all(directory(generation)).unwrap();
        let first = directory(generation).join("key-00");
        std::fs::write(&first, format!("{generation}\n")).unwrap();
        for name in &keys(generation)[1..] {
            // The same content in each: a link is made sooner than a file.
            std::fs::hard_link(&first, directory(generation).join(name)).unwrap();
        }
    };
    let swap = |generation: u64| {
        symlink(format!("..{generation}"), live.join("..data_tmp")).unwrap();
        std::fs::rename(live.join("..data_tmp"), live.join("..data")).unwrap();
    };
    make(0);
    swap(0);
    let mut swapping = Duration::ZERO;
    let (mut reads, mut seen) = (0, 0);
    for round in 0..ROUNDS {
        let generations = round * SWAPS + 1..=(round + 1) * SWAPS;
        generations.clone().for_each(make);
        let end = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| read_until(&end, || config.snapshot().unwrap()));
            let start = Instant::now();
            for generation in generations.clone() {
                // A steady pace: at ten times that, one look takes longer than its directory
                // lasts, and only the last one of a round is ever seen.
                let due = start + PACE * u32::try_from(generation - round * SWAPS - 1).unwrap();
                while Instant::now() < due {
                    std::thread::yield_now();
                }
                swap(generation);
                std::fs::remove_file(directory(generation - 1).join("key-07")).unwrap();
            }
            swapping += start.elapsed();
            end.store(true, Ordering::Release);
            let found = reader.join().unwrap();
            (reads, seen) = (reads + found.0, seen + found.1);
        });
        for generation in generations {
            std::fs::remove_dir_all(directory(generation - 1)).unwrap();
        }
    }
    let rate = f64::from(u32::try_from(ROUNDS * SWAPS).unwrap()) / swapping.as_secs_f64();
    println!("{} swaps, {rate:.0} a second", ROUNDS * SWAPS);
    println!("{reads} reads, {seen} generations seen, none torn");
    assert!(seen > ROUNDS, "{seen}");
}
