//! `inspect`: the facts, their meaning, and the problems.

use serde::Serialize;
use serde_json::Value;

use super::output;
use super::page::{Ink, Page};
use super::usage::Given;
use crate::account;
use crate::error::Error;
use crate::facts::Facts;
use crate::launch::credentials;
use crate::launch::environment::{Gathered, no_room};
use crate::launch::listeners::{Listener, listeners};
use crate::platform::Evidence;
use crate::resolve::{Resolved, resolve};
use crate::workload::{CredentialMode, Spark, Workload};

/// The workload's own fields first, as the contract names them.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    workload: &'a Workload,
    evidence: &'a [Evidence],
    /// The listeners that this runtime has, or would have.
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
        let mut page = Page::for_stdout();
        show(&mut page, &resolved, &value, &listeners);
        output::data(page.into_text().as_bytes())?;
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

/// Parts of the model, the most requested first.
const PARTS: &[&str] = &[
    "job",
    "topology",
    "resources",
    "hyperparameters",
    "channels",
    "paths",
    "lifecycle",
    "credentials",
    "secrets",
    "metrics",
    "events",
];

/// The same, for people: the platform and why, the workload part by part, and the problems last,
/// where a terminal shows them; their number is in the first lines.
fn show(page: &mut Page, resolved: &Resolved, value: &Value, listeners: &[Listener]) {
    let workload = &resolved.workload;
    let head = format!(
        "{} ({}), {}",
        workload.platform.as_str(),
        workload.flavor.as_str(),
        workload.role.as_str()
    );
    page.line(0, Ink::Name, &head);
    let problems = resolved.problems.len();
    let counted = match problems {
        0 => None,
        1 => Some("1 problem, at the end".to_owned()),
        _ => Some(format!("{problems} problems, at the end")),
    };
    if let Some(counted) = counted {
        page.line(2, Ink::Bad, &counted);
    }
    for evidence in &resolved.evidence {
        page.line(
            2,
            Ink::Plain,
            &format!("{}: {}", evidence.found, evidence.means),
        );
    }
    for part in PARTS {
        let mut rows = Vec::new();
        fields(&mut rows, part, &value[part]);
        section(page, &rows);
    }
    let rows: Vec<(String, String)> = listeners
        .iter()
        .map(|listener| {
            let (name, rest) = listener.words();
            (format!("listeners.{name}"), rest)
        })
        .collect();
    section(page, &rows);
    section(
        page,
        &[("spark".to_owned(), spark(workload.spark.as_ref()))],
    );
    // As it should be, and no problem; but it may surprise.
    if let Some(note) = credentials::without(resolved) {
        page.gap();
        page.line(0, Ink::Odd, "note");
        page.line(2, Ink::Plain, note);
    }
    if problems > 0 {
        page.gap();
        page.line(0, Ink::Bad, "problems");
        for problem in &resolved.problems {
            page.line(2, Ink::Plain, problem);
        }
    }
}

/// As wide as most names are.
const NAME_WIDTH: usize = 27;

fn section(page: &mut Page, rows: &[(String, String)]) {
    if !rows.is_empty() {
        page.gap();
    }
    for (name, text) in rows {
        page.row(0, &[(Ink::Name, name, NAME_WIDTH)], Ink::Plain, text);
    }
}

/// Where executors find a driver of this container.
fn spark(spark: Option<&Spark>) -> String {
    let Some(spark) = spark else {
        return "nothing is delivered: spark.mode is off".to_owned();
    };
    let Some(address) = &spark.address else {
        return format!("no address for a driver: {}", spark.why);
    };
    let ports = match (spark.driver_ports, spark.block_ports) {
        (Some(driver), Some(blocks)) => format!("RPC {driver}, blocks {blocks}"),
        _ => "any free ports".to_owned(),
    };
    format!("a driver here is {address} ({}), {ports}", spark.why)
}

/// The fields of a part by their dotted names, with units. Absent ones have no line.
fn fields(rows: &mut Vec<(String, String)>, name: &str, value: &Value) {
    let text = match value {
        Value::Object(below) => {
            for (field, value) in below {
                fields(rows, &format!("{name}.{field}"), value);
            }
            return;
        }
        Value::Null => return,
        Value::String(text) => text.clone(),
        Value::Array(entries) if entries.is_empty() => "none".to_owned(),
        Value::Array(entries) if entries.iter().all(Value::is_string) => {
            let texts: Vec<&str> = entries.iter().filter_map(Value::as_str).collect();
            texts.join(", ")
        }
        Value::Number(number) if name.ends_with("_seconds") => format!("{number} s"),
        Value::Number(number) if name.ends_with("_bytes") => match number.as_u64() {
            Some(bytes) => size(bytes),
            None => number.to_string(),
        },
        other => other.to_string(),
    };
    rows.push((name.to_owned(), text));
}

/// `1.5 GiB (1610612736 bytes)`.
fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let power = bytes.checked_ilog2().unwrap_or_default() / 10;
    let Some(unit) = power.checked_sub(1).and_then(|at| units.get(at as usize)) else {
        return format!("{bytes} bytes");
    };
    let tenths = u128::from(bytes) * 10 / (1 << (10 * power));
    format!("{}.{} {unit} ({bytes} bytes)", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{fields, size};

    #[test]
    fn sizes_have_the_unit_that_people_read() {
        assert_eq!(size(0), "0 bytes");
        assert_eq!(size(1023), "1023 bytes");
        assert_eq!(size(1024), "1.0 KiB (1024 bytes)");
        assert_eq!(size(3 << 29), "1.5 GiB (1610612736 bytes)");
        assert_eq!(size(u64::MAX), "15.9 EiB (18446744073709551615 bytes)");
    }

    #[test]
    fn fields_have_their_dotted_names_and_units() {
        let mut rows = Vec::new();
        let value = json!({
            "hosts": ["a", "b"], "groups": [], "none": null, "on": true,
            "grace_seconds": 25, "memory_bytes": 2048, "channels": {"train": {"mode": "File"}},
        });
        fields(&mut rows, "job", &value);
        let shown: Vec<String> = rows
            .iter()
            .map(|(name, text)| format!("{name}={text}"))
            .collect();
        assert_eq!(
            shown,
            [
                "job.channels.train.mode=File",
                "job.grace_seconds=25 s",
                "job.groups=none",
                "job.hosts=a, b",
                "job.memory_bytes=2.0 KiB (2048 bytes)",
                "job.on=true",
            ]
        );
    }
}
