//! The runtime's own metrics: from PID 1 through its agent to each route.

use super::agent::{agent, kill};
use super::export::{Gateway, free_port, get, outcome};
use super::*;

/// The exported value of a series, by its name with labels.
pub(super) fn shown(port: u16, series: &str) -> Option<f64> {
    let all = get(port, "GET /metrics HTTP/1.1");
    let mut lines = all.lines().filter_map(|line| line.strip_prefix(series));
    lines.next()?.trim().parse().ok()
}

#[track_caller]
fn is_shown(port: u16, series: &str, expected: f64) {
    let found = wait::until(|| (shown(port, series) == Some(expected)).then_some(()));
    assert!(found.is_some(), "{series}: {:?}", shown(port, series));
}

fn listening(port: u16) -> String {
    format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\n")
}

#[test]
fn signals_are_counted_whatever_becomes_of_the_agent() {
    needs_namespaces!();
    let world = World::new();
    let port = free_port();
    let script = "import os, signal, time\n\
        signal.signal(signal.SIGUSR1, lambda *_: None)\n\
        signal.signal(signal.SIGRTMIN, lambda *_: None)\n\
        open('/shared/ready', 'w')\nwhile True: time.sleep(0.01)";
    let running = world
        .sharing(&listening(port))
        .run(&[find_python(), "-c".into(), script.into()]);
    appears(&world.path("shared/ready"));
    let usr1 = "lyftlearn_runtime_signals_forwarded_total{signal=\"SIGUSR1\"}";
    let real_time = "lyftlearn_runtime_signals_forwarded_total{signal=\"SIGRTMIN\"}";
    assert_eq!(shown(port, usr1), None);
    running.signal(Signal::SIGUSR1);
    is_shown(port, usr1, 1.0);
    running.send(&[34]);
    is_shown(port, real_time, 1.0);
    let first = agent(running.pid_one(), None);
    kill(first, Signal::SIGKILL);
    agent(running.pid_one(), Some(first));
    running.signal(Signal::SIGUSR1);
    is_shown(port, usr1, 2.0);
    is_shown(port, real_time, 1.0);
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 143);
}

#[test]
fn the_last_export_has_the_reason_of_the_end() {
    needs_namespaces!();
    for (script, stop, code, class) in [
        ("exit 0", false, 0, "completed"),
        ("exit 3", false, 3, "user-error"),
        ("kill -9 $$", false, 137, "signalled"),
        ("touch /shared/ready; exec sleep 1000", true, 143, "stopped"),
        (
            "trap '' TERM; touch /shared/ready; while :; do :; done",
            true,
            137,
            "budget-exceeded",
        ),
    ] {
        let world = World::new();
        std::fs::create_dir(world.path("run")).unwrap();
        let (gateway, port) = Gateway::default().udp();
        // A program that has to be killed is waited for; the agent of any other is given time.
        let grace = if class == "budget-exceeded" { 4 } else { 120 };
        let settings = format!(
            "[lifecycle]\ngrace_seconds = {grace}\n[metrics.gateway]\nhost = \"127.0.0.1\"\nport = {port}\n"
        );
        let running = (world.sharing(&settings))
            .mount(world.path("run"), "/run")
            // A start that ends before the agent runs is not exported.
            .run(&[
                "sh",
                "-c",
                &format!("{BINARY} metrics >/shared/shown; {script}"),
            ]);
        if stop {
            appears(&world.path("shared/ready"));
            running.signal(Signal::SIGTERM);
        }
        check_end(&running.end(), code);
        assert_eq!(outcome(&world)["class"], class);
        // A program may be over before there is an agent, and yet nothing is left.
        assert_eq!(
            outcome(&world)["metrics"],
            json!({"undelivered": 0}),
            "{class}"
        );
        let line = format!("lyftlearn_runtime_outcome.__class={class}:1|g\n");
        let arrived = wait::until(|| {
            let text = String::from_utf8(gateway.received()).unwrap();
            text.contains(&line).then_some(())
        });
        let said = || String::from_utf8_lossy(&gateway.received()).into_owned();
        assert!(arrived.is_some(), "{class}: {}", said());
    }
}

#[test]
fn a_secret_is_as_old_as_its_last_look() {
    needs_namespaces!();
    let world = World::new();
    let port = free_port();
    let settings = format!(
        "[secrets.here]\nfrom = \"env:DB_PASSWORD\"\nenv = \"WANTED\"\n\
         [secrets.followed]\nfrom = \"file:/shared/secret\"\nfile = true\nrefresh = 1\n{}",
        listening(port)
    );
    world.file("shared/secret", world.canary.value());
    let running =
        (world.sharing(&settings)).run(&["sh", "-c", "touch /shared/ready; exec sleep 1000"]);
    appears(&world.path("shared/ready"));
    let age = |name| {
        shown(
            port,
            &format!("lyftlearn_runtime_secrets_age_seconds{{secret=\"{name}\"}}"),
        )
    };
    assert!(age("here").is_some() && age("followed").is_some());
    // The one grows older than the other, which is looked at again.
    let younger = wait::until(|| (age("followed")? + 0.5 < age("here")?).then_some(()));
    assert!(younger.is_some());
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 143);
}

#[test]
fn every_metric_of_the_runtimes_own_is_described_and_has_its_row() {
    needs_namespaces!();
    let world = World::new();
    let port = free_port();
    let settings = format!(
        "[secrets.here]\nfrom = \"env:DB_PASSWORD\"\nenv = \"WANTED\"\n\
         {}statsd = {{ mode = \"on\", listen = \"127.0.0.1:0\" }}\n",
        listening(port)
    );
    let script = "trap : USR1; touch /shared/ready; while :; do sleep 1000 & wait; done";
    let running = world.sharing(&settings).run(&["sh", "-c", script]);
    appears(&world.path("shared/ready"));
    running.signal(Signal::SIGUSR1);
    let usr1 = "lyftlearn_runtime_signals_forwarded_total{signal=\"SIGUSR1\"}";
    is_shown(port, usr1, 1.0);
    let text = get(port, "GET /metrics HTTP/1.1");
    let reference = include_str!("../../../docs/reference/metrics.md");
    let told = |what: &str| -> Vec<&str> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(what));
        lines.filter_map(|line| line.split(' ').next()).collect()
    };
    let (types, helps) = (told("# TYPE "), told("# HELP "));
    assert!(types.len() > 10, "{text}");
    for name in types {
        assert!(reference.contains(&format!("`{name}`")), "{name}");
        assert!(helps.contains(&name), "{name}");
    }
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 143);
}

#[test]
fn doctor_looks_into_what_all_processes_count_in() {
    needs_namespaces!();
    for (bytes, verdict) in [(65_536, "ok"), (0, "skipped")] {
        let world = World::new();
        let settings = format!("[metrics]\nregion_bytes = {bytes}\nstatsd = \"on\"\n");
        let script =
            format!("{BINARY} metrics >/shared/shown; {BINARY} doctor --json >/shared/found; true");
        let output = world
            .sharing(&settings)
            .own_network()
            .run(&["sh", "-c", &script])
            .end();
        check_end(&output, 0);
        let found = std::fs::read(world.path("shared/found")).unwrap();
        let found: Vec<Value> = serde_json::from_slice(&found).unwrap();
        let region = found.iter().find(|finding| finding["check"] == "region");
        let region = region.unwrap();
        assert_eq!(region["verdict"], verdict, "{region:#}");
        if bytes > 0 {
            let figures = &region["figures"];
            assert_eq!(figures["bytes"], bytes);
            assert_eq!(figures["dropped"], 0);
            assert_eq!(figures["series"], 0, "{region:#}");
        }
    }
}
