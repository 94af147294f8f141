//! The checker with each engine: podman of an unprivileged user, Docker's client with podman's service, and Docker.

use lyftlearn_conformance::{command, programs};

use super::{TIME, TRAINING, image, settings, toml, wrong};
use crate::place::{Place, engine};

/// All of them but for those of the figures: an image of two files has none.
const PROFILES: [&str; 4] = ["base", "training", "serving", "restricted"];

/// Checks a good small image by a script of the engine's; `load` makes `image.tar` known there. Nothing is left.
#[track_caller]
fn check_with(name: &str, script: &[&str], engine: &str, load: &str) {
    let Some(place) = Place::found() else { return };
    let label = "LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true";
    let tag = image(place, name, &settings("ok", "ok"), &[label]);
    let home = tempfile::tempdir().unwrap();
    let archive = home.path().join("image.tar");
    place.podman(&["save", "-q", "-o", archive.to_str().unwrap(), &tag]);
    if !load.is_empty() {
        place.podman(&["rmi", "-f", &tag]);
    }
    std::fs::copy(programs::checker(), home.path().join("checker")).unwrap();
    let file = toml(home.path(), "seconds = \"1\"", TRAINING);
    let profiles = PROFILES
        .map(|profile| format!("--profile {profile}"))
        .join(" ");
    let here = home.path().display();
    let commands = format!(
        "cd {here}
         {load}
         # The run's own name: other tests use the same engine.
         mkdir bin
         printf '#!/bin/sh\necho \"$@\" >>{here}/calls\nexec %s \"$@\"\n' $(command -v {engine}) >bin/{engine}
         chmod 755 bin/{engine}
         PATH={here}/bin:$PATH ./checker check {tag} --offline --engine {engine} --format json {profiles} --file {file}
         run=$(grep -o 'lyftlearn-check-[0-9a-f]*' calls | head -n 1)
         {engine} ps -aq --filter name=$run >&2
         {engine} volume ls -q --filter name=$run >&2
         {engine} images -q --filter reference=localhost/$run >&2
         [ -n \"$run\" ] || echo no-run >&2"
    );
    let (program, words) = script.split_first().unwrap();
    let words = words
        .iter()
        .map(|word| word.replace("@HOME@", &here.to_string()));
    let words: Vec<String> = words
        .chain(["sh", "-c", &commands].map(str::to_owned))
        .collect();
    let mut checking = place.command(program, &words);
    let output = command::output_within(&mut checking, TIME);
    place.podman(&["rmi", "-f", "--ignore", &tag]);
    let (wrong, passed) = wrong(&output);
    assert_eq!(wrong, [""; 0]);
    assert!(passed > 75, "{passed}");
    // Of containers, volumes and images nothing is left: those would be numbers or names, one in a line.
    let said = String::from_utf8_lossy(&output.stderr);
    let left = said.lines().filter(|line| !line.contains(' '));
    assert_eq!(left.collect::<Vec<_>>(), [""; 0], "{said}");
}

/// Debian's Docker; `None` where it was not unpacked.
fn docker() -> Option<String> {
    let root = programs::repository().join("target/docker");
    if root.join("usr/bin/docker").is_file() {
        Some(root.display().to_string())
    } else {
        programs::skipped("conformance/engine/docker-packages.sh was not run")
    }
}

#[test]
#[ignore = "needs uidmap, slirp4netns and docker's packages: make check-images"]
fn an_ordinary_user_checks_an_image() {
    let as_user = engine("as-user.sh");
    let script = [as_user.to_str().unwrap(), "@HOME@"];
    check_with(
        "rootless",
        &script,
        "podman",
        "podman load -q -i image.tar >&2",
    );
}

#[test]
#[ignore = "needs uidmap, slirp4netns and docker's packages: make check-images"]
fn dockers_client_checks_an_image_with_podmans_service() {
    let Some(root) = docker() else { return };
    let as_docker = engine("as-docker.sh");
    // Docker's own client comes before the script of that name.
    let path = format!("PATH={root}/usr/bin:/usr/bin:/bin:/usr/sbin:/sbin");
    let script = [as_docker.to_str().unwrap(), "env", &path];
    check_with("by-service", &script, "docker", "");
}

#[test]
#[ignore = "needs uidmap, slirp4netns and docker's packages: make check-images"]
fn docker_checks_an_image() {
    let Some(root) = docker() else { return };
    let with_docker = engine("with-docker.sh");
    let script = [with_docker.to_str().unwrap(), &root];
    check_with(
        "docker",
        &script,
        "docker",
        "docker load -q -i image.tar >&2",
    );
}
