//! The settings of the runtime itself.

use crate::choice::choice;
use crate::layers::{Form, Key, PATH, TEXT, Unset};
use crate::workload::{Platform, Role};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "platform",
        form: Form::choice::<Platform>(),
        default: Unset::Text("detected"),
        doc: "Overrides the detected platform. Set it only if detection picks the wrong one. \
              The config directory's `runtime.toml` cannot set it.",
        example: "\"kubernetes\"",
    },
    Key {
        name: "role",
        form: Form::choice::<Role>(),
        default: Unset::Text("detected"),
        doc: "Overrides the detected role of the container. Set it where the platform does \
              not say what a container is for, as in a plain pod.",
        example: "\"serving\"",
    },
    Key {
        name: "log",
        form: Form::choice::<Log>(),
        default: Unset::Value("info"),
        doc: "What the runtime logs. `info` is one line at the start, up to three problems, \
              and later events. `off` keeps only the errors that prevent a start.",
        example: "\"off\"",
    },
    Key {
        name: "user",
        form: TEXT,
        default: Unset::Text("the user that the container was started as"),
        doc: "User that the program runs as, spelled as for `docker run --user`: `NAME`, \
              `UID`, `NAME:GROUP` or `UID:GID`. PID 1 stays root. The program loses all \
              capabilities.",
        example: "\"1000:1000\"",
    },
    Key {
        name: "agent",
        form: Form::choice::<Agent>(),
        default: Unset::Value("auto"),
        doc: "When to start the agent process. `auto` starts it if something needs it: \
              served credentials, a secret that is refreshed, metrics, or job state events.",
        example: "\"on\"",
    },
    Key {
        name: "config_dir",
        form: PATH,
        default: Unset::Text(
            "/opt/ml/input/data/lyftlearn on SageMaker, else /etc/lyftlearn/config",
        ),
        doc: "Directory with the deployment's `runtime.toml` and its staged documents. That \
              `runtime.toml` cannot set it. A directory that the deployment names must be there; \
              one that the image's `runtime.toml` names may be missing.",
        example: "\"/etc/ranking/config\"",
    },
    Key {
        name: "job.name",
        form: TEXT,
        default: Unset::Text("the name that the platform gives; in a pod, the pod's"),
        doc: "The job's name, where the platform gives none. Set it to give all pods of a \
              job one name.",
        example: "\"ranking-7\"",
    },
];

/// Whether `run` logs its lines at the start and at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    Info,
    Off,
}

choice!(Log {
    Self::Info => "info",
    Self::Off => "off",
});

/// When the agent process is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Agent {
    /// If something needs it.
    Auto,
    On,
}

choice!(Agent {
    Self::Auto => "auto",
    Self::On => "on",
});
