//! The register of meanings: what each message means, and the remedy of those without a hint.

/// One message of the register.
pub(super) struct Meaning {
    /// `…` stands for any text.
    pub(super) text: &'static str,
    pub(super) means: &'static str,
    /// For messages without a hint of their own.
    pub(super) remedy: Option<&'static str>,
}

impl Meaning {
    fn matches(&self, message: &str) -> bool {
        let mut parts = self.text.split('…');
        let Some(mut rest) = message.strip_prefix(parts.next().unwrap_or_default()) else {
            return false;
        };
        let parts: Vec<&str> = parts.collect();
        let Some((last, between)) = parts.split_last() else {
            return rest.is_empty();
        };
        for part in between {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }

    /// The characters that are not `…`: of two matches the longer one is meant.
    fn length(&self) -> usize {
        self.text.replace('…', "").len()
    }
}

/// All of them, in the order of the file.
pub(super) fn meanings() -> Vec<Meaning> {
    let mut found: Vec<Meaning> = Vec::new();
    for line in include_str!("meanings.txt").lines() {
        if let Some(text) = line.strip_prefix("= ") {
            found.push(Meaning {
                text,
                means: "",
                remedy: None,
            });
        } else if let Some(last) = found.last_mut() {
            match line.strip_prefix("> ") {
                Some(remedy) => last.remedy = Some(remedy),
                None if last.means.is_empty() => last.means = line,
                None => assert!(line.is_empty(), "a second meaning of {}: {line}", last.text),
            }
        }
    }
    found
}

/// The index of the meaning that fits a message best.
pub(super) fn meaning_of(all: &[Meaning], message: &str) -> Option<usize> {
    let matching = (0..all.len()).filter(|at| all[*at].matches(message));
    matching.max_by_key(|at| all[*at].length())
}
