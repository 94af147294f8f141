//! Programs that were written for SageMaker's training toolkit.

use expect_test::expect;

use super::*;

/// Nothing of it knows this runtime.
const SCRIPT: &str = "
import argparse, json, os, sys
parser = argparse.ArgumentParser()
parser.add_argument('--lr', type=float)
parser.add_argument('--epochs', type=int, default=1)
parser.add_argument('--batch-size', type=int)
parser.add_argument('--note')
parser.add_argument('--layers', type=json.loads)
parser.add_argument('--model-dir', default=os.environ['SM_MODEL_DIR'])
parser.add_argument('--train', default=os.environ['SM_CHANNEL_TRAIN'])
parser.add_argument('--hosts', type=json.loads, default=os.environ['SM_HOSTS'])
parser.add_argument('--current-host', default=os.environ['SM_CURRENT_HOST'])
args = parser.parse_args()
rank = args.hosts.index(args.current_host)
assert args.lr == 0.1 and args.batch_size == 32 and args.layers == [32, 64] and rank == 0, args
assert os.path.isdir(args.train), args.train
open(os.path.join(args.model_dir, 'model'), 'w').close()
shown = {name: value for name, value in os.environ.items() if name.startswith('SM_')}
print(json.dumps({'argv': sys.argv[1:], 'variables': shown}))
";

const SETTINGS: &str = "[commands.train]\ncommand = [\"/usr/bin/python3\", \"/opt/program/train.py\"]\n\
                        hyperparameters_as_args = true\n";

fn hyperparameters() -> Value {
    json!({
        "lr": "0.1", "epochs": "10", "batch-size": "32", "layers": "[32, 64]", "note": "\"02139\"",
        "sagemaker_program": "\"train.py\"", "sagemaker_container_log_level": "20",
    })
}

/// What the script prints.
fn trained(world: &World, container: Sandbox, argv: &[&str]) -> Value {
    let script = world.file("program/train.py", SCRIPT);
    let output = ended(
        &container.mount_read_only(script, "/opt/program/train.py"),
        argv,
    );
    check_end(&output, 0);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_script_for_the_toolkit_runs_unchanged_on_both_platforms() {
    needs_namespaces!();
    let world = World::new();
    let container = world.training(SETTINGS, &hyperparameters());
    let on_sagemaker = trained(&world, container, &["train"]);
    let world = World::new();
    let container = world.pod(SETTINGS, &hyperparameters().to_string());
    let in_a_pod = trained(&world, container, &["train"]);

    assert_eq!(on_sagemaker["argv"], in_a_pod["argv"]);
    assert_eq!(
        in_a_pod["argv"],
        json!([
            "--batch-size",
            "32",
            "--epochs",
            "10",
            "--layers",
            "[32, 64]",
            "--lr",
            "0.1",
            "--note",
            "02139"
        ])
    );
    let (sagemaker, pod) = (&on_sagemaker["variables"], &in_a_pod["variables"]);
    assert_eq!(
        pod["SM_HPS"],
        json!(r#"{"batch-size":32,"epochs":10,"layers":[32,64],"lr":0.1,"note":"02139"}"#)
    );
    assert_eq!(pod["SM_HP_BATCH-SIZE"], json!("32"));
    assert_eq!(pod["SM_USER_ENTRY_POINT"], json!("train.py"));
    // Names of the place, and documents with such names in them.
    let differ: Vec<&String> = sagemaker
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, value)| pod.get(name.as_str()) != Some(value))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        differ,
        [
            "SM_CURRENT_HOST",
            "SM_CURRENT_INSTANCE_GROUP_HOSTS",
            "SM_CURRENT_INSTANCE_TYPE",
            "SM_HOSTS",
            "SM_INSTANCE_GROUPS_DICT",
            "SM_RESOURCE_CONFIG",
            "SM_TRAINING_ENV",
        ]
    );
    let names = |variables: &Value| -> Vec<String> {
        variables.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(names(sagemaker), names(pod));
    let document = |variables: &Value| -> Vec<String> {
        let text = variables["SM_TRAINING_ENV"].as_str().unwrap();
        names(&serde_json::from_str(text).unwrap())
    };
    assert_eq!(document(sagemaker), document(pod));
}

#[test]
fn extra_arguments_come_after_the_hyperparameters() {
    needs_namespaces!();
    let world = World::new();
    let container = world.training(SETTINGS, &hyperparameters());
    let shown = trained(&world, container, &["train", "--epochs", "2"]);
    let argv = shown["argv"].as_array().unwrap();
    assert_eq!(argv[argv.len() - 2..], [json!("--epochs"), json!("2")]);
}

#[test]
fn exec_beside_pid_one_gives_the_same_variables_and_arguments() {
    needs_namespaces!();
    let world = World::new();
    std::fs::create_dir(world.path("shared")).unwrap();
    // Not a shell: dash passes no name on that has a `-` in it.
    let show = "import os, signal\n\
                with open('/shared/supervised', 'wb') as file:\n    \
                    file.write(b'\\0'.join(b'='.join(pair) for pair in os.environb.items()))\n\
                open('/shared/ready', 'w').close()\nsignal.pause()\n";
    let container = world
        .training(SETTINGS, &hyperparameters())
        .mount(world.path("shared"), "/shared");
    let running = container.run(&["/usr/bin/python3", "-c", show]);
    appears(&world.path("shared/ready"));
    // The platform's files may be gone by then; the view is the delivered one.
    std::fs::remove_file(world.path("ml/input/config/hyperparameters.json")).unwrap();
    let sm = |bytes: &[u8]| -> Vec<String> {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let mut found: Vec<String> = text
            .split('\0')
            .filter(|pair| pair.starts_with("SM_"))
            .map(str::to_owned)
            .collect();
        found.sort();
        found
    };
    let supervised = sm(&std::fs::read(world.path("shared/supervised")).unwrap());
    assert!(supervised.len() > 35, "{supervised:?}");
    let output = running.enter(&[BINARY, "exec", "--", "env", "-0"]).unwrap();
    assert_eq!(sm(&output.stdout), supervised);
    let script = world.file("shared/train", "#!/bin/sh\necho \"$@\"\n");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let output = running
        .enter(&[
            "/usr/bin/env",
            r#"LYFTLEARN_RUNTIME_COMMANDS_TRAIN=["/shared/train"]"#,
            BINARY,
            "exec",
            "--",
            "train",
        ])
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "--batch-size 32 --epochs 10 --layers [32, 64] --lr 0.1 --note 02139\n"
    );
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 143);
}

#[test]
fn variables_over_the_limit_are_omitted_and_named() {
    needs_namespaces!();
    let world = World::new();
    let container = world.training("", &json!({"vocabulary": "x".repeat(200_000), "lr": "0.1"}));
    let output = ended(&container, SHOW);
    check_end(&output, 0);
    let found = variables(&output);
    assert_eq!(found["SM_HP_LR"], "0.1");
    for absent in [
        "SM_HP_VOCABULARY",
        "SM_HPS",
        "SM_USER_ARGS",
        "SM_TRAINING_ENV",
    ] {
        assert!(!found.contains_key(absent), "{absent}");
    }
    let inspect = [BINARY, "inspect", "--json"].map(OsString::from);
    let shown = container.start(&inspect).end().stdout;
    let shown: Value = serde_json::from_slice(&shown).unwrap();
    assert_eq!(
        shown["problems"],
        json!([
            "left out, because they are too long for variables: SM_HPS, SM_TRAINING_ENV, \
             SM_USER_ARGS, SM_HP_VOCABULARY; hyperparameters are in $LYFTLEARN_HYPERPARAMETERS_FILE"
        ])
    );
}

#[test]
fn the_largest_make_room_when_all_together_are_too_many() {
    needs_namespaces!();
    let world = World::new();
    // More than is looked at, and with the environment's own more than a process is given
    // with the usual stack.
    let mut values: serde_json::Map<String, Value> = (0..80)
        .map(|number| (format!("large{number:02}"), json!("x".repeat(100_000))))
        .collect();
    values.insert("lr".to_owned(), json!("0.1"));
    let container = (0..15).fold(
        world.training("", &Value::Object(values)),
        |container, number| container.variable(format!("OWN_{number}"), "x".repeat(100_000)),
    );
    let script = format!("ulimit -s 8192; exec {BINARY} run -- env -0");
    let output = container
        .start(&["sh".into(), "-c".into(), script.into()])
        .end();
    check_end(&output, 0);
    let found = variables(&output);
    assert_eq!(found["SM_HP_LR"], "0.1");
    assert!(found.contains_key("SM_HOSTS") && found.contains_key("SM_MODEL_DIR"));
    let kept: Vec<&String> = found
        .keys()
        .filter(|name| name.starts_with("SM_HP_LARGE"))
        .collect();
    // By name, of those of one size.
    assert_eq!(
        kept.first().map(|name| name.as_str()),
        Some("SM_HP_LARGE00")
    );
    assert!((3..8).contains(&kept.len()), "{kept:?}");
    let script = format!("ulimit -s 8192; exec {BINARY} inspect --json");
    let output = container
        .start(&["sh".into(), "-c".into(), script.into()])
        .end();
    let shown = String::from_utf8(output.stdout).unwrap();
    for problem in [
        "they are too long for variables: SM_HPS, SM_TRAINING_ENV, SM_USER_ARGS, SM_HP_LARGE10 and 69 more",
        "the environment is over the kernel's limit: SM_HP_LARGE0",
    ] {
        assert!(shown.contains(problem), "{shown}");
    }
}

#[test]
fn a_users_own_value_stays_and_a_setting_disables_the_toolkit_view() {
    needs_namespaces!();
    let world = World::new();
    let container = world
        .training("", &hyperparameters())
        .variable("SM_MODEL_DIR", "/mnt/own")
        .variable("SM_LOG_LEVEL", "");
    let output = ended(&container, SHOW);
    check_variables(
        &output,
        &[
            ("SM_MODEL_DIR", "/mnt/own"),
            ("SM_LOG_LEVEL", "20"),
            ("CURRENT_HOST", "algo-1"),
            ("SAGEMAKER_REGION", "eu-west-1"),
        ],
    );
    let world = World::new();
    let container = world.training("toolkit = { variables = \"off\" }\n", &hyperparameters());
    let found = variables(&ended(&container, SHOW));
    let ours = found
        .keys()
        .filter(|name| name.starts_with("SM_") || *name == "CURRENT_HOST");
    assert_eq!(ours.count(), 0, "{found:?}");
}

#[test]
fn processors_are_the_cgroups_unless_the_node_is_asked_for() {
    needs_namespaces!();
    let counted = |settings: &str| {
        let world = World::new();
        let online = world.file("online", "0-95\n");
        let script = format!(
            "mount -t tmpfs tmpfs /sys; mkdir -p /sys/devices/system/cpu; \
             cp /online /sys/devices/system/cpu/online; exec {BINARY} run -- env -0"
        );
        let container = world
            .training(settings, &hyperparameters())
            .mount_read_only(online, "/online");
        let container = container.mount(world.path("ml/output"), "/sys");
        let found = variables(
            &container
                .start(&["sh".into(), "-c".into(), script.into()])
                .end(),
        );
        (
            found["SM_NUM_CPUS"].clone(),
            found["LYFTLEARN_CPUS"].clone(),
        )
    };
    let (toolkit, ours) = counted("");
    assert_eq!(toolkit, ours);
    let (toolkit, _) = counted("[toolkit]\nnum_cpus = \"node\"\n");
    assert_eq!(toolkit, "96");
}

#[test]
fn explain_shows_no_secret_that_a_hyperparameter_holds() {
    needs_namespaces!();
    let world = World::new();
    let values = json!({"api_token": world.canary.value(), "lr": "0.1"});
    let container = world.training("", &values);
    let explain = [BINARY, "explain"].map(OsString::from);
    let output = container.start(&explain).end();
    check_end(&output, 0);
    let shown = String::from_utf8(output.stdout.clone()).unwrap();
    let value = |name: &str| {
        let mut lines = shown.lines().map(str::split_whitespace);
        let row = lines.find_map(|mut words| (words.next() == Some(name)).then_some(words));
        row.and_then(Iterator::last).unwrap_or_default()
    };
    assert!(value("SM_HPS").starts_with("sha256:"), "{shown}");
    assert_eq!(value("SM_HP_LR"), "0.1", "{shown}");
    world.canary.assert_unseen("explain", &output.stdout);
}

#[test]
fn an_argument_that_cannot_be_passed_on_is_reported() {
    needs_namespaces!();
    let world = World::new();
    let container = world.training(SETTINGS, &json!({"note": "\"a\\u0000b\""}));
    let output = ended(&container, &["train"]);
    check_end(&output, 125);
    expect![[r#"
        lyftlearn-runtime: cannot pass the hyperparameter note as an argument: it has a NUL byte or half a surrogate pair
          hint: correct it, or unset commands.hyperparameters_as_args
    "#]].assert_eq(&String::from_utf8_lossy(&output.stderr));
}

/// `mpirun -x SM_CURRENT_HOST`: the second node inherits the variables of the first.
#[test]
fn variables_of_another_node_are_replaced_and_reported() {
    needs_namespaces!();
    let world = World::new();
    let container = world.training("", &json!({}));
    let config = json!({"current_host": "algo-2", "hosts": ["algo-1", "algo-2"], "network_interface_name": "eth0"});
    world.file("ml/input/config/resourceconfig.json", &config.to_string());
    let show = "env | grep -E '^(SM_CURRENT_HOST|CURRENT_HOST|PET_NODE_RANK|SM_HOSTS|SM_NUM_CPUS)=' | sort";
    let container = container
        // The other node does not exist, and is not the subject of this test.
        .variable("LYFTLEARN_RUNTIME_TOPOLOGY_WAIT_SECONDS", "0")
        .variable("SM_CURRENT_HOST", "algo-1")
        .variable("PET_NODE_RANK", "0")
        .variable("SM_NUM_CPUS", "4096");
    for script in [
        show.to_owned(),
        format!("exec {BINARY} exec -- sh -c \"{show}\""),
    ] {
        let output = ended(&container, &["sh", "-c", &script]);
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        let start = "CURRENT_HOST=algo-2\nPET_NODE_RANK=1\nSM_CURRENT_HOST=algo-2\nSM_HOSTS=[\"algo-1\",\"algo-2\"]\nSM_NUM_CPUS=";
        assert!(shown.starts_with(start), "{shown}");
        assert!(!shown.contains("4096"), "{shown}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("SM_CURRENT_HOST "), "{said}");
    }
    // A value that no node has is the user's own.
    let output = ended(
        &container.variable("SM_CURRENT_HOST", "mine"),
        &["sh", "-c", show],
    );
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("\nSM_CURRENT_HOST=mine\n"), "{shown}");
}
