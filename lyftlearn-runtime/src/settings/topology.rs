//! The settings of how nodes find each other.

use figment::value::Value;

use crate::layers::{Form, Key, Parsed, SECONDS, TEXT, Unset, text_of};
use crate::workload::Bounds;

const NODES: Form = Form::new("a whole number from 1, or two as least:most");

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "topology.nodes",
        form: NODES,
        default: Unset::Text("the platform's; 1 if the platform has none"),
        doc: "How many nodes train together, or `least:most` for an elastic job; 1 says that \
              each pod works alone. Set it to the completions of an Indexed Job, which \
              Kubernetes does not tell its pods. On SageMaker it has no effect.",
        example: "4",
    },
    Key {
        name: "topology.master",
        form: TEXT,
        default: Unset::Text("the platform's; for an Indexed Job the pod with index 0"),
        doc: "Name or address of the node with rank 0. Set it where the platform does not \
              tell it. On SageMaker it has no effect.",
        example: "\"train-0.train\"",
    },
    Key {
        name: "topology.wait_seconds",
        form: SECONDS,
        default: Unset::Text("300 for a fixed rank above 0, else 0"),
        doc: "Seconds that a start waits for the node with rank 0. It goes on as soon as that \
              node's name resolves and its host answers. 0 does not wait.",
        example: "600",
    },
];

/// Settings about the nodes of a job.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Topology {
    /// Least and most; both are the same for a job of a fixed size.
    pub(crate) nodes: Option<Bounds>,
    pub(crate) master: Option<String>,
    /// How long a start waits for rank 0's node, in seconds.
    pub(crate) wait_seconds: Option<u32>,
}

/// A count, or torchrun's `least:most`.
pub(super) fn nodes(value: &Value) -> Parsed<Bounds> {
    let text = text_of(value, NODES.expected)?;
    bounds(&text).ok_or(NODES.expected)
}

pub(crate) fn bounds(text: &str) -> Option<Bounds> {
    let (least, most) = text.split_once(':').unwrap_or((text, text));
    let least = least.trim().parse().ok()?;
    let most = most.trim().parse().ok()?;
    (0 < least && least <= most).then_some(Bounds { least, most })
}

#[cfg(test)]
mod tests {
    use super::bounds;
    use crate::workload::Bounds;

    #[test]
    fn a_count_is_one_number_or_two() {
        let of = |least, most| Some(Bounds { least, most });
        assert_eq!(bounds("4"), of(4, 4));
        assert_eq!(bounds(" 1:3 "), of(1, 3));
        for wrong in ["", "0", "0:2", "3:1", "1:2:3", "auto", "-1"] {
            assert_eq!(bounds(wrong), None, "{wrong}");
        }
    }
}
