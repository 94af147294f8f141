//! A line of a file. Its directory may be the program's to change, and this process root: it is
//! opened as `held` does, and no link at its end is followed.

use std::io;
use std::path::{Path, PathBuf};

use tokio::sync::oneshot;

use super::Undelivered;
use crate::held::{Directory, Owner};

/// Appends from a thread of its own: a mount may hang, and the end must not wait for it.
pub(super) async fn append(
    path: PathBuf,
    owner: Option<Owner>,
    line: String,
) -> Result<(), Undelivered> {
    let (done, written) = oneshot::channel();
    std::thread::spawn(move || {
        // A caller that has stopped waiting does not need the result.
        let _ = done.send(append_now(&path, owner, &line));
    });
    let written = written.await.unwrap_or(Err(io::ErrorKind::Other.into()));
    written.map_err(|err| Undelivered::File { kind: err.kind() })
}

fn append_now(path: &Path, owner: Option<Owner>, line: &str) -> io::Result<()> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let directory = Directory::of_a_program(directory, owner)?;
    directory.append(&name.to_string_lossy(), format!("{line}\n").as_bytes())
}
