//! The world, read and not interpreted: environment, argv, files, mounts, cgroups,
//! devices and the clock, below one root and with size limits.
//!
//! The only module that may read these from the process. The lint in `clippy.toml` enforces it
//! everywhere else.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the module that reads the world"
)]

#[cfg(feature = "cli")]
mod beside;
mod cgroup;
mod files;
mod holder;
mod mounts;
#[cfg(feature = "cli")]
mod network;
mod process;
mod routes;
mod runtime;

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
#[cfg(feature = "cli")]
use std::time::{Duration, SystemTime};

pub(crate) use files::Directory;
pub(crate) use mounts::Mount;
#[cfg(feature = "cli")]
pub(crate) use network::{Connection, Listening, Transport};
pub(crate) use routes::Interface;
#[cfg(any(feature = "agent", feature = "cli"))]
pub(crate) use runtime::Whose;

use crate::contract::{limits, linux};
use crate::error::Error;
use crate::held::Directory as Held;

/// How PID 1 tells its agent what to do, in variables with this prefix: an argument can be read by
/// anybody.
#[cfg(feature = "cli")]
pub(crate) const AGENT_VARIABLE: &str = "LYFTLEARN_AGENT_ORDERS";

/// The same for the process that reports the end.
#[cfg(feature = "cli")]
pub(crate) const END_VARIABLE: &str = "LYFTLEARN_OUTCOME_EVENTS";

/// How a process hands sockets over (sd_listen_fds(3)).
#[cfg(feature = "cli")]
pub(crate) const SOCKETS_VARIABLE: &str = "LISTEN_FDS";

/// Whether a variable is of one process of this runtime alone, so that no other process may get it.
#[cfg(feature = "cli")]
pub(crate) fn is_of_one_process(name: &OsStr) -> bool {
    let sockets = [SOCKETS_VARIABLE, "LISTEN_PID", "LISTEN_FDNAMES"];
    is_of_a_helper(name) || sockets.iter().any(|own| name == *own)
}

#[cfg(feature = "cli")]
fn is_of_a_helper(name: &OsStr) -> bool {
    use std::os::unix::ffi::OsStrExt;

    let prefixes = [AGENT_VARIABLE, END_VARIABLE];
    prefixes
        .iter()
        .any(|prefix| name.as_bytes().starts_with(prefix.as_bytes()))
}

/// The value that a file holds, of files that hold one: a text without the line end that editors,
/// `echo` and `kubectl create secret --from-file` leave behind it; other bytes as they are.
pub(crate) fn one_value(bytes: &[u8]) -> &[u8] {
    let Some(value) = bytes.strip_suffix(b"\n") else {
        return bytes;
    };
    if std::str::from_utf8(value).is_err() {
        return bytes;
    }
    value.strip_suffix(b"\r").unwrap_or(value)
}

/// The world as it was found. Handed in, so that a test is a directory.
///
/// ```
/// use lyftlearn_runtime::{Facts, Platform, resolve};
///
/// let facts = Facts::empty().with_var("KUBERNETES_SERVICE_HOST", "10.0.0.1");
/// assert_eq!(resolve(&facts)?.workload.platform, Platform::Kubernetes);
/// # Ok::<(), lyftlearn_runtime::Error>(())
/// ```
#[derive(Clone)]
pub struct Facts {
    root: Option<PathBuf>,
    vars: Vec<(OsString, OsString)>,
    argv: Vec<OsString>,
    processors: usize,
    /// Paths below it are read through its descriptor.
    held: Option<Held>,
    /// Another user may have put links on the way to a file.
    wary: bool,
}

impl Facts {
    /// The process's own environment and the file system as it is. `argv` is the
    /// program's, without our own words before it.
    #[must_use]
    pub fn capture(argv: Vec<OsString>) -> Self {
        Self {
            root: Some(PathBuf::from("/")),
            vars: std::env::vars_os().collect(),
            argv,
            processors: processors(),
            held: None,
            wary: false,
        }
    }

    /// No variables, no argv, no files: one processor, and nothing else.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            root: None,
            vars: Vec::new(),
            argv: Vec::new(),
            processors: 1,
            held: None,
            wary: false,
        }
    }

    /// Forgets the environment.
    #[must_use]
    pub fn without_vars(mut self) -> Self {
        self.vars.clear();
        self
    }

    /// Adds a variable, or replaces it.
    #[must_use]
    pub fn with_var(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        let name = name.into();
        self.vars.retain(|(known, _)| *known != name);
        self.vars.push((name, value.into()));
        self
    }

    /// Sets the program's argv.
    #[must_use]
    pub fn with_argv<I: Into<OsString>>(mut self, argv: impl IntoIterator<Item = I>) -> Self {
        self.argv = argv.into_iter().map(Into::into).collect();
        self
    }

    /// Reads files below `root`.
    #[must_use]
    pub fn with_root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = Some(root.into());
        self
    }

    /// Reads a directory that another user can change through its descriptor.
    #[cfg(any(feature = "agent", feature = "cli"))]
    pub(crate) fn with_held(mut self, held: Held) -> Self {
        self.held = Some(held);
        self
    }

    /// Follows a link to a file or to a listed directory only where no other user can have created
    /// it: for a process of root's, beside or before a program of another user.
    #[cfg(any(feature = "agent", feature = "cli"))]
    pub(crate) fn wary_of_links(mut self, wary: bool) -> Self {
        self.wary = wary;
        self
    }

    /// Sets the number of processors that the affinity mask allows.
    #[must_use]
    pub fn with_processors(mut self, processors: usize) -> Self {
        self.processors = processors;
        self
    }

    /// The whole environment, in its order.
    #[must_use]
    pub fn vars(&self) -> &[(OsString, OsString)] {
        &self.vars
    }

    /// The environment for a process that is not this runtime's own.
    #[cfg(all(feature = "agent", feature = "cli"))]
    pub(crate) fn for_others(&self) -> Vec<(OsString, OsString)> {
        let vars = self.vars.iter();
        vars.filter(|(name, _)| !is_of_one_process(name))
            .cloned()
            .collect()
    }

    /// Whether this process is the agent, or the one that reports the end.
    #[cfg(all(feature = "agent", feature = "cli"))]
    pub(crate) fn is_of_a_helper(&self) -> bool {
        self.vars.iter().any(|(name, _)| is_of_a_helper(name))
    }

    /// The program's argv, byte for byte.
    #[must_use]
    pub fn argv(&self) -> &[OsString] {
        &self.argv
    }

    /// The text of a variable. Blank counts as unset, because compose files and build specs pass
    /// `NAME=` for values that they do not have. Invalid UTF-8 is replaced, so it matches nothing.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.vars
            .iter()
            .find(|(known, _)| known == name)
            .filter(|(_, value)| !value.is_empty())
            .map(|(_, value)| value.to_string_lossy())
    }

    /// The path in a variable. A relative path is made absolute with this process's directory,
    /// because other processes get it, and PID 1 changes its own directory.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        let path = PathBuf::from(self.text(name)?.as_ref());
        if path.is_absolute() {
            return Some(path);
        }
        // With another root, there is no working directory.
        self.is_here().then(|| std::path::absolute(path).ok())?
    }

    /// How many processors the affinity mask allows.
    pub(crate) fn processors(&self) -> usize {
        self.processors
    }

    /// The program's first word: `train`, `serve`, or anything else. A door opened beside
    /// PID 1 (`kubectl exec`) belongs to the container: unless its own word is one of
    /// the platforms', it is what PID 1, when that is this runtime, was told to run.
    pub(crate) fn first_word(&self) -> Option<OsString> {
        let own = self.argv.first();
        match own.and_then(|word| word.to_str()) {
            Some("train" | "serve") => own.cloned(),
            _ => self.word_of_pid_one().or_else(|| own.cloned()),
        }
    }

    /// `train` or `serve` as the last of several words: what a platform appends to an entry
    /// point that begins with a wrapper of the image's (`/entry.sh serve`).
    pub(crate) fn wrapped_word(&self) -> Option<&str> {
        let [_, .., last] = self.argv.as_slice() else {
            return None;
        };
        last.to_str()
            .filter(|word| ["train", "serve"].contains(word))
    }

    /// What PID 1 was told to run; `None` when it is not this runtime, or when that is
    /// not for us to see (`hidepid`): it is a hint, and nothing depends on it alone.
    pub(crate) fn word_of_pid_one(&self) -> Option<OsString> {
        use std::os::unix::ffi::{OsStrExt, OsStringExt};

        let owned = |word: &[u8]| OsString::from_vec(word.to_vec());
        let line = self.file(linux::INIT_COMMAND_LINE, limits::KERNEL_FILE_BYTES);
        let line = line.ok().flatten()?;
        let mut words = line.split(|byte| *byte == 0);
        let program = Path::new(OsStr::from_bytes(words.next()?)).file_name()?;
        if program != "lyftlearn-runtime" || words.next() != Some(b"run") {
            return None;
        }
        // As the command line itself is read: options of `run` take the next word along.
        while let Some(word) = words.next() {
            match word {
                b"" => break,
                b"--" => return words.next().filter(|word| !word.is_empty()).map(owned),
                b"--signal-scope" => drop(words.next()),
                option if option.starts_with(b"-") => {}
                word => return Some(owned(word)),
            }
        }
        None
    }

    /// This node's name.
    pub(crate) fn hostname(&self) -> Result<String, Error> {
        if let Some(name) = self.text(linux::HOSTNAME) {
            return Ok(name.into_owned());
        }
        let name = self.file(linux::HOSTNAME_FILE, limits::KERNEL_FILE_BYTES)?;
        Ok(name
            .map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "localhost".to_owned()))
    }
}

/// What the wall clock shows, since 1970. Somebody may set it at any time.
#[cfg(feature = "cli")]
pub(crate) fn wall_clock() -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap_or_default()
}

/// The monotonic clock. It cannot be set, and all processes of a container share it.
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) fn monotonic_clock() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::try_from(now).unwrap_or_default()
}

/// Names only: values may be secrets.
impl std::fmt::Debug for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Facts")
            .field("root", &self.root)
            .field(
                "vars",
                &self.vars.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            )
            .field("arguments", &self.argv.len())
            .field("processors", &self.processors)
            .finish()
    }
}

fn processors() -> usize {
    use nix::sched::{CpuSet, sched_getaffinity};

    // A kernel that refuses the question leaves the one processor we run on.
    sched_getaffinity(nix::unistd::Pid::from_raw(0)).map_or(1, |set| {
        (0..CpuSet::count())
            .filter(|cpu| set.is_set(*cpu).unwrap_or(false))
            .count()
            .max(1)
    })
}

#[cfg(test)]
mod tests {
    use super::Facts;

    #[test]
    fn debug_shows_names_and_no_values() {
        let facts = Facts::empty()
            .with_var("DB_PASSWORD", "canary-value")
            .with_argv(["train", "--token=canary-argument"]);
        let shown = format!("{facts:?}");
        assert!(shown.contains("DB_PASSWORD"), "{shown}");
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn a_relative_path_starts_at_the_working_directory() {
        let facts = Facts::empty().with_var("TMPDIR", "tmp");
        assert_eq!(facts.path("TMPDIR"), None);
        let here = facts.with_root("/").path("TMPDIR").unwrap();
        assert!(here.is_absolute() && here.ends_with("tmp"));
    }

    #[test]
    fn a_blank_variable_is_an_unset_one() {
        assert_eq!(Facts::empty().with_var("A", "").text("A"), None);
    }
}
