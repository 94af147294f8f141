//! A namespace of the cluster for each test, and what kubectl says of its pods.

use std::process::{Command, Output};
use std::time::Duration;

use lyftlearn_conformance::command::{self, Server};
use lyftlearn_conformance::wait;
use serde_json::{Value, json};

/// The example's image, which the cluster has.
pub(crate) const IMAGE: &str = "localhost/digits:latest";

/// In which a pod starts or ends on a machine that is busy with other pods.
const PATIENCE: Duration = Duration::from_secs(150);

/// A namespace, which ends with the test.
#[derive(Debug)]
pub(crate) struct Namespace {
    name: String,
}

/// How a container has ended, by the status of its pod.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit_code: i64,
    pub(crate) reason: String,
    /// The termination message.
    pub(crate) message: String,
    pub(crate) log: String,
}

/// A pod of one container called `main` that is started once, with more fields for the container and for
/// the pod's `spec`.
pub(crate) fn pod(name: &str, args: &[&str], container: Value, spec: Value) -> Value {
    let own = json!({"name": "main", "image": IMAGE, "imagePullPolicy": "Never", "args": args});
    let main = json!({"restartPolicy": "Never", "containers": [merged(own, container)]});
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
        "spec": merged(main, spec),
    })
}

/// The fields of both; of two with one name, lists are joined and others are replaced.
pub(crate) fn merged(mut object: Value, more: Value) -> Value {
    let Value::Object(more) = more else {
        return object;
    };
    for (name, value) in more {
        match (object.get_mut(&name), value) {
            (Some(Value::Array(list)), Value::Array(more)) => list.extend(more),
            (_, value) => object[name] = value,
        }
    }
    object
}

impl Namespace {
    pub(crate) fn new(name: &str) -> Self {
        assert!(
            std::env::var_os("KUBECONFIG").is_some(),
            "no cluster: run `make test-kubernetes`"
        );
        let namespace = Self {
            name: name.to_owned(),
        };
        namespace.ok(&["create", "namespace", name]);
        let account = ["wait", "--for=create", "serviceaccount/default"];
        namespace.ok(&[&account[..], &["--timeout=60s"]].concat());
        namespace
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn kubectl(&self, words: &[&str]) -> Output {
        let mut kubectl = self.command(words);
        command::output_within(&mut kubectl, PATIENCE + Duration::from_secs(30))
    }

    /// A command of kubectl's in this namespace.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut kubectl = Command::new("kubectl");
        kubectl.args(["--namespace", &self.name]).args(words);
        kubectl
    }

    /// What kubectl prints, when it succeeds.
    #[track_caller]
    pub(crate) fn ok(&self, words: &[&str]) -> String {
        let output = self.kubectl(words);
        assert!(
            output.status.success(),
            "kubectl {}:\n{}\n{}",
            words.join(" "),
            String::from_utf8_lossy(&output.stderr),
            self.seen()
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// What kubectl says when it fails.
    #[track_caller]
    pub(crate) fn refused(&self, words: &[&str]) -> String {
        let output = self.kubectl(words);
        assert!(
            !output.status.success(),
            "kubectl {} succeeded",
            words.join(" ")
        );
        String::from_utf8(output.stderr).unwrap()
    }

    /// What helps to understand a failure.
    fn seen(&self) -> String {
        let pods = self.kubectl(&["get", "pods,events", "--output=wide"]);
        let logs = [
            "logs",
            "--selector=app",
            "--all-containers",
            "--prefix",
            "--tail=30",
        ];
        let logs = self.kubectl(&logs);
        String::from_utf8_lossy(&[pods.stdout, logs.stdout].concat()).into_owned()
    }

    #[track_caller]
    pub(crate) fn apply(&self, object: &Value) {
        let file = tempfile::NamedTempFile::new().unwrap();
        serde_json::to_writer(&file, object).unwrap();
        self.ok(&["create", "--filename", file.path().to_str().unwrap()]);
    }

    /// Sends an object to a path of the API that kubectl has no command for.
    #[track_caller]
    pub(crate) fn post(&self, path: &str, object: &Value) {
        let file = tempfile::NamedTempFile::new().unwrap();
        serde_json::to_writer(&file, object).unwrap();
        let path = format!("/api/v1/namespaces/{}/{path}", self.name);
        self.ok(&[
            "create",
            "--raw",
            &path,
            "--filename",
            file.path().to_str().unwrap(),
        ]);
    }

    #[track_caller]
    pub(crate) fn get(&self, what: &str) -> Value {
        serde_json::from_str(&self.ok(&["get", what, "--output=json"])).unwrap()
    }

    /// Waits for what `kubectl wait --for` understands.
    #[track_caller]
    pub(crate) fn wait_for(&self, condition: &str, what: &str) {
        let timeout = format!("--timeout={}s", PATIENCE.as_secs());
        self.ok(&["wait", &format!("--for={condition}"), what, &timeout]);
    }

    /// Waits for what only a look can tell.
    #[track_caller]
    pub(crate) fn until<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        wait::within(PATIENCE, look).unwrap_or_else(|| panic!("{what}: not seen\n{}", self.seen()))
    }

    /// What `main` says, from the second line on. The first has come: from now on nothing is missed.
    #[track_caller]
    pub(crate) fn follow(&self, pod: &str) -> Server {
        let words = ["logs", "--follow", pod, "--container=main"];
        let mut log = Server::answering(&mut self.command(&words));
        let _ = log.line();
        log
    }

    /// Waits for a line of a container's log.
    #[track_caller]
    pub(crate) fn until_logged(&self, pod: &str, text: &str) -> String {
        self.until(text, || {
            let log = self.log(pod);
            log.contains(text).then_some(log)
        })
    }

    /// The log of a pod's `main` so far: of a container that has not begun, nothing.
    pub(crate) fn log(&self, pod: &str) -> String {
        let log = self.kubectl(&["logs", pod, "--container=main"]).stdout;
        String::from_utf8(log).unwrap()
    }

    /// Starts the pod, and waits until its containers run.
    #[track_caller]
    pub(crate) fn start(&self, pod: &Value) -> String {
        self.apply(pod);
        let name = pod["metadata"]["name"].as_str().unwrap();
        self.wait_for("condition=Ready", &format!("pod/{name}"));
        name.to_owned()
    }

    /// Starts the pod, and waits until its container has ended.
    #[track_caller]
    pub(crate) fn run(&self, pod: &Value) -> Ended {
        self.apply(pod);
        self.ended(pod["metadata"]["name"].as_str().unwrap())
    }

    /// Waits until the pod's container `main` has ended.
    #[track_caller]
    pub(crate) fn ended(&self, pod: &str) -> Ended {
        let path = r#"{.status.containerStatuses[?(@.name=="main")].state.terminated.exitCode}"#;
        self.wait_for(&format!("jsonpath={path}"), &format!("pod/{pod}"));
        let object = self.get(&format!("pod/{pod}"));
        let state = terminated(&object, "main").clone();
        let text = |name: &str| state[name].as_str().unwrap_or_default().to_owned();
        Ended {
            exit_code: state["exitCode"].as_i64().unwrap(),
            reason: text("reason"),
            message: text("message"),
            log: self.ok(&["logs", pod, "--container=main"]),
        }
    }

    /// What a command prints in a container.
    #[track_caller]
    pub(crate) fn exec(&self, pod: &str, container: &str, argv: &[&str]) -> String {
        let words = ["exec", pod, "--container", container, "--"];
        self.ok(&[&words[..], argv].concat())
    }

    /// What `inspect` says beside the program.
    #[track_caller]
    pub(crate) fn inspect(&self, pod: &str, container: &str) -> Value {
        let argv = ["lyftlearn-runtime", "inspect", "--json"];
        serde_json::from_str(&self.exec(pod, container, &argv)).unwrap()
    }
}

/// All that is left to read of a log.
pub(crate) fn rest(mut log: Server) -> Vec<String> {
    std::iter::from_fn(|| log.next_line()).collect()
}

/// The status of a container, app or init.
pub(crate) fn status<'a>(pod: &'a Value, container: &str) -> &'a Value {
    ["containerStatuses", "initContainerStatuses"]
        .iter()
        .filter_map(|kind| pod["status"][kind].as_array())
        .flatten()
        .find(|status| status["name"] == container)
        .unwrap_or_else(|| panic!("no status of {container} in {pod:#}"))
}

/// How a container has ended.
pub(crate) fn terminated<'a>(pod: &'a Value, container: &str) -> &'a Value {
    let state = &status(pod, container)["state"]["terminated"];
    assert!(state.is_object(), "{container} has not ended: {pod:#}");
    state
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The cluster ends soon; a pod that is left would only take its processor.
        let words = ["delete", "namespace", &self.name, "--wait=false"];
        let _ = command::succeeds(&mut self.command(&words));
    }
}
