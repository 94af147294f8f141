//! The run directory: its owner, what a program of another user can do to it, and how every process
//! of a container finds its own.

use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::Path;

use super::*;

const PROGRAMS_USER: &str = "user = \"1000:1000\"\n";

/// A training job with a visible run directory. The program must not reach anything but a directory
/// of root at `/guarded`.
fn guarded(world: &World, settings: &str) -> Sandbox {
    for directory in ["run", "guarded"] {
        std::fs::create_dir_all(world.path(directory)).unwrap();
    }
    let key = world.file("guarded/key", "ROOT'S OWN");
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
    world
        .training(settings, &json!({}))
        .mount(world.path("guarded"), "/guarded")
        .mount(world.path("run"), "/run")
}

#[track_caller]
fn check_guarded(world: &World) {
    let names: Vec<_> = (std::fs::read_dir(world.path("guarded")).unwrap())
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["key"]);
    let meta = std::fs::metadata(world.path("guarded")).unwrap();
    assert_eq!((meta.uid(), meta.gid()), (0, 0));
}

#[test]
fn root_publishes_no_file_that_a_program_links_to() {
    needs_namespaces!();
    let world = World::new();
    let script = "cd $LYFTLEARN_RUN_DIR; cat /guarded/key 2>/dev/null && exit 1
        for name in not-started exceptions/1.json metrics-undelivered; do ln -s /guarded/key $name; done
        mkfifo exceptions/2.json; rm -f outcome.json; ln -s /guarded/key outcome.json; exit 126";
    let output = ended(&guarded(&world, PROGRAMS_USER), &["sh", "-c", script]);
    check_end(&output, 126);
    let outcome = std::fs::read_to_string(world.path("run/lyftlearn/outcome.json")).unwrap();
    let failure = std::fs::read_to_string(world.path("ml/output/failure")).unwrap();
    for text in [&outcome, &failure] {
        assert!(!text.contains("ROOT'S"), "{text}");
    }
    let outcome: Value = serde_json::from_str(&outcome).unwrap();
    // Nor can it say that it was never started.
    assert_eq!(outcome["class"], "user-error");
    check_guarded(&world);
}

/// The packages of an interpreter that the program made are part of the snapshot beside its model.
#[test]
fn root_reads_nothing_for_a_snapshot_that_the_programs_user_may_not_read() {
    needs_namespaces!();
    let world = World::new();
    let script = "packages=/opt/ml/model/lib/python3.11/site-packages
        for name in mine roots; do mkdir -p $packages/$name-1.dist-info; done
        mkdir -p /opt/ml/model/bin; touch /opt/ml/model/bin/python3 $packages/mine-1.dist-info/RECORD
        ln -s /guarded/key $packages/roots-1.dist-info/RECORD";
    let container =
        guarded(&world, PROGRAMS_USER).variable("PATH", "/opt/ml/model/bin:/usr/bin:/bin");
    check_end(&ended(&container, &["sh", "-c", script]), 0);
    let snapshot = std::fs::read(world.path("ml/model/.lyftlearn/snapshot.json")).unwrap();
    let snapshot: Value = serde_json::from_slice(&snapshot).unwrap();
    let packages = &snapshot["python"]["distributions"];
    assert!(packages["mine"]["record_sha256"].is_string(), "{packages}");
    assert_eq!(
        packages["roots"],
        json!({"version": "1", "record_sha256": null})
    );
    check_guarded(&world);
}

#[test]
fn a_snapshot_that_cannot_be_made_is_reported() {
    needs_namespaces!();
    let world = World::new();
    let script = "rm $LYFTLEARN_RUN_DIR/snapshot.json";
    let output = ended(&guarded(&world, PROGRAMS_USER), &["sh", "-c", script]);
    check_end(&output, 0);
    let said = String::from_utf8_lossy(&output.stderr);
    let sentence = "cannot write /opt/ml/model/.lyftlearn/snapshot.json: snapshot.json in the run directory is missing or damaged\n";
    assert!(said.contains(sentence), "{said}");
    assert!(!world.path("ml/model/.lyftlearn").exists());
}

#[test]
fn a_process_that_cannot_become_the_program_reports_why() {
    needs_namespaces!();
    let world = World::new();
    std::fs::create_dir(world.path("run")).unwrap();
    let program = world.file("program", "#!/no/such/interpreter\n");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let container = world
        .container(PROGRAMS_USER)
        .mount_read_only(program, "/program")
        .mount(world.path("run"), "/run");
    check_end(&ended(&container, &["/program"]), 127);
    let outcome = std::fs::read(world.path("run/lyftlearn/outcome.json")).unwrap();
    let outcome: Value = serde_json::from_slice(&outcome).unwrap();
    assert_eq!(outcome["class"], "not-started");
    let reason = outcome["reason"].as_str().unwrap();
    assert!(reason.contains("/program"), "{reason}");
}

/// Where the run directory is in a directory of everybody's, a program can put another in its
/// place.
#[track_caller]
fn check_moved(code: i32) {
    let world = World::new();
    std::fs::create_dir_all(world.path("shared")).unwrap();
    std::fs::set_permissions(
        world.path("shared"),
        std::fs::Permissions::from_mode(0o1777),
    )
    .unwrap();
    let script = format!(
        "case $LYFTLEARN_RUN_DIR in /tmp/lyftlearn-1000) ;; *) exit 9;; esac
         mv $LYFTLEARN_RUN_DIR /tmp/mine && ln -s /guarded $LYFTLEARN_RUN_DIR || exit 8
         rm -rf /opt/ml/model/.lyftlearn; ln -s /guarded /opt/ml/model/.lyftlearn
         trap 'until [ -e /tmp/mine/shutdown.json ]; do :; done; cat /tmp/mine/shutdown.json >/shared/told; exit {code}' TERM
         touch /shared/ready; while :; do :; done"
    );
    let container = guarded(&world, PROGRAMS_USER)
        .mount_read_only(world.path("run"), "/run")
        .mount(world.path("shared"), "/shared");
    let running = container.run(&["sh", "-c", &script]);
    appears(&world.path("shared/ready"));
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), code);
    let told = std::fs::read(world.path("shared/told")).unwrap();
    let told: Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(told["signal"], "SIGTERM");
    check_guarded(&world);
}

#[test]
fn root_writes_nothing_through_a_link_in_the_place_of_a_directory() {
    needs_namespaces!();
    check_moved(0);
    check_moved(3);
}

/// A volume outlives containers, and with it what a program made there.
#[test]
fn root_gives_nothing_away_through_a_link_that_an_earlier_program_left() {
    needs_namespaces!();
    let world = World::new();
    let container = guarded(&world, PROGRAMS_USER);
    let base = world.path("ml");
    lchown(&base, Some(1000), Some(1000)).unwrap();
    let left = |place: &Path, to: &str| {
        symlink(to, place).unwrap();
        lchown(place, Some(1000), Some(1000)).unwrap();
    };
    left(&base.join("checkpoints"), "/guarded");
    let output = base.join("output");
    if output.exists() {
        std::fs::remove_dir_all(&output).unwrap();
    }
    left(&output, "/guarded");
    // And in the run directory, as far as that was kept.
    let run = world.path("run/lyftlearn");
    std::fs::create_dir_all(run.join("exceptions")).unwrap();
    for name in ["", "exceptions"] {
        lchown(run.join(name), Some(1000), Some(1000)).unwrap();
    }
    left(&run.join("secrets"), "/guarded");
    left(&run.join("exceptions/old"), "/guarded");
    left(&run.join("agent.sock"), "/guarded/key");
    let output = ended(&container, &["sh", "-c", "exit 3"]);
    check_end(&output, 3);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("/opt/ml/output/failure"), "{said}");
    check_guarded(&world);
}

/// A directory of everybody's, as an emptyDir is.
fn open_to_all(world: &World) {
    std::fs::create_dir_all(world.path("shared")).unwrap();
    let mode = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(world.path("shared"), mode).unwrap();
}

#[test]
fn root_delivers_no_file_that_a_program_links_to_as_a_secret() {
    needs_namespaces!();
    let world = World::new();
    open_to_all(&world);
    world.file("shared/db", "from the sidecar");
    world.file("shared/round", "0");
    let settings = "user = \"1000:1000\"\n\
        [secrets.db]\nfrom = \"file:/shared/db\"\nfile = true\nrefresh = 1\n\
        [secrets.round]\nfrom = \"file:/shared/round\"\nfile = true\nrefresh = 1\n";
    let container = guarded(&world, settings).mount(world.path("shared"), "/shared");
    // Each round comes after one in which the link was looked at.
    let script = "cd $LYFTLEARN_RUN_DIR/secrets; rm /shared/db; ln -s /guarded/key /shared/db
        for round in 1 2 3; do
            rm -f /shared/round; echo $round >/shared/round
            until [ \"$(cat round)\" = $round ]; do :; done
        done
        cat db";
    let output = ended(&container, &["sh", "-c", script]);
    check_end(&output, 0);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "from the sidecar");
    // The volume outlives the container, and the link with it.
    let output = ended(&container, &["cat", "/shared/db"]);
    let said = String::from_utf8_lossy(&output.stderr);
    let sentence = "cannot read /shared/db: a symbolic link on its way can be changed by another user than root\n";
    assert!(said.contains(sentence), "{said}");
}

#[test]
fn root_starts_no_command_that_a_program_can_choose() {
    needs_namespaces!();
    let world = World::new();
    open_to_all(&world);
    let script = r#"#!/bin/sh
        echo '{"Version": 1, "AccessKeyId": "'U$(id -u)G$(id -G)E$(env | grep -c -e AGENT_ORDERS -e LISTEN_)'", "SecretAccessKey": "key"}'
    "#;
    let command = world.file("command", script);
    std::fs::set_permissions(&command, std::fs::Permissions::from_mode(0o755)).unwrap();
    let profile = "[default]\ncredential_process = /command\n";
    world.file("shared/config", profile);
    world.file("closed/config", profile);
    let key = |place: &str| {
        let settings = "user = \"1000:1000\"\n[credentials]\nsource = \"profile\"\n";
        let container = guarded(&world, settings)
            .mount(world.path("shared"), "/shared")
            .mount(world.path("closed"), "/closed")
            .mount_read_only(&command, "/command")
            .variable("AWS_CONFIG_FILE", format!("/{place}/config"))
            .variable("AWS_SHARED_CREDENTIALS_FILE", format!("/{place}/none"));
        let output = ended(&container, &["lyftlearn-runtime", "credentials"]);
        check_end(&output, 0);
        let given: Value = serde_json::from_slice(&output.stdout).unwrap();
        given["AccessKeyId"].as_str().unwrap().to_owned()
    };
    assert_eq!(key("shared"), "U1000G1000E0");
    // What root alone can change is root's.
    assert_eq!(key("closed"), "U0G0E0");
}

#[test]
fn another_user_has_nothing_of_roots() {
    needs_namespaces!();
    let world = World::new();
    let script = "grep -h -E '^(Uid|Gid|Cap(Inh|Prm|Eff|Amb)):' /proc/self/status | tr '\\t' ' '";
    let argv = [
        "setpriv",
        "--inh-caps",
        "+net_raw,+setuid",
        BINARY,
        "run",
        "--",
        "sh",
        "-c",
        script,
    ];
    let output = world
        .container("user = \"1000:2000\"\nlog = \"off\"\n")
        .start(&argv.map(OsString::from))
        .end();
    check_end(&output, 0);
    let none = "0000000000000000";
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!(
            "Uid: 1000 1000 1000 1000\nGid: 2000 2000 2000 2000\n\
             CapInh: {none}\nCapPrm: {none}\nCapEff: {none}\nCapAmb: {none}\n"
        )
    );
}

#[test]
fn a_relative_temporary_directory_is_where_pid_one_stood() {
    needs_namespaces!();
    let world = World::new();
    std::fs::create_dir_all(world.path("app/tmp")).unwrap();
    let container = world
        .container("")
        .mount(world.path("app"), "/app")
        .working_directory("/app")
        .variable("TMPDIR", "tmp")
        .read_only();
    let output = ended(&container.without_run(), &["sh", "-c", "env -0; exit 7"]);
    check_end(&output, 7);
    let run = "/app/tmp/lyftlearn-0";
    let expected = [
        ("LYFTLEARN_TMP_DIR", "/app/tmp"),
        ("LYFTLEARN_RUN_DIR", run),
    ];
    check_variables(&output, &expected);
    assert!(world.path("app/tmp/lyftlearn-0/outcome.json").exists());
}

/// Two containers of a pod, which share a network and a volume at `place`, one after the other;
/// the first is asked again once the second has ended. Then another first one.
#[track_caller]
fn check_sharing(container: Sandbox, world: &World, user: u32, place: &str, run: &str) {
    let script = format!(
        "import os, subprocess\n\
         def start(name, wait):\n\
         \x20   ask = f'echo {{name}} $LYFTLEARN_RUN_DIR; env -i PATH=$PATH TMPDIR={place} {BINARY} exec -- \
                sh -c \"echo \\\\$LYFTLEARN_JOB_NAME; cat \\\\$LYFTLEARN_RUN_DIR/secrets/db; echo\"'\n\
         \x20   own = ['unshare', '--pid', '--mount', '--fork', '--mount-proc', \
                'setpriv', '--reuid', '{user}', '--regid', '{user}', '--clear-groups']\n\
         \x20   own += ['env', f'LYFTLEARN_RUNTIME_JOB_NAME={{name}}', f'DB=secret of {{name}}', '{BINARY}', 'run', '--', \
                'sh', '-c', f'exec >/shared/{{name}}; {{ask}}; touch /shared/{{name}}.ready; {{wait}}; {{ask}}']\n\
         \x20   one = subprocess.Popen(own)\n\
         \x20   while not os.path.exists(f'/shared/{{name}}.ready') and one.poll() is None: pass\n\
         \x20   return one\n\
         first = start('first', 'until [ -e /shared/go ]; do :; done')\n\
         second = start('second', ':'); print(second.wait(), first.poll())\n\
         open('/shared/go', 'w'); print(first.wait(), start('third', ':').wait())\n\
         print(sorted(name for name in os.listdir('{place}') if name.startswith('lyftlearn')))\n"
    );
    let container = container
        .variable(
            "LYFTLEARN_RUNTIME_SECRETS",
            r#"{"db":{"from":"env:DB","file":true}}"#,
        )
        .variable("TMPDIR", place);
    let output = container
        .start(&["/usr/bin/python3", "-c", &script].map(OsString::from))
        .end();
    check_end(&output, 0);
    let name = Path::new(run).file_name().unwrap().to_str().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!("0 None\n0 0\n['{name}', '{name}-2']\n")
    );
    for (name, run) in [
        ("first", run.to_owned()),
        ("second", format!("{run}-2")),
        ("third", run.to_owned()),
    ] {
        let seen = std::fs::read_to_string(world.path(&format!("shared/{name}"))).unwrap();
        let once = format!("{name} {run}\n{name}\nsecret of {name}\n");
        assert_eq!(seen, format!("{once}{once}"));
    }
}

/// What both containers see: `/shared`, and everybody may write there.
fn pod(world: &World, settings: &str) -> Sandbox {
    let container = world.sharing(settings);
    let all = std::fs::Permissions::from_mode(0o1777);
    std::fs::set_permissions(world.path("shared"), all).unwrap();
    container
}

#[test]
fn containers_that_share_a_directory_have_a_run_directory_each() {
    needs_namespaces!();
    let quiet = "log = \"off\"\nplatform = \"kubernetes\"\n[metrics]\nlisten = \"off\"\n";
    let world = World::new();
    check_sharing(pod(&world, quiet), &world, 0, "/run", "/run/lyftlearn");
    let world = World::new();
    let container = pod(&world, quiet).without_run().read_only();
    check_sharing(container, &world, 0, "/shared", "/shared/lyftlearn-0");
    let world = World::new();
    let container = pod(&world, quiet).without_run().read_only();
    let run = "/shared/lyftlearn-12345";
    check_sharing(container, &world, 12345, "/shared", run);
}

/// Everybody in the container, without its environment, finds the runtime that lives in it.
#[track_caller]
fn check_found(container: Sandbox, world: &World) {
    let Some((container, python)) = export::packaged(container) else {
        return;
    };
    let python = python.to_str().unwrap();
    let script = format!(
        "cat >/shared/ask.py <<'X'
import lyftlearn_runtime as rt
print(rt.platform, rt.job.name, rt.secrets['db'].text)
rt.metrics.counter('asked_total').inc()
X
         cat $LYFTLEARN_RUN_DIR/workload.json >/shared/before
         ask='env -i PATH=/usr/bin:/bin'
         $ask PYTHONPATH=/site {python} /shared/ask.py >/shared/python 2>&1
         $ask {BINARY} exec -- sh -c 'echo $LYFTLEARN_PLATFORM $LYFTLEARN_JOB_NAME $DB' >/shared/exec
         $ask {BINARY} metrics >/shared/metrics; echo $? >>/shared/metrics
         $ask {BINARY} inspect --json >/shared/inspect
         $ask {BINARY} doctor >/shared/doctor
         cmp $LYFTLEARN_RUN_DIR/workload.json /shared/before || exit 1
         touch /shared/ready; until [ -e /shared/go ]; do :; done"
    );
    let container = container
        .variable("LYFTLEARN_RUNTIME_PLATFORM", "kubernetes")
        .variable("LYFTLEARN_RUNTIME_JOB_NAME", "digits")
        .variable("LYFTLEARN_RUNTIME_METRICS_LISTEN", "127.0.0.1:9102")
        .variable("DB", "pw")
        .own_network();
    let running = container.run(&["sh", "-c", &script]);
    appears(&world.path("shared/ready"));
    // As `docker exec --user 0` does.
    let metrics = running.enter(&["env", "-i", BINARY, "metrics"]).unwrap();
    world.file("shared/go", "");
    check_end(&running.end(), 0);
    let read = |name: &str| std::fs::read_to_string(world.path(&format!("shared/{name}"))).unwrap();
    assert_eq!(read("python"), "kubernetes digits pw\n");
    assert_eq!(read("exec"), "kubernetes digits pw\n");
    let shown = [read("metrics"), String::from_utf8(metrics.stdout).unwrap()];
    for shown in shown {
        assert!(shown.contains("\nasked_total 1\n"), "{shown}");
    }
    assert!(
        read("inspect").contains("\"holder\": \"ours\""),
        "{}",
        read("inspect")
    );
    let doctor = read("doctor");
    assert!(!doctor.contains("another process"), "{doctor}");
    assert!(doctor.contains("ok    region"), "{doctor}");
}

#[test]
fn tools_without_the_environment_find_the_runtime() {
    needs_namespaces!();
    let settings = "[secrets.db]\nfrom = \"env:DB\"\n";
    let world = World::new();
    check_found(pod(&world, settings), &world);
    let world = World::new();
    check_found(pod(&world, settings).user(12345), &world);
    let world = World::new();
    check_found(pod(&world, settings).without_run().user(12345), &world);
    let world = World::new();
    std::fs::create_dir(world.path("tmp")).unwrap();
    let all = std::fs::Permissions::from_mode(0o1777);
    std::fs::set_permissions(world.path("tmp"), all).unwrap();
    let container = pod(&world, settings).mount(world.path("tmp"), "/tmp");
    check_found(container.without_run().read_only().user(12345), &world);
}

#[test]
fn metrics_are_shown_from_the_first_moment_on() {
    needs_namespaces!();
    let world = World::new();
    // The program is there before its region is written.
    for _ in 0..5 {
        check_end(&ended(&world.container(""), &[BINARY, "metrics"]), 0);
    }
}

/// Containers of a pod may share the temporary directory, and their users differ.
#[test]
fn another_user_prevents_no_start_and_tools_find_the_runtime() {
    needs_namespaces!();
    // Those that have a number, too, in the second round.
    for more in ["", "-2 -3 -4 -5 -6 -7 -8 -9 -10 -11 -12 -13 -14 -15 -16"] {
        let world = World::new();
        let settings = "log = \"off\"\nplatform = \"kubernetes\"\n[secrets.db]\nfrom = \"env:DB\"\nfile = true\n";
        let ask = format!(
            "env -i PATH=/usr/bin:/bin {BINARY} exec -- sh -c 'cat $LYFTLEARN_RUN_DIR/secrets/db'"
        );
        let script = format!(
            "for number in '' {more}; do mkdir /tmp/lyftlearn-1000$number; chown 2000 /tmp/lyftlearn-1000$number; done
             exec setpriv --reuid 1000 --regid 1000 --clear-groups {BINARY} run -- sh -c \"$PROGRAM\""
        );
        let container = pod(&world, settings)
            .mount_read_only(world.path("image"), "/run")
            .variable("DB", "pw")
            .variable("PROGRAM", format!("echo $LYFTLEARN_RUN_DIR; {ask}"));
        let output = container
            .start(&["sh", "-c", &script].map(OsString::from))
            .end();
        check_end(&output, 0);
        let said = String::from_utf8_lossy(&output.stdout);
        let (run, secret) = said.split_once('\n').unwrap();
        let expected = match more {
            "" => "/tmp/lyftlearn-1000-2",
            _ => "/tmp/lyftlearn-run-",
        };
        assert!(run.starts_with(expected), "{run}");
        assert_eq!(secret, "pw");
    }
}

#[test]
fn the_outcome_of_a_failed_start_is_in_the_temporary_directory_of_the_container() {
    needs_namespaces!();
    let world = World::new();
    let container = pod(&world, "user = \"nobody-of-this-name\"\n")
        .variable("TMPDIR", "/shared")
        .without_run()
        .read_only();
    assert_eq!(ended(&container, &["true"]).status.code(), Some(125));
    assert!(world.path("shared/lyftlearn-0/outcome.json").exists());
}

/// A pod's `/dev/shm` outlives its containers. Of three, the first is killed, the second runs while
/// the third starts and ends.
#[track_caller]
fn check_memory_of_a_killed_container(settings: &str) {
    let world = World::new();
    std::fs::create_dir(world.path("run")).unwrap();
    let script = format!(
        "import os, signal, subprocess\n\
         def start(name, wait):\n\
         \x20   ready = f'/shared/{{name}}.ready'\n\
         \x20   own = ['unshare', '--pid', '--mount', '--fork', '--kill-child', '--mount-proc', '{BINARY}', \
                'run', '--', 'sh', '-c', f'cat $LYFTLEARN_RUN_DIR/secrets/db; touch {{ready}}; {{wait}}']\n\
         \x20   one = subprocess.Popen(own, stdout=subprocess.PIPE)\n\
         \x20   while not os.path.exists(ready) and one.poll() is None: pass\n\
         \x20   return one\n\
         def left(): return sorted(os.listdir('/dev/shm'))\n\
         first = start('first', 'exec tail -f /dev/null')\n\
         killed = left(); first.kill(); first.communicate()\n\
         second = start('second', 'until [ -e /shared/go ]; do :; done')\n\
         living = left(); third = start('third', ':')\n\
         said = third.communicate()[0]; still = left(); open('/shared/go', 'w')\n\
         print(second.communicate()[0], said, len(killed), len(living), still == living, left())\n\
         print([name for name in killed if name in living])\n"
    );
    // The sandbox's root is a tmpfs, and so is every directory in it.
    let output = pod(&world, settings)
        .mount(world.path("run"), "/run")
        .inheriting("import os; os.mkdir('/dev/shm'); os.chmod('/dev/shm', 0o1777)")
        .variable("DB", "pw")
        .start(&["/usr/bin/python3", "-c", &script].map(OsString::from))
        .end();
    check_end(&output, 0);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "b'pw' b'pw' 2 2 True []\n[]\n"
    );
}

#[test]
fn memory_that_a_killed_container_left_is_freed_by_the_next() {
    needs_namespaces!();
    let settings = "log = \"off\"\nplatform = \"kubernetes\"\n[metrics]\nlisten = \"off\"\n\
                    [secrets.db]\nfrom = \"env:DB\"\nfile = true\n";
    check_memory_of_a_killed_container(settings);
    check_memory_of_a_killed_container(&format!("{PROGRAMS_USER}{settings}"));
}
