//! The checker as an unprivileged user, with that user's own podman.

use lyftlearn_conformance::{command, programs};

use super::{TIME, TRAINING, image, settings, toml, wrong};
use crate::place::{Place, engine};

/// All of them but for those of the figures: an image of two files has none.
const PROFILES: [&str; 4] = ["base", "training", "serving", "restricted"];

#[test]
#[ignore = "make check-images"]
fn an_ordinary_user_checks_an_image() {
    let Some(place) = Place::found() else { return };
    let label = "LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true";
    let tag = image(place, "rootless", &settings("ok", "ok"), &[label]);
    let home = tempfile::tempdir().unwrap();
    let archive = home.path().join("image.tar");
    place.podman(&["save", "-q", "-o", archive.to_str().unwrap(), &tag]);
    std::fs::copy(programs::checker(), home.path().join("checker")).unwrap();
    let file = toml(home.path(), "seconds = \"1\"", TRAINING);
    let profiles = PROFILES
        .map(|profile| format!("--profile {profile}"))
        .join(" ");
    let script = format!(
        "podman load -q -i image.tar >&2
         ./checker check {tag} --offline --engine podman --format json {profiles} --file {file}
         podman ps -aq >&2; podman volume ls -q >&2"
    );
    let as_user = engine("as-user.sh");
    let words = [home.path().to_str().unwrap(), "sh", "-c", &script];
    let mut checking = place.command(as_user.to_str().unwrap(), &words);
    let output = command::output_within(&mut checking, TIME);
    let (wrong, passed) = wrong(&output);
    assert_eq!(wrong, [""; 0]);
    assert!(passed > 40, "{passed}");
    // Of containers and volumes nothing is left: those would be numbers, one in a line.
    let said = String::from_utf8_lossy(&output.stderr);
    let left = said.lines().filter(|line| !line.contains(' '));
    assert_eq!(left.collect::<Vec<_>>(), [""; 0], "{said}");
}
