//! The second example: training code of SageMaker's toolkit and a server that know nothing of the runtime.
//! By request: `make check-images`.

use std::time::Duration;

use lyftlearn_conformance::{command, programs};

use crate::check;
use crate::place::Place;

const IMAGE: &str = "localhost/wine:latest";

#[test]
#[ignore = "builds an image and starts it everywhere: make check-images"]
fn a_script_of_the_toolkit_and_a_server_pass_the_check_as_they_are() {
    let Some(place) = Place::found() else { return };
    let repository = programs::repository();
    let example = repository.join("examples/script_mode");
    for file in ["train.py", "serve.py"] {
        let text = std::fs::read_to_string(example.join(file)).unwrap();
        assert!(
            !text.to_lowercase().contains("lyftlearn"),
            "{file} knows of the runtime"
        );
    }
    let context = repository.join("target/image-layer/script_mode/context");
    // The story has imported the base image.
    let base = "BASE_IMAGE=localhost/lyftlearn-base:latest";
    let words = [
        "build",
        "--no-cache",
        "--network",
        "none",
        "--build-arg",
        base,
        "-t",
        IMAGE,
    ];
    let words = [&words[..], &[context.to_str().unwrap()]].concat();
    let mut build = place.command("podman", &words);
    let built = command::output_within(&mut build, Duration::from_secs(600));
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    let toml = example.join("image.toml");
    let words = [
        "check",
        IMAGE,
        "--file",
        toml.to_str().unwrap(),
        "--format",
        "json",
    ];
    let output = check::checker(place, &words);
    let (wrong, passed) = check::wrong(&output);
    assert_eq!((output.status.code(), wrong), (Some(0), vec![]));
    assert!(passed > 50, "{passed}");
}
