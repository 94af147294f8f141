//! The identity, by the one source that the model names.

use expect_test::{Expect, expect};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use super::*;

/// An endpoint in the container-credentials protocol: answers one request and gives
/// its head back.
fn endpoint(status: &'static str, body: String) -> (u16, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answered = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let head: Vec<String> = lines
            .map(|line| line.unwrap())
            .take_while(|line| !line.is_empty())
            .collect();
        let head = head.join("\n");
        let length = body.len();
        write!(&stream, "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
            .unwrap();
        head
    });
    (port, answered)
}

fn asked(container: &Sandbox) -> Output {
    container
        .start(&[BINARY, "credentials"].map(OsString::from))
        .end()
}

#[test]
fn a_container_endpoints_identity_is_printed_as_credential_process_does() {
    needs_namespaces!();
    let world = World::new();
    let (port, answered) = endpoint(
        "200 OK",
        json!({"AccessKeyId": "ASIA1", "SecretAccessKey": "key", "Token": "token", "Expiration": "2036-01-01T00:00:00Z"})
            .to_string(),
    );
    let container = world
        .container("")
        .variable(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            format!("http://127.0.0.1:{port}/v1/credentials"),
        )
        .variable("AWS_CONTAINER_AUTHORIZATION_TOKEN", world.canary.value());
    let output = asked(&container);
    check_end(&output, 0);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = json!({
        "Version": 1, "AccessKeyId": "ASIA1", "SecretAccessKey": "key", "SessionToken": "token",
        "Expiration": "2036-01-01T00:00:00Z",
    });
    assert_eq!(shown, expected);
    let head = answered.join().unwrap().to_lowercase();
    assert!(head.starts_with("get /v1/credentials "), "{head}");
    assert!(
        head.contains(&format!("authorization: {}", world.canary.value())),
        "{head}"
    );
    world.canary.assert_unseen("stderr", &output.stderr);
}

#[test]
fn static_keys_are_used_as_they_are() {
    needs_namespaces!();
    let world = World::new();
    let container = world
        .container("")
        .variable("AWS_ACCESS_KEY_ID", "AKIA1")
        .variable("AWS_SECRET_ACCESS_KEY", "key");
    let shown: Value = serde_json::from_slice(&asked(&container).stdout).unwrap();
    assert_eq!(
        shown,
        json!({"Version": 1, "AccessKeyId": "AKIA1", "SecretAccessKey": "key"})
    );
}

#[track_caller]
fn check_refused(container: &Sandbox, report: Expect) -> Vec<u8> {
    let output = asked(container);
    check_end(&output, 2);
    assert_eq!(output.stdout, b"");
    let shown = String::from_utf8_lossy(&output.stderr);
    report.assert_eq(&shown);
    output.stderr
}

#[test]
fn missing_credentials_are_explained() {
    needs_namespaces!();
    check_refused(
        &World::new().container(""),
        expect![[r#"
        lyftlearn-runtime: cannot give credentials: the environment names no source
          hint: give the pod a service account with a role, or the container AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
    "#]],
    );
    let world = World::new();
    let isolated = world
        .training("", &json!({}))
        .variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "");
    check_refused(
        &isolated,
        expect![[r#"
        lyftlearn-runtime: cannot give credentials: this container is isolated by design
          hint: data comes in by channels; turn EnableNetworkIsolation off if the program must call AWS
    "#]],
    );
    let world = World::new();
    let dead = world.container("").variable(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "http://127.0.0.1:9/v1/credentials",
    );
    check_refused(
        &dead,
        expect![[r#"
        lyftlearn-runtime: cannot get credentials from the source container
          because: connection to its endpoint refused
          hint: lyftlearn-runtime doctor shows each step of it
    "#]],
    );
    let tokenless = world
        .container("")
        .variable("AWS_REGION", "eu-west-1")
        .variable("AWS_ROLE_ARN", "arn:aws:iam::111111111111:role/r")
        .variable("AWS_WEB_IDENTITY_TOKEN_FILE", "/absent");
    check_refused(
        &tokenless,
        expect![[r#"
        lyftlearn-runtime: cannot get credentials from the source web-identity
          because: the token file /absent does not exist
          hint: lyftlearn-runtime doctor shows each step of it
    "#]],
    );
    // No part of the address may show: people put passwords there.
    let world = World::new();
    let (port, _) = endpoint("404 Not Found", "{}".to_owned());
    let secret = world.canary.value().to_owned();
    let refusing = world.container("").variable(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        format!("http://{secret}:{secret}@127.0.0.1:{port}/v1/credentials"),
    );
    let report = check_refused(
        &refusing,
        expect![[r#"
        lyftlearn-runtime: cannot get credentials from the source container
          because: its endpoint answered 404: it has no credentials for this container
          hint: lyftlearn-runtime doctor shows each step of it
    "#]],
    );
    world.canary.assert_unseen("the report", &report);
}
