//! The helper process's memory cannot be read, not even by its own user.

use expect_test::expect;

use super::*;

/// What the container's user can do to a process, as another process of the same user: whether
/// it may.
fn may(user: u32, argv: &[&str]) -> bool {
    let id = user.to_string();
    let mut trying = Command::new("setpriv");
    trying
        .args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"])
        .args(argv);
    command::output(&mut trying).status.success()
}

/// The child of PID 1 that was started by this word.
fn child(pid_one: i32, word: &str) -> Option<i32> {
    let children = format!("/proc/{pid_one}/task/{pid_one}/children");
    let children = std::fs::read_to_string(children).ok()?;
    children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .find(|pid: &i32| {
            let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            words
                .split(|byte| *byte == 0)
                .any(|found| found == word.as_bytes())
        })
}

#[test]
fn the_helper_is_neither_looked_into_nor_dumped() {
    needs_namespaces!();
    let servers = servers!();
    let world = World::new();
    let cores = world.path("shared");
    let settings = "[secrets]\ndeadline = 60\n[secrets.it]\nfrom = \"confidant://hanging\"\n";
    let container = servers
        .container(&world, settings)
        .inheriting("import resource; resource.setrlimit(resource.RLIMIT_CORE, (-1, -1))")
        .working_directory("/shared")
        .user(1000);
    std::fs::set_permissions(&cores, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let running = container.run(&["true"]);
    let asked = wait::until(|| (servers.seen()["asked"]["hanging"] == 1).then_some(()));
    assert!(asked.is_some(), "Confidant is asked");
    let pid_one = running.pid_one();
    let helper = child(pid_one, "--secrets").expect("it waits for Confidant");
    let look = |pid: i32, what: &str| may(1000, &["head", "-c0", &format!("/proc/{pid}/{what}")]);
    // A process that can examine PID 1, which has no secret yet, cannot examine the helper process.
    assert!(look(pid_one, "environ") && look(pid_one, "mem"));
    assert!(!look(helper, "environ") && !look(helper, "mem"));
    // The same permission is ptrace's.
    let trace =
        "import ctypes, sys; sys.exit(ctypes.CDLL(None).ptrace(16, int(sys.argv[1]), 0, 0) != 0)";
    let python = find_python();
    let python = python.to_str().unwrap();
    assert!(!may(1000, &[python, "-c", trace, &helper.to_string()]));

    let helper = nix::unistd::Pid::from_raw(helper);
    nix::sys::signal::kill(helper, Signal::SIGSEGV).unwrap();
    let output = running.end();
    check_end(&output, 125);
    expect![[r#"
        lyftlearn-runtime: cannot get the required secrets
          it: the helper process that fetches secrets did not answer
          hint: required = false starts without one; lyftlearn-runtime inspect shows which identity asks
    "#]].assert_eq(&stderr(&output));
    assert_eq!(std::fs::read_dir(&cores).unwrap().count(), 0);
}

#[test]
fn another_process_would_have_left_its_memory_there() {
    needs_namespaces!();
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if pattern.starts_with(['|', '/']) {
        return;
    }
    let world = World::new();
    let container = world
        .sharing("")
        .inheriting("import resource; resource.setrlimit(resource.RLIMIT_CORE, (-1, -1))")
        .working_directory("/shared")
        .user(1000);
    let cores = world.path("shared");
    std::fs::set_permissions(&cores, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let output = ended(&container, &["sh", "-c", "kill -SEGV $$"]);
    check_end(&output, 139);
    assert_eq!(std::fs::read_dir(&cores).unwrap().count(), 1);
}
