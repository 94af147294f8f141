//! The process layer: the real binary as PID 1, in namespaces laid out as the
//! platforms lay them out.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the emulated world is written and read back; a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use lyftlearn_conformance::canary::Canary;
use lyftlearn_conformance::kubelet::Pod;
use lyftlearn_conformance::sagemaker::TrainingJob;
use lyftlearn_conformance::sandbox::{self, BINARY, Sandbox};
use lyftlearn_conformance::wait;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// Prints the environment, a NUL after each variable.
const SHOW: &[&str] = &["env", "-0"];

struct World {
    directory: tempfile::TempDir,
    canary: Canary,
}

impl World {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            canary: Canary::plant(),
        }
    }

    fn path(&self, below: &str) -> std::path::PathBuf {
        self.directory.path().join(below)
    }

    /// A file below the world's directory.
    fn file(&self, name: &str, text: &str) -> std::path::PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A container with the planted secret and `runtime.toml` of an image.
    fn container(&self, settings: &str) -> Sandbox {
        let settings = self.file("image/runtime.toml", settings);
        Sandbox::new()
            .mount_read_only(settings, "/etc/lyftlearn/runtime.toml")
            .variable("DB_PASSWORD", self.canary.value())
    }

    /// A SageMaker training job, mounted.
    fn training(&self, settings: &str, hyperparameters: &Value) -> Sandbox {
        let job = TrainingJob::lay_out(&self.path("ml"), "digits-1", hyperparameters, &["train"]);
        let container = self.container(settings).mount(self.path("ml"), "/opt/ml");
        job.variables()
            .into_iter()
            .fold(container, |container, (name, value)| {
                container.variable(name, value)
            })
    }

    /// A pod with the same job on volumes.
    fn pod(&self, settings: &str, hyperparameters: &str) -> Sandbox {
        let pod = Pod::lay_out(&self.path("kubelet"), "digits-1", "trainer");
        let config = pod.volume(
            "configmap",
            "config",
            &[("hyperparameters.json", hyperparameters)],
        );
        let data = pod.volume("empty-dir", "train", &[]);
        let container = self
            .container(settings)
            .mount(pod.hosts(), "/etc/hosts")
            .mount(pod.termination_log(), "/dev/termination-log")
            .mount_read_only(config, "/etc/lyftlearn/config")
            .mount_read_only(data, "/opt/ml/input/data/train");
        pod.variables()
            .into_iter()
            .fold(container, |container, (name, value)| {
                container.variable(name, value)
            })
    }
}

fn ended<W: AsRef<OsStr>>(container: &Sandbox, argv: &[W]) -> Output {
    container.run(argv).end()
}

#[track_caller]
fn check_end(output: &Output, code: i32) {
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn variables(output: &Output) -> BTreeMap<String, String> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[track_caller]
fn check_variables(output: &Output, expected: &[(&str, &str)]) {
    let found = variables(output);
    for (name, value) in expected {
        assert_eq!(
            found.get(*name).map(String::as_str),
            Some(*value),
            "{name} in {found:#?}"
        );
    }
}

/// What a program would read: the document in the run directory.
fn workload(container: &Sandbox) -> Value {
    let output = ended(
        container,
        &["sh", "-c", "cat $LYFTLEARN_RUN_DIR/workload.json"],
    );
    check_end(&output, 0);
    serde_json::from_slice(&output.stdout).unwrap()
}

macro_rules! needs_namespaces {
    () => {
        if !sandbox::possible() {
            return;
        }
    };
}

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
    assert_eq!(
        String::from_utf8(output.stderr.clone()).unwrap(),
        "lyftlearn-runtime: sagemaker (training), training, job digits-1\n"
    );
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
        "700 .\n600 hyperparameters.json\n600 workload.json\n{\"lr\":\"0.1\",\"zip\":\"02139\"}"
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

    // The fields that name the place: nothing else may differ.
    let mut differ: Vec<String> = Vec::new();
    differences("", &trained, &pod, &mut differ);
    assert_eq!(
        differ,
        [
            ".credentials.source",
            ".flavor",
            ".hyperparameters.sources",
            ".job.arn",
            ".job.container",
            ".job.id",
            ".lifecycle.grace_source",
            ".paths.failure",
            ".platform",
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
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "lyftlearn-runtime: cannot run: no program given\n  \
         hint: give one after run --, or set commands.default in /etc/lyftlearn/runtime.toml\n"
    );
}

#[track_caller]
fn check_not_started(argv: &[&str], code: i32, report: &str) {
    let world = World::new();
    let plain = world.file("plain", "no program");
    let script = world.file("script", "#!/no/interpreter\n");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let container = world
        .container("log = \"off\"\n")
        .mount_read_only(plain, "/plain")
        .mount_read_only(script, "/script");
    let output = ended(&container, argv);
    check_end(&output, code);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), report);
}

#[test]
fn a_program_that_cannot_start_says_why() {
    needs_namespaces!();
    check_not_started(
        &["train"],
        127,
        "lyftlearn-runtime: cannot find what train runs: no commands.train in the settings, no executable train on PATH\n  \
         hint: put train = [\"python3\", \"train.py\"] under [commands] in /etc/lyftlearn/runtime.toml\n",
    );
    check_not_started(
        &["no-such-program"],
        127,
        "lyftlearn-runtime: cannot find the program no-such-program\n  \
         hint: give a path, or a name that an executable on PATH has\n",
    );
    check_not_started(
        &["/script"],
        127,
        "lyftlearn-runtime: cannot run /script: it exists, its interpreter does not\n  \
         hint: check its first line, or for a binary the dynamic loader it was built for\n",
    );
    check_not_started(
        &["/plain"],
        126,
        "lyftlearn-runtime: cannot execute /plain\n  because: permission denied\n  \
         hint: check its mode (chmod +x), its #! line and its architecture\n",
    );
    check_not_started(
        &["/usr"],
        126,
        "lyftlearn-runtime: cannot execute /usr\n  because: permission denied\n  \
         hint: check its mode (chmod +x), its #! line and its architecture\n",
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
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "lyftlearn-runtime: cannot understand /opt/ml/input/config/resourceconfig.json at line 2, column 43\n  \
         hint: the platform writes this file; check that the image does not replace it\n"
    );
}

#[test]
fn a_user_who_may_not_search_the_jobs_directory_is_told_so() {
    needs_namespaces!();
    let world = World::new();
    let output = ended(&world.training("", &json!({})).user(23456), &["true"]);
    check_end(&output, 125);
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "lyftlearn-runtime: cannot read /opt/ml/input/config/resourceconfig.json\n  because: permission denied\n  \
         hint: run as a user who may read it, or set LYFTLEARN_RUNTIME_PLATFORM if the file is not this platform's\n"
    );
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
fn every_exit_code_is_passed_on() {
    needs_namespaces!();
    // 256 starts in one container: the shim beside others, as in a wrapper.
    let world = World::new();
    let script = format!(
        "i=0; while [ $i -lt 256 ]; do {BINARY} run -- sh -c \"exit $i\"; [ $? = $i ] || echo $i; i=$((i+1)); done"
    );
    let output = world
        .container("log = \"off\"\n")
        .start(&["sh".into(), "-c".into(), script.into()])
        .end();
    check_end(&output, 0);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
}

#[test]
fn a_program_that_a_signal_ended_gives_128_and_its_number() {
    needs_namespaces!();
    let world = World::new();
    for signal in [1, 2, 3, 6, 9, 11, 13, 15, 34, 64] {
        let reset = if signal == 9 {
            ""
        } else {
            "signal.signal(int(sys.argv[1]), signal.SIG_DFL);"
        };
        let script =
            format!("import os, signal, sys; {reset} os.kill(os.getpid(), int(sys.argv[1]))");
        let argv = [
            find_python(),
            "-c".into(),
            script.into(),
            signal.to_string().into(),
        ];
        check_end(&ended(&world.container(""), &argv), 128 + signal);
    }
}

#[test]
fn a_signal_reaches_the_whole_group_and_the_programs_code_comes_out() {
    needs_namespaces!();
    let world = World::new();
    std::fs::create_dir(world.path("shared")).unwrap();
    let container = world.container("").mount(world.path("shared"), "/shared");
    let script = "sh -c 'trap \"touch /shared/child; exit 0\" TERM; touch /shared/ready; while :; do sleep 1000 & wait; done' &
                  trap 'wait; exit 42' TERM; while :; do wait; done";
    let running = container.run(&["sh", "-c", script]);
    appears(&world.path("shared/ready"));
    running.signal(Signal::SIGTERM);
    let output = running.end();
    check_end(&output, 42);
    assert!(world.path("shared/child").exists());
}

#[test]
fn with_the_scope_child_only_the_program_is_told() {
    needs_namespaces!();
    let world = World::new();
    std::fs::create_dir(world.path("shared")).unwrap();
    let container = world.container("").mount(world.path("shared"), "/shared");
    let script = "sh -c 'trap \"touch /shared/child\" TERM; touch /shared/ready; while :; do sleep 1000 & wait; done' &
                  trap 'exit 42' TERM; while :; do wait; done";
    let argv = [
        BINARY,
        "run",
        "--signal-scope",
        "child",
        "--",
        "sh",
        "-c",
        script,
    ]
    .map(OsString::from);
    let running = container.start(&argv);
    appears(&world.path("shared/ready"));
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 42);
    assert!(!world.path("shared/child").exists());
}

#[test]
fn a_program_without_a_handler_ends_of_the_signal() {
    needs_namespaces!();
    let world = World::new();
    std::fs::create_dir(world.path("shared")).unwrap();
    let container = world.container("").mount(world.path("shared"), "/shared");
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGHUP,
        Signal::SIGUSR1,
    ] {
        let running = container.run(&["sh", "-c", "touch /shared/ready; exec sleep 1000"]);
        appears(&world.path("shared/ready"));
        std::fs::remove_file(world.path("shared/ready")).unwrap();
        running.signal(signal);
        check_end(&running.end(), 128 + signal as i32);
    }
}

#[test]
fn orphans_are_reaped() {
    needs_namespaces!();
    let world = World::new();
    std::fs::create_dir(world.path("shared")).unwrap();
    let container = world.container("").mount(world.path("shared"), "/shared");
    let script = "i=0; while [ $i -lt 200 ]; do (true &); i=$((i+1)); done; touch /shared/ready; exec sleep 1000";
    let running = container.run(&["sh", "-c", script]);
    appears(&world.path("shared/ready"));
    let one = running.pid_one();
    let left = wait::until(Duration::from_secs(20), || {
        (children(one).len() == 1).then_some(())
    });
    assert!(left.is_some(), "PID 1 still has {:?}", children(one));
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 143);
}

#[test]
fn a_stop_that_comes_before_the_start_ends_it_with_143() {
    needs_namespaces!();
    let world = World::new();
    // Blocked by the shell's parent and pending when the runtime takes over: it
    // must be found, and nothing may be started any more.
    let script = format!(
        "import os, signal\n\
         signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n\
         os.kill(os.getpid(), signal.SIGTERM)\n\
         os.execv('{BINARY}', ['{BINARY}', 'run', '--', 'echo', 'started'])\n"
    );
    let python = find_python();
    let output = world
        .container("log = \"off\"\n")
        .start(&[python, "-c".into(), script.into()])
        .end();
    check_end(&output, 143);
    assert_eq!(output.stdout, b"");
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
fn exec_gives_the_same_view_and_becomes_the_program() {
    needs_namespaces!();
    let world = World::new();
    let container = world.training("", &json!({"lr": "0.1"}));
    let supervised = variables(&ended(&container, SHOW));
    let argv = [BINARY, "exec", "--", "env", "-0"].map(OsString::from);
    let replaced = variables(&container.start(&argv).end());
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
fn what_stands_beside_pid_one_sees_the_same() {
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
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 143);
}

/// No shell's own signal handling stands between: 0 from the sandbox means the
/// runtime's exit, never a signal to the outer process.
#[test]
fn the_sandbox_itself_passes_codes_on() {
    needs_namespaces!();
    let output = Sandbox::new()
        .start(&["sh".into(), "-c".into(), "exit 77".into()])
        .end();
    check_end(&output, 77);
    assert_eq!(output.status.signal(), None);
}

#[track_caller]
fn appears(path: &Path) {
    assert!(
        wait::until(Duration::from_secs(20), || path.exists().then_some(())).is_some(),
        "{} does not appear",
        path.display()
    );
}

fn children(pid: i32) -> Vec<String> {
    let list =
        std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().map(ToOwned::to_owned).collect()
}

/// The machine's own Python lies below /usr, which a sandbox sees.
fn find_python() -> OsString {
    ["/usr/bin/python3"]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .expect("python3 is installed")
        .into()
}
