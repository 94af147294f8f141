//! The kubelet's own bind mounts: their sources name the pod's UID and the container.
//!
//! ```text
//! …/pods/<uid>/etc-hosts                      → /etc/hosts
//! …/pods/<uid>/containers/<name>/<8 hex>      → the termination message path
//! …/pods/<uid>/volumes/kubernetes.io~<kind>/… → a volume
//! ```

use std::path::{Component, Path, PathBuf};

use crate::facts::Mount;

/// What the mounts say of this pod.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::platform) struct Pod {
    pub(super) uid: String,
    pub(super) container: Option<String>,
    pub(super) termination_log: Option<PathBuf>,
    /// The mount that shows it best.
    pub(super) point: PathBuf,
}

/// The pod that this mount table belongs to.
pub(in crate::platform) fn pod(mounts: &[Mount]) -> Option<Pod> {
    let sources: Vec<(&Mount, Source)> = mounts
        .iter()
        .filter_map(|mount| Some((mount, source(&mount.root)?)))
        .collect();
    // `/etc/hosts` and the termination message are mounted into one container by
    // its own kubelet; volumes of other pods can be seen by a node agent.
    let own = |(_, source): &&(&Mount, Source)| !matches!(source.part, Part::Volume);
    let (mount, first) = sources.iter().find(own)?;
    let log = sources
        .iter()
        .find_map(|(mount, source)| match &source.part {
            Part::TerminationLog { container } if source.uid == first.uid => {
                Some((container.clone(), mount.point.clone()))
            }
            _ => None,
        });
    let (container, termination_log) = log.unzip();
    Some(Pod {
        uid: first.uid.clone(),
        container,
        termination_log,
        point: mount.point.clone(),
    })
}

struct Source {
    uid: String,
    part: Part,
}

enum Part {
    Hosts,
    TerminationLog { container: String },
    Volume,
}

/// The kubelet's root directory differs from one distribution to the next and may
/// itself lie in a pod's volume, so the last `pods/<uid>/` counts.
fn source(root: &Path) -> Option<Source> {
    let words: Vec<&str> = root
        .components()
        .filter_map(|component| match component {
            Component::Normal(word) => word.to_str(),
            _ => None,
        })
        .collect();
    let pods = words
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, word)| **word == "pods");
    pods.into_iter().find_map(|(at, _)| {
        let uid = *words.get(at + 1)?;
        let part = match words.get(at + 2..)? {
            ["etc-hosts"] => Part::Hosts,
            ["containers", container, log] if hex(log, 8) => Part::TerminationLog {
                container: (*container).to_owned(),
            },
            ["volumes", kind, ..] if kind.starts_with("kubernetes.io~") => Part::Volume,
            _ => return None,
        };
        is_uid(uid).then(|| Source {
            uid: uid.to_owned(),
            part,
        })
    })
}

/// A UUID, or the 32 digits that name a static pod.
fn is_uid(word: &str) -> bool {
    let groups: Vec<&str> = word.split('-').collect();
    let uuid = groups.len() == 5
        && groups
            .iter()
            .zip([8, 4, 4, 4, 12])
            .all(|(group, length)| hex(group, length));
    uuid || hex(word, 32)
}

fn hex(word: &str, length: usize) -> bool {
    word.len() == length && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}
