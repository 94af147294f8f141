//! What goes wrong in the field, a sentence each.

use super::*;

const ROLE: &str = "arn:aws:iam::123456789012:role/ranking";

/// What a caller is told.
#[track_caller]
fn said(stage: &Stage, container: &Sandbox) -> (Value, Output) {
    let output = ended(container, &stage.program("said.py", &[]));
    check_end(&output, 0);
    stage.check_unseen(&output);
    (serde_json::from_slice(&output.stdout).unwrap(), output)
}

/// A pod with a service account's role.
fn irsa(stage: &Stage) -> Sandbox {
    stage.world.file("shared/token", "of.the.account");
    stage
        .bare("")
        .variable("AWS_ENDPOINT_URL", stage.url("aws"))
        .variable("AWS_ROLE_ARN", ROLE)
        .variable("AWS_WEB_IDENTITY_TOKEN_FILE", "/shared/token")
}

#[test]
fn sts_refusals_have_a_sentence_each() {
    for (code, sentence) in [
        (
            "AccessDenied",
            "STS refused AssumeRoleWithWebIdentity: AccessDenied: the role's trust policy does not name this container",
        ),
        (
            "ExpiredTokenException",
            "STS refused AssumeRoleWithWebIdentity: ExpiredTokenException: what it was shown is over",
        ),
        (
            "InvalidIdentityToken",
            "STS refused AssumeRoleWithWebIdentity: InvalidIdentityToken: the account does not know who made the token",
        ),
        (
            "Throttling",
            "STS refused AssumeRoleWithWebIdentity: Throttling: it is asked too often",
        ),
    ] {
        let mut stage = stage!();
        stage
            .network
            .ask(&json!({"sts": {"status": 400, "code": code}}));
        let (document, _) = said(&stage, &irsa(&stage));
        assert_eq!(document["code"], "CredentialsUnavailable");
        assert_eq!(document["message"], sentence);
    }
}

#[test]
fn a_role_that_may_not_be_assumed_is_told_from_a_source_that_fails() {
    let mut stage = stage!();
    stage
        .network
        .ask(&json!({"sts": {"status": 403, "code": "AccessDenied"}}));
    let settings = format!("[credentials.assume_role]\narn = \"{ROLE}\"\n");
    let container = stage
        .container(&settings)
        .variable("AWS_ENDPOINT_URL", stage.url("aws"));
    let (document, _) = said(&stage, &container);
    assert_eq!(
        document["message"],
        "STS refused AssumeRole: AccessDenied: the role's trust policy does not name this container"
    );
}

#[test]
fn a_token_file_that_is_not_there_is_named() {
    let stage = stage!();
    let container = irsa(&stage).variable("AWS_WEB_IDENTITY_TOKEN_FILE", "/shared/none");
    let (document, _) = said(&stage, &container);
    assert_eq!(
        document["message"],
        "the token file /shared/none does not exist"
    );
    stage.world.file("shared/empty", "\n");
    let container = irsa(&stage).variable("AWS_WEB_IDENTITY_TOKEN_FILE", "/shared/empty");
    let (document, _) = said(&stage, &container);
    assert_eq!(document["message"], "the token file /shared/empty is empty");
}

#[test]
fn a_source_that_is_asked_too_often_is_left_alone_whoever_asks_us() {
    let mut stage = stage!();
    stage.mood(&json!({"status": 429}));
    let argv = stage.program("said.py", &["6"]);
    let output = ended(&stage.container(""), &argv);
    check_end(&output, 0);
    let shown = String::from_utf8(output.stdout).unwrap();
    for line in shown.lines() {
        let document: Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            document["message"],
            "its endpoint answered 429: it is asked too often"
        );
    }
    // Six answers take some four seconds, in which it could have been asked four times.
    assert_eq!(stage.asked().len(), 1);
}

#[test]
fn a_clock_that_is_off_is_said_once() {
    let mut stage = stage!();
    stage.mood(&json!({"life": 4, "date": -600}));
    let argv = stage.program("lasting.py", &["2"]);
    let output = ended(&stage.container(""), &argv);
    check_end(&output, 0);
    let log = stderr(&output);
    let said: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("event=clock-skewed"))
        .collect();
    assert_eq!(said.len(), 1, "{log}");
    let seconds = said[0].split("seconds_ahead=").nth(1).unwrap();
    let seconds: i64 = seconds.split(' ').next().unwrap().parse().unwrap();
    assert!((598..=602).contains(&seconds), "{log}");
}

#[test]
fn a_key_that_is_not_turned_is_served_as_long_as_it_lasts() {
    let mut stage = stage!();
    // What the endpoint has is older than its question, and stays the same.
    stage.mood(&json!({"life": 3600, "same": true, "until": "2099-01-01T00:00:00Z"}));
    let argv = stage.reading(&["boto3", "rust"]);
    let output = ended(&stage.container(""), &argv);
    check_end(&output, 0);
    assert_eq!(stage.keys_of("boto3"), ["ASIA000000000000"]);
    assert!(
        !stderr(&output).contains("level=warn"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_source_that_fails_is_not_felt_while_there_is_a_key() {
    let mut stage = stage!();
    stage.mood(&json!({"life": 3600}));
    let first = stage.reading(&["boto3"]).join(" ");
    let script = format!(
        "{first} && touch /shared/read && while ! [ -e /shared/failing ]; do :; done; exec {first}"
    );
    let running = stage.container("").run(&["sh", "-c", &script]);
    appears(&stage.world.path("shared/read"));
    stage.mood(&json!({"status": 500}));
    stage.world.file("shared/failing", "");
    check_end(&running.end(), 0);
    assert_eq!(
        stage.keys_of("boto3"),
        ["ASIA000000000001", "ASIA000000000001"]
    );
}
