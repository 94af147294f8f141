//! The settings of what the runtime reads beside the platform: documents, live configuration,
//! a model's snapshot.

use crate::choice::choice;
use crate::contract::kubernetes;
use crate::layers::{Form, Key, PATH, PATHS, Unset, WORDS};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "hyperparameters.encoding",
        form: Form::choice::<Encoding>(),
        default: Unset::Value("text"),
        doc: "How values of hyperparameters are decoded. `text` leaves each value unchanged. \
              `json` decodes values that are JSON strings, as the SageMaker Python SDK \
              writes them.",
        example: "\"json\"",
    },
    Key {
        name: "job.podinfo_dir",
        form: PATH,
        default: Unset::Value(kubernetes::PODINFO_DIR),
        doc: "Directory of a downwardAPI volume with the files `labels` and `annotations`. \
              Set it if the pod mounts that volume elsewhere.",
        example: "\"/podinfo\"",
    },
    Key {
        name: "environment.allow",
        form: WORDS,
        default: Unset::Value("[]"),
        doc: "Protected variables that documents and secrets may set nevertheless. Variables \
              are protected if they decide which code is loaded, which certificates are \
              trusted or which identity is used.",
        example: "[\"PYTHONPATH\"]",
    },
    Key {
        name: "live.dirs",
        form: PATHS,
        default: Unset::Text(
            "`live` in the config directory on SageMaker, else /etc/lyftlearn/live",
        ),
        doc: "Directories of live configuration. Later directories override earlier ones.",
        example: "[\"/etc/lyftlearn/live\"]",
    },
    Key {
        name: "skew.guard",
        form: Form::choice::<SkewGuard>(),
        default: Unset::Value("warn"),
        doc: "What happens if a model is served in a different environment than it was \
              trained in. `warn` logs it, and `fail` exits with code 125. `off` neither \
              keeps nor reads snapshots.",
        example: "\"fail\"",
    },
];

/// How values of hyperparameters are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Each value is the text that it is.
    Text,
    /// A text that is itself a JSON string is decoded once more: the SageMaker Python SDK
    /// writes `"\"adam\""` for `"adam"`.
    Json,
}

choice!(Encoding {
    Self::Text => "text",
    Self::Json => "json",
});

/// What happens if a model is served with something else than it was trained with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SkewGuard {
    Warn,
    /// The program does not start.
    Fail,
    /// No snapshot is kept or read.
    Off,
}

choice!(SkewGuard {
    Self::Warn => "warn",
    Self::Fail => "fail",
    Self::Off => "off",
});
