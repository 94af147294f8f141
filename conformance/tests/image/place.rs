//! Where podman runs: the namespaces of one `enter.sh`, held open for all tests.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::Duration;

use lyftlearn_conformance::command::{self, Server};
use lyftlearn_conformance::programs;
use serde_json::Value;

/// What tells the story.
pub(crate) const STORY: &str = env!("CARGO_BIN_EXE_lyftlearn-conformance");

/// Time limit of a story, including the build of an image.
pub(crate) const STORYS_TIME: Duration = Duration::from_secs(900);

/// The image that the story built.
pub(crate) const IMAGE: &str = "localhost/digits:latest";

#[derive(Debug)]
pub(crate) struct Place {
    /// A process inside, as this side counts.
    inside: u32,
    /// The machine's mounts before.
    pub(crate) mounts_before: String,
    /// The story, which built the image.
    pub(crate) told: Value,
    /// Its stdin is closed when this process ends, however it does: then everything there does.
    _outer: Server,
}

impl Place {
    /// `None` where podman cannot run, or nothing was built for it. The first to ask waits
    /// for the story.
    pub(crate) fn found() -> Option<&'static Self> {
        static PLACE: OnceLock<Option<Place>> = OnceLock::new();
        PLACE.get_or_init(|| possible().then(Self::open)).as_ref()
    }

    fn open() -> Self {
        let mounts_before = mounts();
        let mut entering = Command::new(engine("enter.sh"));
        entering
            .arg(storage())
            .args(["sh", "-c", "echo entered && exec cat"]);
        let mut outer = Server::answering(&mut entering);
        assert_eq!(outer.line(), "entered", "enter.sh failed");
        // The script's child makes the namespaces, that one's child is their PID 1.
        let inside = only_child(only_child(outer.id()));
        let mut place = Self {
            inside,
            mounts_before,
            told: Value::Null,
            _outer: outer,
        };
        let mut telling = place.command(STORY, &["demo", "--layer", "image", "--json"]);
        place.told = told_by(&command::output_within(&mut telling, STORYS_TIME));
        place
    }

    /// A command there.
    pub(crate) fn command<W: AsRef<str>>(&self, program: &str, words: &[W]) -> Command {
        let mut command = Command::new(engine("enter.sh"));
        command
            .args(["--beside", &self.inside.to_string()])
            .arg(storage())
            .arg(program)
            .args(words.iter().map(AsRef::as_ref));
        command
    }

    /// What a command of podman's said, when it succeeds.
    #[track_caller]
    pub(crate) fn podman<W: AsRef<str>>(&self, words: &[W]) -> String {
        let output = command::output(&mut self.command("podman", words));
        let line: Vec<_> = words.iter().map(AsRef::as_ref).collect();
        assert!(
            output.status.success(),
            "podman {}:\n{}",
            line.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A process that lives there as long as this does.
    pub(crate) fn inside(&self) -> u32 {
        self.inside
    }

    /// The network in which containers have their addresses.
    pub(crate) fn network(&self) -> std::fs::File {
        std::fs::File::open(format!("/proc/{}/ns/net", self.inside)).unwrap()
    }
}

pub(crate) fn mounts() -> String {
    std::fs::read_to_string("/proc/self/mounts").unwrap()
}

/// A story's JSON.
#[track_caller]
pub(crate) fn told_by(output: &Output) -> Value {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A script of the engine's.
pub(crate) fn engine(script: &str) -> PathBuf {
    programs::repository()
        .join("conformance/engine")
        .join(script)
}

fn storage() -> PathBuf {
    programs::repository().join("target/image-layer/storage")
}

fn possible() -> bool {
    let usable = command::succeeds(&mut Command::new(engine("usable.sh")));
    let built = programs::repository()
        .join("target/image-layer/context/Dockerfile")
        .is_file();
    (usable && built)
        || programs::skipped::<()>("podman cannot run here, or `make context` was not run")
            .is_some()
}

fn only_child(parent: u32) -> u32 {
    let children = format!("/proc/{parent}/task/{parent}/children");
    std::fs::read_to_string(children)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}
