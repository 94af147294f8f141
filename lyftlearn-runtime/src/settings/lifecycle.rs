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
        doc: "Seconds between the platform's stop signal and SIGKILL. Set it to the pod's \
              `terminationGracePeriodSeconds`, which a container cannot see. On SageMaker it \
              has no effect.",
        example: "30",
    },
    Key {
        name: "lifecycle.signal_scope",
        form: Form::choice::<SignalScope>(),
        default: Unset::Value("auto"),
        doc: "Which processes receive a signal. `auto` signals the program; a stop reaches \
              the children of a shell or a launcher first. `child` signals only the program, \
              `group` its whole process group.",
        example: "\"group\"",
    },
    Key {
        name: "lifecycle.stop_on",
        form: SIGNALS,
        default: Unset::Text("SIGTERM; for processing jobs SIGTERM and SIGINT"),
        doc: "Signals by which the platform asks for a stop. Set it if the image's \
              `STOPSIGNAL` or the pod's `stopSignal` is another one. A container cannot see \
              either.",
        example: "[\"SIGTERM\", \"SIGQUIT\"]",
    },
    Key {
        name: "lifecycle.stop_signal",
        form: SIGNAL,
        default: Unset::Value("SIGTERM"),
        doc: "Signal that the program receives for a stop, by name or number. Set it for a \
              program that shuts down cleanly only on another signal.",
        example: "\"SIGINT\"",
    },
    Key {
        name: "lifecycle.drain_seconds",
        form: SECONDS,
        default: Unset::Value("0"),
        doc: "Seconds between the platform's stop signal and the program's. Set it for \
              servers, so that endpoints are removed before the program stops.",
        example: "5",
    },
    Key {
        name: "lifecycle.orphan_seconds",
        form: SECONDS,
        default: Unset::Value("5"),
        doc: "Seconds between SIGTERM and SIGKILL for processes that outlive the program. If the \
              program dies of a stop for which it has no handler, processes that handle SIGTERM \
              have until the program's own deadline.",
        example: "10",
    },
    Key {
        name: "lifecycle.resize_seconds",
        form: SECONDS,
        default: Unset::Text("none: no deadline is known"),
        doc: "Seconds that HyperPod leaves workers before a new round. Set it to the job's \
              `gracefulShutdownTimeoutInSeconds`, which a pod cannot see.",
        example: "600",
    },
    Key {
        name: "lifecycle.exit_remap",
        form: REMAP,
        default: Unset::Value("[]"),
        doc: "Exit codes of the program to replace, as `FROM:TO`. Set `143:0` for uvicorn and \
              Java, which exit with 143 after a clean stop. The outcome's class and the job's \
              event follow the new code.",
        example: "[\"143:0\"]",
    },
];

/// Which processes receive a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignalScope {
    /// The program; for a stop, the children of a shell or a launcher first.
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
    let pairs = pairs.ok_or(REMAP.expected)?;
    let twice = (pairs.iter().enumerate())
        .any(|(at, (from, _))| pairs[..at].iter().any(|(other, _)| other == from));
    if twice {
        return Err("each exit code at most once, such as [\"143:0\"]");
    }
    Ok(pairs)
}
