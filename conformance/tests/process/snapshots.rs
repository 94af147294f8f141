//! Snapshots, and what differs between two.

use expect_test::expect;

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

/// Compares two snapshots in a sandbox; returns the exit code and the output.
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

/// Without declared differences, for one job.
#[test]
fn one_job_in_its_two_places_differs_in_nothing_undeclared() {
    needs_namespaces!();
    let world = World::new();
    let settings = "role = \"training\"\n[job]\nname = \"digits-1\"\n";
    let on_sagemaker = world.training(settings, &json!({"lr": "0.1"}));
    let on_sagemaker = snapshot(&on_sagemaker.variable("AWS_REGION", "us-east-1"));
    let in_a_pod = snapshot(
        &world
            .pod(settings, r#"{"lr": "0.1"}"#)
            .variable("TERM", "xterm")
            .variable("container", "oci"),
    );
    let (code, shown) = compared(&world, &on_sagemaker, &in_a_pod, &[]);
    assert_eq!(code, 0, "{shown}");
    let (_, platforms) = shown
        .split_once("differences of the two platforms: ")
        .unwrap();
    for path in [
        "lifecycle.grace_seconds",
        "variables.AWS_REGION",
        "variables.TERM",
        "variables.container",
    ] {
        assert!(
            platforms.contains(&format!("  {path}: ")),
            "{path} in {shown}"
        );
    }
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
    assert!(
        code == 0 && shown.contains("\nundeclared differences: 0\n"),
        "{shown}"
    );
    let (code, shown) = compared(&world, &a, &b, &[]);
    assert_eq!(code, 1, "{shown}");
    assert!(
        shown.starts_with("A  /shared/a.json: ")
            && shown.contains("\nundeclared differences: 1 (variables 1)\n  variables.GREETING: "),
        "{shown}"
    );
    let (code, shown) = compared(&world, &a, &b, &["--declared", "/shared/declared"]);
    assert_eq!(code, 0, "{shown}");
    let (code, shown) = compared(&world, &a, &b, &["--format", "json"]);
    let found: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((code, &found[0]["kind"]), (1, &json!("undeclared")));
    let (_, page) = compared(&world, &a, &b, &["--format", "html"]);
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("variables.GREETING"));
    let (code, shown) = compared(&world, &a, &json!({}), &[]);
    assert_eq!(code, 2);
    expect![[r#"
        lyftlearn-runtime: cannot compare /shared/b.json: not a snapshot
          hint: lyftlearn-runtime snapshot --output FILE makes one
    "#]]
    .assert_eq(&shown);
}

/// Trains a model and serves it, with more variables; what serving left.
fn served(world: &World, settings: &str, variables: &[(&str, &str)]) -> (Output, Value) {
    std::fs::create_dir_all(world.path("run")).unwrap();
    let container = world
        .container(settings)
        .mount(world.path("ml/model"), "/opt/ml/model")
        .mount(world.path("run"), "/run")
        .variable("KUBERNETES_SERVICE_HOST", "10.0.0.1")
        .variable("HOSTNAME", "digits-1")
        // Tests share the machine's ports.
        .variable("LYFTLEARN_RUNTIME_METRICS_LISTEN", "127.0.0.1:0")
        .variable("LYFTLEARN_RUNTIME_ROLE", "serving");
    let container = variables
        .iter()
        .fold(container, |container, (name, value)| {
            container.variable(name, value)
        });
    let output = ended(&container, &["true"]);
    let outcome = std::fs::read(world.path("run/lyftlearn/outcome.json")).unwrap_or_default();
    (output, serde_json::from_slice(&outcome).unwrap_or_default())
}

#[test]
fn a_model_is_compared_with_its_training_snapshot() {
    needs_namespaces!();
    let world = World::new();
    check_end(&ended(&world.training("", &json!({})), &["true"]), 0);
    let kept = std::fs::read(world.path("ml/model/.lyftlearn/snapshot.json")).unwrap();
    world.canary.assert_unseen("the model's snapshot", &kept);

    let (output, outcome) = served(&world, "", &[]);
    check_end(&output, 0);
    assert_eq!(outcome["skew"], json!({"undeclared": 0, "differences": []}));
    expect![[r#"
        lyftlearn-runtime: kubernetes (pod), serving, job digits-1
    "#]]
    .assert_eq(&String::from_utf8_lossy(&output.stderr));

    let threads = [("OMP_NUM_THREADS", "3")];
    let (output, outcome) = served(&world, "", &threads);
    check_end(&output, 0);
    assert_eq!(
        outcome["skew"]["differences"],
        json!(["machine.threads.OMP_NUM_THREADS"])
    );
    expect![[r#"
        lyftlearn-runtime: kubernetes (pod), serving, job digits-1; 1 difference from what trained the model, machine.threads.OMP_NUM_THREADS first
    "#]].assert_eq(&String::from_utf8_lossy(&output.stderr));

    let (output, _) = served(&world, "[skew]\nguard = \"fail\"\n", &threads);
    check_end(&output, 125);
    expect![[r#"
        lyftlearn-runtime: cannot serve this model: 1 undeclared difference from /opt/ml/model/.lyftlearn/snapshot.json
          machine.threads.OMP_NUM_THREADS
          hint: serve with the image that trained it, name what may differ in /etc/lyftlearn/declared-differences, or set skew.guard to warn
    "#]].assert_eq(&String::from_utf8_lossy(&output.stderr));
    let (output, outcome) = served(&world, "[skew]\nguard = \"off\"\n", &threads);
    check_end(&output, 0);
    assert_eq!(outcome["skew"], Value::Null);
}

#[test]
fn a_broken_snapshot_next_to_a_model_is_reported_or_stops_the_start() {
    needs_namespaces!();
    let world = World::new();
    world.file(
        "ml/model/.lyftlearn/snapshot.json",
        &format!("{{\"format\": 1, \"x\": \"{}", world.canary.value()),
    );
    let (output, outcome) = served(&world, "", &[]);
    check_end(&output, 0);
    let said = String::from_utf8(output.stderr).unwrap();
    let unreadable = outcome["skew"]["unreadable"].as_str().unwrap();
    assert!(said.ends_with(&format!("; {unreadable}\n")), "{said}");
    expect![[r#"
        lyftlearn-runtime: kubernetes (pod), serving, job digits-1; cannot compare /opt/ml/model/.lyftlearn/snapshot.json: not a snapshot
    "#]].assert_eq(&said);
    let (output, _) = served(&world, "[skew]\nguard = \"fail\"\n", &[]);
    check_end(&output, 125);
    expect![[r#"
        lyftlearn-runtime: cannot compare /opt/ml/model/.lyftlearn/snapshot.json: not a snapshot
          hint: lyftlearn-runtime snapshot --output FILE makes one
    "#]]
    .assert_eq(&String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_failed_or_was_stopped_leaves_no_snapshot_with_the_model() {
    needs_namespaces!();
    let world = World::new();
    let output = ended(&world.training("", &json!({})), &["false"]);
    check_end(&output, 1);
    let output = ended(
        &world.training("[skew]\nguard = \"off\"\n", &json!({})),
        &["true"],
    );
    check_end(&output, 0);
    assert!(!world.path("ml/model/.lyftlearn").exists());
}
