//! Signals by name and number, 1 to 64 as Linux counts them (signal(7)).

#[cfg(feature = "cli")]
use std::sync::Arc;
#[cfg(feature = "cli")]
use std::sync::atomic::AtomicBool;

use nix::sys::signal::Signal;

/// The first real-time signal that programs may use: the C library keeps 32 and 33.
const RTMIN: i32 = 34;
pub(crate) const LAST: i32 = 64;

pub(crate) const INT: i32 = Signal::SIGINT as i32;
pub(crate) const TERM: i32 = Signal::SIGTERM as i32;

/// `SIGTERM`, `TERM`, `SIGRTMIN+3` or `15`; `None` if it is not a signal.
pub(crate) fn number(name: &str) -> Option<i32> {
    let short = name.strip_prefix("SIG").unwrap_or(name);
    let number = if let Some(offset) = short.strip_prefix("RTMIN") {
        let offset: i32 = match offset.strip_prefix('+') {
            Some(digits) => digits.parse().ok()?,
            None if offset.is_empty() => 0,
            None => return None,
        };
        RTMIN.checked_add(offset)?
    } else if let Ok(number) = short.parse::<i32>() {
        number
    } else {
        format!("SIG{short}").parse::<Signal>().ok()? as i32
    };
    (1..=LAST).contains(&number).then_some(number)
}

/// Its name, as `kill -l` spells it.
pub(crate) fn name(number: i32) -> String {
    match Signal::try_from(number) {
        Ok(signal) => signal.as_str().to_owned(),
        Err(_) if number == RTMIN => "SIGRTMIN".to_owned(),
        Err(_) if (RTMIN..=LAST).contains(&number) => format!("SIGRTMIN+{}", number - RTMIN),
        Err(_) => format!("signal {number}"),
    }
}

/// Makes a closed connection an error of the write (EPIPE), which would otherwise end this process
/// by SIGPIPE. It uses a handler and not `SIG_IGN`: exec resets a handler, so child processes start
/// with the default. Not for a process that becomes the program: exec would also reset a signal
/// that was ignored before.
#[cfg(feature = "cli")]
pub(crate) fn survive_peers_that_leave() -> std::io::Result<()> {
    let unread = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(Signal::SIGPIPE as i32, unread)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{name, number};

    #[test]
    fn names_and_numbers_belong_together() {
        for (text, expected) in [
            ("SIGTERM", Some(15)),
            ("TERM", Some(15)),
            ("15", Some(15)),
            ("SIGRTMIN", Some(34)),
            ("RTMIN+3", Some(37)),
            ("SIGRTMIN+30", Some(64)),
            ("SIGRTMIN+31", None),
            ("RTMIN3", None),
            ("0", None),
            ("65", None),
            ("SIGNAL", None),
            ("", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
        for each in 1..=super::LAST {
            if !(32..34).contains(&each) {
                assert_eq!(number(&name(each)), Some(each));
            }
        }
        assert_eq!(name(32), "signal 32");
    }
}
