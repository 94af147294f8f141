//! What `doctor` advises, in the words of the place.

use super::*;

#[track_caller]
fn check_advice(container: &Sandbox, fix: &str) {
    let script = format!(
        "mkdir -p /dev/shm && mount -t tmpfs -o size=32m tmpfs /dev/shm && {BINARY} doctor"
    );
    let output = ended(container, &["sh", "-c", &script]);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let (_, after) = shown
        .split_once("32 MiB of /dev/shm: little for data loaders with workers\n")
        .unwrap_or_else(|| panic!("{shown}"));
    assert!(after.trim_start().starts_with(fix), "{shown}");
}

#[test]
fn a_small_shared_memory_is_advised_on_as_the_platform_has_it() {
    needs_namespaces!();
    let world = World::new();
    check_advice(
        &world.container(""),
        "fix: docker run --shm-size=1g, or shm_size in a compose file\n",
    );
    check_advice(
        &world.pod("", "{}"),
        "fix: mount an emptyDir with medium: Memory at /dev/shm\n",
    );
    check_advice(
        &world.training("", &json!({})),
        "fix: SageMaker has no setting for it: use fewer workers, or torch.multiprocessing's file_system strategy\n",
    );
}
