//! The settings of how a failure is reported.

use crate::layers::{Key, ON_OFF, Unset, WORDS};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "outcome.python_exceptions",
        form: ON_OFF,
        default: Unset::Value("on"),
        doc: "Whether the runtime records uncaught Python exceptions, to report why the \
              program failed.",
        example: "\"off\"",
    },
    Key {
        name: "outcome.redact",
        form: WORDS,
        default: Unset::Value("[]"),
        doc: "Names of variables with secret values. The runtime removes the values from \
              reported failures. Variables of declared secrets need no entry.",
        example: "[\"DB_PASSWORD\"]",
    },
];
