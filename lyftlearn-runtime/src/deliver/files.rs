//! The directories of a job.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use crate::held::{self, Owner};
use crate::problems::Problems;
use crate::workload::Paths;

/// Makes the directories that do not exist, for the program's user. A directory that cannot be made
/// is removed from the model, and a problem reports it. An existing directory is given to that user
/// as well, but not its content, which may be large or belong to another user.
pub(super) fn make_directories(paths: &mut Paths, owner: Option<Owner>) -> Problems {
    let mut problems = Problems::default();
    for directory in [
        &mut paths.model,
        &mut paths.output,
        &mut paths.output_data,
        &mut paths.checkpoints,
        &mut paths.cache,
    ] {
        let Some(path) = directory else { continue };
        let made = match owner {
            // On a volume that outlives the container, an earlier program may have put a link in
            // its place.
            Some(owner) => held::make(path, owner).map(drop),
            None => make(path),
        };
        let Err(err) = made else { continue };
        if path.is_dir() {
            problems.push(format!(
                "cannot give {} to the program's user: {}",
                path.display(),
                err.kind()
            ));
        } else {
            problems.push(format!("cannot make {}: {}", path.display(), err.kind()));
            *directory = None;
        }
    }
    problems
}

fn make(path: &Path) -> std::io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o755).create(path)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::make_directories;
    use crate::workload::Paths;

    #[test]
    fn a_directory_that_cannot_be_made_is_removed_and_reported() {
        let mut paths = Paths {
            output: Some("/proc/output".into()),
            ..Paths::default()
        };
        let problems = make_directories(&mut paths, None);
        assert_eq!(paths.output, None);
        expect!["cannot make /proc/output: entity not found"].assert_eq(&problems.join("\n"));
    }
}
