//! Every source of credentials of a platform, and the resulting credentials.

use super::*;

const ROLE: &str = "arn:aws:iam::123456789012:role/ranking";

/// Reads with Python's and Rust's client, and returns the one key that all of it was signed with.
#[track_caller]
fn key(stage: &mut Stage, container: &Sandbox) -> String {
    let argv = stage.reading(&["boto3", "rust", "rust-provider"]);
    let output = ended(container, &argv);
    check_end(&output, 0);
    stage.check_unseen(&output);
    let mut keys = stage.keys_of("boto3");
    for caller in stage.sts("GetCallerIdentity") {
        keys.push(caller["key"].as_str().unwrap().to_owned());
    }
    keys.dedup();
    assert_eq!(keys.len(), 1, "{keys:?}");
    keys.remove(0)
}

fn pod_identity(stage: &Stage, host: &str) -> Sandbox {
    stage.world.file("shared/token", "first\n");
    stage.world.file("shared/next", "second");
    stage
        .bare("")
        .variable(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            format!("http://{host}/v1/credentials"),
        )
        .variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/shared/token")
}

#[test]
fn eks_pod_identitys_token_is_read_anew_each_time() {
    let mut stage = stage!();
    stage.mood(&json!({"life": 4}));
    let container = pod_identity(&stage, "169.254.170.23");
    let once = stage.program("lasting.py", &["1"]).join(" ");
    let twice = stage.program("lasting.py", &["2"]).join(" ");
    let script = format!("{once} && mv /shared/next /shared/token && exec {twice}");
    let output = ended(&container, &["sh", "-c", &script]);
    check_end(&output, 0);
    let asked = stage.asked();
    assert_eq!(asked[0]["host"], "169.254.170.23");
    assert_eq!(asked[0]["token"], "first");
    assert_eq!(asked.last().unwrap()["token"], "second");
}

#[test]
fn eks_pod_identity_is_asked_by_ipv6_too() {
    let mut stage = stage!();
    let container = pod_identity(&stage, "[fd00:ec2::23]");
    assert_eq!(key(&mut stage, &container), "ASIA000000000001");
    let asked = stage.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0]["host"], "fd00:ec2::23");
    assert_eq!(asked[0]["token"], "first");
}

#[test]
fn a_service_accounts_token_is_exchanged_once() {
    let mut stage = stage!();
    stage.world.file("shared/token", "of.the.account\n");
    let container = stage
        .bare("")
        .variable("AWS_ENDPOINT_URL", stage.url("aws"))
        .variable("AWS_ROLE_ARN", ROLE)
        .variable("AWS_ROLE_SESSION_NAME", "ranking-1")
        .variable("AWS_WEB_IDENTITY_TOKEN_FILE", "/shared/token");
    let key = key(&mut stage, &container);
    let asked = stage.sts("AssumeRoleWithWebIdentity");
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0]["given"], key);
    let form = &asked[0]["form"];
    assert_eq!(form["RoleArn"], ROLE);
    assert_eq!(form["RoleSessionName"], "ranking-1");
    assert_eq!(form["WebIdentityToken"], "of.the.account");
    assert!(asked[0]["key"].is_null(), "nothing is signed");
}

#[test]
fn the_users_own_keys_are_used_as_they_are_or_served() {
    for settings in ["", "[credentials]\nsource = \"static\"\n"] {
        let mut stage = stage!();
        let container = stage
            .container(settings)
            .variable("AWS_ACCESS_KEY_ID", "AKIA0000000000000001")
            .variable("AWS_SECRET_ACCESS_KEY", stage.secret.value());
        assert_eq!(key(&mut stage, &container), "AKIA0000000000000001");
        assert_eq!(stage.asked(), Vec::<Value>::new());
    }
}

#[test]
fn a_profiles_process_is_asked_by_one_for_all() {
    for (settings, times) in [("[credentials]\nsource = \"profile\"\n", 1), ("", 3)] {
        let mut stage = stage!();
        let secret = stage.secret.value().to_owned();
        stage.world.file(
            "shared/process.sh",
            &format!(
                "echo x >>/shared/asked\necho '{{\"Version\": 1, \"AccessKeyId\": \"ASIAPROCESS000001\", \"SecretAccessKey\": \"{secret}\", \"SessionToken\": \"t\", \"Expiration\": \"2099-01-01T00:00:00Z\"}}'\n"
            ),
        );
        stage.world.file(
            "shared/config",
            "[default]\ncredential_process = /bin/sh /shared/process.sh\n",
        );
        let container = stage
            .bare(settings)
            .variable("AWS_CONFIG_FILE", "/shared/config");
        assert_eq!(key(&mut stage, &container), "ASIAPROCESS000001");
        let asked = std::fs::read_to_string(stage.world.path("shared/asked")).unwrap();
        assert_eq!(asked.lines().count(), times, "{settings}");
    }
}

#[test]
fn a_role_is_assumed_with_all_that_was_asked_for() {
    let mut stage = stage!();
    let settings = format!(
        "[credentials.assume_role]\narn = \"{ROLE}\"\nsession_name = \"nightly\"\nduration_seconds = 1800\nexternal_id = \"ours\"\nsource_identity = \"ranker\"\ntags = [\"team=ranking\", \"cost=7\"]\n"
    );
    let container = stage
        .container(&settings)
        .variable("AWS_ENDPOINT_URL", stage.url("aws"));
    let key = key(&mut stage, &container);
    let asked = stage.sts("AssumeRole");
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0]["key"], "ASIA000000000001");
    assert_eq!(asked[0]["given"], key);
    let form = &asked[0]["form"];
    for (name, value) in [
        ("RoleArn", ROLE),
        ("RoleSessionName", "nightly"),
        ("DurationSeconds", "1800"),
        ("ExternalId", "ours"),
        ("SourceIdentity", "ranker"),
        ("Tags.member.1.Key", "cost"),
        ("Tags.member.1.Value", "7"),
        ("Tags.member.2.Key", "team"),
        ("Tags.member.2.Value", "ranking"),
    ] {
        assert_eq!(form[name], value, "{name}");
    }
    assert_eq!(stage.asked().len(), 1);
}

#[test]
fn a_role_by_its_name_is_beside_the_container_s_own() {
    let mut stage = stage!();
    let settings = format!("[credentials]\nroles = [\"data={ROLE}\"]\n");
    let container = stage
        .container(&settings)
        .variable("AWS_ENDPOINT_URL", stage.url("aws"));
    let own = stage.reading(&["s3fs"]).join(" ");
    let data = stage.reading(&["boto3"]).join(" ");
    let uri = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
    let script = format!("{own} && {uri}=${uri}/data exec {data}");
    let output = ended(&container, &["sh", "-c", &script]);
    check_end(&output, 0);
    let mut own = stage.keys_of("s3fs");
    own.dedup();
    assert_eq!(own, ["ASIA000000000001"]);
    let asked = stage.sts("AssumeRole");
    assert_eq!(asked.len(), 1);
    assert_eq!(
        stage.keys_of("boto3"),
        [asked[0]["given"].as_str().unwrap()]
    );
    // STS gives no chain of roles more than an hour.
    assert_eq!(asked[0]["form"]["DurationSeconds"], "3600");
}

#[test]
fn a_profile_does_not_keep_clients_from_the_role_that_is_assumed_with_it() {
    let mut stage = stage!();
    let settings = format!("[credentials.assume_role]\narn = \"{ROLE}\"\n");
    let keys = format!(
        "[default]\naws_access_key_id = AKIA0000000000000001\naws_secret_access_key = {}\n",
        stage.secret.value()
    );
    let file = stage.world.file("home/.aws/credentials", &keys);
    let container = stage
        .bare(&settings)
        .mount_read_only(file, "/root/.aws/credentials")
        .variable("AWS_PROFILE", "default")
        .variable("AWS_ENDPOINT_URL", stage.url("aws"));
    let key = key(&mut stage, &container);
    let asked = stage.sts("AssumeRole");
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0]["key"], "AKIA0000000000000001");
    assert_eq!(asked[0]["given"], key);
}
