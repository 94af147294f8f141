//! What goes wrong in the field, a sentence each.

use expect_test::expect;

use super::*;

const ROLE: &str = "arn:aws:iam::123456789012:role/ranking";

/// The response that a caller gets.
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
fn each_answer_of_sts_has_a_message() {
    let mut stage = stage!();
    let container = irsa(&stage);
    let moods = [
        json!({"status": 400, "code": "AccessDenied"}),
        json!({"status": 400, "code": "ExpiredTokenException"}),
        json!({"status": 400, "code": "InvalidIdentityToken"}),
        json!({"status": 400, "code": "Throttling"}),
        json!({"status": 503, "code": "ServiceUnavailable"}),
        json!({"status": 502}),
        json!({"status": 200}),
        json!({"hangs": true}),
    ];
    let sentences = moods.map(|mood| {
        stage.network.ask(&json!({ "sts": mood }));
        sentence(&stage, &container)
    });
    let nowhere = container.variable("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9");
    let nowhere = sentence(&stage, &nowhere);
    expect![[r#"
        STS refused AssumeRoleWithWebIdentity: AccessDenied: the role's trust policy does not name this container
        STS refused AssumeRoleWithWebIdentity: ExpiredTokenException: the token has expired
        STS refused AssumeRoleWithWebIdentity: InvalidIdentityToken: the account has no identity provider for the token's issuer
        STS refused AssumeRoleWithWebIdentity: Throttling: too many requests
        STS failed at AssumeRoleWithWebIdentity: ServiceUnavailable
        cannot call AssumeRoleWithWebIdentity of STS: its endpoint failed with status 502
        cannot call AssumeRoleWithWebIdentity of STS: the response of its endpoint is malformed
        cannot call AssumeRoleWithWebIdentity of STS: its endpoint did not answer in time
        cannot call AssumeRoleWithWebIdentity of STS: connection to its endpoint refused
    "#]].assert_eq(&(sentences.concat() + &nowhere));
}

/// The reason why there are no credentials.
#[track_caller]
fn sentence(stage: &Stage, container: &Sandbox) -> String {
    let (document, _) = said(stage, container);
    assert_eq!(document["code"], "CredentialsUnavailable");
    format!("{}\n", document["message"].as_str().unwrap())
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
    let moods = [
        json!({"status": 400}),
        json!({"status": 401}),
        json!({"status": 403}),
        json!({"status": 404}),
        json!({"status": 429}),
        json!({"status": 500}),
        json!({"life": 3600, "garbage": true}),
        json!({"life": -1}),
        json!({"hangs": true}),
    ];
    let containers = endpoints(&stage);
    let sentences = containers.iter().map(|container| {
        let all = moods.each_ref().map(|mood| {
            stage.mood(mood);
            sentence(&stage, container)
        });
        all.concat()
    });
    expect![[r#"
        its endpoint rejected the request with status 400
        its endpoint answered 401: it does not accept this container or its token
        its endpoint answered 403: it does not accept this container or its token
        its endpoint answered 404: it has no credentials for this container
        its endpoint answered 429: too many requests
        its endpoint failed with status 500
        the response of its endpoint is malformed
        its credentials had expired when they arrived: check this machine's clock
        its endpoint did not answer in time
    "#]]
    .assert_eq(&the_same(sentences));
    let nowhere = [
        "http://169.254.170.23:9/v1/credentials",
        "http://169.254.169.1/v1/credentials",
    ];
    let sentences = nowhere.map(|uri| {
        let container = stage.bare("");
        let container = container.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri);
        sentence(&stage, &container)
    });
    expect![[r#"
        connection to its endpoint refused
        its endpoint cannot be reached
    "#]]
    .assert_eq(&sentences.concat());
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
fn a_denied_role_differs_from_a_failing_source() {
    let mut stage = stage!();
    stage
        .network
        .ask(&json!({"sts": {"status": 403, "code": "AccessDenied"}}));
    let settings = format!("[credentials.assume_role]\narn = \"{ROLE}\"\n");
    let container = stage
        .container(&settings)
        .variable("AWS_ENDPOINT_URL", stage.url("aws"));
    expect![[r#"
        STS refused AssumeRole: AccessDenied: the role's trust policy does not name this container
    "#]]
    .assert_eq(&sentence(&stage, &container));
}

#[test]
fn a_token_file_that_is_not_there_is_named() {
    let stage = stage!();
    stage.world.file("shared/empty", "\n");
    std::fs::create_dir_all(stage.world.path("shared/directory")).unwrap();
    let pipe = stage.world.path("shared/pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
    // Of a service account's role, and of EKS Pod Identity.
    let both = [
        (irsa(&stage), "AWS_WEB_IDENTITY_TOKEN_FILE"),
        (
            endpoints(&stage).remove(1),
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        ),
    ];
    let sentences = both.map(|(container, name)| {
        let files = ["none", "empty", "directory", "pipe"].map(|name| format!("/shared/{name}"));
        let of = |path: String| sentence(&stage, &container.clone().variable(name, path));
        files.map(of).concat()
    });
    expect![[r#"
        the token file /shared/none does not exist
        the token file /shared/empty is empty
        no token: cannot read /shared/directory: it is a directory, not a file
        no token: cannot read /shared/pipe: it is a named pipe, not a file
    "#]]
    .assert_eq(&the_same(sentences));
}

#[test]
fn a_throttled_source_gets_no_request_from_any_caller() {
    let mut stage = stage!();
    stage.mood(&json!({"status": 429}));
    let argv = stage.program("said.py", &["6"]);
    let output = ended(&stage.container(""), &argv);
    check_end(&output, 0);
    let shown = String::from_utf8(output.stdout).unwrap();
    let messages = shown.lines().map(|line| {
        let document: Value = serde_json::from_str(line).unwrap();
        document["message"].as_str().unwrap().to_owned()
    });
    expect!["its endpoint answered 429: too many requests"].assert_eq(&the_same(messages));
    // Six answers take some four seconds, in which it could have been asked four times.
    assert_eq!(stage.asked().len(), 1);
}

#[test]
fn a_wrong_clock_is_reported_once() {
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
