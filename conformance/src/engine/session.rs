//! Everything that one run of the checker makes in an engine, and its removal.
//!
//! Names begin with the run's own prefix. So what a command made that was cut short is found, too.

mod following;
mod making;

use std::io::Read;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::Engine;
use super::call::{Call, Running, Said, Stop, strings};
use super::clean::{Watch, clean};
use crate::files::{Entry, tarred};
use crate::layout::elf;
use crate::place::Order;
use crate::trouble::{Result, Trouble, cannot};
pub use following::Following;

/// A label on every container, for people who use `docker ps`.
const LABEL: &str = "lyftlearn-conformance";

/// A run's engine, its helper image and its names.
#[derive(Debug)]
pub struct Session {
    engine: Engine,
    prefix: String,
    canary: String,
    helper: String,
    stop: Stop,
    made: AtomicUsize,
    keep: bool,
    probe: Mutex<Option<String>>,
    own: Mutex<Option<String>>,
    watch: Option<Watch>,
}

/// A container that was started, with the helper that holds its network and volumes.
#[derive(Clone, Debug)]
pub struct Container {
    /// The image's container.
    pub name: String,
    /// The helper's.
    pub helper: String,
    /// The volumes, in the order of the mounts.
    pub volumes: Vec<String>,
}

/// How a container ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its exit code; `None` when it was still running at the deadline.
    pub code: Option<i32>,
    /// What it printed, at most four megabytes.
    pub log: String,
    /// How long it ran, with the engine's own time.
    pub seconds: f64,
}

impl Session {
    /// Makes the helper image.
    ///
    /// # Errors
    ///
    /// When the engine cannot, or when this build is not a static binary.
    pub fn open(engine: Engine, stop: &Stop, keep: bool) -> Result<Self> {
        let binary = own_binary()?;
        let mut seed = [0_u8; 17];
        getrandom(&mut seed)?;
        let id: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
        let (id, canary) = id.split_at(10);
        let prefix = format!("lyftlearn-check-{id}");
        let session = Self {
            engine,
            canary: format!("canary-{canary}"),
            helper: format!("localhost/{prefix}:helper"),
            stop: stop.clone(),
            made: AtomicUsize::new(0),
            keep,
            probe: Mutex::new(None),
            own: Mutex::new(None),
            watch: if keep {
                None
            } else {
                Some(Watch::start(engine, &prefix)?)
            },
            prefix,
        };
        let entries = [
            Entry::program("conformance", binary),
            Entry::directory("v", 0o755),
        ];
        let mut call = session.call(["import", "-", &session.helper]);
        call.input = tarred(&entries)?;
        session
            .must(call)
            .map_err(|why| why.while_doing("cannot make the helper image"))?;
        Ok(session)
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The value of every secret of this run. It must not appear anywhere.
    #[must_use]
    pub fn canary(&self) -> &str {
        &self.canary
    }

    fn call<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Call {
        Call::new(self.engine.program(), words)
    }

    /// Runs a command that must succeed.
    fn must(&self, call: Call) -> Result<Said> {
        self.stop.check()?;
        let line = call.line();
        let said = call.said(&self.stop)?;
        self.stop.check()?;
        match said.code {
            Some(0) => Ok(said),
            None if said.late => cannot(format!("{line} did not end in time")),
            _ => {
                let why = String::from_utf8_lossy(&said.stderr);
                let why = why.trim().lines().last().unwrap_or("no reason was given");
                cannot(format!("{line} failed: {why}"))
            }
        }
    }

    fn name(&self, kind: &str) -> String {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number}-{kind}", self.prefix)
    }

    /// The volume with the probe, filled once.
    fn probe(&self) -> Result<String> {
        let mut probe = self.probe.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(volume) = &*probe {
            return Ok(volume.clone());
        }
        let volume = self.name("probe");
        let mount = format!("{volume}:/v");
        let words = [
            "run",
            "--rm",
            "--network",
            "none",
            "-v",
            &mount,
            &self.helper,
        ];
        let words = words
            .into_iter()
            .chain(["/conformance", "probe", "install", "/v/probe"]);
        self.must(self.call(words))?;
        *probe = Some(volume.clone());
        Ok(volume)
    }

    /// The volume with the image's own files below `target`, filled once: an engine copies them into an empty volume.
    fn own(&self, image: &str, target: &str) -> Result<String> {
        let probe = self.probe()?;
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(volume) = &*own {
            return Ok(volume.clone());
        }
        let volume = self.name("own");
        let (mount, probe) = (
            format!("{volume}:{target}"),
            format!("{probe}:/.conformance:ro"),
        );
        let words = [
            "run",
            "--rm",
            "--network",
            "none",
            "-v",
            &mount,
            "-v",
            &probe,
        ];
        let program = [
            "--entrypoint=/.conformance/probe",
            image,
            "probe",
            "exit",
            "0",
        ];
        self.must(self.call(words.into_iter().chain(program)))?;
        *own = Some(volume.clone());
        Ok(volume)
    }

    /// Starts a container and leaves it running.
    ///
    /// # Errors
    ///
    /// When the engine refuses.
    pub fn start(&self, order: &Order) -> Result<Container> {
        let (container, words) = self.prepared(order)?;
        let words = strings(["run", "-d"]).into_iter().chain(words);
        self.must(Call::new(self.engine.program(), words))?;
        Ok(container)
    }

    /// Runs a container to its end, or kills it at the deadline.
    ///
    /// # Errors
    ///
    /// When the engine refuses.
    pub fn run(&self, order: &Order, limit: Duration) -> Result<(Container, Ended)> {
        let (container, running) = self.begin(order, limit)?;
        let ended = self.end(&container, running)?;
        Ok((container, ended))
    }

    /// Starts a container and follows its output.
    ///
    /// # Errors
    ///
    /// When the engine refuses.
    pub fn begin(&self, order: &Order, limit: Duration) -> Result<(Container, Following)> {
        let (container, words) = self.prepared(order)?;
        self.stop.check()?;
        let words = strings(["run"]).into_iter().chain(words);
        let mut call = Call::new(self.engine.program(), words);
        call.limit = limit;
        call.merged = true;
        call.interruptible = true;
        let following = Following {
            running: call.start(&self.stop)?,
            began: Instant::now(),
            engine: self.engine,
            name: container.name.clone(),
        };
        Ok((container, following))
    }

    /// Waits for the end of such a container.
    ///
    /// # Errors
    ///
    /// On an interrupt, and when the engine itself failed.
    pub fn end(&self, container: &Container, mut following: Following) -> Result<Ended> {
        let said = following.running.finish()?;
        let seconds = following.began.elapsed().as_secs_f64();
        let log = String::from_utf8_lossy(&said.stdout).into_owned();
        if said.late {
            return Ok(Ended {
                code: None,
                log,
                seconds,
            });
        }
        // 125 is the engine's own failure as well as a program's exit code.
        if said.code == Some(125) {
            let format = "{{.State.ExitCode}}";
            let state = self.call(["inspect", "-f", format, &container.name]);
            if state.said(&self.stop)?.text() != "125" {
                return cannot(format!(
                    "{} cannot start the image: {}",
                    self.engine.program(),
                    log.trim()
                ));
            }
        }
        Ok(Ended {
            code: said.code,
            log,
            seconds,
        })
    }

    /// Asks the platform's stop of it: SIGTERM, and SIGKILL after `seconds`. How long it took.
    ///
    /// # Errors
    ///
    /// When the engine cannot.
    pub fn stop(&self, container: &Container, seconds: u64) -> Result<Duration> {
        let began = Instant::now();
        let mut call = self.call(["stop", "-t", &seconds.to_string(), &container.name]);
        call.limit = Duration::from_secs(seconds + 30);
        call.interruptible = true;
        self.must(call)?;
        Ok(began.elapsed())
    }

    /// Sends it a signal.
    ///
    /// # Errors
    ///
    /// When the engine cannot.
    pub fn signal(&self, container: &Container, signal: &str) -> Result<()> {
        self.must(self.call(["kill", "--signal", signal, &container.name]))
            .map(drop)
    }

    /// Whether it runs, and its exit code.
    ///
    /// # Errors
    ///
    /// When the engine cannot tell.
    pub fn state(&self, container: &Container) -> Result<(bool, i32)> {
        let format = "{{.State.Running}} {{.State.ExitCode}}";
        let said = self.must(self.call(["inspect", "-f", format, &container.name]))?;
        let text = said.text();
        let (running, code) = text.split_once(' ').unwrap_or(("false", "-1"));
        Ok((running == "true", code.parse().unwrap_or(-1)))
    }

    /// What it has printed.
    ///
    /// # Errors
    ///
    /// When the engine cannot tell.
    pub fn logs(&self, container: &Container) -> Result<String> {
        let mut call = self.call(["logs", &container.name]);
        call.merged = true;
        call.interruptible = true;
        Ok(String::from_utf8_lossy(&self.must(call)?.stdout).into_owned())
    }

    /// Runs a program in it, as `user` where one is given.
    ///
    /// # Errors
    ///
    /// On an interrupt.
    pub fn exec(&self, container: &Container, user: Option<&str>, words: &[&str]) -> Result<Said> {
        let user = user.map(|user| ["--user", user]);
        let all = ["exec"].into_iter().chain(user.into_iter().flatten());
        let mut call = self.call(
            all.chain([container.name.as_str()])
                .chain(words.iter().copied()),
        );
        call.limit = Duration::from_secs(60);
        call.interruptible = true;
        let said = call.said(&self.stop)?;
        self.stop.check()?;
        Ok(said)
    }

    /// A file of a container, running or not; `None` when it is not there.
    ///
    /// # Errors
    ///
    /// On an interrupt.
    pub fn file(&self, container: &Container, path: &str) -> Result<Option<Vec<u8>>> {
        let source = format!("{}:{path}", container.name);
        let said = self.call(["cp", &source, "-"]).said(&self.stop)?;
        self.stop.check()?;
        if said.code != Some(0) {
            return Ok(None);
        }
        let mut archive = tar::Archive::new(said.stdout.as_slice());
        let mut entries = archive.entries().ok();
        let first = entries.as_mut().and_then(|entries| entries.next()?.ok());
        Ok(first.map(|entry| {
            let mut bytes = Vec::new();
            let _ = entry.take(1 << 20).read_to_end(&mut bytes);
            bytes
        }))
    }

    /// Asks the helper of a container: a word of the probe's, with what it reads on stdin.
    ///
    /// # Errors
    ///
    /// When the helper fails.
    pub fn ask(&self, container: &Container, words: &[&str], input: &[u8]) -> Result<Vec<u8>> {
        let said = self.must(self.asking(container, words, input))?;
        Ok(said.stdout)
    }

    /// The same, without waiting for the answer.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn ask_meanwhile(
        &self,
        container: &Container,
        words: &[&str],
        input: &[u8],
    ) -> Result<Running> {
        self.asking(container, words, input).start(&self.stop)
    }

    fn asking(&self, container: &Container, words: &[&str], input: &[u8]) -> Call {
        let all = [
            "exec",
            "-i",
            container.helper.as_str(),
            "/conformance",
            "probe",
        ];
        let mut call = self.call(all.into_iter().chain(words.iter().copied()));
        call.input = input.to_vec();
        call.limit = Duration::from_secs(600);
        call.interruptible = true;
        call
    }

    /// The name of the helper image and of everything else of this run.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.keep {
            clean(self.engine, &self.prefix);
        }
        if let Some(watch) = self.watch.take() {
            watch.end();
        }
    }
}

fn getrandom(into: &mut [u8]) -> Result<()> {
    let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(into));
    read.map_err(|err| Trouble::Cannot(format!("cannot read /dev/urandom: {err}")))
}

/// This binary, which is also the helper and the probe.
fn own_binary() -> Result<Vec<u8>> {
    let path = PathBuf::from("/proc/self/exe");
    let bytes = std::fs::read(path)
        .map_err(|err| Trouble::Cannot(format!("cannot read /proc/self/exe: {err}")))?;
    match elf::read(&bytes) {
        Some(program) if program.interpreter.is_none() => Ok(bytes),
        _ => cannot(
            "this build of lyftlearn-conformance is not a static binary, and cannot run inside of containers: \
             build it with --target x86_64-unknown-linux-musl",
        ),
    }
}
