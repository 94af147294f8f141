//! Launchers of distributed training: torchrun and those that bring its agent.
//!
//! A launcher forwards a stop and gives its ranks half a minute, whatever the platform's grace is.
//! So each rank gets the stop once, and the launcher gets it when the first rank is gone. Earlier,
//! the launcher would cut the ranks' time; later, it would restart them.

use std::time::Duration;

use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::{CHILDREN_AT_MOST, executable, last_part};
use crate::contract::launchers as names;
use crate::init::procfs;

/// Where the kernel has no pidfd (before 5.3), /proc is looked at so often while a launcher is
/// held. Recent torchruns look at their ranks ten times a second.
pub(super) const LOOK: Duration = Duration::from_millis(5);

/// With less time than this, only the launcher gets the stop: the time that it gives its ranks is
/// enough.
const WORTHWHILE: Duration = Duration::from_secs(40);

/// What a launcher needs to end by itself after its ranks.
const ENDING: Duration = Duration::from_secs(2);

/// A launcher that is not told yet.
#[derive(Clone, Copy)]
pub(super) struct Launcher {
    /// The latest time at which the launcher gets the stop, so that it can end its ranks itself.
    pub(super) latest: Duration,
}

impl Launcher {
    /// `None` for any other program, and where the time is short.
    pub(super) fn of(process: Pid, now: Duration, until: Duration) -> Option<Self> {
        let mut name = [0; 256];
        let executable = executable(process, &mut name);
        if executable.is_some_and(|name| !name.starts_with(names::INTERPRETER)) {
            return None;
        }
        let mut argv = [0; 4096];
        let argv = procfs::read(process, "cmdline", &mut argv)?;
        let gives = gives(argv)?;
        if until.saturating_sub(now) < WORTHWHILE {
            return None;
        }
        Some(Self {
            latest: until.saturating_sub(gives + ENDING),
        })
    }
}

/// How long a launcher gives its ranks; `None` for any other program. `argv` as the kernel has
/// it, each word with a zero behind it.
fn gives(argv: &[u8]) -> Option<Duration> {
    let mut words = argv.split(|byte| *byte == 0);
    words.next()?;
    let name = program(&mut words)?;
    if name != names::HYPERPODRUN {
        return names::TORCHRUNS
            .contains(&name)
            .then_some(names::TORCHRUN_GIVES);
    }
    let mut configured = None;
    while let Some(word) = words.next() {
        let value = match word.strip_prefix(names::HYPERPODRUN_TIMEOUT) {
            Some([]) => words.next(),
            Some([b'=', value @ ..]) => Some(value),
            _ => continue,
        };
        configured = value.and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
    }
    Some(configured.map_or(names::HYPERPODRUN_GIVES, Duration::from_secs))
}

/// The script's name, or the module's, behind the interpreter's own options.
fn program<'a>(words: &mut impl Iterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
    loop {
        match words.next()? {
            b"-m" => return words.next(),
            b"-c" => return None,
            b"-X" | b"-W" => _ = words.next(),
            [b'-', b'm', module @ ..] => return Some(module),
            [b'-', _, ..] => {}
            script => return Some(last_part(script)),
        }
    }
}

/// A process that a launcher has started.
struct Rank {
    launcher: Pid,
    pid: Pid,
    watch: Option<OwnedFd>,
}

/// The ranks of all launchers that are held.
pub(super) struct Ranks {
    ranks: [Option<Rank>; CHILDREN_AT_MOST],
    /// Becomes readable with any signal.
    signals: Option<SignalFd>,
}

impl Ranks {
    pub(super) const fn none() -> Self {
        Self {
            ranks: [const { None }; CHILDREN_AT_MOST],
            signals: None,
        }
    }

    pub(super) fn watch(&mut self, launcher: Pid, pid: Pid) {
        if let Some(free) = self.ranks.iter_mut().find(|rank| rank.is_none()) {
            *free = Some(Rank {
                launcher,
                pid,
                watch: pidfd_open(pid, PidfdFlags::empty()).ok(),
            });
        }
        if self.signals.is_none() {
            let every = crate::init::signals::every();
            let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
            self.signals = SignalFd::with_flags(&every, flags).ok();
        }
    }

    /// Whether the kernel tells of each end.
    pub(super) fn are_watched(&self) -> bool {
        let mut ranks = self.ranks.iter().flatten();
        self.signals.is_some() && ranks.all(|rank| rank.watch.is_some())
    }

    /// Waits for a signal or the end of a rank; `false` where there is nothing to wait with.
    pub(super) fn wait(&self, timeout: Option<Duration>) -> bool {
        let Some(signals) = &self.signals else {
            return false;
        };
        let mut files: [PollFd<'_>; CHILDREN_AT_MOST + 1] = std::array::from_fn(|place| {
            let rank = place
                .checked_sub(1)
                .and_then(|place| self.ranks[place].as_ref());
            let watch = rank.and_then(|rank| rank.watch.as_ref());
            let file = watch.map_or_else(|| signals.as_fd(), AsFd::as_fd);
            PollFd::from_borrowed_fd(file, PollFlags::IN)
        });
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        // Woken by whatever: the caller looks at everything.
        let _ = poll(&mut files, timeout.as_ref());
        true
    }

    /// Whether one of a launcher's ranks has ended, or it has none.
    pub(super) fn any_gone(&self, launcher: Pid) -> bool {
        let mut of_launcher = self
            .ranks
            .iter()
            .flatten()
            .filter(|rank| rank.launcher == launcher)
            .peekable();
        of_launcher.peek().is_none() || of_launcher.any(|rank| !procfs::is_alive(rank.pid))
    }

    pub(super) fn forget(&mut self, launcher: Pid) {
        for rank in &mut self.ranks {
            if rank.as_ref().is_some_and(|rank| rank.launcher == launcher) {
                *rank = None;
            }
        }
        if self.ranks.iter().all(Option::is_none) {
            self.signals = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::gives;

    #[track_caller]
    fn check(argv: &[&str], seconds: Option<u64>) {
        let argv = argv.join("\0");
        assert_eq!(gives(argv.as_bytes()), seconds.map(Duration::from_secs));
    }

    #[test]
    fn a_launcher_is_known_by_its_script_or_module() {
        for script in ["torchrun", "/usr/bin/torchrun", "/opt/bin/accelerate"] {
            check(&["/usr/bin/python3", script, "train.py"], Some(30));
        }
        for module in ["torch.distributed.run", "torch.distributed.launch"] {
            check(&["python", "-m", module, "train.py"], Some(30));
        }
        check(&["python", "-mtorch.distributed.run", "train.py"], Some(30));
        check(&["python", "-u", "-X", "dev", "torchrun"], Some(30));
        check(&["python", "-W", "-m", "torchrun"], Some(30));
    }

    #[test]
    fn hyperpodrun_gives_its_ranks_the_time_of_its_option() {
        check(&["python", "/opt/bin/hyperpodrun", "train.py"], Some(15));
        let configured = |option: &[&str]| {
            let argv = [&["python", "hyperpodrun"], option, &["train.py"]].concat();
            check(&argv, Some(60));
        };
        configured(&["--shutdown-timeout", "60"]);
        configured(&["--shutdown-timeout=60"]);
        check(&["python", "hyperpodrun", "--shutdown-timeout"], Some(15));
        check(
            &["python", "hyperpodrun", "--shutdown-timeout", "x"],
            Some(15),
        );
    }

    #[test]
    fn any_other_program_is_not_a_launcher() {
        for argv in [
            &["python", "train.py", "torchrun"][..],
            &["python", "-c", "torchrun"],
            &["python", "-m", "training.torchrun"],
            &["python"],
            &["python", "-u"],
            &[""],
        ] {
            check(argv, None);
        }
    }
}
