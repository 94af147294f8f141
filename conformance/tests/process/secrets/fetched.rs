//! Fetched and local secrets, as the program sees them.

use expect_test::expect;

use super::*;

const EVERY_SOURCE: &str = r#"
[secrets.db]
from = "aws-secretsmanager:prod/db"
env_prefix = "DB_"
file = true
[secrets.db-password]
from = "aws-secretsmanager:prod/db#password"
[secrets.former]
from = "aws-secretsmanager:prod/db?stage=AWSPREVIOUS"
[secrets.binary]
from = "aws-secretsmanager:prod/binary"
env = false
file = "binary.key"
[secrets.first]
from = "aws-ssm:/app/p00"
[secrets.versions]
from = "aws-ssm:/versions:1"
[secrets.port]
from = "aws-ssm:/document#port"
[secrets.app]
from = "aws-ssm:/app/"
env_prefix = "APP_"
[secrets.mounted]
from = "file:/etc/secrets/mounted"
env = "MOUNTED"
[secrets.volume]
from = "file:/etc/secrets/volume"
env_prefix = "VOLUME_"
[secrets.found]
from = "env:FOUND_AS"
env = "WANTED_AS"
"#;

#[test]
fn every_source_of_aws_and_of_this_container_reaches_the_program() {
    needs_namespaces!();
    let servers = servers!();
    let world = World::new();
    world.file("mounted", "a\nfile");
    world.file("volume/user", "volume-user");
    world.file("volume/.hidden", "hidden");
    let container = servers
        .container(&world, EVERY_SOURCE)
        .mount_read_only(world.path("mounted"), "/etc/secrets/mounted")
        .mount_read_only(world.path("volume"), "/etc/secrets/volume")
        .variable("FOUND_AS", "found");
    let output = ended(&container, SHOW);
    check_end(&output, 0);
    let canary = servers.canary.value();
    check_variables(
        &output,
        &[
            ("DB_USER", "ranker"),
            ("DB_PASSWORD", world.canary.value()),
            ("DB_PORT", "5432"),
            ("DB_TLS", "true"),
            ("FORMER", "old"),
            ("FIRST", &format!("{canary}-0")),
            ("VERSIONS", "one"),
            ("PORT", "5432"),
            ("APP_P24", &format!("{canary}-24")),
            ("APP_DEEP_ER", canary),
            ("MOUNTED", "a\nfile"),
            ("VOLUME_USER", "volume-user"),
            ("WANTED_AS", "found"),
        ],
    );
    let found = variables(&output);
    // The container's own variable, which overrides a secret without `overrides`.
    assert!(!found.contains_key("DB-PASSWORD") && !found.contains_key("BINARY"));
    assert_eq!(
        found.keys().filter(|name| name.starts_with("APP_")).count(),
        26
    );
    expect![[r#"
        lyftlearn-runtime: local (host), job
    "#]]
    .assert_eq(&stderr(&output));
}

/// What an editor and `kubectl create secret --from-file` leave behind a value.
#[test]
fn a_line_end_behind_a_value_is_no_part_of_it_by_whichever_door() {
    needs_namespaces!();
    let world = World::new();
    let settings = "[secrets.one]\nfrom = \"file:/etc/one\"\nfile = true\n\
                    [secrets.volume]\nfrom = \"file:/etc/volume\"\nenv_prefix = \"VOLUME_\"\n";
    world.file("one", "hunter2\n");
    world.file("volume/key", "hunter3\r\n");
    world.file("live/key", "hunter4\n");
    let container = world
        .sharing(settings)
        .mount_read_only(world.path("one"), "/etc/one")
        .mount_read_only(world.path("volume"), "/etc/volume")
        .mount_read_only(world.path("live"), "/etc/lyftlearn/live");
    let output = ended(&container, SHOW);
    check_end(&output, 0);
    check_variables(&output, &[("ONE", "hunter2"), ("VOLUME_KEY", "hunter3")]);
    // The file is the source's, byte for byte: some readers of keys want the line end.
    let output = ended(
        &container,
        &["sh", "-c", "cat $LYFTLEARN_RUN_DIR/secrets/one"],
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hunter2\n");
    let Some((container, python)) = super::super::export::packaged(container) else {
        return;
    };
    let script = "import lyftlearn_runtime as rt\n\
                  found = rt.secrets['one'].text, rt.secrets['volume']['key'], rt.config['key']\n\
                  print(ascii(found))\n";
    let output = ended(&container, &[python, "-c".into(), script.into()]);
    check_end(&output, 0);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "('hunter2', 'hunter3', 'hunter4')\n"
    );
}

#[test]
fn files_are_the_programs_own_in_memory_and_gone_with_it() {
    needs_namespaces!();
    let servers = servers!();
    let world = World::new();
    let settings = "[secrets.token]\nfrom = \"aws-secretsmanager:prod/token\"\nfile = true\nenv = false\n\
                    [secrets.binary]\nfrom = \"aws-secretsmanager:prod/binary\"\nenv = false\nfile = \"binary.key\"\n";
    let script = "cd $LYFTLEARN_RUN_DIR/secrets; stat -Lc '%a %u %n' . token binary.key
        stat -f -c %T .; cat token; echo; od -An -c -N2 binary.key; ls; ls /dev/shm | wc -l
        cat ../workload.json >/shared/workload; readlink -f . >/shared/place";
    let container = servers.container(&world, settings);
    let output = ended(&container, &["sh", "-c", script]);
    check_end(&output, 0);
    let canary = servers.canary.value();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!(
            "700 0 .\n400 0 token\n400 0 binary.key\ntmpfs\n{canary}\n  \\0 377\nbinary.key\ntoken\n0\n"
        )
    );
    let workload: Value =
        serde_json::from_slice(&std::fs::read(world.path("shared/workload")).unwrap()).unwrap();
    assert_eq!(workload["secrets"], json!({"names": ["binary", "token"]}));
}

#[test]
fn on_a_disk_they_lie_in_shared_memory_and_are_gone_at_the_end() {
    needs_namespaces!();
    let world = World::new();
    world.file("a", world.canary.value());
    std::fs::create_dir(world.path("run")).unwrap();
    let container = world
        .sharing("[secrets.a]\nfrom = \"file:/etc/a\"\nfile = \"a.key\"\nrefresh = 0\n")
        .mount_read_only(world.path("a"), "/etc/a")
        .mount(world.path("run"), "/run");
    let script = "readlink -f $LYFTLEARN_RUN_DIR/secrets; cat $LYFTLEARN_RUN_DIR/secrets/a.key";
    let output = ended(&container, &["sh", "-c", script]);
    check_end(&output, 0);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!("/run/lyftlearn/secrets\n{}", world.canary.value())
    );
    // If no place is in memory, this is reported, although the program has the secrets.
    assert!(stderr(&output).contains("memory"), "{}", stderr(&output));
    let left = || {
        assert!(world.path("run/lyftlearn/workload.json").exists());
        world.path("run/lyftlearn/secrets").symlink_metadata()
    };
    assert!(left().is_err());

    let output = ended(
        &container.mount("/dev/shm", "/dev/shm"),
        &["sh", "-c", script],
    );
    check_end(&output, 0);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let (place, value) = shown.split_once('\n').unwrap();
    assert!(place.starts_with("/dev/shm/lyftlearn-secrets-"), "{place}");
    assert_eq!(value, world.canary.value());
    assert!(!stderr(&output).contains("problem"), "{}", stderr(&output));
    assert!(left().is_err() && !std::path::Path::new(place).exists());
}

#[test]
fn they_are_the_programs_users_own() {
    needs_namespaces!();
    let world = World::new();
    world.file("volume/a", "one");
    let container = world
        .sharing("user = \"1000:1000\"\n[secrets.a]\nfrom = \"file:/etc/volume/a\"\nfile = true\nrefresh = 1\n")
        .mount_read_only(world.path("volume"), "/etc/volume");
    std::fs::set_permissions(
        world.path("shared"),
        std::os::unix::fs::PermissionsExt::from_mode(0o777),
    )
    .unwrap();
    let script =
        "cd $LYFTLEARN_RUN_DIR/secrets; stat -Lc '%a %u:%g %n' . a; cat a; touch /shared/ready
        while [ $(cat a) = one ]; do :; done; stat -Lc '%a %u:%g %n' . a; cat a";
    let running = container.run(&["sh", "-c", script]);
    appears(&world.path("shared/ready"));
    world.file("volume/a", "two");
    let output = running.end();
    check_end(&output, 0);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "700 1000:1000 .\n400 1000:1000 a\none700 1000:1000 .\n400 1000:1000 a\ntwo"
    );
}

#[test]
fn confidants_service_is_what_confidant_format_makes_of_it() {
    needs_namespaces!();
    let servers = servers!();
    let world = World::new();
    let settings = "[secrets.ranking]\nfrom = \"confidant://ranking-prod\"\nfile = true\n";
    let container = servers.container(&world, settings);
    let script = "cp $LYFTLEARN_RUN_DIR/secrets/ranking /shared/combined; exec env -0";
    let output = ended(&container, &["sh", "-c", script]);
    check_end(&output, 0);
    let golden = &servers.ready["golden"];
    let expected: BTreeMap<String, String> =
        serde_json::from_value(golden["variables"].clone()).unwrap();
    let found = variables(&output);
    for (name, value) in &expected {
        assert_eq!(found.get(name), Some(value), "{name}");
    }
    let ours = found
        .keys()
        .filter(|name| name.starts_with("CREDENTIALS_"))
        .count();
    let theirs = expected
        .keys()
        .filter(|name| name.starts_with("CREDENTIALS_"))
        .count();
    assert_eq!(ours, theirs, "{:?}", found.keys());
    let combined = std::fs::read_to_string(world.path("shared/combined")).unwrap();
    assert_eq!(combined, golden["combined"].as_str().unwrap());
    // kmsauth found nothing wrong with any request.
    assert_eq!(servers.seen()["wrong"], json!([]));
    // Three keys that make no variable's name.
    expect![[r#"
        lyftlearn-runtime: local (host), job; secret ranking: its key "2nd" is not a valid variable name; secret ranking: its key "with-dash" is not a valid variable name; secret ranking: its key "bad key" is not a valid variable name
    "#]].assert_eq(&stderr(&output));
}

#[test]
fn what_the_platform_has_injected_is_not_fetched() {
    needs_namespaces!();
    let world = World::new();
    // Nothing listens there, and nothing is asked.
    let settings = "[secrets.token]\nfrom = \"aws-secretsmanager:prod/token\"\n\
                    [secrets.blank]\nfrom = \"aws-secretsmanager:prod/token\"\n\
                    [secrets.ranking]\nfrom = \"confidant://ranking-prod\"\n";
    let container = world
        .pod(settings, "{}")
        .variable("TOKEN", "injected")
        .variable("BLANK", "")
        .variable("CREDENTIALS_PASSWORD", "injected, too");
    let script = "cat $LYFTLEARN_RUN_DIR/secrets/..data/.all.json";
    let output = ended(&container, &["sh", "-c", script]);
    check_end(&output, 0);
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(all["token"], json!({"text": "injected"}));
    assert_eq!(all["blank"], json!({"text": ""}));
    assert_eq!(
        all["ranking"]["pairs"],
        json!([{"key": "password", "value": "injected, too"}])
    );
}

#[test]
fn what_only_looks_injected_is_fetched() {
    needs_namespaces!();
    let servers = servers!();
    let world = World::new();
    // A Service called `credentials`, and one key of a bundle that no webhook knows.
    let settings = "[secrets.ranking]\nfrom = \"confidant://ranking-prod\"\n\
                    [secrets.db]\nfrom = \"aws-secretsmanager:prod/db\"\nenv_prefix = \"RANKER_\"\n";
    let container = servers
        .pod(&world, settings)
        .variable("CREDENTIALS_PORT", "tcp://10.0.0.1:80")
        .variable("CREDENTIALS_SERVICE_HOST", "10.0.0.1")
        .variable("RANKER_USER", "set");
    let output = ended(&container, SHOW);
    check_end(&output, 0);
    let canary = servers.canary.value();
    check_variables(
        &output,
        &[
            ("CREDENTIALS_PASSWORD", canary),
            ("CREDENTIALS_PORT", "tcp://10.0.0.1:80"),
            ("RANKER_USER", "set"),
            ("RANKER_PASSWORD", canary),
        ],
    );
}

#[test]
fn a_set_variable_stays_unless_the_secret_overrides_it() {
    needs_namespaces!();
    let world = World::new();
    let settings = "[secrets.a]\nfrom = \"file:/etc/a\"\nfile = true\n\
                    [secrets.b]\nfrom = \"file:/etc/a\"\noverride = true\n\
                    [secrets.c]\nfrom = \"file:/etc/a\"\n";
    world.file("a", world.canary.value());
    let container = world
        .sharing(settings)
        .mount_read_only(world.path("a"), "/etc/a")
        .variable("A", "set")
        .variable("B", "set");
    let output = ended(&container, SHOW);
    let canary = world.canary.value();
    check_variables(&output, &[("A", "set"), ("B", canary), ("C", canary)]);

    let argv = [BINARY, "explain", "A", "B", "C"].map(OsString::from);
    let output = container.start(&argv).end();
    check_end(&output, 0);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows: Vec<Vec<&str>> = shown
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect())
        .collect();
    let expected = [
        ["A", "environment", "-"],
        ["overrides", "secret", "secrets.a"],
        ["B", "secret", "secrets.b"],
        ["overrides", "environment", "-"],
        ["C", "secret", "secrets.c"],
    ];
    assert_eq!(rows.len(), expected.len(), "{shown}");
    for (row, expected) in rows.iter().zip(expected) {
        assert_eq!(row[..3], expected, "{shown}");
        assert!(row[3].starts_with("sha256:"), "{shown}");
    }
    world.canary.assert_unseen("explain", shown.as_bytes());

    let plain = container.start(&[BINARY, "env"].map(OsString::from)).end();
    world.canary.assert_unseen("env", &plain.stdout);
    let argv = [BINARY, "env", "--with-secrets"].map(OsString::from);
    let shown = String::from_utf8_lossy(&container.start(&argv).end().stdout).into_owned();
    assert!(shown.contains(&format!("export C={canary}\n")), "{shown}");
}

#[test]
fn exec_has_pid_ones_secrets_or_fetches_its_own() {
    needs_namespaces!();
    let mut servers = servers!();
    let world = World::new();
    let settings = "[secrets.token]\nfrom = \"aws-secretsmanager:prod/token\"\n";
    let container = servers.container(&world, settings);
    let running = container.run(&["sh", "-c", "touch /shared/ready; exec sleep 1000"]);
    appears(&world.path("shared/ready"));
    let before = servers.canary.value().to_owned();
    servers.put("prod/token", "another");
    let ask = [BINARY, "exec", "--", "sh", "-c", "echo $TOKEN"];
    let beside = running.enter(&ask).unwrap();
    assert_eq!(String::from_utf8_lossy(&beside.stdout).trim(), before);
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 143);
    let alone = container.start(&ask.map(OsString::from)).end();
    check_end(&alone, 0);
    assert_eq!(String::from_utf8_lossy(&alone.stdout).trim(), "another");
    // What a helper needs is not left behind for the program. A shell would clear it.
    let mask = [BINARY, "exec", "--", "grep", "SigBlk", "/proc/self/status"];
    let alone = container.start(&mask.map(OsString::from)).end();
    check_end(&alone, 0);
    let shown = String::from_utf8_lossy(&alone.stdout).into_owned();
    assert_eq!(shown, "SigBlk:\t0000000000000000\n");
}

#[test]
fn nothing_that_this_runtime_writes_shows_a_value() {
    needs_namespaces!();
    let servers = servers!();
    let world = World::new();
    let settings = "[secrets.plain]\nfrom = \"aws-secretsmanager:prod/token\"\n\
                    [secrets.ranking]\nfrom = \"confidant://ranking-prod\"\n";
    // The program says its secret in an exception, plainly and in base64.
    let note = r#"import base64, json, os, time
value = os.environ["PLAIN"]
said = f"cannot log in with {value} or {base64.b64encode(value.encode()).decode()}"
directory = os.environ["LYFTLEARN_EXCEPTIONS_DIR"]
note = {"type": "ValueError", "message": said, "pid": os.getpid(), "main_thread": True, "time": time.monotonic()}
with open(f"{directory}/1.json", "w") as file: json.dump(note, file)
os.system("cp $LYFTLEARN_RUN_DIR/*.json /shared/; for p in /proc/[0-9]*; do cat $p/cmdline; done | grep -av VALUE >/shared/lines")
raise SystemExit(1)
"#;
    std::fs::create_dir(world.path("run")).unwrap();
    world.file("shared/note.py", note);
    world.file("shared/log", "");
    let container = servers
        .container(&world, settings)
        .mount(world.path("run"), "/run")
        .mount(world.path("shared/log"), "/dev/termination-log");
    let output = ended(&container, &[find_python(), "/shared/note.py".into()]);
    check_end(&output, 1);
    for (what, text) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        servers.canary.assert_unseen(what, text);
    }
    let mut looked_at = 0;
    for directory in ["shared", "run/lyftlearn"] {
        for entry in std::fs::read_dir(world.path(directory)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let bytes = std::fs::read(&path).unwrap();
                let what = path.display().to_string();
                servers.canary.assert_unseen(&what, &bytes);
                looked_at += 1;
            }
        }
    }
    assert!(looked_at >= 7, "{looked_at}");
    let outcome = std::fs::read_to_string(world.path("run/lyftlearn/outcome.json")).unwrap();
    let said = "cannot log in with [redacted] or [redacted]";
    assert!(outcome.contains(said), "{outcome}");
    for words in [
        &["inspect", "--json"][..],
        &["snapshot"],
        &["explain", "--json"],
        &["env"],
    ] {
        let argv = std::iter::once(BINARY).chain(words.iter().copied());
        let argv: Vec<OsString> = argv.map(Into::into).collect();
        let shown = container.start(&argv).end();
        check_end(&shown, 0);
        servers.canary.assert_unseen(words[0], &shown.stdout);
        servers.canary.assert_unseen(words[0], &shown.stderr);
    }
}

#[test]
fn a_file_follows_its_secret_and_the_program_gets_a_signal() {
    needs_namespaces!();
    let mut servers = servers!();
    let world = World::new();
    let settings = "[secrets.token]\nfrom = \"aws-secretsmanager:prod/token\"\nfile = true\nrefresh = 1\n\
                    on_change = \"SIGUSR1\"\n[secrets.still]\nfrom = \"aws-ssm:/versions\"\nfile = true\nrefresh = 1\n";
    let container = servers.container(&world, settings);
    let script = "trap 'cat $LYFTLEARN_RUN_DIR/secrets/token >/shared/told' USR1
        cd $LYFTLEARN_RUN_DIR/secrets; cat token; echo; touch /shared/ready; trap 'ls -A; exit 0' TERM
        while :; do sleep 1000 & wait; done";
    let running = container.run(&["sh", "-c", script]);
    appears(&world.path("shared/ready"));
    servers.put("prod/token", "another");
    let told = world.path("shared/told");
    let read = || std::fs::read_to_string(&told).ok();
    let told = wait::until(|| read().filter(|text| !text.is_empty()));
    assert_eq!(told.as_deref(), Some("another"));
    running.signal(Signal::SIGTERM);
    let output = running.end();
    check_end(&output, 0);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = shown.lines();
    assert_eq!(lines.next(), Some(servers.canary.value()));
    // One set, the link to it, and the names.
    let left: Vec<&str> = lines
        .filter(|name| !name.starts_with("..") || *name == "..data")
        .collect();
    assert_eq!(left, ["..data", "still", "token"]);
}

#[test]
fn the_python_package_has_the_secrets_and_sees_changes() {
    needs_namespaces!();
    let Some(python) = programs::python_with_wheel() else {
        return;
    };
    let mut servers = servers!();
    let place = "import os, lyftlearn_runtime as rt; print(os.path.dirname(rt.__file__))";
    let place = programs::asked(&python, place);
    let world = World::new();
    let settings = "[secrets.token]\nfrom = \"aws-secretsmanager:prod/token\"\nfile = true\nrefresh = 1\n\
                    [secrets.db]\nfrom = \"aws-secretsmanager:prod/db\"\n\
                    [secrets.ranking]\nfrom = \"confidant://ranking-prod\"\n";
    let container = servers
        .container(&world, settings)
        .mount_read_only(place, "/site/lyftlearn_runtime")
        .variable("PYTHONPATH", "/site");
    let script = "import threading, lyftlearn_runtime as rt\n\
         changed = threading.Event()\n\
         @rt.secrets.on_change\n\
         def tell(secrets, names): print(secrets['token'].text, *names); changed.set()\n\
         print(rt.secrets['token'].text, rt.secrets['db']['port'], rt.secrets['ranking']['blind'], *rt.secrets, flush=True)\n\
         open('/shared/ready', 'w')\n\
         changed.wait()\n";
    let running = container.run(&[find_python(), "-c".into(), script.into()]);
    appears(&world.path("shared/ready"));
    servers.put("prod/token", "another");
    let output = running.end();
    check_end(&output, 0);
    let canary = servers.canary.value();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!("{canary} 5432 {canary} db ranking token\nanother token\n")
    );
}
