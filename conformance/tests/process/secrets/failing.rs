//! Secrets that cannot be fetched: each has its message, before any of the user's code runs.

use expect_test::expect;

use super::*;

/// Starts with one secret from `source`, and returns the message.
#[track_caller]
fn said(servers: &Servers, source: &str) -> String {
    let world = World::new();
    // Those that are asked until the deadline also have time for an answer on a busy machine.
    let until_then = ["failing", "stalling", "hanging"].map(|name| format!("confidant://{name}"));
    let deadline = if until_then.iter().any(|one| one == source) {
        20
    } else {
        600
    };
    let settings = format!("[secrets]\ndeadline = {deadline}\n[secrets.it]\nfrom = \"{source}\"\n");
    let container = servers.container(&world, &settings);
    let output = ended(&container, &["touch", "/shared/started"]);
    check_end(&output, 125);
    assert!(!world.path("shared/started").exists());
    let report = stderr(&output);
    // Nothing of an answer is repeated.
    assert!(!report.contains("canary"), "{report}");
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(lines.len(), 3, "{report}");
    lines[1].replace("  it: ", &format!("{source}\n  ")) + "\n"
}

#[test]
fn every_failure_has_its_sentence() {
    needs_namespaces!();
    let servers = servers!();
    let sources = [
        "confidant://unknown",
        "confidant://denied",
        "confidant://nobody",
        "confidant://failing",
        "confidant://stalling",
        "confidant://undecrypted",
        "confidant://redirecting",
        "confidant://hanging",
        "confidant://garbage",
        "confidant://disabled",
        "confidant://blind-broken",
        "confidant://blind-elsewhere",
        "aws-secretsmanager:none",
        "aws-secretsmanager:prod/db#none",
        "aws-secretsmanager:prod/token#none",
        "aws-secretsmanager:prod/binary",
        "aws-ssm:/none",
        "aws-ssm:/none/",
        "file:/none",
        "file:/dev/null",
        "env:NONE",
    ];
    expect![[r#"
        confidant://unknown
          Confidant rejected the credentials (401)
        confidant://denied
          Confidant denied access (403)
        confidant://nobody
          Confidant has no secret of that name (404)
        confidant://failing
          Confidant failed (503)
        confidant://stalling
          Confidant failed (503)
        confidant://undecrypted
          Confidant failed (500)
        confidant://redirecting
          Confidant refused (302)
        confidant://hanging
          Confidant did not answer in time
        confidant://garbage
          the response of Confidant is malformed
        confidant://disabled
          the service is disabled in Confidant
        confidant://blind-broken
          the blind credential id-1 cannot be decrypted
        confidant://blind-elsewhere
          the blind credential id-1 cannot be decrypted
        aws-secretsmanager:none
          Secrets Manager has no secret of that name (ResourceNotFoundException)
        aws-secretsmanager:prod/db#none
          it has no key none
        aws-secretsmanager:prod/token#none
          not a JSON object, so it has no keys
        aws-secretsmanager:prod/binary
          it has a NUL byte, which a variable cannot have: deliver it as a file
        aws-ssm:/none
          Parameter Store has no secret of that name (InvalidParameters)
        aws-ssm:/none/
          no parameter has a name below /none/
        file:/none
          /none does not exist
        file:/dev/null
          cannot read /dev/null: it is a device, not a file
        env:NONE
          $NONE is not set
    "#]]
    .assert_eq(&sources.map(|source| said(&servers, source)).concat());
    // One that recovers within the deadline is no failure.
    let world = World::new();
    let container = servers.container(&world, "[secrets.it]\nfrom = \"confidant://flaky\"\n");
    check_end(&ended(&container, &["true"]), 0);
    let seen = servers.seen();
    assert_eq!(seen["wrong"], json!([]));
    assert_eq!(seen["asked"]["flaky"], 3);
    // A second question helps with one of these alone.
    assert_eq!(seen["asked"]["undecrypted"], 1);
    assert_eq!(seen["asked"]["denied"], 1);
    assert!(seen["asked"]["failing"].as_i64() > Some(1));
}

#[test]
fn all_failures_show_at_once_and_an_optional_one_stops_nothing() {
    needs_namespaces!();
    let world = World::new();
    let settings = "[secrets.a]\nfrom = \"aws-ssm:/a\"\n[secrets.b]\nfrom.sagemaker = \"env:B\"\n\
                    [secrets.c]\nfrom = \"env:NONE\"\nrequired = false\n";
    let container = world
        .sharing(settings)
        .variable("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    let output = ended(&container, &["touch", "/shared/started"]);
    check_end(&output, 125);
    assert!(!world.path("shared/started").exists());
    expect![[r#"
        lyftlearn-runtime: cannot get the required secrets
          a: cannot give credentials: the environment names no source
          b: it has no source for local
          hint: required = false starts without one; lyftlearn-runtime inspect shows which identity asks
    "#]].assert_eq(&stderr(&output));
    let container = world.sharing("[secrets.c]\nfrom = \"env:NONE\"\nrequired = false\n");
    let output = ended(&container, &["true"]);
    check_end(&output, 0);
    expect![[r#"
        lyftlearn-runtime: local (host), job; secret c: $NONE is not set
    "#]]
    .assert_eq(&stderr(&output));
}

#[test]
fn a_refused_connection_and_a_missing_token_are_reported() {
    needs_namespaces!();
    let servers = servers!();
    let world = World::new();
    let settings = "[secrets]\ndeadline = 20\n[secrets.a]\nfrom = \"aws-ssm:/a\"\n\
                    [secrets.b]\nfrom = \"confidant://b\"\n[secrets.c]\nfrom = \"aws-secretsmanager:c\"\n";
    let container = servers
        .container(&world, settings)
        .variable("AWS_ENDPOINT_URL_SSM", "http://127.0.0.1:9")
        .variable("LYFTLEARN_RUNTIME_CONFIDANT_AUTH_KEY", "alias/none")
        .variable("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:9");
    let output = ended(&container, &["true"]);
    check_end(&output, 125);
    expect![[r#"
        lyftlearn-runtime: cannot get the required secrets
          a: Parameter Store cannot be reached
          b: KMS has no secret of that name (NotFoundException)
          c: Secrets Manager cannot be reached
          hint: required = false starts without one; lyftlearn-runtime inspect shows which identity asks
    "#]].assert_eq(&stderr(&output));
}

#[test]
fn a_stop_while_secrets_are_fetched_ends_the_start_at_once() {
    needs_namespaces!();
    let servers = servers!();
    let world = World::new();
    let settings = "[secrets]\ndeadline = 600\n[secrets.it]\nfrom = \"confidant://hanging\"\n";
    let container = servers.container(&world, settings);
    let running = container.run(&["touch", "/shared/started"]);
    let asked = wait::until(|| (servers.seen()["asked"]["hanging"] == 1).then_some(()));
    assert!(asked.is_some(), "Confidant is asked");
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 143);
    assert!(!world.path("shared/started").exists());
}

#[test]
fn the_helper_is_not_for_people() {
    needs_namespaces!();
    let by_hand = [&["--secrets"][..], &["--secrets", "4711"]];
    let said = by_hand.map(|words| {
        let argv = std::iter::once(BINARY).chain(words.iter().copied());
        let argv: Vec<OsString> = argv.map(Into::into).collect();
        let output = World::new().container("").start(&argv).end();
        check_end(&output, 125);
        stderr(&output)
    });
    expect![[r#"
        lyftlearn-runtime: cannot use --secrets: only lyftlearn-runtime run calls it
          hint: lyftlearn-runtime --help shows all; an image's ENTRYPOINT is ["lyftlearn-runtime", "run", "--"]
    "#]].assert_eq(&the_same(said));
}

#[test]
fn a_signature_by_another_key_is_denied() {
    needs_namespaces!();
    let servers = servers!();
    let world = World::new();
    let settings = "[secrets.a]\nfrom = \"aws-ssm:/versions\"\n\
                    [secrets.b]\nfrom = \"aws-secretsmanager:prod/token\"\n";
    let container = servers
        .container(&world, settings)
        .variable("AWS_SECRET_ACCESS_KEY", "another");
    let output = ended(&container, &["true"]);
    check_end(&output, 125);
    expect![[r#"
        lyftlearn-runtime: cannot get the required secrets
          a: Parameter Store denied access (403)
          b: Secrets Manager denied access (403)
          hint: required = false starts without one; lyftlearn-runtime inspect shows which identity asks
    "#]].assert_eq(&stderr(&output));
}
