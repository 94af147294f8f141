//! The declared secrets: each can be had. None is shown.

use std::time::Instant;

use super::{Finding, Patient, Verdict};
use crate::launch::secrets::looked_for;

pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    if patient.resolved.settings.secrets.is_empty() {
        return vec![Finding::new(
            "secrets",
            Verdict::Skipped,
            "no secrets are declared",
        )];
    }
    let since = Instant::now();
    looked_for(&patient.facts, &patient.resolved)
        .into_iter()
        .map(|(secret, found)| {
            let (verdict, detail) = match (found, secret.required) {
                (Ok(_), _) => (Verdict::Ok, "can be had".to_owned()),
                (Err(why), true) => (Verdict::Failed, why.to_string()),
                (Err(why), false) => (Verdict::Note, format!("optional: {why}")),
            };
            let finding = Finding::new("secrets", verdict, detail)
                .of(secret.name.as_str())
                .took(since);
            if verdict == Verdict::Failed {
                finding.fix("check its name and the permissions of this identity; required = false starts without it")
            } else {
                finding
            }
        })
        .collect()
}
