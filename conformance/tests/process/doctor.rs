//! What `doctor` advises, in the words of the place.

use expect_test::{Expect, expect};

use super::*;

#[track_caller]
fn check_advice(container: &Sandbox, advice: Expect) {
    let script = format!(
        "mkdir -p /dev/shm && mount -t tmpfs -o size=32m tmpfs /dev/shm && {BINARY} doctor"
    );
    let output = ended(container, &["sh", "-c", &script]);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let about = shown.lines().skip_while(|line| !line.contains("/dev/shm"));
    let about: Vec<&str> = about.take(2).collect();
    advice.assert_eq(&about.join("\n"));
}

#[test]
fn a_small_shared_memory_is_advised_on_as_the_platform_has_it() {
    needs_namespaces!();
    let world = World::new();
    check_advice(
        &world.container(""),
        expect![[r#"
        note  limits     32 MiB of /dev/shm: little for data loaders with workers
              fix: docker run --shm-size=1g, or shm_size in a compose file"#]],
    );
    check_advice(
        &world.pod("", "{}"),
        expect![[r#"
        note  limits     32 MiB of /dev/shm: little for data loaders with workers
              fix: mount an emptyDir with medium: Memory at /dev/shm"#]],
    );
    check_advice(
        &world.training("", &json!({})),
        expect![[r#"
        note  limits     32 MiB of /dev/shm: little for data loaders with workers
              fix: SageMaker has no setting for it: use fewer workers, or torch.multiprocessing's file_system strategy"#]],
    );
}
