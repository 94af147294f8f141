//! The helper: it holds the network of a container, and reads and writes its volumes.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A volume that holds more files is listed in part; so is a directory.
const SHOWN: usize = 20_000;
const SHOWN_OF_ONE: usize = 5_000;

/// So many files are searched.
const SEARCHED: usize = 1_000_000;

/// A file that is read whole, at most so much of it: as much as is kept of a command's output. It is enough for an
/// observer's list of some fifty thousand files.
const READ: u64 = 4 << 20;

/// A file as [`list`] shows it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Listed {
    /// Its size in bytes; of a directory 0.
    pub bytes: u64,
    /// Its permission bits.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
}

pub(super) fn install(path: &str) -> Result<(), String> {
    let copied = std::fs::copy("/proc/self/exe", path);
    copied.map_err(|err| format!("cannot write {path}: {err}"))?;
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(path, mode)
        .map_err(|err| format!("cannot make {path} executable: {err}"))
}

/// Waits for SIGTERM. PID 1 would ignore it without a handler.
pub(super) fn hold() -> Result<(), String> {
    let over = Arc::new(AtomicBool::new(false));
    let flag =
        signal_hook::flag::register(nix::sys::signal::Signal::SIGTERM as i32, Arc::clone(&over));
    flag.map_err(|err| format!("cannot handle SIGTERM: {err}"))?;
    while !over.load(Ordering::Relaxed) {
        // A signal does not unpark; a tenth of a second late is soon enough.
        std::thread::park_timeout(Duration::from_millis(100));
    }
    Ok(())
}

pub(super) fn stdin() -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = std::io::stdin()
        .lock()
        .take(256 << 20)
        .read_to_end(&mut bytes);
    read.map_err(|err| format!("cannot read stdin: {err}"))?;
    Ok(bytes)
}

/// Unpacks a tar of the checker's own making.
pub(super) fn unpack(directory: &str) -> Result<(), String> {
    super::standin::awaited();
    let mut archive = tar::Archive::new(std::io::stdin().lock());
    archive.set_preserve_permissions(true);
    archive.set_preserve_ownerships(false);
    archive
        .unpack(directory)
        .map_err(|err| format!("cannot unpack into {directory}: {err}"))
}

/// Copies files and directories. Links are left out: a volume's links are its program's.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let failed =
        |path: &Path, err: std::io::Error| format!("cannot copy {}: {err}", path.display());
    let about = std::fs::symlink_metadata(from).map_err(|err| failed(from, err))?;
    if about.is_dir() {
        if !to.is_dir() {
            std::fs::create_dir(to).map_err(|err| failed(to, err))?;
        }
        for entry in std::fs::read_dir(from).map_err(|err| failed(from, err))? {
            let entry = entry.map_err(|err| failed(from, err))?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    } else if about.is_file() {
        std::fs::copy(from, to).map_err(|err| failed(from, err))?;
    } else {
        return Ok(());
    }
    // As SageMaker unpacks a model: readable for any user.
    let mode = std::fs::Permissions::from_mode(
        about.mode() & 0o777 | if about.is_dir() { 0o555 } else { 0o444 },
    );
    std::fs::set_permissions(to, mode).map_err(|err| failed(to, err))
}

/// Copies the image's own files as they are: with links, modes and owners. Pipes and devices are left out.
pub(super) fn keep(from: &Path, to: &Path) -> Result<(), String> {
    let failed =
        |path: &Path, err: std::io::Error| format!("cannot copy {}: {err}", path.display());
    let about = std::fs::symlink_metadata(from).map_err(|err| failed(from, err))?;
    if about.is_symlink() {
        let target = std::fs::read_link(from).map_err(|err| failed(from, err))?;
        std::os::unix::fs::symlink(target, to).map_err(|err| failed(to, err))?;
    } else if about.is_dir() {
        std::fs::create_dir(to).map_err(|err| failed(to, err))?;
        for entry in std::fs::read_dir(from).map_err(|err| failed(from, err))? {
            let entry = entry.map_err(|err| failed(from, err))?;
            keep(&entry.path(), &to.join(entry.file_name()))?;
        }
    } else if about.is_file() {
        std::fs::copy(from, to).map_err(|err| failed(from, err))?;
    } else {
        return Ok(());
    }
    lchown(to, Some(about.uid()), Some(about.gid())).map_err(|err| failed(to, err))?;
    if about.is_symlink() {
        return Ok(());
    }
    // After the owner: a change of it clears the bits for another user.
    let mode = std::fs::Permissions::from_mode(about.mode() & 0o7777);
    std::fs::set_permissions(to, mode).map_err(|err| failed(to, err))
}

/// Files and directories below a directory, by their paths. A report has no room for all that a
/// program may leave: of one directory and altogether so many are shown.
pub(super) fn list(directory: &Path) -> Result<BTreeMap<String, Listed>, String> {
    walked(directory, SHOWN_OF_ONE, SHOWN)
}

/// The same with other limits.
fn walked(
    directory: &Path,
    of_one: usize,
    limit: usize,
) -> Result<BTreeMap<String, Listed>, String> {
    let mut found = BTreeMap::new();
    let mut length = 0;
    let mut ahead = vec![directory.to_owned()];
    while let Some(next) = ahead.pop() {
        let entries = std::fs::read_dir(&next)
            .map_err(|err| format!("cannot read {}: {err}", next.display()))?;
        for entry in entries.filter_map(Result::ok).take(of_one) {
            let Ok(about) = entry.path().symlink_metadata() else {
                continue;
            };
            if about.is_dir() {
                ahead.push(entry.path());
            }
            let path = entry.path();
            let path = path
                .strip_prefix(directory)
                .unwrap_or(&path)
                .to_string_lossy()
                .into_owned();
            let listed = Listed {
                bytes: if about.is_dir() { 0 } else { about.len() },
                mode: about.mode() & 0o7777,
                uid: about.uid(),
            };
            length += path.len();
            found.insert(path, listed);
            if found.len() >= limit || length >= 16 * limit {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

/// Prints a file; empty if it is not a regular file.
pub(super) fn read(path: &str) -> Result<(), String> {
    let failed = |err: std::io::Error| format!("cannot read {path}: {err}");
    // A pipe that a program left would be waited for, and a link leads anywhere.
    if !std::fs::symlink_metadata(path).map_err(failed)?.is_file() {
        return Ok(());
    }
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(READ).read_to_end(&mut bytes).map_err(failed)?;
    std::io::stdout().write_all(&bytes).map_err(failed)
}

/// Files that hold a text, and links and names that do, by their paths below a directory.
pub(super) fn search(directory: &Path, text: &str) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for path in walked(directory, SEARCHED, SEARCHED)?.into_keys() {
        let named = path.contains(text);
        if named || holds(&directory.join(&path), text.as_bytes()) {
            found.push(path);
        }
        // A longer list is useless.
        if found.len() >= 100 {
            break;
        }
    }
    Ok(found)
}

/// Whether a file's bytes have these, however long it is.
fn holds(path: &Path, wanted: &[u8]) -> bool {
    let plain = std::fs::symlink_metadata(path).is_ok_and(|about| about.is_file());
    let Some(mut file) = plain.then(|| std::fs::File::open(path).ok()).flatten() else {
        return false;
    };
    let mut window = Vec::new();
    let mut part = vec![0; 1 << 20];
    while let Ok(length @ 1..) = file.read(&mut part) {
        window.extend_from_slice(&part[..length]);
        if window.windows(wanted.len()).any(|here| here == wanted) {
            return true;
        }
        // The searched text may cross two parts.
        let kept = window.len().min(wanted.len() - 1);
        window.drain(..window.len() - kept);
    }
    false
}

/// A hash of each file below a directory.
pub(super) fn hashes(directory: &Path) -> Result<BTreeMap<String, String>, String> {
    let mut hashes = BTreeMap::new();
    for path in list(directory)?.into_keys() {
        let at = directory.join(&path);
        let plain = std::fs::symlink_metadata(&at).is_ok_and(|about| about.is_file());
        if let Some(mut file) = plain.then(|| std::fs::File::open(&at).ok()).flatten() {
            let mut digest = Sha256::new();
            let mut part = vec![0; 1 << 16];
            while let Ok(length @ 1..) = file.read(&mut part) {
                digest.update(&part[..length]);
            }
            let text = digest
                .finalize()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            hashes.insert(path, text);
        }
    }
    Ok(hashes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::{hashes, keep, search};

    #[test]
    fn the_images_own_files_keep_their_links_and_modes() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        std::fs::create_dir_all(from.join("code/below")).unwrap();
        std::fs::write(from.join("code/train.py"), "print(1)").unwrap();
        let mode = std::fs::Permissions::from_mode(0o750);
        std::fs::set_permissions(from.join("code/below"), mode).unwrap();
        std::os::unix::fs::symlink("/outside", from.join("code/link")).unwrap();
        nix::unistd::mkfifo(&from.join("code/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        keep(&from, &to).unwrap();
        let text = std::fs::read_to_string(to.join("code/train.py")).unwrap();
        assert_eq!(text, "print(1)");
        let about = to.join("code/below").symlink_metadata().unwrap();
        assert_eq!(about.mode() & 0o777, 0o750);
        let link = std::fs::read_link(to.join("code/link")).unwrap();
        assert_eq!(link.to_str(), Some("/outside"));
        assert!(!to.join("code/pipe").exists());
    }

    #[test]
    fn a_text_is_found_across_parts_and_in_names() {
        let directory = tempfile::tempdir().unwrap();
        let mut long = vec![b'x'; (1 << 20) - 3];
        long.extend(b"canary-1 and more");
        std::fs::create_dir(directory.path().join("a")).unwrap();
        std::fs::write(directory.path().join("a/long"), long).unwrap();
        std::fs::write(directory.path().join("canary-1"), "").unwrap();
        std::fs::write(directory.path().join("other"), "canary-2").unwrap();
        std::os::unix::fs::symlink("a/long", directory.path().join("link")).unwrap();
        let found = search(directory.path(), "canary-1").unwrap();
        assert_eq!(found, ["a/long", "canary-1"]);
        let files: Vec<String> = hashes(directory.path()).unwrap().into_keys().collect();
        assert_eq!(files, ["a/long", "canary-1", "other"]);
    }
}
