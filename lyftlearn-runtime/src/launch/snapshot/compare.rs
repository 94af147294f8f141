//! Two snapshots, path by path.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;
use serde_json::Value;

/// Whether a difference matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Not declared as harmless.
    Undeclared,
    /// Declared as harmless.
    Declared,
    /// What the two platforms of the snapshots always differ in.
    Platforms,
    /// Names and numbers of the place, which no result depends on.
    Harmless,
}

impl Kind {
    /// Worst first.
    pub(crate) const ALL: [(Self, &'static str); 4] = [
        (Self::Undeclared, "undeclared differences"),
        (Self::Declared, "declared differences"),
        (Self::Platforms, "differences of the two platforms"),
        (Self::Harmless, "harmless differences"),
    ];
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    pub(crate) kind: Kind,
    /// Dotted, as in `paths.model.mode`.
    pub(crate) path: String,
    /// JSON; `absent` where there is nothing.
    pub(crate) a: String,
    pub(crate) b: String,
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
    "variables.GLOO_SOCKET_IFNAME",
    "variables.JAX_COORDINATOR_ADDRESS",
    "variables.LYFTLEARN_MASTER_ADDR",
    "variables.LYFTLEARN_NETWORK_INTERFACE",
    "variables.LYFTLEARN_PLATFORM",
    "variables.LYFTLEARN_EXCEPTIONS_DIR",
    "variables.LYFTLEARN_RUN_DIR",
    "variables.MASTER_ADDR",
    "variables.NCCL_SOCKET_IFNAME",
    "variables.PET_MASTER_ADDR",
    "variables.PET_LOCAL_ADDR",
    "variables.PET_RDZV_ID",
    "variables.PWD",
    "variables.SHLVL",
    "variables.SM_CURRENT_*",
    "variables.SM_HOSTS",
    "variables.SM_INSTANCE_GROUPS*",
    "variables.SM_NETWORK_INTERFACE_NAME",
    "variables.SM_RESOURCE_CONFIG",
    "variables.SM_TRAINING_ENV",
    "variables.SPARK_LOCAL_HOSTNAME",
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
    "variables.TORCH_ELASTIC_SHUTDOWN_TIMEOUT",
    "variables.LYFTLEARN_RUNTIME_*",
    "variables.NVIDIA_VISIBLE_DEVICES",
    "variables.SAGEMAKER_JOB_NAME",
    "variables.SAGEMAKER_REGION",
    "variables.SM_INPUT_DATA_CONFIG",
    "variables.STATSD_*",
    "variables.TERM",
    "variables.container",
];

/// Every difference, undeclared ones first. A pattern is a path; `*` matches any characters.
pub(crate) fn compare(a: &Value, b: &Value, declared: &[&str]) -> Vec<Difference> {
    let platforms = a["platform"] != b["platform"];
    let (a, b) = (leaves(a), leaves(b));
    let paths: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let of = |patterns: &[&'static str]| Patterns::of(patterns);
    let (declared, harmless) = (Patterns::of(declared), of(HARMLESS));
    let between = of(BETWEEN_PLATFORMS);
    let absent = || "absent".to_owned();
    let mut found: Vec<Difference> = paths
        .into_iter()
        .filter(|path| a.get(*path) != b.get(*path))
        .map(|path| {
            let kind = match () {
                () if declared.name(path) => Kind::Declared,
                () if harmless.name(path) => Kind::Harmless,
                () if platforms && between.name(path) => Kind::Platforms,
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
    fn walk(at: Option<&str>, value: &Value, found: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(object) if !object.is_empty() => {
                for (name, value) in object {
                    // The first name may be empty as well.
                    let below = at.map_or_else(|| name.clone(), |at| format!("{at}.{name}"));
                    walk(Some(&below), value, found);
                }
            }
            leaf => {
                let leaf = leaf.to_string();
                // Names may have dots in them: two values of one path are both compared.
                found
                    .entry(at.unwrap_or_default().to_owned())
                    .and_modify(|known: &mut String| {
                        known.push_str(" and ");
                        known.push_str(&leaf);
                    })
                    .or_insert(leaf);
            }
        }
    }

    let mut found = BTreeMap::new();
    walk(None, value, &mut found);
    found
}

/// Patterns, found by the text that a path has to begin or to end with: a file may have a
/// thousand, and a snapshot some hundred thousand paths.
struct Patterns<'a> {
    exact: HashSet<&'a str>,
    beginning: Literals<'a>,
    end: Literals<'a>,
}

/// Patterns by a literal text, and the lengths that such texts have.
#[derive(Default)]
struct Literals<'a> {
    patterns: HashMap<&'a str, Vec<&'a str>>,
    lengths: BTreeSet<usize>,
}

impl<'a> Literals<'a> {
    fn add(&mut self, literal: &'a str, pattern: &'a str) {
        self.lengths.insert(literal.len());
        self.patterns.entry(literal).or_default().push(pattern);
    }

    /// Patterns whose literal text is a part of `path`; `part` takes a part of a given length.
    fn of(&self, part: impl Fn(usize) -> Option<&'a str>) -> impl Iterator<Item = &'a str> {
        let lengths = self.lengths.iter();
        let found = lengths.filter_map(move |length| self.patterns.get(part(*length)?));
        found.flatten().copied()
    }
}

impl<'a> Patterns<'a> {
    fn of(patterns: &[&'a str]) -> Self {
        let mut all = Self {
            exact: HashSet::new(),
            beginning: Literals::default(),
            end: Literals::default(),
        };
        for pattern in patterns {
            let ends = pattern.split_once('*').zip(pattern.rsplit_once('*'));
            match ends {
                None => drop(all.exact.insert(pattern)),
                // The longer one tells more.
                Some(((beginning, _), (_, end))) if beginning.len() >= end.len() => {
                    all.beginning.add(beginning, pattern);
                }
                Some((_, (_, end))) => all.end.add(end, pattern),
            }
        }
        all
    }

    /// Patterns that have to be looked at for a path.
    fn candidates(&self, path: &'a str) -> impl Iterator<Item = &'a str> {
        let beginning = self.beginning.of(|length| path.get(..length));
        let end = move |length: usize| path.get(path.len().checked_sub(length)?..);
        beginning.chain(self.end.of(end))
    }

    fn name(&self, path: &'a str) -> bool {
        self.exact.contains(path) || self.candidates(path).any(|pattern| matches(pattern, path))
    }
}

/// Each part between stars is looked for once, from where the one before it ends.
fn matches(pattern: &str, path: &str) -> bool {
    let mut parts = pattern.split('*');
    let beginning = parts.next().unwrap_or_default();
    let Some(rest) = path.strip_prefix(beginning) else {
        return false;
    };
    let Some(end) = parts.next_back() else {
        return rest.is_empty();
    };
    let Some(mut rest) = rest.strip_suffix(end) else {
        return false;
    };
    parts.all(|part| {
        let found = rest.find(part).map(|at| &rest[at + part.len()..]);
        rest = found.unwrap_or_default();
        found.is_some()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Difference, Kind, Patterns, compare, matches};

    #[test]
    fn a_star_matches_any_characters() {
        assert!(matches("variables.AWS_*", "variables.AWS_REGION"));
        assert!(matches("a*c*e", "abcde"));
        assert!(!matches("a*c", "abcd"));
        assert!(!matches("a", "ab"));
    }

    #[test]
    fn a_pattern_of_many_stars_is_looked_at_once() {
        let path = "a".repeat(10_000);
        assert!(!matches(&format!("{}b", "*a".repeat(5_000)), &path));
        assert!(matches(&"*a".repeat(5_000), &path));
    }

    #[test]
    fn of_many_patterns_few_are_looked_at_for_a_path() {
        let written: Vec<String> = (0..1_000)
            .flat_map(|n| [format!("a.{n}.*"), format!("*.b{n}"), format!("c.{n}.*.d")])
            .collect();
        let written: Vec<&str> = written.iter().map(String::as_str).collect();
        let patterns = Patterns::of(&written);
        for path in ["a.17.x", "x.b99", "c.5.x.d", "x", "a.1.b1"] {
            let looked_at = patterns.candidates(path).count();
            assert!(looked_at <= 3, "{looked_at} for {path}");
            assert_eq!(patterns.name(path), path != "x", "{path}");
        }
    }

    #[test]
    fn names_with_dots_hide_no_difference() {
        let (a, b) = (
            json!({"a.b": 1, "a": {"b": 2}}),
            json!({"a.b": 1, "a": {"b": 3}}),
        );
        let [found] = &compare(&a, &b, &[])[..] else {
            panic!("one difference");
        };
        assert_eq!((&*found.a, &*found.b), ("2 and 1", "3 and 1"));
    }

    #[test]
    fn differences_are_classified() {
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
