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

#[test]
fn each_destination_of_job_events_is_looked_at_and_nothing_is_sent() {
    needs_namespaces!();
    let world = World::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let settings = format!(
        "job.name = \"ranker\"\n[events]\nto = [\"http://127.0.0.1:{port}/jobs?key={canary}\", \
         \"https://127.0.0.1:1/jobs\", \"sqs:http://127.0.0.1:{port}/123456789012/states\", \
         \"file:/nowhere/events\"]\n",
        canary = world.canary.value()
    );
    let shown = |container: Sandbox| {
        let output = container.start(&[BINARY.into(), "doctor".into()]).end();
        world.canary.assert_unseen("doctor", &output.stdout);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let text = text.replace(&port.to_string(), "PORT");
        let mut about = String::new();
        let mut is_ours = false;
        for line in text.lines() {
            is_ours = line.contains("events ") || (is_ours && line.starts_with("      fix:"));
            if is_ours {
                // How long it took is of this machine.
                about.push_str(line.split(" (0.").next().unwrap());
                about.push('\n');
            }
        }
        about
    };
    let without = shown(world.container(&settings));
    let known = world
        .container(&settings)
        .variable("AWS_REGION", "eu-west-1")
        .variable("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .variable("AWS_SECRET_ACCESS_KEY", world.canary.value());
    let known = shown(known);
    let nowhere = shown(world.container(""));
    // The listener has been connected to, and has not been told anything.
    listener.set_nonblocking(true).unwrap();
    let mut connections = 0;
    while let Ok((mut stream, _)) = listener.accept() {
        connections += 1;
        let mut text = Vec::new();
        std::io::Read::read_to_end(&mut stream, &mut text).unwrap();
        assert_eq!(text, b"");
    }
    assert_eq!(connections, 3);
    expect![[r#"
        note  detection  job events cannot be sent to sqs:…/states: no AWS credentials found
        ok    events     http://127.0.0.1:PORT/jobs: the host answers
        FAIL  events     https://127.0.0.1:1/jobs: nothing answers there
              fix: check network policies, VPC endpoints, HTTPS_PROXY and NO_PROXY
        FAIL  events     file:/nowhere/events: not writable: entity not found
              fix: mount a volume that the program's user can write to, or set another file
        FAIL  events     sqs:…/states: events cannot be sent there from here
              fix: see the notes above: AWS credentials and a region are required
        ok    events     http://127.0.0.1:PORT/jobs: the host answers
        FAIL  events     https://127.0.0.1:1/jobs: nothing answers there
              fix: check network policies, VPC endpoints, HTTPS_PROXY and NO_PROXY
        FAIL  events     file:/nowhere/events: not writable: entity not found
              fix: mount a volume that the program's user can write to, or set another file
        ok    events     sqs:…/states: requests would be signed, and the host answers
        -     events     no destination: events.to is empty
    "#]]
    .assert_eq(&[without, known, nowhere].concat());
}
