//! Each check that starts an image has a small image that fails it, and nothing else of its family, and one that
//! passes it.

use lyftlearn_conformance::check::{CHECKS, Need};

use super::{SKIPPED, Small, at_length, checked, platform, settings};
use crate::lazy;

/// A small image, the checks that run, and their results.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    /// What the actor does.
    pub(super) train: &'static str,
    pub(super) serve: &'static str,
    /// More of `runtime.toml`.
    pub(super) settings: &'static str,
    /// Words of the actor that come before the runtime in the entry point.
    pub(super) entry: &'static [&'static str],
    /// An instruction. An ENTRYPOINT replaces the usual one.
    pub(super) change: &'static str,
    pub(super) hyperparameters: &'static str,
    pub(super) only: &'static [&'static str],
    pub(super) fails: &'static [&'static str],
    /// Checks that a usual small image skips, and this one passes.
    pub(super) passes: &'static [&'static str],
    /// A part of the message.
    pub(super) said: &'static str,
}

pub(super) const GOOD: Case = Case {
    name: "",
    train: "ok",
    serve: "ok",
    settings: "",
    entry: &[],
    change: "LABEL a=b",
    hyperparameters: "seconds = \"1\"",
    only: &[],
    fails: &[],
    passes: &[],
    said: "",
};

#[track_caller]
pub(super) fn check(case: &Case) {
    let entry: Vec<String> = ["actor", "as"]
        .iter()
        .filter(|_| !case.entry.is_empty())
        .chain(case.entry)
        .chain(&["lyftlearn-runtime", "run", "--"])
        .map(|word| format!("\"{word}\""))
        .collect();
    let entry = format!("ENTRYPOINT [{}]", entry.join(", "));
    let mut commands = settings(case.train, case.serve);
    // Without a mode there is no such command.
    commands = commands
        .lines()
        .filter(|line| !line.ends_with("\"\"]"))
        .map(|line| format!("{line}\n"))
        .collect();
    let small = Small {
        name: case.name,
        settings: &format!("{commands}{}", case.settings),
        changes: &[&entry, case.change],
        ..Small::default()
    };
    let Some(checked) = checked(&small, case.hyperparameters, case.only) else {
        return;
    };
    let name = case.name;
    assert_eq!(checked.wrong, case.fails, "{name}: {}", checked.said);
    assert!(checked.said.contains(case.said), "{name}: {}", checked.said);
    for id in case.passes {
        assert!(
            checked.passed.iter().any(|passed| passed == id),
            "{name}: {id} did not pass: {checked:?}"
        );
    }
}

/// The checks of a server's life.
const SERVE: &[&str] = &[
    "serve.ready",
    "serve.ping",
    "serve.answers",
    "serve.drain",
    "serve.exit-zero",
];

/// Servers that fail in one way.
const SERVERS: &[Case] = &[
    Case {
        name: "exit-143",
        serve: "exit-143",
        only: SERVE,
        fails: &["serve.exit-zero"],
        said: "exit code 143",
        ..GOOD
    },
    Case {
        name: "drops",
        serve: "drops",
        only: &["serve.ready", "serve.answers", "serve.drain"],
        fails: &["serve.drain"],
        said: "requests were lost",
        ..GOOD
    },
];

/// The same, at length.
const MORE_SERVERS: &[Case] = &[
    Case {
        name: "wrong",
        serve: "wrong",
        only: SERVE,
        fails: &["serve.answers"],
        said: "the answer differs from the expected one: {\"sum\": 7.5}",
        ..GOOD
    },
    Case {
        name: "not-ready",
        serve: "not-ready",
        only: SERVE,
        fails: &["serve.ready"],
        said: "status 503",
        ..GOOD
    },
    Case {
        name: "slow-ping",
        serve: "slow-ping",
        only: SERVE,
        fails: &["serve.ready"],
        said: "no status 200",
        ..GOOD
    },
    Case {
        name: "busy",
        serve: "busy",
        only: SERVE,
        fails: &["serve.ping"],
        said: "s under load",
        ..GOOD
    },
    Case {
        name: "hangs",
        serve: "hangs",
        only: &["serve.ready", "serve.ping", "serve.answers"],
        fails: &["serve.ping"],
        said: "s under load",
        ..GOOD
    },
    Case {
        name: "nonsense-500",
        serve: "nonsense-500",
        only: SERVE,
        fails: &["serve.answers"],
        said: "status 500 for a malformed body",
        ..GOOD
    },
    Case {
        name: "dies",
        serve: "dies",
        only: &["serve.ready", "serve.answers"],
        fails: &["serve.answers"],
        said: "no answer for a malformed body",
        ..GOOD
    },
    Case {
        name: "fixed-port",
        serve: "fixed-port",
        only: &["serve.*", "image.label.*"],
        fails: &["serve.bind-to-port"],
        said: "port 8081",
        ..GOOD
    },
    Case {
        name: "unlabelled",
        only: &["serve.bind-to-port", "image.label.*"],
        fails: &["image.label.bind-to-port"],
        said: "the label com.amazonaws.sagemaker.capabilities.accept-bind-to-port is missing",
        ..GOOD
    },
];

#[test]
fn a_server_that_fails_in_one_way_fails_one_check() {
    SERVERS.iter().for_each(check);
    if at_length() {
        MORE_SERVERS.iter().for_each(check);
    }
}

const TRAININGS: &[Case] = &[Case {
    name: "fails",
    hyperparameters: "code = \"4\"",
    only: &["train.*"],
    fails: &["train.completes"],
    said: "exit code 4",
    ..GOOD
}];

const MORE_TRAININGS: &[Case] = &[
    Case {
        name: "hides",
        train: "hides",
        only: &["train.completes", "train.failure", "train.dirty"],
        fails: &["train.failure"],
        said: "the training that should fail exited with 0",
        ..GOOD
    },
    // It is given the two minutes that the platform gives.
    Case {
        name: "deaf",
        train: "deaf",
        hyperparameters: "seconds = \"300\"",
        only: &["train.stop"],
        fails: &["train.stop"],
        said: "was killed",
        ..GOOD
    },
    Case {
        name: "resumes",
        train: "checkpoints",
        // Long enough to be stopped in the middle.
        hyperparameters: "seconds = \"6\"",
        only: &["train.completes", "train.resume"],
        passes: &["train.resume"],
        ..GOOD
    },
    Case {
        name: "caches",
        train: "cache",
        only: &["train.completes", "warm.*"],
        passes: &["warm.second", "warm.cache-secrets", "warm.cache-used"],
        ..GOOD
    },
];

#[test]
fn a_training_that_fails_in_one_way_fails_one_check() {
    TRAININGS.iter().for_each(check);
    if at_length() {
        MORE_TRAININGS.iter().for_each(check);
    }
}

/// Half an init fails the half that it leaves out.
const INITS: &[Case] = &[
    Case {
        name: "init-forwards",
        train: "",
        serve: "",
        change: "ENTRYPOINT [\"actor\", \"init\", \"forwards\"]",
        only: &["signals.*"],
        fails: &["signals.orphans"],
        said: "were still zombies",
        ..GOOD
    },
    Case {
        name: "init-reaps",
        train: "",
        serve: "",
        change: "ENTRYPOINT [\"actor\", \"init\", \"reaps\"]",
        only: &["signals.*"],
        fails: &["signals.forwarded"],
        said: "SIGHUP did not reach it",
        ..GOOD
    },
];

#[test]
#[ignore = "make check-images"]
fn half_an_init_fails_the_half_that_it_leaves_out() {
    INITS.iter().for_each(check);
}

const SILENT: &[Case] = &[Case {
    name: "silent",
    train: "",
    serve: "",
    change: "ENTRYPOINT [\"actor\", \"silent\"]",
    only: &["start.*"],
    fails: &["start.bare"],
    said: "it printed nothing",
    ..GOOD
}];

/// A place in which the image does not start.
const STARTS: &[Case] = &[
    Case {
        name: "no-training",
        entry: &[
            "fails-at",
            "TRAINING_JOB_ARN,AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        ],
        only: &["start.*"],
        fails: &["start.sagemaker-training"],
        said: "this is TRAINING_JOB_ARN",
        ..GOOD
    },
    Case {
        name: "no-hosting",
        entry: &[
            "fails-at",
            "DMLC_INTERFACE,!TRAINING_JOB_ARN,!SAGEMAKER_BATCH,!SAGEMAKER_BIND_TO_PORT",
        ],
        only: &["start.*"],
        fails: &["start.sagemaker-hosting"],
        said: "this is DMLC_INTERFACE",
        ..GOOD
    },
    Case {
        name: "no-pod",
        entry: &["fails-at", "KUBERNETES_SERVICE_HOST,!JOB_COMPLETION_INDEX"],
        only: &["start.*"],
        fails: &["start.kubernetes-pod"],
        said: "this is KUBERNETES_SERVICE_HOST",
        ..GOOD
    },
    Case {
        name: "no-job",
        entry: &["fails-at", "JOB_COMPLETION_INDEX"],
        only: &["start.*"],
        fails: &["start.kubernetes-job"],
        said: "this is JOB_COMPLETION_INDEX",
        ..GOOD
    },
    Case {
        name: "wants-keys",
        settings: "[credentials]\nrequired = true\n",
        only: &["start.sagemaker-*", "start.kubernetes-*"],
        fails: &["start.sagemaker-isolated"],
        said: "isolated by design",
        ..GOOD
    },
    Case {
        name: "no-transform",
        entry: &["fails-at", "SAGEMAKER_BATCH"],
        only: &["start.*"],
        fails: &["start.sagemaker-transform"],
        said: "this is SAGEMAKER_BATCH",
        ..GOOD
    },
    Case {
        name: "no-ports",
        entry: &["fails-at", "SAGEMAKER_BIND_TO_PORT"],
        only: &["start.*"],
        fails: &["start.sagemaker-multi-container"],
        said: "this is SAGEMAKER_BIND_TO_PORT",
        ..GOOD
    },
    Case {
        name: "no-local",
        entry: &["fails-at", "AWS_ACCESS_KEY_ID"],
        only: &["start.*"],
        fails: &["start.sagemaker-local"],
        said: "this is AWS_ACCESS_KEY_ID",
        ..GOOD
    },
    Case {
        name: "no-processing",
        entry: &["fails-at", "/opt/ml/config/processingjobconfig.json"],
        only: &["start.*"],
        fails: &["start.sagemaker-processing"],
        said: "processingjobconfig.json",
        ..GOOD
    },
    Case {
        name: "never-off",
        entry: &["fails-at", "LYFTLEARN_RUNTIME"],
        only: &["start.*"],
        fails: &["start.off"],
        said: "this is LYFTLEARN_RUNTIME",
        ..GOOD
    },
    // A problem is one in every place.
    Case {
        name: "problem",
        change: "ENV LYFTLEARN_RUNTIME_PORT=tcp://10.0.0.1:80",
        only: &["start.*"],
        fails: &[
            "start.sagemaker-training",
            "start.sagemaker-hosting",
            "start.kubernetes-pod",
            "start.kubernetes-job",
            "start.sagemaker-multi-container",
            "start.sagemaker-transform",
            "start.sagemaker-processing",
            "start.sagemaker-local",
            "start.sagemaker-isolated",
        ],
        said: "LYFTLEARN_RUNTIME_PORT",
        ..GOOD
    },
];

#[test]
fn a_start_that_fails_in_one_way_fails_that_check() {
    SILENT.iter().for_each(check);
}

#[test]
#[ignore = "make check-images"]
fn a_place_in_which_an_image_does_not_start() {
    STARTS.iter().for_each(check);
}

/// Programs that find something else in one place.
const VIEWS: &[Case] = &[
    Case {
        name: "one-job",
        entry: &["sets-at", "TRAINING_JOB_ARN"],
        only: &["view.same-*"],
        fails: &["view.same-job"],
        said: "variables.ONLY_HERE",
        ..GOOD
    },
    Case {
        name: "one-server",
        entry: &["sets-at", "DMLC_INTERFACE,!TRAINING_JOB_ARN"],
        only: &["view.same-*"],
        fails: &["view.same-server"],
        said: "variables.ONLY_HERE",
        ..GOOD
    },
    Case {
        name: "other-python",
        change: "ENV PYTHON_SAYS=somebody",
        only: &["view.same-*"],
        fails: &["view.same-python"],
        said: "the package differs in role",
        ..GOOD
    },
    Case {
        name: "other-beside",
        entry: &["resize"],
        only: &["view.same-*"],
        fails: &["view.same-beside"],
        said: "lifecycle in `inspect` differs",
        ..GOOD
    },
    Case {
        name: "other-zone",
        entry: &["other-zone"],
        only: &["view.skew", "start.*"],
        fails: &["view.skew"],
        said: "differences from the environment that trained it: machine.",
        ..GOOD
    },
];

#[test]
#[ignore = "make check-images"]
fn a_program_that_finds_something_else_in_one_place() {
    VIEWS.iter().for_each(check);
}

const RESTRICTED: &[Case] = &[
    Case {
        name: "restricted-problem",
        change: "ENV LYFTLEARN_RUNTIME_PORT=tcp://10.0.0.1:80",
        only: &["restricted.*"],
        fails: &["restricted.start"],
        said: "LYFTLEARN_RUNTIME_PORT",
        ..GOOD
    },
    Case {
        name: "trains-in-root",
        train: "writes-root",
        only: &["restricted.*", "train.completes"],
        fails: &["restricted.train"],
        said: "cannot write /state",
        ..GOOD
    },
    Case {
        name: "serves-from-root",
        serve: "writes-root",
        only: &["restricted.*", "serve.ready"],
        fails: &["restricted.serve"],
        said: "cannot write /state",
        ..GOOD
    },
    Case {
        name: "restricted-deaf",
        train: "deaf",
        serve: "",
        hyperparameters: "seconds = \"300\"",
        only: &["restricted.start", "restricted.stop", "restricted.beside"],
        fails: &["restricted.stop"],
        said: "it was killed after",
        ..GOOD
    },
    Case {
        name: "restricted-deaf-server",
        train: "",
        serve: "deaf",
        only: &["restricted.start", "restricted.stop", "restricted.beside"],
        fails: &["restricted.stop"],
        said: "it was killed after",
        ..GOOD
    },
    Case {
        name: "restricted-beside",
        entry: &["resize"],
        only: &["restricted.*"],
        fails: &["restricted.beside"],
        said: "lifecycle in `inspect` differs",
        ..GOOD
    },
];

#[test]
#[ignore = "make check-images"]
fn a_restricted_pod_in_which_one_thing_fails() {
    RESTRICTED.iter().for_each(check);
}

/// Checks that no image fails, each with the reason.
const NEVER_FAIL: &[(&str, &str)] = &[("warm.cache-used", "it is measured, and has no budget")];

/// `tests/check` has the images of all other checks, as layouts, and is held to it there.
#[test]
fn each_check_that_starts_an_image_has_one_that_fails_it_and_one_that_passes_it() {
    let tables = [
        SERVERS,
        MORE_SERVERS,
        TRAININGS,
        MORE_TRAININGS,
        INITS,
        SILENT,
        STARTS,
        VIEWS,
        RESTRICTED,
        platform::QUICK,
        platform::GIVEN,
        platform::LEFT,
    ];
    let cases = || tables.iter().copied().flatten();
    let figures = || lazy::BUDGETS.iter();
    let mut wrong = Vec::new();
    for check in CHECKS
        .iter()
        .filter(|check| check.needs.contains(&Need::Engine))
    {
        let id = check.id;
        let alone = cases().filter(|case| case.fails == [id]);
        let alone = alone.map(|case| case.name.to_owned());
        let over = figures()
            .filter(|(_, known)| *known == id)
            .map(|(budget, _)| (*budget).to_owned());
        let excused = NEVER_FAIL
            .iter()
            .filter(|(known, _)| *known == id)
            .map(|(_, why)| (*why).to_owned());
        let failing: Vec<String> = alone.chain(over).chain(excused).collect();
        let mut passing: Vec<&str> = cases()
            .filter(|case| case.passes.contains(&id))
            .map(|case| case.name)
            .collect();
        if figures().any(|(_, known)| *known == id) {
            passing.push("figures");
        } else if !SKIPPED.contains(&id) {
            passing.push("good");
        }
        eprintln!(
            "{id:32} passes: {:20} fails: {}",
            passing.join(", "),
            failing.join(", ")
        );
        if failing.is_empty() {
            wrong.push(format!("no image fails {id} alone"));
        }
        if passing.is_empty() {
            wrong.push(format!("no image passes {id}"));
        }
    }
    assert_eq!(wrong, [""; 0]);
}
