//! The limits of this process's cgroups, v1 and v2, read wherever they are mounted.

use std::path::{Path, PathBuf};

use super::{Facts, Mount};
use crate::contract::{limits, linux};
use crate::error::Error;

/// cgroup v1 says "no limit" with the largest page-aligned number.
const V1_UNLIMITED: u64 = 1 << 62;

/// The narrowest limits on the way from this process's cgroup to the root that it can see.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct CgroupLimits {
    /// Processors' worth of time.
    pub(crate) cpus: Option<f64>,
    /// Bytes.
    pub(crate) memory: Option<u64>,
}

impl Facts {
    /// Reads the limits. A missing file means no limit; a file that cannot be read is an error.
    pub(crate) fn cgroup_limits(&self, mounts: &[Mount]) -> Result<CgroupLimits, Error> {
        let table = self
            .file(linux::CGROUP, limits::KERNEL_FILE_BYTES)?
            .unwrap_or_default();
        let table = String::from_utf8_lossy(&table);
        let usual = usual_mounts();
        let mounts = if mounts.is_empty() { &usual } else { mounts };
        let mut found = CgroupLimits::default();
        for directory in directories(mounts, &table, "") {
            found.lower(
                self.cpu_max(&directory)?,
                self.number(&directory, "memory.max")?,
            );
        }
        for directory in directories(mounts, &table, "cpu") {
            found.lower(self.cpu_quota(&directory)?, None);
        }
        for directory in directories(mounts, &table, "memory") {
            let memory = self.number(&directory, "memory.limit_in_bytes")?;
            found.lower(None, memory.filter(|bytes| *bytes < V1_UNLIMITED));
        }
        Ok(found)
    }

    /// Where the kernel counts this container's processes that it killed for memory, and
    /// how many they are so far; `None` where it does not tell. A missing or unreadable
    /// counter is never an error: it only makes an end less clear.
    #[cfg(feature = "cli")]
    pub(crate) fn oom_counter(&self, mounts: &[Mount]) -> Option<(PathBuf, u64)> {
        let table = self.file(linux::CGROUP, limits::KERNEL_FILE_BYTES).ok()?;
        let table = table.unwrap_or_default();
        let table = String::from_utf8_lossy(&table);
        let usual = usual_mounts();
        let mounts = if mounts.is_empty() { &usual } else { mounts };
        [("", "memory.events"), ("memory", "memory.oom_control")]
            .into_iter()
            .find_map(|(controller, file)| {
                let own = directories(mounts, &table, controller).into_iter().next()?;
                let counter = own.join(file);
                let kills = self.oom_kills(&counter)?;
                Some((counter, kills))
            })
    }

    /// What a counter found before says now.
    #[cfg(feature = "cli")]
    pub(crate) fn oom_kills(&self, counter: &Path) -> Option<u64> {
        let text = self.file(counter, limits::KERNEL_FILE_BYTES).ok()??;
        let text = String::from_utf8_lossy(&text);
        let kills = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        kills?.trim().parse().ok()
    }

    /// `cpu.max`: `150000 100000`, or `max 100000`.
    fn cpu_max(&self, directory: &Path) -> Result<Option<f64>, Error> {
        let text = self.line(directory, "cpu.max")?;
        Ok(text.and_then(|text| {
            let (quota, period) = text.split_once(' ')?;
            ratio(quota.parse().ok()?, period.parse().ok()?)
        }))
    }

    fn cpu_quota(&self, directory: &Path) -> Result<Option<f64>, Error> {
        let quota = self.number(directory, "cpu.cfs_quota_us")?;
        let period = self.number(directory, "cpu.cfs_period_us")?;
        Ok(quota
            .zip(period)
            .and_then(|(quota, period)| ratio(quota, period)))
    }

    /// A number. `max` and v1's `-1` mean no limit.
    fn number(&self, directory: &Path, name: &str) -> Result<Option<u64>, Error> {
        Ok(self
            .line(directory, name)?
            .and_then(|text| text.parse().ok()))
    }

    fn line(&self, directory: &Path, name: &str) -> Result<Option<String>, Error> {
        let bytes = self.file(directory.join(name), limits::KERNEL_FILE_BYTES)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned()))
    }
}

impl CgroupLimits {
    fn lower(&mut self, cpus: Option<f64>, memory: Option<u64>) {
        self.cpus = [self.cpus, cpus].into_iter().flatten().reduce(f64::min);
        self.memory = [self.memory, memory].into_iter().flatten().min();
    }
}

/// Where every container has them, for one without `/proc`.
fn usual_mounts() -> [Mount; 3] {
    [
        ("cgroup2", "", ""),
        ("cgroup", "cpu", "cpu"),
        ("cgroup", "memory", "memory"),
    ]
    .map(|(kind, below, options)| Mount {
        root: "/".into(),
        point: Path::new(linux::CGROUP_MOUNT).join(below),
        read_only: true,
        kind: kind.to_owned(),
        options: options.to_owned(),
    })
}

fn ratio(quota: u64, period: u64) -> Option<f64> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds of a scheduling period are small"
    )]
    (period > 0).then(|| quota as f64 / period as f64)
}

/// From this process's directory in the hierarchy of `controller` (`""` is v2)
/// up to the mount point: any level on the way may hold the limit.
fn directories(mounts: &[Mount], table: &str, controller: &str) -> Vec<PathBuf> {
    let Some(mount) = mounts.iter().find(|mount| match controller {
        "" => mount.kind == "cgroup2",
        _ => mount.kind == "cgroup" && mount.options.split(',').any(|option| option == controller),
    }) else {
        return Vec::new();
    };
    let own = table
        .lines()
        .filter_map(|line| {
            line.split_once(':')
                .and_then(|(_, rest)| rest.split_once(':'))
        })
        .find(|(controllers, _)| match controller {
            "" => controllers.is_empty(),
            _ => controllers.split(',').any(|name| name == controller),
        })
        .map_or("/", |(_, path)| path);
    // A container without a cgroup namespace sees its host's path here, while only its own part is
    // mounted. A path that does not fit the mount is the mount point itself.
    let below = Path::new(own)
        .strip_prefix(&mount.root)
        .unwrap_or(Path::new(""));
    let leaf = mount.point.join(below);
    leaf.ancestors()
        .take_while(|directory| directory.starts_with(&mount.point))
        .map(Path::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Facts;
    use super::CgroupLimits;

    #[track_caller]
    fn check(files: &[(&str, &str)], cpus: Option<f64>, memory: Option<u64>) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let place = root.path().join(path);
            std::fs::create_dir_all(place.parent().unwrap_or(Path::new("/"))).unwrap();
            std::fs::write(place, text).unwrap();
        }
        let facts = Facts::empty().with_root(root.path());
        let mounts = facts.mounts().unwrap();
        assert_eq!(
            facts.cgroup_limits(&mounts).unwrap(),
            CgroupLimits { cpus, memory }
        );
    }

    const V2: &str = "30 1 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n";

    #[test]
    fn version_two_in_its_own_namespace() {
        check(
            &[
                ("proc/self/mountinfo", V2),
                ("proc/self/cgroup", "0::/\n"),
                ("sys/fs/cgroup/cpu.max", "150000 100000\n"),
                ("sys/fs/cgroup/memory.max", "536870912\n"),
            ],
            Some(1.5),
            Some(536_870_912),
        );
    }

    #[test]
    fn the_narrowest_level_on_the_way_up_wins() {
        check(
            &[
                ("proc/self/mountinfo", V2),
                ("proc/self/cgroup", "0::/slice/leaf\n"),
                ("sys/fs/cgroup/slice/cpu.max", "200000 100000\n"),
                ("sys/fs/cgroup/slice/memory.max", "1000\n"),
                ("sys/fs/cgroup/slice/leaf/cpu.max", "max 100000\n"),
                ("sys/fs/cgroup/slice/leaf/memory.max", "max\n"),
            ],
            Some(2.0),
            Some(1000),
        );
    }

    #[test]
    fn version_one_seen_from_a_container_without_a_cgroup_namespace() {
        check(
            &[
                (
                    "proc/self/mountinfo",
                    "30 1 0:26 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n\
                     31 1 0:27 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
                ),
                (
                    "proc/self/cgroup",
                    "4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc\n",
                ),
                ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000\n"),
                ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n"),
            ],
            Some(0.5),
            Some(1 << 30),
        );
    }

    #[test]
    fn version_one_without_limits() {
        check(
            &[
                (
                    "proc/self/mountinfo",
                    "30 1 0:26 / /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n\
                     31 1 0:27 / /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
                ),
                ("proc/self/cgroup", "4:memory:/\n1:cpu:/\n"),
                ("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"),
                ("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
                (
                    "sys/fs/cgroup/memory/memory.limit_in_bytes",
                    "9223372036854771712\n",
                ),
            ],
            None,
            None,
        );
    }

    #[cfg(feature = "cli")]
    #[test]
    fn kills_for_memory_are_counted_in_both_versions() {
        let counted = |files: &[(&str, &str)]| {
            let root = tempfile::tempdir().unwrap();
            for (path, text) in files {
                let place = root.path().join(path);
                std::fs::create_dir_all(place.parent().unwrap_or(Path::new("/"))).unwrap();
                std::fs::write(place, text).unwrap();
            }
            let facts = Facts::empty().with_root(root.path());
            let (counter, kills) = facts.oom_counter(&facts.mounts().unwrap())?;
            assert_eq!(facts.oom_kills(&counter), Some(kills));
            Some(kills)
        };
        let events = "low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 0\n";
        assert_eq!(counted(&[("sys/fs/cgroup/memory.events", events)]), Some(2));
        let control = "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n";
        let path = "sys/fs/cgroup/memory/memory.oom_control";
        assert_eq!(counted(&[(path, control)]), Some(4));
        assert_eq!(counted(&[(path, "oom_kill_disable 0\n")]), None);
        assert_eq!(counted(&[]), None);
    }

    #[test]
    fn without_proc_the_usual_places_are_read() {
        check(&[("sys/fs/cgroup/memory.max", "4096\n")], None, Some(4096));
        check(
            &[("sys/fs/cgroup/memory/memory.limit_in_bytes", "8192\n")],
            None,
            Some(8192),
        );
        check(&[], None, None);
    }
}
