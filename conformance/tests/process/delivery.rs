//! What the program receives.

use expect_test::expect;

use super::*;

#[test]
fn a_training_job_gets_its_variables_and_its_word_gets_its_command() {
    needs_namespaces!();
    let world = World::new();
    let container = world.training(
        "[commands]\ntrain = [\"env\", \"-0\"]\n",
        &json!({"lr": "0.1", "zip": "02139", "token": world.canary.value()}),
    );
    let output = ended(&container, &["train"]);
    check_end(&output, 0);
    check_variables(
        &output,
        &[
            ("LYFTLEARN_PLATFORM", "sagemaker"),
            ("LYFTLEARN_FLAVOR", "training"),
            ("LYFTLEARN_ROLE", "training"),
            ("LYFTLEARN_JOB_NAME", "digits-1"),
            (
                "LYFTLEARN_JOB_ID",
                "arn:aws:sagemaker:eu-west-1:111111111111:training-job/digits-1",
            ),
            ("LYFTLEARN_MODEL_DIR", "/opt/ml/model"),
            ("LYFTLEARN_INPUT_DIR", "/opt/ml/input"),
            ("LYFTLEARN_OUTPUT_DIR", "/opt/ml/output"),
            ("LYFTLEARN_OUTPUT_DATA_DIR", "/opt/ml/output/data"),
            ("LYFTLEARN_CHECKPOINT_DIR", "/opt/ml/checkpoints"),
            ("LYFTLEARN_RUN_DIR", "/run/lyftlearn"),
            ("LYFTLEARN_CHANNELS", "[\"train\"]"),
            ("LYFTLEARN_CHANNEL_TRAIN", "/opt/ml/input/data/train"),
            (
                "LYFTLEARN_HYPERPARAMETERS_FILE",
                "/run/lyftlearn/hyperparameters.json",
            ),
            ("LYFTLEARN_HOSTS", "[\"algo-1\"]"),
            ("LYFTLEARN_HOST", "algo-1"),
            ("LYFTLEARN_NODE_RANK", "0"),
            ("LYFTLEARN_NODES", "1"),
            ("LYFTLEARN_MASTER_ADDR", "algo-1"),
            ("LYFTLEARN_MASTER_PORT_NUMBER", "7777"),
            ("LYFTLEARN_NETWORK_INTERFACE", "eth0"),
            ("LYFTLEARN_GPUS", "0"),
            ("LYFTLEARN_GRACE_SECONDS", "110"),
        ],
    );
    expect![[r#"
        lyftlearn-runtime: sagemaker (training), training, job digits-1
    "#]]
    .assert_eq(&String::from_utf8(output.stderr.clone()).unwrap());
    world.canary.assert_unseen("stderr", &output.stderr);
    assert!(world.path("ml/checkpoints").is_dir());
}

#[test]
fn the_run_directory_is_its_owners_alone_and_holds_both_documents() {
    needs_namespaces!();
    let world = World::new();
    let container = world.training("", &json!({"zip": "02139", "lr": "0.1"}));
    let show = "cd $LYFTLEARN_RUN_DIR; stat -c '%a %n' . *; cat hyperparameters.json";
    let output = ended(&container, &["sh", "-c", show]);
    check_end(&output, 0);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "700 .\n600 agent.sock\n700 aws\n600 environment.json\n700 exceptions\n600 hyperparameters.json\n600 listeners.json\n600 metrics.region\n600 runtime.json\n600 workload.json\n{\"lr\":\"0.1\",\"zip\":\"02139\"}"
    );
}

#[test]
fn the_same_job_is_the_same_from_inside_a_pod() {
    needs_namespaces!();
    let world = World::new();
    let trained = workload(&world.training("", &json!({"lr": "0.1", "zip": "02139"})));
    let world = World::new();
    let settings = "role = \"training\"\n[lifecycle]\ngrace_seconds = 120\n";
    let pod = workload(&world.pod(settings, r#"{"zip": "02139", "lr": "0.1"}"#));

    // The fields that name the place, and those of which only one of the two platforms
    // says anything (ARCHITECTURE.md names them). Nothing that steers a program.
    let mut differ: Vec<String> = Vec::new();
    differences("", &trained, &pod, &mut differ);
    assert_eq!(
        differ,
        [
            ".credentials.mode",
            ".credentials.source",
            ".flavor",
            ".hyperparameters.sources",
            ".job.arn",
            ".job.container",
            ".job.id",
            ".lifecycle.grace_source",
            ".metrics.routes",
            ".paths.failure",
            ".platform",
            ".spark.why",
            ".topology.groups",
            ".topology.host",
            ".topology.hosts",
            ".topology.master_addr",
            ".topology.network_interface",
        ]
    );
}

fn differences(at: &str, a: &Value, b: &Value, found: &mut Vec<String>) {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let null = &Value::Null;
                differences(
                    &format!("{at}.{key}"),
                    a.get(key).unwrap_or(null),
                    b.get(key).unwrap_or(null),
                    found,
                );
            }
        }
        _ if a == b => {}
        _ => found.push(at.to_owned()),
    }
}

#[test]
fn hyperparameters_are_the_same_bytes_on_both_platforms() {
    needs_namespaces!();
    let show = ["sh", "-c", "cat $LYFTLEARN_HYPERPARAMETERS_FILE"];
    let (first, second) = (World::new(), World::new());
    let trained = ended(
        &first.training("", &json!({"zip": "02139", "lr": "1.10"})),
        &show,
    );
    let pod = ended(&second.pod("", r#"{"lr": 1.10, "zip": "02139"}"#), &show);
    assert_eq!(trained.stdout, pod.stdout);
    assert_eq!(trained.stdout, br#"{"lr":"1.10","zip":"02139"}"#);
}

#[test]
fn a_pod_is_known_by_its_kubelets_mounts_when_its_environment_is_gone() {
    needs_namespaces!();
    let world = World::new();
    let container = world.pod("", "{}");
    let inner = format!("env -i PATH=$PATH {BINARY} run -- env -0");
    let output = container
        .start(&["sh".into(), "-c".into(), inner.into()])
        .end();
    check_end(&output, 0);
    check_variables(
        &output,
        &[
            ("LYFTLEARN_PLATFORM", "kubernetes"),
            ("LYFTLEARN_FLAVOR", "pod"),
            ("LYFTLEARN_JOB_ID", "6f1d8a52-3c0b-4b7e-9a51-0d2f6c9e7b14"),
        ],
    );
}

#[test]
fn exec_gives_the_same_view_and_becomes_the_program() {
    needs_namespaces!();
    let world = World::new();
    let container = world.training("", &json!({"lr": "0.1"}));
    let mut supervised = variables(&ended(&container, SHOW));
    // A failure beside the program is not the program's.
    supervised.remove("LYFTLEARN_EXCEPTIONS_DIR");
    let argv = [BINARY, "exec", "--", "env", "-0"].map(OsString::from);
    let mut replaced = variables(&container.start(&argv).end());
    // Without an agent, the program uses the platform's own credentials.
    for found in [&mut supervised, &mut replaced] {
        found.retain(|name, _| {
            !name.starts_with("AWS_CONTAINER_") && name != "AWS_EC2_METADATA_DISABLED"
        });
    }
    assert_eq!(supervised, replaced);
    let argv = [BINARY, "exec", "--", "sh", "-c", "echo $$"].map(OsString::from);
    assert_eq!(container.start(&argv).end().stdout, b"1\n");
}

#[test]
fn service_links_do_not_break_the_start() {
    needs_namespaces!();
    let world = World::new();
    let container = world
        .pod("", "{}")
        .variable("LYFTLEARN_RUNTIME_PORT", "tcp://10.0.0.1:80")
        .variable("LYFTLEARN_RUNTIME_SERVICE_HOST", "10.0.0.1")
        .variable("LYFTLEARN_RUNTIME_PLATFORM_PORT", "tcp://10.0.0.1:80");
    let output = ended(&container, SHOW);
    check_end(&output, 0);
    check_variables(&output, &[("LYFTLEARN_PLATFORM", "kubernetes")]);
}

#[test]
fn fifty_megabytes_of_hyperparameters_arrive() {
    needs_namespaces!();
    let world = World::new();
    let container = world.training("", &json!({"vocabulary": "x".repeat(50 << 20)}));
    let output = ended(
        &container,
        &["sh", "-c", "stat -c %s $LYFTLEARN_HYPERPARAMETERS_FILE"],
    );
    check_end(&output, 0);
    let expected = (50 << 20) + "{\"vocabulary\":\"\"}".len();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        format!("{expected}\n")
    );
}

#[test]
fn a_process_next_to_pid_one_sees_the_same() {
    needs_namespaces!();
    let world = World::new();
    std::fs::create_dir(world.path("shared")).unwrap();
    let model = world.path("model");
    std::fs::create_dir(&model).unwrap();
    let container = world
        .container(
            "[commands]\nserve = [\"sh\", \"-c\", \"touch /shared/ready; exec sleep 1000\"]\n",
        )
        .mount(world.path("shared"), "/shared")
        .mount_read_only(model, "/opt/ml/model")
        .variable("AWS_REGION", "eu-west-1");
    let running = container.run(&["serve"]);
    appears(&world.path("shared/ready"));
    let document = "/run/lyftlearn/workload.json";
    let before = running.enter(&["cat", document]).unwrap().stdout;
    // `docker exec`: another process of the same container, without the word `serve`.
    let output = running.enter(&[BINARY, "inspect", "--json"]).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let view: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&view["platform"], &view["flavor"], &view["role"]),
        (&json!("sagemaker"), &json!("hosting"), &json!("serving"))
    );
    let output = running.enter(&[BINARY, "exec", "--", "env", "-0"]).unwrap();
    check_variables(
        &output,
        &[
            ("LYFTLEARN_FLAVOR", "hosting"),
            ("LYFTLEARN_ROLE", "serving"),
            ("LYFTLEARN_RUN_DIR", "/run/lyftlearn"),
        ],
    );
    assert_eq!(
        running.enter(&["cat", document]).unwrap().stdout,
        before,
        "the program's view was written over"
    );
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 143);
}

#[test]
fn an_environment_of_many_pages_arrives() {
    needs_namespaces!();
    let world = World::new();
    let value = "x".repeat(100_000);
    let container = (0..12).fold(world.container(""), |container, number| {
        container.variable(format!("LARGE_{number}"), value.clone())
    });
    let output = ended(&container, SHOW);
    check_end(&output, 0);
    assert_eq!(variables(&output)["LARGE_11"], value);
}

#[test]
fn a_full_run_directory_is_skipped() {
    needs_namespaces!();
    let world = World::new();
    let script = format!("mount -t tmpfs -o size=4k tmpfs /run; exec {BINARY} run -- env -0");
    let output = world
        .pod("", "{}")
        .start(&["sh".into(), "-c".into(), script.into()])
        .end();
    check_end(&output, 0);
    check_variables(&output, &[("LYFTLEARN_RUN_DIR", "/tmp/lyftlearn-0")]);
}

#[test]
fn sixty_at_once_do_not_get_in_each_others_way() {
    needs_namespaces!();
    let world = World::new();
    let script = format!(
        "i=0; while [ $i -lt 60 ]; do {BINARY} exec -- true & i=$((i+1)); done; wait; ls -A /run /run/lyftlearn"
    );
    let output = world
        .container("log = \"off\"\n")
        .start(&["sh".into(), "-c".into(), script.into()])
        .end();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "/run:\nlyftlearn\n\n/run/lyftlearn:\nenvironment.json\nhyperparameters.json\nworkload.json\n"
    );
}

#[test]
fn a_shim_beside_others_takes_its_directory_away_with_it() {
    needs_namespaces!();
    let world = World::new();
    let script =
        format!("{BINARY} run -- {BINARY} run -- true; {BINARY} exec -- true; ls -A /run /tmp");
    let output = world
        .container("log = \"off\"\n")
        .start(&["sh".into(), "-c".into(), script.into()])
        .end();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "/run:\nlyftlearn\n\n/tmp:\n"
    );
}

/// `ENTRYPOINT ["/entry.sh", "lyftlearn-runtime", "run", "--"]`, where the script activates an
/// environment; then `kubectl exec`, which knows of the image's variables alone.
#[test]
fn exec_has_what_a_script_before_the_runtime_has_activated() {
    needs_namespaces!();
    for user in [None, Some(12_345)] {
        let world = World::new();
        let tool = world.file("env/bin/tool", "#!/bin/sh\necho \"tool of $ACTIVATED\"\n");
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(tool, executable).unwrap();
        let mut container = world
            .container("")
            .mount_read_only(world.path("env"), "/env");
        if let Some(user) = user {
            container = container.user(user);
        }
        let bare = "env -i PATH=/usr/bin:/bin GIVEN=mine";
        let script = format!(
            "export PATH=/env/bin:/usr/bin:/bin ACTIVATED=/env GIVEN=others\n\
             exec {BINARY} run -- sh -c '{bare} {BINARY} exec -- tool; {bare} {BINARY} exec -- sh -c \"echo \\$GIVEN\"'"
        );
        let output = container
            .start(&["sh", "-c", &script].map(OsString::from))
            .end();
        check_end(&output, 0);
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "tool of /env\nmine\n"
        );
    }
}

/// The program's user writes the note in the run directory, in which root reads the runtime's pid.
#[test]
fn roots_exec_takes_over_no_other_process_of_roots() {
    needs_namespaces!();
    // As PID 1, and below a small init.
    let below = "/usr/bin/python3 -c 'import subprocess, sys; subprocess.call(sys.argv[1:])'";
    for (other, wrapper) in [
        ("cat /shared/other", ""),
        ("pgrep -f '^lyftlearn-runtime --agent'", below),
    ] {
        let world = World::new();
        let program = format!(
            "set -e; cd $LYFTLEARN_RUN_DIR; cp runtime.json /shared/note
             until other=$({other}); do :; done
             sed s/.pid.:[0-9]*/'\"pid\":'$other/ /shared/note >mine; mv mine runtime.json
             touch /shared/ready; until [ -e /shared/go ]; do :; done"
        );
        let script = format!(
            "HIDDEN=of-another tail -f /dev/null & echo $! >/shared/other; chmod 777 /shared
             export ACTIVATED=/env; exec {wrapper} {BINARY} run -- sh -c \"$PROGRAM\""
        );
        let settings = "user = \"1000:1000\"\nlog = \"off\"\nagent = \"on\"\n";
        let container = world.sharing(settings).variable("PROGRAM", program);
        let running = container.start(&["sh", "-c", &script].map(OsString::from));
        appears(&world.path("shared/ready"));
        let ask = || running.enter(&[BINARY, "exec", "--", "env", "-0"]).unwrap();
        let output = ask();
        check_end(&output, 0);
        let found = variables(&output);
        for name in [
            "HIDDEN",
            "ACTIVATED",
            "LYFTLEARN_AGENT_ORDERS",
            "LISTEN_FDS",
        ] {
            assert!(!found.contains_key(name), "{other}: {name} in {found:#?}");
        }
        check_variables(&output, &[("LYFTLEARN_RUN_DIR", "/run/lyftlearn")]);
        // The runtime itself proves that it is the runtime.
        let back = "chown 1000:1000 /shared/note; cp -p /shared/note /run/lyftlearn/runtime.json";
        check_end(&running.enter(&["sh", "-c", back]).unwrap(), 0);
        check_variables(&ask(), &[("ACTIVATED", "/env")]);
        world.file("shared/go", "");
        check_end(&running.end(), 0);
    }
}
