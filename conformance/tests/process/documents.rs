//! Variables that a deployment gives by document, and where each one comes from.

use expect_test::{Expect, expect};

use super::*;

/// A pod with these files in its config directory.
fn configured(world: &World, files: &[(&str, &str)]) -> Sandbox {
    for (name, text) in files {
        world.file(&format!("config/{name}"), text);
    }
    world
        .container("log = \"off\"\n")
        .mount_read_only(world.path("config"), "/etc/lyftlearn/config")
}

#[test]
fn documents_give_variables_as_they_are_written() {
    needs_namespaces!();
    let world = World::new();
    let container = configured(
        &world,
        &[
            (
                "environment.json",
                r#"{"RATE": 1.10, "ZIP": "02139", "DEBUG": true, "BOTH": "json", "TEXT": "a\n\"b\" $HOME é"}"#,
            ),
            (
                "environment.env",
                "# a comment\nBOTH=lines\nQUOTED=\"as it is\"\n\nEQUALS=a=b\n",
            ),
        ],
    );
    let output = ended(&container, SHOW);
    check_end(&output, 0);
    check_variables(
        &output,
        &[
            ("RATE", "1.10"),
            ("ZIP", "02139"),
            ("DEBUG", "true"),
            ("TEXT", "a\n\"b\" $HOME é"),
            ("BOTH", "lines"),
            ("QUOTED", "\"as it is\""),
            ("EQUALS", "a=b"),
        ],
    );
    let argv = [BINARY, "exec", "--", "env", "-0"].map(OsString::from);
    check_variables(&container.start(&argv).end(), &[("BOTH", "lines")]);
}

#[test]
fn five_thousand_variables_arrive() {
    needs_namespaces!();
    let world = World::new();
    let many: BTreeMap<String, String> = (0..5000)
        .map(|number| (format!("VARIABLE_{number}"), "x".repeat(200)))
        .collect();
    let text = serde_json::to_string(&many).unwrap();
    let output = ended(&configured(&world, &[("environment.json", &text)]), SHOW);
    check_end(&output, 0);
    let found = variables(&output);
    assert!(
        many.iter()
            .all(|(name, value)| found.get(name) == Some(value))
    );
}

#[test]
fn the_platform_overrides_a_document_and_a_document_the_image() {
    needs_namespaces!();
    let world = World::new();
    let image = world.file("image-environment", "OF_IMAGE=image\0OF_POD=image\0");
    let container = configured(
        &world,
        &[("environment.env", "OF_IMAGE=document\nOF_POD=document\n")],
    )
    .mount_read_only(image, "/etc/lyftlearn/image-environment")
    .variable("OF_IMAGE", "image")
    .variable("OF_POD", "pod");
    let output = ended(&container, SHOW);
    check_variables(&output, &[("OF_IMAGE", "document"), ("OF_POD", "pod")]);
    let explained = explain(
        &container,
        &["OF_IMAGE", "OF_POD", "LYFTLEARN_PLATFORM", "log"],
    );
    expect![[r#"
        name                layer        source                                 value
        OF_IMAGE            config       /etc/lyftlearn/config/environment.env  document
          overrides         image        -                                      image
        OF_POD              environment  -                                      pod
          overrides         config       /etc/lyftlearn/config/environment.env  document
        LYFTLEARN_PLATFORM  runtime      -                                      local
        log                 image        log in /etc/lyftlearn/runtime.toml     off
          overrides         default      -                                      info
    "#]]
    .assert_eq(&explained);
}

fn explain(container: &Sandbox, words: &[&str]) -> String {
    let argv: Vec<OsString> = [BINARY, "explain"]
        .iter()
        .chain(words)
        .map(OsString::from)
        .collect();
    let output = container.start(&argv).end();
    check_end(&output, 0);
    String::from_utf8(output.stdout).unwrap()
}

/// In the container everything is in the environment, and `explain` still knows whence.
#[test]
fn explain_beside_the_program_names_the_layers_of_its_start() {
    needs_namespaces!();
    let world = World::new();
    let document = world.file("environment.json", r#"{"FROM_DOCUMENT": "1"}"#);
    let container = world
        .container("")
        .mount_read_only(document, "/etc/lyftlearn/config/environment.json")
        .variable("FROM_OUTSIDE", "1");
    let explain = format!("{BINARY} explain FROM_DOCUMENT FROM_OUTSIDE LYFTLEARN_ROLE");
    for script in [explain.clone(), format!("env -i {explain}")] {
        let output = ended(&container, &["sh", "-c", &script]);
        check_end(&output, 0);
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        let rows = rows(&shown);
        for row in [
            [
                "FROM_DOCUMENT",
                "config",
                "/etc/lyftlearn/config/environment.json",
            ],
            ["FROM_OUTSIDE", "environment", "-"],
            ["LYFTLEARN_ROLE", "runtime", "-"],
        ] {
            assert!(rows.contains(&row), "{row:?} in {shown}");
        }
    }
}

/// Name, layer and source of each row.
fn rows(shown: &str) -> Vec<[&str; 3]> {
    let rows = shown.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some([words.next()?, words.next()?, words.next()?])
    });
    rows.collect()
}

#[test]
fn explain_shows_one_layer_or_what_changed() {
    needs_namespaces!();
    let world = World::new();
    let settings = "log = \"info\"\n[lifecycle]\norphan_seconds = 3\n";
    let container = configured(
        &world,
        &[
            ("environment.env", "MINE=1\nSAME=outside\n"),
            ("runtime.toml", settings),
        ],
    )
    .variable("SAME", "outside")
    .variable("FROM_OUTSIDE", "1");
    let config = explain(&container, &["--layer", "config"]);
    let names: Vec<&str> = rows(&config).into_iter().map(|[name, ..]| name).collect();
    assert!(names.contains(&"MINE"), "{config}");
    assert!(names.contains(&"lifecycle.orphan_seconds"), "{config}");
    assert!(!names.contains(&"FROM_OUTSIDE"), "{config}");
    assert!(!names.contains(&"lifecycle.grace_seconds"), "{config}");
    let changed = explain(&container, &["--changed"]);
    let names: Vec<&str> = rows(&changed).into_iter().map(|[name, ..]| name).collect();
    assert!(names.contains(&"MINE"), "{changed}");
    assert!(names.contains(&"LYFTLEARN_PLATFORM"), "{changed}");
    for same in ["SAME", "FROM_OUTSIDE", "lifecycle.grace_seconds"] {
        assert!(!names.contains(&same), "{same} in {changed}");
    }
    assert_eq!(
        explain(&container, &["--changed", "FROM_OUTSIDE"]),
        "nothing matches\n"
    );
}

#[test]
fn explain_shows_all_and_no_secret() {
    needs_namespaces!();
    let world = World::new();
    let container = configured(&world, &[("environment.env", "MINE=1\n")])
        .variable("LYFTLEARN_RUNTIME_LIFECYCLE_GRACE_SECONDS", "60");
    let shown = explain(&container, &["--json"]);
    world.canary.assert_unseen("explain", shown.as_bytes());
    let all: Value = serde_json::from_str(&shown).unwrap();
    let of = |name: &str| {
        let found = all
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["name"] == name);
        found.unwrap_or_else(|| panic!("{name} in {all:#}")).clone()
    };
    assert_eq!(of("MINE")["kind"], "variable");
    assert!(
        of("DB_PASSWORD")["value"]
            .as_str()
            .unwrap()
            .starts_with("sha256:")
    );
    let grace = of("lifecycle.grace_seconds");
    assert_eq!(grace["kind"], "setting");
    assert_eq!(
        grace["source"],
        "$LYFTLEARN_RUNTIME_LIFECYCLE_GRACE_SECONDS"
    );
}

#[track_caller]
fn check_refused(files: &[(&str, &str)], settings: &str, report: Expect) {
    let world = World::new();
    let mut files = files.to_vec();
    files.push(("runtime.toml", settings));
    let output = ended(&configured(&world, &files), &["true"]);
    check_end(&output, 125);
    report.assert_eq(&String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_mistake_of_a_document_shows_at_once() {
    needs_namespaces!();
    let mistaken = r#"{"LD_PRELOAD": "/x.so", "PATH": "/x", "KUBERNETES_SERVICE_HOST": "x", "TRAINING_JOB_NAME": "x",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "x", "LYFTLEARN_ROLE": "x", "LYFTLEARN_RUNTIME_LOG": "off",
        "LIST": [1], "NULL": null, "NUL": "a\u0000b", "A=B": "x", "": "x"}"#;
    check_refused(
        &[("environment.json", mistaken)],
        "",
        expect![[r#"
        lyftlearn-runtime: cannot use the variables of /etc/lyftlearn/config/environment.json
          LIST: expected a string, a number or a boolean
          NULL: expected a string, a number or a boolean
          LD_PRELOAD: protected; to set it on purpose, name it in the setting environment.allow
          PATH: protected; to set it on purpose, name it in the setting environment.allow
          KUBERNETES_SERVICE_HOST: protected; to set it on purpose, name it in the setting environment.allow
          TRAINING_JOB_NAME: protected; to set it on purpose, name it in the setting environment.allow
          AWS_CONTAINER_CREDENTIALS_FULL_URI: protected; to set it on purpose, name it in the setting environment.allow
          LYFTLEARN_ROLE: reserved: this runtime sets it
          LYFTLEARN_RUNTIME_LOG: a setting; put it into runtime.toml
          NUL: its value has a NUL byte
          A=B: not a valid variable name
          "": not a valid variable name
    "#]],
    );
    check_refused(
        &[("environment.env", "GOOD=1\nno equals sign\n=nameless\n")],
        "",
        expect![[r#"
            lyftlearn-runtime: cannot use the variables of /etc/lyftlearn/config/environment.env
              line 2: expected NAME=VALUE
              line 3: expected NAME=VALUE
        "#]],
    );
    let allowed = "[environment]\nallow = [\"LD_LIBRARY_PATH\"]\n";
    let meant = [
        ("environment.env", "LD_LIBRARY_PATH=/x\n"),
        ("runtime.toml", allowed),
    ];
    let output = ended(&configured(&World::new(), &meant), &["true"]);
    check_end(&output, 0);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_value_over_the_kernels_limit_is_refused_with_name_and_size() {
    needs_namespaces!();
    let world = World::new();
    let text = format!("BIG={}\n", "x".repeat(140_000));
    let output = ended(
        &configured(&world, &[("environment.env", &text)]),
        &["true"],
    );
    check_end(&output, 125);
    expect![[r#"
        lyftlearn-runtime: cannot pass $BIG to the program: 140005 bytes with its name, the kernel's limit is 131072
          hint: deliver large values as a file in the config directory, and read that
    "#]]
    .assert_eq(&String::from_utf8_lossy(&output.stderr));
}

#[test]
fn declared_json_values_are_parsed() {
    needs_namespaces!();
    let written = json!({"optimizer": "\"adam\"", "lr": "0.1", "text": "\"broken"});
    let show = ["sh", "-c", "cat $LYFTLEARN_HYPERPARAMETERS_FILE"];
    for (settings, expected) in [
        (
            "",
            r#"{"lr":"0.1","optimizer":"\"adam\"","text":"\"broken"}"#,
        ),
        (
            "[hyperparameters]\nencoding = \"json\"\n",
            r#"{"lr":"0.1","optimizer":"adam","text":"\"broken"}"#,
        ),
    ] {
        let world = World::new();
        let output = ended(&world.training(settings, &written), &show);
        check_end(&output, 0);
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    }
}

#[test]
fn documents_without_end_are_refused_in_a_few_lines() {
    needs_namespaces!();
    let names = |count: usize, prefix: &str| -> String {
        let one = |n| format!("{prefix}{n:07}=x\n");
        (0..count).map(one).collect()
    };
    let refused = |text: &str| {
        let world = World::new();
        let config = world.file("config/environment.env", text);
        let container = world
            .container("")
            .variable("KUBERNETES_SERVICE_HOST", "10.0.0.1")
            .mount_read_only(config.parent().unwrap(), "/etc/lyftlearn/config");
        let output = ended(&container, &["true"]);
        check_end(&output, 125);
        String::from_utf8(output.stderr).unwrap()
    };
    expect![[r#"
        lyftlearn-runtime: cannot use the variables of /etc/lyftlearn/config/environment.env: together they are over 6291456 bytes, the limit of Linux
          hint: deliver large values as a file
    "#]].assert_eq(&refused(&names(600_000, "N")));
    let protected = refused(&names(100_000, "LD_"));
    assert_eq!(protected.lines().count(), 22);
    expect!["  and 99980 more"].assert_eq(protected.lines().last().unwrap());
}

#[test]
fn a_directory_of_secrets_without_end_is_refused() {
    needs_namespaces!();
    let world = World::new();
    for n in 0..10_001 {
        world.file(&format!("keys/k{n}"), "v");
    }
    let container = world
        .container("[secrets.db]\nfrom = \"file:/keys\"\n")
        .mount_read_only(world.path("keys"), "/keys");
    let output = ended(&container, &["true"]);
    check_end(&output, 125);
    expect![[r#"
        lyftlearn-runtime: cannot get the required secrets
          db: /keys has more than 10000 files, or 16777216 bytes
          hint: required = false starts without one; lyftlearn-runtime inspect shows which identity asks
    "#]].assert_eq(&String::from_utf8_lossy(&output.stderr));
}
