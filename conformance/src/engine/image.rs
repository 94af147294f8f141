//! An engine's images.

use std::time::Duration;

use serde_json::Value;

use super::Engine;
use super::call::{Call, Stop};
use crate::trouble::{Result, Trouble, cannot};

/// The image's id, and its configuration as the engine shows it.
///
/// # Errors
///
/// When the engine has no such image and cannot pull it.
pub fn inspect(engine: Engine, image: &str, offline: bool, stop: &Stop) -> Result<Value> {
    let inspect = || Call::new(engine.program(), ["image", "inspect", image]).said(stop);
    let mut said = inspect()?;
    if said.code != Some(0) && !offline {
        let mut pull = Call::new(engine.program(), ["pull", image]);
        pull.limit = Duration::from_secs(900);
        pull.interruptible = true;
        let pulled = pull.said(stop)?;
        if pulled.code != Some(0) {
            let why = String::from_utf8_lossy(&pulled.stderr);
            let why = why.trim().lines().last().unwrap_or_default().to_owned();
            return cannot(format!(
                "{} has no image {image} and cannot pull it: {why}",
                engine.program()
            ));
        }
        said = inspect()?;
    }
    stop.check()?;
    if said.code != Some(0) {
        return cannot(format!("{} has no image {image}", engine.program()));
    }
    let all: Value = serde_json::from_slice(&said.stdout).map_err(|err| {
        Trouble::Cannot(format!("cannot parse the output of image inspect: {err}"))
    })?;
    Ok(all[0].clone())
}

/// Whether an engine is there and its daemon answers.
#[must_use]
pub fn answers(engine: Engine, stop: &Stop) -> bool {
    let mut call = Call::new(engine.program(), ["info"]);
    call.limit = Duration::from_secs(20);
    call.interruptible = true;
    call.said(stop).is_ok_and(|said| said.code == Some(0))
}

/// An engine's image, read from what it saves.
///
/// # Errors
///
/// When the engine cannot save it, or there is no room.
pub fn saved(engine: Engine, id: &str, stop: &Stop) -> Result<crate::layout::Image> {
    let fail =
        |err: std::io::Error| Trouble::Cannot(format!("cannot make a temporary file: {err}"));
    let directory = tempfile::tempdir().map_err(fail)?;
    let archive = directory.path().join("image.tar");
    let path = archive.to_string_lossy().into_owned();
    let mut call = Call::new(engine.program(), ["save", "-o", &path, id]);
    call.limit = Duration::from_secs(900);
    call.interruptible = true;
    let said = call.said(stop)?;
    stop.check()?;
    if said.code != Some(0) {
        let why = String::from_utf8_lossy(&said.stderr);
        let why = why.trim().lines().last().unwrap_or_default().to_owned();
        return cannot(format!("{} cannot save the image: {why}", engine.program()));
    }
    crate::layout::of_archive(&archive, "")
}
