//! How a container ends: a state machine that is given events and the time, and says
//! what to do. It does nothing itself.

use std::time::Duration;

/// Time for processes that outlive the program if no stop was requested.
const LINGER: Duration = Duration::from_secs(10);

/// Helpers that notice by a closed pipe that their program is gone end by themselves in this
/// time (multiprocessing's resource tracker); they were not left behind.
const SETTLE: Duration = Duration::from_millis(100);

/// Spans from the moment at which the platform asks for a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Until the program hears of it: requests still arrive while endpoints are removed.
    pub(crate) drain: Duration,
    /// Until the program is killed.
    pub(crate) program: Duration,
    /// How long the processes that outlive the program have after SIGTERM. Counted from the
    /// program's end, unlike the others, and never beyond `program` after a stop. A program that
    /// the stop itself has ended did not wait for them: those that handle SIGTERM then have until
    /// `program`.
    pub(crate) orphans: Duration,
    /// Until the platform kills everything. The time after the program's end is for the processes
    /// that it left behind, the agent's last export and the outcome.
    pub(crate) whole: Duration,
}

/// What the agent has for its last words at the least, unless everything before it was late.
pub(crate) fn agents_time(budget: Budget) -> Duration {
    budget.whole.saturating_sub(budget.program).min(LINGER) / 4
}

/// An event of the process layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The platform asks for a stop with this signal.
    Stop(i32),
    /// Any other signal for the program.
    Signal(i32),
    /// The program has ended; others of the container are still there, or not. It had no handler
    /// for the stop's signal, of which it died.
    ProgramEnded {
        others: bool,
        unhandled: bool,
    },
    /// Others were sent SIGTERM or have ended. Whether one that is left has a handler for it.
    OthersLeft {
        handle: bool,
    },
    /// Of the container's processes none is left but this runtime's own.
    NothingLeft,
    AgentEnded,
    /// Time has passed.
    Time,
}

/// An action of the process layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Publish that a stop was requested, and its deadline.
    Announce {
        signal: i32,
        deadline: Duration,
    },
    /// Send the program this signal.
    Forward(i32),
    /// Send the program a stop; the policy says as which signal.
    ForwardStop(i32),
    KillProgram,
    TermOthers,
    KillOthers,
    TermAgent,
    KillAgent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    /// A stop is held back.
    Draining {
        held: i32,
    },
    Stopping,
    /// The program has been killed and is not gone yet.
    Killing,
    /// The program is gone, others are not, and may be about to go.
    Settling,
    /// They have been asked to end.
    Clearing {
        killed: bool,
        asked: Duration,
    },
    Agent {
        killed: bool,
    },
    Done,
}

/// A stop that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) signal: i32,
    /// On the monotonic clock.
    pub(crate) at: Duration,
}

#[derive(Debug)]
pub(super) struct Machine {
    budget: Budget,
    agent: bool,
    state: State,
    until: Option<Duration>,
    stop: Option<Stop>,
    killed: bool,
    /// The program died of a stop's signal, for which it had no handler.
    unhandled: bool,
}

impl Machine {
    pub(super) fn new(budget: Budget, agent: bool) -> Self {
        Self {
            budget,
            agent,
            state: State::Running,
            until: None,
            stop: None,
            killed: false,
            unhandled: false,
        }
    }

    /// When `Event::Time` is due; `None` while nothing but events can change anything.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.until
    }

    pub(super) fn done(&self) -> bool {
        self.state == State::Done
    }

    pub(super) fn stop(&self) -> Option<Stop> {
        self.stop
    }

    /// Whether the program was killed because its time was over.
    pub(super) fn killed(&self) -> bool {
        self.killed
    }

    /// Whether the program still has to end.
    pub(super) fn program_runs(&self) -> bool {
        matches!(
            self.state,
            State::Running | State::Draining { .. } | State::Stopping | State::Killing
        )
    }

    /// Whether orphans have been killed; `None` before they were asked to end.
    pub(super) fn orphans_are_killed(&self) -> Option<bool> {
        match self.state {
            State::Clearing { killed, .. } => Some(killed),
            _ => None,
        }
    }

    /// The deadline of the outcome. It is written last; the time after it is for the exit.
    pub(super) fn report_until(&self, now: Duration) -> Duration {
        self.stop.map_or(now + LINGER, |stop| {
            stop.at + self.budget.whole.saturating_sub(self.slice() / 2)
        })
    }

    /// What each of the steps after the program may take.
    fn slice(&self) -> Duration {
        let kept = match self.stop {
            Some(_) => self.budget.whole.saturating_sub(self.budget.program),
            None => LINGER,
        };
        kept / 4
    }

    pub(super) fn step(&mut self, now: Duration, event: Event, act: &mut dyn FnMut(Act)) {
        if let Event::Stop(signal) = event
            && self.stop.is_none()
        {
            self.stop = Some(Stop { signal, at: now });
            act(Act::Announce {
                signal,
                deadline: now + self.budget.program,
            });
            // What began without a hurry has one now.
            self.until = self.until.map(|until| self.at_most(until));
        }
        let late = event == Event::Time && self.until.is_some_and(|until| now >= until);
        match (self.state, event) {
            (State::Running, Event::Stop(signal)) if !self.budget.drain.is_zero() => {
                self.enter(State::Draining { held: signal }, now + self.budget.drain);
            }
            (State::Running, Event::Stop(signal)) => self.forward_stop(signal, act),
            // A second stop request ends the delay.
            (State::Draining { held }, Event::Stop(signal)) => {
                self.forward_stop(held, act);
                act(Act::ForwardStop(signal));
            }
            (State::Draining { held }, Event::Time) if late => self.forward_stop(held, act),
            (State::Stopping | State::Killing, Event::Stop(signal)) => {
                act(Act::ForwardStop(signal));
            }
            (State::Stopping, Event::Time) if late => {
                self.killed = true;
                act(Act::KillProgram);
                self.enter(State::Killing, now + self.slice());
            }
            // Not even SIGKILL has ended it (uninterruptible sleep): the kernel will,
            // once this process is gone.
            (State::Killing, Event::Time) if late => self.finish_agent(now, act),
            (_, Event::Signal(signal)) if self.program_runs() => act(Act::Forward(signal)),
            (
                _,
                Event::ProgramEnded {
                    others: true,
                    unhandled,
                },
            ) if self.program_runs() => {
                self.unhandled = unhandled;
                self.enter(State::Settling, now + SETTLE.min(self.slice() / 2));
            }
            (State::Settling, Event::Time) if late => {
                act(Act::TermOthers);
                let (killed, asked) = (false, now);
                let until = self.others_until(asked, false);
                self.enter(State::Clearing { killed, asked }, until);
            }
            (
                State::Clearing {
                    killed: false,
                    asked,
                },
                Event::OthersLeft { handle },
            ) => self.until = Some(self.at_most(self.others_until(asked, handle))),
            (_, Event::ProgramEnded { others: false, .. }) if self.program_runs() => {
                self.finish_agent(now, act);
            }
            (State::Settling | State::Clearing { .. }, Event::NothingLeft) => {
                self.finish_agent(now, act);
            }
            (
                State::Clearing {
                    killed: false,
                    asked,
                },
                Event::Time,
            ) if late => {
                act(Act::KillOthers);
                let killed = true;
                self.enter(State::Clearing { killed, asked }, now + self.slice());
            }
            (State::Clearing { killed: true, .. }, Event::Time) if late => {
                self.finish_agent(now, act)
            }
            (State::Agent { .. }, Event::AgentEnded) => self.finish(),
            (State::Agent { killed: false }, Event::Time) if late => {
                act(Act::KillAgent);
                self.enter(State::Agent { killed: true }, now + self.slice() / 2);
            }
            (State::Agent { killed: true }, Event::Time) if late => self.finish(),
            _ => {}
        }
    }

    /// Until when those have time that outlive the program and were asked to end.
    fn others_until(&self, asked: Duration, handle: bool) -> Duration {
        let until = asked + self.budget.orphans;
        let Some(stop) = self.stop else {
            return until;
        };
        // If the program used all of its time, the others still get their own.
        let least = asked + self.slice() / 2;
        let most = (stop.at + self.budget.program).max(least);
        // A wrapper without a handler leaves a trainer behind that has only now heard of the stop,
        // and saves. A process without a handler saves nothing, and may ignore SIGTERM for ever.
        if self.unhandled && handle {
            most
        } else {
            until.min(most)
        }
    }

    fn forward_stop(&mut self, signal: i32, act: &mut dyn FnMut(Act)) {
        act(Act::ForwardStop(signal));
        let asked = self.stop.map_or(Duration::ZERO, |stop| stop.at);
        self.enter(State::Stopping, asked + self.budget.program);
    }

    fn finish_agent(&mut self, now: Duration, act: &mut dyn FnMut(Act)) {
        if self.agent {
            act(Act::TermAgent);
            // What the program has left of its time is for what it has counted.
            let least = now + self.slice() / 2;
            let most = self
                .stop
                .map(|stop| stop.at + self.budget.whole.saturating_sub(self.slice()));
            // Without a stop no deadline of the platform runs, and a busy machine takes seconds to
            // start an agent that the program has killed.
            let until = most.map_or(now + LINGER / 2, |most| most.min(now + self.slice()));
            let until = until.max(least);
            self.enter(State::Agent { killed: false }, until);
        } else {
            self.finish();
        }
    }

    fn finish(&mut self) {
        self.state = State::Done;
        self.until = None;
    }

    fn enter(&mut self, state: State, until: Duration) {
        self.state = state;
        self.until = Some(self.at_most(until));
    }

    /// Nothing waits beyond the platform's own patience.
    fn at_most(&self, until: Duration) -> Duration {
        self.stop
            .map_or(until, |stop| until.min(stop.at + self.budget.whole))
    }
}

#[cfg(test)]
mod tests;
