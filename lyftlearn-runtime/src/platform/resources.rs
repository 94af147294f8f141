//! What this container may use, from its cgroups, its affinity mask and its devices.

use super::World;
use crate::contract::linux;
use crate::error::Error;
use crate::workload::Resources;

pub(super) fn read(world: &World<'_>) -> Result<Resources, Error> {
    let limits = world.facts.cgroup_limits(world.mounts)?;
    #[expect(clippy::cast_precision_loss, reason = "no machine has 2^52 processors")]
    let allowed = world.facts.processors() as f64;
    let devices = world.facts.entries(linux::DEVICES)?;
    let count = |prefix: &str| {
        let numbered = devices
            .iter()
            .filter_map(|name| name.to_str()?.strip_prefix(prefix));
        let count = numbered
            .filter(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
            .count();
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    let shm_mounted = world
        .mounts
        .iter()
        .any(|mount| mount.point.as_os_str() == linux::SHM);
    Ok(Resources {
        cpus: limits.cpus.map_or(allowed, |quota| quota.min(allowed)),
        memory_bytes: limits.memory,
        gpus: count("nvidia"),
        neurons: count("neuron"),
        shm_bytes: shm_mounted
            .then(|| world.facts.file_system_bytes(linux::SHM))
            .flatten(),
    })
}
