//! Starts that succeed, starts that fail, and their messages.

use expect_test::{Expect, expect};

use super::*;

#[test]
fn argv_reaches_the_program_byte_for_byte() {
    needs_namespaces!();
    let world = World::new();
    let words: Vec<OsString> = [
        &b"printf"[..],
        b"%s\\0",
        b"a b",
        b"*",
        b"$(id)",
        b"`id`",
        b"line\nline",
        b"",
        b"--",
        b"-x",
        b"\xff\xfe",
        b"'\"\\",
    ]
    .map(|word| OsStr::from_bytes(word).to_owned())
    .to_vec();
    // `printf` of a shell would interpret its own words; the program is coreutils'.
    let output = ended(&world.container(""), &words);
    check_end(&output, 0);
    let expected: Vec<u8> = words[2..]
        .iter()
        .flat_map(|word| [word.as_bytes(), b"\0"].concat())
        .collect();
    assert_eq!(output.stdout, expected);
}

#[test]
fn what_follows_the_word_train_follows_its_command() {
    needs_namespaces!();
    let world = World::new();
    let container = world.training("[commands]\ntrain = [\"printf\", \"%s\\n\"]\n", &json!({}));
    let output = ended(&container, &["train", "--epochs", "3"]);
    assert_eq!(output.stdout, b"--epochs\n3\n");
}

#[test]
fn without_an_argument_the_images_default_runs() {
    needs_namespaces!();
    let world = World::new();
    let none: &[&str] = &[];
    let output = ended(
        &world.container("[commands]\ndefault = [\"echo\", \"here\"]\n"),
        none,
    );
    check_end(&output, 0);
    assert_eq!(output.stdout, b"here\n");
    let output = ended(&world.container(""), none);
    check_end(&output, 125);
    expect![[r#"
        lyftlearn-runtime: cannot run: no program given
          hint: give one after run --, or set commands.default in /etc/lyftlearn/runtime.toml
    "#]]
    .assert_eq(&String::from_utf8(output.stderr).unwrap());
}

#[track_caller]
fn check_not_started(argv: &[&str], code: i32, report: Expect) {
    let world = World::new();
    let plain = world.file("plain", "no program");
    let script = world.file("script", "#!/no/interpreter\n");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let container = world
        .container("log = \"off\"\n")
        .mount_read_only(plain, "/plain")
        .mount_read_only(script.clone(), "/script")
        .mount_read_only(script, "/opt/lyftlearn/bin/broken");
    let output = ended(&container, argv);
    check_end(&output, code);
    report.assert_eq(&String::from_utf8(output.stderr).unwrap());
}

#[test]
fn a_program_that_cannot_start_is_explained() {
    needs_namespaces!();
    check_not_started(
        &["train"],
        127,
        expect![[r#"
            lyftlearn-runtime: cannot find a command for train: no commands.train in the settings, and no executable train on PATH
              hint: put train = ["python3", "train.py"] under [commands] in /etc/lyftlearn/runtime.toml
        "#]],
    );
    check_not_started(
        &["no-such-program"],
        127,
        expect![[r#"
        lyftlearn-runtime: cannot find the program no-such-program
          hint: give a path, or a name that an executable on PATH has
    "#]],
    );
    check_not_started(
        &["/script"],
        127,
        expect![[r#"
            lyftlearn-runtime: cannot run /script: it exists, but its interpreter does not
              hint: check its first line, or for a binary the dynamic loader it was built for
        "#]],
    );
    check_not_started(
        &["broken"],
        127,
        expect![[r#"
            lyftlearn-runtime: cannot run /opt/lyftlearn/bin/broken: it exists, but its interpreter does not
              hint: check its first line, or for a binary the dynamic loader it was built for
        "#]],
    );
    check_not_started(
        &["/plain"],
        126,
        expect![[r#"
        lyftlearn-runtime: cannot execute /plain
          because: permission denied
          hint: check its mode (chmod +x), its #! line and its architecture
    "#]],
    );
    check_not_started(
        &["/usr"],
        126,
        expect![[r#"
        lyftlearn-runtime: cannot execute /usr
          because: permission denied
          hint: check its mode (chmod +x), its #! line and its architecture
    "#]],
    );
}

#[test]
fn a_broken_platform_file_stops_the_start_and_shows_no_value() {
    needs_namespaces!();
    let world = World::new();
    let container = world.training("", &json!({}));
    let broken = format!(
        "{{\"current_host\": \"algo-1\",\n \"hosts\": \"{}\"}}",
        world.canary.value()
    );
    std::fs::write(world.path("ml/input/config/resourceconfig.json"), broken).unwrap();
    let output = ended(&container, &["true"]);
    check_end(&output, 125);
    world.canary.assert_unseen("the report", &output.stderr);
    expect![[r#"
        lyftlearn-runtime: cannot parse /opt/ml/input/config/resourceconfig.json at line 2, column 43
          hint: the platform writes this file; check that the image does not replace it
    "#]].assert_eq(&String::from_utf8(output.stderr).unwrap());
}

#[test]
fn an_inaccessible_job_directory_is_reported() {
    needs_namespaces!();
    let world = World::new();
    let output = ended(&world.training("", &json!({})).user(23456), &["true"]);
    check_end(&output, 125);
    expect![[r#"
        lyftlearn-runtime: cannot read /opt/ml/input/config/resourceconfig.json
          because: permission denied
          hint: run as a user that can read it, or set LYFTLEARN_RUNTIME_PLATFORM if the file belongs to another platform
    "#]].assert_eq(&String::from_utf8(output.stderr).unwrap());
}

#[track_caller]
fn check_restricted(container: &Sandbox, expected: &[(&str, &str)]) {
    let output = ended(container, SHOW);
    check_end(&output, 0);
    check_variables(&output, &[("LYFTLEARN_PLATFORM", "kubernetes")]);
    check_variables(&output, expected);
}

#[test]
fn restricted_containers_start_all_the_same() {
    needs_namespaces!();
    let pod = |world: &World| world.pod("log = \"off\"\n", r#"{"lr": "0.1"}"#);
    check_restricted(
        &pod(&World::new()).user(23456),
        &[("LYFTLEARN_RUN_DIR", "/run/lyftlearn")],
    );
    let output = ended(&pod(&World::new()).read_only(), SHOW);
    check_end(&output, 0);
    assert_eq!(variables(&output).get("LYFTLEARN_RUN_DIR"), None);
    let output = ended(&pod(&World::new()).without_run().user(23456), SHOW);
    check_end(&output, 0);
    assert!(variables(&output)["LYFTLEARN_RUN_DIR"].starts_with("/tmp/lyftlearn-"));
    check_restricted(
        &pod(&World::new()).without_proc(),
        &[("LYFTLEARN_RUN_DIR", "/run/lyftlearn")],
    );
    check_restricted(
        &pod(&World::new())
            .user(23456)
            .read_only()
            .without_run()
            .without_proc(),
        &[],
    );
}

#[test]
fn the_kill_switch_leaves_nothing_but_the_program() {
    needs_namespaces!();
    let world = World::new();
    let container = world
        .training("log = \"broken", &json!({}))
        .variable("LYFTLEARN_RUNTIME", "off");
    // Even with settings that would stop any other start.
    let through = ended(&container, SHOW);
    check_end(&through, 0);
    assert_eq!(String::from_utf8_lossy(&through.stderr), "");
    let without = container.start(&["env".into(), "-0".into()]).end();
    assert_eq!(through.stdout, without.stdout);
    // Not even by a variable that is no setting, nor for the platforms' own words.
    let script = world.file("serve", "#!/bin/sh\necho served\n");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let words = container
        .clone()
        .variable("LYFTLEARN_RUNTIME_XYZZY", "1")
        .mount_read_only(script, "/opt/lyftlearn/bin/serve");
    assert_eq!(ended(&words, &["serve"]).stdout, b"served\n");
    let pid = ended(&container, &["sh", "-c", "echo $$"]);
    assert_eq!(pid.stdout, b"1\n");
}

#[test]
fn switched_off_the_words_still_find_their_commands() {
    needs_namespaces!();
    let world = World::new();
    let container = world
        .training("[commands]\ntrain = [\"echo\", \"trained\"]\n", &json!({}))
        .variable("LYFTLEARN_RUNTIME", "off");
    let output = ended(&container, &["train"]);
    check_end(&output, 0);
    assert_eq!(output.stdout, b"trained\n");
}

#[test]
fn readers_that_are_gone_change_nothing() {
    needs_namespaces!();
    let world = World::new();
    // Neither stdout nor stderr has a reader any more when the runtime speaks.
    let script = format!(
        "import os\n\
         for fd in 1, 2:\n    reader, writer = os.pipe(); os.close(reader); os.dup2(writer, fd)\n\
         os.execv('{BINARY}', ['{BINARY}', 'run', '--', 'sh', '-c', 'exit 42'])\n"
    );
    let output = world
        .container("")
        .start(&[find_python(), "-c".into(), script.into()])
        .end();
    check_end(&output, 42);
    let script = format!("{BINARY} inspect --json | true; {BINARY} env | true; echo $?");
    let output = world
        .container("")
        .start(&["sh".into(), "-c".into(), script.into()])
        .end();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn output_that_finds_no_room_is_an_error() {
    needs_namespaces!();
    let world = World::new();
    let script = format!("{BINARY} inspect --json >/dev/full");
    let output = world
        .container("")
        .mount("/dev/full", "/dev/full")
        .start(&["sh".into(), "-c".into(), script.into()])
        .end();
    check_end(&output, 2);
    expect![[r#"
        lyftlearn-runtime: cannot write to standard output
          because: no storage space
          hint: check that the output's destination has room
    "#]]
    .assert_eq(&String::from_utf8(output.stderr).unwrap());
}

/// What the start says, and the exit code.
#[track_caller]
fn check_said(container: &Sandbox, argv: &[&str], code: i32, said: Expect) {
    let output = container.run(argv).end();
    check_end(&output, code);
    said.assert_eq(&String::from_utf8_lossy(&output.stderr));
}

/// `inspect` cannot be run on SageMaker, so the log must have all problems.
#[test]
fn the_start_line_has_the_problems() {
    needs_namespaces!();
    let world = World::new();
    let misspelt = world.file("misspelt", "{}");
    let mount = |container: Sandbox, name: &str| {
        let target = format!("/etc/lyftlearn/config/{name}");
        container.mount_read_only(&misspelt, target)
    };
    let one = mount(world.container(""), "enviroment.json");
    check_said(
        &one,
        &["true"],
        0,
        expect![[r#"
            lyftlearn-runtime: local (host), job; /etc/lyftlearn/config/enviroment.json is ignored: did you mean environment.json?
        "#]],
    );
    let names = [
        "enviroment.env",
        "environmnt.json",
        "hyperparameter.json",
        "hyperparamters.json",
        "runtim.toml",
    ];
    let many = names.into_iter().fold(world.container(""), mount);
    let output = many.run(&["true"]).end();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    expect![[r#"
        lyftlearn-runtime: local (host), job; /etc/lyftlearn/config/enviroment.env is ignored: did you mean environment.env?; /etc/lyftlearn/config/environmnt.json is ignored: did you mean environment.json?; /etc/lyftlearn/config/hyperparameter.json is ignored: did you mean hyperparameters.json?; 2 more problems, see lyftlearn-runtime inspect
    "#]].assert_eq(&said);
}

/// Ray has a `serve`, SageMaker's toolkit a `train`.
#[test]
fn a_word_resolved_by_path_is_shown_with_its_file() {
    needs_namespaces!();
    let world = World::new();
    let serve = world.file("serve", "#!/bin/sh\nexit 5\n");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&serve, executable).unwrap();
    let container = world
        .container("log = \"info\"\n")
        .mount_read_only(&serve, "/opt/product/serve")
        .variable("PATH", "/opt/lyftlearn/bin:/opt/product:/usr/bin:/bin");
    check_said(
        &container,
        &["serve"],
        5,
        expect![[r#"
        lyftlearn-runtime: local (host), serving; serve is /opt/product/serve
        lyftlearn-runtime: user error: the program ended with exit code 5
    "#]],
    );
}

#[test]
fn our_own_subcommand_as_the_program_gets_a_hint() {
    needs_namespaces!();
    check_said(
        &World::new().container(""),
        &["inspect"],
        127,
        expect![[r#"
            lyftlearn-runtime: cannot find the program inspect
              hint: for this runtime's own inspect: docker run --entrypoint lyftlearn-runtime IMAGE inspect
        "#]],
    );
}

#[test]
fn a_word_that_does_not_reach_the_command_gets_a_hint() {
    needs_namespaces!();
    let world = World::new();
    let wrapper = world.file("entry.sh", "#!/bin/sh\nexec \"$@\"\n");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&wrapper, executable).unwrap();
    let container = world
        .container("[commands]\nserve = [\"true\"]\n")
        .mount_read_only(&wrapper, "/entry.sh");
    let output = container.run(&["/entry.sh", "serve"]).end();
    check_end(&output, 127);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    expect![[r#"
        lyftlearn-runtime: local (host), job
        /entry.sh: 2: exec: serve: not found
        lyftlearn-runtime: user error: the program ended with exit code 127; commands.serve does not reach serve behind a wrapper: put the wrapper before lyftlearn-runtime in ENTRYPOINT, or into commands.serve
    "#]].assert_eq(&said);
}

/// The sentence on a wrong command line, and the exit code.
#[track_caller]
fn sentence_on(argv: &[&str]) -> String {
    let world = World::new();
    let words = std::iter::once(BINARY).chain(argv.iter().copied());
    let words: Vec<OsString> = words.map(OsString::from).collect();
    let output = world.container("").start(&words).end();
    let code = output.status.code().unwrap();
    let shown = String::from_utf8(output.stderr).unwrap();
    let first = shown.lines().next().unwrap();
    format!("{}\n  {code} {first}\n", argv.join(" "))
}

#[test]
fn a_wrong_command_line_gets_one_sentence_and_2_from_tools() {
    needs_namespaces!();
    let command_lines: &[&[&str]] = &[
        &["rnu"],
        &["xyzzy"],
        &["--verbose"],
        &["run", "--verbose"],
        &["run", "--signal-scope"],
        &["run", "--signal-scope", "all", "true"],
        &["env", "--format", "xml"],
        &["inspect", "--root", "/absent"],
        &["exec"],
        &["explain", "XYZZY"],
        &["diff", "a"],
        &["diff", "/absent", "/absent"],
        &["snapshot", "--output", "/absent/file"],
        &["credentials", "a"],
        &["--version", "a"],
        &["spark", "lisen"],
        &["inspect", "--jsn"],
        &["doctor", "--only", "path"],
        &["explain", "--layer", "user"],
    ];
    let sentences: String = command_lines.iter().map(|argv| sentence_on(argv)).collect();
    expect![[r#"
        rnu
          2 lyftlearn-runtime: unknown command: rnu
        xyzzy
          2 lyftlearn-runtime: unknown command: xyzzy
        --verbose
          2 lyftlearn-runtime: cannot use --verbose: lyftlearn-runtime has no such option
        run --verbose
          125 lyftlearn-runtime: cannot use --verbose: lyftlearn-runtime run has no such option
        run --signal-scope
          125 lyftlearn-runtime: cannot use --signal-scope: its value is missing
        run --signal-scope all true
          125 lyftlearn-runtime: cannot use --signal-scope: expected auto, group or child
        env --format xml
          2 lyftlearn-runtime: cannot use --format: expected export, dotenv, json or nul
        inspect --root /absent
          2 lyftlearn-runtime: cannot use --root: expected a directory that exists
        exec
          125 lyftlearn-runtime: cannot run: no program given
        explain XYZZY
          2 lyftlearn-runtime: cannot explain XYZZY: neither a variable of the program nor a setting
        diff a
          2 lyftlearn-runtime: cannot run lyftlearn-runtime diff: B is missing
        diff /absent /absent
          2 lyftlearn-runtime: cannot compare /absent: it does not exist
        snapshot --output /absent/file
          2 lyftlearn-runtime: cannot write /absent/file
        credentials a
          2 lyftlearn-runtime: cannot use a: lyftlearn-runtime credentials takes no such argument
        --version a
          2 lyftlearn-runtime: cannot use a: lyftlearn-runtime takes no such argument
        spark lisen
          2 lyftlearn-runtime: unknown command: spark lisen
        inspect --jsn
          2 lyftlearn-runtime: cannot use --jsn: lyftlearn-runtime inspect has no such option
        doctor --only path
          2 lyftlearn-runtime: cannot use --only: expected a list of detection, paths, limits, peers, identity, secrets, metrics, events, region and spark
        explain --layer user
          2 lyftlearn-runtime: cannot use --layer: expected default, image, config, environment, runtime or secret
    "#]].assert_eq(&sentences);
}

#[test]
fn the_variables_can_be_read_back_in_every_format() {
    needs_namespaces!();
    let world = World::new();
    let container = world
        .pod("[job]\nname = \"it's $HOME\"\n", "{}")
        .variable("LYFTLEARN_RUNTIME_ROLE", "training");
    let shown = |script: &str| {
        let output = container
            .start(&["sh".into(), "-c".into(), script.into()])
            .end();
        check_end(&output, 0);
        String::from_utf8(output.stdout).unwrap()
    };
    let by_shell = shown(&format!(
        "eval \"$({BINARY} env)\"; printf %s \"$LYFTLEARN_JOB_NAME\""
    ));
    assert_eq!(by_shell, "it's $HOME");
    let nul = shown(&format!("{BINARY} env --format nul"));
    // What env shows is what run delivers.
    let delivered = shown(&format!("{BINARY} run -- env -0"));
    for variable in nul.split('\0').filter(|pair| !pair.is_empty()) {
        assert!(
            delivered.split('\0').any(|pair| pair == variable),
            "{variable} is not delivered: {delivered}"
        );
    }
    assert_eq!(
        nul.matches("LYFTLEARN_").count(),
        delivered.split('\0').filter(|pair| pair.starts_with("LYFTLEARN_") && !pair.starts_with("LYFTLEARN_RUNTIME_")).count()
    );
    assert!(
        nul.split('\0')
            .any(|pair| pair == "LYFTLEARN_JOB_NAME=it's $HOME"),
        "{nul}"
    );
    let json: Value = serde_json::from_str(&shown(&format!("{BINARY} env --format json"))).unwrap();
    assert_eq!(json["LYFTLEARN_JOB_NAME"], "it's $HOME");
    // Readers of .env files disagree about this name of a job.
    let script = format!("{BINARY} env --format dotenv");
    let dotenv = container
        .start(&["sh".into(), "-c".into(), script.into()])
        .end();
    check_end(&dotenv, 0);
    expect![[r#"
        lyftlearn-runtime: left out: LYFTLEARN_JOB_NAME, SM_TRAINING_ENV: readers of .env files disagree about such a value; use --format export or --format nul
    "#]].assert_eq(&String::from_utf8_lossy(&dotenv.stderr));
    let file = world.path("variables.env");
    std::fs::write(&file, dotenv.stdout).unwrap();
    if let Some(python) = lyftlearn_conformance::programs::python_with_wheel() {
        let read = lyftlearn_conformance::programs::asked(
            &python,
            &format!("import dotenv, json; print(json.dumps(dotenv.dotenv_values({file:?})))"),
        );
        let mut read: Value = serde_json::from_str(&read).unwrap();
        for left_out in ["LYFTLEARN_JOB_NAME", "SM_TRAINING_ENV"] {
            read[left_out] = json[left_out].clone();
        }
        assert_eq!(read, json);
    }
}

#[test]
fn a_nul_that_json_can_spell_stops_the_start() {
    needs_namespaces!();
    let world = World::new();
    let container = world.training("", &json!({}));
    std::fs::write(
        world.path("ml/input/config/inputdataconfig.json"),
        "{\"a\\u0000b\": {}}",
    )
    .unwrap();
    let output = ended(&container, &["true"]);
    check_end(&output, 125);
    expect![[r#"
        lyftlearn-runtime: cannot use /opt/ml/input/config/inputdataconfig.json: a string in it has a NUL byte
          hint: remove \u0000 from the file
    "#]].assert_eq(&String::from_utf8(output.stderr).unwrap());
}

#[test]
fn an_argument_over_the_kernels_limit_is_refused_with_its_size() {
    needs_namespaces!();
    let world = World::new();
    let long = "x".repeat(140_000);
    // As a command of the image's: no caller could pass it.
    let container = world.container(&format!("[commands]\ntrain = [\"true\", \"{long}\"]\n"));
    let output = ended(&container, &["train"]);
    check_end(&output, 125);
    let shown = String::from_utf8(output.stderr).unwrap();
    expect![[r#"
        lyftlearn-runtime: cannot pass an argument to the program: 140001 bytes, the kernel's limit is 131072
          hint: deliver large values as a file in the config directory, and read that
    "#]]
    .assert_eq(&shown);
}

#[test]
fn any_limit_on_open_files_starts_and_a_disabled_agent_is_reported() {
    needs_namespaces!();
    for limit in (7..=24).chain([32, 39, 40, 48]) {
        let world = World::new();
        let python = format!(
            "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {limit}))"
        );
        let container = (world.pod("metrics.statsd = \"on\"\n", "{}"))
            .variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/c")
            .inheriting(&python);
        let output = ended(&container, &["sh", "-c", "ulimit -n; exit 7"]);
        check_end(&output, 7);
        let found = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(found, format!("{limit}\n"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            said.contains("; the agent is disabled"),
            limit < 40,
            "{limit}: {said}"
        );
    }
}
