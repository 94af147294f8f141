//! A container without an engine: namespaces, a separate root, and the runtime as PID 1.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use crate::command;
use crate::network::Network;
use crate::programs;
use crate::wait;

/// Path of the binary in every sandbox.
pub const BINARY: &str = "/opt/lyftlearn/bin/lyftlearn-runtime";

/// What a container is made of, in the words of `docker run`.
#[derive(Clone, Debug)]
pub struct Sandbox {
    mounts: Vec<Mount>,
    environment: Vec<(OsString, OsString)>,
    user: Option<u32>,
    read_only: bool,
    writable_run: bool,
    proc: bool,
    working_directory: PathBuf,
    inherited: String,
    network: Option<PathBuf>,
    own_network: bool,
}

#[derive(Clone, Debug)]
struct Mount {
    source: PathBuf,
    target: PathBuf,
    read_only: bool,
}

/// A started container. Its processes end with it, whatever they are doing.
#[derive(Debug)]
pub struct Running {
    outer: Child,
    environment: Vec<(OsString, OsString)>,
    _root: tempfile::TempDir,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox {
    /// This machine's programs, read-only, and nothing else of it.
    #[must_use]
    pub fn new() -> Self {
        let mut sandbox = Self {
            mounts: Vec::new(),
            environment: Vec::new(),
            user: None,
            read_only: false,
            writable_run: true,
            proc: true,
            working_directory: PathBuf::from("/"),
            inherited: String::new(),
            network: None,
            own_network: false,
        };
        for directory in [
            "/bin",
            "/sbin",
            "/lib",
            "/lib64",
            "/usr",
            "/etc/ssl",
            "/etc/alternatives",
            "/etc/ld.so.cache",
        ] {
            if Path::new(directory).exists() {
                sandbox = sandbox.mount_read_only(directory, directory);
            }
        }
        for device in ["/dev/null", "/dev/zero", "/dev/urandom"] {
            sandbox = sandbox.mount(device, device);
        }
        sandbox
            .mount_read_only(programs::binary(), BINARY)
            .variable(
                "PATH",
                "/opt/lyftlearn/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
    }

    /// `-v source:target`.
    #[must_use]
    pub fn mount(mut self, source: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Self {
        self.mounts.push(Mount {
            source: source.into(),
            target: target.into(),
            read_only: false,
        });
        self
    }

    /// `-v source:target:ro`.
    #[must_use]
    pub fn mount_read_only(
        mut self,
        source: impl Into<PathBuf>,
        target: impl Into<PathBuf>,
    ) -> Self {
        self.mounts.push(Mount {
            source: source.into(),
            target: target.into(),
            read_only: true,
        });
        self
    }

    /// `-e NAME=value`; the last of one name counts.
    #[must_use]
    pub fn variable(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        let name = name.into();
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.into()));
        self
    }

    /// `--user`: an id that no passwd file knows.
    #[must_use]
    pub fn user(mut self, id: u32) -> Self {
        self.user = Some(id);
        self
    }

    /// `--read-only`, and without the writable `/tmp` that engines add.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Without `/run`.
    #[must_use]
    pub fn without_run(mut self) -> Self {
        self.writable_run = false;
        self
    }

    /// Without `/proc`.
    #[must_use]
    pub fn without_proc(mut self) -> Self {
        self.proc = false;
        self
    }

    /// `--network`: another namespace than this machine's.
    #[must_use]
    pub fn network(mut self, network: &Network) -> Self {
        self.network = Some(network.namespace());
        self
    }

    /// The same by its path.
    #[must_use]
    pub fn namespace(mut self, network: PathBuf) -> Self {
        self.network = Some(network);
        self
    }

    /// `--hostname`.
    #[must_use]
    pub fn hostname(self, name: &str) -> Self {
        self.inheriting(&format!("import socket; socket.sethostname({name:?})"))
    }

    /// `--workdir`.
    #[must_use]
    pub fn working_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.working_directory = directory.into();
        self
    }

    /// What PID 1 finds besides: lines of Python that change the process (its limits,
    /// signals, files, system calls) before it becomes PID 1's program.
    #[must_use]
    pub fn inheriting(mut self, python: &str) -> Self {
        self.inherited.push_str(python);
        self.inherited.push('\n');
        self
    }

    /// `--network none`: a separate loopback with every port free.
    #[must_use]
    pub fn own_network(mut self) -> Self {
        self.own_network = true;
        self
    }

    /// Starts `lyftlearn-runtime run -- ARGV` as PID 1.
    #[must_use]
    pub fn run<W: AsRef<OsStr>>(&self, argv: &[W]) -> Running {
        let ours = [BINARY, "run", "--"].map(OsString::from);
        let rest = argv.iter().map(|word| word.as_ref().to_owned());
        self.start(&ours.into_iter().chain(rest).collect::<Vec<_>>())
    }

    /// Starts any argv as PID 1.
    ///
    /// # Panics
    ///
    /// When `unshare` cannot be started at all.
    #[must_use]
    pub fn start(&self, argv: &[OsString]) -> Running {
        self.start_on(argv, [Stdio::null(), Stdio::piped(), Stdio::piped()])
    }

    /// Starts any argv as PID 1, with these standard streams.
    ///
    /// # Panics
    ///
    /// When `unshare` cannot be started at all.
    #[must_use]
    pub fn start_on(&self, argv: &[OsString], streams: [Stdio; 3]) -> Running {
        let [stdin, stdout, stderr] = streams;
        let root = tempfile::tempdir().expect("a temporary directory can be made");
        let mut command = match &self.network {
            None => Command::new("unshare"),
            Some(namespace) => {
                let mut command = Command::new("nsenter");
                command.arg(format!("--net={}", namespace.display()));
                command.args(["--", "unshare"]);
                command
            }
        };
        command
            .args([
                "--mount",
                "--pid",
                "--uts",
                "--ipc",
                "--fork",
                "--kill-child",
                "--propagation",
                "private",
            ])
            .args(self.own_network.then_some("--net"))
            .arg("--")
            .args(["sh", "-euc", &self.script(root.path()), "sandbox"])
            .args(self.inheritance())
            .args(argv)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("SANDBOX_PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(stdin)
            .stdout(stdout)
            .stderr(stderr);
        Running {
            environment: self.environment.clone(),
            outer: command.spawn().expect("unshare (util-linux) is installed"),
            _root: root,
        }
    }

    /// Changes the process, and becomes the next program. Python ignores signals and sets
    /// variables; the program inherits neither.
    fn inheritance(&self) -> Vec<OsString> {
        if self.inherited.is_empty() {
            return Vec::new();
        }
        let script = format!(
            "import os, signal, sys\n\
             for changed in signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ:\n    \
             signal.signal(changed, signal.SIG_DFL)\n\
             del os.environ['PYTHONCOERCECLOCALE']\n\
             {}\
             os.execvp(sys.argv[1], sys.argv[1:])\n",
            self.inherited
        );
        [
            "/usr/bin/env",
            "PYTHONCOERCECLOCALE=0",
            "/usr/bin/python3",
            "-c",
            &script,
        ]
        .map(OsString::from)
        .into()
    }

    /// The shell that builds the root and then becomes the program: still PID 1.
    fn script(&self, root: &Path) -> String {
        let root = root.display();
        let mut script = format!(
            "outer=$PATH; PATH=$SANDBOX_PATH; unset SANDBOX_PATH\n\
             mount -t tmpfs -o mode=755 tmpfs {root}\n\
             mkdir -p {root}/proc {root}/dev {root}/tmp {root}/etc {root}/opt\nchmod 1777 {root}/tmp\n"
        );
        if self.own_network {
            script.push_str("ip link set lo up\n");
        }
        if self.writable_run {
            script.push_str(&format!("mkdir {root}/run\n"));
            if self.user.is_some() {
                script.push_str(&format!("chmod 1777 {root}/run\n"));
            }
        }
        for mount in &self.mounts {
            let (source, target) = (
                mount.source.display(),
                format!("{root}{}", mount.target.display()),
            );
            script.push_str(&if mount.source.is_dir() {
                format!("mkdir -p {target}\n")
            } else {
                format!("mkdir -p $(dirname {target}); [ -e {target} ] || : >{target}\n")
            });
            script.push_str(&format!("mount --bind {source} {target}\n"));
            if mount.read_only {
                script.push_str(&format!("mount -o remount,bind,ro {target}\n"));
            }
        }
        if self.proc {
            script.push_str(&format!("mount -t proc proc {root}/proc\n"));
        }
        if self.read_only {
            script.push_str(&format!("mount -o remount,ro {root}\n"));
        }
        let user = self
            .user
            .map(|id| format!("--userspec={id}:{id} "))
            .unwrap_or_default();
        let directory = self.working_directory.display();
        // The variable by which the shell finds its own programs is not the container's.
        script.push_str(&format!(
            "exec chroot {user}{root} /usr/bin/env --default-signal -C {directory} PATH=\"$outer\" \"$@\"\n"
        ));
        script
    }
}

impl Running {
    /// PID 1 as this side of the namespaces sees it, once it is the runtime or what
    /// the runtime became.
    ///
    /// # Panics
    ///
    /// When it is not there within two minutes.
    #[must_use]
    pub fn pid_one(&self) -> i32 {
        let outer = self.outer.id();
        let children = format!("/proc/{outer}/task/{outer}/children");
        wait::until(|| {
            let pid: i32 = std::fs::read_to_string(&children)
                .ok()?
                .split_whitespace()
                .next()?
                .parse()
                .ok()?;
            let name = std::fs::read_link(format!("/proc/{pid}/exe")).ok()?;
            let shell = [
                OsStr::new("sh"),
                OsStr::new("dash"),
                OsStr::new("bash"),
                OsStr::new("chroot"),
                OsStr::new("env"),
                OsStr::new("unshare"),
                OsStr::new("nsenter"),
            ];
            (!shell.contains(&name.file_name()?)).then_some(pid)
        })
        .expect("PID 1 starts")
    }

    /// Sends PID 1 a signal, as an engine does.
    ///
    /// # Panics
    ///
    /// When it is gone.
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(self.pid_one());
        nix::sys::signal::kill(pid, signal).expect("PID 1 is there");
    }

    /// Sends PID 1 signals by their numbers, one after another, without waiting.
    ///
    /// # Panics
    ///
    /// When it is gone.
    #[track_caller]
    pub fn send(&self, numbers: &[i32]) {
        // A shell, because nothing else knows all 64.
        let mut shell = Command::new("sh");
        shell
            .args(["-euc", "pid=$1; shift; for n; do kill -$n $pid; done", "sh"])
            .arg(self.pid_one().to_string())
            .args(numbers.iter().map(ToString::to_string));
        assert!(command::succeeds(&mut shell), "PID 1 is there");
    }

    /// Runs a command beside PID 1, with the container's environment, as `docker exec` does.
    ///
    /// # Errors
    ///
    /// When it cannot be started, or does not end.
    pub fn enter(&self, argv: &[&str]) -> Result<Output, String> {
        let mut entering = Command::new("nsenter");
        entering
            .args([
                "--target",
                &self.pid_one().to_string(),
                "--mount",
                "--net",
                "--pid",
                "--root",
                "--wd",
                "--",
            ])
            .args(argv)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command::tried(&mut entering, wait::PATIENCE)
    }

    /// Waits for the end.
    ///
    /// # Panics
    ///
    /// When it has not come within two minutes.
    #[must_use]
    pub fn end(self) -> Output {
        self.end_within(wait::PATIENCE)
    }

    /// The same, for ends that take longer.
    ///
    /// # Panics
    ///
    /// When it has not come within `limit`.
    #[must_use]
    pub fn end_within(mut self, limit: Duration) -> Output {
        let stdout = drain(self.outer.stdout.take());
        let stderr = drain(self.outer.stderr.take());
        let status: Option<ExitStatus> =
            wait::within(limit, || self.outer.try_wait().ok().flatten());
        let Some(status) = status else {
            // Dropping the pipes' other end lets the readers go.
            self.kill();
            panic!(
                "the container did not end: {}",
                String::from_utf8_lossy(&stderr.join().unwrap_or_default())
            );
        };
        Output {
            status,
            stdout: stdout.join().expect("the reader does not panic"),
            stderr: stderr.join().expect("the reader does not panic"),
        }
    }
}

impl Running {
    /// Ends all of it.
    fn kill(&mut self) {
        // One that has ended has no children, and its number may be another's by now.
        if !matches!(self.outer.try_wait(), Ok(None)) {
            return;
        }
        let outer = self.outer.id();
        let children = std::fs::read_to_string(format!("/proc/{outer}/task/{outer}/children"));
        let first = children.ok().and_then(|all| all.trim().parse().ok());
        // `--kill-child` is forgotten by the kernel where the user has been changed.
        if let Some(first) = first.map(nix::unistd::Pid::from_raw) {
            let _ = nix::sys::signal::kill(first, nix::sys::signal::Signal::SIGKILL);
        }
        let _ = self.outer.kill();
        command::reap(&mut self.outer);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

fn drain(pipe: Option<impl std::io::Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// Whether namespaces can be made here. Prints a warning if not, and fails in CI.
#[must_use]
pub fn possible() -> bool {
    let mut tried = Command::new("unshare");
    tried.args(["--mount", "--pid", "--fork", "true"]);
    command::succeeds(&mut tried)
        || programs::skipped::<()>("this machine lets nobody make namespaces").is_some()
}
