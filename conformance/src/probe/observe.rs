//! The probe as an observer: it lets the image's own entry point take its place as PID 1, and traces it
//! from a child. It writes down which files are opened, when each program begins, and when the program prints for
//! the first time.
//!
//! A container's process may trace another without any capability. A process that has taken another
//! user's id hides its links in /proc from a tracer without capabilities; then the path is read from the
//! arguments of its call.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use rustix::process::{PTracer, WaitOptions, WaitStatus, set_ptracer, wait};
use rustix::time::{ClockId, clock_gettime};

use super::say;

/// The observer's file, in the directory that it is given.
pub const OPENED: &str = "opened";
/// The word of a line in it that says that the program has printed.
const PRINTED: &str = "printed";
/// Where that directory is in an image's container.
pub const DIRECTORY: &str = "/.observed";

/// When the entry point began, for the program that is asked how long ago that was.
const BEGAN: &str = "CONFORMANCE_BEGAN";
/// How long the probe itself needs to begin.
const OWN: &str = "CONFORMANCE_OWN";

/// Wait for threads, too.
const ALL: u32 = 0x4000_0000;
/// Stops of a process that has made another one or a thread: by fork, vfork and clone.
const MADE: [i32; 3] = [1, 2, 3];
/// A stop after exec.
const EXEC: i32 = 4;

/// The end of the runtime's path. Its lines are not the program's.
const RUNTIME: &str = "lyftlearn-runtime";

/// Lets `words` take this process's place, traced by a child that writes into `directory`.
pub(super) fn observe(directory: &str, words: &[&str]) -> Result<u8, String> {
    let failed = |err: std::io::Error| format!("cannot start the observer: {err}");
    let own = std::env::current_exe().map_err(failed)?;
    let mut observer = Command::new(own);
    observer
        .args(["probe", "trace", &std::process::id().to_string(), directory])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut observer = observer.spawn().map_err(failed)?;
    // Where the machine lets only parents trace.
    let id = i32::try_from(observer.id()).unwrap_or_default();
    if let Some(id) = rustix::process::Pid::from_raw(id) {
        let _ = set_ptracer(PTracer::ProcessID(id));
    }
    // The end of its stdin tells it to begin; its first line, that it has.
    drop(observer.stdin.take());
    let mut line = String::new();
    if let Some(stdout) = observer.stdout.take() {
        BufReader::new(stdout)
            .read_line(&mut line)
            .map_err(failed)?;
    }
    if line.trim() != "observing" {
        return Err("cannot trace: the engine or the machine forbids it".to_owned());
    }
    become_program(words)
}

fn become_program(words: &[&str]) -> Result<u8, String> {
    let (program, rest) = words
        .split_first()
        .ok_or_else(|| "the image has no entry point".to_owned())?;
    let failed = Command::new(program).args(rest).exec();
    Err(format!("cannot start {program}: {failed}"))
}

/// Traces a process and all that it starts, until the last of them has ended.
pub(super) fn trace(pid: i32, directory: &str) -> Result<(), String> {
    let mut until_ready = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut until_ready);
    let failed = |err: Errno| format!("cannot trace: {err}");
    let mut observer = Observer::new(Path::new(directory))?;
    let first = Pid::from_raw(pid);
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACEEXEC;
    ptrace::seize(first, options).map_err(failed)?;
    ptrace::interrupt(first).map_err(failed)?;
    observer.runtime.insert(first, true);
    let mut told = false;
    loop {
        let (pid, status) = match wait(WaitOptions::from_bits_retain(ALL)) {
            Ok(Some(found)) => found,
            Ok(None) | Err(rustix::io::Errno::INTR) => continue,
            // No process is left.
            Err(_) => return Ok(()),
        };
        let pid = Pid::from_raw(pid.as_raw_nonzero().get());
        let signal = observer.stopped(pid, status);
        if status.stopped() {
            // A process that was killed meanwhile is gone.
            let _ = ptrace::syscall(pid, signal);
        }
        if !told {
            say("observing")?;
            told = true;
        }
    }
}

struct Observer {
    file: File,
    began: Instant,
    known: BTreeSet<PathBuf>,
    /// Processes and threads: whether they run the runtime, or the probe before the entry point.
    runtime: BTreeMap<Pid, bool>,
    /// Whether the program has printed.
    printed: bool,
}

impl Observer {
    fn new(directory: &Path) -> Result<Self, String> {
        let path = directory.join(OPENED);
        let file = File::create(&path);
        Ok(Self {
            file: file.map_err(|err| format!("cannot write {}: {err}", path.display()))?,
            began: Instant::now(),
            known: BTreeSet::new(),
            runtime: BTreeMap::new(),
            printed: false,
        })
    }

    /// Looks at one stop; the signal that the process is to get.
    fn stopped(&mut self, pid: Pid, status: WaitStatus) -> Option<Signal> {
        let Some(stop) = status.stopping_signal() else {
            // It has ended, and its number may be used again.
            self.runtime.remove(&pid);
            return None;
        };
        let event = status.as_raw() >> 16;
        if event == EXEC {
            self.began_program(pid);
        } else if stop == libc::SIGTRAP | 0x80 {
            self.called(pid);
        } else if event == 0 {
            // A real-time signal has no name here, and is held back.
            return Signal::try_from(stop).ok();
        } else if MADE.contains(&event) {
            self.made(pid);
        }
        None
    }

    fn began_program(&mut self, pid: Pid) {
        let path = std::fs::read_link(format!("/proc/{pid}/exe"));
        let path = path.unwrap_or_else(|_| PathBuf::from("?"));
        let runtime = path.file_name().is_some_and(|name| name == RUNTIME);
        self.runtime.insert(pid, runtime);
        self.write("exec", &path);
        // The kernel itself opens the program and its loader.
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        for line in maps.lines() {
            if let Some(at) = line.find('/') {
                self.found(Path::new(&line[at..]));
            }
        }
    }

    /// A new process or thread runs what its maker runs. It stops by itself, and is let go then; it may even have
    /// become another program by now.
    fn made(&mut self, pid: Pid) {
        let other = ptrace::getevent(pid).ok();
        if let Some(other) = other.and_then(|other| i32::try_from(other).ok()) {
            let runtime = self.runtime.get(&pid).copied().unwrap_or(true);
            self.runtime.entry(Pid::from_raw(other)).or_insert(runtime);
        }
    }

    /// Before and after a system call.
    fn called(&mut self, pid: Pid) {
        let Ok(registers) = ptrace::getregs(pid) else {
            return;
        };
        if !self.printed && prints(&registers) && self.runtime.get(&pid) == Some(&false) {
            self.printed = true;
            self.write(PRINTED, Path::new("/"));
        }
        let Some((descriptor, path_at)) = opened(&registers) else {
            return;
        };
        let link = format!("/proc/{pid}/fd/{descriptor}");
        let found = match std::fs::read_link(&link) {
            Ok(path) => path,
            Err(_) => match text_at(pid, path_at) {
                Some(path) if path.is_absolute() => path.canonicalize().unwrap_or(path),
                _ => return,
            },
        };
        self.found(&found);
    }

    fn found(&mut self, path: &Path) {
        if !path.is_absolute() || self.known.contains(path) {
            return;
        }
        // Files that the kernel makes while they are read are not files of an image or a volume.
        let made = ["/proc", "/sys", "/dev", DIRECTORY, "/.conformance"];
        if made.iter().any(|made| path.starts_with(made)) {
            return;
        }
        if path.metadata().is_ok_and(|about| about.is_file()) {
            self.known.insert(path.to_owned());
            self.write("open", path);
        }
    }

    fn write(&mut self, what: &str, path: &Path) {
        let micros = self.began.elapsed().as_micros();
        let path = path.to_string_lossy();
        // One write for each line, so that a reader sees whole lines.
        if !path.contains('\n') {
            let _ = self
                .file
                .write_all(format!("{micros} {what} {path}\n").as_bytes());
        }
    }
}

/// Whether a process is about to write to its stdout or stderr.
#[cfg(target_arch = "x86_64")]
fn prints(registers: &libc::user_regs_struct) -> bool {
    let call = registers.orig_rax.cast_signed();
    // The kernel sets this error number before each call.
    let before = registers.rax.cast_signed() == -i64::from(libc::ENOSYS);
    before
        && (call == libc::SYS_write || call == libc::SYS_writev)
        && matches!(registers.rdi, 1 | 2)
}

#[cfg(target_arch = "aarch64")]
fn prints(registers: &libc::user_regs_struct) -> bool {
    let call = registers.regs[8].cast_signed();
    // This register shows whether the call has returned.
    let before = registers.regs[7] == 0;
    before
        && (call == libc::SYS_write || call == libc::SYS_writev)
        && matches!(registers.regs[0], 1 | 2)
}

/// The descriptor that a process was given for a file, and where in its memory the path is; `None` where
/// it opened nothing.
#[cfg(target_arch = "x86_64")]
fn opened(registers: &libc::user_regs_struct) -> Option<(i64, u64)> {
    // Before the call this is an error number.
    let result = registers.rax.cast_signed();
    let path = match registers.orig_rax.cast_signed() {
        libc::SYS_open | libc::SYS_creat => registers.rdi,
        libc::SYS_openat | libc::SYS_openat2 => registers.rsi,
        _ => return None,
    };
    (result >= 0).then_some((result, path))
}

#[cfg(target_arch = "aarch64")]
fn opened(registers: &libc::user_regs_struct) -> Option<(i64, u64)> {
    let call = registers.regs[8].cast_signed();
    let result = registers.regs[0].cast_signed();
    // This register shows whether the call has returned.
    let over = registers.regs[7] == 1;
    let opens = call == libc::SYS_openat || call == libc::SYS_openat2;
    (over && opens && result >= 0).then_some((result, registers.regs[1]))
}

/// A path in another process's memory.
fn text_at(pid: Pid, at: u64) -> Option<PathBuf> {
    let mut bytes = Vec::new();
    while bytes.len() < 4096 {
        let word = usize::try_from(at).ok()?.checked_add(bytes.len())?;
        let word = ptrace::read(pid, std::ptr::without_provenance_mut(word)).ok()?;
        for byte in word.to_ne_bytes() {
            if byte == 0 {
                return Some(PathBuf::from(String::from_utf8(bytes).ok()?));
            }
            bytes.push(byte);
        }
    }
    None
}

fn micros() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1000
}

/// Lets `words` take this process's place; the program that they start can tell how long that took.
pub(super) fn begin(words: &[&str]) -> Result<u8, String> {
    let failed = |err: std::io::Error| format!("cannot start the probe: {err}");
    let own = std::env::current_exe().map_err(failed)?;
    let mut spent = i64::MAX;
    // The first time it is not in memory yet, and any time another process may be in its way: the
    // shortest is its own.
    for _ in 0..3 {
        let began = micros();
        let mut again = Command::new(&own);
        again
            .args(["probe", "since"])
            .env(BEGAN, began.to_string())
            .env(OWN, "0");
        let output = crate::command::tried(&mut again, std::time::Duration::from_secs(10))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let took = said.split_whitespace().last();
        spent = spent.min(took.and_then(|word| word.parse().ok()).unwrap_or(0));
    }
    let (program, rest) = words
        .split_first()
        .ok_or_else(|| "the image has no entry point".to_owned())?;
    let mut command = Command::new(program);
    command
        .args(rest)
        .env(OWN, spent.to_string())
        .env(BEGAN, micros().to_string());
    Err(format!("cannot start {program}: {}", command.exec()))
}

/// Says how many microseconds ago the entry point began, without the probe's own.
pub(super) fn since() -> Result<(), String> {
    let now = micros();
    let number = |name: &str| -> Result<i64, String> {
        let value = std::env::var(name).map_err(|_| format!("{name} is not set"))?;
        value.parse().map_err(|_| format!("{name} is not a number"))
    };
    say(&format!(
        "since: {}",
        (now - number(BEGAN)? - number(OWN)?).max(0)
    ))
}

/// What an observer has written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Programs that began: microseconds, path, and how many files had been opened before.
    pub programs: Vec<(u64, String, usize)>,
    /// Regular files by their paths, each once, in the order in which they were first opened.
    pub files: Vec<String>,
    /// How many files had been opened when the program first printed; `None` if it has not.
    pub printed: Option<usize>,
}

impl Opened {
    /// Reads the observer's file.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut opened = Self::default();
        for line in text.lines() {
            let mut words = line.splitn(3, ' ');
            let (Some(micros), Some(what), Some(path)) = (words.next(), words.next(), words.next())
            else {
                continue;
            };
            match what {
                "exec" => {
                    let micros = micros.parse().unwrap_or_default();
                    opened
                        .programs
                        .push((micros, path.to_owned(), opened.files.len()));
                }
                PRINTED => opened.printed = Some(opened.files.len()),
                _ => opened.files.push(path.to_owned()),
            }
        }
        opened
    }
}

#[cfg(test)]
mod tests {
    use super::Opened;

    #[test]
    fn what_an_observer_wrote_is_read_as_far_as_it_is_whole() {
        let text = "10 exec /bin/a\n20 open /lib/x y.so\n30 exec /bin/b\n35 printed /\n40 open /etc/b\n50 ope";
        let opened = Opened::read(text);
        assert_eq!(opened.files, ["/lib/x y.so", "/etc/b"]);
        let programs = [(10, "/bin/a".to_owned(), 0), (30, "/bin/b".to_owned(), 1)];
        assert_eq!(opened.programs, programs);
        assert_eq!(opened.printed, Some(1));
    }
}
