//! Two views of one job, and their permitted differences.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::probe::program::View;
use crate::same_job::{PLACE, PLACE_VARIABLES};

/// A field, by place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// `workload.job.name`, `variables.AWS_REGION`, …
    pub field: String,
    /// What each view has; `None` where it has none.
    pub values: Vec<Option<String>>,
    /// Whether all are equal.
    pub equal: bool,
    /// Why it may differ; `None` when it may not.
    pub declared: Option<String>,
}

/// What only an engine or the checker sets, and what tells the place by its nature.
const OF_THE_ENGINE: &[&str] = &[
    "HOME",
    "HOSTNAME",
    "PATH",
    "container",
    "TERM",
    "SHLVL",
    "PWD",
];

/// Variables of the platforms themselves, which one place has and the other has not.
const OF_THE_PLATFORM: &[&str] = &[
    "AWS_EXECUTION_ENV",
    "DMLC_INTERFACE",
    "ECS_CONTAINER_METADATA_URI",
    "JOB_COMPLETION_INDEX",
    "KUBERNETES_",
    "NNODES",
    "NVIDIA_VISIBLE_DEVICES",
    "SAGEMAKER_",
    "TRAINING_JOB_",
];

/// An endpoint's container does not know its own name.
const OF_A_POD: &[&str] = &[
    "python.job.name",
    "variables.LYFTLEARN_JOB_NAME",
    "workload.job.name",
];

/// Rows of several views.
#[must_use]
pub fn rows(views: &[&View]) -> Vec<Row> {
    let flat: Vec<BTreeMap<String, String>> = views.iter().map(|view| flattened(view)).collect();
    let mut fields: Vec<&String> = flat.iter().flat_map(BTreeMap::keys).collect();
    fields.sort();
    fields.dedup();
    fields
        .into_iter()
        .map(|field| {
            let values: Vec<Option<String>> =
                flat.iter().map(|view| view.get(field).cloned()).collect();
            let equal = values.iter().all(|value| *value == values[0]);
            let absent = values.iter().any(Option::is_none);
            let declared = if equal {
                None
            } else if absent && OF_A_POD.contains(&field.as_str()) {
                Some("only a pod has a job name without a setting".to_owned())
            } else {
                declared(field).map(str::to_owned)
            };
            Row {
                field: field.clone(),
                values,
                equal,
                declared,
            }
        })
        .collect()
}

/// Differences that nothing declares.
#[must_use]
pub fn undeclared(one: &View, other: &View) -> Vec<Row> {
    rows(&[one, other])
        .into_iter()
        .filter(|row| !row.equal && row.declared.is_none())
        .collect()
}

fn declared(field: &str) -> Option<&'static str> {
    let begins = |list: &[&str], name: &str| list.iter().any(|known| name.starts_with(known));
    if let Some(field) = field
        .strip_prefix("workload.")
        .or_else(|| field.strip_prefix("python."))
    {
        let named = |known: &&str| {
            field == *known
                || field
                    .strip_prefix(*known)
                    .is_some_and(|rest| rest.starts_with('.'))
        };
        return PLACE.iter().any(named).then_some("names the place");
    }
    if let Some(name) = field.strip_prefix("variables.") {
        return if name.starts_with("LYFTLEARN_RUNTIME_") {
            Some("a setting of the deployment")
        } else if begins(PLACE_VARIABLES, name) {
            Some("names the place")
        } else if begins(OF_THE_PLATFORM, name) {
            Some("the platform's own variable")
        } else if OF_THE_ENGINE.contains(&name) {
            Some("the engine's own variable")
        } else if name == "AWS_REGION" || name == "AWS_DEFAULT_REGION" {
            Some("the platform's own variable")
        } else {
            None
        };
    }
    field
        .starts_with("problems")
        .then_some("problems belong to a place")
}

fn flattened(view: &View) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    let mut value = serde_json::to_value(view).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        // identity.* has its own checks, and time is never the same twice.
        fields.remove("identity");
        fields.remove("waited");
    }
    flatten("", &value, &mut flat);
    flat
}

fn flatten(at: &str, value: &Value, flat: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let at = if at.is_empty() {
                    name.clone()
                } else {
                    format!("{at}.{name}")
                };
                flatten(&at, value, flat);
            }
        }
        Value::Null => {}
        Value::String(text) => drop(flat.insert(at.to_owned(), text.clone())),
        other => drop(flat.insert(at.to_owned(), other.to_string())),
    }
}

/// Differences between two documents, by field.
#[must_use]
pub fn differences(one: &Value, other: &Value) -> Vec<String> {
    let (mut a, mut b) = (BTreeMap::new(), BTreeMap::new());
    flatten("", one, &mut a);
    flatten("", other, &mut b);
    let mut fields: Vec<String> = a
        .keys()
        .chain(b.keys())
        .filter(|field| a.get(*field) != b.get(*field))
        .cloned()
        .collect();
    fields.sort();
    fields.dedup();
    fields
}

/// Fields that both documents have, with other values.
#[must_use]
pub fn contradictions(one: &Value, other: &Value) -> Vec<String> {
    let (mut a, mut b) = (BTreeMap::new(), BTreeMap::new());
    flatten("", one, &mut a);
    flatten("", other, &mut b);
    let differs = |(field, value): (&String, &String)| {
        b.get(field)
            .is_some_and(|known| known != value)
            .then(|| field.clone())
    };
    a.iter().filter_map(differs).collect()
}
