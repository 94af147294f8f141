//! Blocks that are documents: each goes through the parser that a reader's copy of it will meet.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use lyftlearn_conformance::check::table;
use lyftlearn_conformance::world::find_python;
use lyftlearn_conformance::{command, image_toml, programs};
use lyftlearn_runtime::{Facts, resolve};
use saphyr::{LoadableYamlNode, Yaml};

use crate::page::{self, Block};

/// As an image would have them, in a pod.
fn settings(text: &str) -> Result<(), String> {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("etc/lyftlearn");
    std::fs::create_dir_all(&path).unwrap();
    std::fs::write(path.join("runtime.toml"), text).unwrap();
    let facts = Facts::empty()
        .with_root(root.path())
        .with_var("KUBERNETES_SERVICE_HOST", "10.96.0.1");
    resolve(&facts).map(drop).map_err(|error| error.report())
}

/// Files that `image.toml` names do not exist here.
fn image(text: &str) -> Result<(), String> {
    let checks: Vec<&str> = table::CHECKS.iter().map(|check| check.id).collect();
    match image_toml::parse(text, "image.toml", Path::new(""), &checks) {
        Ok(_) => Ok(()),
        Err(mistakes)
            if mistakes
                .iter()
                .all(|mistake| mistake.ends_with(" does not exist")) =>
        {
            Ok(())
        }
        Err(mistakes) => Err(mistakes.join("\n")),
    }
}

fn by(mut program: Command, text: &str) -> Result<(), String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let output = command::output(program.arg(file.path()));
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Parts of programs are compiled, and whole ones run with the wheel.
fn python(text: &str, runs: bool) -> Result<(), String> {
    if runs {
        let python = programs::python_with_wheel();
        return python.map_or(Ok(()), |python| by(Command::new(python), text));
    }
    let mut program = Command::new(find_python());
    program.args([
        "-c",
        "import sys; compile(open(sys.argv[1]).read(), 'page', 'exec')",
    ]);
    by(program, text)
}

fn check(block: &Block) -> Result<(), String> {
    let text = &block.text;
    match block.language.as_str() {
        "toml" if block.comment("parser") == Some("image.toml") => image(text),
        "toml" => settings(text),
        "json" => serde_json::from_str::<serde_json::Value>(text)
            .map(drop)
            .map_err(|error| error.to_string()),
        "yaml" => Yaml::load_from_str(text)
            .map(drop)
            .map_err(|error| error.to_string()),
        "dockerfile" => parse_dockerfile::parse(text)
            .map(drop)
            .map_err(|error| error.to_string()),
        "python" => python(text, block.comments.iter().any(|comment| comment == "run")),
        "sh" => {
            let mut shell = Command::new("sh");
            shell.arg("-n");
            by(shell, text)?;
            untested(block)
        }
        // Its own tests run it: console.rs, and the crate's doctests.
        "console" if block.comment("world").is_some() => Ok(()),
        "rust" => Ok(()),
        _ => untested(block),
    }
}

/// A block that no test runs has a comment with the reason.
fn untested(block: &Block) -> Result<(), String> {
    match block.comment("untested") {
        Some(reason) if reason.len() > 10 => Ok(()),
        _ => Err("no test runs it: say how, or why not, in a comment before it".to_owned()),
    }
}

#[test]
fn every_block_is_parsed_or_says_why_not() {
    let mut wrong = Vec::new();
    let mut tried = 0;
    for page in page::tested() {
        for block in &page.blocks {
            tried += 1;
            if let Err(why) = check(block) {
                wrong.push(format!("{}:{}: {why}", page.name(), block.line));
            }
        }
    }
    assert!(tried > 60, "the pages were not read: {tried}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
