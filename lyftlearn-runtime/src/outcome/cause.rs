//! Which of the notes of a container's processes says why the program ended.
//!
//! A note alone proves nothing: programs try things in other processes and go on when they
//! fail. It counts when the process that wrote it is the program, or when its end led to the
//! program's.

use serde::{Deserialize, Serialize};

/// How long before the program's end another process ended that led to it, in seconds.
const LED_TO_IT: f64 = 1.0;

/// An uncaught exception, or the text of an exit, as the Python package records it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Exception {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) message: String,
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u64>,
    pub(crate) function: Option<String>,
    pub(crate) pid: i32,
    #[serde(default)]
    pub(crate) thread: String,
    #[serde(default)]
    pub(crate) main_thread: bool,
    /// The process's place among those that a launcher started.
    #[serde(default)]
    pub(crate) rank: Option<u32>,
    /// Seconds on the monotonic clock.
    pub(crate) time: f64,
    /// The exception that this one was raised from, the first of the chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<Root>,
    /// What links it to the program's end.
    #[serde(flatten, skip_serializing)]
    pub(crate) origin: Origin,
}

/// The exception at the beginning of a chain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Root {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) message: String,
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u64>,
    pub(crate) function: Option<String>,
}

/// The process that wrote a note.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct Origin {
    /// Its ancestors, parent first.
    #[serde(default)]
    pub(crate) parents: Vec<i32>,
    /// When it was started, on the monotonic clock.
    pub(crate) started: Option<f64>,
    /// When it began to end; absent in a process that was killed then.
    pub(crate) ended: Option<f64>,
    /// What it ends with; absent for a thread, and for a text that may have been caught.
    pub(crate) exit_code: Option<i32>,
    /// The program only passed the exception to `sys.excepthook`, and went on.
    #[serde(default)]
    pub(crate) logged: bool,
}

/// How the program ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Last {
    pub(super) program: Option<i32>,
    /// `None` if a signal ended it.
    pub(super) code: Option<i32>,
    pub(super) stopped: bool,
    /// On the monotonic clock; `None` where it is not known.
    pub(super) time: Option<f64>,
}

/// What a note has to do with the end.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Link {
    Cause(Exception),
    /// It may have nothing to do with it.
    Earlier(Exception),
}

/// Exit codes of a shell whose child crashed, as one may in its teardown after an exception: SIGILL,
/// SIGABRT, SIGBUS, SIGFPE and SIGSEGV.
const CRASHES: &[i32] = &[132, 134, 135, 136, 139];

/// Exceptions that only report that a child failed: the child's own tells more.
const PASSED_ON: &[&str] = &[
    "torch.distributed.elastic.multiprocessing.errors.ChildFailedError",
    "torch.multiprocessing.spawn.ProcessRaisedException",
    "torch.multiprocessing.spawn.ProcessExitedException",
    "subprocess.CalledProcessError",
    "concurrent.futures.process.BrokenProcessPool",
    "joblib.externals.loky.process_executor.TerminatedWorkerError",
];

const KEYBOARD_INTERRUPT: &str = "KeyboardInterrupt";
const SYSTEM_EXIT: &str = "SystemExit";

/// What a program ends by that was told to: after a stop it is no failure.
const TOLD_TO_END: &[&str] = &[
    KEYBOARD_INTERRUPT,
    SYSTEM_EXIT,
    "torch.distributed.elastic.multiprocessing.api.SignalException",
];

/// What a rank of distributed training says when another one is gone: gloo, NCCL, torch's
/// TCPStore.
const BY_A_PEER: &[&str] = &[
    "Connection closed by peer",
    "Connection reset by peer",
    "remote process exited or there was a network error",
    "Broken pipe",
];

/// What torchrun itself raises when its store is gone, which one of the nodes holds; its cause is a
/// closed connection then. A store that was never reached has another cause.
const STORE_IS_GONE: &str = "torch.distributed.elastic.rendezvous.api.RendezvousConnectionError";

/// Those of launchers, which stop the other workers first: that takes a while.
const PASSED_ON_LATE: &str = "torch.";

/// The note that tells most about the end; without one that led to it, the last.
pub(super) fn link(notes: Vec<Exception>, last: Last) -> Option<Link> {
    if let Some(cause) = cause(&notes, last) {
        return Some(Link::Cause(cause.clone()));
    }
    // A signal says more than an interrupt that it has led to.
    let signalled = last.code.is_none();
    let notes = notes
        .into_iter()
        .filter(|note| !signalled || note.kind != KEYBOARD_INTERRUPT);
    let latest = notes.max_by(|a, b| a.time.total_cmp(&b.time));
    latest.map(Link::Earlier)
}

fn cause(notes: &[Exception], last: Last) -> Option<&Exception> {
    let mut found = own(notes, last).or_else(|| childs(notes, last))?;
    // A launcher may run under another one.
    for _ in 0..notes.len() {
        match passed_on(notes, found) {
            Some(childs) => found = childs,
            None => break,
        }
    }
    Some(found)
}

/// The program's own: its main thread's, else that of a thread that has just died.
fn own(notes: &[Exception], last: Last) -> Option<&Exception> {
    let own = || notes.iter().filter(|note| Some(note.pid) == last.program);
    // An exception of the main thread ends the program even if a signal ends the process: its
    // teardown crashes, or another thread keeps it alive until it is killed.
    let main = own()
        .filter(|note| note.main_thread && !note.origin.logged)
        .filter(|note| last.code.is_some() || !note.is_told_to_end())
        // A text to end with says nothing about another exit code.
        .filter(|note| note.kind != SYSTEM_EXIT || note.origin.exit_code == last.code)
        .max_by(|a, b| a.time.total_cmp(&b.time));
    // If a stop's signal ended the program, no thread did.
    let counts = last.code.is_some() || !last.stopped;
    // An exception that the main thread has logged ends the program if that exits at once.
    let logged = |note: &Exception| note.origin.logged && note.origin.exit_code == last.code;
    let threads = own().filter(|note| counts && (!note.main_thread || logged(note)));
    let thread = first(threads.filter(|note| just_before(note, last.time)));
    // A thread that has failed may interrupt the main thread (`_thread.interrupt_main`).
    let interrupted = |main: &&Exception| !last.stopped && main.kind == KEYBOARD_INTERRUPT;
    let by_thread = main
        .filter(interrupted)
        .and_then(|main| thread.filter(|thread| thread.time <= main.time));
    by_thread.or(main).or(thread)
}

/// That of a process below the program, which ended just before and with the same code.
fn childs(notes: &[Exception], last: Last) -> Option<&Exception> {
    let program = last.program?;
    let before = notes.iter().filter(|note| just_before(note, last.time));
    match last.code {
        Some(code) => nearest(
            before.filter(|note| {
                note.origin.exit_code == Some(code)
                    || (CRASHES.contains(&code) && !note.is_told_to_end() && !note.origin.logged)
            }),
            program,
        ),
        // A shell receives a stop when its children have ended, and dies of it whatever they
        // have ended with. What fails afterwards fails because its parent is gone.
        None if last.stopped => nearest(
            before
                .filter(|note| note.origin.parents.first() == Some(&program))
                .filter(|note| last.time.is_none_or(|end| note.time <= end)),
            program,
        ),
        None => None,
    }
}

/// What `note` only passes on.
fn passed_on<'a>(notes: &'a [Exception], note: &Exception) -> Option<&'a Exception> {
    if !PASSED_ON.contains(&note.kind.as_str()) {
        return None;
    }
    let late = note.kind.starts_with(PASSED_ON_LATE);
    let before = notes
        .iter()
        .filter(|other| other.time <= note.time)
        .filter(|other| late || just_before(other, Some(note.time)));
    nearest(before, note.pid)
}

fn just_before(note: &Exception, end: Option<f64>) -> bool {
    let ended = note.origin.ended.unwrap_or(note.time);
    end.is_none_or(|end| end - ended <= LED_TO_IT)
}

/// Of the records of processes below `ancestor`, the one of the nearest process: it tolerated the
/// failures of its own children. Of several at the same distance the last one, or the first of
/// those that ran at the same time, because its failure made the others fail.
fn nearest<'a>(notes: impl Iterator<Item = &'a Exception>, ancestor: i32) -> Option<&'a Exception> {
    let below: Vec<_> = notes
        .filter(|note| note.main_thread)
        .filter_map(|note| {
            let parents = &note.origin.parents;
            let distance = parents.iter().position(|parent| *parent == ancestor)?;
            Some((distance, note))
        })
        .collect();
    let least = below.iter().map(|(distance, _)| *distance).min()?;
    let nearest = || {
        let of = below.iter().filter(|(distance, _)| *distance == least);
        of.map(|(_, note)| *note)
    };
    let last = nearest().max_by(|a, b| a.time.total_cmp(&b.time))?;
    let together = || {
        let since = last.origin.started;
        nearest().filter(move |note| since.is_none_or(|since| note.time >= since))
    };
    // Of ranks those that a peer's end has ended say nothing of the cause.
    first(together().filter(|note| !note.is_by_a_peer())).or_else(|| first(together()))
}

fn first<'a>(notes: impl Iterator<Item = &'a Exception>) -> Option<&'a Exception> {
    notes.min_by(|a, b| a.time.total_cmp(&b.time))
}

impl Exception {
    /// Whether a program that was told to end by a stop ends by it.
    pub(super) fn is_told_to_end(&self) -> bool {
        TOLD_TO_END.contains(&self.kind.as_str())
    }

    /// Whether all that it says is that another process of distributed training is gone.
    pub(super) fn is_by_a_peer(&self) -> bool {
        let message = match &self.cause {
            None if self.rank.is_some() => &self.message,
            Some(root) if self.kind == STORE_IS_GONE => &root.message,
            _ => return false,
        };
        BY_A_PEER.iter().any(|phrase| message.contains(phrase))
    }

    /// The words that a program which was told to end ends with.
    pub(super) fn farewell(&self) -> Option<String> {
        (self.kind == SYSTEM_EXIT).then(|| headline(&self.kind, &self.message))
    }

    /// `ValueError: message`, where, and what it was raised from.
    pub(super) fn lines(&self) -> String {
        let what = headline(&self.kind, &self.message);
        let at = place(self.file.as_deref(), self.line, self.function.as_deref());
        let root = self.cause.as_ref().map(|root| {
            let at = place(root.file.as_deref(), root.line, root.function.as_deref());
            format!("\ncaused by {}{at}", headline(&root.kind, &root.message))
        });
        format!("{what}{at}{}", root.unwrap_or_default())
    }

    /// Where it was, in a line with what it was.
    pub(super) fn earlier(&self, program: Option<i32>) -> String {
        let headline = headline(&self.kind, &self.message);
        match Some(self.pid) == program {
            true if !self.main_thread => format!("earlier, in thread {}: {headline}", self.thread),
            true => format!("earlier: {headline}"),
            false => format!("earlier, in process {}: {headline}", self.pid),
        }
    }
}

fn headline(kind: &str, message: &str) -> String {
    match message {
        "" => kind.to_owned(),
        message => format!("{kind}: {message}"),
    }
}

fn place(file: Option<&str>, line: Option<u64>, function: Option<&str>) -> String {
    let Some(file) = file else {
        return String::new();
    };
    let line = line.map_or_else(String::new, |line| format!(":{line}"));
    let function = function.map_or_else(String::new, |function| format!(" in {function}"));
    format!("\n  at {file}{line}{function}")
}

#[cfg(test)]
mod tests;
