//! One command of an engine's: with a deadline, with bounded output, and ended by an interrupt.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::trouble::{Result, Trouble};
use crate::wait;

/// How much of a command's output is kept. A container may write without end.
const KEPT: usize = 4 << 20;

/// The signal that asked the whole run to end; 0 without one.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicUsize>);

impl Stop {
    /// Set by SIGINT and SIGTERM from here on.
    ///
    /// # Errors
    ///
    /// When no handler can be installed.
    pub fn on_signals() -> Result<Self> {
        let stop = Self::default();
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let number = signal as usize;
            signal_hook::flag::register_usize(signal as i32, Arc::clone(&stop.0), number)
                .map_err(|err| Trouble::Cannot(format!("cannot handle {signal}: {err}")))?;
        }
        Ok(stop)
    }

    /// As an error, once a signal has come.
    ///
    /// # Errors
    ///
    /// [`Trouble::Interrupted`].
    pub fn check(&self) -> Result<()> {
        match self.0.load(Ordering::Relaxed) {
            0 => Ok(()),
            signal => Err(Trouble::Interrupted(signal as i32)),
        }
    }
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct Said {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    /// At most four megabytes of stdout; of a merged call stderr, too.
    pub stdout: Vec<u8>,
    /// The same of stderr.
    pub stderr: Vec<u8>,
    /// Whether the deadline ended it.
    pub late: bool,
}

impl Said {
    /// stdout as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim().to_owned()
    }
}

/// How a command is called.
#[derive(Clone, Debug)]
pub struct Call {
    pub(crate) program: String,
    pub(crate) words: Vec<OsString>,
    pub(crate) input: Vec<u8>,
    pub(crate) limit: Duration,
    /// Whether stdout and stderr are one stream.
    pub(crate) merged: bool,
    /// Whether an interrupt ends it at once. A command that makes something must end by itself:
    /// what it makes could not be found and removed otherwise.
    pub(crate) interruptible: bool,
}

impl Call {
    pub(crate) fn new(program: &str, words: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self {
            program: program.to_owned(),
            words: words.into_iter().map(Into::into).collect(),
            input: Vec::new(),
            limit: Duration::from_secs(120),
            merged: false,
            interruptible: false,
        }
    }

    /// As a person would type it.
    pub(crate) fn line(&self) -> String {
        let words = self.words.iter().map(|word| word.to_string_lossy());
        let words: Vec<_> = words.take(3).collect();
        format!("{} {} …", self.program, words.join(" "))
    }

    /// Starts it.
    pub(crate) fn start(self, stop: &Stop) -> Result<Running> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.words)
            .stdin(Stdio::piped())
            // A terminal's Ctrl-C is for this process, which then ends what it started in order.
            .process_group(0);
        let failed =
            |err: std::io::Error| Trouble::Cannot(format!("cannot start {}: {err}", self.program));
        let mut merged = None;
        if self.merged {
            let (reader, writer) = std::io::pipe().map_err(failed)?;
            command.stdout(writer.try_clone().map_err(failed)?);
            command.stderr(writer);
            merged = Some(reader);
        } else {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        let mut child = command.spawn().map_err(failed)?;
        // Its ends of a merged pipe would keep it open.
        drop(command);
        if let Some(mut stdin) = child.stdin.take() {
            let input = self.input.clone();
            // One that ends without reading is no error: its exit code tells.
            std::thread::spawn(move || drop(stdin.write_all(&input)));
        }
        let stdout = match merged {
            Some(reader) => Drain::of(Some(reader)),
            None => Drain::of(child.stdout.take()),
        };
        let stderr = Drain::of(child.stderr.take());
        Ok(Running {
            until: Instant::now() + self.limit,
            interruptible: self.interruptible,
            stop: stop.clone(),
            child,
            stdout,
            stderr,
        })
    }

    /// Runs it to its end, whatever its exit code.
    pub(crate) fn said(self, stop: &Stop) -> Result<Said> {
        self.start(stop)?.finish()
    }
}

/// A command that runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Drain,
    stderr: Drain,
    until: Instant,
    interruptible: bool,
    stop: Stop,
}

impl Running {
    /// What it has said so far on stdout.
    pub(crate) fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.stdout.text()).into_owned()
    }

    /// Whether it has ended.
    pub(crate) fn ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Waits for its end, for its deadline, or for an interrupt.
    pub(crate) fn finish(&mut self) -> Result<Said> {
        loop {
            // An engine's own helper may hold the streams after the command's end.
            if let Ok(Some(status)) = self.child.try_wait() {
                self.stdout.whole(Duration::from_secs(2));
                self.stderr.whole(Duration::from_millis(200));
                return Ok(self.said(status.code(), false));
            }
            if self.interruptible {
                self.stop.check()?;
            }
            if Instant::now() > self.until {
                return Ok(self.said(None, true));
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    fn said(&self, code: Option<i32>, late: bool) -> Said {
        Said {
            code,
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
            late,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = killpg(
                Pid::from_raw(self.child.id().cast_signed()),
                Signal::SIGKILL,
            );
            crate::command::reap(&mut self.child);
        }
    }
}

/// Reads a stream to its end and keeps the first part of it.
#[derive(Debug)]
struct Drain {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Drain {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bytes);
        let reader = pipe.map(|mut pipe| {
            std::thread::spawn(move || {
                let mut part = vec![0; 64 << 10];
                while let Ok(length @ 1..) = pipe.read(&mut part) {
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    let room = KEPT.saturating_sub(kept.len()).min(length);
                    kept.extend_from_slice(&part[..room]);
                }
            })
        });
        Self { bytes, reader }
    }

    fn whole(&self, limit: Duration) {
        let finished = || self.reader.as_ref().is_none_or(JoinHandle::is_finished);
        let _ = wait::within(limit, || finished().then_some(()));
    }

    fn text(&self) -> Vec<u8> {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.clone()
    }
}

/// Words of a command.
pub(super) fn strings<'a>(
    words: impl IntoIterator<Item = &'a (impl AsRef<str> + ?Sized + 'a)>,
) -> Vec<String> {
    words
        .into_iter()
        .map(|word| word.as_ref().to_owned())
        .collect()
}
