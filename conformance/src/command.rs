//! Commands that a test starts: each has a deadline, and is killed with all it started.
//!
//! `tests/tidy.rs` holds that nothing here waits in another way.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::wait::{self, PATIENCE};

/// Runs it to its end.
///
/// # Panics
///
/// When it cannot be started, or has not ended within two minutes.
#[track_caller]
pub fn output(command: &mut Command) -> Output {
    output_within(command, PATIENCE)
}

/// The same, for what takes longer.
///
/// # Panics
///
/// When it cannot be started, or has not ended within `limit`.
#[track_caller]
pub fn output_within(command: &mut Command, limit: Duration) -> Output {
    tried(command, limit).unwrap_or_else(|why| panic!("{why}"))
}

/// Whether it can be started, ends within two minutes, and succeeds.
#[must_use]
pub fn succeeds(command: &mut Command) -> bool {
    tried(command, PATIENCE).is_ok_and(|output| output.status.success())
}

/// Runs it to its end. What it prints is in the output, or in the error.
///
/// # Errors
///
/// When it cannot be started, or has not ended within `limit`: then it is killed, with all of
/// its group.
pub fn tried(command: &mut Command, limit: Duration) -> Result<Output, String> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = command
        .spawn()
        .map_err(|err| format!("cannot start {}: {err}", line(command)))?;
    let mut stdout = Drain::of(child.stdout.take());
    let mut stderr = Drain::of(child.stderr.take());
    let until = Instant::now() + limit;
    let left = || until.saturating_duration_since(Instant::now());
    // What it started may hold the streams after its own end. Until then it is not waited for:
    // its number, and so its group's, stays its own.
    let whole = stdout.is_whole(left()) && stderr.is_whole(left());
    let status = whole.then(|| wait::within(left(), || child.try_wait().ok().flatten()));
    if let Some(status) = status.flatten() {
        return Ok(Output {
            status,
            stdout: stdout.text(),
            stderr: stderr.text(),
        });
    }
    kill(&mut child);
    Err(format!(
        "{} has not ended within {limit:?}\nstdout so far:\n{}\nstderr so far:\n{}",
        line(command),
        String::from_utf8_lossy(&stdout.text()),
        String::from_utf8_lossy(&stderr.text())
    ))
}

/// A program that serves a test by answering in lines. It ends with the test.
#[derive(Debug)]
pub struct Server {
    process: Child,
    stdin: Option<ChildStdin>,
    /// A mutex only because two threads cannot share a channel.
    lines: Option<Mutex<Receiver<String>>>,
    started: String,
}

impl Server {
    /// Starts it; a standard stream that is set is left as it is.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> std::io::Result<Self> {
        let mut process = command.process_group(0).spawn()?;
        Ok(Self {
            stdin: process.stdin.take(),
            lines: process.stdout.take().map(lines).map(Mutex::new),
            process,
            started: line(command),
        })
    }

    /// The same with both streams, for questions and answers.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    #[track_caller]
    pub fn answering(command: &mut Command) -> Self {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let started = Self::start(piped);
        started.unwrap_or_else(|err| panic!("cannot start {}: {err}", line(command)))
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The next line that it says.
    ///
    /// # Panics
    ///
    /// When none comes within two minutes.
    #[must_use]
    #[track_caller]
    pub fn line(&mut self) -> String {
        self.next_line()
            .unwrap_or_else(|| panic!("{} says nothing more", self.started))
    }

    /// The same; `None` after the last one.
    ///
    /// # Panics
    ///
    /// When none comes within two minutes.
    #[track_caller]
    pub fn next_line(&mut self) -> Option<String> {
        use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};

        let lines = self.lines.as_mut().expect("its stdout is piped");
        let lines = lines.get_mut().unwrap_or_else(PoisonError::into_inner);
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(Disconnected) => None,
            Err(Timeout) => panic!("{} has said nothing for {PATIENCE:?}", self.started),
        }
    }

    /// Asks in a line, and returns the line that it answers.
    ///
    /// # Panics
    ///
    /// When it is gone, or does not answer within two minutes.
    #[track_caller]
    pub fn ask(&mut self, question: impl std::fmt::Display) -> String {
        let stdin = self.stdin.as_mut().expect("its stdin is piped");
        let asked = writeln!(stdin, "{question}");
        asked.unwrap_or_else(|err| panic!("{} takes no question: {err}", self.started));
        self.line()
    }

    /// Closes its stdin, and waits for its end.
    ///
    /// # Panics
    ///
    /// When it does not end within two minutes.
    #[track_caller]
    pub fn end(mut self) -> ExitStatus {
        drop(self.stdin.take());
        let ended = wait::until(|| self.process.try_wait().ok().flatten());
        ended.unwrap_or_else(|| panic!("{} does not end", self.started))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // One that has ended and been waited for may have left its number to another.
        if matches!(self.process.try_wait(), Ok(None)) {
            kill(&mut self.process);
        }
    }
}

/// Kills a process that leads a group and has not been waited for, with all of the group.
fn kill(process: &mut Child) {
    let group = Pid::from_raw(process.id().cast_signed());
    let _ = killpg(group, Signal::SIGKILL);
    reap(process);
}

/// Waits for a process that has been killed.
pub fn reap(process: &mut Child) {
    let _ = wait::until(|| process.try_wait().ok().flatten());
}

/// As a person would type it.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

fn lines(stdout: impl Read + Send + 'static) -> Receiver<String> {
    let (said, heard) = channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        for line in lines {
            if said.send(line).is_err() {
                return;
            }
        }
    });
    heard
}

/// Reads a stream to its end; other processes may hold it open for too long.
struct Drain {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: std::thread::JoinHandle<()>,
}

impl Drain {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bytes);
        let reader = std::thread::spawn(move || {
            let mut pipe = pipe.expect("it is piped");
            let mut part = [0; 64 << 10];
            while let Ok(length @ 1..) = pipe.read(&mut part) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(&part[..length]);
            }
        });
        Self { bytes, reader }
    }

    /// Whether all of it has come by then.
    fn is_whole(&mut self, limit: Duration) -> bool {
        wait::within(limit, || self.reader.is_finished().then_some(())).is_some()
    }

    fn text(&self) -> Vec<u8> {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::{Server, output, tried};
    use std::process::Command;
    use std::time::Duration;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_command_that_ends_has_its_output() {
        let output = output(&mut shell("echo out; echo err >&2; exit 3"));
        assert_eq!(output.status.code(), Some(3));
        assert_eq!(
            (output.stdout, output.stderr),
            (b"out\n".into(), b"err\n".into())
        );
    }

    #[test]
    fn a_command_that_hangs_is_killed_with_its_children_and_shows_what_it_said() {
        let script = "echo out; echo err >&2; sleep 1000 & echo $! >&2; wait";
        let why = tried(&mut shell(script), Duration::from_secs(5)).unwrap_err();
        assert!(why.starts_with("sh -c echo out"), "{why}");
        assert!(why.contains("stdout so far:\nout\n") && why.contains("stderr so far:\nerr\n"));
        let child = why.lines().last().unwrap();
        let stat = format!("/proc/{child}/stat");
        let gone = crate::wait::until(|| {
            // A zombie has no parent here that would reap it.
            let stat = std::fs::read_to_string(&stat).unwrap_or_default();
            (stat.is_empty() || stat.contains(") Z ")).then_some(())
        });
        assert!(gone.is_some(), "{child} is still there");
    }

    #[test]
    fn a_command_whose_child_holds_its_streams_does_not_hold_the_test() {
        let script = "echo out; sleep 1000 &";
        let why = tried(&mut shell(script), Duration::from_secs(5)).unwrap_err();
        assert!(why.contains("stdout so far:\nout\n"), "{why}");
    }

    #[test]
    fn a_server_answers_in_lines_and_ends_with_its_questions() {
        let mut server =
            Server::answering(&mut shell("while read line; do echo $line $line; done"));
        assert_eq!(server.ask("a"), "a a");
        assert_eq!(server.ask("b"), "b b");
        assert!(server.end().success());
    }
}
