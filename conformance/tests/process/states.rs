//! The states of a job, told while it runs and at its end: into a file, which needs no network.

use expect_test::expect;

use super::export::free_port;
use super::*;

const JOB: &str = "[job]\nname = \"8812\"\n[events]\nto = [\"file:/shared/events\"]\n";

/// Every event, in the order in which it was told.
fn told(world: &World) -> Vec<Value> {
    let text = std::fs::read(world.path("shared/events")).unwrap_or_default();
    world.canary.assert_unseen("the events", &text);
    let lines = text.split(|byte| *byte == b'\n');
    lines
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

fn detail(event: &Value) -> &Value {
    &event["detail"]
}

/// The states without repetitions, each with its secondary one.
fn states(events: &[Value]) -> Vec<String> {
    events
        .iter()
        .map(detail)
        .filter(|detail| detail["LyftLearn"].get("Heartbeat").is_none())
        .map(|detail| {
            let text = |name: &str| detail[name].as_str().unwrap_or_default().to_owned();
            format!(
                "{}/{}",
                text("ProcessingJobStatus"),
                text("SecondaryStatus")
            )
        })
        .collect()
}

/// What holds of all events of one start.
#[track_caller]
fn check_order(events: &[Value]) {
    let mut last = 0;
    for event in events {
        let own = &detail(event)["LyftLearn"];
        let sequence = own["Sequence"].as_u64().unwrap();
        assert!(sequence > last, "{sequence} after {last}");
        last = sequence;
        let id = format!("{}-{sequence}", own["Attempt"].as_str().unwrap());
        assert_eq!(event["id"], id.as_str());
        assert_eq!(own["EventId"], id.as_str());
        assert_eq!(own["Attempt"], detail(&events[0])["LyftLearn"]["Attempt"]);
        let created = &detail(&events[0])["CreationTime"];
        assert_eq!(&detail(event)["CreationTime"], created);
    }
}

/// Waits until so many events were told.
#[track_caller]
fn wait_for(world: &World, count: usize) -> Vec<Value> {
    let enough = wait::until(|| {
        let events = told(world);
        (events.len() >= count).then_some(events)
    });
    enough.unwrap_or_else(|| panic!("{count} events do not come: {:#?}", told(world)))
}

/// With `/run` to look into.
fn looked_into(world: &World, settings: &str) -> Sandbox {
    std::fs::create_dir_all(world.path("run")).unwrap();
    world.sharing(settings).mount(world.path("run"), "/run")
}

fn outcome(world: &World) -> Value {
    serde_json::from_slice(&std::fs::read(world.path("run/lyftlearn/outcome.json")).unwrap())
        .unwrap()
}

#[test]
fn a_job_tells_its_start_and_its_end() {
    needs_namespaces!();
    let world = World::new();
    let container = unhurried(looked_into(&world, JOB));
    let script = "while ! [ -e /shared/go ]; do sleep 0.01; done; exit 3";
    let running = container.run(&["sh", "-c", script]);
    wait_for(&world, 1);
    world.file("shared/go", "");
    check_end(&running.end(), 3);
    let events = told(&world);
    check_order(&events);
    assert_eq!(states(&events), ["InProgress/InProgress", "Failed/Failed"]);
    let (start, end) = (detail(&events[0]), detail(events.last().unwrap()));
    assert_eq!(
        events[0]["detail-type"],
        "SageMaker Processing Job State Change"
    );
    assert_eq!(events[0]["source"], "lyftlearn.runtime");
    assert_eq!(start["ProcessingJobName"], "8812");
    let lease = start["LyftLearn"]["LeaseExpires"].as_u64().unwrap();
    assert_eq!(lease - start["LastModifiedTime"].as_u64().unwrap(), 300_000);
    assert_eq!(start["ProcessingStartTime"], end["ProcessingStartTime"]);
    assert_eq!(end["LyftLearn"]["Class"], "user-error");
    assert_eq!(end["LyftLearn"]["ExitCode"], 3);
    let reason = end["FailureReason"].as_str().unwrap();
    expect!["user error: the program ended with exit code 3"].assert_eq(reason);
    assert_eq!(end["ExitMessage"], reason);
    assert_eq!(outcome(&world)["events"], json!({"undelivered": 0}));
}

#[test]
fn a_program_that_ends_at_once_sends_its_end() {
    needs_namespaces!();
    let world = World::new();
    check_end(&ended(&looked_into(&world, JOB), &["true"]), 0);
    let events = told(&world);
    check_order(&events);
    assert_eq!(*states(&events).last().unwrap(), "Completed/Completed");
    let completed = events
        .iter()
        .filter(|event| detail(event)["LyftLearn"].get("Class").is_some());
    assert_eq!(completed.count(), 1);
}

#[test]
fn a_heartbeat_repeats_the_state() {
    needs_namespaces!();
    let world = World::new();
    let container = looked_into(&world, &format!("{JOB}heartbeat_seconds = 1\n"));
    let running = container.run(&["sleep", "1000"]);
    let events = wait_for(&world, 3);
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 143);
    check_order(&events);
    let beats: Vec<&Value> = events
        .iter()
        .map(|event| &detail(event)["LyftLearn"]["Heartbeat"])
        .collect();
    assert_eq!(beats, [&Value::Null, &json!(true), &json!(true)]);
    assert_eq!(detail(&events[2])["ProcessingJobStatus"], "InProgress");
}

#[test]
fn a_requested_stop_is_sent() {
    needs_namespaces!();
    let world = World::new();
    let container = unhurried(looked_into(&world, JOB));
    let script = "trap 'while ! [ -e /shared/go ]; do sleep 0.01; done; exit 0' TERM
                  touch /shared/ready; while :; do sleep 0.01; done";
    let running = container.run(&["sh", "-c", script]);
    appears(&world.path("shared/ready"));
    wait_for(&world, 1);
    running.signal(Signal::SIGTERM);
    // It comes while the program still saves.
    let events = wait_for(&world, 2);
    assert_eq!(states(&events)[1], "Stopping/Stopping");
    world.file("shared/go", "");
    check_end(&running.end(), 0);
    let events = told(&world);
    check_order(&events);
    assert_eq!(
        states(&events),
        [
            "InProgress/InProgress",
            "Stopping/Stopping",
            "Stopped/Stopped"
        ]
    );
    let end = detail(events.last().unwrap());
    assert_eq!(end["LyftLearn"]["Class"], "stopped");
    assert_eq!(end["LyftLearn"]["StopSignal"], "SIGTERM");
    assert_eq!(end.get("FailureReason"), None);
    let transitions = end["SecondaryStatusTransitions"].as_array().unwrap();
    let names: Vec<&Value> = transitions.iter().map(|one| &one["Status"]).collect();
    assert_eq!(names, ["Starting", "InProgress", "Stopping", "Stopped"]);
}

#[test]
fn a_program_killed_after_its_grace_is_sent_as_stopped() {
    needs_namespaces!();
    let world = World::new();
    let settings = format!("{JOB}{}", stopping::SEVEN_SECONDS);
    let running = looked_into(&world, &settings).run(&["sh", "-c", &stopping::deaf("TERM")]);
    appears(&world.path("shared/ready"));
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 137);
    let events = told(&world);
    check_order(&events);
    let end = detail(events.last().unwrap());
    assert_eq!(end["ProcessingJobStatus"], "Stopped");
    assert_eq!(end["LyftLearn"]["Class"], "budget-exceeded");
}

#[test]
fn a_failed_start_is_sent_as_failed() {
    needs_namespaces!();
    // There is no such program; a secret that is required is not there.
    let secret = "[secrets.db]\nfrom = \"file:/nowhere\"\n";
    for (settings, program, code) in [
        (JOB.to_owned(), "/nowhere", 127),
        (format!("{JOB}{secret}"), "true", 125),
    ] {
        let world = World::new();
        check_end(&ended(&looked_into(&world, &settings), &[program]), code);
        let events = told(&world);
        assert_eq!(states(&events), ["Failed/Failed"], "{program}");
        let end = detail(&events[0]);
        assert_eq!(end.get("ProcessingStartTime"), None);
        assert_eq!(end["LyftLearn"]["Class"], "not-started");
        assert!(end["FailureReason"].as_str().unwrap().contains("/nowhere"));
    }
}

#[test]
fn a_run_below_another_is_not_the_jobs_voice() {
    needs_namespaces!();
    let world = World::new();
    let script = format!("{BINARY} run false; exit 0");
    check_end(&ended(&looked_into(&world, JOB), &["sh", "-c", &script]), 0);
    let events = told(&world);
    check_order(&events);
    assert_eq!(*states(&events).last().unwrap(), "Completed/Completed");
}

#[test]
fn a_start_that_settings_stop_tells_nothing() {
    needs_namespaces!();
    let world = World::new();
    let settings = format!("{JOB}heartbeat_seconds = \"often\"\n");
    check_end(&ended(&looked_into(&world, &settings), &["true"]), 125);
    assert_eq!(told(&world), Vec::<Value>::new());
}

#[test]
fn without_a_destination_nothing_is_there_to_tell() {
    needs_namespaces!();
    let world = World::new();
    let container = looked_into(&world, "[job]\nname = \"8812\"\n");
    let output = ended(
        &container,
        &[
            "sh",
            "-c",
            "cat $LYFTLEARN_RUN_DIR/workload.json; ls /proc/1/task/1/children && cat /proc/1/task/1/children",
        ],
    );
    check_end(&output, 0);
    assert!(!String::from_utf8_lossy(&output.stdout).contains("\"events\""));
    assert_eq!(outcome(&world).get("events"), None);
}

/// The program's own message, as the Python package notes it, with the planted secret in three
/// spellings; and the same in its progress.
#[test]
fn a_long_progress_is_told_by_its_beginning() {
    needs_namespaces!();
    let world = World::new();
    let message = format!("{}{}", "a".repeat(200), "b".repeat(200));
    let script = format!(
        r#"printf '{{"fraction": 0.5, "message": "{message}"}}' > $LYFTLEARN_RUN_DIR/progress.json
        while ! [ -e /shared/go ]; do sleep 0.01; done"#
    );
    let settings = format!("{JOB}heartbeat_seconds = 1\n");
    let running = unhurried(looked_into(&world, &settings)).run(&["sh", "-c", &script]);
    let said = wait::until(|| {
        let events = told(&world);
        let progress = |event: &Value| detail(event)["LyftLearn"].get("Progress").cloned();
        events.iter().find_map(progress)
    });
    world.file("shared/go", "");
    check_end(&running.end(), 0);
    let expected = format!("{}{}…", "a".repeat(200), "b".repeat(55));
    assert_eq!(said.expect("the progress is told")["Message"], expected);
}

#[test]
fn an_agent_starts_however_long_its_config_is() {
    needs_namespaces!();
    let world = World::new();
    let names: Vec<String> = (0..5000)
        .map(|number| format!("\"VARIABLE_WITH_A_LONG_NAME_{number:05}\""))
        .collect();
    let settings = format!("{JOB}[outcome]\nredact = [{}]\n", names.join(", "));
    let running = looked_into(&world, &settings).run(&[
        "sh",
        "-c",
        "while ! [ -e /shared/go ]; do sleep 0.01; done",
    ]);
    wait_for(&world, 1);
    world.file("shared/go", "");
    check_end(&running.end(), 0);
    let last = wait_for(&world, 2).pop().unwrap();
    assert_eq!(detail(&last)["ProcessingJobStatus"], "Completed");
}

#[test]
fn a_secret_is_in_no_event() {
    needs_namespaces!();
    let world = World::new();
    let script = r#"
        url=$(printf %s "$DB_PASSWORD" | sed 's/-/%2D/')
        base64=$(printf %s "$DB_PASSWORD" | base64 -w0)
        message="cannot connect: $DB_PASSWORD, $base64, $url"
        now=$(cut -d' ' -f1 /proc/uptime)
        printf '{"fraction": 0.5, "message": "%s"}' "$message" > $LYFTLEARN_RUN_DIR/progress.json
        printf '{"type": "ValueError", "message": "%s", "pid": %s, "time": %s, "main_thread": true}' \
            "$message" $$ "$now" > $LYFTLEARN_EXCEPTIONS_DIR/1.json
        while ! [ -e /shared/go ]; do sleep 0.01; done
        exit 1"#;
    let settings =
        format!("{JOB}heartbeat_seconds = 1\n[secrets.db]\nfrom = \"env:DB_PASSWORD\"\n");
    let running = unhurried(looked_into(&world, &settings)).run(&["sh", "-c", script]);
    let said = wait::until(|| {
        let events = told(&world);
        let progress = |event: &Value| detail(event)["LyftLearn"].get("Progress").cloned();
        events.iter().find_map(progress)
    });
    let said = said.expect("the progress is told");
    assert_eq!(said["Fraction"], 0.5);
    let message = said["Message"].as_str().unwrap();
    assert!(
        message.starts_with("cannot connect: [redacted], "),
        "{message}"
    );
    world.file("shared/go", "");
    check_end(&running.end(), 1);
    // `told` looks for the secret as it is; here is what else it looks like.
    let events = told(&world);
    let text = format!("{events:?}");
    let reason = detail(events.last().unwrap())["FailureReason"]
        .as_str()
        .unwrap();
    assert!(
        reason.starts_with("ValueError: cannot connect: [redacted]"),
        "{reason}"
    );
    let base64 = base64(world.canary.value().as_bytes());
    assert!(!text.contains(&base64[..base64.len() - 4]), "{text}");
}

#[test]
fn a_destination_that_cannot_be_reached_costs_one_line_at_the_end() {
    needs_namespaces!();
    let world = World::new();
    let settings = "[job]\nname = \"8812\"\n[events]\n\
                    to = [\"http://127.0.0.1:9/ml?key=hunter2\", \"file:/shared/events\"]\n\
                    end_seconds = 5\n";
    let output = ended(&looked_into(&world, settings), &["true"]);
    check_end(&output, 0);
    let stderr = String::from_utf8(output.stderr).unwrap();
    let last = stderr.lines().last().unwrap();
    expect!["lyftlearn-runtime: 1 job event was not delivered to http://127.0.0.1:9/ml: connection failed"]
        .assert_eq(last);
    assert!(!stderr.contains("hunter2"));
    assert_eq!(outcome(&world)["events"], json!({"undelivered": 1}));
    // No destination waits for another.
    assert_eq!(
        *states(&told(&world)).last().unwrap(),
        "Completed/Completed"
    );
}

/// Answers every request with success.
fn sink(port: u16) {
    use std::io::{Read, Write};

    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 32 << 10];
            let _ = stream.read(&mut request);
            let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(answer);
        }
    });
}

#[test]
fn a_late_destination_is_reported_as_failed_and_recovered() {
    needs_namespaces!();
    let world = World::new();
    let (port, metrics) = (free_port(), free_port());
    let settings = format!(
        "[job]\nname = \"8812\"\n[events]\nto = [\"http://127.0.0.1:{port}/ml?key=hunter2\"]\n\
         heartbeat_seconds = 1\n[metrics]\nlisten = \"127.0.0.1:{metrics}\"\n"
    );
    let script = "touch /shared/ready; exec sleep 1000";
    let running = looked_into(&world, &settings).run(&["sh", "-c", script]);
    appears(&world.path("shared/ready"));
    let counted = |result: &str| {
        let series = format!(
            "lyftlearn_runtime_events_total{{result=\"{result}\",to=\"http://127.0.0.1:{port}/ml\"}}"
        );
        let found = wait::until(|| runtime_metrics::shown(metrics, &series));
        assert!(found.is_some_and(|count| count >= 1.0), "{series}");
    };
    counted("failed");
    sink(port);
    counted("delivered");
    running.signal(Signal::SIGTERM);
    let output = running.end();
    check_end(&output, 143);
    let stderr = String::from_utf8(output.stderr).unwrap();
    let said: Vec<String> = stderr
        .lines()
        .filter(|line| line.contains("event=job-event"))
        .map(|line| line.replace(&port.to_string(), "PORT"))
        .collect();
    expect![[r#"
        lyftlearn-runtime: level=warn event=job-event-not-delivered to=http://127.0.0.1:PORT/ml cause="connection failed"
        lyftlearn-runtime: level=warn event=job-events-delivered-again to=http://127.0.0.1:PORT/ml"#]]
    .assert_eq(&said.join("\n"));
    assert!(!stderr.contains("hunter2"));
}

/// The process that tells the end holds the headers for as long as its sink is deaf.
#[test]
fn the_process_that_sends_the_end_shows_no_token() {
    needs_namespaces!();
    let world = World::new();
    let sink = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = sink.local_addr().unwrap().port();
    let settings = format!(
        "[job]\nname = \"8812\"\n[events]\nto = [\"http://127.0.0.1:{port}/ml\"]\n\
         headers_variable = \"SINK_HEADERS\"\nend_seconds = 30\nheartbeat_seconds = 0\n\
         lifecycle = \"on\"\n"
    );
    // As another user than root: then the owner of its files in /proc shows whether it may be
    // looked into.
    let container = looked_into(&world, &settings).user(1000).variable(
        "SINK_HEADERS",
        format!("authorization=Bearer {}", world.canary.value()),
    );
    for directory in ["run", "shared"] {
        let anybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(world.path(directory), anybody).unwrap();
    }
    let running = container.run(&["sh", "-c", "exit 3"]);
    // Accepted, and never answered: the request of the end is the last one.
    let (found, deaf) = (running.pid_one(), std::cell::RefCell::new(Vec::new()));
    sink.set_nonblocking(true).unwrap();
    let helper = wait::until(|| {
        if let Ok((stream, _)) = sink.accept() {
            deaf.borrow_mut().push(stream);
        }
        child_of(found, b"--outcome").filter(|_| !deaf.borrow().is_empty())
    });
    let helper = helper.expect("the end is told");
    let line = std::fs::read(format!("/proc/{helper}/cmdline")).unwrap();
    world.canary.assert_unseen("argv", &line);
    assert!(!line.is_empty());
    let owner = |pid: i32| {
        let meta = std::fs::metadata(format!("/proc/{pid}/environ")).ok()?;
        Some(std::os::unix::fs::MetadataExt::uid(&meta))
    };
    assert_eq!(owner(found), Some(1000));
    let looked = wait::until(|| (owner(helper) == Some(0)).then_some(()));
    assert!(looked.is_some());
    drop(deaf);
    drop(sink);
    check_end(&running.end(), 3);
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    let bits: Vec<u8> = bits.collect();
    let letter = |six: &[u8]| {
        let number = six
            .iter()
            .fold(0_usize, |number, bit| number << 1 | usize::from(*bit));
        char::from(LETTERS[number << (6 - six.len())])
    };
    bits.chunks(6).map(letter).collect()
}

/// A process below PID 1 with this argument.
fn child_of(one: i32, word: &[u8]) -> Option<i32> {
    let children = std::fs::read_to_string(format!("/proc/{one}/task/{one}/children")).ok()?;
    children.split_whitespace().find_map(|child| {
        let line = std::fs::read(format!("/proc/{child}/cmdline")).ok()?;
        let found = line.split(|byte| *byte == 0).any(|found| found == word);
        found.then(|| child.parse().ok()).flatten()
    })
}
