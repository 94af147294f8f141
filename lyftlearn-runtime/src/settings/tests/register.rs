//! What the register says of each setting is true, and plain.

use expect_test::expect;

use super::doors::{needed, told};
use super::{file, read};
use crate::error::Error;
use crate::layers::{Key, Unset};
use crate::settings::secrets::FIELDS;
use crate::settings::{REGISTER, Settings};

/// Values that are wrong for most settings, in one way or another.
const WRONG: &[&str] = &["true", "1", "\"\\n\"", "[[1]]", "1.5", "[\"\\n\"]"];

/// Words that make a sentence hard to read, or hide what acts in it.
const HARD: &[&str] = &["who", "whom", "whoever", "nobody", "told", "lies", "stands"];

fn written(key: &Key, value: &str) -> Result<Settings, Error> {
    of_file(&format!("{}{} = {value}\n", needed(key.name), key.name))
}

/// The same of a field of a secret.
fn declared(field: &Key, value: &str) -> Result<Settings, Error> {
    let source = match field.name {
        name if name.starts_with("from") => "",
        _ => "from = \"env:A\"\n",
    };
    of_file(&format!("[secrets.a]\n{source}{} = {value}\n", field.name))
}

fn of_file(text: &str) -> Result<Settings, Error> {
    read(&[file("/runtime.toml", text)], std::iter::empty(), &[])
}

/// Every row, each with what reads it.
fn rows() -> impl Iterator<Item = (&'static Key, Written)> {
    let keys = REGISTER.keys().map(|key| (key, written as Written));
    keys.chain(FIELDS.iter().map(|field| (field, declared as Written)))
}

type Written = fn(&Key, &str) -> Result<Settings, Error>;

#[test]
fn every_example_is_a_value_of_its_setting() {
    for (key, written) in rows() {
        if let Err(error) = written(key, key.example) {
            panic!("{} = {}: {}", key.name, key.example, error.report());
        }
    }
}

#[test]
fn every_default_value_is_what_holds_without_it() {
    let without = told(Settings::default());
    let mut values = 0;
    for key in REGISTER.keys() {
        let Unset::Value(default) = key.default else {
            continue;
        };
        values += 1;
        let variable = key.variable();
        let variables = [(variable.as_str(), Some(default))];
        let with = read(&[], variables.into_iter(), &[]);
        let with = told(with.unwrap_or_else(|error| panic!("{}", error.report())));
        assert_eq!(with, without, "${variable}={default}");
    }
    assert!(values > 30, "{values} defaults are values");
}

/// Against a change by accident: what users rely on stands here once more.
#[test]
fn defaults_are_these() {
    let all = REGISTER.keys().map(|key| (key.name, key.default));
    let all = all.chain(FIELDS.iter().map(|field| (field.name, field.default)));
    let lines = all.map(|(name, default)| match default {
        Unset::Value(value) => format!("{name} = {value}\n"),
        Unset::Text(text) => format!("{name}: {text}\n"),
    });
    expect![[r#"
        platform: detected
        role: detected
        log = info
        user: the user that the container was started as
        agent = auto
        config_dir: /opt/ml/input/data/lyftlearn on SageMaker, else /etc/lyftlearn/config
        job.name: the name that the platform gives; in a pod, the pod's
        commands.train: the executable `train` on PATH
        commands.serve: the executable `serve` on PATH
        commands.default: none: a start without arguments is an error
        commands.hyperparameters_as_args = false
        toolkit.variables = on
        toolkit.num_cpus = cgroup
        paths.base = /opt/ml
        paths.model: `model` below `paths.base`; /mnt/models on KServe
        lifecycle.grace_seconds: 30 on Kubernetes, 10 in other containers; fixed on SageMaker
        lifecycle.signal_scope = auto
        lifecycle.stop_on: SIGTERM; for processing jobs SIGTERM and SIGINT
        lifecycle.stop_signal = SIGTERM
        lifecycle.drain_seconds = 0
        lifecycle.orphan_seconds = 5
        lifecycle.resize_seconds: none: no deadline is known
        lifecycle.exit_remap = []
        credentials.mode: broker; native for static keys or a profile, unless another setting of credentials is set
        credentials.source = auto
        credentials.required = false
        credentials.startup_seconds = 15
        credentials.profile_files = []
        credentials.roles = []
        credentials.assume_role.arn: none
        credentials.assume_role.session_name: AWS_ROLE_SESSION_NAME, else the platform and the job
        credentials.assume_role.duration_seconds: 3600
        credentials.assume_role.external_id: none
        credentials.assume_role.source_identity: none: the original session's source identity is kept
        credentials.assume_role.tags = []
        hyperparameters.encoding = text
        job.podinfo_dir = /etc/podinfo
        environment.allow = []
        live.dirs: `live` in the config directory on SageMaker, else /etc/lyftlearn/live
        skew.guard = warn
        metrics.region_bytes = 1048576
        metrics.intercept = true
        metrics.statsd.mode = auto
        metrics.statsd.listen: 127.0.0.1:8125 and [::1]:8125; in a pod, a free port
        metrics.statsd.bytes = 16777216
        metrics.statsd.dialects = ["lyft", "librato", "signalfx"]
        metrics.statsd.signs = auto
        metrics.statsd.microseconds = []
        metrics.statsd.cumulative = []
        metrics.listen: 0.0.0.0:9102 if `metrics.routes` has `prometheus`, or is unset on Kubernetes; else off
        metrics.routes: depends on the platform and on the other settings of metrics
        metrics.labels = []
        metrics.gateway.host: STATSD_HOST
        metrics.gateway.port: STATSD_PORT if the host is STATSD_HOST, else 8125
        metrics.gateway.protocol: STATSD_PROTOCOL if the host is STATSD_HOST, else udp
        metrics.gateway.mode = relay
        metrics.gateway.tags = lyft
        metrics.gateway.seconds = 5
        metrics.emf.to: AWS_EMF_AGENT_ENDPOINT, else stdout
        metrics.emf.namespace = LyftLearn
        metrics.emf.dimensions = []
        metrics.otlp.endpoint: none; if `metrics.routes` has `otlp`, the value of OpenTelemetry's variables
        metrics.otlp.headers_variable: none; if OpenTelemetry's variables name the collector, their headers
        metrics.otlp.seconds = 60
        outcome.python_exceptions = on
        outcome.redact = []
        events.to = []
        events.lifecycle = auto
        events.source = lyftlearn.runtime
        events.heartbeat_seconds = 60
        events.lease_seconds = 300
        events.end_seconds = 3
        events.labels = []
        events.tags = []
        events.headers_variable: none
        secrets: none
        secrets.deadline = 10
        confidant.url: none
        confidant.auth_key: none
        confidant.from: none
        confidant.to: none
        confidant.user_type = service
        confidant.region: the region of the job
        spark.ports: none: Spark picks free ports
        spark.executors: none: the default route decides
        spark.address: the address from which this container reaches the executors
        spark.mode = auto
        topology.nodes: the platform's; 1 if the platform has none
        topology.master: the platform's; for an Indexed Job the pod with index 0
        topology.wait_seconds: 300 for a fixed rank above 0, else 0
        env: the secret's name in upper case, with `_` for other characters; none for a bundle
        env_prefix: CREDENTIALS_ for a bundle, else none
        file = false
        from: none
        from.kubernetes: what `from` says
        from.local: what `from` says
        from.sagemaker: what `from` says
        on_change: none
        override = false
        refresh = 600
        required = true
    "#]].assert_eq(&lines.collect::<String>());
}

#[test]
fn every_default_of_a_field_is_what_holds_without_it() {
    let secrets = |text: &str| of_file(text).unwrap_or_else(|error| panic!("{}", error.report()));
    let source = "[secrets.a]\nfrom = \"env:A\"\n";
    for field in FIELDS {
        let Unset::Value(default) = field.default else {
            continue;
        };
        let with = secrets(&format!("{source}{} = {default}\n", field.name));
        assert_eq!(with.secrets, secrets(source).secrets, "{}", field.name);
    }
}

#[test]
fn a_mistake_quotes_the_registers_expectation() {
    for (key, written) in rows() {
        let expected = format!("expected {}\n", key.expected());
        let said = WRONG.iter().any(|wrong| match written(key, wrong) {
            Ok(_) => false,
            Err(error) => error.report().ends_with(&expected),
        });
        assert!(said, "{} does not say: {expected}", key.name);
    }
}

#[test]
fn every_setting_is_described_in_short_and_plain_sentences() {
    for (key, _) in rows() {
        let sentences: Vec<&str> = key.doc.split_inclusive(". ").collect();
        assert!(
            (1..=3).contains(&sentences.len()) && key.doc.ends_with('.'),
            "{} has {} sentences",
            key.name,
            sentences.len()
        );
        for sentence in sentences {
            let count = sentence.split_whitespace().count();
            assert!((2..25).contains(&count), "{}: {count} words", key.name);
        }
        let texts = match key.default {
            Unset::Text(text) => [key.doc, text],
            Unset::Value(_) => [key.doc, ""],
        };
        for text in texts {
            let mut words = text.split(|letter: char| !letter.is_alphanumeric());
            let hard = words.find(|word| HARD.contains(word));
            assert_eq!(hard, None, "{}", key.name);
        }
    }
}
