//! A server behind a Service, while its pod ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::{IMAGE, Namespace, pod, rest};

/// Whether the only endpoint of a Service still gets new requests.
fn endpoint_ready(slices: &Value) -> Option<bool> {
    slices["items"][0]["endpoints"][0]["conditions"]["ready"].as_bool()
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn no_request_is_lost_before_the_endpoint_is_gone() {
    const MODEL: &str = "import joblib; from sklearn.datasets import load_digits; \
        from sklearn.dummy import DummyClassifier; \
        joblib.dump(DummyClassifier().fit(*load_digits(return_X_y=True)), '/model/model.joblib')";
    let namespace = Namespace::new("serving");
    let init = json!({
        "name": "model", "image": IMAGE, "imagePullPolicy": "Never", "args": ["python3", "-c", MODEL],
        "volumeMounts": [{"name": "model", "mountPath": "/model"}],
    });
    namespace.apply(&json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "digits"},
        "spec": {"selector": {"app": "digits"}, "ports": [{"port": 8080}]},
    }));
    namespace.start(&pod(
        "digits",
        &["serve"],
        json!({
            "env": [{"name": "LYFTLEARN_RUNTIME_LIFECYCLE_DRAIN_SECONDS", "value": "5"}],
            "readinessProbe": {"httpGet": {"path": "/healthz/ready", "port": 8080}, "periodSeconds": 1},
            "volumeMounts": [{"name": "model", "mountPath": "/opt/ml/model", "readOnly": true}],
        }),
        json!({"initContainers": [init], "volumes": [{"name": "model", "emptyDir": {}}]}),
    ));
    let address = namespace.get("pod/digits")["status"]["podIP"]
        .as_str()
        .unwrap()
        .to_owned();
    namespace.until("the endpoint", || {
        (endpoint_ready(&namespace.get("endpointslices")) == Some(true)).then_some(())
    });

    let url = format!("http://{address}:8080/ping");
    let over = AtomicBool::new(false);
    let (answers, unready) = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut answers = Vec::new();
                    while !over.load(Ordering::Relaxed) {
                        // A connection each: what a balancer does that has just heard of the pod.
                        let answer = ureq::Agent::new_with_defaults().get(&url).call();
                        answers.push(
                            answer
                                .map(|answer| answer.status().as_u16())
                                .map_err(|err| err.to_string()),
                        );
                    }
                    answers
                })
            })
            .collect();
        let log = namespace.follow("digits");
        let asked = Instant::now();
        namespace.ok(&["delete", "pod", "digits", "--wait=false"]);
        namespace.until("the endpoint's end", || {
            (endpoint_ready(&namespace.get("endpointslices")) != Some(true)).then_some(())
        });
        let unready = asked.elapsed();
        over.store(true, Ordering::Relaxed);
        let answers: Vec<_> = clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect();
        // The server itself says when it is asked.
        let lines = rest(log);
        assert!(
            lines
                .iter()
                .any(|line| line.contains("Handling signal: term")),
            "{lines:#?}"
        );
        assert!(
            asked.elapsed() > Duration::from_secs(5),
            "the drain was cut short"
        );
        (answers, unready)
    });
    let failed: Vec<_> = answers
        .iter()
        .filter(|answer| **answer != Ok(200))
        .collect();
    assert!(
        answers.len() > 20 && failed.is_empty(),
        "{} of {}: {failed:?}",
        failed.len(),
        answers.len()
    );
    assert!(unready < Duration::from_secs(5), "{unready:?}");
    eprintln!(
        "{} requests answered; the endpoint was gone after {unready:?}",
        answers.len()
    );
}
