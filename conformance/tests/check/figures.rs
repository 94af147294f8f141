//! Figures of layers and of lazy loading: one image is within every budget, and each figure has one
//! image that exceeds only its budget.

use std::path::Path;

use lyftlearn_conformance::check::{self, CHECKS, Choice, Finding, Level, Need, Verdict};
use lyftlearn_conformance::image_toml::budget::BUDGETS;
use lyftlearn_conformance::image_toml::{self, ImageToml};
use lyftlearn_conformance::layout;
use serde_json::{Value, json};

use crate::layout::{Image, Item, blob, manifest_of, tarred};

fn checks() -> Vec<&'static check::Check> {
    let choice = Choice {
        profiles: vec!["lazy".to_owned()],
        ..Choice::default()
    };
    let all = choice.checks();
    all.into_iter()
        .filter(|check| !check.needs.contains(&Need::Engine))
        .collect()
}

fn toml(text: &str) -> ImageToml {
    image_toml::parse(text, "image.toml", Path::new(""), &[]).unwrap()
}

/// Budgets at which a small image counts as a large one.
fn tight() -> ImageToml {
    toml("[budget]\nlayers_order_mib = 1\nlayers_caches_mib = 0.5\nlazy_small_layers_mib = 2\n")
}

fn findings(layout: &Path, toml: ImageToml) -> Vec<Finding> {
    let image = layout::of_directory(layout, "amd64").unwrap();
    let subject = check::Subject::new(image, toml, "amd64");
    check::run(&subject, &checks(), 1, &|_| {}).unwrap()
}

fn failed(findings: &[Finding]) -> Vec<(String, String)> {
    let all = findings.iter();
    all.filter_map(|finding| match &finding.verdict {
        Verdict::Failed { seen, .. } => Some((finding.check.clone(), seen.clone())),
        _ => None,
    })
    .collect()
}

fn failing(image: &Image, toml: ImageToml) -> Vec<(String, String)> {
    let directory = tempfile::tempdir().unwrap();
    failed(&findings(&image.write(directory.path()), toml))
}

fn bytes(count: usize) -> Vec<u8> {
    vec![7; count]
}

#[test]
fn a_good_image_is_within_every_budget() {
    let directory = tempfile::tempdir().unwrap();
    let all = findings(&Image::good().write(directory.path()), tight());
    assert_eq!(failed(&all), []);
    for finding in &all {
        assert!(
            matches!(finding.verdict, Verdict::Passed { note: Some(_) }),
            "{finding:?}"
        );
    }
}

type Change = fn(&mut Image);

const FAILURES: &[(&str, Change, &str)] = &[
    (
        "layers.order",
        |image| {
            image.layers.push(Vec::new());
            image.file("usr/lib/package.so", 0o644, bytes(3 << 19));
        },
        "1.5 MiB: a change to /opt/program/train.py rebuilds layers 1 to 2",
    ),
    (
        "layers.waste",
        |image| {
            image.layers.insert(0, Vec::new());
            let file = |size| Item::File(bytes(size));
            image.layers[0].push(("usr/lib/large".to_owned(), 0o644, file(100_000)));
            image.file("usr/lib/.wh.large", 0o644, "");
        },
        "later layers replace or delete 0.1 of 0.1 MiB",
    ),
    (
        "layers.caches",
        |image| image.file("root/.cache/pip/http/a", 0o644, bytes(600_000)),
        "0.6 MiB: pip's cache 0.6 MiB",
    ),
    (
        "layers.caches",
        |image| {
            let tests = "usr/lib/python3/dist-packages/numpy/tests/data";
            image.file(tests, 0o644, bytes(300_000));
            for version in ["311", "312"] {
                let name = format!("usr/lib/python3/__pycache__/os.cpython-{version}.pyc");
                image.file(&name, 0o644, bytes(300_000));
            }
        },
        "modules compiled twice 0.3 MiB, tests of packages 0.3 MiB",
    ),
    (
        "lazy.small-layers",
        |image| {
            image.layers.insert(0, Vec::new());
            image.layers[0].push(("usr/lib/a".to_owned(), 0o644, Item::File(bytes(5 << 19))));
        },
        "2.5 MiB: 2 of 2 layers are smaller than 10 MiB",
    ),
];

#[test]
fn each_figure_has_an_image_that_exceeds_only_its_budget() {
    for (id, change, said) in FAILURES {
        let mut image = Image::good();
        image.gzip = false;
        change(&mut image);
        let failed = failing(&image, tight());
        let ids: Vec<&str> = failed.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, [*id], "{failed:?}");
        assert!(failed[0].1.contains(said), "{id}: {}", failed[0].1);
    }
    // These two have tests of their own, below.
    let others = ["lazy.compression", "lazy.index"];
    for check in checks() {
        let here = FAILURES.iter().any(|(id, _, _)| *id == check.id);
        assert!(here || others.contains(&check.id), "{}", check.id);
    }
}

#[test]
fn a_layer_of_zstd_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let image = Image::good();
    // A frame with one uncompressed block.
    let plain = tarred(&image.layers[0]);
    let mut bytes = vec![0x28, 0xb5, 0x2f, 0xfd, 0x80, 0x58];
    bytes.extend((plain.len() as u32).to_le_bytes());
    let blocks = plain.chunks(1 << 16);
    let last = blocks.len() - 1;
    for (number, block) in blocks.enumerate() {
        let header = (block.len() as u32) << 3 | u32::from(number == last);
        bytes.extend(&header.to_le_bytes()[..3]);
        bytes.extend(block);
    }
    let kind = "application/vnd.oci.image.layer.v1.tar+zstd";
    let layer = blob(directory.path(), &bytes, kind);
    image.write_with(directory.path(), &[layer]);
    let failed = failed(&findings(directory.path(), tight()));
    let expected = (
        "lazy.compression".to_owned(),
        "1 layers: zstd: layers 1".to_owned(),
    );
    assert_eq!(failed, [expected]);
}

#[test]
fn a_budget_of_the_team_is_meant_and_a_default_is_advice() {
    let directory = tempfile::tempdir().unwrap();
    let mut image = Image::good();
    image.gzip = false;
    image.file("root/.cache/pip/http/a", 0o644, bytes(17 << 20));
    image.write(directory.path());
    let level = |toml: ImageToml| {
        let all = findings(directory.path(), toml);
        assert_eq!(failed(&all).len(), 1, "{:?}", failed(&all));
        let one = all.into_iter().find(|one| one.check == "layers.caches");
        one.unwrap().level
    };
    assert_eq!(level(ImageToml::default()), Level::Should);
    assert_eq!(
        level(toml("[budget]\nlayers_caches_mib = 16\n")),
        Level::Must
    );
    let none = failing(&image, toml("[budget]\nlayers_caches_mib = 18\n"));
    assert_eq!(none, []);
}

#[test]
fn a_budget_is_checked_whatever_the_profiles() {
    let profiles = |text: &str| {
        let directory = tempfile::tempdir().unwrap();
        let image = layout::of_directory(&Image::good().write(directory.path()), "amd64").unwrap();
        check::Subject::new(image, toml(text), "amd64").profiles()
    };
    assert_eq!(profiles(""), ["base", "training", "serving"]);
    let budget = "[budget]\nruntime_ms = 9\n";
    assert_eq!(profiles(budget), ["base", "training", "serving", "lazy"]);
    let some = "[image]\nprofiles = [\"base\"]\n[lazy]\nrequire = true\n";
    assert_eq!(profiles(some), ["base", "lazy"]);
}

#[test]
fn the_default_budgets_are_those_of_the_contract() {
    let expected = [
        ("budget.runtime.ms", Some(10.0)),
        ("budget.runtime.files", Some(25.0)),
        ("budget.ready.seconds", None),
        ("lazy.files", None),
        ("lazy.bytes", Some(25.0)),
        ("lazy.spans", Some(60.0)),
        ("lazy.small-layers", Some(64.0)),
        ("lazy.compression", Some(0.0)),
        ("layers.order", Some(32.0)),
        ("layers.waste", Some(5.0)),
        ("layers.caches", Some(16.0)),
    ];
    for (id, most) in expected {
        let budget = BUDGETS.iter().find(|budget| budget.id == id).unwrap();
        assert_eq!(budget.default, most, "{id}");
    }
    assert_eq!(BUDGETS.len(), expected.len());
    let page = include_str!("../../../docs/conformance.md");
    for budget in BUDGETS {
        assert!(
            page.contains(&format!("| `{}` |", budget.id)) && page.contains(budget.key),
            "{} is not in docs/conformance.md",
            budget.id
        );
        let check = CHECKS.iter().find(|check| check.id == budget.id).unwrap();
        assert_eq!(
            check.level == Level::Info,
            budget.default.is_none(),
            "{}",
            check.id
        );
        assert!(check.how.contains(budget.key), "{}", check.id);
    }
}

/// An image with one layer that is large enough for an index, and its index, written as `soci convert` does.
struct Indexed {
    /// The image manifest.
    manifest: Value,
    /// The index.
    index: Value,
    /// The image index: the image and the index.
    all: Value,
}

const LARGE: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const VERSION_1: &str = "application/vnd.amazon.soci.index.v1+json";
const VERSION_2: &str = "application/vnd.amazon.soci.index.v2+json";

impl Indexed {
    fn new(directory: &Path, version: &str) -> Self {
        // An empty tar of eleven megabytes, as far as anybody reads it.
        let blobs = directory.join("blobs/sha256");
        std::fs::create_dir_all(&blobs).unwrap();
        let file = std::fs::File::create(blobs.join("1".repeat(64))).unwrap();
        file.set_len(11 << 20).unwrap();
        let image = Image::good();
        let small = blob(
            directory,
            &tarred(&image.layers[0]),
            "application/vnd.oci.image.layer.v1.tar",
        );
        let large = json!({"mediaType": small["mediaType"], "digest": LARGE, "size": 11 << 20});
        let table = |layer: &str, content: &str| {
            let mut table = blob(directory, content.as_bytes(), "application/octet-stream");
            table["annotations"] = json!({
                "com.amazon.soci.image-layer-digest": layer,
                "com.amazon.soci.span-size": "4194304",
            });
            table
        };
        let tables = [table(LARGE, "a table of contents")];
        let manifest = manifest_of(directory, &image, &[large, small]);
        Self {
            index: json!({
                "schemaVersion": 2, "mediaType": MANIFEST, "layers": tables,
                "config": {"mediaType": version, "digest": format!("sha256:{}", "4".repeat(64)), "size": 2},
            }),
            manifest,
            all: json!({"schemaVersion": 2}),
        }
    }

    /// Writes it; `change` is made when everything points at everything.
    fn write(mut self, directory: &Path, change: impl Fn(&mut Value)) {
        let index_of = |index: &Value| blob(directory, index.to_string().as_bytes(), MANIFEST);
        let version = self.index["config"]["mediaType"].clone();
        if version == VERSION_2 {
            let named = index_of(&self.index)["digest"].clone();
            self.manifest["annotations"] = json!({"com.amazon.soci.index-digest": named});
        }
        let manifest = blob(directory, self.manifest.to_string().as_bytes(), MANIFEST);
        if version == VERSION_1 {
            self.index["subject"] = manifest.clone();
        }
        let mut index = index_of(&self.index);
        index["artifactType"] = version;
        index["annotations"] = json!({"com.amazon.soci.image-manifest-digest": manifest["digest"]});
        self.all["manifests"] = json!([manifest, index]);
        change(&mut self.all);
        let all = blob(
            directory,
            self.all.to_string().as_bytes(),
            "application/vnd.oci.image.index.v1+json",
        );
        let top = json!({"schemaVersion": 2, "manifests": [all]});
        std::fs::write(directory.join("index.json"), top.to_string()).unwrap();
        std::fs::write(
            directory.join("oci-layout"),
            r#"{"imageLayoutVersion": "1.0.0"}"#,
        )
        .unwrap();
    }
}

/// The message about an index, whether it fails, and its level.
fn said(directory: &Path, toml: ImageToml) -> (String, bool, Level) {
    let all = findings(directory, toml);
    let index = all.iter().find(|one| one.check == "lazy.index").unwrap();
    let others = failed(&all);
    assert!(
        others.iter().all(|(id, _)| id == "lazy.index"),
        "{others:?}"
    );
    match &index.verdict {
        Verdict::Passed { note: Some(note) } => (note.clone(), false, index.level),
        Verdict::Failed { seen, .. } => (seen.clone(), true, index.level),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check_index(
    version: &str,
    prepare: impl Fn(&mut Indexed),
    change: impl Fn(&mut Value),
    expected: &str,
    whole: bool,
) {
    let directory = tempfile::tempdir().unwrap();
    let mut indexed = Indexed::new(directory.path(), version);
    prepare(&mut indexed);
    indexed.write(directory.path(), change);
    let (text, fails, _) = said(directory.path(), ImageToml::default());
    assert_eq!((text.as_str(), !fails), (expected, whole));
    let (text, fails, level) = said(directory.path(), toml("[lazy]\nrequire = true\n"));
    assert_eq!((text.as_str(), level), (expected, Level::Must));
    assert_eq!(fails, !expected.starts_with("version 2"));
}

#[test]
fn an_index_of_version_2_is_looked_up_and_must_be_whole() {
    let same = |_: &mut Indexed| {};
    let untouched = |_: &mut Value| {};
    let whole = "version 2, 1 tables of contents, spans of 4.0 MiB";
    check_index(VERSION_2, same, untouched, whole, true);
    check_index(
        VERSION_2,
        |indexed| indexed.index["layers"] = json!([]),
        untouched,
        "layer 1 has no table of contents",
        false,
    );
    check_index(
        VERSION_2,
        |indexed| indexed.index["layers"][0]["size"] = json!(5),
        untouched,
        "a table of contents is missing or has the wrong size",
        false,
    );
    check_index(
        VERSION_2,
        |indexed| {
            let mut other = indexed.index["layers"][0].clone();
            other["annotations"]["com.amazon.soci.span-size"] = json!("1048576");
            indexed.index["layers"].as_array_mut().unwrap().push(other);
        },
        untouched,
        "its tables of contents have different span sizes",
        false,
    );
    check_index(
        VERSION_2,
        same,
        |all| {
            all["manifests"][1]["annotations"] =
                json!({"com.amazon.soci.image-manifest-digest": LARGE})
        },
        "the index does not refer to this image",
        false,
    );
    check_index(
        VERSION_2,
        same,
        |all| drop(all["manifests"].as_array_mut().unwrap().pop()),
        "the index is not in the same image index as the image",
        false,
    );
}

#[test]
fn an_old_index_and_a_missing_one_are_reported() {
    let said = "only an index of version 1, which snapshotters from 0.10 ignore by default";
    check_index(VERSION_1, |_| {}, |_| {}, said, true);
    check_index(
        VERSION_1,
        |_| {},
        |all| drop(all["manifests"].as_array_mut().unwrap().pop()),
        "no index",
        true,
    );
}
