//! Two snapshots, path by path.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// Whether a difference matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::cli) enum Kind {
    /// Nobody said that it may be.
    Undeclared,
    /// Named by somebody who meant it.
    Declared,
    /// What the two platforms of the snapshots always differ in.
    Platforms,
    /// Names and numbers of the place, which no result depends on.
    Harmless,
}

impl Kind {
    /// Worst first.
    pub(super) const ALL: [(Self, &'static str); 4] = [
        (Self::Undeclared, "undeclared differences"),
        (Self::Declared, "declared differences"),
        (Self::Platforms, "differences of the two platforms"),
        (Self::Harmless, "harmless differences"),
    ];
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(in crate::cli) struct Difference {
    pub(in crate::cli) kind: Kind,
    /// Dotted, as in `paths.model.mode`.
    pub(in crate::cli) path: String,
    /// JSON; `absent` where there is nothing.
    pub(super) a: String,
    pub(super) b: String,
}

/// What names the place: the platform itself, the job's names, hosts, and what a platform
/// sets about itself.
const HARMLESS: &[&str] = &[
    "credentials.*",
    "flavor",
    "job.*",
    "lifecycle.grace_source",
    "paths.failure.*",
    "paths.run.*",
    "platform",
    "topology.groups*",
    "topology.host",
    "topology.hosts*",
    "topology.master_addr",
    "topology.network_interface",
    "variables.AWS_CONTAINER_*",
    "variables.AWS_EXECUTION_ENV",
    "variables.CURRENT_HOST",
    "variables.DMLC_INTERFACE",
    "variables.ECS_*",
    "variables.HOSTNAME",
    "variables.KUBERNETES_*",
    "variables.LYFTLEARN_FLAVOR",
    "variables.LYFTLEARN_HOST",
    "variables.LYFTLEARN_HOSTS",
    "variables.LYFTLEARN_HYPERPARAMETERS_FILE",
    "variables.LYFTLEARN_JOB_*",
    "variables.LYFTLEARN_MASTER_ADDR",
    "variables.LYFTLEARN_NETWORK_INTERFACE",
    "variables.LYFTLEARN_PLATFORM",
    "variables.LYFTLEARN_EXCEPTIONS_DIR",
    "variables.LYFTLEARN_RUN_DIR",
    "variables.MASTER_ADDR",
    "variables.PET_MASTER_ADDR",
    "variables.PWD",
    "variables.SHLVL",
    "variables.SM_CURRENT_*",
    "variables.SM_HOSTS",
    "variables.SM_INSTANCE_GROUPS*",
    "variables.SM_NETWORK_INTERFACE_NAME",
    "variables.SM_RESOURCE_CONFIG",
    "variables.SM_TRAINING_ENV",
    "variables.TRAINING_JOB_*",
    "variables._",
];

/// What differs between any two platforms, for one job that is described alike on both: each
/// has its own grace, StatsD port and settings, only SageMaker names a region and describes a
/// channel, and engines set a terminal's name and `container`. What a setting changes shows
/// in what it changes.
const BETWEEN_PLATFORMS: &[&str] = &[
    "channels.*.content_type",
    "channels.*.sharded",
    "lifecycle.grace_seconds",
    "paths.failure",
    "variables.AWS_DEFAULT_REGION",
    "variables.AWS_EC2_METADATA_DISABLED",
    "variables.AWS_REGION",
    "variables.DD_AGENT_HOST",
    "variables.DD_DOGSTATSD_*",
    "variables.LYFTLEARN_GRACE_SECONDS",
    "variables.LYFTLEARN_RUNTIME_*",
    "variables.NVIDIA_VISIBLE_DEVICES",
    "variables.SAGEMAKER_JOB_NAME",
    "variables.SAGEMAKER_REGION",
    "variables.SM_INPUT_DATA_CONFIG",
    "variables.STATSD_*",
    "variables.TERM",
    "variables.container",
];

/// Every difference, undeclared ones first. A pattern is a path; `*` stands for any
/// characters.
pub(in crate::cli) fn compare(a: &Value, b: &Value, declared: &[&str]) -> Vec<Difference> {
    let platforms = a["platform"] != b["platform"];
    let (a, b) = (leaves(a), leaves(b));
    let paths: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let absent = || "absent".to_owned();
    let mut found: Vec<Difference> = paths
        .into_iter()
        .filter(|path| a.get(*path) != b.get(*path))
        .map(|path| {
            let named = |patterns: &[&str]| patterns.iter().any(|pattern| matches(pattern, path));
            let kind = match () {
                () if named(declared) => Kind::Declared,
                () if named(HARMLESS) => Kind::Harmless,
                () if platforms && named(BETWEEN_PLATFORMS) => Kind::Platforms,
                () => Kind::Undeclared,
            };
            Difference {
                kind,
                path: path.clone(),
                a: a.get(path).cloned().unwrap_or_else(absent),
                b: b.get(path).cloned().unwrap_or_else(absent),
            }
        })
        .collect();
    found.sort_by_key(|one| Kind::ALL.iter().position(|(kind, _)| *kind == one.kind));
    found
}

fn leaves(value: &Value) -> BTreeMap<String, String> {
    fn walk(at: &str, value: &Value, found: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(object) if !object.is_empty() => {
                for (name, value) in object {
                    let below = if at.is_empty() {
                        name.clone()
                    } else {
                        format!("{at}.{name}")
                    };
                    walk(&below, value, found);
                }
            }
            leaf => {
                found.insert(at.to_owned(), leaf.to_string());
            }
        }
    }

    let mut found = BTreeMap::new();
    walk("", value, &mut found);
    found
}

fn matches(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == path,
        Some((before, after)) => path.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).any(|at| rest.is_char_boundary(at) && matches(after, &rest[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Difference, Kind, compare, matches};

    #[test]
    fn a_star_stands_for_any_characters() {
        assert!(matches("variables.AWS_*", "variables.AWS_REGION"));
        assert!(matches("a*c*e", "abcde"));
        assert!(!matches("a*c", "abcd"));
        assert!(!matches("a", "ab"));
    }

    #[test]
    fn differences_are_told_apart() {
        let a = json!({"platform": "sagemaker", "python": {"distributions": {"numpy": {"version": "1.24.2"}}},
            "machine": {"threads": {"OMP_NUM_THREADS": null}}, "same": [1]});
        let b = json!({"platform": "kubernetes", "python": {"distributions": {"numpy": {"version": "1.26.4"}}},
            "machine": {"threads": {"OMP_NUM_THREADS": "4"}}, "same": [1]});
        let difference = |kind, path: &str, a: &str, b: &str| Difference {
            kind,
            path: path.to_owned(),
            a: a.to_owned(),
            b: b.to_owned(),
        };
        assert_eq!(
            compare(&a, &b, &["machine.threads.*"]),
            [
                difference(
                    Kind::Undeclared,
                    "python.distributions.numpy.version",
                    "\"1.24.2\"",
                    "\"1.26.4\""
                ),
                difference(
                    Kind::Declared,
                    "machine.threads.OMP_NUM_THREADS",
                    "null",
                    "\"4\""
                ),
                difference(
                    Kind::Harmless,
                    "platform",
                    "\"sagemaker\"",
                    "\"kubernetes\""
                ),
            ]
        );
        assert!(compare(&a, &a, &[]).is_empty());
    }

    #[test]
    fn what_platforms_always_differ_in_is_shown_as_such_between_two_of_them() {
        let at = |platform: &str, grace: u32| {
            json!({"platform": platform, "lifecycle": {"grace_seconds": grace},
                "variables": {"TERM": grace.to_string()}})
        };
        let kinds = |a: &str, b: &str| {
            let found = compare(&at(a, 110), &at(b, 25), &[]);
            let found = found.iter().filter(|one| one.path != "platform");
            found.map(|one| one.kind).collect::<Vec<_>>()
        };
        assert_eq!(kinds("sagemaker", "kubernetes"), [Kind::Platforms; 2]);
        // One platform has no reason to differ from itself.
        assert_eq!(kinds("kubernetes", "kubernetes"), [Kind::Undeclared; 2]);
    }
}
