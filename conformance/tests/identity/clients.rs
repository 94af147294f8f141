//! Every client finds one identity, by one means, and all of them cost one question.

use super::*;

#[test]
fn every_client_finds_the_one_identity_and_all_cost_one_question() {
    let mut stage = stage!();
    // What a platform or an image may leave behind, and what some client would follow.
    let container = stage
        .container("")
        .variable("AWS_ROLE_ARN", "")
        .variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")
        .variable("AWS_SESSION_TOKEN", "");
    let clients = at_hand(ALL);
    let argv = stage.reading(&clients);
    let output = container.run(&argv).end_within(Duration::from_secs(240));
    check_end(&output, 0);
    stage.check_unseen(&output);
    stage.check_one_key(&clients);
    let callers = stage.sts("GetCallerIdentity");
    assert_eq!(callers.len(), 2, "both of Rust's");
    for caller in callers {
        assert_eq!(caller["token"], "token-1");
    }
    let asked = stage.asked();
    assert_eq!(asked[0]["host"], "169.254.170.2");
    assert_eq!(asked[0]["path"], "/role/1");
    assert_eq!(stage.seen()["proxy"], json!([]));
}

#[test]
fn a_client_keeps_working_when_its_key_ends() {
    let mut stage = stage!();
    stage.mood(&json!({"life": 4}));
    let argv = stage.program("lasting.py", &["3"]);
    let output = ended(&stage.container(""), &argv);
    check_end(&output, 0);
    let shown = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<u32> = shown
        .lines()
        .map(|key| key.strip_prefix("ASIA").unwrap().parse().unwrap())
        .collect();
    // Which is the first depends on how long the client takes to start.
    let first = numbers[0];
    assert_eq!(numbers, [first, first + 1, first + 2], "{shown}");
}

/// Those that no variable leads to a proxy: the SDKs of C++ and JavaScript take one from the
/// program's own words alone. Java's reads HTTPS_PROXY, for plain HTTP, too.
const NEVER_BY_PROXY: &[&str] = &["pyarrow", "javascript"];

#[test]
fn no_credential_request_passes_a_proxy() {
    let mut stage = stage!();
    let (proxy, elsewhere) = (stage.url("proxy"), stage.url("elsewhere"));
    let container = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"]
        .into_iter()
        .fold(stage.container(""), |container, name| {
            container.variable(name, proxy)
        });
    let clients = at_hand(ALL);
    let mut argv = stage.reading(&clients);
    // Somewhere that is reached by the proxy.
    argv[3] = elsewhere.to_owned();
    let output = container.run(&argv).end_within(Duration::from_secs(240));
    check_end(&output, 0);
    let seen = stage.seen();
    let passed: Vec<&str> = seen["proxy"]
        .as_array()
        .unwrap()
        .iter()
        .map(|head| head.as_str().unwrap())
        .collect();
    let direct: Vec<&str> = clients
        .iter()
        .copied()
        .filter(|client| {
            let own = [
                format!("/bucket/{client}.csv"),
                format!("/bucket/{client}/"),
                format!("app/{client}\r"),
            ];
            !passed
                .iter()
                .any(|head| own.iter().any(|own| head.contains(own)))
        })
        .collect();
    assert_eq!(direct, NEVER_BY_PROXY);
    stage.check_one_key(&clients);
    for head in passed {
        assert!(!head.contains("/v1/credentials"), "{head}");
        assert!(!head.contains("/role/1"), "{head}");
    }
}

#[test]
fn sixty_four_processes_that_ask_first_cost_one_question() {
    let mut stage = stage!();
    let argv = stage.program("crowd.py", &["64"]);
    let output = ended(&stage.container(""), &argv);
    check_end(&output, 0);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(shown.lines().count(), 64);
    assert!(shown.lines().all(|key| key == "ASIA000000000001"));
    assert_eq!(stage.asked().len(), 1);
}

#[test]
fn callers_during_a_fetch_do_not_trigger_another() {
    let mut stage = stage!();
    stage.mood(&json!({"life": 3600, "slow": 0.7}));
    let early = stage.program("said.py", &[]).join(" ");
    // These take longer than the second after which a caller may have the source asked again.
    let late = stage.reading(&["boto3", "s3fs", "aws-cli-1"]).join(" ");
    let script = format!("{early} && {late} && exec {late}");
    let output = ended(&stage.container(""), &["sh", "-c", &script]);
    check_end(&output, 0);
    stage.check_one_key(&["boto3", "s3fs", "aws-cli-1"]);
}

#[test]
fn the_workers_of_a_server_that_forks_have_it() {
    let mut stage = stage!();
    let argv = stage.program("served.py", &[]);
    let output = ended(&stage.container(""), &argv);
    check_end(&output, 0);
    let shown = String::from_utf8(output.stdout).unwrap();
    let mut workers: Vec<&str> = shown
        .lines()
        .map(|line| {
            let (worker, key) = line.split_once(' ').unwrap();
            assert_eq!(key, "ASIA000000000001");
            worker
        })
        .collect();
    workers.sort_unstable();
    workers.dedup();
    assert_eq!(workers.len(), 2, "{shown}");
    stage.check_one_key(&[
        "boto3",
        "s3fs",
        "pyarrow",
        "s3torchconnector",
        "polars",
        "deltalake",
    ]);
}

const PROFILE: &str = "[credentials]\nprofile_files = [\"/root/.aws/config\"]\n";

/// Those that read no profile: object_store ("Builds an Amazon S3 object store" names environment,
/// web identity, container and instance), and the providers that Hadoop's S3A has by default
/// (`fs.s3a.aws.credentials.provider` in core-default.xml). `exec` gives them the environment again.
const NEVER_BY_PROFILE: &[&str] = &["polars", "deltalake", "java-s3a"];

/// Starts every client without the environment, as `taken` does.
#[track_caller]
fn check_without_the_environment(
    mut stage: Stage,
    taken: &str,
    machine: impl FnOnce(Sandbox) -> Sandbox,
) {
    let clients = at_hand(ALL);
    let (beside, profiled): (Vec<_>, Vec<_>) =
        (clients.iter().copied()).partition(|client| NEVER_BY_PROFILE.contains(client));
    let script = format!(
        "{taken} {} && {taken} {BINARY} exec -- {}",
        stage.reading(&profiled).join(" "),
        stage.reading(&beside).join(" ")
    );
    let container = machine(stage.container(PROFILE));
    let running = container.run(&["sh", "-c", &script]);
    let output = running.end_within(Duration::from_secs(240));
    check_end(&output, 0);
    stage.check_unseen(&output);
    stage.check_one_key(&clients);
}

#[test]
fn clients_that_lost_the_environment_find_it_by_the_profile() {
    let emptied = "env -i HOME=/root PATH=/usr/bin:/bin";
    check_without_the_environment(stage!(), emptied, |container| container);
}

#[test]
fn what_sudo_starts_finds_it_too() {
    check_without_the_environment(stage!(), "sudo -n", |container| {
        [
            "/etc/sudoers",
            "/etc/pam.d",
            "/etc/group",
            "/etc/shadow",
            "/etc/security",
        ]
        .into_iter()
        .fold(container, |container, path| {
            container.mount_read_only(path, path)
        })
    });
}
