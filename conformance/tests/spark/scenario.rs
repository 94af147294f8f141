//! A scenario: a container's network and what somebody has written for Spark, and what a driver
//! must come to with our variables and without them.

use std::collections::BTreeMap;
use std::time::Duration;

use lyftlearn_conformance::cluster::Cluster;
use lyftlearn_conformance::firewalled::{Networks, Route};
use lyftlearn_conformance::programs::{mount_java, mount_python};
use lyftlearn_conformance::sandbox::Sandbox;
use lyftlearn_conformance::world::World;
use serde::Deserialize;
use serde_json::{Value, json};

/// How long a job may take before it counts as one that hangs: executors give up after five
/// seconds where a name is unknown.
const CONTROL_SECONDS: u64 = 15;
/// Long enough on a busy machine, on which a JVM takes a minute to start.
const USUAL_SECONDS: u64 = 300;
const WHOLE: Duration = Duration::from_secs(600);

/// What every driver asks of the cluster.
const LEAST: &[(&str, &str)] = &[
    ("spark.executor.memory", "512m"),
    ("spark.cores.max", "1"),
    ("spark.ui.enabled", "false"),
    ("spark.sql.shuffle.partitions", "1"),
    ("spark.executor.extraJavaOptions", FAST_JAVA),
];

/// A JVM that lives for seconds does better without its second compiler.
const FAST_JAVA: &str = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// What it shows.
    #[allow(dead_code, reason = "for readers of the file")]
    why: String,
    /// Whether it runs in `make test`.
    #[serde(default)]
    pub(crate) quick: bool,
    /// Lines of Spark; all where none is named.
    #[serde(default)]
    lines: Vec<String>,
    /// What /etc/hosts says of the container's own name.
    hostname: Option<String>,
    #[serde(default)]
    route: String,
    /// `runtime.toml`.
    #[serde(default)]
    settings: String,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// Files below `/opt/spark-conf`.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// How the driver is started: a line of shell with the variables `$PYTHON`, `$SPARK` and
    /// `$DRIVER`.
    #[serde(default)]
    shell: Option<String>,
    /// What code says to the session.
    #[serde(default)]
    config: BTreeMap<String, String>,
    /// Whether the driver looks at the executors' variables.
    #[serde(default)]
    executors_environment: bool,
    /// How many seconds a job may take, where it is one that hangs.
    patience: Option<u64>,
    /// Ports that the firewall admits.
    #[serde(default)]
    admit: Vec<String>,
    /// What each driver must find, in the order of the ports.
    with: Vec<Value>,
    /// The same where this runtime is switched off; none where that is not claimed.
    without: Option<Value>,
}

impl Scenario {
    pub(crate) fn read() -> Vec<Self> {
        serde_json::from_str(include_str!("scenarios.json")).unwrap()
    }

    pub(crate) fn is_for(&self, line: &str) -> bool {
        self.lines.is_empty() || self.lines.iter().any(|one| one == line)
    }

    /// Runs it with our variables and without them at the same time; returns a cell of the table,
    /// and the differences.
    pub(crate) fn run(&self, networks: &Networks, cluster: &Cluster) -> (String, Vec<String>) {
        networks.route(match self.route.as_str() {
            "elsewhere" => Route::Elsewhere,
            "six" => Route::Six,
            "none" => Route::None,
            _ => Route::Firewall,
        });
        let admitted: Vec<&str> = self.admit.iter().map(String::as_str).collect();
        let usual = ["20000:20031"];
        networks.admit(if admitted.is_empty() {
            &usual
        } else {
            &admitted
        });
        let (ours, control) = std::thread::scope(|scope| {
            let control = self
                .without
                .as_ref()
                .map(|_| scope.spawn(|| self.drive(networks, cluster, true)));
            let ours = self.drive(networks, cluster, false);
            (ours, control.map(|control| control.join().unwrap()))
        });
        let mut wrong = Vec::new();
        let (mut found, log) = ours;
        found.sort_by_key(|one| one["port"].as_u64());
        if found.len() != self.with.len() {
            wrong.push(format!("{} drivers came to an end: {log}", found.len()));
        }
        for (found, expected) in found.iter().zip(&self.with) {
            wrong.extend(differences("with", found, expected, &log));
        }
        if let (Some(expected), Some((found, log))) = (&self.without, &control) {
            match found.first() {
                Some(found) => wrong.extend(differences("without", found, expected, log)),
                None => wrong.push(format!("without: nothing was said: {log}")),
            }
        }
        let seconds = |one: &Value| {
            format!(
                "{} at {}:{}/{} in {:.1} s",
                if one["finished"] == json!(true) {
                    "finished"
                } else {
                    "not finished"
                },
                one["host"].as_str().unwrap_or("-"),
                one["port"],
                one["blocks"],
                one["seconds"].as_f64().unwrap_or(0.0)
            )
        };
        let shown: Vec<String> = found.iter().map(seconds).collect();
        let without = control.and_then(|(found, _)| {
            let one = found.into_iter().next()?;
            let why = one["error"]
                .as_str()
                .map(|text| text.lines().last().unwrap_or("").to_owned());
            Some(why.unwrap_or_else(|| seconds(&one)))
        });
        let without = without.map_or(String::new(), |without| format!("; without: {without}"));
        (format!("{}{without}", shown.join(" and ")), wrong)
    }

    /// What the drivers of one container said, and its log.
    fn drive(&self, networks: &Networks, cluster: &Cluster, off: bool) -> (Vec<Value>, String) {
        let world = World::new();
        let name = "notebook-7f";
        let own = self
            .hostname
            .as_deref()
            .map(|address| format!("{address} {name}\n"));
        let hosts = format!(
            "127.0.0.1 localhost\n::1 localhost\n{}",
            own.unwrap_or_default()
        );
        let driver = include_str!("programs/driver.py");
        let mut config: BTreeMap<&str, &str> = LEAST.iter().copied().collect();
        config.insert("spark.master", &cluster.master);
        config.extend(
            self.config
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str())),
        );
        let options = json!({
            "config": config,
            "environment": self.executors_environment,
            "patience": if off { CONTROL_SECONDS } else { self.patience.unwrap_or(USUAL_SECONDS) },
        });
        let mut container = world
            .container(&self.settings)
            .namespace(networks.driver())
            .hostname(name)
            .mount_read_only(world.file("hosts", &hosts), "/etc/hosts")
            .mount_read_only(
                world.file("passwd", "root:x:0:0::/root:/bin/sh\n"),
                "/etc/passwd",
            )
            .mount_read_only(
                world.file("nsswitch.conf", "hosts: files\n"),
                "/etc/nsswitch.conf",
            )
            .mount_read_only(world.file("driver.py", driver), "/opt/driver.py")
            .variable("DRIVER", "/opt/driver.py")
            .variable("PYTHON", &cluster.python)
            .variable("SPARK", &cluster.home)
            .variable("PYSPARK_PYTHON", &cluster.python)
            .variable("JDK_JAVA_OPTIONS", FAST_JAVA)
            .variable("DRIVER_OPTIONS", options.to_string());
        container = mount_java(mount_python(container, &cluster.python));
        for (name, text) in &self.files {
            let source = world.file(&format!("conf/{name}"), text);
            container = container.mount_read_only(source, format!("/opt/spark-conf/{name}"));
        }
        for (name, value) in &self.environment {
            container = container.variable(name, value);
        }
        if off {
            container = container.variable("LYFTLEARN_RUNTIME", "off");
        }
        let shell = self.shell.as_deref().unwrap_or("exec $PYTHON $DRIVER");
        ended(&container, shell)
    }
}

fn ended(container: &Sandbox, shell: &str) -> (Vec<Value>, String) {
    // Spark's launcher reads from a substituted process.
    let script = format!("ln -s /proc/self/fd /dev/fd; {shell}");
    let output = container.run(&["sh", "-c", &script]).end_within(WHOLE);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = text.match_indices("FOUND ").filter_map(|(at, word)| {
        let mut values = serde_json::Deserializer::from_str(&text[at + word.len()..]).into_iter();
        values.next()?.ok()
    });
    let log = String::from_utf8_lossy(&output.stderr);
    (found.collect(), format!("{text}\n{log}"))
}

/// Expectations that do not hold. An expected text must be a part of the found one.
fn differences(which: &str, found: &Value, expected: &Value, log: &str) -> Vec<String> {
    let expected = expected.as_object().unwrap();
    let differs = |(field, expected): (&String, &Value)| {
        let is = match (&found[field], expected) {
            (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
            (one, other) => one == other,
        };
        (!is).then(|| {
            format!(
                "{which}: {field} is {}, not {expected}\n{log}",
                found[field]
            )
        })
    };
    expected.iter().filter_map(differs).collect()
}
