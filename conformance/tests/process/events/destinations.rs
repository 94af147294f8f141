//! Destinations that fail: which are retried, what is reported, and how long an exit waits.

use std::time::Instant;

use expect_test::expect;
use lyftlearn_conformance::upstream::{Mood, Upstream};

use super::*;

/// Runs a job with a stand-in for SQS.
#[track_caller]
fn through(between: &Between, to: &str, code: i32) -> (Told, Output) {
    let job = Told::new([to.to_owned()]);
    let output = job.through(between, code);
    (job, output)
}

/// The end only: a job that ends at once may have sent its start, or not.
fn ends(events: Vec<Value>) -> Vec<Value> {
    let over = |event: &Value| ["Completed", "Failed"].contains(&status(event).as_str());
    events.into_iter().filter(over).collect()
}

#[test]
fn an_answer_that_is_lost_is_asked_for_with_the_same_bytes() {
    needs_servers!();
    let between = Between::new(&json!(["lose", "lose", "lose", "pass"]));
    let (job, output) = through(&between, &queue("direct.fifo"), 0);
    assert_eq!(undelivered(&output), "");
    // Taken three times, and there once.
    let (events, _) = job.told("direct.fifo");
    assert_eq!(ends(events).len(), 1);
    let bodies: Vec<String> = (between.seen().iter())
        .map(|asked| asked["body"].as_str().unwrap().to_owned())
        .collect();
    let last = bodies.last().unwrap();
    assert!(
        bodies.iter().filter(|body| *body == last).count() > 1,
        "{bodies:#?}"
    );
    // A standard queue has it as often as it was taken, by one id: to the consumer that is one.
    let between = Between::new(&json!(["lose", "lose", "lose", "pass"]));
    let (job, _) = through(&between, &queue("direct"), 1);
    let (events, _) = job.told("direct");
    let ids: Vec<&Value> = events.iter().map(|event| own(event, "EventId")).collect();
    assert!(ids.windows(2).any(|pair| pair[0] == pair[1]), "{ids:?}");
    assert_eq!(job.row("direct")["status"], "Failed");
}

#[test]
fn an_entry_that_failed_in_a_request_that_did_not_is_asked_again() {
    needs_servers!();
    let failed = |code: &str| json!({"status": 200, "body": {"FailedEntryCount": 1, "Entries": [{"ErrorCode": code, "ErrorMessage": "canary"}]}});
    let between = Between::new(&json!([
        failed("InternalFailure"),
        failed("ThrottlingException"),
        "pass"
    ]));
    let (job, output) = through(&between, "eventbridge:ml", 0);
    assert_eq!(undelivered(&output), "");
    assert_eq!(job.row("by-rule")["status"], "Completed");
    let between = Between::new(&json!([failed("NotAuthorizedForSourceException")]));
    let (job, output) = through(&between, "eventbridge:ml", 0);
    expect![[r#"
        lyftlearn-runtime: 1 job event was not delivered to eventbridge:ml: EventBridge did not accept the event (NotAuthorizedForSourceException)
    "#]].assert_eq(&undelivered(&output));
    assert_eq!(job.told("by-rule").0.len(), 0);
    assert_eq!(job.outcome()["events"], json!({"undelivered": 1}));
}

#[test]
fn an_event_throttled_for_long_is_delivered_before_the_deadline() {
    needs_servers!();
    let throttled =
        json!({"status": 400, "body": {"__type": "com.amazonaws.sqs#RequestThrottled"}});
    // At the most three seconds are between two attempts.
    let between = Between::new(&json!([{"until": 5, "step": throttled, "then": "pass"}]));
    let job = Told::new([queue("direct")]).with("end_seconds = 10");
    let output = job.through(&between, 0);
    assert_eq!(undelivered(&output), "");
    assert_eq!(job.row("direct")["status"], "Completed");
    assert!(between.seen().len() > 3);
}

/// The report about a sink with these responses, the time of the exit, and the number of requests.
#[track_caller]
fn failing(steps: &Value) -> (String, Duration, usize) {
    let sink = Between::new(steps);
    let job = Told::new([format!("{}/jobs?key=hunter2", sink.url())]);
    let begun = Instant::now();
    let output = job.ended("exit 0", 0);
    let took = begun.elapsed();
    let said = undelivered(&output).replace(&sink.port.to_string(), "PORT");
    assert!(!said.contains("hunter2"), "{said}");
    assert_eq!(job.outcome()["events"], json!({"undelivered": 1}));
    (said, took, sink.seen().len())
}

#[test]
fn sinks_that_do_not_take_it_have_a_sentence_each() {
    needs_servers!();
    let (gone, _, _) = failing(&json!([{"status": 410}]));
    let location = json!({"Location": "http://127.0.0.1:1/canary"});
    let (elsewhere, _, _) = failing(&json!([{"status": 302, "headers": location}]));
    let (denied, _, _) = failing(&json!([{"status": 403}]));
    let (later, _, times) = failing(&json!([{"status": 429, "headers": {"Retry-After": "60"}}]));
    // The start, and the end.
    assert!(times <= 2, "{times}");
    let (deaf, took, _) = failing(&json!(["hang"]));
    assert!(took >= Duration::from_secs(3), "{took:?}");
    expect![[r#"
        lyftlearn-runtime: 1 job event was not delivered to http://127.0.0.1:PORT/jobs: the sink is gone (410)
        lyftlearn-runtime: 1 job event was not delivered to http://127.0.0.1:PORT/jobs: the server redirects (302), and redirects are not followed
        lyftlearn-runtime: 1 job event was not delivered to http://127.0.0.1:PORT/jobs: the sink rejected the request (403): check the headers in the variable that events.headers_variable names
        lyftlearn-runtime: 1 job event was not delivered to http://127.0.0.1:PORT/jobs: throttled (429)
        lyftlearn-runtime: 1 job event was not delivered to http://127.0.0.1:PORT/jobs: no response within 3 s
    "#]].assert_eq(&[gone, elsewhere, denied, later, deaf].concat());
}

#[test]
fn unreachable_hosts_are_reported() {
    needs_servers!();
    let said = |to: &str, port: u64| {
        let job = Told::new([to.to_owned()]);
        let output = job.ended("exit 0", 0);
        undelivered(&output).replace(&port.to_string(), "PORT")
    };
    let refusing = said("http://127.0.0.1:1/jobs", 65_536);
    // The name server of these containers does not answer.
    let nameless = said("http://no-such-host.invalid/jobs", 65_536);
    let sink = Between::sink();
    let secured = asked(&json!({"tls": sink.port})).as_u64().unwrap();
    let untrusted = said(&format!("https://127.0.0.1:{secured}/jobs"), secured);
    assert_eq!(sink.seen().len(), 0);
    expect![[r#"
        lyftlearn-runtime: 1 job event was not delivered to http://127.0.0.1:1/jobs: connection failed
        lyftlearn-runtime: 1 job event was not delivered to http://no-such-host.invalid/jobs: no response within 3 s
        lyftlearn-runtime: 1 job event was not delivered to https://127.0.0.1:PORT/jobs: its certificate is not trusted: add its CA to the file that SSL_CERT_FILE or AWS_CA_BUNDLE names
    "#]].assert_eq(&[refusing, nameless, untrusted].concat());
}

#[test]
fn a_denied_request_is_not_retried_and_names_the_permission() {
    needs_servers!();
    let refused = |to: &str, identity: &'static str| {
        let job = Told::new([to.to_owned()]).of(identity);
        undelivered(&job.ended("exit 0", 0))
    };
    let missing = queue("direct").replace("/direct", "/no-such-queue");
    let all = [
        refused(&queue("direct"), "powerless"),
        refused("eventbridge:ml", "powerless"),
        refused(&missing, "job"),
        refused("eventbridge:no-such-bus", "job"),
    ];
    let wrong = Told::new([queue("direct")]);
    let container = wrong.container().variable("AWS_SECRET_ACCESS_KEY", "wrong");
    let output = container.run(&["sh", "-c", "exit 0"]).end();
    wrong.check(&output, 0);
    expect![[r#"
        lyftlearn-runtime: 1 job event was not delivered to sqs:…/direct: access denied (AccessDenied): the role needs sqs:SendMessage
        lyftlearn-runtime: 1 job event was not delivered to eventbridge:ml: access denied (AccessDenied): the role needs events:PutEvents
        lyftlearn-runtime: 1 job event was not delivered to sqs:…/no-such-queue: the queue does not exist (QueueDoesNotExist)
        lyftlearn-runtime: 1 job event was not delivered to eventbridge:no-such-bus: the event bus does not exist (ResourceNotFoundException)
        lyftlearn-runtime: 1 job event was not delivered to sqs:…/direct: AWS rejected the credentials (SignatureDoesNotMatch)
    "#]].assert_eq(&(all.concat() + &undelivered(&output)));
}

#[test]
fn a_proxy_is_asked_where_the_environment_names_one_and_not_where_it_does_not() {
    needs_servers!();
    let proxy = Between::new(&json!([{"status": 202}]));
    let job = Told::new(["http://sink.internal/jobs".to_owned()]);
    let proxied = job.container().variable("http_proxy", proxy.url());
    job.check(&proxied.run(&["true"]).end(), 0);
    let seen = proxy.seen();
    assert!(!seen.is_empty());
    assert_eq!(seen[0]["path"], "http://sink.internal/jobs");
    let before = seen.len();
    let straight = proxied.variable("no_proxy", "sink.internal");
    let output = straight.run(&["true"]).end();
    job.check(&output, 0);
    expect![[r#"
        lyftlearn-runtime: 1 job event was not delivered to http://sink.internal/jobs: no response within 3 s
    "#]].assert_eq(&undelivered(&output));
    assert_eq!(proxy.seen().len(), before);
}

#[test]
fn destinations_do_not_wait_for_each_other_and_neither_does_the_program() {
    needs_servers!();
    let deaf = Between::new(&json!(["hang"]));
    let job = Told::new([deaf.url(), queue("direct")]);
    let running = job.shell("touch /shared/ready; until [ -e /shared/go ]; do sleep 0.05; done");
    appears(&job.world.path("shared/ready"));
    job.waits_for("direct", "InProgress");
    job.world.file("shared/go", "");
    job.check(&running.end(), 0);
    assert_eq!(job.row("direct")["status"], "Completed");
}

/// A job with credentials from `upstream`, and a stand-in for its queue.
fn served(job: &Told, upstream: &Upstream, between: &Between) -> Sandbox {
    job.world
        .sharing(&job.settings())
        .mount(job.world.path("run"), "/run")
        .variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", upstream.uri())
        .variable(
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            job.world.canary.value(),
        )
        .variable("AWS_ENDPOINT_URL_SQS", between.url())
        .variable("AWS_REGION", "eu-west-1")
}

/// The key by which a request is signed.
fn key(asked: &Value) -> String {
    let signed = asked["headers"]["authorization"].as_str().unwrap();
    let (_, after) = signed.split_once("Credential=").unwrap();
    after.split('/').next().unwrap().to_owned()
}

#[test]
fn the_end_is_signed_by_credentials_that_were_there_before_it() {
    needs_servers!();
    let taken = json!([{"status": 200, "body": {"MessageId": "1"}}]);
    let (upstream, between) = (Upstream::new(), Between::new(&taken));
    let job = Told::new(["sqs:https://sqs.eu-west-1.amazonaws.com/123456789012/states".to_owned()]);
    let running = served(&job, &upstream, &between).run(&[
        "sh",
        "-c",
        "trap 'exit 0' TERM; touch /shared/ready; while :; do sleep 0.05; done",
    ]);
    appears(&job.world.path("shared/ready"));
    between.waits_for(|_| true);
    // A pod that is terminating has no credentials any more (kube2iam).
    upstream.mood(Mood::Hangs);
    let asked_before = upstream.heads().len();
    running.signal(Signal::SIGTERM);
    let output = running.end();
    job.check(&output, 0);
    upstream.secret().assert_unseen("stderr", &output.stderr);
    assert_eq!(undelivered(&output), "");
    let seen = between.seen();
    let last = seen.last().unwrap();
    let message = between.bodies().pop().unwrap();
    let message: Value = serde_json::from_str(message["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!(status(&message), "Stopped");
    assert_eq!(key(last), key(&seen[0]));
    assert_eq!(upstream.heads().len(), asked_before);
}

#[test]
fn expired_credentials_are_replaced_before_the_end_is_sent() {
    needs_servers!();
    let taken = json!([{"status": 200, "body": {"MessageId": "1"}}]);
    let (upstream, between) = (Upstream::new(), Between::new(&taken));
    upstream.mood(Mood::Gives(Duration::from_secs(3)));
    let job = Told::new(["sqs:https://sqs.eu-west-1.amazonaws.com/123456789012/states".to_owned()])
        .with("heartbeat_seconds = 1\nlease_seconds = 3\n");
    let running = served(&job, &upstream, &between).run(&[
        "sh",
        "-c",
        "until [ -e /shared/go ]; do sleep 0.05; done; exit 1",
    ]);
    let first = || between.seen().first().map(key);
    between.waits_for(|asked| Some(key(asked)) != first());
    job.world.file("shared/go", "");
    let output = running.end();
    job.check(&output, 1);
    assert_eq!(undelivered(&output), "");
    let message = between.bodies().pop().unwrap();
    let message: Value = serde_json::from_str(message["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!(status(&message), "Failed");
}
