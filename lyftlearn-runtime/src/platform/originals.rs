//! The platform's own spelling of values in the workload, for code that shows a job as SageMaker's
//! toolkit does.

use std::path::{Path, PathBuf};

use super::{Documents, World, paths};
use crate::contract::{limits, linux, toolkit};
use crate::error::Error;
use crate::settings::NumCpus;
use crate::workload::Workload;

/// Not part of the model, because programs should not need it.
#[derive(Clone)]
pub(crate) struct Originals {
    /// Where the job's directories lie, those that are not there included.
    pub(crate) base: PathBuf,
    /// The order in which the documents have the hyperparameters: each by its place among
    /// the values.
    pub(crate) order: Vec<u32>,
    pub(crate) documents: Documents,
    /// The node's processors, whatever of them is ours, when a setting asks for them.
    pub(crate) node_cpus: Option<u32>,
    pub(crate) neuron_cores: u32,
    pub(crate) program: Option<String>,
    pub(crate) training_module: Option<String>,
    pub(crate) model_parallel: Option<String>,
    pub(crate) smddprun: bool,
    pub(crate) smddpmprun: bool,
}

pub(super) fn read(
    world: &World<'_>,
    workload: &Workload,
    documents: Documents,
    order: Vec<u32>,
) -> Result<Originals, Error> {
    let text = |name: &str| {
        let text = world.facts.text(name);
        text.map(std::borrow::Cow::into_owned)
    };
    Ok(Originals {
        base: paths::base(world),
        order,
        documents,
        node_cpus: match world.settings.num_cpus {
            NumCpus::Node => Some(node_cpus(world)?),
            NumCpus::Cgroup => None,
        },
        neuron_cores: neuron_cores(world, workload.resources.neurons)?,
        program: text(toolkit::PROGRAM),
        training_module: text(toolkit::TRAINING_MODULE),
        model_parallel: text(toolkit::MODEL_PARALLEL),
        smddprun: on_path(world, toolkit::SMDDPRUN),
        smddpmprun: on_path(world, toolkit::SMDDPMPRUN),
    })
}

/// Processors that are online (`0-3,5`); without the file, those that are ours.
fn node_cpus(world: &World<'_>) -> Result<u32, Error> {
    let online = world
        .facts
        .file(linux::PROCESSORS_ONLINE, limits::KERNEL_FILE_BYTES)?
        .and_then(|bytes| count(String::from_utf8_lossy(&bytes).trim()));
    Ok(online.unwrap_or_else(|| u32::try_from(world.facts.processors()).unwrap_or(u32::MAX)))
}

fn count(ranges: &str) -> Option<u32> {
    let mut total: u32 = 0;
    for range in ranges.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        total = total.checked_add(last.checked_sub(first)?.checked_add(1)?)?;
    }
    Some(total)
}

/// The driver shows each core as a directory of its device's. Where that is hidden, a
/// device counts as one.
fn neuron_cores(world: &World<'_>, devices: u32) -> Result<u32, Error> {
    if devices == 0 {
        return Ok(0);
    }
    let numbered = |name: &std::ffi::OsStr, prefix: &str| {
        let rest = name.to_str().and_then(|name| name.strip_prefix(prefix));
        rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let mut cores = 0;
    for device in world.facts.entries(linux::NEURON_DEVICES)? {
        if numbered(&device, "neuron") {
            let below = Path::new(linux::NEURON_DEVICES).join(&device);
            let found = world.facts.entries(&below)?;
            cores += found
                .iter()
                .filter(|name| numbered(name, "neuron_core"))
                .count();
        }
    }
    Ok(u32::try_from(cores).unwrap_or(u32::MAX).max(devices))
}

fn on_path(world: &World<'_>, program: &str) -> bool {
    let path = world.facts.text("PATH").unwrap_or_default();
    path.split(':')
        .filter(|directory| directory.starts_with('/'))
        .any(|directory| world.facts.exists(Path::new(directory).join(program)))
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn online_processors_are_ranges() {
        assert_eq!(count("0"), Some(1));
        assert_eq!(count("0-3,5,8-9"), Some(7));
        assert_eq!(count("3-0"), None);
        assert_eq!(count(""), None);
    }
}
