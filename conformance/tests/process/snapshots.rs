//! Snapshots, and what differs between two.

use super::*;

fn snapshot(container: &Sandbox) -> Value {
    let argv = [BINARY, "run", "--", BINARY, "snapshot"].map(OsString::from);
    let output = container.start(&argv).end();
    check_end(&output, 0);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_snapshot_shows_what_a_program_sees_and_no_secret() {
    needs_namespaces!();
    let world = World::new();
    let container = world
        .training("[outcome]\nredact = [\"PIN\"]\n", &json!({"lr": "0.1"}))
        .variable("OMP_NUM_THREADS", "4")
        .variable("PIN", "1234")
        .variable("GREETING", world.canary.value());
    let taken = snapshot(&container);
    world
        .canary
        .assert_unseen("the snapshot", taken.to_string().as_bytes());
    for (pointer, expected) in [
        ("/format", json!(1)),
        ("/platform", json!("sagemaker")),
        ("/hyperparameters/count", json!(1)),
        ("/paths/model/path", json!("/opt/ml/model")),
        ("/paths/model/mode", json!("0755")),
        ("/paths/model/writable", json!(true)),
        ("/machine/threads/OMP_NUM_THREADS", json!("4")),
        ("/machine/umask", json!("0022")),
        ("/variables/PIN", json!("secret")),
        ("/variables/DB_PASSWORD", json!("secret")),
        ("/python/executable", json!("/usr/bin/python3")),
    ] {
        assert_eq!(
            taken.pointer(pointer),
            Some(&expected),
            "{pointer} in {taken:#}"
        );
    }
    // By name and hash: this one is no secret by its name.
    assert_eq!(taken["variables"]["GREETING"].as_str().unwrap().len(), 64);
    // Stable: the same again, to the last byte.
    assert_eq!(snapshot(&container).to_string(), taken.to_string());
}

/// Compares two snapshots in a sandbox; the exit code, and what was said.
fn compared(world: &World, a: &Value, b: &Value, options: &[&str]) -> (i32, String) {
    world.file("shared/a.json", &a.to_string());
    world.file("shared/b.json", &b.to_string());
    world.file("shared/declared", "# meant\nvariables.GREETING\n");
    let argv: Vec<OsString> = [BINARY, "diff"]
        .iter()
        .chain(options)
        .chain(&["/shared/a.json", "shared/b.json"])
        .map(OsString::from)
        .collect();
    let container = world.container("").mount(world.path("shared"), "/shared");
    let output = container.start(&argv).end();
    let shown = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(shown).unwrap(),
    )
}

#[test]
fn differences_are_declared_harmless_or_neither() {
    needs_namespaces!();
    let world = World::new();
    let settings = "role = \"training\"\n[lifecycle]\ngrace_seconds = 120\n";
    let pod = world.pod(settings, r#"{"lr": "0.1"}"#);
    let greeting = |word: &str| snapshot(&pod.clone().variable("GREETING", word));
    let (a, b) = (greeting("hello"), greeting("good-bye"));
    let (code, shown) = compared(&world, &a, &a, &[]);
    assert_eq!(
        (code, shown.lines().next()),
        (0, Some("undeclared differences: 0"))
    );
    let (code, shown) = compared(&world, &a, &b, &[]);
    assert_eq!(code, 1, "{shown}");
    assert!(
        shown.starts_with("undeclared differences: 1\n  variables.GREETING: "),
        "{shown}"
    );
    let (code, shown) = compared(&world, &a, &b, &["--declared", "/shared/declared"]);
    assert_eq!(code, 0, "{shown}");
    let (code, shown) = compared(&world, &a, &b, &["--format", "json"]);
    let found: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((code, &found[0]["kind"]), (1, &json!("undeclared")));
    let (_, page) = compared(&world, &a, &b, &["--format", "html"]);
    assert!(page.starts_with("<!doctype html>") && page.contains("variables.GREETING"));
    let (code, shown) = compared(&world, &a, &json!({}), &[]);
    assert_eq!(code, 125);
    assert_eq!(
        shown,
        "lyftlearn-runtime: cannot compare /shared/b.json: it is no snapshot\n  \
         hint: lyftlearn-runtime snapshot --output FILE makes one\n"
    );
}
