//! Any interleaving of signals, exits and timers ends, and in time.

use std::time::Duration;

use proptest::prelude::*;

use super::{Act, Budget, Event, Machine, SETTLE};

const TERM: i32 = 15;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn training() -> Budget {
    Budget {
        drain: Duration::ZERO,
        program: seconds(110),
        orphans: seconds(5),
        whole: seconds(120),
    }
}

/// Feeds events and records the actions with their times.
struct Story {
    machine: Machine,
    acts: Vec<(Duration, Act)>,
}

impl Story {
    fn new(budget: Budget, agent: bool) -> Self {
        Self {
            machine: Machine::new(budget, agent),
            acts: Vec::new(),
        }
    }

    fn event(&mut self, now: Duration, event: Event) -> &mut Self {
        let acts = &mut self.acts;
        self.machine
            .step(now, event, &mut |act| acts.push((now, act)));
        self
    }

    fn times(&self, act: Act) -> Vec<Duration> {
        let found = self.acts.iter().filter(|(_, done)| *done == act);
        found.map(|(at, _)| *at).collect()
    }
}

#[test]
fn a_stop_is_announced_forwarded_and_enforced_in_that_order() {
    let mut story = Story::new(training(), false);
    story
        .event(seconds(5), Event::Stop(TERM))
        .event(seconds(114), Event::Time)
        .event(seconds(115), Event::Time)
        .event(
            seconds(115),
            Event::ProgramEnded {
                others: false,
                unhandled: false,
            },
        );
    assert_eq!(
        story.acts,
        [
            (
                seconds(5),
                Act::Announce {
                    signal: TERM,
                    deadline: seconds(115)
                }
            ),
            (seconds(5), Act::ForwardStop(TERM)),
            (seconds(115), Act::KillProgram),
        ]
    );
    assert!(story.machine.done() && story.machine.killed());
}

#[test]
fn a_drain_delay_holds_the_stop_back_and_a_second_one_cuts_it_short() {
    let budget = Budget {
        drain: seconds(8),
        program: seconds(25),
        orphans: seconds(5),
        whole: seconds(30),
    };
    let mut story = Story::new(budget, false);
    story
        .event(seconds(0), Event::Stop(TERM))
        .event(seconds(7), Event::Time);
    assert!(story.times(Act::ForwardStop(TERM)).is_empty());
    story.event(seconds(8), Event::Time);
    assert_eq!(story.times(Act::ForwardStop(TERM)), [seconds(8)]);
    assert_eq!(story.machine.deadline(), Some(seconds(25)));

    let mut story = Story::new(budget, false);
    story
        .event(seconds(0), Event::Stop(TERM))
        .event(seconds(1), Event::Stop(2));
    assert_eq!(story.times(Act::ForwardStop(TERM)), [seconds(1)]);
    assert_eq!(story.times(Act::ForwardStop(2)), [seconds(1)]);
    assert_eq!(story.machine.deadline(), Some(seconds(25)));
}

#[test]
fn orphans_have_five_seconds_and_never_more_than_the_grace() {
    let after = |settled: u64| Duration::from_millis(settled * 1_000 + 100);
    let mut story = Story::new(training(), false);
    story
        .event(seconds(0), Event::Stop(TERM))
        .event(
            seconds(1),
            Event::ProgramEnded {
                others: true,
                unhandled: false,
            },
        )
        .event(after(1), Event::Time);
    assert_eq!(story.times(Act::TermOthers), [after(1)]);
    assert_eq!(story.machine.deadline(), Some(after(6)));
    story.event(after(6), Event::Time);
    assert_eq!(story.times(Act::KillOthers), [after(6)]);

    // The program took nearly all of the grace.
    let mut story = Story::new(training(), false);
    story
        .event(seconds(0), Event::Stop(TERM))
        .event(
            seconds(107),
            Event::ProgramEnded {
                others: true,
                unhandled: false,
            },
        )
        .event(after(107), Event::Time);
    assert_eq!(story.machine.deadline(), Some(seconds(110)));

    // No stop was requested.
    let mut story = Story::new(training(), false);
    story
        .event(
            seconds(50),
            Event::ProgramEnded {
                others: true,
                unhandled: false,
            },
        )
        .event(after(50), Event::Time);
    assert_eq!(story.machine.deadline(), Some(after(55)));
}

/// `python -c 'subprocess.run(trainer)'`, as image after image has it.
#[test]
fn behind_a_wrapper_that_died_of_the_stop_a_trainer_has_the_programs_time() {
    let asked = seconds(1) + SETTLE;
    let left = |unhandled, handle| {
        let mut story = Story::new(training(), false);
        story
            .event(seconds(0), Event::Stop(TERM))
            .event(
                seconds(1),
                Event::ProgramEnded {
                    others: true,
                    unhandled,
                },
            )
            .event(asked, Event::Time)
            .event(asked, Event::OthersLeft { handle });
        assert_eq!(story.times(Act::TermOthers), [asked]);
        story
    };
    let mut story = left(true, true);
    assert_eq!(story.machine.deadline(), Some(seconds(110)));
    // It has saved. The others ignore SIGTERM.
    story
        .event(seconds(50), Event::OthersLeft { handle: false })
        .event(seconds(50), Event::Time);
    assert_eq!(story.times(Act::KillOthers), [seconds(50)]);
    // A process that ignores SIGTERM, and what a program leaves that ends by itself.
    for (unhandled, handle) in [(true, false), (false, true)] {
        let story = left(unhandled, handle);
        assert_eq!(story.machine.deadline(), Some(asked + seconds(5)));
    }
}

#[test]
fn helpers_that_end_with_the_program_get_no_signal() {
    let mut story = Story::new(training(), false);
    story
        .event(
            seconds(50),
            Event::ProgramEnded {
                others: true,
                unhandled: false,
            },
        )
        .event(seconds(50), Event::NothingLeft);
    assert!(story.machine.done());
    assert!(story.times(Act::TermOthers).is_empty());
}

#[test]
fn the_agent_is_stopped_last_after_the_program_is_gone() {
    let mut story = Story::new(training(), true);
    story.event(seconds(0), Event::Stop(TERM)).event(
        seconds(9),
        Event::ProgramEnded {
            others: false,
            unhandled: false,
        },
    );
    assert_eq!(story.times(Act::TermAgent), [seconds(9)]);
    assert!(!story.machine.done());
    story.event(seconds(9), Event::AgentEnded);
    assert!(story.machine.done());
}

#[test]
fn an_agent_has_five_seconds_for_its_last_words_and_a_step_of_the_grace_after_a_stop() {
    let mut story = Story::new(training(), true);
    story.event(
        seconds(50),
        Event::ProgramEnded {
            others: false,
            unhandled: false,
        },
    );
    assert_eq!(story.machine.deadline(), Some(seconds(55)));
    story.event(seconds(55), Event::Time);
    assert_eq!(story.times(Act::KillAgent), [seconds(55)]);

    let mut story = Story::new(training(), true);
    story.event(seconds(0), Event::Stop(TERM)).event(
        seconds(9),
        Event::ProgramEnded {
            others: false,
            unhandled: false,
        },
    );
    let step = (training().whole - training().program) / 4;
    assert_eq!(story.machine.deadline(), Some(seconds(9) + step));
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Time),
        2 => prop_oneof![Just(2), Just(TERM)].prop_map(Event::Stop),
        2 => prop_oneof![Just(1), Just(10), Just(64)].prop_map(Event::Signal),
        1 => any::<[bool; 2]>()
            .prop_map(|[others, unhandled]| Event::ProgramEnded { others, unhandled }),
        1 => any::<bool>().prop_map(|handle| Event::OthersLeft { handle }),
        1 => Just(Event::NothingLeft),
        1 => Just(Event::AgentEnded),
    ]
}

prop_compose! {
    fn budget()(
        whole in 1_u64..200_000,
        reserve in 0_u64..50_000,
        drain in 0_u64..50_000,
        orphans in 0_u64..50_000,
    ) -> Budget {
        let program = whole.saturating_sub(reserve);
        Budget {
            drain: Duration::from_millis(drain.min(program)),
            program: Duration::from_millis(program),
            orphans: Duration::from_millis(orphans),
            whole: Duration::from_millis(whole),
        }
    }
}

proptest! {
    /// A world that behaves as badly as it may: the program and what it started end by
    /// themselves or never, and nothing comes at the right time.
    #[test]
    fn every_interleaving_ends_within_the_budget(
        budget in budget(),
        agent: bool,
        happened in prop::collection::vec((0_u64..3_000, event()), 0..60),
    ) {
        let mut story = Story::new(budget, agent);
        let mut now = Duration::from_secs(1_000);
        let mut program_ended = None;
        for (later, event) in happened {
            now += Duration::from_millis(later);
            // As the loop does: a deadline that has passed comes first.
            for _ in 0..20 {
                let Some(due) = story.machine.deadline().filter(|due| *due <= now) else { break };
                story.event(due, Event::Time);
            }
            if matches!(event, Event::ProgramEnded { .. }) && story.machine.program_runs() {
                program_ended = Some(now);
            }
            story.event(now, event);
        }
        // From here the platform repeats the stop, and no process reacts.
        if story.machine.stop().is_none() {
            story.event(now, Event::Stop(TERM));
        }
        let stop = story.machine.stop().expect("a stop was asked for");
        if program_ended.is_none() && story.machine.done() {
            // Given up on, not ended.
            prop_assert!(story.machine.killed());
        }
        let mut steps = 0;
        while let Some(due) = story.machine.deadline() {
            steps += 1;
            prop_assert!(steps < 20, "it does not come to an end");
            prop_assert!(due <= stop.at + budget.whole);
            now = now.max(due);
            story.event(now, Event::Time);
        }
        prop_assert!(story.machine.done());
        prop_assert!(story.machine.report_until(now) <= now.max(stop.at + budget.whole));

        // No KILL before its time.
        for at in story.times(Act::KillProgram) {
            prop_assert!(at >= stop.at + budget.program);
        }
        for at in story.times(Act::KillOthers) {
            let ended = program_ended.expect("others are killed after the program");
            prop_assert!(at >= (ended + budget.orphans).min(stop.at + budget.program));
        }
        for killed in [Act::KillProgram, Act::KillOthers, Act::TermOthers, Act::TermAgent, Act::KillAgent] {
            prop_assert!(story.times(killed).len() <= 1);
        }
        // The agent hears nothing while the program runs.
        if let (Some(at), Some(ended)) = (story.times(Act::TermAgent).first(), program_ended) {
            prop_assert!(*at >= ended);
        }
        prop_assert!(agent || story.times(Act::TermAgent).is_empty());
        let announced = story.acts.iter().filter(|(_, act)| matches!(act, Act::Announce { .. }));
        prop_assert_eq!(announced.count(), 1);
    }

    #[test]
    fn every_signal_is_forwarded_once_and_in_order_while_the_program_runs(
        signals in prop::collection::vec(event(), 0..40),
    ) {
        let mut story = Story::new(training(), false);
        let mut expected = Vec::new();
        for event in signals {
            if story.machine.program_runs() {
                match event {
                    Event::Signal(signal) => expected.push(Act::Forward(signal)),
                    Event::Stop(signal) => expected.push(Act::ForwardStop(signal)),
                    _ => {}
                }
            }
            story.event(seconds(1), event);
        }
        let forwarded: Vec<Act> = story
            .acts
            .iter()
            .map(|(_, act)| *act)
            .filter(|act| matches!(act, Act::Forward(_) | Act::ForwardStop(_)))
            .collect();
        prop_assert_eq!(forwarded, expected);
    }
}
