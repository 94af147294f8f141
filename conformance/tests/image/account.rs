//! With another user, files that only root can read are read first, and everything else belongs to
//! the program's user.

use serde_json::{Value, json};

use crate::container::{As, Case, set_mode};

/// The image's users: root alone, or also `ml`, which is in two more groups.
const NOBODY_ELSE: &str = "root:x:0:0::/root:/bin/sh\n";
const ML: &str = "root:x:0:0::/root:/bin/sh\nml:x:1000:100:ML:/home/ml:/bin/sh\n";
const GROUPS: &str = "root:x:0:\nusers:x:100:\nvideo:x:44:ml\nrender:x:109:other,ml\nml:x:1000:\n";

#[track_caller]
fn check(name: &str, user: &str, passwd: &str, groups: &[u32], home: &str) {
    let case = Case {
        name,
        made: As::Training,
        settings: &format!(
            "user = \"{user}\"\n[commands]\ntrain = [\"python3\", \"/opt/tests/account.py\"]\n"
        ),
        options: &[
            "--volume=@WORK@/passwd:/etc/passwd:ro",
            "--volume=@WORK@/group:/etc/group:ro",
        ],
        argv: &["train"],
    };
    let container = case.prepared(|work| {
        std::fs::write(work.join("passwd"), passwd).unwrap();
        std::fs::write(work.join("group"), GROUPS).unwrap();
        let config = work.join("ml/input/config");
        for entry in std::fs::read_dir(&config).unwrap() {
            set_mode(&entry.unwrap().path(), 0o600);
        }
        set_mode(&config, 0o700);
    });
    let Some(container) = container else { return };
    let said = container.says("account ", 1);
    let seen: Value = serde_json::from_str(said.trim_start_matches("account ")).unwrap();
    assert_eq!(
        seen,
        json!({
            "user": [1000, 1000, 1000, 100, 100, 100], "groups": groups, "home": home,
            "config": false, "hyperparameters": {"epochs": "3"}, "read by the package": 3,
            "platform": "sagemaker", "run": ["0o700", 1000, 100], "files": ["0o0"],
            "writes": [true, true],
        })
    );
    let list = ["ls", "/run/lyftlearn"];
    assert!(container.exec("1000:100", &list).0);
    for other in ["1001:100", "4711:4711"] {
        let (listed, said) = container.exec(other, &list);
        assert!(!listed, "{other} sees {said}");
    }
    std::fs::write(container.work.path().join("ml/checkpoints/enough"), "").unwrap();
    // The shim is root still: its last words reach a directory that is root's.
    let reason = "user error: the program ended with exit code 3";
    container.end().check(3, "user-error", Some(reason));
}

#[test]
fn a_number_without_an_entry_is_at_home_in_the_root() {
    check("number", "1000:100", NOBODY_ELSE, &[100], "/");
}

#[test]
fn a_numeric_user_has_the_images_home_directory() {
    check("number-known", "1000:100", ML, &[100], "/home/ml");
}

#[test]
fn a_name_brings_its_groups() {
    check("name", "ml", ML, &[44, 100, 109], "/home/ml");
}
