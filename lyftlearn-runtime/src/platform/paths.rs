//! The directories of a job, laid out alike on every platform: what SageMaker
//! calls `/opt/ml`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::World;
use super::fault::ContractFault;
use crate::contract::{limits, linux, runtime, sagemaker};
use crate::error::Error;
use crate::facts::{Directory, Mount};
use crate::workload::{Channel, ChannelMode, Flavor, Paths, Role};

/// File systems that fetch files over the network when they are read: FSx, EFS, FUSE mounts.
const NETWORK_FILE_SYSTEMS: &[&str] = &["nfs", "nfs4", "lustre", "ceph", "cifs", "fuse"];

/// The usual layout below the base directory.
pub(super) fn usual(world: &World<'_>, flavor: Flavor, role: Role) -> Paths {
    let base = base(world);
    let writes = matches!(
        role,
        Role::Training | Role::Processing | Role::Job | Role::Notebook
    );
    // A container's file system is the job's; a host's is its owner's, and a look at
    // the model must not litter it.
    let may_make = flavor != Flavor::Host;
    let usable =
        |path: &Path| usable(world, path).filter(|path| may_make || world.facts.is_directory(path));
    let output = |name: &str| writes.then(|| usable(&base.join(name))).flatten();
    let tmp = world.facts.path(linux::TMPDIR);
    let tmp = tmp.unwrap_or_else(|| PathBuf::from(linux::TMP));
    let tmp = usable_now(world, &tmp).or_else(|| usable_now(world, Path::new(linux::TMP)));
    let model = world
        .settings
        .model_dir
        .as_ref()
        .map_or_else(|| base.join("model"), PathBuf::from);
    // Only a directory that the platform gives: one in a shared temporary directory could
    // have been prepared by anybody.
    let cache = world.facts.path(sagemaker::WARM_POOL_CACHE);
    Paths {
        // A server reads a model that must be there; a job makes one.
        model: if writes {
            usable(&model)
        } else {
            present(world, &model)
        },
        input: present(world, &base.join("input")),
        output: output("output"),
        output_data: output("output/data"),
        checkpoints: output("checkpoints"),
        code: present(world, &base.join("code")),
        cache: cache.and_then(|cache| usable(&cache)),
        tmp,
        failure: None,
        run: usable(Path::new(runtime::RUN_DIR)),
    }
}

/// The directory that holds everything.
pub(super) fn base(world: &World<'_>) -> PathBuf {
    PathBuf::from(&world.settings.base_dir)
}

/// A directory that can be written to, or made.
pub(super) fn usable(world: &World<'_>, path: &Path) -> Option<PathBuf> {
    let state = world.facts.directory(path);
    matches!(state, Directory::Writable | Directory::Creatable).then(|| path.to_owned())
}

/// A directory that exists and can be written to.
fn usable_now(world: &World<'_>, path: &Path) -> Option<PathBuf> {
    (world.facts.directory(path) == Directory::Writable).then(|| path.to_owned())
}

/// A directory that exists.
pub(super) fn present(world: &World<'_>, path: &Path) -> Option<PathBuf> {
    world.facts.is_directory(path).then(|| path.to_owned())
}

/// Every directory below `input/data` is a channel, as SageMaker would have laid
/// it out; the runtime's own is not the program's.
pub(super) fn channels_by_directory(world: &World<'_>) -> Result<BTreeMap<String, Channel>, Error> {
    let data = base(world).join("input/data");
    let modes = Modes::of(world);
    let mut channels = BTreeMap::new();
    for name in world.facts.entries(&data)? {
        let Some(name) = name.to_str() else { continue };
        let path = data.join(name);
        if name == runtime::CONFIG_CHANNEL
            || name.starts_with('.')
            || !world.facts.is_directory(&path)
        {
            continue;
        }
        let mode = modes.of_directory(&path);
        let channel = Channel {
            path,
            mode,
            content_type: None,
            // A volume shows every node all of it.
            sharded: Some(false),
        };
        channels.insert(name.to_owned(), channel);
    }
    ContractFault::unless(channels.len(), limits::CHANNELS, "directories", data)?;
    Ok(channels)
}

/// How channels are delivered, by the mounts: a node may have thousands, and each is looked at
/// once.
pub(super) struct Modes<'a>(HashMap<&'a Path, &'a Mount>);

impl<'a> Modes<'a> {
    pub(super) fn of(world: &World<'a>) -> Self {
        // Of two at one place the later one covers the other.
        let mounts = world.mounts.iter();
        Self(mounts.map(|mount| (mount.point.as_path(), mount)).collect())
    }

    /// `mount` where a network file system holds the directory, else `file`.
    pub(super) fn of_directory(&self, path: &Path) -> ChannelMode {
        let mount = path.ancestors().find_map(|above| self.0.get(above));
        let network = mount.is_some_and(|mount| {
            NETWORK_FILE_SYSTEMS.contains(&mount.kind.as_str()) || mount.kind.starts_with("fuse.")
        });
        if network {
            ChannelMode::Mount
        } else {
            ChannelMode::File
        }
    }
}
