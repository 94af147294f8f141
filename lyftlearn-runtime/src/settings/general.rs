//! The settings of the runtime itself.

use crate::choice::choice;
use crate::layers::{Form, Key, PATH, TEXT, Unset};
use crate::workload::{Platform, Role};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "platform",
        form: Form::choice::<Platform>(),
        default: Unset::Text("detected"),
    },
    Key {
        name: "role",
        form: Form::choice::<Role>(),
        default: Unset::Text("detected"),
    },
    Key {
        name: "log",
        form: Form::choice::<Log>(),
        default: Unset::Value("info"),
    },
    Key {
        name: "user",
        form: TEXT,
        default: Unset::Text("the user that the container was started as"),
    },
    Key {
        name: "agent",
        form: Form::choice::<Agent>(),
        default: Unset::Value("auto"),
    },
    Key {
        name: "config_dir",
        form: PATH,
        default: Unset::Text(
            "/opt/ml/input/data/lyftlearn on SageMaker, else /etc/lyftlearn/config",
        ),
    },
    Key {
        name: "job.name",
        form: TEXT,
        default: Unset::Text("the name that the platform gives; in a pod, the pod's"),
    },
];

/// What `run` logs before the program starts.
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
