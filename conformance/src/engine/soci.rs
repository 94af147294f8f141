//! `soci`, where it is on PATH: converts an OCI layout as a team does before it pushes.

use std::path::Path;
use std::time::Duration;

use super::call::{Call, Stop, strings};
use crate::layout::soci::Look;
use crate::trouble::{Result, Trouble, cannot};

/// What a layout's own index would be, if `soci` made it now.
///
/// # Errors
///
/// When `soci` is not there or fails.
pub fn converted(source: &Path, architecture: &str, stop: &Stop) -> Result<Option<Look>> {
    let on_path = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|directory| directory.join("soci").is_file())
    });
    if !on_path {
        return cannot("--with-soci needs soci, from soci-snapshotter, on PATH");
    }
    let fail =
        |err: std::io::Error| Trouble::Cannot(format!("cannot make a temporary directory: {err}"));
    let directory = tempfile::tempdir().map_err(fail)?;
    let target = directory.path().join("converted");
    let platform = format!("linux/{architecture}");
    let mut words = strings(["convert", "--standalone", "--format", "oci-dir"]);
    words.extend(strings(["--platform", &platform]));
    words.extend([text(source), text(&target)]);
    let mut call = Call::new("soci", words);
    call.limit = Duration::from_secs(900);
    call.interruptible = true;
    let said = call.said(stop)?;
    stop.check()?;
    if said.code != Some(0) {
        let why = String::from_utf8_lossy(&said.stderr);
        let why = why.trim().lines().last().unwrap_or("no reason was given");
        return cannot(format!("soci convert failed: {why}"));
    }
    Ok(crate::layout::of_directory(&target, architecture)?.soci)
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
