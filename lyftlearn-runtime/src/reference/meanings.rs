//! The register of meanings: what each message means, and the remedy of those without a hint.

/// One message of the register.
pub(super) struct Meaning {
    /// `…` stands for any text.
    pub(super) text: &'static str,
    pub(super) means: &'static str,
    /// For messages without a hint of their own.
    pub(super) remedy: Option<&'static str>,
    /// A whole line as a user sees it.
    pub(super) example: Option<&'static str>,
}

/// Whether a message has the form of a text with `…`.
pub(super) fn matches(text: &str, message: &str) -> bool {
    let mut parts = text.split('…');
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

/// The bytes that are not `…`: of two matches the longer one is meant.
pub(super) fn length(text: &str) -> usize {
    text.replace('…', "").len()
}

/// All meanings of a register, in its order.
pub(super) fn meanings(register: &'static str) -> Vec<Meaning> {
    let mut found: Vec<Meaning> = Vec::new();
    for line in register.lines() {
        if let Some(text) = line.strip_prefix("= ") {
            found.push(Meaning {
                text,
                means: "",
                remedy: None,
                example: None,
            });
        } else if let Some(last) = found.last_mut() {
            if let Some(remedy) = line.strip_prefix("> ") {
                last.remedy = Some(remedy);
            } else if let Some(example) = line.strip_prefix("~ ") {
                let part = format!("…{}…", last.text);
                assert!(
                    matches(&part, example),
                    "no example of {}: {example}",
                    last.text
                );
                last.example = Some(example);
            } else if last.means.is_empty() {
                last.means = line;
            } else {
                assert!(line.is_empty(), "a second meaning of {}: {line}", last.text);
            }
        }
    }
    found
}

/// The index of the meaning that fits a message best.
pub(super) fn meaning_of(all: &[Meaning], message: &str) -> Option<usize> {
    let matching = (0..all.len()).filter(|at| matches(all[*at].text, message));
    matching.max_by_key(|at| length(all[*at].text))
}
