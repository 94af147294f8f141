//! SARIF 2.1.0, for code scanning: findings of the image alone, located in a file of the team's.

use serde::Serialize;

use super::source::{Source, is_static};
use super::{Report, visible};
use crate::check::{CHECKS, Check, Level, Verdict};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

#[derive(Serialize)]
struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Serialize)]
struct Run {
    tool: Tool,
    results: Vec<Outcome>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
struct Driver {
    name: &'static str,
    version: String,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    short_description: Text,
    full_description: Text,
    help: Text,
    default_configuration: Configuration,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    rule_id: String,
    rule_index: usize,
    level: &'static str,
    message: Text,
    locations: [Location; 1],
    partial_fingerprints: Fingerprint,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressions: Vec<Suppression>,
}

/// What tells one alert from another: lines move, the check stays.
#[derive(Serialize)]
struct Fingerprint {
    #[serde(rename = "check/v1")]
    check: String,
}

#[derive(Serialize)]
struct Suppression {
    kind: &'static str,
    justification: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Physical,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
}

fn uri(path: &str) -> String {
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    path.bytes().fold(scheme.to_owned(), |uri, byte| {
        let plain = byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
        if plain {
            uri + &char::from(byte).to_string()
        } else {
            uri + &format!("%{byte:02X}")
        }
    })
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Must => "error",
        Level::Should => "warning",
        Level::Info => "note",
    }
}

fn text(text: &str) -> Text {
    Text {
        text: visible(text),
    }
}

fn rule(check: &Check) -> Rule {
    Rule {
        id: check.id,
        short_description: text(check.passes),
        full_description: text(check.why),
        help: text(check.mend),
        default_configuration: Configuration {
            level: level(check.level),
        },
    }
}

/// The whole document.
///
/// # Errors
///
/// When it cannot be written.
pub fn whole(report: &Report, source: &Source) -> Result<String, String> {
    let mut rules: Vec<Rule> = Vec::new();
    let mut results = Vec::new();
    for finding in report.findings.iter().filter(|finding| is_static(finding)) {
        let (message, suppressions) = match &finding.verdict {
            Verdict::Failed {
                seen,
                expected,
                mend,
            } => (
                format!("{seen}\nexpected: {expected}\nto do: {mend}"),
                Vec::new(),
            ),
            Verdict::Waived { seen, reason } => (
                seen.clone(),
                vec![Suppression {
                    kind: "external",
                    justification: visible(reason),
                }],
            ),
            _ => continue,
        };
        let Some(check) = CHECKS.iter().find(|check| check.id == finding.check) else {
            continue;
        };
        let rule_index = rules
            .iter()
            .position(|rule| rule.id == check.id)
            .unwrap_or_else(|| {
                rules.push(rule(check));
                rules.len() - 1
            });
        results.push(Outcome {
            rule_id: finding.check.clone(),
            rule_index,
            level: level(finding.level),
            message: text(&message),
            locations: [Location {
                physical_location: Physical {
                    artifact_location: Artifact {
                        uri: uri(&source.path),
                    },
                    region: Region {
                        start_line: source.line(&finding.check),
                    },
                },
            }],
            partial_fingerprints: Fingerprint {
                check: finding.check.clone(),
            },
            suppressions,
        });
    }
    let log = Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "lyftlearn-conformance",
                    version: report.checker.clone(),
                    rules,
                },
            },
            results,
        }],
    };
    serde_json::to_string_pretty(&log).map_err(|err| err.to_string())
}
