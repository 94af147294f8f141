//! Why a workload ended: one class, cause first, from what PID 1 saw, what the kernel
//! counted and what the program's own language noted.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::signal;

/// How long a name or a message from the program may be, in characters.
const MESSAGE_CHARACTERS: usize = 4096;

/// What PID 1 knows of an end. It crosses a process boundary as JSON, and holds no value
/// of a variable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct End {
    pub(crate) how: How,
    /// What this process leaves with.
    pub(crate) exit_code: u8,
    pub(crate) stop: Option<Stopped>,
    /// The program was killed because its time was over.
    pub(crate) killed: bool,
    /// A bug of ours came between.
    pub(crate) failed: bool,
    /// How long the program ran.
    pub(crate) seconds: f64,
    /// Where the kernel counts kills for memory, and how many they were at the start.
    pub(crate) oom_counter: Option<(PathBuf, u64)>,
    pub(crate) run: Option<PathBuf>,
    pub(crate) owner: Option<(u32, u32)>,
    pub(crate) reason_file: Option<PathBuf>,
    /// Names of variables whose values are secrets.
    pub(crate) redact: Vec<String>,
    /// Nothing is to be said on stderr.
    pub(crate) quiet: bool,
    /// Where to keep what a model was trained with, if training has completed.
    pub(crate) snapshot: Option<PathBuf>,
    /// What the model that was served was held against.
    pub(crate) skew: Option<Skew>,
    /// Metrics are sent to somebody.
    pub(crate) pushes: bool,
    /// Metrics are shown to nobody.
    pub(crate) nowhere: bool,
}

/// What of the metrics did not arrive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Undelivered {
    /// Values that were not sent; nothing when the agent has not said so in time.
    pub(crate) undelivered: Option<u64>,
    /// Series that were counted and had nowhere to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nowhere: Option<u64>,
}

/// How far what serves a model is from what trained it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Skew {
    /// Differences that nobody declared.
    pub(crate) undeclared: usize,
    /// The first of them, by path.
    pub(crate) differences: Vec<String>,
    /// Why the snapshot beside the model says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unreadable: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum How {
    Exited {
        code: i32,
        program: Option<i32>,
    },
    Signalled {
        signal: i32,
        program: Option<i32>,
    },
    /// It is still there: not even SIGKILL ended it.
    Unkillable,
    NotStarted {
        report: String,
    },
}

impl Default for How {
    fn default() -> Self {
        Self::NotStarted {
            report: String::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stopped {
    pub(crate) signal: i32,
    /// From the stop to the program's end; none when it never started.
    pub(crate) seconds: Option<f64>,
}

/// Why it ended. The names are a contract: `outcome.json` and CONTRACTS.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Class {
    Completed,
    UserError,
    Signalled,
    OutOfMemory,
    Stopped,
    BudgetExceeded,
    NotStarted,
    RuntimeFailure,
}

impl Class {
    /// As the contract names it.
    #[cfg(feature = "agent")]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::UserError => "user-error",
            Self::Signalled => "signalled",
            Self::OutOfMemory => "out-of-memory",
            Self::Stopped => "stopped",
            Self::BudgetExceeded => "budget-exceeded",
            Self::NotStarted => "not-started",
            Self::RuntimeFailure => "runtime-failure",
        }
    }
}

/// An exception that nobody caught, as the Python package notes it.
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
    /// Seconds on the monotonic clock.
    pub(crate) time: f64,
}

/// `outcome.json`.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Outcome {
    pub(crate) class: Class,
    /// For people: the cause, then how it ended.
    pub(crate) reason: String,
    pub(crate) exit_code: u8,
    /// The program's own exit code, before any remapping.
    pub(crate) program_exit_code: Option<i32>,
    /// The signal that ended the program.
    pub(crate) signal: Option<String>,
    pub(crate) stop_signal: Option<String>,
    pub(crate) seconds_after_stop: Option<f64>,
    pub(crate) seconds: f64,
    /// Processes of this container that the kernel killed for memory meanwhile.
    pub(crate) oom_kills: Option<u64>,
    pub(crate) exception: Option<Exception>,
    /// Where a model was served that came with a snapshot.
    pub(crate) skew: Option<Skew>,
    /// Where metrics are sent to somebody, or were to be seen by somebody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) metrics: Option<Undelivered>,
}

/// Names of exceptions that only pass on that a child failed: the child's own tells more.
const PASSED_ON: &[&str] = &[
    "torch.distributed.elastic.multiprocessing.errors.ChildFailedError",
    "torch.multiprocessing.spawn.ProcessRaisedException",
    "torch.multiprocessing.spawn.ProcessExitedException",
    "subprocess.CalledProcessError",
    "concurrent.futures.process.BrokenProcessPool",
];

/// Of all that were noted the one that tells why: the program's own, unless it only
/// passes on that a child failed; then the first.
pub(crate) fn cause(exceptions: Vec<Exception>, program: Option<i32>) -> Option<Exception> {
    let own = exceptions.iter().position(|exception| {
        Some(exception.pid) == program
            && exception.main_thread
            && !PASSED_ON.contains(&exception.kind.as_str())
    });
    let first = || {
        let times = exceptions.iter().enumerate();
        times
            .min_by(|(_, a), (_, b)| a.time.total_cmp(&b.time))
            .map(|(at, _)| at)
    };
    let at = own.or_else(first)?;
    exceptions.into_iter().nth(at)
}

impl Outcome {
    pub(crate) fn of(
        end: &End,
        exceptions: Vec<Exception>,
        oom_kills_after: Option<u64>,
        redact: &Redact,
    ) -> Self {
        let (code, signal, program) = match end.how {
            How::Exited { code, program } => (Some(code), None, program),
            How::Signalled { signal, program } => (None, Some(signal), program),
            How::Unkillable | How::NotStarted { .. } => (None, None, None),
        };
        let oom_kills = oom_kills_after
            .zip(end.oom_counter.as_ref())
            .map(|(after, (_, before))| after.saturating_sub(*before));
        let exception = cause(exceptions, program)
            .filter(|_| code.is_some_and(|code| code != 0))
            .map(|exception| redact.exception(exception));
        let class = class(end, code, signal, oom_kills, exception.as_ref());
        let exception = exception.filter(|_| class == Class::UserError);
        let mut outcome = Self {
            class,
            reason: String::new(),
            exit_code: end.exit_code,
            program_exit_code: code,
            signal: signal.map(signal::name),
            stop_signal: end.stop.as_ref().map(|stop| signal::name(stop.signal)),
            seconds_after_stop: end.stop.as_ref().and_then(|stop| stop.seconds),
            seconds: end.seconds,
            oom_kills,
            exception,
            skew: end.skew.clone(),
            metrics: None,
        };
        outcome.reason = outcome.reason_of(end);
        outcome
    }

    /// Cause first: platforms cut from the end.
    fn reason_of(&self, end: &End) -> String {
        let ended = match (&end.how, &self.signal) {
            (_, Some(signal)) => format!("{signal} ended the program"),
            (How::Exited { code, .. }, _) => format!("the program ended with exit code {code}"),
            _ => "the program did not end".to_owned(),
        };
        let seconds = self.seconds_after_stop;
        let later = seconds.map_or_else(String::new, |seconds| format!("{seconds:.1} s later "));
        let after = seconds.map_or_else(String::new, |seconds| format!("{seconds:.1} s "));
        let stop = self.stop_signal.as_deref().unwrap_or("a stop");
        match self.class {
            Class::Completed => "the program completed".to_owned(),
            Class::UserError => match &self.exception {
                Some(exception) => format!("{}\nuser error: {ended}", exception.lines()),
                None => format!("user error: {ended}"),
            },
            Class::Signalled => ended,
            Class::OutOfMemory => {
                let kills = self.oom_kills.unwrap_or_default();
                let processes = if kills == 1 { "process" } else { "processes" };
                format!(
                    "out of memory: the kernel killed {kills} {processes} of this container; {ended}"
                )
            }
            Class::Stopped => match &end.how {
                How::NotStarted { .. } => format!("stopped by {stop} before the program started"),
                _ => format!("stopped by {stop}; {later}{ended}"),
            },
            Class::BudgetExceeded => {
                format!("time budget exceeded: still running and killed {after}after {stop}")
            }
            Class::NotStarted => match &end.how {
                How::NotStarted { report } => report.trim_end().to_owned(),
                _ => ended,
            },
            Class::RuntimeFailure => format!("a bug of lyftlearn-runtime came between; {ended}"),
        }
    }
}

fn class(
    end: &End,
    code: Option<i32>,
    signal: Option<i32>,
    oom_kills: Option<u64>,
    exception: Option<&Exception>,
) -> Class {
    const SIGKILL: i32 = 9;
    if let How::NotStarted { .. } = end.how {
        return if end.stop.is_some() {
            Class::Stopped
        } else {
            Class::NotStarted
        };
    }
    if end.failed {
        return Class::RuntimeFailure;
    }
    if end.killed {
        return Class::BudgetExceeded;
    }
    let oom = oom_kills.is_some_and(|kills| kills > 0);
    // A kill that nobody here sent, and one that the kernel counted.
    if oom && signal == Some(SIGKILL) {
        return Class::OutOfMemory;
    }
    let caught_out = exception.is_some_and(|exception| exception.kind != "KeyboardInterrupt");
    match (end.stop.is_some(), code) {
        // It was asked to end and did; what it says about its own failure is another thing.
        (true, _) if !caught_out => Class::Stopped,
        (false, Some(0)) => Class::Completed,
        // Only a child was killed, and the program did not get over it.
        (_, _) if oom => Class::OutOfMemory,
        (_, Some(_)) => Class::UserError,
        (_, None) => Class::Signalled,
    }
}

impl Exception {
    /// `ValueError: message`, and where.
    fn lines(&self) -> String {
        let mut text = self.kind.clone();
        if !self.message.is_empty() {
            text.push_str(": ");
            text.push_str(&self.message);
        }
        if let Some(file) = &self.file {
            text.push_str(&format!("\n  at {file}"));
            if let Some(line) = self.line {
                text.push_str(&format!(":{line}"));
            }
            if let Some(function) = &self.function {
                text.push_str(&format!(" in {function}"));
            }
        }
        text
    }
}

impl End {
    /// Nothing happened but that the program did what it was there for.
    pub(crate) fn completed(&self) -> bool {
        matches!(self.how, How::Exited { code: 0, .. })
            && self.exit_code == 0
            && self.stop.is_none()
            && !self.failed
    }
}

/// Takes secrets out of what the program said.
#[derive(Default)]
pub(crate) struct Redact {
    values: Vec<String>,
}

/// What stands where a secret was.
const REDACTED: &str = "[redacted]";

/// As long as the Python package's notes are at most: what is longer was cut there.
const NOTED_CHARACTERS: usize = 4096;

/// A value shorter than this would take innocent text with it.
const SHORTEST_SECRET: usize = 6;

/// Variables that hold secrets by their names.
const SECRET_WORDS: &[&str] = &[
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "TOKEN",
    "CREDENTIAL",
    "PRIVATE",
    "API_KEY",
    "APIKEY",
    "ACCESS_KEY",
];

/// Whether a variable of this name holds a secret, as far as names tell.
pub(crate) fn named_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    SECRET_WORDS.iter().any(|word| upper.contains(word))
}

impl Redact {
    /// The values of `declared` variables, and of those that are named like secrets.
    pub(crate) fn new<'a>(
        variables: impl Iterator<Item = (&'a str, &'a str)>,
        declared: &[String],
    ) -> Self {
        let mut values: Vec<String> = variables
            .filter(|(name, value)| {
                let by_name = || {
                    value.len() >= SHORTEST_SECRET && !value.starts_with('/') && named_secret(name)
                };
                !value.is_empty() && (declared.iter().any(|known| known == name) || by_name())
            })
            .map(|(_, value)| value.to_owned())
            .collect();
        // The longest first: one may hold another.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self { values }
    }

    /// The same, for secrets by their values: as they are, in base64 and in a URL.
    pub(crate) fn with(mut self, secrets: Vec<String>) -> Self {
        use base64::Engine;
        use base64::engine::general_purpose::{
            STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD,
        };

        for secret in secrets {
            let secret = secret.trim_end_matches('\n');
            if secret.len() < SHORTEST_SECRET {
                continue;
            }
            self.values.push(secret.to_owned());
            for engine in [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD] {
                self.values.push(engine.encode(secret));
            }
            self.values.push(in_a_url(secret));
        }
        self.values
            .sort_by_key(|value| std::cmp::Reverse(value.len()));
        self.values.dedup();
        self
    }

    /// Redacted first and cut then: a value that the limit cut through would not be
    /// known again.
    pub(crate) fn text(&self, text: &str) -> String {
        let was_cut = text.chars().nth(NOTED_CHARACTERS - 1).is_some();
        let redacted = self.values.iter().fold(text.to_owned(), |text, value| {
            text.replace(value.as_str(), REDACTED)
        });
        let redacted = self.without_parts(&redacted, was_cut);
        redacted.chars().take(MESSAGE_CHARACTERS).collect()
    }

    /// Without the part of a value that lies at an edge: whoever noted the text may have cut it
    /// there. A text that is as long as notes are was cut, and then any part goes.
    fn without_parts(&self, text: &str, was_cut: bool) -> String {
        let least = if was_cut { 1 } else { SHORTEST_SECRET };
        let values = || self.values.iter().map(|value| value.as_bytes());
        let end = values().map(|value| overlap(text.bytes(), value.iter().copied(), value.len()));
        let end = end.max().filter(|length| *length >= least);
        let kept = &text[..text.len() - end.unwrap_or_default()];
        let beginning = values().map(|value| {
            let backwards = value.iter().rev().copied();
            overlap(kept.bytes().rev(), backwards, value.len())
        });
        let beginning = beginning.max().filter(|length| *length >= SHORTEST_SECRET);
        let rest = &kept[beginning.unwrap_or_default()..];
        let mark = |found: Option<usize>| found.map_or("", |_| REDACTED);
        format!("{}{rest}{}", mark(beginning), mark(end))
    }

    fn exception(&self, exception: Exception) -> Exception {
        Exception {
            kind: self.text(&exception.kind),
            message: self.text(&exception.message),
            file: exception.file.map(|file| self.text(&file)),
            function: exception.function.map(|function| self.text(&function)),
            thread: self.text(&exception.thread),
            ..exception
        }
    }
}

/// How many bytes at the end of `text` are the beginning of a value, but not all of it (Knuth,
/// Morris and Pratt: each byte is looked at once).
fn overlap(
    text: impl DoubleEndedIterator<Item = u8>,
    value: impl Iterator<Item = u8>,
    length: usize,
) -> usize {
    let value: Vec<u8> = value.collect();
    let mut tail: Vec<u8> = text.rev().take(length.saturating_sub(1)).collect();
    tail.reverse();
    let mut shorter = vec![0; value.len()];
    let extend = |shorter: &[usize], mut matched: usize, byte: u8| {
        while matched > 0 && value.get(matched) != Some(&byte) {
            matched = shorter[matched - 1];
        }
        matched + usize::from(value.get(matched) == Some(&byte))
    };
    for at in 1..value.len() {
        shorter[at] = extend(&shorter, shorter[at - 1], value[at]);
    }
    tail.into_iter()
        .fold(0, |matched, byte| extend(&shorter, matched, byte))
}

/// With everything escaped that RFC 3986 does not leave as it is.
fn in_a_url(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests;
