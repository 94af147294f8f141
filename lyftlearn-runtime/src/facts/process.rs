//! Processes, told from each other for as long as a machine runs.

use std::collections::HashSet;

use super::Facts;
use crate::contract::{limits, linux};

/// Clock ticks of a second, as the kernel tells them to all programs (`USER_HZ`).
#[cfg(feature = "cli")]
const TICKS: u64 = 100;

impl Facts {
    /// This boot's identifier.
    pub(crate) fn boot(&self) -> Option<u128> {
        let text = self.kernel_text(linux::BOOT_ID)?;
        u128::from_str_radix(&text.trim().replace('-', ""), 16).ok()
    }

    /// The number of this process's PID namespace.
    pub(crate) fn pid_namespace(&self) -> Option<u64> {
        let link = std::fs::read_link(self.below_root(linux::PID_NAMESPACE.as_ref())?).ok()?;
        let number = link.to_str()?.strip_prefix("pid:[")?.strip_suffix(']')?;
        number.parse().ok()
    }

    /// This process: its pid, and when it started, in clock ticks since the boot.
    pub(crate) fn own_process(&self) -> Option<(u32, u64)> {
        alive(&self.kernel_text(linux::OWN_PROCESS)?)
    }

    /// Whether a process with this start time has ended. If it cannot be determined (no free
    /// descriptor, for example), it counts as running.
    pub(crate) fn has_ended(&self, pid: u32, started: u64) -> bool {
        let stat = linux::OWN_PROCESS.replace("self", &pid.to_string());
        match self.file(stat, limits::KERNEL_FILE_BYTES) {
            Ok(None) => true,
            Ok(Some(stat)) => alive(&String::from_utf8_lossy(&stat)) != Some((pid, started)),
            Err(_) => false,
        }
    }

    /// A process's name, and for how many seconds it runs.
    #[cfg(feature = "cli")]
    pub(crate) fn process(&self, pid: u32) -> Option<(String, u64)> {
        let stat = self.kernel_text(&linux::OWN_PROCESS.replace("self", &pid.to_string()))?;
        let (_, started) = alive(&stat)?;
        let name = stat.split_once('(')?.1.rsplit_once(')')?.0.to_owned();
        let uptime = self.kernel_text(linux::UPTIME)?;
        let uptime: u64 = uptime.split('.').next()?.parse().ok()?;
        Some((name, uptime.saturating_sub(started / TICKS)))
    }

    /// The numbers of all processes; `None` where they cannot be listed.
    pub(crate) fn processes(&self) -> Option<HashSet<u32>> {
        let names = self.entries(linux::PROCESSES).ok()?;
        let numbers = names.iter().filter_map(|name| name.to_str()?.parse().ok());
        // This process is one of them, or there is no /proc.
        Some(numbers.collect::<HashSet<u32>>()).filter(|numbers| !numbers.is_empty())
    }

    fn kernel_text(&self, path: &str) -> Option<String> {
        // A name within it may be anything.
        let bytes = self.file(path, limits::KERNEL_FILE_BYTES).ok()??;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Fields 1 and 22 of proc_pid_stat(5), unless field 3 says that only its exit code is left.
fn alive(stat: &str) -> Option<(u32, u64)> {
    // The name in the second may have blanks and brackets.
    let (before, after) = stat.rsplit_once(')')?;
    let mut fields = after.split_ascii_whitespace();
    let state = fields.next()?;
    let pid = before.split_once(' ')?.0.parse().ok()?;
    let started = fields.nth(18)?.parse().ok()?;
    (!["Z", "X"].contains(&state)).then_some((pid, started))
}

#[cfg(test)]
mod tests {
    use super::{Facts, alive};

    #[test]
    fn a_process_knows_itself_by_both_names() {
        let here = Facts::empty().with_root("/");
        let (pid, started) = here.own_process().unwrap();
        assert_eq!(pid, std::process::id());
        assert!(!here.has_ended(pid, started));
        assert!(here.has_ended(pid, started + 1));
        // Larger than any pid.
        assert!(here.has_ended(1 << 22, started));
        assert!(here.processes().unwrap().contains(&pid));
        let (name, seconds) = here.process(pid).unwrap();
        assert!(!name.is_empty() && seconds < 3600, "{name} {seconds}");
        assert!(here.boot().is_some() && here.pid_namespace().is_some());
        assert_eq!(Facts::empty().own_process(), None);
    }

    #[test]
    fn an_unknown_process_state_counts_as_running() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("proc/7/stat")).unwrap();
        assert!(!Facts::empty().with_root(root.path()).has_ended(7, 1));
    }

    #[test]
    fn a_process_name_may_look_like_fields_and_a_zombie_has_ended() {
        let rest = "1 7 7 0 -1 4194304 5 0 0 0 0 0 0 0 20 0 1 0 4711 8 9";
        assert_eq!(alive(&format!("7 (a) S 1) R {rest}")), Some((7, 4711)));
        assert_eq!(alive(&format!("7 (a) Z {rest}")), None);
        assert_eq!(alive("7 (a) R 1"), None);
    }
}
