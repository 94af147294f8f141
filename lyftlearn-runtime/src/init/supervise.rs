//! PID 1's loop: one signal at a time, one owner of wait, no wake-up without a reason.
//! Once the program runs, nothing here allocates but `announce`, which frees a reserve first.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use nix::sys::signal::Signal;
use rustix::fd::OwnedFd;
use rustix::process::{Pid, WaitOptions, WaitStatus};
use rustix::time::{ClockId, clock_gettime};

use super::agent::{Agent, Helper};
use super::children::{LeftBehind, Orphans};
use super::parents::Parents;
use super::signals::{self, Arrived, To};
use super::stage;
use super::stage_report::ReportPipe;
use super::start::{Program, let_go, start};
use super::stopping::{Act, Budget, Event, Machine, Stop};
use super::{Armed, children, is_pid_one, memory, procfs};
use crate::contract::ledger;
use crate::error::Error;

/// The receivers of forwarded signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The program alone; a stop that is for a shell or a launcher reaches its children first.
    Auto,
    /// The program and what it started in its group.
    Group,
    /// The program alone.
    Child,
}

/// What arriving signals mean, and how long things may take.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) scope: Scope,
    /// The platform asks for a stop with any of these.
    pub(crate) asked_by: Vec<i32>,
    /// As which the program receives it.
    pub(crate) stop_signal: i32,
    pub(crate) budget: Budget,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Exited(i32),
    Signalled(i32),
    /// It has not ended: not even SIGKILL helped.
    Unkillable,
}

/// How the program ended, and what had been done about it.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    /// The program's process number.
    pub(crate) program: i32,
    pub(crate) status: Status,
    /// Why the second stage could not become the program.
    pub(crate) not_started: Option<String>,
    pub(crate) stop: Option<Stop>,
    /// Killed here, because its time was over.
    pub(crate) killed: bool,
    pub(crate) left_behind: LeftBehind,
    /// The last signal from outside that images and pods use as their stop signal, and that
    /// was not taken for a stop.
    pub(crate) no_stop: Option<i32>,
    /// An internal error: only the status is known.
    pub(crate) failed: bool,
    pub(crate) started: Duration,
    pub(crate) ended: Duration,
    /// Until when the outcome has to be out.
    pub(crate) report_until: Duration,
}

/// The sender that the kernel reports for signals from outside this PID namespace.
const OUTSIDE: i32 = 0;

/// What images (`STOPSIGNAL`) and pods (`lifecycle.stopSignal`) ask with instead of SIGTERM:
/// nginx, PostgreSQL, Apache, HAProxy.
const OTHER_STOPS: [i32; 4] = [
    Signal::SIGQUIT as i32,
    Signal::SIGINT as i32,
    Signal::SIGWINCH as i32,
    Signal::SIGUSR1 as i32,
];

/// Called when a stop was asked for: the signal, when, and until when there is time.
pub(crate) type Announce<'a> = &'a mut dyn FnMut(i32, Duration, Duration);

/// Work that is done while the program starts, without delaying it.
pub(crate) type Started<'a> = &'a mut dyn FnMut();

/// Makes the helper beside the program, which must not wait for it either.
pub(crate) type MakeHelper<'a> = Box<dyn FnOnce() -> Helper + 'a>;

/// The monotonic clock, which cannot be set.
pub(crate) fn now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default()
}

/// Starts `program`, forwards signals to it and reaps until it and what it left behind
/// have ended. The descriptors `kept` stay open for as long.
pub(crate) fn supervise(
    armed: Armed,
    program: Program,
    policy: &Policy,
    helper: Option<MakeHelper<'_>>,
    kept: &[i32],
    started: Started<'_>,
    announce: Announce<'_>,
) -> Result<Ending, Error> {
    if !is_pid_one() {
        // Orphans are reparented to this process only on request. If the kernel refuses, they go to
        // PID 1.
        let _ = nix::sys::prctl::set_child_subreaper(true);
    }
    let (child, report) = start(&armed, &program)?;
    let begun = now();
    drop(program);
    // The program first, where there is one processor for both.
    std::thread::yield_now();
    // Without an agent, after a bug of ours, the program still runs.
    let agent = helper.and_then(|make| {
        let agent = AssertUnwindSafe(|| Agent::new(make(), armed.before).ok());
        catch_unwind(agent).ok().flatten()
    });
    let mut supervisor = Supervisor {
        child,
        policy,
        machine: Machine::new(policy.budget, agent.is_some()),
        agent,
        kept,
        report,
        announce,
        parents: Parents::none(),
        orphans: Orphans::none(),
        unhandled: false,
        no_stop: None,
        status: None,
        started: begun,
        ended: None,
    };
    // From here on nothing may end this process but the program's own end: if PID 1
    // leaves, the kernel kills everything in the container.
    let looped = catch_unwind(AssertUnwindSafe(|| {
        started();
        supervisor.run(&armed);
    }));
    Ok(match looped {
        Ok(()) => supervisor.ending(false),
        Err(_) => {
            if supervisor.status.is_none() {
                supervisor.status = Some(last_stand(&armed, child, policy));
            }
            supervisor.ending(true)
        }
    })
}

struct Supervisor<'a> {
    child: Pid,
    policy: &'a Policy,
    machine: Machine,
    agent: Option<Agent>,
    kept: &'a [i32],
    /// Where a second stage says why it could not become the program.
    report: Option<ReportPipe>,
    announce: Announce<'a>,
    parents: Parents,
    orphans: Orphans,
    /// The program itself received a stop, and had no handler for it.
    unhandled: bool,
    no_stop: Option<i32>,
    status: Option<WaitStatus>,
    started: Duration,
    ended: Option<Duration>,
}

impl Supervisor<'_> {
    fn run(&mut self, armed: &Armed) {
        let report = self.report.as_ref().map(ReportPipe::number);
        let_go(self.agent.as_ref(), self.kept, report);
        with_agent(&mut self.agent, |agent| agent.program_started(self.started));
        memory::give_back();
        for arrived in &armed.waiting {
            self.signal(*arrived);
        }
        self.reap();
        self.start_agent();
        while !self.machine.done() {
            let due = self.machine.deadline();
            let again = self.agent.as_ref().and_then(Agent::again);
            let look = self.parents.next_look(now());
            let next = due.into_iter().chain(again).chain(look).min();
            let timeout = next.map(|next| next.saturating_sub(now()));
            match self.parents.next_signal(&armed.all, timeout) {
                Some(arrived) if arrived.number == Signal::SIGCHLD as i32 => self.reap(),
                Some(arrived) => self.signal(arrived),
                None => {
                    if timeout.is_none() {
                        // A kernel that refuses the question: then time has to ask.
                        std::thread::sleep(Duration::from_millis(10));
                    }
                    self.reap();
                }
            }
            self.parents.look(now());
            if self.machine.deadline().is_some_and(|due| due <= now()) {
                self.step(Event::Time);
            }
            self.start_agent();
        }
        if !is_pid_one()
            && let Some(terminal) = stage::controlling()
        {
            hand_over(&terminal, self.child, rustix::process::getpgrp());
        }
    }

    /// Starts the agent when it is due: after the program, which must not wait for it.
    fn start_agent(&mut self) {
        let now = now();
        if let Some(agent) = &mut self.agent
            && agent.again().is_some_and(|again| again <= now)
        {
            agent.start(now);
        }
    }

    fn signal(&mut self, arrived: Arrived) {
        // What a write of ours has led to, for want of a reader (SIGPIPE) or of room
        // (SIGXFSZ), is not for the program.
        if arrived.sender == rustix::process::getpid().as_raw_nonzero().get() {
            return;
        }
        let stop = self.policy.asked_by.contains(&arrived.number);
        if !stop && arrived.sender == OUTSIDE && OTHER_STOPS.contains(&arrived.number) {
            self.no_stop = Some(arrived.number);
        }
        self.step(if stop {
            Event::Stop(arrived.number)
        } else {
            Event::Signal(arrived.number)
        });
    }

    fn step(&mut self, event: Event) {
        let now = now();
        let (child, policy, agent) = (self.child, self.policy, &mut self.agent);
        let (announce, parents) = (&mut self.announce, &mut self.parents);
        let (orphans, unhandled) = (&mut self.orphans, &mut self.unhandled);
        let mut left = None;
        let own = [agent.as_ref().and_then(Agent::pid)];
        let mut without_agent = false;
        self.machine.step(now, event, &mut |act| match act {
            Act::Announce { signal, deadline } => {
                announce(signal, now, deadline);
                parents.has_until(deadline);
                with_agent(agent, |agent| agent.stopped(signal, now));
            }
            Act::Forward(signal) => {
                forward(policy.scope, child, signal);
                with_agent(agent, |agent| agent.forwarded(signal));
            }
            Act::ForwardStop(signal) => {
                let catches = procfs::catches(child, policy.stop_signal);
                match policy.scope {
                    Scope::Auto => parents.send(child, policy.stop_signal),
                    scope => forward(scope, child, policy.stop_signal),
                }
                // A shell's children have had the time: PID 1 has waited for them.
                *unhandled = !catches && !parents.stopped_any();
                if policy.scope == Scope::Group && policy.stop_signal == Signal::SIGTERM as i32 {
                    orphans.group_is_asked();
                }
                with_agent(agent, |agent| agent.forwarded(signal));
            }
            Act::KillProgram => {
                forward(Scope::Group, child, Signal::SIGKILL as i32);
                with_agent(agent, |agent| agent.record(ledger::KILLED, 1));
            }
            Act::TermOthers => left = Some(orphans.term(&own, child)),
            Act::KillOthers => orphans.kill(&own, child),
            Act::TermAgent | Act::KillAgent => {
                if let Some(agent) = agent.as_mut() {
                    match act {
                        Act::TermAgent => agent.finish(now),
                        _ => agent.signal(Signal::SIGKILL as i32),
                    }
                    without_agent = agent.pid().is_none();
                }
            }
        });
        if let Some(handle) = left {
            let left = Event::OthersLeft { handle };
            self.machine.step(now, left, &mut |_| {});
        }
        if without_agent {
            self.machine.step(now, Event::AgentEnded, &mut |_| {});
        }
    }

    /// Reaps every child that has ended: SIGCHLD does not queue, so one signal may stand for many
    /// children. The program's own end is reported last, after all children that ended with it.
    fn reap(&mut self) {
        let options = if is_pid_one() && self.agent.is_none() {
            WaitOptions::NOHANG
        } else {
            WaitOptions::NOHANG | WaitOptions::UNTRACED
        };
        let mut alone = false;
        let mut program_ended = false;
        let mut agent_ended = false;
        loop {
            match rustix::process::wait(options) {
                Ok(Some((pid, status))) if status.stopped() => {
                    if pid == self.child && self.parents.stopped_any() {
                        // Stopped by this process, and continued by it.
                    } else if pid == self.child {
                        self.stop_with_the_program();
                    } else if let Some(agent) = &self.agent
                        && agent.pid() == Some(pid)
                    {
                        // A stopped agent serves nothing. It is started again when it has ended.
                        signals::send(To::Process(pid), Signal::SIGKILL as i32);
                    }
                }
                Ok(Some((pid, status))) if pid == self.child && self.status.is_none() => {
                    self.status = Some(status);
                    let ended = now();
                    self.ended = Some(ended);
                    self.parents.let_go();
                    let not_started = self.report.as_ref().is_some_and(ReportPipe::is_there);
                    with_agent(&mut self.agent, |agent| {
                        agent.program_ended(pid, read(status), not_started, ended);
                    });
                    program_ended = true;
                }
                Ok(Some((pid, status))) => {
                    if let Some(agent) = &mut self.agent
                        && agent.pid() == Some(pid)
                    {
                        agent_ended = agent.ended(status.exited(), now());
                    }
                }
                Ok(None) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => {
                    alone = true;
                    break;
                }
            }
        }
        // First: what follows may start another one, for its last words.
        if agent_ended {
            self.step(Event::AgentEnded);
        }
        if self.status.is_some() {
            let own = [self.agent.as_ref().and_then(Agent::pid)];
            let left = !alone && children::others_left(&own, self.child);
            if program_ended {
                let signal = self.status.and_then(WaitStatus::terminating_signal);
                self.step(Event::ProgramEnded {
                    others: left,
                    unhandled: self.unhandled && signal == Some(self.policy.stop_signal),
                });
            } else if !left {
                self.step(Event::NothingLeft);
            } else if let Some(killed) = self.machine.orphans_are_killed() {
                // One that ended has left its own children behind.
                if killed {
                    self.orphans.kill(&own, self.child);
                } else {
                    let handle = self.orphans.term(&own, self.child);
                    self.step(Event::OthersLeft { handle });
                }
            }
        }
    }

    /// As the job of an interactive shell: when the program is stopped, the shell has to
    /// see its own child stop, and gets its terminal back.
    fn stop_with_the_program(&self) {
        use rustix::process::{Signal, getpgrp, getpid, kill_process};

        let Some(terminal) = stage::controlling().filter(|_| somebody_continues()) else {
            return;
        };
        hand_over(&terminal, self.child, getpgrp());
        let _ = kill_process(getpid(), Signal::STOP);
        // Continued, in the foreground or not; the SIGCONT waits and is forwarded.
        hand_over(&terminal, getpgrp(), self.child);
    }

    fn ending(&self, failed: bool) -> Ending {
        let ended = self.ended.unwrap_or_else(now);
        Ending {
            program: self.child.as_raw_nonzero().get(),
            status: self.status.map_or(Status::Unkillable, read),
            not_started: self.report.as_ref().and_then(ReportPipe::read),
            stop: self.machine.stop(),
            killed: self.machine.killed(),
            left_behind: self.orphans.left(),
            no_stop: self.no_stop,
            failed,
            started: self.started,
            ended,
            report_until: self.machine.report_until(now()),
        }
    }
}

/// Reports a value to the agent's ledger, if there is an agent.
fn with_agent(agent: &mut Option<Agent>, act: impl FnOnce(&mut Agent)) {
    if let Some(agent) = agent {
        act(agent);
    }
}

/// Whether a shell of the same session could continue this process once it is stopped.
fn somebody_continues() -> bool {
    let session = rustix::process::getsid(None);
    let parents = rustix::process::getppid().map(|parent| rustix::process::getsid(Some(parent)));
    session.is_ok() && parents == Some(session)
}

/// The foreground of `terminal` passes from one group to another, if the one has it.
fn hand_over(terminal: &OwnedFd, from: Pid, to: Pid) {
    if rustix::termios::tcgetpgrp(terminal) == Ok(from) {
        let _ = rustix::termios::tcsetpgrp(terminal, to);
    }
}

/// The program may be gone already or have changed its user: neither is a reason for
/// PID 1 to end.
fn forward(scope: Scope, child: Pid, signal: i32) {
    // A program that has moved to another group has left its own empty.
    let sent = scope == Scope::Group && signals::send(To::Group(child), signal);
    if !sent {
        signals::send(To::Process(child), signal);
    }
}

fn read(status: WaitStatus) -> Status {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Status::Exited(code),
        (None, Some(signal)) => Status::Signalled(signal),
        (None, None) => Status::Unkillable,
    }
}

/// After a bug of ours: no state, no policy, nothing but forwarding and reaping until the
/// program ends. Its exit code is worth more than anything else that is known here.
fn last_stand(armed: &Armed, child: Pid, policy: &Policy) -> WaitStatus {
    loop {
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            if pid == child {
                return status;
            }
        }
        if let Some(arrived) = signals::next(&armed.all, Some(Duration::from_secs(1)))
            && arrived.number != Signal::SIGCHLD as i32
        {
            forward(policy.scope, child, arrived.number);
        }
    }
}
