//! The served credentials: one source, always fresh, for this container only.

mod failing;

use expect_test::expect;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use lyftlearn_conformance::upstream::{Mood, Upstream};

use super::*;

/// A container that gets credentials from `upstream`, with `/shared` and `/run`.
fn container(world: &World, upstream: &Upstream, settings: &str) -> Sandbox {
    for directory in ["shared", "run"] {
        std::fs::create_dir_all(world.path(directory)).unwrap();
    }
    world
        .container(settings)
        .mount(world.path("shared"), "/shared")
        .mount(world.path("run"), "/run")
        .variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", upstream.uri())
        .variable("AWS_CONTAINER_AUTHORIZATION_TOKEN", world.canary.value())
}

/// A program that runs until it is stopped.
const STAY: &[&str] = &["sh", "-c", "touch /shared/ready; exec sleep 1000"];

struct Served {
    running: sandbox::Running,
    address: String,
    token: String,
}

fn served(world: &World, container: &Sandbox) -> Served {
    let running = container.run(STAY);
    appears(&world.path("shared/ready"));
    let read =
        |name: &str| std::fs::read_to_string(world.path(&format!("run/lyftlearn/aws/{name}")));
    let uri = read("endpoint").unwrap();
    let address = uri.strip_prefix("http://").unwrap();
    let address = address.strip_suffix("/v1/credentials").unwrap().to_owned();
    Served {
        running,
        address,
        token: read("token").unwrap(),
    }
}

impl Served {
    /// The status and the body of an answer to these bytes.
    fn exchange(&self, request: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(wait::PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split_whitespace().nth(1).unwrap_or("0");
        let body = serde_json::from_str(body).unwrap_or(Value::Null);
        (status.parse().unwrap(), body)
    }

    fn ask(&self, path: &str) -> (u16, Value) {
        let token = &self.token;
        self.exchange(&format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: {token}\r\nConnection: close\r\n\r\n",
            self.address
        ))
    }

    /// The key that is given now.
    fn key(&self) -> String {
        let (status, document) = self.ask("/v1/credentials");
        assert_eq!(status, 200, "{document}");
        document["AccessKeyId"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn end(self, world: &World, upstream: &Upstream) -> Output {
        self.running.signal(Signal::SIGTERM);
        let output = self.running.end();
        check_end(&output, 143);
        for canary in [&world.canary, upstream.secret()] {
            canary.assert_unseen("stdout", &output.stdout);
            canary.assert_unseen("stderr", &output.stderr);
        }
        output
    }
}

fn state(world: &World) -> Value {
    let mut text = String::new();
    let mut stream = UnixStream::connect(world.path("run/lyftlearn/agent.sock")).unwrap();
    stream.set_read_timeout(Some(wait::PATIENCE)).unwrap();
    stream.read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_environment_names_one_means_and_no_other() {
    needs_namespaces!();
    let (world, upstream) = (World::new(), Upstream::new());
    let output = ended(
        &container(&world, &upstream, "")
            .variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "")
            .variable("AWS_ROLE_ARN", "")
            .variable("AWS_REGION", "eu-west-1")
            .variable("HTTP_PROXY", "http://127.0.0.1:9"),
        SHOW,
    );
    check_end(&output, 0);
    let found = variables(&output);
    let uri = &found["AWS_CONTAINER_CREDENTIALS_FULL_URI"];
    assert!(
        uri.starts_with("http://127.0.0.1:") && uri.ends_with("/v1/credentials"),
        "{uri}"
    );
    assert_ne!(*uri, upstream.uri());
    assert_eq!(
        found["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"],
        "/run/lyftlearn/aws/token"
    );
    assert_eq!(found["AWS_CONTAINER_AUTHORIZATION_TOKEN"].len(), 64);
    assert_eq!(found["AWS_EC2_METADATA_DISABLED"], "true");
    assert_eq!(found["AWS_DEFAULT_REGION"], "eu-west-1");
    assert!(found["NO_PROXY"].starts_with("127.0.0.1,localhost"));
    for gone in ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_ROLE_ARN"] {
        assert!(!found.contains_key(gone), "{gone}");
    }
    world.canary.assert_unseen(
        "the program's new token",
        found["AWS_CONTAINER_AUTHORIZATION_TOKEN"].as_bytes(),
    );
}

#[test]
fn served_credentials_equal_the_sources_and_files_are_private() {
    needs_namespaces!();
    let (world, upstream) = (World::new(), Upstream::new());
    let served = served(&world, &container(&world, &upstream, ""));
    let (status, document) = served.ask("/v1/credentials");
    assert_eq!(status, 200);
    assert_eq!(document["AccessKeyId"], "ASIA000000000001");
    assert_eq!(document["SecretAccessKey"], upstream.secret().value());
    assert_eq!(document["Token"], "token-1");
    let until = document["Expiration"].as_str().unwrap();
    assert!(until.len() == 20 && until.ends_with('Z'), "{until}");
    let head = upstream.heads()[0].to_lowercase();
    assert!(head.contains(&format!("authorization: {}", world.canary.value())));
    use std::os::unix::fs::PermissionsExt;
    for (name, mode) in [
        ("aws", 0o700),
        ("aws/token", 0o400),
        ("aws/endpoint", 0o400),
    ] {
        let path = world.path(&format!("run/lyftlearn/{name}"));
        let found = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{name}");
    }
    assert!(!served.token.contains('\n'));
    served.end(&world, &upstream);
}

#[test]
fn sixty_four_callers_cost_one_question() {
    needs_namespaces!();
    let (world, upstream) = (World::new(), Upstream::new());
    let served = served(&world, &container(&world, &upstream, ""));
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..64).map(|_| scope.spawn(|| served.key())).collect();
        for one in all {
            assert_eq!(one.join().unwrap(), "ASIA000000000001");
        }
    });
    assert_eq!(upstream.heads().len(), 1);
    assert_eq!(state(&world)["credentials"][0]["served"], 64);
    served.end(&world, &upstream);
}

#[test]
fn other_clients_are_refused_and_counted() {
    needs_namespaces!();
    let (world, upstream) = (World::new(), Upstream::new());
    let served = served(&world, &container(&world, &upstream, ""));
    let (token, address) = (&served.token, &served.address);
    for (request, status) in [
        (
            format!("GET /v1/credentials HTTP/1.1\r\nHost: {address}\r\n\r\n"),
            401,
        ),
        (
            format!(
                "GET /v1/credentials HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n"
            ),
            401,
        ),
        (
            format!(
                "GET /v1/credentials HTTP/1.1\r\nHost: evil.example\r\nAuthorization: {token}\r\n\r\n"
            ),
            403,
        ),
        (
            format!("GET /v1/credentials HTTP/1.1\r\nAuthorization: {token}\r\n\r\n"),
            403,
        ),
        (
            format!(
                "GET /latest/meta-data/ HTTP/1.1\r\nHost: {address}\r\nAuthorization: {token}\r\n\r\n"
            ),
            404,
        ),
        (
            format!(
                "PUT /v1/credentials HTTP/1.1\r\nHost: {address}\r\nAuthorization: {token}\r\nContent-Length: 0\r\n\r\n"
            ),
            405,
        ),
        (
            format!(
                "GET /v1/credentials HTTP/1.1\r\nHost: {address}\r\nAuthorization: {token}\r\nContent-Length: 1\r\n\r\nx"
            ),
            400,
        ),
        (
            format!(
                "GET /v1/credentials/none HTTP/1.1\r\nHost: {address}\r\nAuthorization: {token}\r\nConnection: close\r\n\r\n"
            ),
            404,
        ),
    ] {
        let (found, document) = served.exchange(&request);
        assert_eq!(found, status, "{request}");
        upstream
            .secret()
            .assert_unseen("a refusal", document.to_string().as_bytes());
        assert!(
            document["message"]
                .as_str()
                .is_some_and(|text| !text.contains(token.as_str())),
            "{document}"
        );
    }
    // Neither a head without end nor one that does not come holds anything up.
    let long = format!(
        "GET /v1/credentials HTTP/1.1\r\nX: {}\r\n\r\n",
        "x".repeat(40_000)
    );
    assert_eq!(served.exchange(&long).0, 431);
    let mut slow: Vec<TcpStream> = (0..300)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(b"GET /v1").unwrap();
            stream
        })
        .collect();
    let answered = wait::until(|| (served.ask("/v1/credentials").0 == 200).then_some(()));
    assert!(answered.is_some());
    let mut rest = Vec::new();
    slow[0].set_read_timeout(Some(wait::PATIENCE)).unwrap();
    // Closed by the endpoint, with or without a word.
    let _ = slow[0].read_to_end(&mut rest);
    drop(slow);
    let refused = &state(&world)["refused"];
    assert_eq!(
        *refused,
        json!({"token": 2, "host": 2, "path": 1, "method": 1, "body": 1})
    );
    served.end(&world, &upstream);
}

#[test]
fn the_users_own_keys_are_left_alone() {
    needs_namespaces!();
    let (world, upstream) = (World::new(), Upstream::new());
    let own = container(&world, &upstream, "")
        .variable("AWS_ACCESS_KEY_ID", "AKIA1")
        .variable("AWS_SECRET_ACCESS_KEY", "key");
    let found = variables(&ended(&own, SHOW));
    assert_eq!(found["AWS_ACCESS_KEY_ID"], "AKIA1");
    assert_eq!(found["AWS_CONTAINER_CREDENTIALS_FULL_URI"], upstream.uri());
    let native = container(&world, &upstream, "[credentials]\nmode = \"native\"\n");
    let found = variables(&ended(&native, SHOW));
    assert_eq!(found["AWS_CONTAINER_CREDENTIALS_FULL_URI"], upstream.uri());
    assert!(!found.contains_key("AWS_EC2_METADATA_DISABLED"));
    let off = container(&world, &upstream, "[credentials]\nmode = \"off\"\n");
    let found = variables(&ended(&off, SHOW));
    assert!(!found.contains_key("AWS_CONTAINER_CREDENTIALS_FULL_URI"));
    assert_eq!(found["AWS_EC2_METADATA_DISABLED"], "true");
    assert!(upstream.heads().is_empty());
}

#[test]
fn children_without_the_environment_find_it_by_a_profile() {
    needs_namespaces!();
    let (world, upstream) = (World::new(), Upstream::new());
    let profile = container(
        &world,
        &upstream,
        "[credentials]\nprofile_files = [\"/tmp/home/.aws/config\"]\n",
    );
    let script = "cat /tmp/home/.aws/config; env -i /opt/lyftlearn/bin/lyftlearn-runtime credentials; \
                  exec env -i PATH=$PATH LYFTLEARN_RUN_DIR=/nowhere lyftlearn-runtime credentials";
    let output = ended(&profile, &["sh", "-c", script]);
    check_end(&output, 0);
    let shown = String::from_utf8(output.stdout).unwrap();
    let mut lines = shown.lines();
    let profile: Vec<&str> = lines.by_ref().take(3).collect();
    assert_eq!(
        profile,
        [
            "# lyftlearn-runtime",
            "[default]",
            "credential_process = /opt/lyftlearn/bin/lyftlearn-runtime credentials"
        ]
    );
    for line in lines {
        let document: Value = serde_json::from_str(line).unwrap();
        assert_eq!(document["AccessKeyId"], "ASIA000000000001");
        assert_eq!(document["SessionToken"], "token-1");
    }
    assert_eq!(upstream.heads().len(), 1, "all of them ask the agent");
}

#[test]
fn exec_beside_gets_the_same_and_env_shows_no_secret() {
    needs_namespaces!();
    let (world, upstream) = (World::new(), Upstream::new());
    let script = "lyftlearn-runtime exec env -0; echo ===; lyftlearn-runtime env; echo ===; lyftlearn-runtime env --with-secrets --format json; echo ===; echo $AWS_CONTAINER_AUTHORIZATION_TOKEN";
    // As a process of the pod's own environment would.
    let script = format!(
        "token=$AWS_CONTAINER_AUTHORIZATION_TOKEN; export AWS_CONTAINER_CREDENTIALS_FULL_URI={} AWS_ROLE_ARN=; {}",
        upstream.uri(),
        script.replace("$AWS_CONTAINER_AUTHORIZATION_TOKEN", "$token")
    );
    let output = ended(&container(&world, &upstream, ""), &["sh", "-c", &script]);
    check_end(&output, 0);
    let shown = String::from_utf8(output.stdout).unwrap();
    let parts: Vec<&str> = shown.split("===\n").collect();
    let token = parts[3].trim();
    assert_eq!(token.len(), 64);
    assert!(parts[0].contains("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/run/lyftlearn/aws/token"));
    assert!(parts[0].contains(&format!("AWS_CONTAINER_AUTHORIZATION_TOKEN={token}")));
    assert!(!parts[0].contains("AWS_ROLE_ARN"));
    assert!(
        parts[1].contains("export AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:"),
        "{}",
        parts[1]
    );
    assert!(parts[1].contains("unset AWS_ROLE_ARN\n"), "{}", parts[1]);
    assert!(!parts[1].contains(token));
    assert!(parts[2].contains(token));
}

#[test]
fn doctor_reports_each_failure_with_a_hint() {
    needs_namespaces!();
    let (world, upstream) = (World::new(), Upstream::new());
    upstream.mood(Mood::Status(404));
    let asked = |container: &Sandbox, option: &str| {
        let argv: Vec<OsString> = [BINARY, "doctor", option]
            .iter()
            .filter(|word| !word.is_empty())
            .map(Into::into)
            .collect();
        container.start(&argv).end()
    };
    let output = asked(&container(&world, &upstream, ""), "");
    check_end(&output, 1);
    let shown = String::from_utf8(output.stdout).unwrap();
    expect![[r#"
        ok    identity   source: container, served on loopback
        FAIL  identity   credentials: its endpoint answered 404: it has no credentials for this container
              fix: check this container's role or Pod Identity association: the endpoint rejected it
    "#]].assert_eq(&findings_on("identity", &shown));
    world.canary.assert_unseen("doctor", shown.as_bytes());
    // Whatever hangs, it ends.
    upstream.mood(Mood::Hangs);
    let output = asked(&container(&world, &upstream, ""), "--json");
    check_end(&output, 1);
    let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
    let failed: Vec<&Value> = findings
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["verdict"] == "failed")
        .collect();
    expect!["its endpoint did not answer in time"].assert_eq(failed[0]["detail"].as_str().unwrap());
    assert_eq!(failed[0]["of"], "credentials");
    // A secret that is not there fails, and none is shown.
    let world = World::new();
    let declared = world
        .container("[secrets.db]\nfrom = \"env:DB_PASSWORD\"\nenv = \"DB\"\n[secrets.api]\nfrom = \"file:/etc/secrets/api\"\n[secrets.extra]\nfrom = \"env:EXTRA\"\nrequired = false\n");
    let output = asked(&declared, "");
    check_end(&output, 1);
    world.canary.assert_unseen("doctor", &output.stdout);
    let shown = String::from_utf8(output.stdout).unwrap();
    expect![[r#"
        FAIL  secrets    api: /etc/secrets/api does not exist
              fix: check its name and the permissions of this identity; required = false starts without it
        ok    secrets    db: can be had
        note  secrets    extra: optional: $EXTRA is not set
    "#]].assert_eq(&findings_on("secrets", &shown));
    // Without an identity nothing fails.
    check_end(&asked(&World::new().container(""), ""), 0);
}

/// What `doctor` shows of one thing, without the time that each step took.
fn findings_on(what: &str, shown: &str) -> String {
    let mut lines = shown.lines().peekable();
    let mut found = String::new();
    while let Some(line) = lines.next() {
        if line.split_whitespace().nth(1) != Some(what) {
            continue;
        }
        let sentence = line
            .rsplit_once(" (")
            .map_or(line, |(sentence, _)| sentence);
        found.push_str(&format!("{sentence}\n"));
        if let Some(fix) = lines.next_if(|line| line.trim_start().starts_with("fix: ")) {
            found.push_str(&format!("{fix}\n"));
        }
    }
    found
}

/// A pod without any source of credentials.
fn bare_pod(world: &World, settings: &str) -> Sandbox {
    world.pod(settings, "{}").variable("HOME", "/home")
}

#[test]
fn where_no_source_is_found_the_metadata_service_stays_as_it_was() {
    needs_namespaces!();
    for settings in ["", "[credentials]\nmode = \"native\"\n"] {
        let world = World::new();
        let output = ended(&bare_pod(&world, settings), SHOW);
        check_end(&output, 0);
        let found = variables(&output);
        assert!(!found.contains_key("AWS_EC2_METADATA_DISABLED"));
    }
    let both = ["inspect", "doctor"].map(|tool| {
        let world = World::new();
        let argv = [BINARY, tool].map(OsString::from);
        let output = bare_pod(&world, "").start(&argv).end();
        String::from_utf8(output.stdout).unwrap()
    });
    for text in both {
        for way_out in [
            "credentials.source = \"imds\"",
            "AWS_EC2_METADATA_DISABLED=true",
        ] {
            assert!(text.contains(way_out), "{text}");
        }
    }
}

#[test]
fn network_isolation_is_reported_at_once_unless_native() {
    needs_namespaces!();
    for (settings, expected) in [
        ("", Some("true")),
        ("[credentials]\nmode = \"native\"\n", None),
    ] {
        let world = World::new();
        let job = || {
            world
                .training(settings, &json!({}))
                .variable("HOSTNAME", "x")
        };
        let found = variables(&ended(&job(), SHOW));
        let found = found.get("AWS_EC2_METADATA_DISABLED");
        assert_eq!(found.map(String::as_str), expected);
        let user = job().variable("AWS_EC2_METADATA_DISABLED", "false");
        let found = variables(&ended(&user, SHOW));
        assert_eq!(found["AWS_EC2_METADATA_DISABLED"], "false");
    }
}

#[test]
fn a_profile_that_no_file_has_goes_where_credentials_are_served() {
    needs_namespaces!();
    for variable in ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"] {
        let (world, upstream) = (World::new(), Upstream::new());
        let lost = |settings: &str| {
            container(&world, &upstream, settings)
                .variable("HOME", "/home")
                .variable(variable, "canary-of-a-name")
        };
        let output = ended(&lost("[credentials]\nrequired = true\n"), SHOW);
        check_end(&output, 0);
        assert!(!variables(&output).contains_key(variable));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let problem = format!("; {variable} names ");
        assert!(said.contains(&problem), "{said}");
        let argv = [BINARY, "doctor"].map(OsString::from);
        let shown = lost("").start(&argv).end();
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        let sentence = format!("{variable} names ");
        assert!(
            shown.contains(&sentence) && !shown.contains("canary-of"),
            "{shown}"
        );
        // The program asks by itself, and would end with that.
        let native = lost("[credentials]\nmode = \"native\"\nrequired = true\n");
        let output = ended(&native, SHOW);
        check_end(&output, 125);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(&sentence), "{said}");
    }
}
