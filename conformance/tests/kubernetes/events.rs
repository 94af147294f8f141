//! Job state events that stay in the cluster: CloudEvents to a Service, which pods find by its name.

use lyftlearn_conformance::command::Server;
use serde_json::{Value, json};

use crate::cluster::{Namespace, pod};

/// Prints each CloudEvent as a line.
const RECEIVER: &str = "
import http.server

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        print(self.headers['Content-Type'], body.decode(), flush=True)
        self.send_response(204)
        self.end_headers()

print('listening', flush=True)
http.server.HTTPServer(('', 8080), Receiver).serve_forever()
";

/// The next event that is no repetition: its status, and all of it.
#[track_caller]
fn next_event(log: &mut Server) -> (String, Value) {
    loop {
        let line = log.line();
        let Some(event) = line.strip_prefix("application/cloudevents+json ") else {
            continue;
        };
        let event: Value = serde_json::from_str(event).unwrap();
        if event["data"]["LyftLearn"]["Heartbeat"] != true {
            let status = event["data"]["TrainingJobStatus"].as_str();
            return (status.unwrap_or_default().to_owned(), event);
        }
    }
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_service_receives_the_states_of_a_pod_until_its_end() {
    let namespace = Namespace::new("receiver");
    namespace.apply(&json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "events"},
        "spec": {"clusterIP": "None", "selector": {"app": "main"}, "ports": [{"port": 8080}]},
    }));
    let off = json!({"env": [{"name": "LYFTLEARN_RUNTIME", "value": "off"}]});
    let receiver = namespace.start(&pod("main", &["python3", "-c", RECEIVER], off, json!({})));
    namespace.until_logged(&receiver, "listening");
    let mut log = namespace.follow(&receiver);
    namespace.until("the receiver's name", || {
        let slices = namespace.get("endpointslices");
        slices["items"][0]["endpoints"][0]["conditions"]["ready"]
            .as_bool()
            .filter(|ready| *ready)
    });

    let to = r#"["http://events.receiver.svc.cluster.local:8080/jobs"]"#;
    let settings = json!({"env": [
        {"name": "LYFTLEARN_RUNTIME_ROLE", "value": "training"},
        {"name": "LYFTLEARN_RUNTIME_JOB_NAME", "value": "ranker"},
        {"name": "LYFTLEARN_RUNTIME_EVENTS_TO", "value": to},
    ]});
    let script = "trap 'exit 0' TERM; echo working; while :; do sleep 0.1; done";
    namespace.start(&pod("job", &["sh", "-c", script], settings, json!({})));
    let (status, event) = next_event(&mut log);
    let uid = namespace.get("pod/job")["metadata"]["uid"].clone();
    assert_eq!(status, "InProgress", "{event:#}");
    assert_eq!(event["type"], "lyftlearn.job.state", "{event:#}");
    let source = "/lyftlearn/kubernetes/receiver/ranker";
    assert_eq!(event["source"], source, "{event:#}");
    let own = &event["data"]["LyftLearn"];
    assert_eq!(
        (&own["Namespace"], &own["Pod"], &own["Container"]),
        (&json!("receiver"), &uid, &json!("main")),
        "{event:#}"
    );
    namespace.until_logged("job", "working");
    namespace.ok(&["delete", "pod", "job", "--wait=false"]);
    // A program that ends at once may leave no time for Stopping.
    let mut last = next_event(&mut log);
    if last.0 == "Stopping" {
        last = next_event(&mut log);
    }
    let (status, event) = last;
    assert_eq!(status, "Stopped", "{event:#}");
    assert_eq!(event["data"]["LyftLearn"]["Class"], "stopped", "{event:#}");
}
