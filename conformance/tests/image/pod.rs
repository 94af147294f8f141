//! Pods from YAML: how they end, and what their termination message says.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lyftlearn_conformance::wait;

use crate::container::Container;
use crate::load::Load;

#[test]
fn a_server_answers_every_request_while_its_pod_ends() {
    const DRAIN: Duration = Duration::from_secs(5);
    // Anything that answers will do for a model.
    let model = "import joblib; from sklearn.datasets import load_digits; \
                 from sklearn.dummy import DummyClassifier; \
                 model = DummyClassifier().fit(*load_digits(return_X_y=True)); \
                 joblib.dump(model, '/model/model.joblib')";
    let settings = "lifecycle.drain_seconds = 5\n";
    let Some(pod) = Container::played("draining", settings, &["serve"], Some(model)) else {
        return;
    };
    let target = pod.target();
    let ready = wait::until(|| {
        target
            .get("/healthz/ready")
            .ok()
            .filter(|status| *status == 200)
    });
    assert!(ready.is_some(), "{}", pod.log());
    let load = Load::begin(&target, 3);
    let warm = wait::until(|| (load.answered() >= 50).then_some(()));
    assert!(warm.is_some(), "{}", pod.log());

    let asked = Instant::now();
    let (took, answers, uploads) = std::thread::scope(|scope| {
        let stop = scope.spawn(|| pod.stop(30));
        // Clients learn late that the endpoint is gone, but before the drain delay ends.
        let left = DRAIN.saturating_sub(Duration::from_secs(1));
        std::thread::sleep(left.saturating_sub(asked.elapsed()));
        let (finish, uploads): (Vec<_>, Vec<_>) = (0..2)
            .map(|_| {
                let (finish, finished) = std::sync::mpsc::channel();
                (finish, target.upload(finished))
            })
            .unzip();
        let answers = load.end();
        // The server itself says when it has heard of the stop.
        let heard = wait::until(|| {
            pod.log()
                .contains("Handling signal: term")
                .then(Instant::now)
        });
        assert!(heard.unwrap() - asked > DRAIN - Duration::from_millis(100));
        // The two requests are in flight only when the server answers no new ones.
        let closed = wait::until(|| target.answers_no_more().then_some(()));
        assert!(closed.is_some(), "{}", pod.log());
        drop(finish);
        let uploads: Vec<_> = uploads
            .into_iter()
            .map(|upload| upload.join().unwrap())
            .collect();
        (stop.join().unwrap(), answers, uploads)
    });

    let mut seen = BTreeMap::new();
    for answer in &answers {
        let place = if answer.sent < asked {
            "before"
        } else {
            "during"
        };
        *seen
            .entry((place, answer.kept, &answer.status))
            .or_insert(0) += 1;
    }
    eprintln!("{seen:?}, uploads {uploads:?}, stopped in {took:?}");
    for place in ["before", "during"] {
        for kept in [false, true] {
            let count = seen.get(&(place, kept, &Ok(200))).copied().unwrap_or(0);
            assert!(count > 10, "{place} the stop, kept {kept}: {seen:?}");
        }
    }
    assert_eq!(seen.len(), 4, "not all were answered with 200: {seen:?}");
    assert_eq!(uploads, [Ok(200), Ok(200)]);
    assert!(took > DRAIN, "{took:?}");
    let ended = pod.end();
    ended.check(0, "stopped", Some(""));
    let after = ended.outcome["seconds_after_stop"].as_f64().unwrap();
    assert!(after > DRAIN.as_secs_f64(), "{after}");
}

/// A pod whose program ends by itself, and the message that `kubectl describe pod` would show.
#[track_caller]
fn check_message(name: &str, script: &str, exit_code: i32, class: &str, message: &str) {
    let Some(pod) = Container::played(name, "", &["sh", "-c", script], None) else {
        return;
    };
    pod.end().check(exit_code, class, Some(message));
}

#[test]
fn the_termination_message_has_the_reason() {
    check_message(
        "failing",
        "exit 3",
        3,
        "user-error",
        // The kubelet knows as much, and may show the log's last lines instead.
        "",
    );
    check_message(
        "telling",
        "echo no rows >/dev/termination-log; exit 3",
        3,
        "user-error",
        "no rows\n",
    );
    check_message("completing", "exit 0", 0, "completed", "");
}
