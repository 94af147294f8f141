//! The SageMaker SDK starts the image, by its local mode: both lines of the SDK, through
//! docker-compose and a socket of podman's.
//!
//! That nothing of AWS is asked for is held twice: these namespaces reach nothing beyond
//! the machine, so that a call would fail, and the drivers tell which names and addresses
//! the SDK tried.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lyftlearn_conformance::canary::Canary;
use lyftlearn_conformance::command;
use lyftlearn_conformance::programs;
use serde_json::{Value, json};

use crate::place::{IMAGE, Place};

/// Without it the SDK tells AWS of each call.
const CONFIG: &str =
    "SchemaVersion: '1.0'\nSageMaker:\n  PythonSDK:\n    Modules:\n      TelemetryOptOut: true\n";

/// Both serve on the machine's port 8080, and name their network alike.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// What a driver of `sdk/` has seen, what its containers printed with it, and their names
/// and exit codes.
struct Driven {
    seen: Value,
    log: String,
    containers: Vec<(String, String)>,
}

fn drive(line: u8, driver: &str) -> Option<Driven> {
    let place = Place::found()?;
    let python = programs::python_with_sdk(line)?;
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // An SDK mounts no path in a home directory, where a checkout may be.
    let work = tempfile::tempdir().unwrap();
    let home = work.path().join("home");
    std::fs::create_dir(&home).unwrap();
    let config = home.join("config.yaml");
    std::fs::write(&config, CONFIG).unwrap();
    data(place, &work.path().join("data"));

    let canary = Canary::plant();
    let conformance = programs::repository().join("conformance");
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let words = [
        text(&python),
        text(&conformance.join("tests/image/sdk").join(driver)),
        text(work.path()),
        IMAGE.to_owned(),
    ];
    let as_docker = text(&conformance.join("engine/as-docker.sh"));
    let started = Instant::now();
    let mut driving = place.command(&as_docker, &words);
    driving
        .env("HOME", &home)
        .env("SAGEMAKER_USER_CONFIG_OVERRIDE", &config)
        .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", canary.value())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    // A driver that fails before its endpoint is deleted waits for that endpoint for ever.
    let output = command::output_within(&mut driving, Duration::from_secs(300));
    eprintln!("{driver} took {:.1?}", started.elapsed());
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let log = format!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
    let containers = place.podman(&[
        "ps",
        "--all",
        "--filter=label=com.docker.compose.project",
        "--format={{.Names}} {{.ExitCode}}",
    ]);
    let containers: Vec<_> = containers
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, code)| (name.to_owned(), code.to_owned()))
        .collect();
    let seen = last_line(&stdout).unwrap_or_else(|| panic!("{driver} has seen nothing:\n{log}"));
    assert!(output.status.success(), "{log}");
    for (name, _) in &containers {
        let words = ["logs", name];
        let output = command::output(&mut place.command("podman", &words));
        canary.assert_unseen(name, &[output.stdout, output.stderr].concat());
        place.podman(&["rm", "--force", name]);
    }
    assert_eq!(
        seen["outside"],
        json!([]),
        "the SDK asked beyond the machine"
    );
    Some(Driven {
        seen,
        log,
        containers,
    })
}

fn last_line(stdout: &str) -> Option<Value> {
    serde_json::from_str(stdout.lines().last()?).ok()
}

fn data(place: &Place, directory: &Path) {
    std::fs::create_dir(directory).unwrap();
    let example = programs::repository().join("examples/digits");
    let id = place.podman(&[
        "run",
        "--detach",
        "--network=none",
        &format!("--volume={}:/example:ro", example.display()),
        &format!("--volume={}:/data", directory.display()),
        "--entrypoint=python3",
        IMAGE,
        "/example/make_data.py",
        "/data",
    ]);
    assert_eq!(place.podman(&["wait", &id]), "0");
    place.podman(&["rm", &id]);
}

/// The example's own files are in the archive, and what it learnt is what it should have.
#[track_caller]
fn check_model(trained: &Value) {
    let members: Vec<_> = trained["model"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .filter(|name| !name.starts_with(".lyftlearn"))
        .collect();
    assert_eq!(members, ["evaluation.json", "model.joblib"]);
    let evaluation = &trained["evaluation"];
    assert!(evaluation["accuracy"].as_f64().unwrap() > 0.95);
    assert_eq!(evaluation["hyperparameters"]["C"], 0.5);
    assert_eq!(evaluation["hyperparameters"]["max_iter"], 300);
}

#[test]
fn an_estimator_trains_deploys_and_transforms() {
    let Some(driven) = drive(2, "local_mode.py") else {
        return;
    };
    let Driven {
        seen,
        log,
        containers,
    } = driven;
    check_model(&seen);
    let sample = &seen["evaluation"]["sample"];
    let expected =
        json!({"predictions": sample["predictions"], "probabilities": sample["probabilities"]});
    assert_eq!(seen["predicted"], expected);
    assert_eq!(seen["transformed"], expected);
    for line in [
        "lyftlearn-runtime: sagemaker (local-mode), training, job digits-local",
        "lyftlearn-runtime: sagemaker (local-mode), serving",
        "lyftlearn-runtime: sagemaker (local-mode), transform",
        "model written",
    ] {
        assert!(log.contains(line), "{line:?} is not in\n{log}");
    }
    // The servers were stopped, and ended in time and with their own code.
    assert_eq!(containers.len(), 3, "{containers:?}");
    for (name, code) in containers {
        assert_eq!(code, "0", "{name}:\n{log}");
        // "algo-1" and five random letters.
        assert!(name.contains("-algo-1-"), "{name}");
    }
}

/// There is no word `train` in a ModelTrainer's container: the SDK's own script stands in
/// place of the ENTRYPOINT, and the program finds the view by itself or by `exec`. (An
/// image that is given no script is given no argument either: `commands.default` says what
/// it runs.)
///
/// Not driven: how the 3.x line serves. Its `sagemaker-serve` wants packages beyond what a
/// test should fetch (`pip install sagemaker` resolves to more than a hundred).
#[test]
fn a_model_trainer_trains() {
    let Some(driven) = drive(3, "model_trainer.py") else {
        return;
    };
    let Driven {
        seen,
        log,
        containers,
    } = driven;
    for way in ["script", "exec"] {
        check_model(&seen[way]);
        let sample = |way: &str| seen[way]["evaluation"]["sample"].clone();
        assert_eq!(sample(way), sample("script"));
    }
    assert_eq!(log.matches("validation:accuracy=0.97").count(), 2, "{log}");
    // `docker run --rm … IMAGE chmod -R 777 /delete`, through the ENTRYPOINT.
    assert_eq!(seen["left"], "0o777");
    assert_eq!(containers.len(), 2, "{containers:?}");
    for (name, code) in containers {
        assert_eq!(code, "0", "{name}:\n{log}");
    }
}
