//! Really waiting for a stop, in threads and in tokio, with a deadline for each.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "looks at its own threads; a test fails by panicking"
)]

use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use lyftlearn_runtime::shutdown::{Request, Shutdown};
use lyftlearn_runtime::{Error, Facts};
use rustix::process::{Signal, getpid, kill_process};
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(120);

fn run_directory() -> (TempDir, Shutdown) {
    let directory = tempfile::tempdir().unwrap();
    let facts = Facts::empty().with_var("LYFTLEARN_RUN_DIR", directory.path());
    (directory, Shutdown::of(&facts))
}

/// As PID 1 does it: whole, or not at all.
fn put(directory: &Path, name: &str) {
    let temporary = directory.join(".temporary");
    let text = r#"{"signal": "SIGTERM", "requested": 1.5, "deadline": 111.5}"#;
    fs::write(&temporary, text).unwrap();
    fs::rename(temporary, directory.join(name)).unwrap();
}

type Waited = Result<Option<Request>, Error>;

/// Threads that wait, and what each of them got.
struct Waiting {
    name: &'static str,
    threads: usize,
    receive: Receiver<Waited>,
}

fn wait_in_threads(shutdown: &Shutdown, name: &'static str, threads: usize) -> Waiting {
    let (send, receive) = channel();
    for _ in 0..threads {
        let (send, shutdown) = (send.clone(), shutdown.clone());
        let thread = std::thread::Builder::new().name(name.to_owned());
        let run = move || send.send(shutdown.wait(None)).unwrap();
        thread.spawn(run).unwrap();
    }
    Waiting {
        name,
        threads,
        receive,
    }
}

impl Waiting {
    #[track_caller]
    fn got(&self) -> Request {
        self.receive
            .recv_timeout(DEADLINE)
            .unwrap()
            .unwrap()
            .unwrap()
    }

    /// Until all of them hold still in poll(2).
    fn until_blocked(&self) {
        let read = |task: &Path, file| fs::read_to_string(task.join(file)).unwrap_or_default();
        // poll or ppoll, by the numbers of x86-64 and aarch64.
        let blocked = |task: &Path| {
            let call = read(task, "syscall");
            read(task, "comm").trim_end() == self.name
                && matches!(call.split(' ').next(), Some("7" | "271" | "73"))
        };
        let count = || {
            let tasks = fs::read_dir("/proc/self/task").unwrap();
            tasks
                .filter(|task| blocked(&task.as_ref().unwrap().path()))
                .count()
        };
        let deadline = Instant::now() + DEADLINE;
        while count() < self.threads {
            assert!(Instant::now() < deadline, "nobody waits");
            std::thread::yield_now();
        }
    }
}

#[test]
fn one_file_wakes_all_waiting_threads() {
    let (directory, shutdown) = run_directory();
    let waiting = wait_in_threads(&shutdown, "all", 4);
    waiting.until_blocked();
    put(directory.path(), "shutdown.json");
    for _ in 0..4 {
        assert_eq!(waiting.got().deadline, Some(111.5));
    }
}

#[test]
fn a_file_that_comes_while_the_wait_begins_is_not_missed() {
    for _ in 0..200 {
        let (directory, shutdown) = run_directory();
        let waiting = wait_in_threads(&shutdown, "begins", 1);
        put(directory.path(), "shutdown.json");
        assert_eq!(waiting.got().signal, "SIGTERM");
    }
}

#[test]
fn other_files_are_no_stop() {
    let (directory, shutdown) = run_directory();
    let waiting = wait_in_threads(&shutdown, "others", 1);
    waiting.until_blocked();
    for _ in 0..100 {
        put(directory.path(), "workload.json");
    }
    assert!(waiting.receive.try_recv().is_err());
    put(directory.path(), "shutdown.json");
    assert_eq!(waiting.got().requested, 1.5);
}

#[test]
fn a_stop_that_was_asked_for_is_not_waited_for() {
    let (directory, shutdown) = run_directory();
    put(directory.path(), "shutdown.json");
    assert!(shutdown.wait(None).unwrap().is_some());
    assert!(shutdown.wait(Some(Duration::ZERO)).unwrap().is_some());
}

#[test]
fn no_time_is_no_wait() {
    let (_directory, shutdown) = run_directory();
    assert_eq!(shutdown.wait(Some(Duration::ZERO)).unwrap(), None);
}

#[test]
fn a_file_that_is_broken_ends_the_wait_with_an_error() {
    let (directory, shutdown) = run_directory();
    let waiting = wait_in_threads(&shutdown, "broken", 1);
    fs::write(directory.path().join(".temporary"), "canary").unwrap();
    fs::rename(
        directory.path().join(".temporary"),
        directory.path().join("shutdown.json"),
    )
    .unwrap();
    let error = waiting.receive.recv_timeout(DEADLINE).unwrap().unwrap_err();
    assert!(!error.report().contains("canary"), "{error}");
}

/// SIGTERM is one for the whole process, so this is one test.
#[test]
fn a_listening_process_treats_sigterm_as_a_stop() {
    let listening = Shutdown::of(&Facts::empty()).listen().unwrap();
    let (directory, shutdown) = run_directory();
    let supervised = shutdown.listen().unwrap();
    assert_eq!(listening.requested().unwrap(), None);
    let waiting = wait_in_threads(&listening, "listening", 2);
    waiting.until_blocked();
    kill_process(getpid(), Signal::TERM).unwrap();
    for _ in 0..2 {
        let request = waiting.got();
        assert_eq!(
            (request.signal.as_str(), request.deadline),
            ("SIGTERM", None)
        );
    }
    assert_eq!(listening.seconds_left().unwrap(), None);
    assert_eq!(
        listening.requested().unwrap(),
        listening.requested().unwrap()
    );

    let request = supervised.wait(Some(DEADLINE)).unwrap().unwrap();
    assert_eq!(request.deadline, None);
    put(directory.path(), "shutdown.json");
    assert_eq!(
        supervised.requested().unwrap().unwrap().deadline,
        Some(111.5)
    );

    // Without a listener the process survives the signal.
    drop((listening, supervised));
    kill_process(getpid(), Signal::TERM).unwrap();
}

#[cfg(feature = "agent")]
mod asynchronous {
    use super::*;

    fn in_tokio(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime
            .unwrap()
            .block_on(async { tokio::time::timeout(DEADLINE, test).await.unwrap() });
    }

    #[test]
    fn a_future_ends_with_the_stop() {
        in_tokio(async {
            let (directory, shutdown) = run_directory();
            let mut waiting = Vec::new();
            for _ in 0..3 {
                let shutdown = shutdown.clone();
                waiting.push(tokio::spawn(async move { shutdown.wait_async().await }));
            }
            // All of them have begun to wait, and another file is no stop.
            tokio::task::yield_now().await;
            put(directory.path(), "workload.json");
            let short = Duration::from_millis(50);
            let waited = tokio::time::timeout(short, &mut waiting[0]).await;
            assert!(waited.is_err(), "{waited:?}");
            put(directory.path(), "shutdown.json");
            for waiting in waiting {
                assert_eq!(waiting.await.unwrap().unwrap().deadline, Some(111.5));
            }
        });
    }

    #[test]
    fn a_future_that_begins_late_ends_at_once() {
        in_tokio(async {
            let (directory, shutdown) = run_directory();
            put(directory.path(), "shutdown.json");
            assert_eq!(shutdown.wait_async().await.unwrap().requested, 1.5);
        });
    }
}
