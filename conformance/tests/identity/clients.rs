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
    for client in &clients {
        let keys = stage.keys_of(client);
        assert!(!keys.is_empty(), "{client} read nothing");
        assert!(
            keys.iter().all(|key| key == "ASIA000000000001"),
            "{client}: {keys:?}"
        );
    }
    let callers = stage.sts("GetCallerIdentity");
    assert_eq!(callers.len(), 2, "both of Rust's");
    for caller in callers {
        assert_eq!(caller["key"], "ASIA000000000001");
        assert_eq!(caller["token"], "token-1");
    }
    let asked = stage.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
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
            let own = [format!("/bucket/{client}"), format!("app/{client}\r")];
            !passed
                .iter()
                .any(|head| own.iter().any(|own| head.contains(own)))
        })
        .collect();
    assert_eq!(direct, NEVER_BY_PROXY);
    for client in &clients {
        let keys = stage.keys_of(client);
        assert!(!keys.is_empty(), "{client} read nothing");
        assert!(
            keys.iter().all(|key| key == "ASIA000000000001"),
            "{client}: {keys:?}"
        );
    }
    for head in passed {
        assert!(!head.contains("/v1/credentials"), "{head}");
        assert!(!head.contains("/role/1"), "{head}");
    }
    assert_eq!(stage.asked().len(), 1);
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
    assert_eq!(stage.asked().len(), 1);
}

const PROFILE: &str = "[credentials]\nprofile_files = [\"/root/.aws/config\"]\n";

#[test]
fn clients_that_lost_the_environment_find_it_by_the_profile() {
    let mut stage = stage!();
    let clients = at_hand(&[
        "boto3",
        "aws-cli-1",
        "aws-cli-2",
        "s3fs",
        "pyarrow",
        "s3torchconnector",
        "s5cmd",
        "rclone",
        "javascript",
        "rust",
    ]);
    let emptied = ["env", "-i", "HOME=/root", "PATH=/usr/bin:/bin"].map(ToOwned::to_owned);
    let argv: Vec<String> = emptied.into_iter().chain(stage.reading(&clients)).collect();
    let output = stage
        .container(PROFILE)
        .run(&argv)
        .end_within(Duration::from_secs(120));
    check_end(&output, 0);
    for client in &clients {
        let keys = stage.keys_of(client);
        assert!(keys.iter().all(|key| key == "ASIA000000000001"), "{keys:?}");
        assert!(!keys.is_empty(), "{client} read nothing");
    }
    assert_eq!(stage.asked().len(), 1);
}

#[test]
fn what_sudo_starts_finds_it_too() {
    let mut stage = stage!();
    let argv: Vec<String> = ["sudo", "-n"]
        .map(ToOwned::to_owned)
        .into_iter()
        .chain(stage.reading(&["boto3"]))
        .collect();
    let container = [
        "/etc/sudoers",
        "/etc/pam.d",
        "/etc/group",
        "/etc/shadow",
        "/etc/security",
    ]
    .into_iter()
    .fold(stage.container(PROFILE), |container, path| {
        container.mount_read_only(path, path)
    });
    let output = ended(&container, &argv);
    check_end(&output, 0);
    assert_eq!(stage.keys_of("boto3"), ["ASIA000000000001"]);
    assert_eq!(stage.asked().len(), 1);
}
