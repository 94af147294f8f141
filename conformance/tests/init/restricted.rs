//! Containers that may do little, and kernels that can do little.

use expect_test::expect;

use super::*;

/// A seccomp filter that answers some system calls with an errno, by their numbers.
const FILTER: &str = r#"
import ctypes, errno, platform, struct

NUMBERS = {
    "x86_64": {
        "madvise": 28, "prctl": 157, "readlink": 89, "access": 21, "signalfd4": 289,
        "eventfd2": 290, "dup3": 292, "getrandom": 318, "memfd_create": 319,
        "execveat": 322, "copy_file_range": 326, "statx": 332, "rseq": 334,
    },
    "aarch64": {
        "madvise": 233, "prctl": 167, "signalfd4": 74, "eventfd2": 19, "dup3": 24,
        "getrandom": 278, "memfd_create": 279, "execveat": 281, "copy_file_range": 285,
        "statx": 291, "rseq": 293,
    },
}[platform.machine()]
# From here on all architectures count alike.
NUMBERS.update(
    pidfd_send_signal=424, io_uring_setup=425, pidfd_open=434, clone3=435, close_range=436,
    openat2=437, pidfd_getfd=438, faccessat2=439, epoll_pwait2=441, futex_waitv=449,
    fchmodat2=452,
)


def refuse(names, error):
    load, equal, answer = 0x20, 0x15, 0x06
    calls = [NUMBERS[name] for name in names if name in NUMBERS]
    lines = [(load, 0, 0, 0)]
    for at, call in enumerate(calls):
        lines.append((equal, len(calls) - at, 0, call))
    lines.append((answer, 0, 0, 0x7FFF0000))
    lines.append((answer, 0, 0, 0x00050000 | error))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
    program = struct.pack("HxxxxxxP", len(lines), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    if libc.prctl(22, 2, ctypes.c_char_p(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no filter")
    # It does what it is there for.
    ctypes.set_errno(0)
    assert libc.syscall(calls[0], -1, -1, -1, -1, -1) == -1 and ctypes.get_errno() == error
"#;

/// System calls newer than Linux 2.6.27, which has everything that a start needs.
const NEWER: &str =
    "[name for name in NUMBERS if name not in ('madvise', 'prctl', 'readlink', 'access', 'dup3')]";

/// What a program needs of PID 1 besides its start: a signal that is passed on, an orphan
/// that is reaped, an exit code.
const PROGRAM: &str = "trap 'exit 42' TERM; (true &); kill -TERM $PPID; while :; do :; done";

/// As PID 1, where it has a parent to send a signal to that is PID 1 itself, and beside
/// others.
#[track_caller]
fn check(container: &Sandbox) {
    let output = ended(container, &["sh", "-c", PROGRAM]);
    check_end(&output, 42);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let argv = ["sh", "-c", "\"$@\"; exit $?", "sh", BINARY, "run", "--"];
    let output = container
        .start(&words(&[&argv[..], &["sh", "-c", PROGRAM]].concat()))
        .end();
    check_end(&output, 42);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

/// The same settings for all, and no shared directory: not every user may write there.
fn plain(world: &World) -> Sandbox {
    world.container("log = \"off\"\n")
}

#[test]
fn the_container_that_may_do_everything() {
    needs_namespaces!();
    check(&plain(&World::new()));
}

#[test]
fn any_user_read_only_without_proc_and_without_new_privileges() {
    needs_namespaces!();
    let world = World::new();
    let no_new_privileges = "import ctypes\nassert ctypes.CDLL(None).prctl(38, 1, 0, 0, 0) == 0";
    check(&plain(&world).user(54_321));
    check(&plain(&world).read_only());
    check(&plain(&world).without_proc());
    check(&plain(&world).inheriting(no_new_privileges));
    check(
        &plain(&world)
            .user(65_534)
            .read_only()
            .without_run()
            .without_proc()
            .inheriting(no_new_privileges),
    );
}

#[test]
fn few_files_and_little_memory() {
    needs_namespaces!();
    let world = World::new();
    let limit = |name: &str, value: &str| {
        plain(&world).inheriting(&format!(
            "import resource\nresource.setrlimit(resource.RLIMIT_{name}, ({value}, {value}))"
        ))
    };
    check(&limit("NOFILE", "8"));
    check(&limit("AS", "64 << 20"));
    check(&limit("DATA", "8 << 20"));
    check(&limit("STACK", "256 << 10"));
    check(&limit("SIGPENDING", "0"));
    check(&limit("MEMLOCK", "0"));
    check(&limit("FSIZE", "0"));
}

#[test]
fn without_another_process_it_ends_with_a_message() {
    needs_namespaces!();
    // Processes are counted for each user on the whole machine.
    let user = 1_000_000 + std::process::id();
    let world = World::new();
    let container = plain(&world)
        .user(user)
        .inheriting("import resource\nresource.setrlimit(resource.RLIMIT_NPROC, (1, 1))");
    let output = ended(&container, &["true"]);
    check_end(&output, 125);
    expect![[r#"
        lyftlearn-runtime: cannot start the program
          because: try again
          hint: raise the container's limits on processes, memory or files
    "#]]
    .assert_eq(&String::from_utf8(output.stderr).unwrap());
}

#[track_caller]
fn check_refused(names: &str, error: &str) {
    let world = World::new();
    let refuse = format!("{FILTER}\nrefuse({names}, errno.{error})");
    check(&plain(&world).inheriting(&refuse));
    check(
        &plain(&world)
            .user(54_321)
            .without_proc()
            .inheriting(&refuse),
    );
}

#[test]
fn an_old_kernel_and_an_old_engine() {
    needs_namespaces!();
    // gVisor and old kernels answer the one, old engines' filters the other.
    check_refused(NEWER, "ENOSYS");
    check_refused(NEWER, "EPERM");
}

#[test]
fn prctl_and_madvise_refused() {
    needs_namespaces!();
    for error in ["EPERM", "ENOSYS"] {
        check_refused("['madvise']", error);
        check_refused("['prctl']", error);
        check_refused("['madvise', 'prctl']", error);
    }
}
