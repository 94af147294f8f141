//! Images that do not start in one place, find something else there, or do half of PID 1's work.

use super::{Case, GOOD, check};

/// Half an init fails the half that it leaves out.
pub(super) const INITS: &[Case] = &[
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
#[ignore = "starts containers for minutes: make check-images"]
fn half_an_init_fails_the_half_that_it_leaves_out() {
    INITS.iter().for_each(check);
}

pub(super) const SILENT: &[Case] = &[Case {
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
pub(super) const STARTS: &[Case] = &[
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
#[ignore = "starts containers for minutes: make check-images"]
fn a_place_in_which_an_image_does_not_start() {
    STARTS.iter().for_each(check);
}

/// Programs that find something else in one place.
pub(super) const VIEWS: &[Case] = &[
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
#[ignore = "starts containers for minutes: make check-images"]
fn a_program_that_finds_something_else_in_one_place() {
    VIEWS.iter().for_each(check);
}

pub(super) const RESTRICTED: &[Case] = &[
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
#[ignore = "starts containers for minutes: make check-images"]
fn a_restricted_pod_in_which_one_thing_fails() {
    RESTRICTED.iter().for_each(check);
}
