//! An image with SageMaker's training toolkit as AWS documents it, without the runtime: what the report says of it.

use lyftlearn_conformance::{command, programs};

use super::{checker, wrong};
use crate::place::Place;

/// What pip makes of the toolkit's entry point.
const COMMAND: &str = "#!/usr/bin/python3
from sagemaker_training.cli.train import main
main()
";

/// A script for the toolkit.
const SCRIPT: &str = "
import argparse, os, pathlib
parser = argparse.ArgumentParser()
parser.add_argument('--lr', type=float)
args = parser.parse_args()
rows = pathlib.Path(os.environ['SM_CHANNEL_TRAIN'], 'rows').read_text()
pathlib.Path(os.environ['SM_MODEL_DIR'], 'model.txt').write_text(f'{args.lr} {rows}')
print('validation:accuracy=0.97')
";

const TOML: &str = "[train]
hyperparameters = { lr = \"0.1\" }
channels.train = \"train\"
timeout_seconds = 60
expect.files = [\"model/model.txt\"]
expect.log = ['accuracy=([0-9.]+)']
expect.failure = { hyperparameters = { lr = \"x\" }, reason = \"invalid float value\" }
";

/// As AWS documents it, without an ENTRYPOINT: the platform's word `train` is the command, and no init reaps
/// orphans. Then with one. On Kubernetes the toolkit misses SageMaker's documents, and it keeps an earlier job's reason.
const ENTRIES: &[(&str, &str, &[&str])] = &[
    (
        "documented",
        "",
        &[
            "image.entrypoint",
            "train.completes",
            "train.dirty",
            "signals.orphans",
        ],
    ),
    (
        "entry",
        "ENTRYPOINT [\"train\"]",
        &["image.entrypoint", "train.completes", "train.dirty"],
    ),
];

#[test]
#[ignore = "needs the training toolkit: make check-images"]
fn an_image_of_the_training_toolkit_gets_a_list_of_missing_parts() {
    let site = programs::repository().join("target/toolkit-image");
    if !site.is_dir() {
        let _: Option<()> = programs::skipped("conformance/engine/toolkit.sh was not run");
        return;
    }
    let Some(place) = Place::found() else { return };
    for (name, entry, fails) in ENTRIES {
        let work = tempfile::tempdir().unwrap();
        let context = work.path().join("context");
        std::fs::create_dir_all(&context).unwrap();
        let mut copy = std::process::Command::new("cp");
        copy.arg("-a").arg(&site).arg(context.join("site"));
        assert!(command::succeeds(&mut copy));
        let text = format!(
            "FROM localhost/lyftlearn-base:latest\n\
             COPY site /opt/toolkit\nCOPY train.py /opt/ml/code/train.py\nCOPY --chmod=755 train /usr/local/bin/train\n\
             ENV PYTHONPATH=/opt/toolkit SAGEMAKER_PROGRAM=train.py\n{entry}\n"
        );
        for (file, text) in [
            ("Dockerfile", text.as_str()),
            ("train.py", SCRIPT),
            ("train", COMMAND),
        ] {
            std::fs::write(context.join(file), text).unwrap();
        }
        std::fs::create_dir(work.path().join("train")).unwrap();
        std::fs::write(work.path().join("train/rows"), "1\n").unwrap();
        let toml = work.path().join("image.toml");
        std::fs::write(&toml, TOML).unwrap();
        let tag = format!("localhost/toolkit-{name}:latest");
        let context = context.to_str().unwrap();
        place.podman(&["build", "--network", "none", "-t", &tag, context]);
        let toml = toml.to_str().unwrap();
        let words = [
            "check",
            &tag,
            "--offline",
            "--format",
            "json",
            "--file",
            toml,
        ];
        let output = checker(place, &words);
        place.podman(&["rmi", "-f", &tag]);
        let report = String::from_utf8_lossy(&output.stdout);
        assert!(report.contains("gets its documents and variables from lyftlearn-runtime"));
        let (wrong, passed) = wrong(&output);
        let mut ids: Vec<&str> = wrong
            .iter()
            .map(|one| one.split(':').next().unwrap())
            .collect();
        ids.dedup();
        let said = wrong.join("\n");
        eprintln!("{name}: {passed} passed\n{said}");
        assert_eq!(&ids, fails, "{said}");
        // On SageMaker it trains.
        let lines: Vec<&String> = wrong
            .iter()
            .filter(|one| one.starts_with("train.completes"))
            .collect();
        assert_eq!(lines.len(), 1, "{said}");
        assert!(
            lines[0].contains("/opt/ml/input/config/resourceconfig.json"),
            "{said}"
        );
        assert_eq!(output.status.code(), Some(1), "{said}");
    }
}
