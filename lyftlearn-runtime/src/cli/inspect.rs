//! `inspect`: what was found, what it means, what is odd.

use serde::Serialize;

use super::output;
use super::usage::Given;
use crate::error::Error;
use crate::facts::Facts;
use crate::launch::environment::{Gathered, no_room};
use crate::launch::listeners::{Listener, listeners};
use crate::launch::{account, credentials};
use crate::platform::Evidence;
use crate::resolve::{Resolved, resolve};
use crate::visible::visible_line;
use crate::workload::{CredentialMode, Spark, Workload};

/// The workload's own fields first, as the contract names them.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    workload: &'a Workload,
    evidence: &'a [Evidence],
    /// Who is heard where this runtime is, or would be.
    listeners: &'a [Listener],
    problems: &'a [String],
}

pub(super) fn inspect(given: &Given) -> Result<u8, Error> {
    let facts = given.facts();
    let mut resolved = resolve(&facts)?;
    let room = no_room_for(&facts, &resolved)?;
    resolved.problems.extend(room);
    let account = account::account(&facts, resolved.settings.user.as_deref());
    let lost = credentials::lost_profiles(&facts, account.ok().flatten().as_ref());
    let served = resolved.workload.credentials.mode == CredentialMode::Broker;
    let about = credentials::about_lost_profiles(&lost, served);
    resolved.problems.extend(about);
    let listeners = listeners(&facts, &resolved);
    let report = Report {
        workload: &resolved.workload,
        evidence: &resolved.evidence,
        listeners: &listeners,
        problems: &resolved.problems,
    };
    let value = serde_json::to_value(&report).expect("the model has no failure to report");
    if given.has("--json") {
        output::data(format!("{value:#}\n").as_bytes())?;
    } else {
        output::page(&text(&resolved, &value, &listeners))?;
    }
    Ok(0)
}

/// What a start of this program would do without; `None` too where it would be refused.
fn no_room_for(facts: &Facts, resolved: &Resolved) -> Result<Option<String>, Error> {
    let gathered = Gathered::planned(facts, resolved)?;
    let environment = gathered.environment(facts, facts.argv(), None);
    Ok(environment
        .ok()
        .and_then(|environment| no_room(&environment.left_out)))
}

/// The same, for people: evidence first, then a line a field, then problems.
fn text(resolved: &Resolved, value: &serde_json::Value, listeners: &[Listener]) -> String {
    let mut text = String::new();
    let workload = &resolved.workload;
    text.push_str(&format!(
        "{} ({}), {}\n",
        workload.platform.as_str(),
        workload.flavor.as_str(),
        workload.role.as_str()
    ));
    for evidence in &resolved.evidence {
        text.push_str(&format!("  {}: {}\n", evidence.found, evidence.means));
    }
    text.push('\n');
    for part in [
        "job",
        "paths",
        "channels",
        "hyperparameters",
        "topology",
        "resources",
        "lifecycle",
        "credentials",
        "metrics",
        "secrets",
        "events",
    ] {
        lines(&mut text, part, &value[part]);
    }
    for listener in listeners {
        let (name, rest) = listener.words();
        text.push_str(&format!("{:<28} {rest}\n", format!("listeners.{name}")));
    }
    text.push_str(&format!("{}\n", spark(workload.spark.as_ref())));
    // As it should be, and no problem; but it may surprise.
    if let Some(note) = credentials::without(resolved) {
        text.push_str(&format!("\nnote\n  {note}\n"));
    }
    if !resolved.problems.is_empty() {
        text.push_str("\nproblems\n");
        for problem in &resolved.problems {
            text.push_str(&format!("  {}\n", visible_line(problem)));
        }
    }
    text
}

/// Where executors find a driver of this container.
fn spark(spark: Option<&Spark>) -> String {
    let Some(spark) = spark else {
        return "spark: nothing is delivered: spark.mode is off".to_owned();
    };
    let Some(address) = &spark.address else {
        return format!("spark: no address for a driver: {}", spark.why);
    };
    let ports = match (spark.driver_ports, spark.block_ports) {
        (Some(driver), Some(blocks)) => format!("RPC {driver}, blocks {blocks}"),
        _ => "any free ports".to_owned(),
    };
    format!("spark: a driver here is {address} ({}), {ports}", spark.why)
}

fn lines(text: &mut String, name: &str, value: &serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            for (field, value) in fields {
                lines(text, &format!("{name}.{field}"), value);
            }
        }
        serde_json::Value::Null => {}
        serde_json::Value::String(value) => {
            text.push_str(&format!("{name:<28} {}\n", visible_line(value)));
        }
        other => text.push_str(&format!("{name:<28} {other}\n")),
    }
}
