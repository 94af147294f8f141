//! Hostile and damaged images: they are read within bounds, nothing outside of them is touched, and what is wrong is
//! reported in one sentence.

use std::path::Path;
use std::process::Command;

use lyftlearn_conformance::layout::archive::{self, Limits, Store};
use lyftlearn_conformance::{command, layout};
use serde_json::json;
use tar::EntryType;

use crate::layout::{Image, Item, blob, gzipped, tarred};

/// Everything below a directory, with sizes and modes: what a check could have changed.
fn traces(directory: &Path) -> String {
    let mut find = Command::new("find");
    find.arg(directory)
        .args(["-printf", "%p %y %m %s %T@ %l\\n"]);
    String::from_utf8(command::output(&mut find).stdout).unwrap()
}

/// Checks an image by the command line; the exit code, and what it said. Nothing beside the image is changed, and
/// it ends within the deadline of every command.
#[track_caller]
fn checked(beside: &Path, reference: &str) -> (Option<i32>, String) {
    let before = traces(beside);
    let mut checker = Command::new(env!("CARGO_BIN_EXE_lyftlearn-conformance"));
    let temporary = tempfile::tempdir().unwrap();
    checker
        .args(["check", reference])
        .env("TMPDIR", temporary.path());
    let output = command::output(&mut checker);
    assert_eq!(before, traces(beside), "{reference}");
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let steers = |letter: char| letter.is_control() && letter != '\n';
    assert!(!said.contains(steers), "{said:?}");
    let here = beside.display().to_string();
    (output.status.code(), said.replace(&here, "DIR"))
}

/// One sentence of stderr, and the exit code of an image that cannot be checked.
#[track_caller]
fn check_refused(beside: &Path, reference: &str, expected: &str) {
    let expected = format!("lyftlearn-conformance: {expected}\n");
    assert_eq!(checked(beside, reference), (Some(3), expected));
}

/// Files that lead outside in every way that a tar knows.
fn hostile() -> Image {
    let mut image = Image::good();
    for name in ["../../outside", "a/../../../outside"] {
        image.file(name, 0o644, "changed");
    }
    image.file("/etc/absolute", 0o644, "changed");
    image.link("opt/loop", "loop");
    image.link("opt/program/up", "../../../../../../outside");
    image.link("etc/lyftlearn/up", "/etc/shadow");
    for (name, target) in [
        ("opt/program/hard", "../../outside"),
        ("opt/program/absolute", "/etc/passwd"),
        ("../../hard", "opt/program/train.py"),
    ] {
        image.put(name, 0o644, Item::HardLink(target.to_owned()));
    }
    for (name, kind) in [
        ("opt/program/char", EntryType::Char),
        ("opt/program/block", EntryType::Block),
        ("opt/program/pipe", EntryType::Fifo),
    ] {
        image.put(name, 0o666, Item::Special(kind));
    }
    image
}

#[test]
fn names_links_and_devices_of_a_hostile_image_lead_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    std::fs::write(here.join("outside"), "untouched").unwrap();
    let layout = here.join("layout");
    std::fs::create_dir(&layout).unwrap();
    hostile().write(&layout);
    let read = layout::of_directory(&layout, "amd64").unwrap();
    let outside = ["../../outside", "a/../../../outside", "../../hard"];
    assert_eq!(read.tree.outside, outside);
    for path in ["/opt/program/up", "/opt/program/hard", "/etc/lyftlearn/up"] {
        assert!(read.tree.find(path).is_none(), "{path}");
    }
    assert!(read.tree.find("/etc/absolute").is_some());
    let (code, said) = checked(here, &format!("oci:{}", layout.display()));
    assert_eq!(code, Some(0), "{said}");

    // The same in an archive.
    let archive = here.join("image.tar");
    let mut builder = tar::Builder::new(std::fs::File::create(&archive).unwrap());
    builder.append_dir_all(".", &layout).unwrap();
    builder.into_inner().unwrap();
    let (code, said) = checked(here, &format!("oci-archive:{}", archive.display()));
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn devices_in_the_place_of_the_files_that_are_read_are_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let mut image = Image::good();
    let mut check = |names: &[&str], expected: Option<i32>, part: &str| {
        for name in names {
            image.put(name, 0o666, Item::Special(EntryType::Char));
        }
        image.write(directory.path());
        let reference = format!("oci:{}", directory.path().display());
        let (code, said) = checked(directory.path(), &reference);
        assert_eq!(code, expected, "{said}");
        assert!(said.contains(part), "{said}");
    };
    check(&["etc/passwd"], Some(0), "13 passed, 0 failed");
    check(&["root/.netrc"], Some(0), "13 passed, 0 failed");
    let said = "/etc/lyftlearn/runtime.toml is not a file of at most 64 KiB";
    check(&["etc/lyftlearn/runtime.toml"], Some(1), said);
}

#[test]
fn members_of_a_hostile_archive_lead_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    std::fs::write(here.join("outside"), "untouched").unwrap();
    let archive = here.join("image.tar");
    let reference = format!("docker-archive:{}", archive.display());
    let nothing = "not an image archive: it has neither manifest.json nor index.json";
    let write = |items: &[(&str, Item)]| {
        let items: Vec<_> = items
            .iter()
            .map(|(name, item)| ((*name).to_owned(), 0o644, item.clone()))
            .collect();
        std::fs::write(&archive, tarred(&items)).unwrap();
    };
    let absolute = here.join("absolute").display().to_string();
    write(&[
        ("../../outside", Item::File(b"changed".to_vec())),
        (&absolute, Item::File(b"changed".to_vec())),
        ("char", Item::Special(EntryType::Char)),
        ("manifest.json", Item::Link("/etc/passwd".to_owned())),
        ("index.json", Item::HardLink("/etc/passwd".to_owned())),
    ]);
    check_refused(here, &reference, nothing);
    for kind in [EntryType::Char, EntryType::Block, EntryType::Fifo] {
        write(&[("manifest.json", Item::Special(kind))]);
        check_refused(here, &reference, nothing);
    }
    let naming = |config: &str, layer: &str| {
        let manifest = json!([{"Config": config, "Layers": [layer]}]);
        let manifest = Item::File(manifest.to_string().into_bytes());
        write(&[
            ("manifest.json", manifest),
            ("config.json", Item::File(b"{}".to_vec())),
        ]);
    };
    naming("/etc/passwd", "x");
    check_refused(
        here,
        &reference,
        "cannot read DIR/image.tar: \"/etc/passwd\" is missing",
    );
    naming("config.json", "../\u{1b}[2J");
    check_refused(
        here,
        &reference,
        "cannot read DIR/image.tar: \"../\\u{1b}[2J\" is missing",
    );
    // A member that says that it is larger than any disk.
    let mut header = tar::Header::new_gnu();
    header.set_path("manifest.json").unwrap();
    header.set_size(u64::MAX >> 1);
    header.set_cksum();
    std::fs::write(&archive, header.as_bytes()).unwrap();
    let (code, said) = checked(here, &reference);
    assert_eq!((code, said.lines().count()), (Some(3), 1), "{said}");
}

#[test]
fn documents_of_a_layout_name_no_file_outside_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    std::fs::write(here.join("outside"), "{}").unwrap();
    let layout = here.join("layout");
    std::fs::create_dir(&layout).unwrap();
    Image::good().write(&layout);
    let reference = format!("oci:{}", layout.display());
    for (config, layer) in [
        ("../outside", "x"),
        ("/etc/passwd", "x"),
        ("oci-layout", "../outside"),
    ] {
        let manifest = json!([{"Config": config, "Layers": [layer]}]);
        std::fs::write(layout.join("manifest.json"), manifest.to_string()).unwrap();
        let expected = "cannot read the image: a name leads outside of the layout";
        check_refused(here, &reference, expected);
    }
}

#[test]
fn a_pipe_or_a_device_in_the_place_of_a_blob_is_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let reference = format!("oci:{}", here.display());
    Image::good().write(here);
    let blobs = std::fs::read_dir(here.join("blobs/sha256")).unwrap();
    let blobs: Vec<_> = blobs.map(|entry| entry.unwrap().path()).collect();
    for blob in &blobs {
        let bytes = std::fs::read(blob).unwrap();
        let name = blob.file_name().unwrap().to_string_lossy();
        let expected = format!("cannot read DIR/blobs/sha256/{name}: it is not a regular file");
        std::fs::remove_file(blob).unwrap();
        nix::unistd::mkfifo(blob, nix::sys::stat::Mode::S_IRWXU).unwrap();
        check_refused(here, &reference, &expected);
        std::fs::remove_file(blob).unwrap();
        std::os::unix::fs::symlink("/dev/zero", blob).unwrap();
        check_refused(here, &reference, &expected);
        std::fs::remove_file(blob).unwrap();
        std::fs::write(blob, bytes).unwrap();
    }
    let (code, said) = checked(here, &reference);
    assert_eq!(code, Some(0), "{said}");
    let pipe = here.join("pipe.tar");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    check_refused(
        here,
        &format!("docker-archive:{}", pipe.display()),
        "cannot read DIR/pipe.tar: it is not a regular file",
    );
}

#[test]
fn a_message_about_a_damaged_tar_quotes_nothing_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let archive = here.join("image.tar");
    // A checksum of control characters, which the parser quotes.
    let mut header = tar::Header::new_gnu();
    header.set_path("secret-name").unwrap();
    header.as_old_mut().cksum = *b"\x1b[2Jkey\0";
    std::fs::write(&archive, header.as_bytes()).unwrap();
    let reference = format!("docker-archive:{}", archive.display());
    check_refused(here, &reference, "cannot read DIR/image.tar: it is damaged");
    let layer = blob(
        here,
        header.as_bytes(),
        "application/vnd.oci.image.layer.v1.tar",
    );
    Image::good().write_with(here, &[layer]);
    let reference = format!("oci:{}", here.display());
    check_refused(here, &reference, "cannot read a layer: it is damaged");
}

#[test]
fn a_large_image_is_read_within_bounds() {
    let directory = tempfile::tempdir().unwrap();
    let mut image = Image::good();
    let many = (0..100_000).map(|number| (format!("many/{number}"), 0o644, Item::Directory));
    image.layers.push(many.collect());
    // Zeros, in a fraction of their size.
    image.file("etc/lyftlearn/huge", 0o644, vec![0; 64 << 20]);
    let layout = image.write(directory.path());
    let read = layout::of_directory(&layout, "amd64").unwrap();
    let (_, huge) = read.tree.find("/etc/lyftlearn/huge").unwrap();
    assert!(huge.content.is_none(), "a huge file was kept");
    let limited = |limits: Limits| {
        let store = Store::Directory(layout.clone());
        archive::image(&store, "amd64", limits)
            .map(drop)
            .map_err(|why| why.to_string())
    };
    let small = Limits {
        unpacked: 32 << 20,
        ..Limits::default()
    };
    let expected = "cannot read a layer: the image is too large";
    assert_eq!(limited(small), Err(expected.to_owned()));
    let small = Limits {
        names: 100_000,
        ..Limits::default()
    };
    let expected = "cannot read a layer: the image has too many files";
    assert_eq!(limited(small), Err(expected.to_owned()));
}

#[test]
fn layers_that_are_named_many_times_count_as_often() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let image = Image::good();
    let bytes = gzipped(&tarred(&image.layers[0]));
    let layer = blob(here, &bytes, "application/vnd.oci.image.layer.v1.tar+gzip");
    image.write_with(here, &vec![layer; 100]);
    let store = Store::Directory(here.to_owned());
    let limits = Limits {
        unpacked: 100_000,
        ..Limits::default()
    };
    let why = archive::image(&store, "amd64", limits).unwrap_err();
    assert_eq!(
        why.to_string(),
        "cannot read a layer: the image is too large"
    );
}

#[test]
fn a_damaged_layout_is_reported_in_one_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path();
    let error = |layout: &std::path::Path| match layout::of_directory(layout, "amd64") {
        Ok(_) => panic!("it was read"),
        Err(why) => why
            .to_string()
            .replace(&layout.display().to_string(), "DIR"),
    };
    assert_eq!(
        error(layout),
        "DIR is not an OCI layout: it has no index.json"
    );
    std::fs::write(layout.join("index.json"), "{\"manifests\": secret}").unwrap();
    assert_eq!(
        error(layout),
        "cannot read index.json: not JSON at line 1, column 15"
    );
    let evil = json!({"manifests": [{"digest": "sha256:../../../etc/passwd"}]});
    std::fs::write(layout.join("index.json"), evil.to_string()).unwrap();
    assert_eq!(
        error(layout),
        "cannot read the image: a digest is malformed"
    );
    let other =
        json!({"manifests": [{"digest": "sha256:x", "platform": {"architecture": "s390x"}}]});
    std::fs::write(layout.join("index.json"), other.to_string()).unwrap();
    assert_eq!(
        error(layout),
        "it has no image for amd64; choose another with --platform"
    );
    let image = Image::good();
    let layer = blob(
        layout,
        &gzipped(&tarred(&image.layers[0]))[..200],
        "application/vnd.oci.image.layer.v1.tar+gzip",
    );
    image.write_with(layout, &[layer]);
    assert!(
        error(layout).starts_with("cannot read a layer: "),
        "{}",
        error(layout)
    );
    // An extended header that says that it is four gigabytes long.
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_size(4 << 30);
    header.set_cksum();
    let layer = blob(
        layout,
        header.as_bytes(),
        "application/vnd.oci.image.layer.v1.tar",
    );
    image.write_with(layout, &[layer]);
    assert_eq!(
        error(layout),
        "cannot read a layer: an extended header is too long"
    );
}
