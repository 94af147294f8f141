//! Figures of an image's layers, and whether it can be loaded lazily.

use super::image::{command, few};
use super::image_files::program_directories;
use super::{Figure, Level, Seen, Subject};
use crate::image_toml::budget::BUDGETS;
use crate::layout::soci::{self, Look};
use crate::layout::tree::{Kind, Node};
use crate::layout::{Layer, Packing};
use crate::trouble::Result;

const MIB: f64 = 1024.0 * 1024.0;

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
pub(super) fn mib(bytes: u64) -> f64 {
    bytes as f64 / MIB
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 * 100.0 / whole as f64
    }
}

/// Compares a figure with the team's budget, or else with the default. `what` describes the
/// measurement for people.
pub(super) fn judged(subject: &Subject, id: &str, value: f64, what: &str) -> Seen {
    let known = BUDGETS.iter().find(|budget| budget.id == id);
    let own = subject.toml.budget.as_ref().and_then(|own| own.get(id));
    let figure = Figure {
        value,
        budget: own.copied().or(known.and_then(|budget| budget.default)),
        unit: known.map_or("", |budget| budget.unit).to_owned(),
    };
    let mut seen = match figure.budget {
        Some(budget) if figure.is_over() => Seen::failed(
            format!("{}: {what}", figure.shown(value)),
            format!("at most {}", figure.shown(budget)),
        ),
        _ => Seen::noted(what),
    };
    seen.figure = Some(figure);
    // A team that sets a budget wants it enforced.
    seen.level = own.map(|_| Level::Must);
    seen
}

fn numbers(layers: &[usize]) -> String {
    let all: Vec<String> = layers.iter().map(|layer| (layer + 1).to_string()).collect();
    few(&all)
}

fn those(layers: &[Layer], fits: impl Fn(&Layer) -> bool) -> Vec<usize> {
    let all = layers.iter().enumerate();
    all.filter(|(_, layer)| fits(layer))
        .map(|(number, _)| number)
        .collect()
}

/// Said where sizes are not those that a registry would transfer.
fn as_saved(subject: &Subject) -> &'static str {
    if subject.image.soci.is_none() {
        "; sizes are those of unpacked layers, as an engine saves them"
    } else {
        ""
    }
}

/// Whether a file of the program's directories is code that a team changes.
fn is_code(path: &str, node: &Node) -> bool {
    let installed = [
        "site-packages",
        "dist-packages",
        "node_modules",
        "__pycache__",
    ];
    let source = [".py", ".sh", ".R", ".jl", ".lua", ".js", ".rb", ".pl"];
    node.kind == Kind::File
        && !path.split('/').any(|part| installed.contains(&part))
        && source.iter().any(|end| path.ends_with(end))
}

pub(super) fn order(subject: &Subject) -> Result<Vec<Seen>> {
    let (tree, layers) = (&subject.image.tree, &subject.image.layers);
    let mut lowest: Option<(usize, String)> = None;
    let mut look = |path: &str, node: &Node| {
        if lowest.as_ref().is_none_or(|(layer, _)| node.layer < *layer) {
            lowest = Some((node.layer, path.to_owned()));
        }
    };
    for directory in program_directories(subject) {
        for (path, node) in tree
            .below(&directory)
            .filter(|(path, node)| is_code(path, node))
        {
            look(path, node);
        }
    }
    // A program without a source is a file that its command names.
    let commands = ["train", "serve"]
        .iter()
        .filter_map(|word| command(tree, word));
    for word in commands.flatten().filter(|word| word.starts_with("/opt/")) {
        if let Some((path, node)) = tree.find(&word).filter(|(_, node)| node.kind == Kind::File) {
            look(&path, node);
        }
    }
    let Some((layer, path)) = lowest else {
        return Ok(vec![Seen::skipped(
            "found no program code in WORKDIR and the directories of the commands' files",
        )]);
    };
    let rebuilt = layers.iter().skip(layer);
    let bytes = rebuilt.fold(0_u64, |sum, layer| sum.saturating_add(layer.bytes));
    let what = format!(
        "a change to /{path} rebuilds layers {} to {}{}",
        layer + 1,
        layers.len(),
        as_saved(subject)
    );
    Ok(vec![judged(subject, "layers.order", mib(bytes), &what)])
}

pub(super) fn waste(subject: &Subject) -> Result<Vec<Seen>> {
    let tree = &subject.image.tree;
    let visible = tree
        .iter()
        .filter(|(_, node)| node.kind == Kind::File && !node.linked)
        .fold(0_u64, |sum, (_, node)| sum.saturating_add(node.bytes));
    let whole = visible.saturating_add(tree.hidden);
    let what = format!(
        "later layers replace or delete {:.1} of {:.1} MiB",
        mib(tree.hidden),
        mib(whole)
    );
    let percent = share(tree.hidden, whole);
    Ok(vec![judged(subject, "layers.waste", percent, &what)])
}

/// What kind of leftover a file is.
fn leftover(path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.split('/').collect();
    let has = |name: &str| parts[..parts.len() - 1].contains(&name);
    let pair = |first: &str, second: &str| parts.windows(2).any(|two| two == [first, second]);
    let installed = parts
        .iter()
        .position(|part| ["site-packages", "dist-packages"].contains(part));
    if pair(".cache", "pip") || pair(".cache", "uv") {
        Some("pip's cache")
    } else if path.starts_with("var/cache/apt/") || path.starts_with("var/lib/apt/lists/") {
        Some("apt's cache")
    } else if pair("conda", "pkgs") || pair("miniconda3", "pkgs") || pair("miniforge3", "pkgs") {
        Some("conda's cache")
    } else if has(".git") {
        Some(".git")
    } else if installed.is_some_and(|at| {
        parts[at..parts.len() - 1]
            .iter()
            .any(|part| ["tests", "test"].contains(part))
    }) {
        Some("tests of packages")
    } else {
        None
    }
}

pub(super) fn caches(subject: &Subject) -> Result<Vec<Seen>> {
    let mut kinds: std::collections::BTreeMap<&str, u64> = std::collections::BTreeMap::new();
    // Compiled for several versions of Python: all but one of a module are never read.
    let mut compiled: std::collections::BTreeMap<String, (u64, u64)> =
        std::collections::BTreeMap::new();
    for (path, node) in subject.image.tree.iter() {
        if node.kind != Kind::File || node.linked {
            continue;
        }
        if let Some(kind) = leftover(path) {
            *kinds.entry(kind).or_default() += node.bytes;
        } else if let Some((module, rest)) = path.split_once(".cpython-")
            && module.contains("/__pycache__/")
            && rest.ends_with(".pyc")
        {
            let (most, all) = compiled.entry(module.to_owned()).or_default();
            *most = (*most).max(node.bytes);
            *all += node.bytes;
        }
    }
    let twice = compiled.values().map(|(most, all)| all - most).sum::<u64>();
    if twice > 0 {
        kinds.insert("modules compiled twice", twice);
    }
    let bytes = kinds.values().sum::<u64>();
    let parts: Vec<String> = kinds
        .iter()
        .map(|(kind, bytes)| format!("{kind} {:.1} MiB", mib(*bytes)))
        .collect();
    let what = if parts.is_empty() {
        "none".to_owned()
    } else {
        few(&parts)
    };
    Ok(vec![judged(subject, "layers.caches", mib(bytes), &what)])
}

pub(super) fn small_layers(subject: &Subject) -> Result<Vec<Seen>> {
    let layers = &subject.image.layers;
    let small = those(layers, |layer| layer.bytes < soci::MINIMUM);
    let bytes = small.iter().fold(0_u64, |sum, number| {
        sum.saturating_add(layers[*number].bytes)
    });
    let what = format!(
        "{} of {} layers are smaller than 10 MiB and always pulled completely{}",
        small.len(),
        layers.len(),
        as_saved(subject)
    );
    Ok(vec![judged(
        subject,
        "lazy.small-layers",
        mib(bytes),
        &what,
    )])
}

pub(super) fn compression(subject: &Subject) -> Result<Vec<Seen>> {
    let layers = &subject.image.layers;
    let other = those(layers, |layer| layer.packing == Packing::Zstd);
    let gzip = those(layers, |layer| layer.packing == Packing::Gzip).len();
    if subject.image.soci.is_none() && gzip == 0 && other.is_empty() {
        return Ok(vec![Seen::skipped(
            "an engine saves its layers unpacked: check the OCI layout that you push",
        )]);
    }
    let what = if other.is_empty() {
        format!("{gzip} layers are gzip, {} plain tar", layers.len() - gzip)
    } else {
        format!("zstd: layers {}", numbers(&other))
    };
    let count = other.len() as f64;
    Ok(vec![judged(subject, "lazy.compression", count, &what)])
}

pub(super) fn index(subject: &Subject) -> Result<Vec<Seen>> {
    let required = subject.toml.lazy.as_ref().is_some_and(|lazy| lazy.require);
    let indexable = those(&subject.image.layers, |layer| layer.bytes >= soci::MINIMUM);
    let expected = "a complete SOCI index of version 2";
    let missing = |said: &str| {
        if required {
            Seen::failed(said, expected)
        } else {
            Seen::noted(said)
        }
    };
    let mut seen = match &subject.image.soci {
        None => Seen::skipped(
            "an archive saved by an engine has no index: check the OCI layout that you push",
        ),
        Some(Look::Absent) if indexable.is_empty() => {
            missing("no index; every layer is smaller than 10 MiB, and SOCI would index none")
        }
        Some(Look::Absent) => missing("no index"),
        Some(Look::Version1) => {
            missing("only an index of version 1, which snapshotters from 0.10 ignore by default")
        }
        Some(Look::Version2 {
            tables,
            span,
            wrong,
        }) if wrong.is_empty() => Seen::noted(format!(
            "version 2, {tables} tables of contents, spans of {:.1} MiB",
            mib(*span)
        )),
        // An index that is there and broken is never meant.
        Some(Look::Version2 { wrong, .. }) => Seen::failed(few(wrong), expected),
    };
    if required {
        seen.level = Some(Level::Must);
    }
    Ok(vec![seen])
}
