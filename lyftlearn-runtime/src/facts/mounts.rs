//! The mount table of this process (proc_pid_mountinfo(5)).

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use super::Facts;
use crate::contract::{kubernetes, limits, linux};
use crate::error::Error;

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// What of the file system is mounted: for a bind mount, its source's path there.
    pub(crate) root: PathBuf,
    /// Where.
    pub(crate) point: PathBuf,
    /// Whether this mount refuses writes.
    pub(crate) read_only: bool,
    /// The file system's type.
    pub(crate) kind: String,
    /// The file system's own options, among them a cgroup v1 hierarchy's controllers.
    pub(crate) options: String,
}

impl Mount {
    /// Whether this is one file or directory out of a volume (`subPath`), which stays what it
    /// was when the container started: the kubelet replaces the volume's directory, and this
    /// is bound to the old one.
    pub(crate) fn is_subpath(&self) -> bool {
        self.is_replaced()
            || self.root.components().any(|part| {
                let part = part.as_os_str().as_bytes();
                part == kubernetes::SUBPATHS.as_bytes()
                    // The kubelet's own directories, `..2026_01_31_…`.
                    || (part.len() > 2 && part.starts_with(b".."))
            })
    }

    /// Whether the mounted file has been deleted or replaced.
    pub(crate) fn is_replaced(&self) -> bool {
        self.root.as_os_str().as_bytes().ends_with(b"//deleted")
    }
}

impl Facts {
    /// The mounts, in the kernel's order; none without `/proc`.
    pub(crate) fn mounts(&self) -> Result<Vec<Mount>, Error> {
        let table = self
            .file(linux::MOUNTINFO, limits::KERNEL_FILE_BYTES)?
            .unwrap_or_default();
        Ok(table
            .split(|byte| *byte == b'\n')
            .filter_map(parse)
            .collect())
    }
}

/// `36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/sda rw`. A line of
/// another form is the kernel's business and says nothing to us.
fn parse(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let root = fields.nth(3)?;
    let point = fields.next()?;
    let flags = fields.next()?;
    let mut rest = fields.skip_while(|field| *field != b"-").skip(1);
    let kind = rest.next()?;
    let options = rest.nth(1)?;
    Some(Mount {
        root: unescape(root),
        point: unescape(point),
        read_only: flags.split(|byte| *byte == b',').any(|flag| flag == b"ro"),
        kind: String::from_utf8_lossy(kind).into_owned(),
        options: String::from_utf8_lossy(options).into_owned(),
    })
}

/// The kernel writes space, tab, newline and backslash as three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        match (first, tail) {
            (
                b'\\',
                [
                    a @ b'0'..=b'3',
                    b @ b'0'..=b'7',
                    c @ b'0'..=b'7',
                    after @ ..,
                ],
            ) => {
                bytes.push(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::parse;

    #[test]
    fn a_bind_mount_shows_its_source_and_its_mode() {
        let mount = parse(
            br"512 480 259:1 /var/lib/pods/a\040b/etc-hosts /etc/hosts ro,noatime master:1 shared:2 - ext4 /dev/root rw,discard",
        )
        .unwrap();
        assert_eq!(mount.root, Path::new("/var/lib/pods/a b/etc-hosts"));
        assert_eq!(mount.point, Path::new("/etc/hosts"));
        assert!(mount.read_only);
        assert_eq!(mount.kind, "ext4");
        assert_eq!(mount.options, "rw,discard");
    }

    #[test]
    fn a_subpath_mount_differs_from_a_volume() {
        let subpath = |root: &str| {
            let line = format!("512 480 259:1 {root} /etc/live/a ro - ext4 /dev/root rw");
            parse(line.as_bytes()).unwrap().is_subpath()
        };
        let volume = "/var/lib/kubelet/pods/1/volumes/kubernetes.io~configmap/live";
        assert!(!subpath(volume));
        assert!(!subpath("/etc/a..b"));
        assert!(subpath(&format!("{volume}/..2026_01_31_10_00_00.123/a")));
        assert!(subpath(&format!(
            "{volume}/..2026_01_31_10_00_00.123/a//deleted"
        )));
        assert!(subpath(
            "/var/lib/kubelet/pods/1/volume-subpaths/live/main/0"
        ));
    }

    #[test]
    fn a_malformed_line_is_ignored() {
        assert_eq!(parse(b"12 13 half a line"), None);
        assert_eq!(parse(b""), None);
    }
}
