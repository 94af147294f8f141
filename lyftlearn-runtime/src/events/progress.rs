//! How far the program is: a state, not a message. One small file, of which the latest counts.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::contract::events::PROGRESS_FILE;
use crate::contract::limits;
use crate::facts::Facts;
use crate::workload::events::Progress;

/// More is not written. The agent takes secrets out of a message before it cuts it shorter; by the
/// mark of this cut it knows that a part of a secret may be before it.
const WRITTEN_CHARACTERS: usize = 4_096;

/// Reports the program's progress: `fraction` is from 0 to 1, `message` is for people.
///
/// It writes one small file in the run directory, starts no thread and does not block. The runtime
/// sends the last value, at most every 10 seconds, if the setting `events.to` names a destination.
/// It sends the first 256 characters of the message, without the values of secrets; of a longer
/// message, the last of them is `…`. A fraction outside of 0 to 1 counts as the nearer end. Nothing happens if the runtime did not start this
/// program, if the file cannot be written, or if the fraction is not a number.
///
/// ```
/// use lyftlearn_runtime::events;
///
/// for epoch in 1..=10 {
///     events::progress(f64::from(epoch) / 10.0, &format!("epoch {epoch} of 10"));
/// }
/// ```
pub fn progress(fraction: f64, message: &str) {
    let facts = Facts::capture(Vec::new());
    if let Some(run) = facts.run_dir() {
        // Whether a model trains must not hang on it.
        let _ = write(&run, fraction, message);
    }
}

/// The beginning of a text, in at most so many characters, with a mark where it was cut.
pub(crate) fn beginning(text: &str, characters: usize) -> String {
    if text.chars().nth(characters).is_none() {
        return text.to_owned();
    }
    let kept = text.chars().take(characters.saturating_sub(1));
    kept.chain([limits::LEFT_OUT]).collect()
}

fn write(run: &Path, fraction: f64, message: &str) -> io::Result<()> {
    if fraction.is_nan() {
        return Ok(());
    }
    let progress = Progress {
        fraction: fraction.clamp(0.0, 1.0),
        message: beginning(message, WRITTEN_CHARACTERS),
    };
    let text = serde_json::to_vec(&progress)?;
    // A name for each writer: threads and processes may write at the same time.
    let mut draft = tempfile::Builder::new()
        .prefix(OsStr::new(".progress"))
        .tempfile_in(run)?;
    draft.as_file_mut().write_all(&text)?;
    let _: File = draft.persist(run.join(PROGRESS_FILE))?;
    Ok(())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "what was written is read back")]
mod tests {
    use super::write;

    #[track_caller]
    fn check(said: &[(f64, &str)], expected: &str) {
        let run = tempfile::tempdir().unwrap();
        for (fraction, message) in said {
            write(run.path(), *fraction, message).unwrap();
        }
        let names = std::fs::read_dir(run.path()).unwrap();
        let names: Vec<_> = names.map(|name| name.unwrap().file_name()).collect();
        assert_eq!(names, ["progress.json"]);
        let written = std::fs::read_to_string(run.path().join("progress.json")).unwrap();
        assert_eq!(written, expected);
    }

    #[test]
    fn the_latest_counts() {
        check(
            &[(0.1, "epoch 1"), (0.2, "epoch 2")],
            r#"{"fraction":0.2,"message":"epoch 2"}"#,
        );
    }

    #[test]
    fn a_fraction_is_within_its_bounds() {
        check(&[(1.000_000_1, "")], r#"{"fraction":1.0,"message":""}"#);
        check(&[(-1.0, "")], r#"{"fraction":0.0,"message":""}"#);
        check(&[(f64::INFINITY, "")], r#"{"fraction":1.0,"message":""}"#);
        check(
            &[(0.5, "half"), (f64::NAN, "lost")],
            r#"{"fraction":0.5,"message":"half"}"#,
        );
    }

    #[test]
    fn a_message_without_end_is_cut() {
        let long = "\u{1f525}".repeat(5_000);
        let cut = "\u{1f525}".repeat(4_095) + "\u{2026}";
        check(
            &[(0.5, &long)],
            &format!(r#"{{"fraction":0.5,"message":"{cut}"}}"#),
        );
        let fits = "\u{1f525}".repeat(4_096);
        check(
            &[(0.5, &fits)],
            &format!(r#"{{"fraction":0.5,"message":"{fits}"}}"#),
        );
    }
}
