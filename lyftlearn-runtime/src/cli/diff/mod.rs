//! `diff`: what differs between two snapshots, and whether anybody said that it may.

#[cfg(test)]
mod fuzz;
mod page;

use super::output;
use super::usage::{self, Given};
use crate::contract::runtime;
use crate::error::Error;
use crate::facts::Facts;
use crate::launch::snapshot::{Difference, Kind, compare, declared, read};
use crate::visible::visible_line;
use page::Side;

#[derive(Clone, Copy)]
enum Format {
    Text,
    Json,
    Html,
}

pub(super) fn diff(given: &Given) -> Result<u8, Error> {
    let format = match given.choice("--format") {
        Some("json") => Format::Json,
        Some("html") => Format::Html,
        _ => Format::Text,
    };
    let patterns = given.file("--declared");
    let patterns = patterns.unwrap_or_else(|| runtime::DECLARED_DIFFERENCES.into());
    let (a, b) = (given.word(0)?, given.word(1)?);
    let facts = Facts::capture(Vec::new());
    let patterns = declared(&facts, &patterns)?;
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    let snapshots = [
        read(&facts, &usage::absolute(a))?,
        read(&facts, &usage::absolute(b))?,
    ];
    let differences = compare(&snapshots[0], &snapshots[1], &patterns);
    let shown = match format {
        Format::Text => text(&differences),
        Format::Json => format!(
            "{}\n",
            serde_json::to_string_pretty(&differences).expect("texts have no failure to report")
        ),
        Format::Html => {
            let sides = [
                Side::new(&a.to_string_lossy(), &snapshots[0]),
                Side::new(&b.to_string_lossy(), &snapshots[1]),
            ];
            page::page(&sides, &differences)
        }
    };
    output::data(shown.as_bytes())?;
    let undeclared = differences.iter().any(|one| one.kind == Kind::Undeclared);
    Ok(u8::from(undeclared))
}

fn text(differences: &[Difference]) -> String {
    let mut text = String::new();
    for (kind, title) in Kind::ALL {
        let group: Vec<&Difference> = differences.iter().filter(|one| one.kind == kind).collect();
        text.push_str(&format!("{title}: {}\n", group.len()));
        for one in group {
            // Names of a snapshot may have line ends in them.
            let line = format!("{}: {} -> {}", one.path, one.a, one.b);
            text.push_str(&format!("  {}\n", visible_line(&line)));
        }
    }
    text
}
