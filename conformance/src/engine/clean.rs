//! Removes what a run of the checker made, also where the run was killed.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use super::Engine;
use super::call::{Call, Stop, strings};
use crate::trouble::{Result, Trouble};

/// A process that cleans up where this one is killed and cannot.
#[derive(Debug)]
pub(super) struct Watch {
    child: Child,
    stdin: ChildStdin,
}

impl Watch {
    pub(super) fn start(engine: Engine, prefix: &str) -> Result<Self> {
        let failed =
            |err: std::io::Error| Trouble::Cannot(format!("cannot start /proc/self/exe: {err}"));
        let mut command = Command::new("/proc/self/exe");
        command
            .args(["probe", "watch", engine.program(), prefix])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What kills the group of the run must not kill it.
            .process_group(0);
        let mut child = command.spawn().map_err(failed)?;
        let stdin = child.stdin.take().expect("it is piped");
        Ok(Self { child, stdin })
    }

    pub(super) fn end(mut self) {
        let _ = self.stdin.write_all(b"done");
        drop(self.stdin);
        crate::command::reap(&mut self.child);
    }
}

/// Waits until the run ends. If it ends without a message, it was killed, and its objects are
/// removed.
pub fn watch(engine: &str, prefix: &str) -> std::result::Result<(), String> {
    let mut word = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut word);
    if read.is_ok() && word == b"done" {
        return Ok(());
    }
    let engine = if engine == "docker" {
        Engine::Docker
    } else {
        Engine::Podman
    };
    // A command of the killed run may still be making something.
    for _ in 0..10 {
        clean(engine, prefix);
        std::thread::park_timeout(Duration::from_secs(1));
    }
    Ok(())
}

/// Removes all objects with the run's name. Errors are ignored, because no caller is left to handle
/// them.
pub fn clean(engine: Engine, prefix: &str) {
    // The interrupt that led here must not end these commands, too.
    let calm = Stop::default();
    let call = |words: Vec<String>| {
        let said = Call::new(engine.program(), words).said(&calm);
        said.map(|said| said.text()).unwrap_or_default()
    };
    let filter = format!("name={prefix}");
    // Twice: a daemon may finish making what its client was interrupted in.
    for _ in 0..2 {
        let listed = call(strings(["ps", "-a", "-q", "--filter", &filter]));
        let containers: Vec<String> = listed.lines().map(str::to_owned).collect();
        if !containers.is_empty() {
            // podman's `rm -f` would first wait for the stop that this forestalls.
            call(
                strings(["kill"])
                    .into_iter()
                    .chain(containers.clone())
                    .collect(),
            );
            call(
                strings(["rm", "-f", "-v"])
                    .into_iter()
                    .chain(containers)
                    .collect(),
            );
        }
        let listed = call(strings(["volume", "ls", "-q", "--filter", &filter]));
        let volumes: Vec<String> = listed.lines().map(str::to_owned).collect();
        if !volumes.is_empty() {
            call(
                strings(["volume", "rm", "-f"])
                    .into_iter()
                    .chain(volumes)
                    .collect(),
            );
        }
        call(strings([
            "rmi",
            "-f",
            &format!("localhost/{prefix}:helper"),
        ]));
    }
}
