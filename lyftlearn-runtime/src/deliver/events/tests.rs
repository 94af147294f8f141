//! The forms to the letter, and what must hold of any event.

use std::collections::BTreeMap;
use std::time::Duration;

use expect_test::expect;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Event, Moment, State, group};
use crate::contract::events as words;
use crate::outcome::{End, How, Outcome, Redact};
use crate::workload::events::{Attempt, Kind, Plan, Progress, Voice};

const ATTEMPT: &str = "01a220da-8be6-7c4e-9b1f-2d6c0a3e5f71";

fn plan() -> Plan {
    Plan {
        voice: Voice::Job,
        source: "lyftlearn.runtime".to_owned(),
        heartbeat_seconds: 60,
        lease_seconds: 300,
        tags: BTreeMap::from([("team".to_owned(), "ranking".to_owned())]),
        region: Some("eu-west-1".to_owned()),
        job: "ranker-7".to_owned(),
        platform: "kubernetes".to_owned(),
        namespace: Some("ml".to_owned()),
        pod: Some("6f1d8a52-3c0b-4b7e-9a51-0d2f6c9e7b14".to_owned()),
        container: Some("main".to_owned()),
        rank: Some(0),
        nodes: Some(1),
        attempt: Attempt {
            id: ATTEMPT.to_owned(),
            begun: Duration::from_millis(5_000),
            created: Duration::from_millis(1_795_847_523_302),
        },
        ..Plan::default()
    }
}

/// So many milliseconds after PID 1's first instruction.
fn after(milliseconds: u64) -> Duration {
    Duration::from_millis(5_000 + milliseconds)
}

fn moment(milliseconds: u64, state: State<'_>) -> Moment<'_> {
    Moment {
        now: after(milliseconds),
        wall: Duration::from_millis(1_795_847_523_302 + milliseconds),
        last: 0,
        started: Some(after(8)),
        stopping: None,
        state,
    }
}

fn outcome(end: &End) -> Outcome {
    Outcome::of(end, Vec::new(), None, &Redact::default())
}

fn exited(code: i32) -> End {
    End {
        how: How::Exited {
            code,
            program: Some(7),
        },
        exit_code: u8::try_from(code).unwrap_or_default(),
        seconds: 12.476,
        ..End::default()
    }
}

fn detail(event: &Event) -> Value {
    serde_json::from_str(&event.detail).unwrap()
}

#[test]
fn an_end_is_written_as_the_contract_shows_it() {
    let outcome = outcome(&exited(1));
    let at = after(12_484);
    let event = Event::of(
        &plan(),
        &moment(
            12_490,
            State::Ended {
                at,
                outcome: &outcome,
            },
        ),
    )
    .unwrap();
    expect![[r#"{"version":"0","id":"01a220da-8be6-7c4e-9b1f-2d6c0a3e5f71-12491","detail-type":"SageMaker Training Job State Change","source":"lyftlearn.runtime","time":"2026-11-28T06:32:15Z","region":"eu-west-1","resources":[],"detail":{"TrainingJobName":"ranker-7","TrainingJobStatus":"Failed","SecondaryStatus":"Failed","FailureReason":"user error: the program ended with exit code 1","CreationTime":1795847523302,"TrainingStartTime":1795847523310,"TrainingEndTime":1795847535786,"LastModifiedTime":1795847535786,"Tags":{"team":"ranking"},"SecondaryStatusTransitions":[{"Status":"Starting","StartTime":1795847523302,"EndTime":1795847523310},{"Status":"Training","StartTime":1795847523310,"EndTime":1795847535786},{"Status":"Failed","StartTime":1795847535786}],"LyftLearn":{"Version":1,"EventId":"01a220da-8be6-7c4e-9b1f-2d6c0a3e5f71-12491","Attempt":"01a220da-8be6-7c4e-9b1f-2d6c0a3e5f71","Sequence":12491,"Platform":"kubernetes","Namespace":"ml","Pod":"6f1d8a52-3c0b-4b7e-9a51-0d2f6c9e7b14","Container":"main","Rank":0,"Nodes":1,"Class":"user-error","Reason":"user error: the program ended with exit code 1","ExitCode":1,"Signal":null,"StopSignal":null,"OomKills":null,"Seconds":12.476}}}"#]]
    .assert_eq(&event.line());
    let entries: Value = serde_json::from_str(&event.eventbridge("ml")).unwrap();
    assert_eq!(
        entries,
        json!({"Entries": [{
            "EventBusName": "ml",
            "Source": "lyftlearn.runtime",
            "DetailType": "SageMaker Training Job State Change",
            "Time": 1_795_847_535.786,
            "Resources": [],
            "Detail": event.detail,
        }]})
    );
    assert!(
        event
            .eventbridge("ml")
            .contains(r#""Time":1795847535.786,"#)
    );
    let cloud: Value = serde_json::from_str(&event.cloud_event()).unwrap();
    assert_eq!(
        cloud,
        json!({
            "specversion": "1.0",
            "id": "01a220da-8be6-7c4e-9b1f-2d6c0a3e5f71-12491",
            "source": "/lyftlearn/kubernetes/ml/ranker-7",
            "type": "lyftlearn.job.state",
            "subject": "ranker-7",
            "time": "2026-11-28T06:32:15.786Z",
            "sequence": "000000000012491",
            "datacontenttype": "application/json",
            "data": detail(&event),
        })
    );
    // Sent again it has the same bytes.
    assert_eq!(event.line(), event.clone().line());
}

#[test]
fn a_message_names_the_queue_and_a_fifo_queue_its_group() {
    let plan = plan();
    let event = Event::of(
        &plan,
        &moment(
            10,
            State::Alive {
                heartbeat: false,
                progress: None,
            },
        ),
    )
    .unwrap();
    let message = |fifo: bool| -> Value {
        let body = event.sqs("https://q/1/jobs", fifo, Some("123456789012"), "eu-west-1");
        serde_json::from_str(&body).unwrap()
    };
    let standard = message(false);
    assert_eq!(standard["QueueUrl"], "https://q/1/jobs");
    assert_eq!(standard.get("MessageGroupId"), None);
    assert_eq!(standard.get("MessageDeduplicationId"), None);
    let body: Value = serde_json::from_str(standard["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!(body["account"], "123456789012");
    assert_eq!(body["region"], "eu-west-1");
    assert_eq!(body["detail"], detail(&event));
    let fifo = message(true);
    assert_eq!(fifo["MessageBody"], standard["MessageBody"]);
    assert_eq!(fifo["MessageGroupId"], "ranker-7");
    assert_eq!(fifo["MessageDeduplicationId"], event.id.as_str());
}

#[test]
fn a_group_that_no_queue_takes_is_a_hash() {
    assert_eq!(group(&"a".repeat(63)), "a".repeat(63));
    assert_eq!(group(&"a".repeat(128)), "a".repeat(128));
    for long in [129, 253] {
        let hashed = group(&"a".repeat(long));
        assert_eq!(hashed.len(), 64);
        assert!(hashed.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
    assert_eq!(group("\u{fc}n\u{ef}").len(), 64);
    assert_ne!(group("\u{fc}n\u{ef}"), group("\u{fc}ni"));
    assert_eq!(group("a b").len(), 64);
    // SHA-256 of nothing.
    assert_eq!(
        group(""),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
}

#[test]
fn a_state_before_the_end_has_a_lease_and_the_progress() {
    let progress = Progress {
        fraction: 0.4,
        message: "epoch 4 of 10".to_owned(),
    };
    let alive = |heartbeat, progress| State::Alive {
        heartbeat,
        progress,
    };
    let first = Event::of(&plan(), &moment(10, alive(false, None))).unwrap();
    let said = detail(&first);
    assert_eq!(said["TrainingJobStatus"], "InProgress");
    assert_eq!(said["SecondaryStatus"], "Training");
    assert_eq!(said["TrainingStartTime"], 1_795_847_523_310_u64);
    assert_eq!(said.get("TrainingEndTime"), None);
    assert_eq!(said["LyftLearn"]["LeaseExpires"], 1_795_847_823_312_u64);
    assert_eq!(said["LyftLearn"].get("Heartbeat"), None);
    assert_eq!(said["LyftLearn"].get("Class"), None);
    let second = Event::of(&plan(), &moment(20, alive(true, Some(&progress)))).unwrap();
    let said = detail(&second);
    assert_eq!(said["LyftLearn"]["Heartbeat"], true);
    assert_eq!(
        said["LyftLearn"]["Progress"],
        json!({"Fraction": 0.4, "Message": "epoch 4 of 10"})
    );
    let stopping = Moment {
        stopping: Some(after(15)),
        ..moment(20, alive(false, None))
    };
    let said = detail(&Event::of(&plan(), &stopping).unwrap());
    assert_eq!(said["TrainingJobStatus"], "Stopping");
    assert_eq!(
        said["SecondaryStatusTransitions"],
        json!([
            {"Status": "Starting", "StartTime": 1_795_847_523_302_u64, "EndTime": 1_795_847_523_310_u64},
            {"Status": "Training", "StartTime": 1_795_847_523_310_u64, "EndTime": 1_795_847_523_317_u64},
            {"Status": "Stopping", "StartTime": 1_795_847_523_317_u64},
        ])
    );
    let without = Plan {
        heartbeat_seconds: 0,
        ..plan()
    };
    let said = detail(&Event::of(&without, &moment(10, alive(false, None))).unwrap());
    assert_eq!(said["LyftLearn"].get("LeaseExpires"), None);
}

#[test]
fn each_class_has_sagemakers_words() {
    let stop = |end: End| End {
        stop: Some(crate::outcome::Stopped {
            signal: 15,
            seconds: Some(0.1),
        }),
        ..end
    };
    let not_started = End {
        how: How::NotStarted {
            report: "lyftlearn-runtime: cannot find train".to_owned(),
        },
        exit_code: 127,
        ..End::default()
    };
    let cases = [
        (exited(0), "Completed", false),
        (exited(3), "Failed", true),
        (stop(exited(0)), "Stopped", false),
        (
            stop(End {
                killed: true,
                ..exited(137)
            }),
            "Stopped",
            false,
        ),
        (
            End {
                how: How::Signalled {
                    signal: 9,
                    program: None,
                },
                exit_code: 137,
                ..End::default()
            },
            "Failed",
            true,
        ),
        (not_started, "Failed", true),
        (
            End {
                failed: true,
                ..exited(0)
            },
            "Completed",
            false,
        ),
        (
            End {
                failed: true,
                ..exited(1)
            },
            "Failed",
            true,
        ),
    ];
    for (end, status, has_reason) in cases {
        let outcome = outcome(&end);
        let ended = || State::Ended {
            at: after(30),
            outcome: &outcome,
        };
        let said = detail(&Event::of(&plan(), &moment(40, ended())).unwrap());
        assert_eq!(said["TrainingJobStatus"], status, "{outcome:?}");
        assert_eq!(said["SecondaryStatus"], status);
        assert_eq!(said.get("FailureReason").is_some(), has_reason);
        assert_eq!(said["LyftLearn"]["Reason"], outcome.reason);
        let processing = Plan {
            kind: Kind::Processing,
            ..plan()
        };
        let said = detail(&Event::of(&processing, &moment(40, ended())).unwrap());
        assert_eq!(said["ProcessingJobName"], "ranker-7");
        assert_eq!(said["ProcessingJobStatus"], status);
        assert_eq!(said["ExitMessage"], outcome.reason);
        let transform = Plan {
            kind: Kind::Transform,
            ..plan()
        };
        let event = Event::of(&transform, &moment(40, ended())).unwrap();
        assert_eq!(event.detail_type, "SageMaker Transform Job State Change");
        assert_eq!(detail(&event)["TransformJobStatus"], status);
    }
}

#[test]
fn a_start_that_fails_has_no_start_time() {
    let outcome = outcome(&End::default());
    let never = Moment {
        started: None,
        ..moment(
            40,
            State::Ended {
                at: after(40),
                outcome: &outcome,
            },
        )
    };
    let said = detail(&Event::of(&plan(), &never).unwrap());
    assert_eq!(said.get("TrainingStartTime"), None);
    assert_eq!(said["TrainingEndTime"], 1_795_847_523_342_u64);
    assert_eq!(
        said["SecondaryStatusTransitions"],
        json!([
            {"Status": "Starting", "StartTime": 1_795_847_523_302_u64, "EndTime": 1_795_847_523_342_u64},
            {"Status": "Failed", "StartTime": 1_795_847_523_342_u64},
        ])
    );
}

#[test]
fn a_node_that_is_not_the_jobs_voice_tells_its_failure_alone() {
    let node = Plan {
        voice: Voice::Node,
        rank: Some(1),
        nodes: Some(2),
        ..plan()
    };
    let alive = State::Alive {
        heartbeat: false,
        progress: None,
    };
    assert!(Event::of(&node, &moment(10, alive)).is_none());
    for (end, sent) in [(exited(0), false), (exited(1), true)] {
        let outcome = outcome(&end);
        let ended = State::Ended {
            at: after(30),
            outcome: &outcome,
        };
        let event = Event::of(&node, &moment(40, ended));
        assert_eq!(event.is_some(), sent);
        if let Some(event) = event {
            assert_eq!(event.detail_type, "LyftLearn Node State Change");
            let cloud: Value = serde_json::from_str(&event.cloud_event()).unwrap();
            assert_eq!(cloud["type"], "lyftlearn.node.state");
            assert_eq!(cloud["data"]["LyftLearn"]["Rank"], 1);
        }
    }
}

#[test]
fn if_the_platform_sends_the_states_only_progress_is_sent() {
    let sagemaker = Plan {
        voice: Voice::Progress,
        platform: "sagemaker".to_owned(),
        ..plan()
    };
    let alive = |progress| State::Alive {
        heartbeat: false,
        progress,
    };
    let progress = Progress {
        fraction: 0.5,
        message: String::new(),
    };
    assert!(Event::of(&sagemaker, &moment(10, alive(None))).is_none());
    let outcome = outcome(&exited(1));
    let ended = State::Ended {
        at: after(30),
        outcome: &outcome,
    };
    assert!(Event::of(&sagemaker, &moment(40, ended)).is_none());
    let event = Event::of(&sagemaker, &moment(10, alive(Some(&progress)))).unwrap();
    assert_eq!(event.detail_type, "LyftLearn Job Progress");
    let said = detail(&event);
    assert_eq!(said.get("TrainingJobStatus"), None);
    assert_eq!(said["LyftLearn"]["Progress"]["Fraction"], 0.5);
    assert_eq!(said["LyftLearn"].get("LeaseExpires"), None);
}

#[test]
fn a_control_character_is_escaped_in_every_form() {
    let progress = Progress {
        fraction: 0.5,
        message: "a\u{1}b".to_owned(),
    };
    let alive = State::Alive {
        heartbeat: false,
        progress: Some(&progress),
    };
    let event = Event::of(&plan(), &moment(10, alive)).unwrap();
    for form in [
        event.line(),
        event.cloud_event(),
        event.eventbridge("ml"),
        event.sqs("https://q", true, None, "eu-west-1"),
    ] {
        assert!(form.contains("u0001"), "{form}");
        assert!(!form.contains('\u{1}'), "{form}");
    }
}

#[test]
fn a_job_of_any_name_has_a_uri() {
    let plan = Plan {
        job: "\u{fc}n\u{ef}/1".to_owned(),
        namespace: None,
        ..plan()
    };
    let alive = State::Alive {
        heartbeat: false,
        progress: None,
    };
    let event = Event::of(&plan, &moment(10, alive)).unwrap();
    let cloud: Value = serde_json::from_str(&event.cloud_event()).unwrap();
    assert_eq!(cloud["source"], "/lyftlearn/kubernetes/-/%C3%BCn%C3%AF%2F1");
    assert_eq!(cloud["subject"], "\u{fc}n\u{ef}/1");
}

/// A text of at most so many characters, of those that take most room first.
fn text(most: usize) -> impl Strategy<Value = String> {
    let letter = prop_oneof![
        Just('\u{1}'),
        Just('"'),
        Just('\u{1f525}'),
        Just('\u{fc}'),
        any::<char>(),
    ];
    prop::collection::vec(letter, 0..=most).prop_map(|letters| letters.into_iter().collect())
}

/// Tags as in a plan, where tags without room are left out already.
fn tags() -> impl Strategy<Value = BTreeMap<String, String>> {
    prop::collection::btree_map(text(128), text(256), 0..50).prop_map(|mut tags| {
        while serde_json::to_string(&tags).unwrap().len() > words::TAGS_BYTES {
            tags.pop_last();
        }
        tags
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_event_is_small_and_its_reason_within_sagemakers_limit(
        job in text(words::NAME_CHARACTERS),
        other in text(words::NAME_CHARACTERS),
        reason in text(1_400),
        message in text(words::PROGRESS_CHARACTERS),
        tags in tags(),
        ends in any::<bool>(),
    ) {
        let plan = Plan {
            job,
            source: other.clone(),
            namespace: Some(other.clone()),
            pod: Some(other.clone()),
            container: Some(other),
            kind: Kind::Processing,
            tags,
            ..plan()
        };
        let outcome = Outcome { reason, ..outcome(&exited(1)) };
        let progress = Progress { fraction: 0.5, message };
        let state = if ends {
            State::Ended { at: after(30), outcome: &outcome }
        } else {
            State::Alive { heartbeat: true, progress: Some(&progress) }
        };
        let event = Event::of(&plan, &moment(40, state)).unwrap();
        prop_assert!(event.line().len() <= words::EVENT_BYTES, "{}", event.line().len());
        prop_assert!(event.detail.len() <= words::EVENT_BYTES);
        let said = detail(&event);
        for name in ["FailureReason", "ExitMessage"] {
            let text = said.get(name).and_then(Value::as_str).unwrap_or_default();
            prop_assert!(text.encode_utf16().count() <= 1_024);
        }
        let body = event.sqs("https://q", true, None, "eu-west-1");
        let sent: Value = serde_json::from_str(&body).unwrap();
        prop_assert_eq!(sent["MessageBody"].as_str().unwrap(), event.line());
        let group = sent["MessageGroupId"].as_str().unwrap();
        prop_assert!((1..=128).contains(&group.len()));
    }

    /// For any clocks: a later event of a sender has a higher number, and its times are in order.
    #[test]
    fn the_sequence_grows_and_times_are_in_order(
        steps in prop::collection::vec((0_u64..5_000, -4_000_000_i64..4_000_000), 1..30),
    ) {
        let plan = plan();
        let (mut now, mut last) = (8_u64, 0_u64);
        let count = steps.len();
        for (index, (step, jump)) in steps.into_iter().enumerate() {
            now += step;
            let wall = 1_795_847_523_302_i64 + i64::try_from(now).unwrap() + jump;
            let outcome = outcome(&exited(1));
            let ends = index + 1 == count;
            let state = if ends {
                State::Ended { at: after(now), outcome: &outcome }
            } else {
                State::Alive { heartbeat: index > 0, progress: None }
            };
            let moment = Moment {
                now: after(now),
                wall: Duration::from_millis(u64::try_from(wall).unwrap()),
                last,
                started: Some(after(8)),
                stopping: (index > 10).then(|| after(now)),
                state,
            };
            let event = Event::of(&plan, &moment).unwrap();
            prop_assert!(event.sequence > last);
            last = event.sequence;
            let said = detail(&event);
            prop_assert_eq!(said["CreationTime"].as_u64(), Some(1_795_847_523_302));
            let mut before = 0;
            for transition in said["SecondaryStatusTransitions"].as_array().unwrap() {
                let start = transition["StartTime"].as_u64().unwrap();
                prop_assert!(start >= before);
                before = start;
                if let Some(end) = transition.get("EndTime") {
                    prop_assert!(end.as_u64().unwrap() >= start);
                }
            }
            prop_assert!(said["LastModifiedTime"].as_u64().unwrap() >= before);
        }
    }

    /// The consumer's one conditional write: any order, loss and repetition that has the last
    /// event in it ends in that one's state.
    #[test]
    fn any_order_ends_in_the_last_state(
        arrivals in Just((0..8_usize).collect::<Vec<_>>()).prop_shuffle(),
        doubled in prop::collection::vec(0..8_usize, 0..8),
        lost in 0..8_usize,
    ) {
        let outcome = outcome(&exited(1));
        let events: Vec<Event> = (0..8_u64).map(|number| {
            // Two attempts at the same job; the second has ended.
            let mut plan = plan();
            if number >= 4 {
                plan.attempt.id = plan.attempt.id.replace("01a220da", "01a220db");
            }
            let state = match number % 4 {
                3 => State::Ended { at: after(30), outcome: &outcome },
                _ => State::Alive { heartbeat: false, progress: None },
            };
            Event::of(&plan, &moment(10 + number % 4, state)).unwrap()
        }).collect();
        let mut row: Option<(String, u64, String)> = None;
        let kept = arrivals.iter().filter(|at| **at != lost || lost == 7);
        for at in kept.chain(&doubled) {
            let said = detail(&events[*at]);
            let key = (
                said["LyftLearn"]["Attempt"].as_str().unwrap().to_owned(),
                said["LyftLearn"]["Sequence"].as_u64().unwrap(),
            );
            let status = said["TrainingJobStatus"].as_str().unwrap().to_owned();
            let held = row.as_ref().map(|row| (row.0.clone(), row.1));
            if held.is_none_or(|held| key > held) {
                row = Some((key.0, key.1, status));
            }
        }
        let (attempt, _, status) = row.unwrap();
        prop_assert!(attempt.starts_with("01a220db"));
        prop_assert_eq!(status, "Failed");
    }
}
