use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use super::{Directory, Owner, is_refused_link, make, only_root_changes, open_to_read};

/// The owner of what a program of another user owns; tests run as root.
const PROGRAM: Option<Owner> = Some(Owner {
    uid: 1000,
    gid: 1000,
});

fn held(owner: Option<Owner>) -> (tempfile::TempDir, Directory) {
    let directory = tempfile::tempdir().unwrap();
    let opened = Directory::open(directory.path(), owner).unwrap();
    (directory, opened)
}

/// Whether files can be given to other users. If not, the test says so past the test harness, which
/// hides the output of passing tests.
fn is_root() -> bool {
    use std::io::Write;

    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        let test = std::thread::current();
        let name = test.name().unwrap_or_default();
        let _ = writeln!(std::io::stderr(), "SKIPPED: {name} wants root");
    }
    is_root
}

#[test]
#[expect(clippy::disallowed_methods, reason = "what was written is read back")]
fn a_file_is_written_whole_and_for_its_owner_only() {
    let (place, directory) = held(None);
    directory.write("workload.json", b"{}").unwrap();
    directory.write("workload.json", b"{\"a\":1}").unwrap();
    let path = place.path().join("workload.json");
    assert_eq!(std::fs::read(&path).unwrap(), b"{\"a\":1}");
    assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
    assert_eq!(directory.names().unwrap(), ["workload.json"]);
    assert_eq!(
        directory.read("workload.json", 7).unwrap().unwrap(),
        b"{\"a\":1}"
    );
    assert_eq!(directory.read("outcome.json", 7).unwrap(), None);
}

#[test]
fn a_file_over_its_limit_is_not_read() {
    let (_place, directory) = held(None);
    directory.write("note", b"12345").unwrap();
    let error = directory.read("note", 4).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
}

/// A directory stays what it was, whatever is put in the place of its path.
#[test]
fn a_directory_that_is_moved_away_is_still_the_one() {
    let place = tempfile::tempdir().unwrap();
    let (path, elsewhere) = (place.path().join("run"), place.path().join("elsewhere"));
    std::fs::create_dir(&path).unwrap();
    std::fs::create_dir(&elsewhere).unwrap();
    let directory = Directory::open(&path, None).unwrap();
    std::fs::rename(&path, place.path().join("moved")).unwrap();
    symlink(&elsewhere, &path).unwrap();
    directory.write("outcome.json", b"{}").unwrap();
    directory.make("exceptions").unwrap();
    assert!(place.path().join("moved/outcome.json").exists());
    assert!(elsewhere.join("outcome.json").symlink_metadata().is_err());
    directory.clear().unwrap();
    assert!(directory.names().unwrap().is_empty());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "what was written is read back")]
fn no_link_is_followed() {
    let (place, directory) = held(None);
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::write(elsewhere.path().join("mine"), "mine").unwrap();
    symlink(elsewhere.path().join("mine"), place.path().join("note")).unwrap();
    symlink(elsewhere.path(), place.path().join("directory")).unwrap();
    assert!(directory.read("note", 100).is_err());
    assert!(directory.read("directory/mine", 100).is_err());
    assert!(directory.below("directory").is_err());
    assert!(directory.below("..").is_err() && directory.remove_all("..").is_err());
    assert!(directory.read("../note", 100).is_err());
    directory.write("note", b"new").unwrap();
    directory.remove_all("directory").unwrap();
    let kept = elsewhere.path().join("mine");
    assert_eq!(std::fs::read(kept).unwrap(), b"mine");
    assert_eq!(std::fs::read(place.path().join("note")).unwrap(), b"new");
}

#[test]
fn only_regular_files_are_read_and_no_read_blocks() {
    let (place, directory) = held(None);
    nix::unistd::mkfifo(&place.path().join("note"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    assert!(directory.read("note", 100).is_err());
    std::fs::create_dir(place.path().join("other")).unwrap();
    assert!(directory.read("other", 100).is_err());
}

#[test]
fn root_reads_only_files_of_the_programs_user() {
    if !is_root() {
        return;
    }
    let (place, directory) = held(PROGRAM);
    directory.write("note", b"theirs").unwrap();
    assert_eq!(place.path().join("note").metadata().unwrap().uid(), 1000);
    assert_eq!(directory.read("note", 100).unwrap().unwrap(), b"theirs");
    std::fs::write(place.path().join("roots"), "roots").unwrap();
    std::fs::hard_link(place.path().join("roots"), place.path().join("link")).unwrap();
    for name in ["roots", "link"] {
        let error = directory.read(name, 100).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{name}");
    }
}

#[test]
fn a_link_is_followed_only_where_no_other_user_can_create_it() {
    let place = tempfile::tempdir().unwrap();
    let (real, link) = (place.path().join("real"), place.path().join("link"));
    std::fs::create_dir(&real).unwrap();
    symlink("real", &link).unwrap();
    assert!(Directory::open(&link, None).is_ok());
    let mode = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(place.path(), mode(0o777)).unwrap();
    assert!(Directory::open(&link, None).is_err());
    assert!(Directory::open(&real, None).is_ok());
    // In a sticky directory only the owner can replace a file.
    std::fs::set_permissions(place.path(), mode(0o1777)).unwrap();
    assert!(Directory::open(&link, None).is_ok());
    if is_root() {
        std::os::unix::fs::lchown(&link, Some(1000), None).unwrap();
        assert!(Directory::open(&link, None).is_err());
    }
    assert!(Directory::open(Path::new("real"), None).is_err());
}

#[test]
fn directories_are_made_for_the_program_and_not_through_its_links() {
    if !is_root() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let base = place.path().join("ml");
    make(&base.join("output/data"), PROGRAM.unwrap()).unwrap();
    let owner = |path: &Path| path.symlink_metadata().unwrap().uid();
    assert_eq!(owner(&base.join("output/data")), 1000);
    let etc = place.path().join("etc");
    std::fs::create_dir(&etc).unwrap();
    symlink(&etc, base.join("model")).unwrap();
    // The program owns `ml` and everything in it.
    std::os::unix::fs::lchown(base.join("model"), Some(1000), None).unwrap();
    assert!(make(&base.join("model"), PROGRAM.unwrap()).is_err());
    assert!(make(&base.join("model/below"), PROGRAM.unwrap()).is_err());
    assert_eq!(owner(&etc), 0);
    assert!(!etc.join("below").exists());
}

#[test]
fn a_file_is_read_through_a_link_only_where_no_other_user_can_create_it() {
    use std::io::Read;

    let place = tempfile::tempdir().unwrap();
    // As the kubelet has it: a link to a file below a link to a directory.
    std::fs::create_dir(place.path().join("..version")).unwrap();
    std::fs::write(place.path().join("..version/token"), "a token").unwrap();
    symlink("..version", place.path().join("..data")).unwrap();
    symlink("..data/token", place.path().join("token")).unwrap();
    let path = place.path().join("token");
    let text = || {
        let mut text = String::new();
        open_to_read(&path)?.read_to_string(&mut text)?;
        std::io::Result::Ok(text)
    };
    let mode = |mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(place.path(), mode).unwrap();
    };
    mode(0o1777);
    assert_eq!(text().unwrap(), "a token");
    mode(0o777);
    assert!(is_refused_link(&text().unwrap_err()));
    assert!(open_to_read(&place.path().join("..version/token")).is_ok());
    mode(0o1777);
    if is_root() {
        std::os::unix::fs::lchown(&path, Some(1000), None).unwrap();
        assert!(is_refused_link(&text().unwrap_err()));
    }
}

#[test]
fn what_root_alone_can_change_is_told_from_the_rest() {
    assert!(only_root_changes(Path::new("/etc/no/such/file")));
    assert!(!only_root_changes(Path::new("etc/passwd")));
    // Below /tmp, where everybody may put something.
    let place = tempfile::tempdir().unwrap();
    assert!(!only_root_changes(place.path()));
    assert!(!only_root_changes(&place.path().join("none")));
    // The kernel's own links lead there, too.
    assert!(!only_root_changes(
        &Path::new("/proc/self/root").join(place.path().strip_prefix("/").unwrap())
    ));
}

#[test]
fn a_tree_that_a_program_made_is_not_in_the_way_of_a_file() {
    let (place, directory) = held(None);
    let guessed = format!(".shutdown.json.{}", std::process::id());
    directory.make(&guessed).unwrap().make("tree").unwrap();
    directory.write("shutdown.json", b"{}").unwrap();
    assert_eq!(
        directory.names().unwrap(),
        [guessed.as_str(), "shutdown.json"]
    );
    // A directory that has the name of the file is not removed.
    directory
        .make("outcome.json")
        .unwrap()
        .make("tree")
        .unwrap();
    assert!(directory.write("outcome.json", b"{}").is_err());
    assert!(place.path().join("outcome.json/tree").exists());
    assert_eq!(directory.names().unwrap().len(), 3);
}
