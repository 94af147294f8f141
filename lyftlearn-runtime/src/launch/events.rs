//! The event of the end. PID 1 speaks to no network: what telling takes goes to the helper process
//! of the end, in variables that this process alone receives, as anybody may read a command line.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::deliver::add_in_parts;
use crate::facts::{END_VARIABLE, Facts, wall_clock};
use crate::init;
use crate::outcome::End;
use crate::resolve::Resolved;
use crate::settings::Log;
use crate::workload::CredentialPlan;
use crate::workload::events::{Attempt, Plan, Voice};

/// What PID 1 keeps for the end.
#[derive(Debug)]
pub(super) struct Telling {
    last: Last,
    /// Where the agent leaves its credentials, if it has any.
    pub(super) credentials: Option<UnixDatagram>,
}

/// What crosses to the helper process.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(
    not(feature = "agent"),
    allow(dead_code, reason = "who sends waits on a network")
)]
struct Last {
    plan: Plan,
    credential_plan: CredentialPlan,
    quiet: bool,
    /// When the helper process is ended, on the monotonic clock.
    until: Duration,
}

impl Telling {
    /// `None` without a destination.
    pub(super) fn of(resolved: &Resolved) -> Option<Self> {
        Some(Self {
            last: Last {
                plan: resolved.events.clone()?,
                credential_plan: resolved.credential_plan.clone(),
                quiet: resolved.settings.log == Log::Off,
                until: Duration::ZERO,
            },
            credentials: None,
        })
    }

    /// Whether this end is reported. The helper process decides what the event contains.
    pub(super) fn reports(&self, end: &End) -> bool {
        let plan = &self.last.plan;
        let may_speak = match plan.voice {
            Voice::Job => true,
            Voice::Node => !end.completed(),
            Voice::Progress | Voice::Nothing => false,
        };
        cfg!(feature = "agent") && may_speak && plan.end_seconds > 0
    }

    /// The environment of a helper process that is ended at `until`, and its socket.
    pub(super) fn handed(
        mut self,
        facts: &Facts,
        until: Duration,
    ) -> (Vec<(OsString, OsString)>, Option<OwnedFd>) {
        self.last.until = until;
        let text = serde_json::to_string(&self.last);
        let text = text.expect("plain data has no failure to report");
        let sockets = usize::from(self.credentials.is_some());
        let mut environment = helper_environment(facts, sockets);
        add_in_parts(&mut environment, END_VARIABLE, &text);
        (environment, self.credentials.map(OwnedFd::from))
    }
}

#[cfg(feature = "agent")]
use super::helper_process::environment as helper_environment;

#[cfg(not(feature = "agent"))]
fn helper_environment(facts: &Facts, _: usize) -> Vec<(OsString, OsString)> {
    facts.vars().to_vec()
}

/// The start of a container, which began at `begun` on the monotonic clock.
pub(super) fn attempt(begun: Duration) -> Attempt {
    let created = wall_clock().saturating_sub(init::now().saturating_sub(begun));
    Attempt {
        id: uuid(created),
        begun,
        created,
    }
}

/// A UUID of version 7 (RFC 9562): the time in milliseconds, then random bits.
fn uuid(created: Duration) -> String {
    let mut bytes = [0; 16];
    let mut filled = 6;
    while filled < bytes.len() {
        let rest = &mut bytes[filled..];
        match rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            // Without entropy the time alone has to tell attempts apart.
            Err(_) => break,
        }
    }
    let time = u64::try_from(created.as_millis()).unwrap_or_default();
    bytes[..6].copy_from_slice(&time.to_be_bytes()[2..]);
    bytes[6] = 0x70 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}

#[cfg(feature = "agent")]
pub(super) use sending::{Received, report};

#[cfg(feature = "agent")]
mod sending {
    use std::rc::Rc;
    use std::time::Duration;

    use listenfd::ListenFd;
    use tokio::sync::OnceCell;
    use tokio::task::JoinSet;
    use tokio::time::Instant;

    use super::{CredentialPlan, END_VARIABLE, End, Facts, Last, init, wall_clock};
    use crate::credentials::{Fetched, Source, take_over};
    use crate::deliver::events::{Event, Moment, State};
    use crate::deliver::of_parts;
    use crate::events::{Sender, Undelivered};
    use crate::outcome::{How, Outcome};
    use crate::workload::events::Destination;

    /// Part of the time that is kept for writing the result down.
    const MARGIN: Duration = Duration::from_millis(200);

    /// What the helper process was handed.
    pub(in super::super) struct Received(Last);

    impl Received {
        /// `None` if no event is to be sent. From here on this process is protected from debuggers.
        pub(in super::super) fn here(facts: &Facts) -> Option<Self> {
            let text = of_parts(END_VARIABLE, |name| facts.text(name))?;
            let _ = rustix::process::set_dumpable_behavior(
                rustix::process::DumpableBehavior::NotDumpable,
            );
            serde_json::from_str(&text).ok().map(Self)
        }

        pub(in super::super) fn is_quiet(&self) -> bool {
            self.0.quiet
        }
    }

    /// Tells the end to each destination, all at the same time; a sentence for each that it did
    /// not arrive at. `None` where there was nothing to say.
    pub(in super::super) fn report(
        received: &Received,
        end: &End,
        outcome: &Outcome,
    ) -> Option<Vec<String>> {
        let Last {
            plan,
            credential_plan,
            until,
            ..
        } = &received.0;
        let now = init::now();
        let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let ended = end.ended.map_or(now, seconds);
        let started = match end.how {
            How::NotStarted { .. } => None,
            _ => Some(ended.saturating_sub(seconds(end.seconds))),
        };
        let stopping =
            (end.stop.as_ref()).and_then(|stop| Some(ended.saturating_sub(seconds(stop.seconds?))));
        let moment = Moment {
            now,
            wall: wall_clock(),
            last: 0,
            started,
            stopping,
            state: State::Ended { at: ended, outcome },
        };
        let event = Event::of(plan, &moment)?;
        let within = Duration::from_secs(plan.end_seconds.into());
        let within = until.saturating_sub(now + MARGIN).min(within);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let Ok(runtime) = runtime else {
            let sentence = |to| sentence(to, &Undelivered::Unreachable);
            return Some(plan.to.iter().map(sentence).collect());
        };
        let each = Rc::new(Each {
            sender: Sender::new(plan, credential_plan.roots.clone(), end.owner),
            event,
            credential_plan: credential_plan.clone(),
            identity: OnceCell::new(),
        });
        let sent = each.send(&plan.to, within);
        let failures = tokio::task::LocalSet::new().block_on(&runtime, sent);
        // A resolver that hangs in its thread is not waited for.
        runtime.shutdown_background();
        Some(failures)
    }

    /// What all destinations share.
    struct Each {
        sender: Sender,
        event: Event,
        credential_plan: CredentialPlan,
        /// Asked for once, by the first destination that needs it.
        identity: OnceCell<Option<Fetched>>,
    }

    impl Each {
        async fn send(self: Rc<Self>, to: &[Destination], within: Duration) -> Vec<String> {
            let deadline = Instant::now() + within;
            let mut tasks = JoinSet::new();
            for destination in to {
                let (each, destination) = (Rc::clone(&self), destination.clone());
                tasks.spawn_local(async move {
                    let sent = each.once(&destination, deadline).await;
                    sent.err().map(|why| sentence(&destination, &why))
                });
            }
            let mut failures = Vec::new();
            while let Some(done) = tasks.join_next().await {
                // A panic has been said.
                failures.extend(done.ok().flatten());
            }
            failures.sort_unstable();
            failures
        }

        async fn once(
            &self,
            destination: &Destination,
            deadline: Instant,
        ) -> Result<(), Undelivered> {
            let identity = if destination.is_signed() {
                let asked = || identity(&self.credential_plan, deadline);
                self.identity.get_or_init(asked).await.as_ref()
            } else {
                None
            };
            self.sender
                .send(destination, &self.event, identity, deadline)
                .await
        }
    }

    /// What the agent has left, or else what the source gives.
    async fn identity(plan: &CredentialPlan, deadline: Instant) -> Option<Fetched> {
        let socket = ListenFd::from_env().take_unix_datagram(0).ok().flatten();
        let mut left = None;
        if let Some(socket) = &socket {
            // One that was started again may have left some, too: the last are the freshest.
            while let Some(fetched) = take_over(socket) {
                left = Some(fetched);
            }
        }
        if left.is_some() {
            return left;
        }
        let source = Source::new(plan)?;
        let asked = tokio::time::timeout_at(deadline, source.fetch());
        asked.await.ok()?.ok()
    }

    fn sentence(to: &Destination, why: &Undelivered) -> String {
        format!("1 job event was not delivered to {}: {why}", to.shown())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::uuid;

    #[test]
    fn an_attempt_sorts_by_its_start() {
        let of = |milliseconds| uuid(Duration::from_millis(milliseconds));
        // The example of RFC 9562, up to its random part.
        let known = of(0x017F_22E2_79B0);
        assert_eq!(&known[..15], "017f22e2-79b0-7");
        assert_eq!(known.len(), 36);
        assert!(["8", "9", "a", "b"].contains(&&known[19..20]), "{known}");
        assert!(of(1_795_847_523_302) < of(1_795_847_523_303));
        assert_ne!(of(5), of(5));
    }
}
