//! Each state of a job, and each end, as the consumer has it afterwards.

use std::time::Instant;

use super::*;

#[test]
fn one_job_comes_through_every_destination() {
    needs_servers!();
    let sink = Between::sink();
    let to = [
        "eventbridge:ml".to_owned(),
        queue("direct"),
        queue("direct.fifo"),
        format!("{}/jobs?key=hunter2", sink.url()),
    ];
    let job = Told::new(to).with("tags = [\"platform_job=8812\"]\nheaders_variable = \"KEY\"\n");
    let container = job
        .container()
        .variable("KEY", format!("x-key={}", job.world.canary.value()));
    // It runs until every destination has its start.
    let running = container.run(&["sh", "-c", "until [ -e /shared/go ]; do sleep 0.05; done"]);
    for queue in ["by-rule", "by-rule.fifo", "direct", "direct.fifo"] {
        let start = job.waits_for(queue, "InProgress");
        assert!(own(&start, "LeaseExpires").is_u64(), "{start:#}");
    }
    sink.waits_for(|_| true);
    job.world.file("shared/go", "");
    job.check(&running.end(), 0);
    for queue in ["by-rule", "by-rule.fifo", "direct", "direct.fifo"] {
        let row = job.row(queue);
        assert_eq!(
            (&row["status"], &row["lease"]),
            (&json!("Completed"), &Value::Null)
        );
        let (events, _) = job.told(queue);
        assert_eq!(statuses(&events), ["InProgress", "Completed"], "{queue}");
        let [start, end] = [&events[0], &events[1]];
        assert_eq!(end["source"], "lyftlearn.runtime");
        assert_eq!(end["detail-type"], "SageMaker Processing Job State Change");
        assert_eq!(end["detail"]["Tags"], json!({"platform_job": "8812"}));
        assert_eq!(own(end, "Attempt"), own(start, "Attempt"));
        assert!(own(end, "Sequence").as_u64() > own(start, "Sequence").as_u64());
        assert_eq!(own(end, "Class"), "completed");
        let id = format!(
            "{}-{}",
            own(end, "Attempt").as_str().unwrap(),
            own(end, "Sequence")
        );
        assert_eq!(own(end, "EventId"), &json!(id));
    }
    let requests = sink.seen();
    assert_eq!(requests.len(), 2, "{requests:#?}");
    assert_eq!(requests[1]["path"], "/jobs?key=hunter2");
    let headers = &requests[1]["headers"];
    assert_eq!(headers["x-key"], job.world.canary.value());
    assert_eq!(headers["content-type"], "application/cloudevents+json");
    let event = &sink.bodies()[1];
    assert_eq!(
        (&event["specversion"], &event["type"]),
        (&json!("1.0"), &json!("lyftlearn.job.state"))
    );
    assert_eq!(event["subject"], json!(job.job));
    assert_eq!(event["sequence"].as_str().unwrap().len(), 15);
    job.unseen("a CloudEvent", event.to_string().as_bytes());
}

#[test]
fn a_job_that_ends_at_once_is_reported_once_and_correctly() {
    needs_servers!();
    let job = Told::new([queue("direct.fifo")]);
    job.ended("exit 3", 3);
    let row = job.row("direct.fifo");
    assert_eq!(row["status"], "Failed");
    let (events, _) = job.told("direct.fifo");
    let ends = statuses(&events);
    assert_eq!(ends.iter().filter(|status| *status == "Failed").count(), 1);
}

#[test]
fn a_file_has_a_line_for_each_state() {
    needs_namespaces!();
    let world = World::new();
    let settings = "job.name = \"ranker\"\n[events]\nto = [\"file:/shared/events\"]\n";
    let running = world.sharing(settings).run(&[
        "sh",
        "-c",
        "until [ -e /shared/go ]; do sleep 0.05; done; exit 1",
    ]);
    appears(&world.path("shared/events"));
    world.file("shared/go", "");
    check_end(&running.end(), 1);
    let text = std::fs::read_to_string(world.path("shared/events")).unwrap();
    world.canary.assert_unseen("the file", text.as_bytes());
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(statuses(&lines), ["InProgress", "Failed"]);
}

#[test]
fn an_exception_is_the_reason_without_its_secrets() {
    needs_servers!();
    let job = Told::new([queue("direct"), "eventbridge:ml".to_owned()])
        .with("[secrets.db]\nfrom = \"file:/secrets/db\"\nenv = \"DB\"\n");
    job.world.file("secrets/db", job.world.canary.value());
    let program = "import base64, os\nsecret = os.environ['DB']\n\
                   coded = base64.b64encode(secret.encode()).decode()\n\
                   raise ValueError(f'no way: {secret} {coded} https://user:{secret}@db/x')\n";
    job.world.file("programs/failing.py", program);
    let container = super::super::causes::noting(&job.world, job.container())
        .mount_read_only(job.world.path("secrets"), "/secrets");
    let output = container
        .run(&["sh", "-c", "exec $PY /programs/failing.py 2>/dev/null"])
        .end();
    job.check(&output, 1);
    for queue in ["direct", "by-rule"] {
        let row = job.row(queue);
        assert_eq!(row["status"], "Failed");
        let reason = row["reason"].as_str().unwrap();
        assert!(reason.starts_with("ValueError: no way: "), "{reason}");
        assert!(reason.encode_utf16().count() <= 1_024);
        let (events, _) = job.told(queue);
        let coded = base64(job.world.canary.value());
        assert!(!json!(events).to_string().contains(&coded), "{events:#?}");
    }
}

/// As Python writes it.
fn base64(text: &str) -> String {
    let mut coding = std::process::Command::new(find_python());
    coding.args([
        "-c",
        "import base64,sys;print(base64.b64encode(sys.argv[1].encode()).decode())",
    ]);
    let output = command::output(coding.arg(text));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_stop_is_sent_when_requested_and_when_finished() {
    needs_servers!();
    let job = Told::new([queue("direct")]);
    let script = "trap 'until [ -e /shared/go ]; do sleep 0.05; done; exit 0' TERM
                  touch /shared/ready; while :; do sleep 0.05; done";
    let running = job.shell(script);
    appears(&job.world.path("shared/ready"));
    job.waits_for("direct", "InProgress");
    running.signal(Signal::SIGTERM);
    job.waits_for("direct", "Stopping");
    job.world.file("shared/go", "");
    job.check(&running.end(), 0);
    let row = job.row("direct");
    assert_eq!(row["status"], "Stopped");
    let end = job.waits_for("direct", "Stopped");
    assert_eq!(own(&end, "Class"), "stopped");
    assert_eq!(own(&end, "StopSignal"), "SIGTERM");
    let transitions = end["detail"]["SecondaryStatusTransitions"]
        .as_array()
        .unwrap();
    let names = transitions
        .iter()
        .map(|one| one["Status"].as_str().unwrap());
    let names: Vec<&str> = names.collect();
    assert_eq!(names, ["Starting", "InProgress", "Stopping", "Stopped"]);
}

#[test]
fn a_stop_while_a_start_waits_for_a_secret_is_sent() {
    needs_servers!();
    let deaf = Between::new(&json!(["hang"]));
    let settings = "[secrets.db]\nfrom = \"aws-secretsmanager:prod/db\"\nenv = \"DB\"\n";
    let job = Told::new([queue("direct")]).with(settings);
    let container = job
        .container()
        .variable("AWS_ENDPOINT_URL_SECRETS_MANAGER", deaf.url());
    let running = container.run(&["sh", "-c", "touch /shared/begun"]);
    deaf.waits_for(|_| true);
    running.signal(Signal::SIGTERM);
    let output = running.end();
    job.unseen("stderr", &output.stderr);
    assert!(!job.world.path("shared/begun").exists());
    let row = job.row("direct");
    let (events, _) = job.told("direct");
    assert_eq!(statuses(&events).len(), 1, "{events:#?}");
    assert_eq!(own(&events[0], "StopSignal"), "SIGTERM");
    assert_eq!(row["status"], "Stopped", "{events:#?}");
}

#[test]
fn an_agent_that_is_killed_while_a_stop_is_under_way_costs_nothing() {
    needs_servers!();
    let job = Told::new([queue("direct")]);
    let script =
        "trap 'touch /shared/stopping; until [ -e /shared/go ]; do sleep 0.05; done; exit 0' TERM
                  touch /shared/ready; while :; do sleep 0.05; done";
    let running = job.shell(script);
    appears(&job.world.path("shared/ready"));
    job.waits_for("direct", "InProgress");
    let one = running.pid_one();
    running.signal(Signal::SIGTERM);
    appears(&job.world.path("shared/stopping"));
    let first = super::super::agent::agent(one, None);
    super::super::agent::kill(first, Signal::SIGKILL);
    // It is sent, whichever of the two processes saw the stop.
    job.waits_for("direct", "Stopping");
    job.world.file("shared/go", "");
    job.check(&running.end(), 0);
    assert_eq!(job.row("direct")["status"], "Stopped");
}

#[test]
fn a_start_with_broken_settings_sends_nothing_and_one_without_a_command_does() {
    needs_servers!();
    let sink = Between::sink();
    let broken = Told::new([sink.url()]).with("lease_seconds = 5\n");
    let output = broken.ended("exit 0", 125);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("events.lease_seconds"), "{said}");
    assert_eq!(sink.seen(), Vec::<Value>::new());
    let job = Told::new([sink.url()]);
    let output = job.container().run(&["train"]).end();
    job.check(&output, 127);
    let bodies = sink.bodies();
    assert_eq!(bodies.len(), 1, "{bodies:#?}");
    assert_eq!(bodies[0]["data"]["LyftLearn"]["Class"], "not-started");
}

#[test]
fn a_reason_of_any_letters_arrives_whole_enough() {
    needs_servers!();
    let job = Told::new([queue("direct"), "eventbridge:ml".to_owned()]);
    // The 1,024th unit of UTF-16 would be half of a letter.
    let program = "raise ValueError('\\x01\\x1b[31m' + '\\U0001f525' * 1500)\n";
    job.world.file("programs/failing.py", program);
    let container = super::super::causes::noting(&job.world, job.container());
    let output = container
        .run(&["sh", "-c", "exec $PY /programs/failing.py 2>/dev/null"])
        .end();
    job.check(&output, 1);
    for queue in ["direct", "by-rule"] {
        let row = job.row(queue);
        let reason = row["reason"].as_str().unwrap();
        let units = reason.encode_utf16().count();
        assert!(units <= 1_024 && units > 900, "{units}");
        assert!(
            reason.contains('\u{1f525}') && !reason.contains('\u{fffd}'),
            "{reason}"
        );
        assert!(
            !reason.contains('\u{1}') && !reason.contains('\u{1b}'),
            "{reason}"
        );
    }
}

#[test]
fn a_program_that_does_not_stop_in_time_is_stopped_by_its_budget() {
    needs_servers!();
    let job = Told::new([queue("direct")]);
    let container = job
        .container()
        .variable("LYFTLEARN_RUNTIME_LIFECYCLE_GRACE_SECONDS", "5");
    let running = container.run(&["sh", "-c", &super::super::stopping::deaf("TERM")]);
    appears(&job.world.path("shared/ready"));
    running.signal(Signal::SIGTERM);
    job.check(&running.end(), 137);
    let end = job.waits_for("direct", "Stopped");
    assert_eq!(own(&end, "Class"), "budget-exceeded");
    assert_eq!(job.row("direct")["status"], "Stopped");
}

#[test]
fn a_program_that_is_killed_and_one_that_does_not_exist_have_failed() {
    needs_servers!();
    let job = Told::new([queue("direct")]);
    job.ended("kill -9 $$", 137);
    let end = job.waits_for("direct", "Failed");
    assert_eq!(
        (own(&end, "Class"), own(&end, "Signal")),
        (&json!("signalled"), &json!("SIGKILL"))
    );
    let job = Told::new([queue("direct")]);
    let output = job.container().run(&["/no/such/program"]).end();
    job.check(&output, 127);
    let end = job.waits_for("direct", "Failed");
    assert_eq!(own(&end, "Class"), "not-started");
    let detail = end["detail"].as_object().unwrap();
    assert!(!detail.contains_key("ProcessingStartTime"), "{end:#}");
    assert_eq!(job.row("direct")["status"], "Failed");
}

#[test]
fn a_kill_of_all_processes_leaves_only_the_lease() {
    needs_servers!();
    let job = Told::new([queue("direct")]).with("heartbeat_seconds = 1\nlease_seconds = 3\n");
    let running = job.shell("exec sleep 1000");
    job.waits_for("direct", "InProgress");
    let begun = Instant::now();
    let beats = wait::until(|| {
        let (events, _) = job.told("direct");
        let beats = events
            .iter()
            .filter(|event| own(event, "Heartbeat") == &json!(true));
        (beats.count() >= 2).then_some(())
    });
    assert!(beats.is_some() && begun.elapsed() >= Duration::from_secs(1));
    running.signal(Signal::SIGKILL);
    drop(running.end());
    let row = job.row("direct");
    assert_eq!(row["status"], "InProgress");
    assert!(row["lease"].is_u64(), "{row}");
}

#[test]
fn each_start_is_an_attempt_and_the_later_one_wins() {
    needs_servers!();
    let job = Told::new([queue("direct")]);
    job.ended("exit 1", 1);
    let first = job.waits_for("direct", "Failed");
    job.ended("exit 0", 0);
    let second = job.waits_for("direct", "Completed");
    let attempt = |event| own(event, "Attempt").as_str().unwrap().to_owned();
    assert!(attempt(&first) < attempt(&second));
    assert_eq!(job.row("direct")["status"], "Completed");
}

#[test]
fn another_node_sends_its_failure_only() {
    needs_servers!();
    let node = |code: i32| {
        let job = Told::new([queue("direct")]);
        let container = job
            .known(job.world.pod(&job.settings(), "{}"))
            .variable("LYFTLEARN_RUNTIME_ROLE", "training")
            .variable("LYFTLEARN_RUNTIME_TOPOLOGY_WAIT_SECONDS", "0")
            .variable("PET_NNODES", "2")
            .variable("PET_NODE_RANK", "1")
            .variable("PET_MASTER_ADDR", "127.0.0.1");
        let output = container.run(&["sh", "-c", &format!("exit {code}")]).end();
        job.check(&output, code);
        job.told("direct")
    };
    assert_eq!(node(0), (Vec::new(), Vec::new()));
    let (events, rows) = node(3);
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!(events[0]["detail-type"], "LyftLearn Node State Change");
    assert_eq!(own(&events[0], "Rank"), 1);
    assert_eq!(
        (&rows[0]["rank"], &rows[0]["status"]),
        (&json!(1), &json!("Failed"))
    );
}

#[test]
fn names_of_any_letters_and_lengths_keep_their_order() {
    needs_servers!();
    // Each ends as no other run's does.
    let letters = |letter: &str, count: usize| letter.repeat(count - "job-".len() - 24);
    for name in [
        letters("x", 63),
        letters("x", 64),
        letters("y", 128),
        letters("y", 129),
        letters("z", 253),
        "\u{fc}n\u{ef} \u{1f525}".to_owned(),
    ] {
        let job = Told::new([queue("direct.fifo"), queue("direct")]);
        let name = format!("{name}{}", job.job);
        let job = job.named(&name);
        job.ended("exit 0", 0);
        assert_eq!(job.row("direct.fifo")["status"], "Completed", "{name}");
        assert_eq!(job.row("direct")["name"], json!(name));
    }
}

/// Says how far it is, as the library does: by a rename in the run directory.
const PROGRESS: &str = "cd $LYFTLEARN_RUN_DIR\n\
    printf '{\"fraction\": 0.4, \"message\": \"epoch 4 of 10 %s\"}' \"$DB_PASSWORD\" >.progress\n\
    mv .progress progress.json\n\
    until [ -e /shared/go ]; do sleep 0.05; done; exit 1";

#[test]
fn sagemaker_tells_its_jobs_by_itself_but_for_their_progress() {
    needs_servers!();
    let sink = Between::sink();
    let job = Told::new([sink.url()]);
    let container = job.known(job.world.training(&job.settings(), &json!({})));
    let running = container.run(&["sh", "-c", PROGRESS]);
    sink.waits_for(|_| true);
    job.world.file("shared/go", "");
    job.check(&running.end(), 1);
    let bodies = sink.bodies();
    assert_eq!(bodies.len(), 1, "{bodies:#?}");
    assert_eq!(bodies[0]["type"], "lyftlearn.job.progress");
    let data = &bodies[0]["data"];
    let progress = json!({"Fraction": 0.4, "Message": "epoch 4 of 10 [redacted]"});
    assert_eq!(data["LyftLearn"]["Progress"], progress);
    assert!(data.get("TrainingJobStatus").is_none(), "{data}");
}
