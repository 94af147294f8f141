//! Where in a team's own files a finding of the image belongs: the Dockerfile, or `image.toml`.

use crate::check::{CHECKS, Finding, Need};

/// A file that was given on the command line.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path, relative to where the checker was started if it is below.
    pub path: String,
    /// Its lines, where it is a Dockerfile.
    pub dockerfile: Option<String>,
}

impl Source {
    /// The line that a finding belongs to: the last instruction that decides what the check looks at.
    #[must_use]
    pub fn line(&self, check: &str) -> usize {
        let Some(text) = &self.dockerfile else {
            return 1;
        };
        let wanted = instruction(check);
        let mut found = None;
        let mut from = 1;
        let mut continued = false;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let word = line.split_whitespace().next().unwrap_or_default();
            if !continued && word.eq_ignore_ascii_case("FROM") {
                // An earlier stage is another image.
                (from, found) = (number + 1, None);
            } else if !continued && word.eq_ignore_ascii_case(wanted) {
                found = Some(number + 1);
            }
            continued = line.ends_with('\\');
        }
        found.unwrap_or(from)
    }
}

fn instruction(check: &str) -> &'static str {
    match check {
        "image.entrypoint" => "ENTRYPOINT",
        "image.cmd" => "CMD",
        "image.stopsignal" => "STOPSIGNAL",
        "image.user" => "USER",
        "image.volume" => "VOLUME",
        "image.healthcheck" => "HEALTHCHECK",
        "image.env" => "ENV",
        "image.commands" | "image.settings" | "image.unreadable" | "image.secrets" => "COPY",
        "image.python.compiled" | "layers.caches" | "layers.waste" => "RUN",
        "layers.order" => "COPY",
        _ => "FROM",
    }
}

/// Whether a finding is of the image alone, without a start.
#[must_use]
pub fn is_static(finding: &Finding) -> bool {
    let check = CHECKS.iter().find(|check| check.id == finding.check);
    check.is_some_and(|check| !check.needs.contains(&Need::Engine))
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn the_last_instruction_of_the_last_stage_is_meant() {
        let text = "FROM a AS build\nUSER build\n\nFROM b\nuser one\n# USER\nRUN x \\\n  USER y\nUSER two\n";
        let source = Source {
            path: String::new(),
            dockerfile: Some(text.to_owned()),
        };
        assert_eq!(source.line("image.user"), 9);
        assert_eq!(source.line("image.cmd"), 4);
        let toml = Source {
            dockerfile: None,
            ..source
        };
        assert_eq!(toml.line("image.user"), 1);
    }
}
