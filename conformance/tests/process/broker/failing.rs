//! What happens when the source fails, or the agent itself.

use expect_test::expect;

use super::*;

#[test]
fn they_are_renewed_in_time_and_outlive_a_source_that_fails() {
    needs_namespaces!();
    let (world, upstream) = (World::new(), Upstream::new());
    upstream.mood(Mood::Gives(Duration::from_secs(6)));
    let served = served(&world, &container(&world, &upstream, ""));
    let first = served.key();
    let renewed = wait::until(|| Some(served.key()).filter(|key| *key != first));
    assert!(
        renewed.is_some(),
        "new credentials before the old ones expire"
    );
    // From here the source fails. Cached credentials are served until they expire, and never after.
    upstream.mood(Mood::Status(500));
    let over = wait::until(|| {
        let (status, document) = served.ask("/v1/credentials");
        (status != 200).then_some((status, document))
    });
    let (status, document) = over.unwrap();
    assert_eq!(status, 503);
    assert_eq!(document["code"], "CredentialsExpired");
    expect!["credentials expired and cannot be refreshed: its endpoint failed with status 500"]
        .assert_eq(document["message"].as_str().unwrap());
    // It comes back by itself, at once when somebody asks.
    upstream.mood(Mood::Gives(Duration::from_secs(3600)));
    let back = wait::until(|| (served.ask("/v1/credentials").0 == 200).then_some(()));
    assert!(back.is_some());
    let output = served.end(&world, &upstream);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        log.contains("lyftlearn-runtime: level=warn event=credentials-not-refreshed identity=default seconds_left="),
        "{log}"
    );
    assert!(
        log.contains("cause=\"its endpoint failed with status 500\""),
        "{log}"
    );
    assert!(
        log.contains("event=credentials-refreshed-again identity=default\n"),
        "{log}"
    );
}

#[test]
fn each_way_of_not_giving_has_its_sentence() {
    needs_namespaces!();
    for (mood, message) in [
        (Mood::Status(403), expect!["its endpoint answered 403: it does not accept this container or its token"]),
        (Mood::Status(404), expect!["its endpoint answered 404: it has no credentials for this container"]),
        (Mood::Status(503), expect!["its endpoint failed with status 503"]),
        (Mood::Says("<html>".to_owned()), expect!["the response of its endpoint is malformed"]),
        (
            Mood::Says(json!({"AccessKeyId": "A", "SecretAccessKey": "k", "Token": "t", "Expiration": "2020-01-01T00:00:00Z"}).to_string()),
            expect!["its credentials had expired when they arrived: check this machine's clock"],
        ),
        (Mood::Hangs, expect!["its endpoint did not answer in time"]),
    ] {
        let (world, upstream) = (World::new(), Upstream::new());
        upstream.mood(mood.clone());
        let served = served(&world, &container(&world, &upstream, ""));
        let said = wait::until(|| {
            let (status, document) = served.ask("/v1/credentials");
            assert_eq!(status, 503);
            (document["code"] == "CredentialsUnavailable").then_some(document)
        });
        message.assert_eq(said.unwrap()["message"].as_str().unwrap());
        // And it comes back.
        if !matches!(mood, Mood::Status(403 | 404)) {
            upstream.mood(Mood::Gives(Duration::from_secs(60)));
            let back = wait::until(|| {
                (served.ask("/v1/credentials").0 == 200).then_some(())
            });
            assert!(back.is_some(), "{mood:?}");
        }
        served.end(&world, &upstream);
    }
}

#[test]
fn an_agent_that_dies_is_not_felt_for_long() {
    needs_namespaces!();
    let (world, upstream) = (World::new(), Upstream::new());
    let served = served(&world, &container(&world, &upstream, ""));
    served.key();
    let one = served.running.pid_one();
    for _ in 0..3 {
        let pid = agent::agent(one, None);
        agent::kill(pid, Signal::SIGKILL);
        // The socket stays.
        let back = wait::until(|| {
            let mut stream = TcpStream::connect(&served.address).unwrap();
            let request = format!(
                "GET /v1/credentials HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\nConnection: close\r\n\r\n",
                served.address, served.token
            );
            let mut text = String::new();
            stream.write_all(request.as_bytes()).ok()?;
            stream.read_to_string(&mut text).ok()?;
            text.contains("200 OK").then_some(())
        });
        assert!(back.is_some());
        agent::agent(one, Some(pid));
    }
    served.end(&world, &upstream);
}

#[test]
fn an_agent_that_is_stopped_or_hangs_is_replaced() {
    needs_namespaces!();
    let (world, upstream) = (World::new(), Upstream::new());
    let served = served(&world, &container(&world, &upstream, ""));
    let one = served.running.pid_one();
    let pid = agent::agent(one, None);
    agent::kill(pid, Signal::SIGSTOP);
    agent::agent(one, Some(pid));
    assert_eq!(served.ask("/v1/credentials").0, 200);
    served.end(&world, &upstream);

    // Nothing is ever written into this file of certificates: reading it blocks for ever, as on a
    // mount that hangs.
    let world = World::new();
    let container = container(&world, &upstream, "")
        .variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")
        .variable("AWS_REGION", "eu-west-1")
        .variable("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/r")
        .variable("AWS_WEB_IDENTITY_TOKEN_FILE", "/shared/token")
        .variable("AWS_CA_BUNDLE", "/shared/roots");
    world.file("shared/token", "a token");
    nix::unistd::mkfifo(
        &world.path("shared/roots"),
        nix::sys::stat::Mode::from_bits_truncate(0o600),
    )
    .unwrap();
    let served = self::served(&world, &container);
    let one = served.running.pid_one();
    let pid = agent::agent(one, None);
    agent::agent(one, Some(pid));
    served.end(&world, &upstream);
}

#[test]
fn connections_that_say_nothing_do_not_take_its_last_descriptors() {
    needs_namespaces!();
    let (world, upstream) = (World::new(), Upstream::new());
    let few = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))";
    let served = served(&world, &container(&world, &upstream, "").inheriting(few));
    let pid = agent::agent(served.running.pid_one(), None);
    let held: Vec<TcpStream> = (0..100)
        .map(|_| TcpStream::connect(&served.address).unwrap())
        .collect();
    assert_eq!(served.ask("/v1/credentials").0, 200);
    drop(held);
    assert_eq!(served.ask("/v1/credentials").0, 200);
    assert_eq!(agent::agent(served.running.pid_one(), None), pid);
    served.end(&world, &upstream);
}
