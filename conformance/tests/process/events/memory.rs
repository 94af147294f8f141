//! A job that has too little memory, in a real cgroup.

use std::path::PathBuf;

use super::*;

/// A memory cgroup of 64 MiB, on this machine.
struct Memory {
    directory: PathBuf,
    /// Where a container has it.
    mounted: &'static str,
}

impl Memory {
    /// `None` if this machine does not permit it.
    fn new(name: &str) -> Option<Self> {
        let kinds = [
            (
                "/sys/fs/cgroup/memory",
                "memory.limit_in_bytes",
                "/sys/fs/cgroup/memory",
            ),
            ("/sys/fs/cgroup", "memory.max", "/sys/fs/cgroup"),
        ];
        kinds.into_iter().find_map(|(hierarchy, limit, mounted)| {
            let directory = PathBuf::from(hierarchy).join(format!("{name}-{}", std::process::id()));
            std::fs::create_dir(&directory).ok()?;
            let made = Self { directory, mounted };
            // In the directory of another kind of hierarchy there is no such file.
            let limited = std::fs::OpenOptions::new()
                .write(true)
                .open(made.directory.join(limit))
                .and_then(|mut file| std::io::Write::write_all(&mut file, b"67108864"));
            limited.is_ok().then_some(made)
        })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // The last process in it may still be on its way out.
        let _ = wait::until(|| std::fs::remove_dir(&self.directory).ok());
    }
}

const HUNGRY: &str = "hoard = []\nwhile True: hoard.append(b'x' * (1 << 20))";

#[test]
fn a_program_that_is_killed_for_memory_has_failed_for_memory() {
    needs_servers!();
    let Some(memory) = Memory::new("lyftlearn-events") else {
        return;
    };
    let job = Told::new([queue("direct")]);
    job.world.file("programs/hungry.py", HUNGRY);
    let container = job
        .container()
        .mount(&memory.directory, memory.mounted)
        .mount_read_only(job.world.path("programs"), "/programs")
        .variable("PY", find_python());
    let mounted = memory.mounted;
    let script = format!(
        "echo 0 >{mounted}/cgroup.procs; exec {BINARY} run -- sh -c 'exec $PY /programs/hungry.py'"
    );
    let running = container.start(&["sh".into(), "-c".into(), script.into()]);
    job.check(&running.end(), 137);
    let end = job.waits_for("direct", "Failed");
    assert_eq!(own(&end, "Class"), "out-of-memory");
    assert_eq!(own(&end, "OomKills"), 1);
    let reason = job.row("direct")["reason"].to_string();
    assert!(reason.contains("out of memory"), "{reason}");
}
