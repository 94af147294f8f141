//! The agent killed at any moment: no end is missing, and none is there twice.

use std::time::Instant;

use super::super::agent::kill;
use super::*;

/// Numbers that are the same in each run (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// The agent of a container, if there is one just now.
fn agent_now(one: i32) -> Option<i32> {
    super::super::agent::agent_of(one)
}

/// A job of some 100 ms whose agent is killed or stopped within 150 ms after its start.
fn one_job(chance: &mut Chance, signal: Signal) {
    let job = Told::new([queue("direct.fifo"), queue("direct")]).with("heartbeat_seconds = 1\n");
    let code = i32::try_from(chance.below(2)).unwrap();
    let moment = Duration::from_millis(chance.below(150));
    let running = job.shell(&format!("sleep 0.1; exit {code}"));
    let one = running.pid_one();
    let at = Instant::now() + moment;
    let found = wait::until(|| {
        let is_over = !std::path::Path::new(&format!("/proc/{one}")).exists();
        let agent = (Instant::now() >= at).then(|| agent_now(one)).flatten();
        (is_over || agent.is_some()).then_some(agent)
    });
    if let Some(agent) = found.flatten() {
        // It may end by itself at this moment.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(agent), signal);
    }
    job.check(&running.end(), code);
    let expected = ["Completed", "Failed"][usize::try_from(code).unwrap()];
    for queue in ["direct.fifo", "direct"] {
        let row = job.row(queue);
        assert_eq!(row["status"], expected, "{moment:?} {signal} {queue}");
        let (events, _) = job.told(queue);
        let mut ends: Vec<String> = events
            .iter()
            .filter(|event| status(event) == expected)
            .map(|event| own(event, "EventId").as_str().unwrap().to_owned())
            .collect();
        assert_eq!(ends.len(), 1, "{moment:?} {signal} {queue}: {events:#?}");
        // The end has the highest number of all.
        let last = ends.remove(0);
        let number = |event: &Value| own(event, "Sequence").as_u64();
        let highest = events.iter().max_by_key(|event| number(event)).unwrap();
        assert_eq!(own(highest, "EventId"), &json!(last));
    }
}

#[test]
fn an_agent_that_is_killed_or_stopped_costs_no_end() {
    needs_servers!();
    let mut chance = Chance(0x5eed_0001);
    for _ in 0..8 {
        one_job(&mut chance, Signal::SIGKILL);
    }
    for _ in 0..2 {
        one_job(&mut chance, Signal::SIGSTOP);
    }
}

#[test]
#[ignore = "two hundred jobs: make test-events"]
fn two_hundred_agents_that_are_killed_cost_no_end() {
    needs_servers!();
    let mut chance = Chance(0x5eed_0002);
    for _ in 0..200 {
        one_job(&mut chance, Signal::SIGKILL);
    }
}

#[test]
fn a_restarted_agent_sends_the_state_again() {
    needs_servers!();
    let job = Told::new([queue("direct")]).with("heartbeat_seconds = 1\nlease_seconds = 3\n");
    let running = job.shell("until [ -e /shared/go ]; do sleep 0.05; done");
    job.waits_for("direct", "InProgress");
    let one = running.pid_one();
    let first = super::super::agent::agent(one, None);
    kill(first, Signal::SIGKILL);
    super::super::agent::agent(one, Some(first));
    let before = job.told("direct").0.len();
    let more = wait::until(|| (job.told("direct").0.len() > before).then_some(()));
    assert!(more.is_some());
    job.world.file("shared/go", "");
    job.check(&running.end(), 0);
    let (events, _) = job.told("direct");
    let numbers: Vec<u64> = events
        .iter()
        .map(|event| own(event, "Sequence").as_u64().unwrap())
        .collect();
    assert!(
        numbers.windows(2).all(|pair| pair[0] < pair[1]),
        "{numbers:?}"
    );
    assert_eq!(job.row("direct")["status"], "Completed");
}
