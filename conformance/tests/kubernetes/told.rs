//! What a container reports of its own end, in two places: `outcome.json`, and the table that the example's consumer
//! keeps of job state events.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use lyftlearn_conformance::command::Server;
use lyftlearn_conformance::{programs, wait};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cluster::merged;

/// The queue, which is moto's on the node, and its consumer: one for all tests.
static TABLE: LazyLock<Mutex<Table>> = LazyLock::new(|| Mutex::new(Table::new()));

struct Table {
    server: Server,
    queue: String,
}

impl Table {
    fn new() -> Self {
        let python = programs::python_with_servers().unwrap();
        let program = "conformance/tests/image/programs/job_events.py";
        let mut command = Command::new(python);
        command
            .arg(programs::repository().join(program))
            .arg("10.199.0.1");
        // moto names each request there.
        let mut server = Server::answering(command.stderr(Stdio::null()));
        let queue = server.line();
        Self { server, queue }
    }
}

/// A job whose container sends events, and leaves its run directory on the node.
#[derive(Debug)]
pub(crate) struct Job {
    name: &'static str,
    run: TempDir,
}

impl Job {
    /// A job of this name, which is its own among all tests.
    pub(crate) fn new(name: &'static str) -> Self {
        let run = tempfile::tempdir().unwrap();
        Self { name, run }
    }

    /// The pod with this job as the task of its first container.
    pub(crate) fn of(&self, mut pod: Value) -> Value {
        pod["spec"] = self.in_spec(pod["spec"].take());
        pod
    }

    /// The same for the `spec` of a Job's pods.
    pub(crate) fn in_spec(&self, mut spec: Value) -> Value {
        let variable = |name: &str, value: &str| json!({"name": name, "value": value});
        let queue = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
        let to = format!("[\"sqs:{}\"]", queue.queue);
        let own = json!({
            "env": [
                variable("LYFTLEARN_RUNTIME_ROLE", "training"),
                variable("LYFTLEARN_RUNTIME_JOB_NAME", self.name),
                variable("LYFTLEARN_RUNTIME_EVENTS_TO", &to),
                variable("LYFTLEARN_RUNTIME_EVENTS_END_SECONDS", "10"),
                variable("AWS_REGION", "eu-west-1"),
                variable("AWS_ACCESS_KEY_ID", "testing"),
                variable("AWS_SECRET_ACCESS_KEY", "testing"),
            ],
            "volumeMounts": [{"name": "told", "mountPath": "/run/lyftlearn"}],
        });
        let main = spec["containers"][0].take();
        spec["containers"][0] = merged(main, own);
        let volume = json!({"name": "told", "hostPath": {"path": self.run.path()}});
        merged(spec, json!({"volumes": [volume]}))
    }

    /// `outcome.json`, if the container has written it.
    pub(crate) fn outcome(&self) -> Option<Value> {
        let text = std::fs::read(self.file("outcome.json")).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// A file of the run directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.run.path().join(name)
    }

    /// The job's row in the table.
    pub(crate) fn row(&self) -> Value {
        let mut table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
        let rows: Value = serde_json::from_str(&table.server.ask("table")).unwrap();
        rows[self.name].clone()
    }

    /// Waits until the consumer has this status of the job.
    #[track_caller]
    pub(crate) fn until(&self, status: &str) -> Value {
        let mut row = Value::Null;
        let seen = wait::until(|| {
            row = self.row();
            if row["status"] != status {
                // A question takes the queue's messages; it need not be asked in a loop.
                std::thread::park_timeout(Duration::from_millis(100));
                return None;
            }
            Some(())
        });
        assert!(seen.is_some(), "{} is not {status}: {row:#}", self.name);
        row
    }

    /// Compares the outcome, and the last state that the consumer has.
    #[track_caller]
    pub(crate) fn check(&self, class: &str, status: &str, reason: Option<&str>) {
        let outcome = self.outcome().unwrap_or_default();
        assert_eq!(outcome["class"], class, "{outcome:#}");
        assert_eq!(outcome["events"]["undelivered"], 0, "{outcome:#}");
        let row = self.row();
        assert_eq!(row["status"], status, "{row:#}");
        assert_eq!(row["lease"], Value::Null, "{row:#}");
        match reason {
            None => assert_eq!(row["reason"], Value::Null, "{row:#}"),
            Some(reason) => {
                let found = row["reason"].as_str().unwrap_or_default();
                assert!(found.contains(reason), "{row:#}");
            }
        }
    }
}
