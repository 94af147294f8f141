//! Job state events: what arrives at a bus, in queues, at a sink and in a file, and what the
//! example's consumer makes of it. AWS is moto here, with signatures and permissions enforced.

mod destinations;
mod kills;
mod memory;
mod private;
mod states;

use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use lyftlearn_conformance::command::Server;
use lyftlearn_conformance::programs;

use super::*;

/// moto, and all stand-ins in front of it. All tests share them; each has its own job name.
struct Servers {
    server: Server,
    ready: Value,
}

static SERVERS: OnceLock<Option<Mutex<Servers>>> = OnceLock::new();

/// `None` where the packages are not installed. It ends with this process, which holds its stdin.
fn servers() -> Option<MutexGuard<'static, Servers>> {
    let servers = SERVERS.get_or_init(|| {
        let program = "conformance/tests/process/programs/event_servers.py";
        let mut command = Command::new(programs::python_with_servers()?);
        command
            .arg(programs::repository().join(program))
            .stderr(Stdio::null());
        let mut server = Server::answering(&mut command);
        let ready = serde_json::from_str(&server.line()).expect("the servers are ready");
        Some(Mutex::new(Servers { server, ready }))
    });
    let servers = servers.as_ref()?;
    Some(servers.lock().unwrap_or_else(PoisonError::into_inner))
}

macro_rules! needs_servers {
    () => {
        needs_namespaces!();
        if servers().is_none() {
            return;
        }
    };
}
use needs_servers;

fn asked(question: &Value) -> Value {
    let answer = servers().unwrap().server.ask(question);
    serde_json::from_str(&answer).unwrap()
}

fn ready(key: &str) -> Value {
    servers().unwrap().ready[key].clone()
}

/// A queue as `events.to` names it.
fn queue(name: &str) -> String {
    format!("sqs:{}", ready("queues")[name].as_str().unwrap())
}

/// A stand-in that takes `steps` one after the other, and the last one for ever.
struct Between {
    port: u64,
}

impl Between {
    fn new(steps: &Value) -> Self {
        let port = asked(&json!({"between": steps})).as_u64().unwrap();
        Self { port }
    }

    /// Takes everything.
    fn sink() -> Self {
        Self::new(&json!([{"status": 202}]))
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Every request that has come: `path`, `headers`, `body`, `at`.
    fn seen(&self) -> Vec<Value> {
        let seen = asked(&json!({"seen": self.port}));
        seen.as_array().unwrap().clone()
    }

    /// The bodies of them, as JSON.
    fn bodies(&self) -> Vec<Value> {
        let seen = self.seen();
        let bodies = seen.iter().map(|asked| asked["body"].as_str().unwrap());
        bodies
            .map(|body| serde_json::from_str(body).unwrap())
            .collect()
    }

    /// Waits for a request that `wanted` takes.
    #[track_caller]
    fn waits_for(&self, wanted: impl Fn(&Value) -> bool) {
        let came = wait::until(|| self.seen().iter().any(&wanted).then_some(()));
        assert!(came.is_some(), "it has not come: {:#?}", self.seen());
    }
}

/// What a queue has of a job, and the rows of the consumer's table that come of it, whatever the
/// order and however often.
fn told(queue: &str, job: &str) -> (Vec<Value>, Vec<Value>) {
    let answer = asked(&json!({"queue": queue, "job": job}));
    let list = |name: &str| answer[name].as_array().unwrap().clone();
    (list("events"), list("rows"))
}

/// A job in this place, with an identity that may send events.
struct Told {
    world: World,
    job: String,
    to: Vec<String>,
    settings: String,
    identity: &'static str,
}

impl Told {
    fn new(to: impl IntoIterator<Item = String>) -> Self {
        let world = World::new();
        std::fs::create_dir_all(world.path("run")).unwrap();
        Self {
            job: world.canary.value().replace("canary", "job"),
            world,
            to: to.into_iter().collect(),
            settings: String::new(),
            identity: "job",
        }
    }

    /// Further lines of `[events]`.
    fn with(mut self, settings: &str) -> Self {
        self.settings = settings.to_owned();
        self
    }

    fn named(mut self, job: &str) -> Self {
        job.clone_into(&mut self.job);
        self
    }

    fn of(mut self, identity: &'static str) -> Self {
        self.identity = identity;
        self
    }

    fn settings(&self) -> String {
        let (to, job) = (json!(self.to), json!(self.job));
        format!(
            "job.name = {job}\nlifecycle.grace_seconds = 20\n[events]\nto = {to}\n{}\n",
            self.settings
        )
    }

    /// What every container of it has.
    fn known(&self, container: Sandbox) -> Sandbox {
        let identity = &ready("identities")[self.identity];
        let text = |name: &str| identity[name].as_str().unwrap().to_owned();
        std::fs::create_dir_all(self.world.path("shared")).unwrap();
        // An address for documentation, which no host has.
        let resolver = self.world.file("resolv.conf", "nameserver 192.0.2.1\n");
        container
            .mount_read_only(resolver, "/etc/resolv.conf")
            .mount(self.world.path("shared"), "/shared")
            .mount(self.world.path("run"), "/run")
            .variable("AWS_ACCESS_KEY_ID", text("AccessKeyId"))
            .variable("AWS_SECRET_ACCESS_KEY", text("SecretAccessKey"))
            .variable("AWS_SESSION_TOKEN", text("SessionToken"))
            .variable("AWS_REGION", "eu-west-1")
            .variable("AWS_ENDPOINT_URL", ready("aws").as_str().unwrap())
    }

    fn container(&self) -> Sandbox {
        self.known(self.world.container(&self.settings()))
    }

    fn shell(&self, script: &str) -> sandbox::Running {
        self.container().run(&["sh", "-c", script])
    }

    /// Runs a script to its end, and checks the output for secrets.
    #[track_caller]
    fn ended(&self, script: &str, code: i32) -> Output {
        let output = self.shell(script).end();
        self.check(&output, code);
        output
    }

    /// The same, with AWS behind a stand-in.
    #[track_caller]
    fn through(&self, between: &Between, code: i32) -> Output {
        let container = (self.container()).variable("AWS_ENDPOINT_URL", between.url());
        let output = container.run(&["sh", "-c", &format!("exit {code}")]).end();
        self.check(&output, code);
        output
    }

    #[track_caller]
    fn check(&self, output: &Output, code: i32) {
        check_end(output, code);
        self.unseen("stderr", &output.stderr);
    }

    /// Nothing of the planted secret, of the identity's or of a queue's is shown.
    #[track_caller]
    fn unseen(&self, what: &str, text: &[u8]) {
        self.world.canary.assert_unseen(what, text);
        let text = String::from_utf8_lossy(text);
        let identity = &ready("identities")[self.identity];
        for name in ["SecretAccessKey", "SessionToken"] {
            let secret = identity[name].as_str().unwrap();
            assert!(!text.contains(secret), "{what} shows {name}: {text}");
        }
    }

    /// What a queue has of this job. An event that shows a secret fails it.
    #[track_caller]
    fn told(&self, queue: &str) -> (Vec<Value>, Vec<Value>) {
        let (events, rows) = told(queue, &self.job);
        self.unseen(queue, json!(events).to_string().as_bytes());
        (events, rows)
    }

    /// The one row that comes of a queue.
    #[track_caller]
    fn row(&self, queue: &str) -> Value {
        let (events, mut rows) = self.told(queue);
        assert_eq!(rows.len(), 1, "{events:#?}");
        rows.remove(0)
    }

    /// Waits until a queue has an event of that status.
    #[track_caller]
    fn waits_for(&self, queue: &str, status: &str) -> Value {
        let found = wait::until(|| {
            let (events, _) = self.told(queue);
            events
                .into_iter()
                .find(|event| self::status(event) == status)
        });
        found.unwrap_or_else(|| panic!("{queue} has no {status}: {:#?}", self.told(queue).0))
    }

    fn outcome(&self) -> Value {
        super::stopping::outcome(&self.world)
    }
}

/// The status that an event tells.
fn status(event: &Value) -> String {
    let detail = event["detail"].as_object().unwrap();
    let mut found = detail
        .iter()
        .filter(|(name, _)| name.ends_with("JobStatus"));
    found.next().map_or(String::new(), |(_, status)| {
        status.as_str().unwrap().to_owned()
    })
}

fn statuses(events: &[Value]) -> Vec<String> {
    events.iter().map(status).collect()
}

fn own<'a>(event: &'a Value, name: &str) -> &'a Value {
    &event["detail"]["LyftLearn"][name]
}

/// The lines of stderr about undelivered events.
fn undelivered(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines = text.lines().filter(|line| line.contains("not delivered"));
    lines.map(|line| format!("{line}\n")).collect()
}
