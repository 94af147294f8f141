//! The agent's few words, as `key=value` on stderr: warnings only, never a secret.

use std::fmt::Write as _;

/// Whether the log is enabled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log {
    pub(super) quiet: bool,
}

impl Log {
    /// One line. Values are our own sentences, names and numbers.
    pub(super) fn warn(self, event: &str, fields: &[(&str, &str)]) {
        if self.quiet {
            return;
        }
        let mut line = format!("lyftlearn-runtime: level=warn event={event}");
        for (name, value) in fields {
            let plain = value
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'=');
            let _ = if plain && !value.is_empty() {
                write!(line, " {name}={value}")
            } else {
                write!(line, " {name}={value:?}")
            };
        }
        line.push('\n');
        crate::stderr::say(&line);
    }
}
