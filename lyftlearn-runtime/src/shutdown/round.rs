//! A new round of an elastic job: a launcher ends its workers and starts them anew, while the
//! container goes on.

use signal_hook::consts::{SIGTERM, SIGUSR1};

use crate::contract::{delivered, worker};
use crate::facts::Facts;

/// The component that begins new rounds, seen from one of its workers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Round {
    /// The signal that the workers get.
    pub signal: i32,
    /// Seconds that they have from then on; `None` if it is unknown.
    pub seconds: Option<f64>,
}

/// `None` in a process that no launcher has started, and where a signal may come from somebody
/// else: without PID 1 of ours, which tells of a stop before it signals.
pub(super) fn here(facts: &Facts, supervised: bool) -> Option<Round> {
    if facts.text(worker::HYPERPOD_SOCKET).is_some() {
        let seconds = facts.text(delivered::RESIZE_SECONDS);
        return Some(Round {
            signal: SIGUSR1,
            seconds: seconds.and_then(|seconds| seconds.parse().ok()),
        });
    }
    // Beside `run` (`exec`, `kubectl exec`) a SIGTERM may be anybody's.
    let under_run = supervised && facts.text(delivered::EXCEPTIONS_DIR).is_some();
    facts.text(worker::TORCHRUN_ID).filter(|_| under_run)?;
    let configured = facts.text(worker::SHUTDOWN_TIMEOUT);
    let configured = configured.and_then(|configured| configured.parse().ok());
    Some(Round {
        signal: SIGTERM,
        // A new round does not take a longer time from the variable: pytorch issue 192815.
        seconds: Some(configured.map_or(worker::ROUND_SECONDS, |configured: f64| {
            configured.min(worker::ROUND_SECONDS)
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::{Round, here};
    use crate::facts::Facts;

    #[track_caller]
    fn check(variables: &[(&str, &str)], supervised: bool, expected: Option<(i32, Option<f64>)>) {
        let facts = variables
            .iter()
            .fold(Facts::empty(), |facts, (name, value)| {
                facts.with_var(name, value)
            });
        let expected = expected.map(|(signal, seconds)| Round { signal, seconds });
        assert_eq!(here(&facts, supervised), expected);
    }

    const TORCHRUN: (&str, &str) = ("TORCHELASTIC_RUN_ID", "none");
    const RUN: (&str, &str) = ("LYFTLEARN_EXCEPTIONS_DIR", "/run/lyftlearn/exceptions");
    const TIMEOUT: &str = "TORCH_ELASTIC_SHUTDOWN_TIMEOUT";
    const HYPERPOD: (&str, &str) = ("HYPERPOD_ELASTICAGENT_SOCKET_SERVER_PATH", "/tmp/socket");

    #[test]
    fn torchruns_workers_have_half_a_minute_at_most() {
        let thirty = Some((15, Some(30.0)));
        check(&[TORCHRUN, RUN], true, thirty);
        check(&[TORCHRUN, RUN, (TIMEOUT, "108")], true, thirty);
        check(&[TORCHRUN, RUN, (TIMEOUT, "")], true, thirty);
        let ten = Some((15, Some(10.0)));
        check(&[TORCHRUN, RUN, (TIMEOUT, "10")], true, ten);
    }

    #[test]
    fn without_pid_one_a_signal_of_torchruns_is_a_stop() {
        check(&[TORCHRUN, RUN], false, None);
        check(&[TORCHRUN], true, None);
        check(&[RUN], true, None);
    }

    #[test]
    fn hyperpods_workers_have_the_time_of_the_setting() {
        check(&[HYPERPOD], false, Some((10, None)));
        let configured = ("LYFTLEARN_RESIZE_SECONDS", "600");
        check(
            &[HYPERPOD, TORCHRUN, configured],
            true,
            Some((10, Some(600.0))),
        );
    }
}
