//! Directories: there, and writable where a program writes.

use std::path::Path;

use super::{Finding, Patient, Verdict};

pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    let paths = &patient.resolved.workload.paths;
    let written = [
        ("model", &paths.model),
        ("output", &paths.output),
        ("checkpoints", &paths.checkpoints),
        ("tmp", &paths.tmp),
    ];
    let mut findings: Vec<Finding> = written
        .into_iter()
        .filter_map(|(name, path)| Some(writable(patient, name, path.as_deref()?)))
        .collect();
    for (name, channel) in &patient.resolved.workload.channels {
        findings.push(readable(patient, name, &channel.path));
    }
    findings
}

fn writable(patient: &Patient, name: &str, path: &Path) -> Finding {
    let facts = &patient.facts;
    let shown = path.display().to_string();
    if !facts.exists(path) {
        // It is made at the start, where that can be done.
        return Finding::new(
            "paths",
            Verdict::Note,
            format!("{shown} does not exist yet"),
        )
        .of(name);
    }
    if facts.may_write(path) {
        return Finding::new("paths", Verdict::Ok, shown).of(name);
    }
    let verdict = match patient.resolved.workload.role {
        crate::workload::Role::Serving if name == "model" => Verdict::Ok,
        _ => Verdict::Failed,
    };
    let finding = Finding::new("paths", verdict, format!("{shown} cannot be written")).of(name);
    if verdict == Verdict::Failed {
        finding.fix("mount it writable for this user, or move it with paths.base or paths.model")
    } else {
        finding
    }
}

fn readable(patient: &Patient, name: &str, path: &Path) -> Finding {
    let of = format!("channel {name}");
    let shown = path.display().to_string();
    let pipe = path.with_file_name(format!(
        "{}_0",
        path.file_name().unwrap_or_default().to_string_lossy()
    ));
    if patient.facts.may_read(path) || patient.facts.exists(pipe) {
        return Finding::new("paths", Verdict::Ok, shown).of(of);
    }
    Finding::new("paths", Verdict::Failed, format!("{shown} cannot be read"))
        .of(of)
        .fix("mount the data there, readable for this user")
}
