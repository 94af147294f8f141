//! What a platform gives and keeps: identity, secrets, metrics, outcomes, what a job leaves. Each check
//! has a small image that fails it and nothing else of its family.

use super::{check_fails, checked, settings};

/// An image's program, settings and entry point, the checks that run, the ones that fail, and their
/// messages.
struct Case<'a> {
    name: &'a str,
    train: &'a str,
    settings: &'a str,
    /// Words between the entry point's first and the runtime.
    entry: &'a [&'a str],
    /// An extra instruction.
    change: &'a str,
    hyperparameters: &'a str,
    only: &'a [&'a str],
    fails: &'a str,
    said: &'a str,
}

const GOOD: Case<'_> = Case {
    name: "",
    train: "ok",
    settings: "",
    entry: &[],
    change: "LABEL a=b",
    hyperparameters: "seconds = \"1\"",
    only: &[],
    fails: "",
    said: "",
};

#[track_caller]
fn check(case: &Case<'_>) {
    let entry: Vec<String> = ["actor", "as"]
        .iter()
        .filter(|_| !case.entry.is_empty())
        .chain(case.entry)
        .chain(&["lyftlearn-runtime", "run", "--"])
        .map(|word| format!("\"{word}\""))
        .collect();
    let entry = format!("ENTRYPOINT [{}]", entry.join(", "));
    let settings = format!("{}{}", settings(case.train, "ok"), case.settings);
    check_fails(
        case.name,
        (&settings, &[&entry, case.change]),
        case.hyperparameters,
        case.only,
        &[case.fails],
        case.said,
    );
}

const IDENTITY: &[&str] = &["identity.*"];

/// Some seconds each.
const QUICK: &[Case<'_>] = &[Case {
    name: "calls-home",
    train: "calls-home",
    only: &["quiet", "train.completes"],
    fails: "quiet",
    said: "tcp 203.0.113.7:443, telemetry.example.net",
    ..GOOD
}];

/// The interface between platform and program, in full.
const GIVEN: &[Case<'_>] = &[
    Case {
        name: "own-key",
        entry: &["own-key"],
        only: &["identity.one", "identity.none"],
        fails: "identity.one",
        said: "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY names other credentials",
        ..GOOD
    },
    Case {
        name: "prints",
        train: "prints",
        only: &["secrets.*", "train.completes"],
        fails: "secrets.unseen",
        said: "the secret is in its log",
        ..GOOD
    },
    Case {
        name: "unscraped",
        settings: "[metrics]\nlisten = \"off\"\n",
        only: &["metrics.*"],
        fails: "metrics.arrive",
        said: "0 of 12 arrived over StatsD; 0 of 12 arrived over DogStatsD",
        ..GOOD
    },
    Case {
        name: "stale-keys",
        entry: &["stale-keys"],
        only: IDENTITY,
        fails: "identity.refresh",
        said: "no credentials from the endpoint",
        ..GOOD
    },
    Case {
        name: "asks-alone",
        entry: &["asks-alone"],
        only: IDENTITY,
        fails: "identity.none",
        said: "tcp 169.254.169.254:80 was contacted",
        ..GOOD
    },
    Case {
        name: "no-secrets",
        change: "ENV AWS_ENDPOINT_URL_SECRETS_MANAGER=http://127.0.0.1:1",
        only: &["secrets.*", "start.*"],
        fails: "secrets.delivered",
        said: "conformance-remote",
        ..GOOD
    },
    Case {
        name: "argv",
        entry: &["argv"],
        only: &["secrets.*"],
        fails: "secrets.unseen",
        said: "the arguments of a process",
        ..GOOD
    },
    Case {
        name: "stop-on",
        settings: "[lifecycle]\nstop_on = [\"USR1\"]\n",
        only: &["outcome.*", "train.completes"],
        fails: "outcome.classes",
        said: "stopped is reported as",
        ..GOOD
    },
];

/// What a job leaves to the next one.
const LEFT: &[Case<'_>] = &[
    Case {
        name: "dirty",
        train: "dirty",
        only: &[
            "train.completes",
            "train.dirty",
            "train.same-model",
            "train.failure",
        ],
        fails: "train.dirty",
        said: "it ended with exit code 1",
        ..GOOD
    },
    Case {
        name: "random",
        train: "random",
        only: &["train.*", "warm.*"],
        fails: "train.same-model",
        said: "model.txt differs",
        ..GOOD
    },
    Case {
        name: "forgets",
        train: "forgets",
        hyperparameters: "seconds = \"3\"",
        only: &["train.*"],
        fails: "train.resume",
        said: "no line of the second log matches resumed",
        ..GOOD
    },
    Case {
        name: "stale-cache",
        train: "stale-cache",
        only: &["train.*", "warm.*"],
        fails: "warm.second",
        said: "with the first job's cache, it ended with exit code 1",
        ..GOOD
    },
    Case {
        name: "leaky-cache",
        train: "leaky-cache",
        only: &["train.*", "warm.*", "secrets.*"],
        fails: "warm.cache-secrets",
        said: "the secret is in kept",
        ..GOOD
    },
    Case {
        name: "other-zone",
        entry: &["other-zone"],
        only: &["view.skew", "start.*"],
        fails: "view.skew",
        said: "differences from the environment that trained it: machine.",
        ..GOOD
    },
];

/// A place in which the image does not start.
const STARTS: &[Case<'_>] = &[
    Case {
        name: "wants-keys",
        settings: "[credentials]\nrequired = true\n",
        only: &["start.sagemaker-*", "start.kubernetes-*"],
        fails: "start.sagemaker-isolated",
        said: "isolated by design",
        ..GOOD
    },
    Case {
        name: "no-transform",
        entry: &["fails-at", "SAGEMAKER_BATCH"],
        only: &["start.*"],
        fails: "start.sagemaker-transform",
        said: "SAGEMAKER_BATCH is there",
        ..GOOD
    },
    Case {
        name: "no-ports",
        entry: &["fails-at", "SAGEMAKER_BIND_TO_PORT"],
        only: &["start.*"],
        fails: "start.sagemaker-multi-container",
        said: "SAGEMAKER_BIND_TO_PORT is there",
        ..GOOD
    },
    Case {
        name: "no-local",
        entry: &["fails-at", "AWS_ACCESS_KEY_ID"],
        only: &["start.*"],
        fails: "start.sagemaker-local",
        said: "AWS_ACCESS_KEY_ID is there",
        ..GOOD
    },
    Case {
        name: "no-processing",
        entry: &["fails-at", "/opt/ml/config/processingjobconfig.json"],
        only: &["start.*"],
        fails: "start.sagemaker-processing",
        said: "processingjobconfig.json is there",
        ..GOOD
    },
];

#[test]
fn an_image_that_breaks_one_promise_fails_one_check() {
    QUICK.iter().for_each(check);
}

#[test]
#[ignore = "make check-images"]
fn the_interface_between_platform_and_program() {
    GIVEN.iter().for_each(check);
}

#[test]
#[ignore = "make check-images"]
fn what_a_job_leaves_to_the_next_one() {
    LEFT.iter().for_each(check);
}

#[test]
#[ignore = "make check-images"]
fn a_place_in_which_an_image_does_not_start() {
    STARTS.iter().for_each(check);
}

#[test]
#[ignore = "make check-images"]
fn what_settings_fetch_from_elsewhere_a_stand_in_gives() {
    let remote = "[confidant]\nurl = \"https://confidant.example.net\"\nauth_key = \"alias/authnz\"\n\
        from = \"ranking-prod\"\nto = \"confidant-prod\"\n\
        [credentials.assume_role]\narn = \"arn:aws:iam::123456789012:role/data\"\n\
        [secrets.all]\nfrom = \"confidant://ranking-prod\"\n\
        [secrets.picked]\nfrom = \"aws-secretsmanager:app/one?stage=AWSCURRENT#password\"\n\
        [secrets.parameter]\nfrom = \"aws-ssm:/app/two\"\n\
        [secrets.path]\nfrom = \"aws-ssm:/app/three/\"\n";
    let image = format!("{}{remote}", settings("ok", "ok"));
    let only = [
        "start.sagemaker-training",
        "start.kubernetes-*",
        "train.completes",
        "identity.one",
        "secrets.*",
        "quiet",
    ];
    if let Some((wrong, seen)) = checked("remote", &image, &[], "", &only) {
        assert_eq!(wrong, [""; 0], "{seen}");
    }
}
