//! Blocks that show a command and its output: each runs in a container laid out as a platform does.

use std::ffi::OsString;

use lyftlearn_conformance::sandbox::{self, Sandbox};
use lyftlearn_conformance::world::World;
use serde_json::json;

use crate::page::{self, Block, Page};

/// Between two commands' outputs.
const BORDER: &str = "\u{1e}";

/// A command, and what the page shows of it.
struct Shown {
    command: String,
    output: Vec<String>,
}

fn shown(block: &Block) -> Vec<Shown> {
    let mut all: Vec<Shown> = Vec::new();
    for line in block.text.lines() {
        match (line.strip_prefix("$ "), all.last_mut()) {
            (Some(command), _) => all.push(Shown {
                command: command.to_owned(),
                output: Vec::new(),
            }),
            (None, Some(last)) => last.output.push(line.to_owned()),
            (None, None) => panic!("line {}: a block begins with a command", block.line),
        }
    }
    all
}

/// Files for a block's containers: those of the page's earlier blocks, and of its own comments.
fn files(page: &Page, block: &Block) -> Vec<(String, String)> {
    let earlier = page
        .blocks
        .iter()
        .take_while(|other| other.line < block.line);
    let mut files: Vec<(String, String)> = earlier
        .filter(|other| other.language != "console")
        .filter_map(|other| Some((other.comment("file")?.to_owned(), other.text.clone())))
        .collect();
    for comment in &block.comments {
        if let Some((path, text)) = comment
            .strip_prefix("file:")
            .and_then(|rest| rest.split_once(" = "))
        {
            let path = path.trim().to_owned();
            files.retain(|(known, _)| *known != path);
            files.push((path, text.trim_end().replace("\\n", "\n")));
        }
    }
    files
}

fn container(world: &World, page: &Page, block: &Block) -> Sandbox {
    let mut files = files(page, block);
    let mut take = |name: &str| {
        let at = files.iter().position(|(path, _)| path == name)?;
        Some(files.remove(at).1)
    };
    let settings = take("/etc/lyftlearn/runtime.toml").unwrap_or_default();
    let mut container = match block.comment("world").unwrap() {
        "training" => {
            let hyperparameters = take("/opt/ml/input/config/hyperparameters.json");
            let hyperparameters =
                hyperparameters.map_or(json!({}), |text| serde_json::from_str(&text).unwrap());
            // No platform answers here: whether the agent says so in time would be a race.
            world
                .training(&settings, &hyperparameters)
                .variable("LYFTLEARN_RUNTIME_CREDENTIALS_MODE", "native")
        }
        "pod" => {
            let hyperparameters = take("/etc/lyftlearn/config/hyperparameters.json");
            world.pod(&settings, &hyperparameters.unwrap_or("{}".to_owned()))
        }
        "container" => world.container(&settings),
        other => panic!("there is no world {other}"),
    };
    for (number, (path, text)) in files.into_iter().enumerate() {
        container = container.mount_read_only(world.file(&format!("files/{number}"), &text), path);
    }
    container.own_network()
}

/// Whether a line fits; `…` in it is anything.
fn line_fits(shown: &str, found: &str) -> bool {
    let mut parts = shown.split('…');
    let mut rest = match found.strip_prefix(parts.next().unwrap_or("")) {
        Some(rest) => rest,
        None => return false,
    };
    let mut last = None;
    for part in parts {
        last = Some(part);
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    match last {
        None => rest.is_empty(),
        Some(part) => part.is_empty() || rest.is_empty() || found.ends_with(part),
    }
}

/// Whether an output fits; `…` alone in a line is any number of lines.
fn fits(shown: &[String], found: &[&str]) -> bool {
    match shown.split_first() {
        None => found.is_empty(),
        Some((first, rest)) if first == "…" => {
            (0..=found.len()).any(|skipped| fits(rest, &found[skipped..]))
        }
        Some((first, rest)) => found
            .split_first()
            .is_some_and(|(line, left)| line_fits(first, line) && fits(rest, left)),
    }
}

#[test]
fn every_command_prints_what_the_page_shows() {
    if !sandbox::possible() {
        return;
    }
    let pages = page::tested();
    let blocks: Vec<(&Page, &Block)> = pages
        .iter()
        .flat_map(|page| page.blocks.iter().map(move |block| (page, block)))
        .filter(|(_, block)| block.language == "console" && block.comment("world").is_some())
        .collect();
    assert!(
        blocks.len() > 10,
        "the pages were not read: {}",
        blocks.len()
    );
    let (mut wrong, mut running) = (Vec::new(), Vec::new());
    for (page, block) in blocks {
        let shown = shown(block);
        let script: String = shown
            .iter()
            .map(|one| format!("{{ {}\n}}; printf '{BORDER}'\n", one.command))
            .collect();
        let argv = ["sh", "-c", &format!("exec 2>&1\n{script}")].map(OsString::from);
        let world = World::new();
        let started = container(&world, page, block).start(&argv);
        running.push((page, block, shown, world, started));
    }
    for (page, block, shown, world, started) in running {
        let output = started.end();
        world.canary.assert_unseen(&page.name(), &output.stdout);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        for (one, found) in shown.iter().zip(text.split(BORDER)) {
            let found: Vec<&str> = found.lines().collect();
            if !fits(&one.output, &found) {
                wrong.push(format!(
                    "{}:{}: {}\n{}",
                    page.name(),
                    block.line,
                    one.command,
                    found.join("\n")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
}

#[test]
fn an_elision_is_anything_and_nothing_else_is() {
    let shown = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    for (page, output) in [
        ("a\n…\nd", "a\nb\nc\nd"),
        ("a…c", "abc"),
        ("…", ""),
        ("a\n…", "a"),
    ] {
        assert!(
            fits(&shown(page), &output.lines().collect::<Vec<_>>()),
            "{page:?}"
        );
    }
    for (page, output) in [
        ("a", "ab"),
        ("a\nb", "a"),
        ("a…c", "abd"),
        ("", "a"),
        ("a\n…\nd", "a\nb"),
    ] {
        assert!(
            !fits(&shown(page), &output.lines().collect::<Vec<_>>()),
            "{page:?}"
        );
    }
}
