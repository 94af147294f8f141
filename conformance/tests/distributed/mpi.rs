//! Open MPI: each of its processes has its own rank, and all of them one run directory.

use lyftlearn_conformance::world::World;
use lyftlearn_conformance::{programs, sandbox};
use serde_json::Value;

const SHOW: &str = "
import json, os, lyftlearn_runtime as rt
t = rt.topology
found = [t.rank, t.world_size, t.local_rank, t.local_world_size, os.environ['LYFTLEARN_RUN_DIR']]
os.write(1, f'FOUND {json.dumps(found)}\\n'.encode())
";

#[test]
#[ignore = "needs Open MPI: make test-distributed"]
fn exec_below_mpirun_gives_four_processes_four_ranks_and_one_run_directory() {
    if !sandbox::possible() {
        return;
    }
    let Some(python) = programs::python_with_wheel() else {
        return;
    };
    let world = World::new();
    // mpirun ends by SIGSEGV for a user without a home.
    let passwd = world.file("passwd", "root:x:0:0::/root:/bin/sh\n");
    let container = programs::mount_python(world.pod("", "{}"), &python)
        .mount_read_only(passwd, "/etc/passwd")
        .mount_read_only("/sys", "/sys")
        .own_network();
    let python = python.to_str().unwrap();
    let mpirun = [
        "mpirun",
        "--allow-run-as-root",
        "--oversubscribe",
        "-n",
        "4",
    ];
    let worker = ["lyftlearn-runtime", "exec", "--", python, "-c", SHOW];
    let output = container.run(&[&mpirun[..], &worker].concat()).end();
    let said = String::from_utf8_lossy(&output.stdout);
    let mut found: Vec<Value> = said
        .lines()
        .filter_map(|line| serde_json::from_str(line.strip_prefix("FOUND ")?).ok())
        .collect();
    found.sort_by_key(|one| one[0].as_u64());
    let expected: Vec<Value> = (0..4)
        .map(|rank| serde_json::json!([rank, 4, rank, 4, "/run/lyftlearn"]))
        .collect();
    assert_eq!(found, expected, "{output:#?}");
    assert!(output.status.success(), "{output:#?}");
}
