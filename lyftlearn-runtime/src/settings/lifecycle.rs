//! The settings of how the program ends.

use figment::value::Value;

use crate::choice::choice;
use crate::layers::{Form, Key, Parsed, SECONDS, SIGNAL, SIGNALS, Unset, list};

const REMAP: Form = Form::new("a list of exit codes, such as [\"143:0\"]");

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "lifecycle.grace_seconds",
        form: SECONDS,
        default: Unset::Text("30 on Kubernetes, 10 in other containers; fixed on SageMaker"),
    },
    Key {
        name: "lifecycle.signal_scope",
        form: Form::choice::<SignalScope>(),
        default: Unset::Value("auto"),
    },
    Key {
        name: "lifecycle.stop_on",
        form: SIGNALS,
        default: Unset::Text("SIGTERM; for processing jobs SIGTERM and SIGINT"),
    },
    Key {
        name: "lifecycle.stop_signal",
        form: SIGNAL,
        default: Unset::Value("SIGTERM"),
    },
    Key {
        name: "lifecycle.drain_seconds",
        form: SECONDS,
        default: Unset::Value("0"),
    },
    Key {
        name: "lifecycle.orphan_seconds",
        form: SECONDS,
        default: Unset::Value("5"),
    },
    Key {
        name: "lifecycle.exit_remap",
        form: REMAP,
        default: Unset::Value("[]"),
    },
];

/// Which processes receive a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignalScope {
    /// The program; for a stop, the children of a shell first.
    Auto,
    Group,
    Child,
}

choice!(SignalScope {
    Self::Auto => "auto",
    Self::Group => "group",
    Self::Child => "child",
});

/// `["143:0"]`: what the program leaves with, and what to leave with instead.
pub(super) fn exit_remap(value: &Value) -> Parsed<Vec<(u8, u8)>> {
    let pair = |word: &String| {
        let (from, to) = word.split_once(':')?;
        Some((from.parse().ok()?, to.parse().ok()?))
    };
    let words = list(value, REMAP.expected)?;
    let pairs: Option<Vec<(u8, u8)>> = words.iter().map(pair).collect();
    pairs.ok_or(REMAP.expected)
}
