//! The register of settings. A row here is a setting; there is no other way to make one.

use crate::layers::{Form, Key};
use crate::metrics::routes::SECTIONS as METRICS;

/// Every setting, as the sections that declare them.
pub const KEYS: &[&[Key]] = &sections();

const fn sections() -> [&'static [Key]; METRICS.len() + 2] {
    let mut all = [BEFORE_METRICS; METRICS.len() + 2];
    let mut section = 0;
    while section < METRICS.len() {
        all[section + 1] = METRICS[section];
        section += 1;
    }
    all[METRICS.len() + 1] = AFTER_METRICS;
    all
}

const BEFORE_METRICS: &[Key] = &[
    Key {
        name: "platform",
        form: Form::Choice {
            of: &["sagemaker", "kubernetes", "local"],
            expected: "sagemaker, kubernetes or local",
        },
    },
    Key {
        name: "role",
        form: Form::Choice {
            of: &[
                "training",
                "processing",
                "serving",
                "transform",
                "job",
                "notebook",
            ],
            expected: "training, processing, serving, transform, job or notebook",
        },
    },
    Key {
        name: "log",
        form: Form::Choice {
            of: &["info", "off"],
            expected: "info or off",
        },
    },
    Key {
        name: "user",
        form: Form::Other,
    },
    Key {
        name: "agent",
        form: Form::Choice {
            of: &["auto", "on"],
            expected: "auto or on",
        },
    },
    Key {
        name: "config_dir",
        form: Form::Other,
    },
    Key {
        name: "job.name",
        form: Form::Other,
    },
    Key {
        name: "commands.train",
        form: Form::Other,
    },
    Key {
        name: "commands.serve",
        form: Form::Other,
    },
    Key {
        name: "commands.default",
        form: Form::Other,
    },
    Key {
        name: "commands.hyperparameters_as_args",
        form: Form::Other,
    },
    Key {
        name: "toolkit.variables",
        form: Form::Choice {
            of: &["on", "off"],
            expected: "on or off",
        },
    },
    Key {
        name: "toolkit.num_cpus",
        form: Form::Choice {
            of: &["cgroup", "node"],
            expected: "cgroup or node",
        },
    },
    Key {
        name: "paths.base",
        form: Form::Other,
    },
    Key {
        name: "paths.model",
        form: Form::Other,
    },
    Key {
        name: "lifecycle.grace_seconds",
        form: Form::Other,
    },
    Key {
        name: "lifecycle.signal_scope",
        form: Form::Choice {
            of: &["auto", "group", "child"],
            expected: "auto, group or child",
        },
    },
    Key {
        name: "lifecycle.stop_on",
        form: Form::Other,
    },
    Key {
        name: "lifecycle.stop_signal",
        form: Form::Other,
    },
    Key {
        name: "lifecycle.drain_seconds",
        form: Form::Other,
    },
    Key {
        name: "lifecycle.orphan_seconds",
        form: Form::Other,
    },
    Key {
        name: "lifecycle.exit_remap",
        form: Form::Other,
    },
    Key {
        name: "credentials.mode",
        form: Form::Choice {
            of: &["broker", "native", "off"],
            expected: "broker, native or off",
        },
    },
    Key {
        name: "credentials.source",
        form: Form::Choice {
            of: &[
                "auto",
                "static",
                "web-identity",
                "profile",
                "container",
                "pod-identity",
                "imds",
            ],
            expected: "auto, static, web-identity, profile, container, pod-identity or imds",
        },
    },
    Key {
        name: "credentials.required",
        form: Form::Other,
    },
    Key {
        name: "credentials.startup_seconds",
        form: Form::Other,
    },
    Key {
        name: "credentials.profile_files",
        form: Form::Other,
    },
    Key {
        name: "credentials.roles",
        form: Form::Other,
    },
    Key {
        name: "credentials.assume_role.arn",
        form: Form::Other,
    },
    Key {
        name: "credentials.assume_role.session_name",
        form: Form::Other,
    },
    Key {
        name: "credentials.assume_role.duration_seconds",
        form: Form::Other,
    },
    Key {
        name: "credentials.assume_role.external_id",
        form: Form::Other,
    },
    Key {
        name: "credentials.assume_role.source_identity",
        form: Form::Other,
    },
    Key {
        name: "credentials.assume_role.tags",
        form: Form::Other,
    },
    Key {
        name: "hyperparameters.encoding",
        form: Form::Choice {
            of: &["text", "json"],
            expected: "text or json",
        },
    },
    Key {
        name: "job.podinfo_dir",
        form: Form::Other,
    },
    Key {
        name: "environment.allow",
        form: Form::Other,
    },
    Key {
        name: "live.dirs",
        form: Form::Other,
    },
    Key {
        name: "skew.guard",
        form: Form::Choice {
            of: &["warn", "fail", "off"],
            expected: "warn, fail or off",
        },
    },
];

const AFTER_METRICS: &[Key] = &[
    Key {
        name: "outcome.python_exceptions",
        form: Form::Choice {
            of: &["on", "off"],
            expected: "on or off",
        },
    },
    Key {
        name: "outcome.redact",
        form: Form::Other,
    },
    Key {
        name: "secrets",
        form: Form::Other,
    },
    Key {
        name: "secrets.deadline",
        form: Form::Other,
    },
    Key {
        name: "confidant.url",
        form: Form::Other,
    },
    Key {
        name: "confidant.auth_key",
        form: Form::Other,
    },
    Key {
        name: "confidant.from",
        form: Form::Other,
    },
    Key {
        name: "confidant.to",
        form: Form::Other,
    },
    Key {
        name: "confidant.user_type",
        form: Form::Choice {
            of: &["service", "user"],
            expected: "service or user",
        },
    },
    Key {
        name: "confidant.region",
        form: Form::Other,
    },
];

/// What a word runs can be a list, or a table with the list in it; a switch can stand alone,
/// or in the table of what it switches.
pub(super) const SPELLINGS: &[(&str, &str)] = &[
    ("commands.train.command", "commands.train"),
    ("commands.serve.command", "commands.serve"),
    ("commands.default.command", "commands.default"),
    (
        "commands.train.hyperparameters_as_args",
        "commands.hyperparameters_as_args",
    ),
    ("metrics.statsd", "metrics.statsd.mode"),
];
