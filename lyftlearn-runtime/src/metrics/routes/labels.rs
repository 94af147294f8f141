//! What of the workload is a label of every metric.

use figment::value::Value;

use super::{World, some_of};
use crate::contract::sagemaker;
use crate::layers::{Form, Parsed};

const NAMES: [&str; 5] = ["job", "role", "platform", "rank", "image"];
pub(super) const FORM: Form = Form::new("a list of job, role, platform, rank and image");

pub(super) fn parse(value: &Value) -> Parsed<Vec<String>> {
    some_of(value, &NAMES, FORM.expected)
}

/// The labels that a setting asks for, where their values are known. Only SageMaker tells a
/// container its image.
pub(super) fn of(world: &World<'_>) -> Vec<(String, String)> {
    let value = |name: &str| match name {
        "job" => world.job.name.clone(),
        "role" => Some(world.role.as_str().to_owned()),
        "platform" => Some(world.platform.as_str().to_owned()),
        "rank" => world.topology.node_rank.map(|rank| rank.to_string()),
        "image" => {
            let image = world.facts.text(sagemaker::INTERNAL_IMAGE)?;
            Some(image.into_owned())
        }
        _ => None,
    };
    let names = world.settings.labels.iter();
    names
        .filter_map(|name| Some((name.clone(), value(name)?)))
        .collect()
}
