//! The settings of how a failure is reported.

use crate::layers::{Key, ON_OFF, Unset, WORDS};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "outcome.python_exceptions",
        form: ON_OFF,
        default: Unset::Value("on"),
    },
    Key {
        name: "outcome.redact",
        form: WORDS,
        default: Unset::Value("[]"),
    },
];
