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
fn what_sts_says_and_does_not_say_has_a_sentence_each() {
    let mut stage = stage!();
    let container = irsa(&stage);
    for (mood, sentence) in [
        (
            json!({"status": 400, "code": "AccessDenied"}),
            "STS refused AssumeRoleWithWebIdentity: AccessDenied: the role's trust policy does not name this container",
        ),
        (
            json!({"status": 400, "code": "ExpiredTokenException"}),
            "STS refused AssumeRoleWithWebIdentity: ExpiredTokenException: what it was shown is over",
        ),
        (
            json!({"status": 400, "code": "InvalidIdentityToken"}),
            "STS refused AssumeRoleWithWebIdentity: InvalidIdentityToken: the account does not know who made the token",
        ),
        (
            json!({"status": 400, "code": "Throttling"}),
            "STS refused AssumeRoleWithWebIdentity: Throttling: it is asked too often",
        ),
        (
            json!({"status": 503, "code": "ServiceUnavailable"}),
            "STS failed at AssumeRoleWithWebIdentity: ServiceUnavailable",
        ),
        (
            json!({"status": 502}),
            "no AssumeRoleWithWebIdentity by STS: its endpoint answered 502: it failed",
        ),
        (
            json!({"status": 200}),
            "no AssumeRoleWithWebIdentity by STS: its endpoint answered with something that is no credentials",
        ),
        (
            json!({"hangs": true}),
            "no AssumeRoleWithWebIdentity by STS: its endpoint did not answer in time",
        ),
    ] {
        stage.network.ask(&json!({ "sts": mood }));
        check_said(&stage, &container, sentence);
    }
    let nowhere = container.variable("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9");
    check_said(
        &stage,
        &nowhere,
        "no AssumeRoleWithWebIdentity by STS: nothing listens where its endpoint should be",
    );
}

#[track_caller]
fn check_said(stage: &Stage, container: &Sandbox, sentence: &str) {
    let (document, _) = said(stage, container);
    assert_eq!(document["code"], "CredentialsUnavailable");
    assert_eq!(document["message"], sentence);
}

/// SageMaker's and ECS's endpoint, and those of EKS Pod Identity.
fn endpoints(stage: &Stage) -> Vec<Sandbox> {
    stage.world.file("shared/token", "of.the.account");
    let pod_identity = |host: &str| {
        stage
            .bare("")
            .variable(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                format!("http://{host}/v1/credentials"),
            )
            .variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/shared/token")
    };
    vec![
        stage.container(""),
        pod_identity("169.254.170.23"),
        pod_identity("[fd00:ec2::23]"),
    ]
}

#[test]
fn every_platform_s_endpoint_that_fails_has_a_sentence_for_it() {
    let mut stage = stage!();
    for container in endpoints(&stage) {
        for (mood, sentence) in [
            (
                json!({"status": 400}),
                "its endpoint answered 400: it refused",
            ),
            (
                json!({"status": 401}),
                "its endpoint answered 401: it does not accept this container or its token",
            ),
            (
                json!({"status": 403}),
                "its endpoint answered 403: it does not accept this container or its token",
            ),
            (
                json!({"status": 404}),
                "its endpoint answered 404: it knows no credentials for this container",
            ),
            (
                json!({"status": 429}),
                "its endpoint answered 429: it is asked too often",
            ),
            (
                json!({"status": 500}),
                "its endpoint answered 500: it failed",
            ),
            (
                json!({"life": 3600, "garbage": true}),
                "its endpoint answered with something that is no credentials",
            ),
            (
                json!({"life": -1}),
                "what it gave was over when it came: check this machine's clock",
            ),
            (
                json!({"hangs": true}),
                "its endpoint did not answer in time",
            ),
        ] {
            stage.mood(&mood);
            check_said(&stage, &container, sentence);
        }
    }
    let nowhere = stage.bare("").variable(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "http://169.254.170.23:9/v1/credentials",
    );
    check_said(
        &stage,
        &nowhere,
        "nothing listens where its endpoint should be",
    );
    let unknown = stage.bare("").variable(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "http://169.254.169.1/v1/credentials",
    );
    check_said(&stage, &unknown, "there is no way to its endpoint");
}

#[test]
fn an_endpoint_that_flaps_is_not_felt() {
    for number in 0..3 {
        let mut stage = stage!();
        let container = endpoints(&stage).remove(number);
        stage.mood(&json!({"life": 8, "flaps": true}));
        let argv = stage.program("lasting.py", &["2"]);
        let output = ended(&container, &argv);
        check_end(&output, 0);
        stage.check_unseen(&output);
        // Once for each key, and once in vain before it.
        assert!(stage.asked().len() >= 4);
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
    stage.world.file("shared/empty", "\n");
    std::fs::create_dir_all(stage.world.path("shared/directory")).unwrap();
    // Of a service account's role, and of EKS Pod Identity.
    for (container, name) in [
        (irsa(&stage), "AWS_WEB_IDENTITY_TOKEN_FILE"),
        (
            endpoints(&stage).remove(1),
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        ),
    ] {
        for (path, sentence) in [
            ("/shared/none", "the token file /shared/none does not exist"),
            ("/shared/empty", "the token file /shared/empty is empty"),
            (
                "/shared/directory",
                "cannot read the token file /shared/directory: is a directory",
            ),
        ] {
            let container = container.clone().variable(name, path);
            check_said(&stage, &container, sentence);
        }
    }
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
