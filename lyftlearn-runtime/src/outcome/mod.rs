//! Why a workload ended: one class, cause first, from what PID 1 saw, what the kernel
//! counted and what the program's own language noted.

mod cause;
mod evidence;
mod exit_code;
mod forms;
#[cfg(test)]
mod fuzz;
mod length;
mod places;
mod redact;

use std::path::PathBuf;

pub(crate) use cause::Exception;
use cause::{Last, Link};
#[cfg(feature = "agent")]
pub(crate) use evidence::class_of;
pub(crate) use evidence::{exceptions, oom_kills};
pub(crate) use exit_code::remapped;
#[cfg(feature = "agent")]
pub(crate) use length::within_units;
pub(crate) use length::{within_bytes, within_characters};
pub(crate) use redact::{Redact, named_secret};
use serde::{Deserialize, Serialize};

use crate::held::Owner;
use crate::signal;
use crate::visible::{visible, visible_line};

/// How long a message may be that is not the cause of a failure, in characters.
const EARLIER_CHARACTERS: usize = 300;

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
    /// Processes that outlived the program and were ended here.
    pub(crate) left_behind: Option<Orphans>,
    /// A signal from outside that is a stop elsewhere, and was not taken for one here.
    pub(crate) no_stop: Option<i32>,
    /// An internal error of the runtime.
    pub(crate) failed: bool,
    /// How long the program ran.
    pub(crate) seconds: f64,
    /// When it ended, in seconds on the monotonic clock, if that is known.
    pub(crate) ended: Option<f64>,
    /// Where the kernel counts kills for memory, and how many they were at the start.
    pub(crate) oom_counter: Option<(PathBuf, u64)>,
    pub(crate) run: Option<PathBuf>,
    pub(crate) owner: Option<Owner>,
    pub(crate) reason_file: Option<PathBuf>,
    /// This node, where it trains together with others.
    pub(crate) host: Option<String>,
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
    /// No route exports the metrics.
    pub(crate) nowhere: bool,
    /// The program is a server.
    pub(crate) serves: bool,
    /// A word of the platform's that the program, a wrapper, was given and that settings
    /// would have had an answer to.
    pub(crate) wrapped: Option<String>,
}

/// Processes that outlived the program and were ended here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Orphans {
    /// How many were sent SIGTERM, or only SIGKILL because their parent was killed.
    pub(crate) count: u32,
    /// How many of them were killed, because they did not end.
    pub(crate) killed: u32,
    /// The names of the first eight, as the kernel has them.
    pub(crate) names: Vec<String>,
}

/// What of the metrics did not arrive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Undelivered {
    /// Values that were not sent; nothing when the agent has not said so in time.
    pub(crate) undelivered: Option<u64>,
    /// Number of series that no route exported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nowhere: Option<u64>,
}

/// What of the job's end did not arrive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Events {
    /// Destinations that it was not delivered to.
    pub(crate) undelivered: u64,
}

/// How far what serves a model is from what trained it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Skew {
    /// Number of undeclared differences.
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

/// Why it ended. The names are a contract: `outcome.json` and docs/stopping.md.
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

/// `outcome.json`.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Outcome {
    pub(crate) class: Class,
    /// For people: the cause, then how it ended.
    pub(crate) reason: String,
    /// How it ended, in one line.
    #[serde(skip)]
    pub(crate) ended: String,
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
    /// This node, where it trains together with others.
    pub(crate) host: Option<String>,
    /// Processes that outlived the program and were ended here.
    pub(crate) left_behind: Option<Orphans>,
    /// Where a model was served that came with a snapshot.
    pub(crate) skew: Option<Skew>,
    /// Where metrics are sent to somebody, or were to be seen by somebody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) metrics: Option<Undelivered>,
    /// Where the end of the job was told to somebody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) events: Option<Events>,
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
        let last = Last {
            program,
            code,
            stopped: end.stop.is_some(),
            time: end.ended,
        };
        let failed = program.is_some() && code != Some(0);
        let link = failed.then(|| cause::link(exceptions, last)).flatten();
        let (exception, earlier) = match link {
            Some(Link::Cause(exception)) => (Some(redact.exception(exception)), None),
            Some(Link::Earlier(exception)) => (None, Some(redact.exception(exception))),
            None => (None, None),
        };
        let class = class(end, signal, oom_kills, exception.as_ref());
        // After a stop a text is no failure, but the program's own account of its end.
        let farewell = exception.as_ref().filter(|_| class == Class::Stopped);
        let farewell = farewell.and_then(Exception::farewell);
        let exception = exception.filter(|_| class == Class::UserError);
        let earlier = earlier.filter(|earlier| match class {
            Class::UserError | Class::Signalled => true,
            // Other processes may fail for many reasons until a stop.
            Class::Stopped | Class::BudgetExceeded => Some(earlier.pid) == program,
            _ => false,
        });
        let mut outcome = Self {
            class,
            reason: String::new(),
            ended: String::new(),
            exit_code: end.exit_code,
            program_exit_code: code,
            signal: signal.map(signal::name),
            stop_signal: end.stop.as_ref().map(|stop| signal::name(stop.signal)),
            seconds_after_stop: end.stop.as_ref().and_then(|stop| stop.seconds),
            seconds: end.seconds,
            oom_kills,
            exception,
            host: end.host.clone(),
            left_behind: end.left_behind.clone(),
            skew: end.skew.clone(),
            metrics: None,
            events: None,
        };
        let mut ended = outcome.ended_by(end);
        for remark in outcome.remarks(end) {
            ended.push_str("; ");
            ended.push_str(&remark);
        }
        outcome.ended = visible(&ended);
        // Cause first; what may have nothing to do with it last.
        let cause = outcome.exception.as_ref().map(|exception| {
            let lines = exception.lines();
            // On this node alone another rank's own note would be the cause.
            if exception.is_by_a_peer() && end.host.is_some() {
                format!("another node ended first: {lines}")
            } else {
                lines
            }
        });
        let earlier = earlier.map(|earlier| earlier.earlier(program));
        let last = farewell.or(earlier).map(|last| {
            let last = visible_line(&last);
            within_characters(&last, EARLIER_CHARACTERS).into_owned()
        });
        let parts = [cause, Some(outcome.ended.clone()), last];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        outcome.reason = parts.join("\n");
        outcome
    }

    /// Actions of this runtime that are visible nowhere else.
    fn remarks(&self, end: &End) -> Vec<String> {
        let mut remarks = Vec::new();
        if let Some(own) = end.how.exit_code().filter(|own| *own != self.exit_code) {
            let code = self.exit_code;
            remarks.push(format!(
                "lifecycle.exit_remap replaced exit code {own} by {code}"
            ));
        }
        if let Some(left) = &self.left_behind {
            remarks.push(left.in_words());
            if end.serves && self.class == Class::Completed {
                remarks.push("a server has to stay in the foreground".to_owned());
            }
        }
        if let (Some(word), Some(127)) = (&end.wrapped, self.program_exit_code) {
            remarks.push(format!(
                "commands.{word} does not reach {word} behind a wrapper: put the wrapper before \
                 lyftlearn-runtime in ENTRYPOINT, or into commands.{word}"
            ));
        }
        if let (Some(signal), None) = (end.no_stop, &end.stop) {
            let signal = signal::name(signal);
            remarks.push(format!(
                "{signal} came from outside and was not taken for a stop: set STOPSIGNAL SIGTERM \
                 in the image, or lifecycle.stop_on"
            ));
        }
        remarks
    }

    /// Whether the log has to be told.
    pub(crate) fn is_of_note(&self, end: &End) -> bool {
        !matches!(self.class, Class::Completed | Class::NotStarted) || !self.remarks(end).is_empty()
    }

    /// Whether the reason says more than the exit code does.
    pub(crate) fn says_more_than_its_code(&self) -> bool {
        match self.class {
            Class::Completed | Class::Signalled => false,
            Class::UserError => self.exception.is_some(),
            Class::OutOfMemory
            | Class::Stopped
            | Class::BudgetExceeded
            | Class::NotStarted
            | Class::RuntimeFailure => true,
        }
    }

    /// The class in words, and how it ended.
    fn ended_by(&self, end: &End) -> String {
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
            Class::UserError if end.killed => {
                format!("user error: still running and killed {after}after {stop}")
            }
            Class::UserError => format!("user error: {ended}"),
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
            Class::RuntimeFailure => format!("internal error in lyftlearn-runtime; {ended}"),
        }
    }
}

fn class(
    end: &End,
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
    // The platform sees only this, and an event must not contradict it.
    let succeeded = end.exit_code == 0;
    let caught_out = !succeeded && exception.is_some_and(|exception| !exception.is_told_to_end());
    if end.killed {
        // It had failed by then, whatever kept its process alive.
        return if caught_out {
            Class::UserError
        } else {
            Class::BudgetExceeded
        };
    }
    let oom = !succeeded && oom_kills.is_some_and(|kills| kills > 0);
    // A SIGKILL that this runtime did not send, and that the kernel counted as an OOM kill.
    if oom && signal == Some(SIGKILL) {
        return Class::OutOfMemory;
    }
    match (end.stop.is_some(), signal) {
        // It was asked to end and did; what it says about its own failure is another thing.
        (true, _) if !caught_out => Class::Stopped,
        (false, _) if succeeded => Class::Completed,
        // Only a child was killed, and the program did not get over it.
        _ if oom => Class::OutOfMemory,
        (_, Some(_)) if !caught_out => Class::Signalled,
        _ => Class::UserError,
    }
}

impl Orphans {
    /// `ended 2 processes that the program left behind: supervisord, sleep`.
    fn in_words(&self) -> String {
        let processes = if self.count == 1 {
            "process"
        } else {
            "processes"
        };
        let mut names = self.names.join(", ");
        if self.count as usize > self.names.len() {
            names.push_str(", …");
        }
        let killed = match self.killed {
            0 => String::new(),
            killed => format!(" ({killed} by SIGKILL)"),
        };
        let count = self.count;
        format!("ended {count} {processes} that the program left behind: {names}{killed}")
    }
}

impl End {
    /// Nothing happened but that the program did what it was there for.
    pub(crate) fn completed(&self) -> bool {
        matches!(self.how, How::Exited { .. } | How::Signalled { .. })
            && self.exit_code == 0
            && !self.killed
            && self.stop.is_none()
            && !self.failed
    }
}

#[cfg(test)]
mod tests;
