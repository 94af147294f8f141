//! Every documented value of every setting, by a file and by a variable: one and the same.

use std::collections::BTreeMap;

use super::{file, read};
use crate::settings::{REGISTER, Settings, secrets};

const ROLE: &str = "arn:aws:iam::123456789012:role/ranking";

/// Values of a setting that is no choice of words, as the reference has them, in TOML. Without
/// any here it is read as its example has it.
fn documented(name: &str) -> &'static [&'static str] {
    match name {
        "user" => &[
            "1000",
            "\"1000\"",
            "\"1000:1000\"",
            "\"app\"",
            "\"app:app\"",
        ],
        "config_dir" | "paths.base" | "paths.model" | "job.podinfo_dir" => &["\"/opt/else where\""],
        "job.name" => &["\"ranking-7\"", "\"0123\"", "7", "\"a=b,[c]\""],
        "commands.train" | "commands.serve" | "commands.default" => {
            &["[\"python3\", \"-m\", \"train it\"]"]
        }
        "commands.hyperparameters_as_args" | "credentials.required" => {
            &["true", "false", "\"true\"", "\"false\""]
        }
        "lifecycle.grace_seconds"
        | "lifecycle.drain_seconds"
        | "lifecycle.orphan_seconds"
        | "lifecycle.resize_seconds"
        | "topology.wait_seconds"
        | "credentials.startup_seconds"
        | "secrets.deadline" => &["30", "\"30\"", "0"],
        "lifecycle.stop_on" => &["[\"SIGTERM\", \"QUIT\"]", "[\"15\"]"],
        "lifecycle.stop_signal" => &["\"SIGINT\"", "\"INT\"", "2", "\"2\"", "\"SIGRTMIN+3\""],
        "lifecycle.exit_remap" => &["[\"143:0\", \"3:1\"]", "[]"],
        "credentials.profile_files" => &["[\"/root/.aws/config\"]", "[]"],
        "credentials.roles" => &["[\"data=arn:aws:iam::123456789012:role/data\"]"],
        "credentials.assume_role.arn" => &["\"arn:aws:iam::123456789012:role/ranking\""],
        "credentials.assume_role.session_name" | "credentials.assume_role.source_identity" => {
            &["\"who@example.com\"", "\"a=b,c\""]
        }
        "credentials.assume_role.duration_seconds" => &["900", "\"3600\""],
        "credentials.assume_role.external_id" => &["\"x-1\"", "\"0123\""],
        "credentials.assume_role.tags" => &["[\"team=ranking\", \"empty=\"]"],
        "environment.allow" | "outcome.redact" => &["[\"AWS_ACCESS_KEY_ID\", \"X\"]", "[]"],
        "live.dirs" => &["[\"/etc/lyftlearn/live\"]", "[]"],
        "metrics.region_bytes" => &["0", "65536", "\"1073741824\""],
        "metrics.statsd.listen" => &["\"127.0.0.1:8125\"", "\"[::1]:8125\""],
        "metrics.statsd.bytes" => &["65536", "\"1073741824\""],
        "metrics.statsd.dialects" => &[
            "[\"lyft\", \"librato\", \"signalfx\", \"influxdb\", \"graphite\"]",
            "[]",
        ],
        "metrics.statsd.microseconds" | "metrics.statsd.cumulative" => &["[\"app.\"]", "[]"],
        "metrics.listen" => &["\"off\"", "\"0.0.0.0:9102\"", "\"[::]:0\""],
        "metrics.routes" => &[
            "[\"prometheus\", \"statsd\", \"sagemaker\", \"emf\", \"otlp\"]",
            "[]",
        ],
        "metrics.labels" => &[
            "[\"job\", \"role\", \"platform\", \"rank\", \"image\"]",
            "[]",
        ],
        "metrics.gateway.host" => &["\"statsd\"", "\"10.0.0.1\"", "\"::1\""],
        "metrics.gateway.port" => &["8125", "\"65535\"", "1"],
        "metrics.gateway.seconds" | "metrics.otlp.seconds" => &["1", "\"3600\""],
        "metrics.emf.to" => &[
            "\"stdout\"",
            "\"tcp://127.0.0.1:25888\"",
            "\"udp://agent:25888\"",
            "\"tcp://[::1]:25888/\"",
        ],
        "metrics.emf.namespace" => &["\"Team/App#1:x\""],
        "metrics.emf.dimensions" => &["[\"job\", \"split\"]", "[]"],
        "metrics.otlp.endpoint" => &[
            "\"http://collector:4318\"",
            "\"https://collector/v1\"",
            "\"http://[::1]:4318/\"",
        ],
        "metrics.otlp.headers_variable" => &["\"OTLP_HEADERS\""],
        "confidant.url" => &["\"https://confidant.example.com\""],
        "confidant.auth_key" => &["\"alias/authnz\""],
        "confidant.from" | "confidant.to" => &["\"ranking\""],
        "spark.ports" => &["\"7078-7109\"", "\"20000-20001\""],
        "spark.executors" => &["\"10.78.0.0/16\"", "\"10.78.1.2\"", "\"fd78::/64\""],
        "spark.address" => &[
            "\"10.77.1.2\"",
            "\"fd77::2\"",
            "\"[fd77::2]\"",
            "\"driver.example.com\"",
        ],
        "events.to" => &[
            "[\"eventbridge:ml\", \"file:/events\"]",
            "[\"sqs:https://sqs.eu-west-1.amazonaws.com/123456789012/jobs\"]",
            "[\"http://broker/ml\", \"https://sink?key=x\"]",
            "[]",
        ],
        "events.source" => &["\"ml.ranking\""],
        "events.heartbeat_seconds" => &["0", "1", "\"100\""],
        "events.lease_seconds" => &["180", "\"600\""],
        "events.end_seconds" => &["0", "\"30\""],
        "events.labels" => &["[\"team\"]", "[]"],
        "events.tags" => &["[\"platform_job=8812\", \"empty=\"]", "[]"],
        "events.headers_variable" => &["\"SINK_HEADERS\""],
        "confidant.region" => &["\"us-east-1\""],
        _ => &[],
    }
}

/// What a file has to set, too: some settings make sense together only.
pub(super) fn needed(name: &str) -> String {
    match name {
        "credentials.assume_role.arn" => String::new(),
        name if name.starts_with("credentials.assume_role.") => {
            format!("credentials.assume_role.arn = \"{ROLE}\"\n")
        }
        _ => String::new(),
    }
}

/// What a variable says where a file says `value`.
fn as_variable(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => serde_json::to_string(other).unwrap(),
    }
}

/// Without where each came from.
pub(super) fn told(settings: Settings) -> Settings {
    Settings {
        sources: BTreeMap::new(),
        layers: Vec::new(),
        ..settings
    }
}

#[track_caller]
fn check(name: &str, variable: &str, text: &str, values: &mut Vec<Settings>) {
    let beside = needed(name);
    let written = format!("{beside}{name} = {text}\n");
    let table: toml::Table = format!("value = {text}").parse().unwrap();
    let by_file = read(&[file("/runtime.toml", &written)], std::iter::empty(), &[]);
    let value = as_variable(&table["value"]);
    let by_variable = read(
        &[file("/runtime.toml", &beside)],
        [(variable, Some(value.as_str()))].into_iter(),
        &[],
    );
    let by_file =
        told(by_file.unwrap_or_else(|error| panic!("{name} = {text}: {}", error.report())));
    let by_variable =
        told(by_variable.unwrap_or_else(|error| panic!("${variable}={value}: {}", error.report())));
    assert_eq!(by_file, by_variable, "{name} = {text}");
    let none = read(&[file("/runtime.toml", &beside)], std::iter::empty(), &[]);
    values.push(by_file);
    values.push(told(none.unwrap()));
}

#[test]
fn every_documented_value_comes_through_each_door() {
    for key in REGISTER.keys().filter(|key| key.name != "secrets") {
        let words: Vec<String> = match key.words() {
            [] => match documented(key.name) {
                [] => vec![key.example.to_owned()],
                all => all.iter().map(|text| (*text).to_owned()).collect(),
            },
            words => words.iter().map(|word| format!("{word:?}")).collect(),
        };
        let mut values = Vec::new();
        for text in &words {
            check(key.name, &key.variable(), text, &mut values);
        }
        // At least one of them makes a difference: it was read.
        assert!(
            values.iter().any(|settings| *settings != values[1]),
            "{} is read from nowhere",
            key.name
        );
    }
}

#[test]
fn secrets_come_through_each_door() {
    let written = "[secrets.db]\nfrom = \"file:/etc/secrets/db\"\nenv_prefix = \"DB_\"\n\
                   required = false\n[secrets.key.from]\nkubernetes = \"env:KEY\"\n\
                   sagemaker = \"aws-secretsmanager:key\"\n";
    let value = r#"{"db": {"from": "file:/etc/secrets/db", "env_prefix": "DB_", "required": false},
        "key": {"from": {"kubernetes": "env:KEY", "sagemaker": "aws-secretsmanager:key"}}}"#;
    let by_file = read(&[file("/runtime.toml", written)], std::iter::empty(), &[]);
    let variable = [("LYFTLEARN_RUNTIME_SECRETS", Some(value))];
    let by_variable = read(&[], variable.into_iter(), &[]).unwrap();
    let names = |secrets: &[secrets::Declared]| format!("{secrets:?}");
    assert_eq!(
        names(&by_file.unwrap().secrets),
        names(&by_variable.secrets)
    );
    assert_eq!(by_variable.secrets.len(), 2);
}
