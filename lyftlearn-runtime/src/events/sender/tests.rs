//! Tests each destination against a stand-in that answers as configured and records its requests.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::rc::Rc;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value as Json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::LocalSet;

use super::*;
use crate::deliver::events::{Moment, State};
use crate::workload::events::Voice;

const CANARY: &str = "canary-8c1f";
/// Nothing is waited for longer.
const WHOLE: Duration = Duration::from_secs(10);

/// A request as it came.
#[derive(Clone)]
struct Asked {
    at: Instant,
    head: String,
    body: String,
}

impl Asked {
    fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut lines = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        lines.next().map_or("", |(_, value)| value)
    }

    fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A server on loopback. `answer` is given the request's number; `None` is no answer at all.
struct StandIn {
    port: u16,
    asked: Rc<RefCell<Vec<Asked>>>,
}

impl StandIn {
    async fn new(answer: impl Fn(usize, &Asked) -> Option<String> + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Rc<RefCell<Vec<Asked>>> = Rc::default();
        let (seen, answer) = (Rc::clone(&asked), Rc::new(answer));
        tokio::task::spawn_local(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (seen, answer) = (Rc::clone(&seen), Rc::clone(&answer));
                tokio::task::spawn_local(async move {
                    let mut text = String::new();
                    let asked = loop {
                        let mut bytes = [0; 4096];
                        let read = client.read(&mut bytes).await.unwrap_or_default();
                        if read == 0 {
                            return;
                        }
                        text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
                        if let Some((head, body)) = text.split_once("\r\n\r\n") {
                            let asked = Asked {
                                at: Instant::now(),
                                head: head.to_owned(),
                                body: body.to_owned(),
                            };
                            if asked.header("content-length").parse() == Ok(body.len()) {
                                break asked;
                            }
                        }
                    };
                    let number = seen.borrow().len();
                    seen.borrow_mut().push(asked.clone());
                    match answer(number, &asked) {
                        Some(answer) => drop(client.write_all(answer.as_bytes()).await),
                        // Until the client gives up.
                        None => drop(client.read(&mut [0]).await),
                    }
                });
            }
        });
        Self { port, asked }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn sink(&self) -> Destination {
        Destination::Http {
            url: format!("{}/events?key={CANARY}", self.url()),
        }
    }

    fn queue(&self) -> Destination {
        Destination::Sqs {
            url: format!("{}/123456789012/job-states", self.url()),
            region: "eu-west-1".to_owned(),
            account: Some("123456789012".to_owned()),
            fifo: false,
        }
    }

    fn sender(&self) -> Sender {
        let plan = Plan {
            headers: vec![("x-key".to_owned(), Secret::new(CANARY.to_owned()))],
            eventbridge_endpoint: Some(self.url()),
            ..Plan::default()
        };
        Sender::new(&plan, None, None)
    }

    fn count(&self) -> usize {
        self.asked.borrow().len()
    }

    fn asked(&self, number: usize) -> Asked {
        self.asked.borrow()[number].clone()
    }
}

fn answer(status: &str, body: &str) -> Option<String> {
    let length = body.len();
    Some(format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}"
    ))
}

/// An AWS error in JSON, with a sentence that must not be shown.
fn error(status: &str, name: &str) -> Option<String> {
    answer(
        status,
        &format!("{{\"__type\": \"com.amazonaws.sqs#{name}\", \"message\": \"{CANARY}\"}}"),
    )
}

fn bus() -> Destination {
    Destination::EventBridge {
        bus: "ml".to_owned(),
        region: "eu-west-1".to_owned(),
        account: None,
    }
}

fn event() -> Event {
    let plan = Plan {
        voice: Voice::Job,
        source: "lyftlearn.runtime".to_owned(),
        job: "ranker-7".to_owned(),
        platform: "kubernetes".to_owned(),
        ..Plan::default()
    };
    let moment = Moment {
        now: Duration::from_millis(12_482),
        wall: Duration::from_millis(1_795_847_535_786),
        last: 0,
        started: Some(Duration::from_millis(8)),
        stopping: None,
        state: State::Alive {
            heartbeat: false,
            progress: None,
        },
    };
    Event::of(&plan, &moment).unwrap()
}

fn identity() -> Fetched {
    let token = Some("token".to_owned());
    Fetched {
        credentials: Credentials::new("AKIDEXAMPLE", CANARY, token, None, "test"),
        skew: None,
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, test);
}

/// The report about an event that a stand-in answers like this. It has nothing of a request or a
/// response.
async fn sent(sender: &Sender, to: &Destination, within: Duration) -> String {
    let deadline = Instant::now() + within;
    let sent = sender.send(to, &event(), Some(&identity()), deadline).await;
    let said = match sent {
        Ok(()) => "delivered".to_owned(),
        Err(undelivered) => undelivered.to_string(),
    };
    assert!(!said.contains(CANARY), "{said}");
    assert!(Instant::now() < deadline + WHOLE);
    said
}

/// A destination with a fixed response: the report, and the number of requests.
#[track_caller]
fn check(
    to: fn(&StandIn) -> Destination,
    given: fn() -> Option<String>,
    expected: &str,
    times: Option<usize>,
) {
    run(async {
        let stand_in = StandIn::new(move |_, _| given()).await;
        // What is asked once ends long before.
        let within = times.map_or(Duration::from_secs(3), |_| WHOLE);
        let said = sent(&stand_in.sender(), &to(&stand_in), within).await;
        assert_eq!(said, expected);
        match times {
            Some(times) => assert_eq!(stand_in.count(), times, "{said}"),
            None => assert!(stand_in.count() > 1, "{said}"),
        }
    });
}

const TAKEN_BY_SQS: &str = r#"{"MessageId": "1", "MD5OfMessageBody": "2"}"#;
const TAKEN_BY_EVENTBRIDGE: &str = r#"{"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}"#;

fn entry(code: &str) -> String {
    format!(
        "{{\"FailedEntryCount\": 1, \"Entries\": [{{\"ErrorCode\": \"{code}\", \"ErrorMessage\": \"{CANARY}\"}}]}}"
    )
}

#[test]
fn a_sink_that_has_the_event_has_its_type_and_its_headers() {
    run(async {
        let stand_in = StandIn::new(|_, _| answer("202 Accepted", "")).await;
        let said = sent(&stand_in.sender(), &stand_in.sink(), WHOLE).await;
        assert_eq!((said.as_str(), stand_in.count()), ("delivered", 1));
        let asked = stand_in.asked(0);
        assert!(
            asked.head.starts_with("POST /events?key="),
            "{}",
            asked.head
        );
        assert_eq!(asked.header("content-type"), "application/cloudevents+json");
        assert_eq!(asked.header("x-key"), CANARY);
        let event = asked.json();
        assert_eq!(event["specversion"], "1.0");
        assert_eq!(event["type"], "lyftlearn.job.state");
        assert_eq!(event["data"]["TrainingJobName"], "ranker-7");
    });
}

#[test]
fn a_queue_has_a_signed_message_at_the_origin_of_its_url() {
    run(async {
        let stand_in = StandIn::new(|_, _| answer("200 OK", TAKEN_BY_SQS)).await;
        let said = sent(&stand_in.sender(), &stand_in.queue(), WHOLE).await;
        assert_eq!((said.as_str(), stand_in.count()), ("delivered", 1));
        let asked = stand_in.asked(0);
        assert!(asked.head.starts_with("POST / HTTP/1.1"), "{}", asked.head);
        assert_eq!(asked.header("content-type"), "application/x-amz-json-1.0");
        assert_eq!(asked.header("x-amz-target"), "AmazonSQS.SendMessage");
        assert_eq!(asked.header("x-amz-security-token"), "token");
        let signed = asked.header("authorization");
        assert!(signed.contains("/eu-west-1/sqs/aws4_request"), "{signed}");
        let message: Json =
            serde_json::from_str(asked.json()["MessageBody"].as_str().unwrap()).unwrap();
        assert_eq!(message["detail"]["TrainingJobStatus"], "InProgress");
        assert_eq!(message["account"], "123456789012");
    });
}

#[test]
fn a_bus_has_a_signed_entry() {
    run(async {
        let stand_in = StandIn::new(|_, _| answer("200 OK", TAKEN_BY_EVENTBRIDGE)).await;
        let said = sent(&stand_in.sender(), &bus(), WHOLE).await;
        assert_eq!((said.as_str(), stand_in.count()), ("delivered", 1));
        let asked = stand_in.asked(0);
        assert_eq!(asked.header("content-type"), "application/x-amz-json-1.1");
        assert_eq!(asked.header("x-amz-target"), "AWSEvents.PutEvents");
        let signed = asked.header("authorization");
        assert!(
            signed.contains("/eu-west-1/events/aws4_request"),
            "{signed}"
        );
        assert_eq!(asked.json()["Entries"][0]["EventBusName"], "ml");
    });
}

#[test]
fn what_may_pass_is_asked_again_with_the_same_bytes() {
    run(async {
        let stand_in = StandIn::new(|number, _| match number {
            0 => error("400 Bad Request", "ThrottlingException"),
            1 => answer("503 Service Unavailable", CANARY),
            // The answer is lost after the message was taken.
            2 => Some(String::new()),
            3 => answer("400 Bad Request", "<Error><Code>Throttling</Code></Error>"),
            _ => answer("200 OK", TAKEN_BY_SQS),
        })
        .await;
        let said = sent(&stand_in.sender(), &stand_in.queue(), WHOLE).await;
        assert_eq!((said.as_str(), stand_in.count()), ("delivered", 5));
        let first = stand_in.asked(0);
        assert!((0..5).all(|number| stand_in.asked(number).body == first.body));
    });
}

#[test]
fn an_entry_that_failed_is_asked_again_where_that_helps() {
    run(async {
        let stand_in = StandIn::new(|number, _| match number {
            0 => answer("200 OK", &entry("InternalFailure")),
            1 => answer("200 OK", &entry("ThrottlingException")),
            _ => answer("200 OK", TAKEN_BY_EVENTBRIDGE),
        })
        .await;
        let said = sent(&stand_in.sender(), &bus(), WHOLE).await;
        assert_eq!((said.as_str(), stand_in.count()), ("delivered", 3));
    });
    let own = || answer("200 OK", &entry("NotAuthorizedForSourceException"));
    let said = "EventBridge did not accept the event (NotAuthorizedForSourceException)";
    check(|_| bus(), own, said, Some(1));
    let odd = || answer("200 OK", &entry(&format!("{CANARY} {CANARY}")));
    check(
        |_| bus(),
        odd,
        "EventBridge did not accept the event (no reason)",
        Some(1),
    );
    let html = || answer("200 OK", "<html>canary</html>");
    let said = "the response is malformed";
    check(|_| bus(), html, said, Some(1));
    check(StandIn::queue, html, said, Some(1));
}

#[test]
fn what_will_not_pass_is_asked_once() {
    let xml = || {
        let xml = format!(
            "<ErrorResponse><Error><Code>AccessDenied</Code><Message>{CANARY}</Message></Error></ErrorResponse>"
        );
        answer("403 Forbidden", &xml)
    };
    let said = "access denied (AccessDenied): the role needs sqs:SendMessage";
    check(StandIn::queue, xml, said, Some(1));
    let said = "access denied (AccessDenied): the role needs events:PutEvents";
    check(|_| bus(), xml, said, Some(1));
    let gone = || error("400 Bad Request", "QueueDoesNotExist");
    let said = "the queue does not exist (QueueDoesNotExist)";
    check(StandIn::queue, gone, said, Some(1));
    let gone = || error("400 Bad Request", "ResourceNotFoundException");
    let said = "the event bus does not exist (ResourceNotFoundException)";
    check(|_| bus(), gone, said, Some(1));
    let expired = || error("403 Forbidden", "ExpiredTokenException");
    let said = "AWS rejected the credentials (ExpiredTokenException)";
    check(StandIn::queue, expired, said, Some(1));
    let odd = || error("400 Bad Request", "InvalidMessageContents");
    let said = "request rejected (InvalidMessageContents)";
    check(StandIn::queue, odd, said, Some(1));
    let elsewhere = || {
        Some(format!(
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/{CANARY}\r\ncontent-length: 0\r\n\r\n"
        ))
    };
    let said = "the server redirects (302), and redirects are not followed";
    check(StandIn::sink, elsewhere, said, Some(1));
    check(StandIn::queue, elsewhere, said, Some(1));
    let said = "the sink rejected the request (401): check the headers in the variable that events.headers_variable names";
    check(
        StandIn::sink,
        || answer("401 Unauthorized", CANARY),
        said,
        Some(1),
    );
    check(
        StandIn::sink,
        || answer("400 Bad Request", CANARY),
        "request rejected (400)",
        Some(1),
    );
}

#[test]
fn what_does_not_pass_in_time_has_the_last_cause() {
    let failing = || answer("503 Service Unavailable", CANARY);
    check(StandIn::sink, failing, "the server failed (503)", None);
    check(StandIn::queue, failing, "the server failed (503)", None);
    let slow = || error("400 Bad Request", "ThrottlingException");
    check(
        StandIn::queue,
        slow,
        "throttled (ThrottlingException)",
        None,
    );
    // Longer than there is time.
    let later = || {
        Some("HTTP/1.1 429 Slow Down\r\nretry-after: 60\r\ncontent-length: 0\r\n\r\n".to_owned())
    };
    check(StandIn::sink, later, "throttled (429)", Some(1));
}

#[test]
fn what_responds_once_and_never_again_has_the_cause_that_it_gave() {
    run(async {
        let stand_in = StandIn::new(|number, _| match number {
            0 => answer("503 Service Unavailable", CANARY),
            _ => None,
        })
        .await;
        let said = sent(&stand_in.sender(), &stand_in.sink(), Duration::from_secs(3)).await;
        assert_eq!(said, "the server failed (503)");
        assert!(stand_in.count() > 1);
    });
}

#[test]
fn what_never_responds_is_called_so() {
    run(async {
        let stand_in = StandIn::new(|_, _| None).await;
        let within = Duration::from_millis(700);
        let said = sent(&stand_in.sender(), &stand_in.sink(), within).await;
        assert_eq!(said, "no response within 0.7 s");
    });
}

#[test]
fn a_sink_that_wants_to_be_asked_later_is_asked_later() {
    run(async {
        let stand_in = StandIn::new(|number, _| match number {
            0 => Some(
                "HTTP/1.1 429 Slow Down\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n".to_owned(),
            ),
            _ => answer("200 OK", ""),
        })
        .await;
        let said = sent(&stand_in.sender(), &stand_in.sink(), WHOLE).await;
        assert_eq!((said.as_str(), stand_in.count()), ("delivered", 2));
        let waited = stand_in.asked(1).at - stand_in.asked(0).at;
        assert!(waited >= Duration::from_secs(1), "{waited:?}");
    });
}

#[test]
fn a_sink_that_has_gone_is_asked_never_again() {
    run(async {
        let stand_in = StandIn::new(|_, _| answer("410 Gone", CANARY)).await;
        let (sender, sink) = (stand_in.sender(), stand_in.sink());
        for _ in 0..2 {
            assert_eq!(sent(&sender, &sink, WHOLE).await, "the sink is gone (410)");
        }
        assert_eq!(stand_in.count(), 1);
    });
}

/// Both ways: this machine's clock is an hour behind AWS's, or ahead of it.
#[test]
fn a_clock_that_a_refusal_has_shown_to_be_wrong_is_believed_no_more() {
    const HOUR: Duration = Duration::from_secs(3600);
    for theirs in [SystemTime::now() + HOUR, SystemTime::now() - HOUR] {
        run(async move {
            let theirs = DateTime::from(theirs);
            let date = theirs.fmt(Format::HttpDate).unwrap();
            let stand_in = StandIn::new(move |number, _| {
                let body = r#"{"__type": "InvalidSignatureException"}"#;
                match number {
                    0 => Some(format!(
                        "HTTP/1.1 403 Forbidden\r\ndate: {date}\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    )),
                    _ => answer("200 OK", TAKEN_BY_EVENTBRIDGE),
                }
            })
            .await;
            let sender = stand_in.sender();
            for _ in 0..2 {
                assert_eq!(sent(&sender, &bus(), WHOLE).await, "delivered");
            }
            // It is learnt once.
            assert_eq!(stand_in.count(), 3);
            // By the quarter of an hour, as the test itself takes a moment.
            let is_theirs = |asked: Asked| {
                let text = asked.header("x-amz-date").to_owned();
                let [year, month, day, hour, minute, second] =
                    [0..4, 4..6, 6..8, 9..11, 11..13, 13..15].map(|part| &text[part]);
                let text = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
                let signed = DateTime::from_str(&text, Format::DateTime).unwrap();
                (signed.secs() - theirs.secs()).abs() < 900
            };
            assert!(!is_theirs(stand_in.asked(0)));
            assert!(is_theirs(stand_in.asked(1)));
            assert!(is_theirs(stand_in.asked(2)));
        });
    }
}

/// Raises the limit on open files for so many senders, or returns how many fit: each takes two descriptors
/// here, and a process usually may have 1,024.
fn descriptors_for(senders: u64) -> usize {
    const OTHERS: u64 = 200;
    let wanted = 2 * senders + OTHERS;
    let limit = getrlimit(Resource::Nofile);
    let has = |limit: Option<u64>| limit.unwrap_or(wanted).min(wanted);
    if has(limit.current) < wanted {
        let maximum = limit.maximum.map(|maximum| maximum.max(wanted));
        let current = Some(wanted);
        // Only root raises the maximum.
        if setrlimit(Resource::Nofile, Rlimit { current, maximum }).is_err() {
            let current = limit.maximum;
            let _ = setrlimit(Resource::Nofile, Rlimit { current, ..limit });
        }
    }
    let senders = (has(getrlimit(Resource::Nofile).current) - OTHERS) / 2;
    usize::try_from(senders).unwrap()
}

#[test]
fn the_first_attempt_waits_for_nothing_and_the_second_ones_do_not_come_together() {
    let pods = descriptors_for(1_000);
    run(async move {
        let known = RefCell::new(BTreeSet::new());
        let refused_once = move |_, asked: &Asked| {
            let path = asked.head.lines().next().unwrap_or_default().to_owned();
            if known.borrow_mut().insert(path) {
                answer("503 Service Unavailable", "")
            } else {
                answer("202 Accepted", "")
            }
        };
        let stand_in = StandIn::new(refused_once).await;
        let stand_in = Rc::new(stand_in);
        // One for all: each would read the roots of trust.
        let sender = Rc::new(stand_in.sender());
        let finished = Rc::new(Cell::new(0));
        let begun = Instant::now();
        let all = (0..pods).map(|pod| {
            let (sender, finished) = (Rc::clone(&sender), Rc::clone(&finished));
            let url = format!("{}/{pod}", stand_in.url());
            tokio::task::spawn_local(async move {
                let sink = Destination::Http { url };
                let deadline = begun + Duration::from_secs(60);
                let sent = sender.send(&sink, &event(), None, deadline).await;
                sent.unwrap();
                finished.set(finished.get() + 1);
            })
        });
        for task in all.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        assert_eq!(finished.get(), pods);
        let asked = stand_in.asked.borrow();
        let gap = |pod: usize| {
            let path = format!("POST /{pod} ");
            let mut of_pod = asked.iter().filter(|asked| asked.head.starts_with(&path));
            let (first, second) = (of_pod.next().unwrap().at, of_pod.next().unwrap().at);
            second - first
        };
        let gaps: Vec<Duration> = (0..pods).map(gap).collect();
        let (least, most) = (gaps.iter().min().unwrap(), gaps.iter().max().unwrap());
        // Half of the first wait to one and a half of it.
        assert!(*least >= Duration::from_millis(50), "{least:?}");
        assert!(
            *most - *least >= Duration::from_millis(60),
            "{least:?} {most:?}"
        );
    });
}

#[test]
fn without_credentials_no_request_is_sent_and_a_missing_file_is_not_waited_for() {
    run(async {
        let stand_in = StandIn::new(|_, _| answer("200 OK", TAKEN_BY_SQS)).await;
        let deadline = Instant::now() + WHOLE;
        let (sender, queue) = (stand_in.sender(), stand_in.queue());
        let sent = sender.send(&queue, &event(), None, deadline).await;
        assert_eq!((sent, stand_in.count()), (Err(Undelivered::NoIdentity), 0));
        let plan = Plan {
            sqs_endpoint: Some("http://127.0.0.1:1".to_owned()),
            ..Plan::default()
        };
        let sender = Sender::new(&plan, None, None);
        let said = self::sent(&sender, &queue, Duration::from_secs(2)).await;
        assert_eq!(said, "connection failed");
        let plan = Plan {
            headers: vec![("key".to_owned(), Secret::new(format!("{CANARY}\n")))],
            ..Plan::default()
        };
        let sender = Sender::new(&plan, None, None);
        let said = self::sent(&sender, &stand_in.sink(), WHOLE).await;
        assert_eq!(said, "the response is malformed");
    });
}

#[test]
fn a_file_has_a_line_for_each_event_and_is_private() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events");
    let to = Destination::File { path: path.clone() };
    run(async {
        let sender = Sender::new(&Plan::default(), None, None);
        for _ in 0..2 {
            assert_eq!(sent(&sender, &to, WHOLE).await, "delivered");
        }
    });
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<Json> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["detail"]["TrainingJobName"], "ranker-7");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[test]
fn a_destination_that_is_not_a_regular_file_is_reported() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("target");
    std::fs::write(&target, "").unwrap();
    let link = directory.path().join("link");
    symlink(&target, &link).unwrap();
    let fifo = directory.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let absent = directory.path().join("none/events");
    let cases = [
        (
            link,
            "the file cannot be written: filesystem loop or indirection limit (e.g. symlink loop)",
        ),
        // A FIFO without a reader: the sender does not wait for one.
        (fifo, "the file cannot be written: permission denied"),
        (absent, "the file cannot be written: entity not found"),
        (
            directory.path().to_owned(),
            "the file cannot be written: is a directory",
        ),
        (
            "/dev/full".into(),
            "the file cannot be written: permission denied",
        ),
    ];
    run(async {
        let sender = Sender::new(&Plan::default(), None, None);
        for (path, expected) in cases {
            let said = sent(&sender, &Destination::File { path }, WHOLE).await;
            assert_eq!(said, expected);
        }
    });
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "");
}

#[test]
fn root_appends_for_another_user_to_no_file_but_that_user_s() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let owner = Owner {
        uid: 12_345,
        gid: 12_345,
    };
    std::os::unix::fs::chown(directory.path(), Some(owner.uid), Some(owner.gid)).unwrap();
    let of_root = directory.path().join("of-root");
    std::fs::write(&of_root, "").unwrap();
    let own = directory.path().join("own");
    let mine = directory.path().join("mine");
    std::fs::create_dir(&mine).unwrap();
    std::fs::write(mine.join("events"), "").unwrap();
    // The program's user has put this in the place of a directory.
    let way = directory.path().join("way");
    symlink(&mine, &way).unwrap();
    std::os::unix::fs::lchown(&way, Some(owner.uid), Some(owner.gid)).unwrap();
    run(async {
        let sender = Sender::new(&Plan::default(), None, Some(owner));
        let denied = "the file cannot be written: permission denied";
        for (path, expected) in [
            (own.clone(), "delivered"),
            (own.clone(), "delivered"),
            (of_root.clone(), denied),
            (way.join("events"), denied),
        ] {
            let said = sent(&sender, &Destination::File { path }, WHOLE).await;
            assert_eq!(said, expected);
        }
    });
    let stat = rustix::fs::stat(&own).unwrap();
    assert_eq!((stat.st_uid, stat.st_mode & 0o777), (owner.uid, 0o600));
    assert_eq!(std::fs::read_to_string(&own).unwrap().lines().count(), 2);
    assert_eq!(std::fs::read_to_string(&of_root).unwrap(), "");
    assert_eq!(std::fs::read_to_string(mine.join("events")).unwrap(), "");
}
