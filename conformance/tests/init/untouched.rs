//! What a program finds is what it would find without a shim.

use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::*;

/// What an engine might have set, all of it unlike the default.
const UNUSUAL: &str = "import resource\n\
    os.umask(0o027); os.nice(5)\n\
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))\n\
    resource.setrlimit(resource.RLIMIT_CORE, (4096, 8192))\n\
    resource.setrlimit(resource.RLIMIT_STACK, (4 << 20, 64 << 20))\n\
    open('/proc/self/oom_score_adj', 'w').write('300')\n\
    open('/proc/self/timerslack_ns', 'w').write('123456')\n\
    open('/proc/self/coredump_filter', 'w').write('1')\n\
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))\n\
    os.setgroups([7, 4242]); os.setresgid(3, 4, 4); os.setresuid(0, 0, 0)\n\
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGILL, signal.SIGTERM, signal.SIGTTIN, 34, 40])\n\
    for ignored in signal.SIGHUP, signal.SIGINT, signal.SIGSEGV, signal.SIGPIPE, signal.SIGTTOU:\n    \
    signal.signal(ignored, signal.SIG_IGN)";

/// Runs the same argv in the same container with the runtime and without it.
fn both(container: &Sandbox, argv: &[&str]) -> (Vec<u8>, Vec<u8>) {
    let through = ended(container, argv);
    check_end(&through, 0);
    let without = container.start(&words(argv)).end();
    check_end(&without, 0);
    assert!(!without.stdout.is_empty());
    (through.stdout, without.stdout)
}

/// The lines of /proc/self/status about the user and the state of the process, without its number
/// and counters.
fn described(status: &[u8]) -> Vec<String> {
    let names = [
        "Umask",
        "Uid",
        "Gid",
        "Groups",
        "SigPnd",
        "ShdPnd",
        "SigBlk",
        "SigIgn",
        "SigCgt",
        "CapInh",
        "CapPrm",
        "CapEff",
        "CapBnd",
        "CapAmb",
        "NoNewPrivs",
        "Seccomp",
        "Threads",
        "Cpus_allowed",
        "Mems_allowed",
        "THP_enabled",
        "CoreDumping",
        "TracerPid",
        "FDSize",
    ];
    let text = String::from_utf8_lossy(status);
    let lines = text.lines().filter(|line| {
        line.split_once(':')
            .is_some_and(|(name, _)| names.contains(&name))
    });
    lines.map(ToOwned::to_owned).collect()
}

#[test]
fn ids_signals_and_capabilities_are_untouched() {
    needs_namespaces!();
    let world = World::new();
    for container in [stage(&world), stage(&world).inheriting(UNUSUAL)] {
        let (through, without) = both(&container, &["cat", "/proc/self/status"]);
        let expected = described(&without);
        assert!(expected.len() > 20, "{expected:?}");
        assert_eq!(described(&through), expected);
    }
    // Values that were set are compared.
    let unusual = stage(&world).inheriting(UNUSUAL);
    let status = described(&ended(&unusual, &["cat", "/proc/self/status"]).stdout);
    for line in ["Umask:\t0027", "Gid:\t3\t4\t4\t4", "Groups:\t7 4242 "] {
        assert!(status.contains(&line.to_owned()), "{line} in {status:?}");
    }
    let set = |name: &str| {
        let line = status.iter().find_map(|line| line.strip_prefix(name));
        u64::from_str_radix(line.unwrap().trim(), 16).unwrap()
    };
    let bits = |numbers: &[u64]| numbers.iter().map(|number| 1 << (number - 1)).sum::<u64>();
    assert_eq!(set("SigBlk:"), bits(&[4, 15, 21, 34, 40]));
    let ignored = bits(&[1, 2, 11, 13, 22]);
    assert_eq!(set("SigIgn:") & ignored, ignored);
}

#[track_caller]
fn check_same(container: &Sandbox, argv: &[&str]) -> String {
    let (through, without) = both(container, argv);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let expected = text(without);
    assert_eq!(text(through), expected, "{argv:?}");
    expected
}

#[test]
fn limits_and_priorities_are_untouched() {
    needs_namespaces!();
    let world = World::new();
    for container in [stage(&world), stage(&world).inheriting(UNUSUAL)] {
        for file in [
            "limits",
            "oom_score_adj",
            "timerslack_ns",
            "coredump_filter",
            "personality",
            "cgroup",
        ] {
            check_same(&container, &["cat", &format!("/proc/self/{file}")]);
        }
        // Nice, real-time priority and policy, session and controlling terminal.
        let fields = "s=$(cat /proc/self/stat); set -- ${s##*) }; echo ${17} ${38} ${39} $4 $5";
        check_same(&container, &["sh", "-c", fields]);
    }
    let unusual = stage(&world).inheriting(UNUSUAL);
    assert_eq!(
        check_same(&unusual, &["cat", "/proc/self/oom_score_adj"]),
        "300\n"
    );
    assert_eq!(check_same(&unusual, &["nice"]), "5\n");
    assert_eq!(
        check_same(&unusual, &["cat", "/proc/self/timerslack_ns"]),
        "123456\n"
    );
}

#[test]
fn the_working_directory_is_the_programs_and_not_pid_ones() {
    needs_namespaces!();
    let world = World::new();
    let container = stage(&world).working_directory("/shared");
    assert_eq!(check_same(&container, &["pwd", "-P"]), "/shared\n");
    // What the program leaves can be unmounted.
    let script = "cd /; touch /shared/ready; exec sleep 1000";
    let running = container.run(&["sh", "-c", script]);
    appears(&world.path("shared/ready"));
    let directory = running.enter(&["readlink", "/proc/1/cwd"]).unwrap();
    assert_eq!(String::from_utf8_lossy(&directory.stdout), "/\n");
    let unmounted = running.enter(&["umount", "/shared"]).unwrap();
    assert!(unmounted.status.success(), "{unmounted:?}");
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 143);
}

/// Variables in their order.
fn variables(environment: &[u8]) -> Vec<OsString> {
    let environment = environment.strip_suffix(b"\0").unwrap_or(environment);
    let variables = environment.split(|byte| *byte == 0);
    variables
        .map(|variable| OsString::from_vec(variable.to_vec()))
        .collect()
}

/// Delivered variables come after all inherited ones, and begin with our own.
#[track_caller]
fn check_environment(through: &[u8], expected: &[OsString]) {
    let mut through = variables(through);
    assert!(through.len() > expected.len(), "nothing was delivered");
    let delivered = through.split_off(expected.len());
    assert_eq!(through, expected);
    assert!(delivered[0].as_bytes().starts_with(b"LYFTLEARN_"));
}

#[test]
fn the_environment_keeps_its_order_and_its_bytes() {
    needs_namespaces!();
    let world = World::new();
    let shown = ["cat", "/proc/self/environ"];
    // In no order, empty, with an equals sign, a line's end and bytes that are no text.
    let given: Vec<OsString> = [
        &b"ZEBRA=1"[..],
        b"alpha=2",
        b"EMPTY=",
        b"EQUALS=a=b=",
        b"LINES=a\nb",
        b"BYTES=\xff\xfe",
        b"PATH=/usr/bin:/bin",
        b"_=3",
        b"a.b-c=4",
        b"9=5",
    ]
    .map(|bytes| OsStr::from_bytes(bytes).to_owned())
    .into();
    let with = |argv: &[&str]| {
        let env = words(&["env", "-i"]);
        let argv = words(argv);
        let output = stage(&world)
            .start(&[env, given.clone(), argv].concat())
            .end();
        check_end(&output, 0);
        output.stdout
    };
    let without = variables(&with(&shown));
    assert_eq!(without, given);
    let through = with(&[&[BINARY, "run", "--"][..], &shown].concat());
    check_environment(&through, &without);
    // Switched off, nothing is delivered.
    let off = ["env", "LYFTLEARN_RUNTIME=off", BINARY, "run", "--"];
    let mut through = variables(&with(&[&off[..], &shown].concat()));
    assert_eq!(through.pop().unwrap(), "LYFTLEARN_RUNTIME=off");
    assert_eq!(through, without);
}

#[test]
fn unusual_environment_entries_survive_except_nameless_ones() {
    needs_namespaces!();
    let world = World::new();
    let oddly = |argv: &[&str]| {
        let start = words(&[&[ACTOR, "oddly"][..], argv].concat());
        let output = stage(&world).start(&start).end();
        check_end(&output, 0);
        output.stdout
    };
    let without = variables(&oddly(&["/bin/cat", "/proc/self/environ"]));
    let through = oddly(&[BINARY, "run", "--", "/bin/cat", "/proc/self/environ"]);
    // Wrong, since the program had them without us: Rust's standard library lists no
    // variable that has no name, and no engine sets one.
    let nameless = ["word", "=nameless"];
    assert!(nameless.iter().all(|word| without.contains(&word.into())));
    let named = without.into_iter();
    let named = named.filter(|variable| !nameless.iter().any(|word| variable == word));
    check_environment(&through, &named.collect::<Vec<_>>());
}

#[test]
fn a_megabyte_of_environment_passes() {
    needs_namespaces!();
    let world = World::new();
    let container = (0..12).fold(stage(&world), |container, number| {
        container.variable(format!("LARGE_{number}"), "x".repeat(100_000))
    });
    let (through, without) = both(&container, &["cat", "/proc/self/environ"]);
    assert!(without.len() > 1_200_000);
    check_environment(&through, &variables(&without));
}
