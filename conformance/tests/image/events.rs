//! Job state events of real containers: the table that the example's consumer keeps is true, whatever
//! becomes of a job.
//!
//! A place has no network. These containers reach a queue, so they are made by hand.

use std::process::Stdio;

use lyftlearn_conformance::command::Server;
use lyftlearn_conformance::{programs, wait};
use serde_json::{Value, json};

use crate::container::{As, Case, Container};
use crate::place::Place;

/// The queue and its consumer, in the network of the containers.
struct Table {
    server: Server,
    queue: String,
}

impl Table {
    fn new() -> Option<Self> {
        let place = Place::found()?;
        let python = programs::python_with_servers()?;
        let program = "conformance/tests/image/programs/job_events.py";
        let program = programs::repository().join(program);
        let words = [program.to_str().unwrap()];
        let mut command = place.command(python.to_str().unwrap(), &words);
        // moto names each request there.
        let mut server = Server::answering(command.stderr(Stdio::null()));
        let queue = server.line();
        Some(Self { server, queue })
    }

    fn row(&mut self, job: &str) -> Value {
        let table: Value = serde_json::from_str(&self.server.ask("table")).unwrap();
        table[job].clone()
    }

    /// Starts the container of a pod that tells the queue of its job.
    fn start(&self, job: &str, options: &[&str], argv: &[&str]) -> Container {
        let settings = format!(
            "[job]\nname = \"{job}\"\n[events]\nto = [\"sqs:{}\"]\nend_seconds = 10\n\
             [metrics]\nlisten = \"off\"\n",
            self.queue
        );
        let usual = [
            "--network=host",
            "--env=AWS_REGION=eu-west-1",
            "--env=AWS_ACCESS_KEY_ID=testing",
            "--env=AWS_SECRET_ACCESS_KEY=testing",
            "--env=LYFTLEARN_RUNTIME_ROLE=training",
        ];
        let case = Case {
            name: job,
            made: As::Pod,
            settings: &settings,
            options: &[&usual, options].concat(),
            argv,
        };
        case.start().unwrap()
    }

    #[track_caller]
    fn check(&mut self, job: &str, status: &str, reason: Option<&str>) {
        let row = self.row(job);
        assert_eq!(row["status"], status, "{row:#}");
        match reason {
            None => assert_eq!(row["reason"], Value::Null, "{row:#}"),
            Some(reason) => {
                let said = row["reason"].as_str().unwrap_or_default();
                assert!(said.contains(reason), "{row:#}");
            }
        }
        assert_eq!(row["lease"], json!(null), "{row:#}");
    }
}

#[test]
fn the_table_of_jobs_is_true_whatever_becomes_of_one() {
    let Some(mut table) = Table::new() else {
        return;
    };
    let ends = table.start("events-ends", &[], &["python3", "-c", "pass"]);
    ends.end().check(0, "completed", Some(""));
    table.check("events-ends", "Completed", None);

    let raises = "raise ValueError('could not convert string to float')";
    let container = table.start("events-raises", &[], &["python3", "-c", raises]);
    assert_eq!(container.end().exit_code, 1);
    table.check(
        "events-raises",
        "Failed",
        Some("ValueError: could not convert string to float"),
    );

    let waits = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(0)); print('ready', flush=True)
while True: time.sleep(0.01)";
    let container = table.start("events-waits", &[], &["python3", "-c", waits]);
    container.says("ready", 1);
    let told = || (table.row("events-waits")["status"] == "InProgress").then_some(());
    assert!(wait::until(told).is_some());
    container.stop(30);
    container.end().check(0, "stopped", Some(""));
    table.check("events-waits", "Stopped", None);

    let hungry = ["python3", "/opt/tests/hungry.py", "itself"];
    let container = table.start("events-hungry", &["--memory=64m"], &hungry);
    assert_eq!(container.end().exit_code, 137);
    table.check("events-hungry", "Failed", Some("out of memory"));
}
