//! Containers that `lyftlearn-conformance run` starts: a place as `check` uses it, left running.

use std::time::Duration;

use lyftlearn_conformance::place::Place as Platform;
use lyftlearn_conformance::{command, programs, wait};

use crate::check::{self, Small};
use crate::place::Place;

/// A container, and what `run` printed about it.
pub(crate) struct Ran {
    place: &'static Place,
    pub(crate) name: String,
    said: String,
    removed: bool,
}

impl Ran {
    /// Starts an image in a place; `words` go to `run`.
    #[track_caller]
    pub(crate) fn start(place: &'static Place, name: &str, words: &[&str]) -> Self {
        let checker = programs::checker();
        let words = [&["run", name, "--offline"], words].concat();
        let mut starting = place.command(checker.to_str().unwrap(), &words);
        let output = command::output_within(&mut starting, Duration::from_secs(120));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr);
        let container = said.split_once(&format!(" runs as in {name}\n"));
        let container = container
            .unwrap_or_else(|| panic!("{name}: {said}{error}"))
            .0;
        Self {
            place,
            name: container.to_owned(),
            said,
            removed: false,
        }
    }

    /// Runs a command as `run` printed it; whether it succeeded, and what it said.
    pub(crate) fn do_as_said(&self, label: &str) -> (bool, String) {
        let line = self.said.lines().find_map(|line| line.strip_prefix(label));
        let line = line.unwrap_or_else(|| panic!("no {label:?} in {}", self.said));
        let mut doing = self.place.command("sh", &["-c", line.trim()]);
        let output = command::output(&mut doing);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (output.status.success(), said)
    }

    /// What it has printed.
    pub(crate) fn log(&self) -> String {
        let mut asking = self.place.command("podman", &["logs", &self.name]);
        let output = command::output(&mut asking);
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// Waits for its end; its exit code.
    pub(crate) fn end(&self) -> String {
        self.place.podman(&["wait", &self.name])
    }

    /// Removes it by the command that `run` printed: nothing of it is left.
    #[track_caller]
    pub(crate) fn remove(mut self) {
        self.removed = true;
        let (done, said) = self.do_as_said("remove all of it: ");
        assert!(done, "{said}");
        // lyftlearn-check-ID-NUMBER-image
        let run: Vec<&str> = self.name.split('-').take(3).collect();
        let run = run.join("-");
        let filter = format!("name={run}");
        let reference = format!("reference=localhost/{run}");
        for words in [
            ["ps", "-aq", "--filter", &filter],
            ["volume", "ls", "-q", &format!("--filter={filter}")],
            ["images", "-q", "--filter", &reference],
        ] {
            assert_eq!(self.place.podman(&words), "", "{words:?}");
        }
    }
}

impl Drop for Ran {
    fn drop(&mut self) {
        // A test that failed must not leave it running.
        if !self.removed {
            let _ = self.do_as_said("remove all of it: ");
        }
    }
}

#[test]
#[ignore = "starts containers for minutes: make check-images"]
fn an_image_runs_in_each_place_and_is_removed_by_the_printed_command() {
    let Some(place) = Place::found() else { return };
    let settings = check::settings("ok", "ok") + "default = [\"actor\", \"train\", \"ok\"]\n";
    let small = Small {
        name: "ran",
        settings: &settings,
        ..Small::default()
    };
    let tag = small.import(place);
    let directory = tempfile::tempdir().unwrap();
    let toml = check::toml(directory.path(), "seconds = \"600\"", check::TRAINING);
    for platform in Platform::ALL {
        let name = platform.name();
        let ran = Ran::start(place, name, &[&tag, "--file", &toml]);
        let begun = wait::until(|| {
            let log = ran.log();
            (log.contains("training\n") || log.contains("serving\n")).then_some(())
        });
        assert!(begun.is_some(), "{name}: {}", ran.log());
        let (done, said) = ran.do_as_said("look around: ");
        assert!(
            done && said.contains("kubernetes") == name.starts_with("kubernetes"),
            "{name}: {said}"
        );
        if *platform == Platform::KubernetesPod {
            let (done, said) = ran.do_as_said("probe it: ");
            assert!(done && said.contains("\"seconds\":"), "{said}");
        }
        let (done, said) = ran.do_as_said("stop it: ");
        assert!(done, "{name}: {said}");
        ran.remove();
    }
    place.podman(&["rmi", "-f", &tag]);
}

#[test]
fn words_of_run_take_the_place_of_train_and_serve() {
    let Some(place) = Place::found() else { return };
    // The example in a hardened pod: an arbitrary user, and a root that is only read.
    let code = "import json, os, lyftlearn_runtime as rt; \
        print(json.dumps([rt.platform, rt.role, rt.paths.output is None, os.getuid(), os.access('/', os.W_OK)]))";
    let words = [crate::place::IMAGE, "--", "python3", "-c", code];
    let ran = Ran::start(place, "kubernetes-restricted", &words);
    assert_eq!(ran.end(), "0", "{}", ran.log());
    let log = ran.log();
    assert!(
        log.contains("[\"kubernetes\", \"job\", true, 48213, false]"),
        "{log}"
    );
    ran.remove();
}
