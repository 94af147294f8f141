//! What PID 1 has done, as it tells: signals that it passed on, and how the program ended.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::time::Duration;

use crate::contract::ledger::{
    AT, BY, ENDED, EXITED, KILLED, NOT_STARTED, PROGRAM, SIGNALLED, SIGNALS, STARTED, STARTS, STOP,
    STOPPED, WORDS,
};
use crate::outcome::{End, How, Stopped};
use crate::signal;

/// Without one nothing is known.
#[derive(Clone, Debug)]
pub(super) struct Ledger(Option<Rc<File>>);

impl Ledger {
    pub(super) fn new(file: Option<File>) -> Self {
        Self(file.map(Rc::new))
    }

    /// Signals by name, and how often each was passed on.
    pub(super) fn signals(&self) -> Vec<(String, u64)> {
        let Some(words) = self.words() else {
            return Vec::new();
        };
        let counts = (0..).zip(&words[..SIGNALS]);
        counts
            .filter(|(_, count)| **count > 0)
            .map(|(number, count)| (signal::name(number), *count))
            .collect()
    }

    /// How often the agent was started.
    pub(super) fn starts(&self) -> Option<u64> {
        Some(self.words()?[STARTS])
    }

    /// When the program was started, and when a stop was asked for, on the monotonic clock.
    pub(super) fn started_and_stopped(&self) -> (Option<Duration>, Option<Duration>) {
        let words = self.words().unwrap_or([0; WORDS]);
        let time = |at: usize| (words[at] > 0).then(|| Duration::from_millis(words[at]));
        (time(STARTED), time(STOPPED))
    }

    /// How the program ended, as far as PID 1 has seen it; `None` while it runs.
    pub(super) fn end(&self) -> Option<End> {
        let words = self.words()?;
        let number = |at: usize| i32::try_from(words[at]).ok();
        let (by, program) = (number(BY)?, number(PROGRAM));
        let killed = words[KILLED] != 0;
        let how = match words[ENDED] {
            EXITED => How::Exited { code: by, program },
            NOT_STARTED => How::default(),
            SIGNALLED => How::Signalled {
                signal: by,
                program,
            },
            _ if killed => How::Unkillable,
            _ => return None,
        };
        let stop = number(STOP).filter(|signal| *signal != 0);
        Some(End {
            how,
            killed,
            ended: Some(Duration::from_millis(words[AT]).as_secs_f64()),
            stop: stop.map(|signal| Stopped {
                signal,
                seconds: None,
            }),
            ..End::default()
        })
    }

    fn words(&self) -> Option<[u64; WORDS]> {
        let mut bytes = [0; WORDS * 8];
        self.0.as_ref()?.read_exact_at(&mut bytes, 0).ok()?;
        let mut words = [0; WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Some(words)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[track_caller]
    fn check(recorded: &[(usize, u64)], expected: Option<(How, bool, Option<i32>)>) {
        let file = tempfile::tempfile().unwrap();
        file.set_len(WORDS as u64 * 8).unwrap();
        for (at, word) in recorded {
            let at = *at as u64 * 8;
            file.write_all_at(&word.to_le_bytes(), at).unwrap();
        }
        let end = Ledger::new(Some(file)).end();
        let found = end.map(|end| (end.how, end.killed, end.stop.map(|stop| stop.signal)));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_recorded_end_is_read_back() {
        let program = Some(7);
        let signalled = How::Signalled { signal: 9, program };
        let exited = How::Exited { code: 3, program };
        check(&[], None);
        check(&[(PROGRAM, 7), (BY, 3)], None);
        check(
            &[(PROGRAM, 7), (BY, 3), (ENDED, EXITED)],
            Some((exited, false, None)),
        );
        check(
            &[
                (STOP, 15),
                (KILLED, 1),
                (PROGRAM, 7),
                (BY, 9),
                (AT, 1_500),
                (ENDED, SIGNALLED),
            ],
            Some((signalled, true, Some(15))),
        );
        check(&[(KILLED, 1)], Some((How::Unkillable, true, None)));
    }

    #[test]
    fn starts_are_recorded() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(WORDS as u64 * 8).unwrap();
        file.write_all_at(&3u64.to_le_bytes(), STARTS as u64 * 8)
            .unwrap();
        assert_eq!(Ledger::new(Some(file)).starts(), Some(3));
        assert_eq!(Ledger::new(None).starts(), None);
    }

    #[test]
    fn times_are_exported_once_they_are_known() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(WORDS as u64 * 8).unwrap();
        let ledger = Ledger::new(Some(file.try_clone().unwrap()));
        assert_eq!(ledger.started_and_stopped(), (None, None));
        file.write_all_at(&7u64.to_le_bytes(), STARTED as u64 * 8)
            .unwrap();
        file.write_all_at(&9u64.to_le_bytes(), STOPPED as u64 * 8)
            .unwrap();
        let milliseconds = |number| Some(Duration::from_millis(number));
        assert_eq!(
            ledger.started_and_stopped(),
            (milliseconds(7), milliseconds(9))
        );
        assert_eq!(Ledger::new(None).started_and_stopped(), (None, None));
    }

    #[test]
    fn signals_are_exported_by_name() {
        let file = tempfile::tempfile().unwrap();
        assert!(Ledger::new(None).signals().is_empty());
        file.set_len(WORDS as u64 * 8).unwrap();
        file.write_all_at(&2u64.to_le_bytes(), 10 * 8).unwrap();
        file.write_all_at(&1u64.to_le_bytes(), 37 * 8).unwrap();
        let signals = Ledger::new(Some(file)).signals();
        let expected = [("SIGUSR1".to_owned(), 2), ("SIGRTMIN+3".to_owned(), 1)];
        assert_eq!(signals, expected);
    }
}
