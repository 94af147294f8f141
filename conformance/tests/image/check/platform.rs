//! What a platform gives and keeps: identity, secrets, metrics, outcomes, what a job leaves. Each check
//! has a small image that fails it and nothing else of its family.

use super::cases::{Case, GOOD, check};
use super::{Small, checked, settings};

const IDENTITY: &[&str] = &["identity.*"];

/// Some seconds each.
pub(super) const QUICK: &[Case] = &[Case {
    name: "calls-home",
    train: "calls-home",
    only: &["quiet", "train.completes"],
    fails: &["quiet"],
    said: "tcp 203.0.113.7:443, telemetry.example.net",
    ..GOOD
}];

/// The interface between platform and program, in full.
pub(super) const GIVEN: &[Case] = &[
    Case {
        name: "own-key",
        entry: &["own-key"],
        only: &["identity.one", "identity.none"],
        fails: &["identity.one"],
        said: "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY names other credentials",
        ..GOOD
    },
    Case {
        name: "prints",
        train: "prints",
        only: &["secrets.*", "train.completes"],
        fails: &["secrets.unseen"],
        said: "the secret is in its log",
        ..GOOD
    },
    Case {
        name: "unscraped",
        settings: "[metrics]\nlisten = \"off\"\n",
        only: &["metrics.*"],
        fails: &["metrics.arrive"],
        said: "0 of 12 arrived over StatsD; 0 of 12 arrived over DogStatsD",
        ..GOOD
    },
    Case {
        name: "stale-keys",
        entry: &["stale-keys"],
        only: IDENTITY,
        fails: &["identity.refresh"],
        said: "no credentials from the endpoint",
        ..GOOD
    },
    Case {
        name: "asks-alone",
        entry: &["asks-alone"],
        only: IDENTITY,
        fails: &["identity.none"],
        said: "tcp 169.254.169.254:80 was contacted",
        ..GOOD
    },
    Case {
        name: "no-secrets",
        change: "ENV AWS_ENDPOINT_URL_SECRETS_MANAGER=http://127.0.0.1:1",
        only: &["secrets.*", "start.*"],
        fails: &["secrets.delivered"],
        said: "conformance-remote",
        ..GOOD
    },
    Case {
        name: "argv",
        entry: &["argv"],
        only: &["secrets.*"],
        fails: &["secrets.unseen"],
        said: "the arguments of a process",
        ..GOOD
    },
    Case {
        name: "stop-on",
        settings: "[lifecycle]\nstop_on = [\"USR1\"]\n",
        only: &["outcome.*", "train.completes"],
        fails: &["outcome.classes"],
        said: "stopped is reported as",
        ..GOOD
    },
];

/// What a job leaves to the next one.
pub(super) const LEFT: &[Case] = &[
    Case {
        name: "dirty",
        train: "dirty",
        only: &[
            "train.completes",
            "train.dirty",
            "train.same-model",
            "train.failure",
        ],
        fails: &["train.dirty"],
        said: "it ended with exit code 1",
        ..GOOD
    },
    Case {
        name: "random",
        train: "random",
        only: &["train.*", "warm.*"],
        fails: &["train.same-model"],
        said: "model.txt differs",
        ..GOOD
    },
    Case {
        name: "forgets",
        train: "forgets",
        hyperparameters: "seconds = \"3\"",
        only: &["train.*"],
        fails: &["train.resume"],
        said: "no line of the second log matches resumed",
        ..GOOD
    },
    Case {
        name: "stale-cache",
        train: "stale-cache",
        only: &["train.*", "warm.*"],
        fails: &["warm.second"],
        said: "with the first job's cache, it ended with exit code 1",
        ..GOOD
    },
    Case {
        name: "leaky-cache",
        train: "leaky-cache",
        only: &["train.*", "warm.*", "secrets.*"],
        fails: &["warm.cache-secrets"],
        said: "the secret is in kept",
        ..GOOD
    },
];

#[test]
fn an_image_that_breaks_one_promise_fails_one_check() {
    QUICK.iter().for_each(check);
}

#[test]
#[ignore = "starts containers for minutes: make check-images"]
fn the_interface_between_platform_and_program() {
    GIVEN.iter().for_each(check);
}

#[test]
#[ignore = "starts containers for minutes: make check-images"]
fn what_a_job_leaves_to_the_next_one() {
    LEFT.iter().for_each(check);
}

#[test]
#[ignore = "starts containers for minutes: make check-images"]
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
    let small = Small {
        name: "remote",
        settings: &image,
        ..Small::default()
    };
    if let Some(checked) = checked(&small, "", &only) {
        assert_eq!(checked.wrong, [""; 0], "{}", checked.said);
    }
}
