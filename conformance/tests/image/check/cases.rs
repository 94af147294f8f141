//! Each check that starts an image has a small image that fails it, and nothing else of its family, and one that
//! passes it.

mod servers;
mod starts;
mod trainings;

use lyftlearn_conformance::check::{CHECKS, Need};

use super::{SKIPPED, Small, checked, platform, settings};
use crate::lazy;

/// A small image, the checks that run, and their results.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    /// What the actor does.
    pub(super) train: &'static str,
    pub(super) serve: &'static str,
    /// More of `runtime.toml`.
    pub(super) settings: &'static str,
    /// Words of the actor that come before the runtime in the entry point.
    pub(super) entry: &'static [&'static str],
    /// An instruction. An ENTRYPOINT replaces the usual one.
    pub(super) change: &'static str,
    pub(super) hyperparameters: &'static str,
    pub(super) only: &'static [&'static str],
    pub(super) fails: &'static [&'static str],
    /// Checks that a usual small image skips, and this one passes.
    pub(super) passes: &'static [&'static str],
    /// A part of the message.
    pub(super) said: &'static str,
}

pub(super) const GOOD: Case = Case {
    name: "",
    train: "ok",
    serve: "ok",
    settings: "",
    entry: &[],
    change: "LABEL a=b",
    hyperparameters: "seconds = \"1\"",
    only: &[],
    fails: &[],
    passes: &[],
    said: "",
};

#[track_caller]
pub(super) fn check(case: &Case) {
    let entry: Vec<String> = ["actor", "as"]
        .iter()
        .filter(|_| !case.entry.is_empty())
        .chain(case.entry)
        .chain(&["lyftlearn-runtime", "run", "--"])
        .map(|word| format!("\"{word}\""))
        .collect();
    let entry = format!("ENTRYPOINT [{}]", entry.join(", "));
    let mut commands = settings(case.train, case.serve);
    // Without a mode there is no such command.
    commands = commands
        .lines()
        .filter(|line| !line.ends_with("\"\"]"))
        .map(|line| format!("{line}\n"))
        .collect();
    let small = Small {
        name: case.name,
        settings: &format!("{commands}{}", case.settings),
        changes: &[&entry, case.change],
        ..Small::default()
    };
    let Some(checked) = checked(&small, case.hyperparameters, case.only) else {
        return;
    };
    let name = case.name;
    assert_eq!(checked.wrong, case.fails, "{name}: {}", checked.said);
    assert!(checked.said.contains(case.said), "{name}: {}", checked.said);
    for id in case.passes {
        assert!(
            checked.passed.iter().any(|passed| passed == id),
            "{name}: {id} did not pass: {checked:?}"
        );
    }
}

/// Checks that no image fails, each with the reason.
const NEVER_FAIL: &[(&str, &str)] = &[("warm.cache-used", "it is measured, and has no budget")];

/// `tests/check` has the images of all other checks, as layouts, and is held to it there.
#[test]
fn each_check_that_starts_an_image_has_one_that_fails_it_and_one_that_passes_it() {
    let tables = [
        servers::SERVERS,
        servers::MORE_SERVERS,
        trainings::TRAININGS,
        trainings::MORE_TRAININGS,
        starts::INITS,
        starts::SILENT,
        starts::STARTS,
        starts::VIEWS,
        starts::RESTRICTED,
        platform::QUICK,
        platform::GIVEN,
        platform::LEFT,
    ];
    let cases = || tables.iter().copied().flatten();
    let figures = || lazy::BUDGETS.iter();
    let mut wrong = Vec::new();
    for check in CHECKS
        .iter()
        .filter(|check| check.needs.contains(&Need::Engine))
    {
        let id = check.id;
        let alone = cases().filter(|case| case.fails == [id]);
        let alone = alone.map(|case| case.name.to_owned());
        let over = figures()
            .filter(|(_, known)| *known == id)
            .map(|(budget, _)| (*budget).to_owned());
        let excused = NEVER_FAIL
            .iter()
            .filter(|(known, _)| *known == id)
            .map(|(_, why)| (*why).to_owned());
        let failing: Vec<String> = alone.chain(over).chain(excused).collect();
        let mut passing: Vec<&str> = cases()
            .filter(|case| case.passes.contains(&id))
            .map(|case| case.name)
            .collect();
        if figures().any(|(_, known)| *known == id) {
            passing.push("figures");
        } else if !SKIPPED.contains(&id) {
            passing.push("good");
        }
        eprintln!(
            "{id:32} passes: {:20} fails: {}",
            passing.join(", "),
            failing.join(", ")
        );
        if failing.is_empty() {
            wrong.push(format!("no image fails {id} alone"));
        }
        if passing.is_empty() {
            wrong.push(format!("no image passes {id}"));
        }
    }
    assert_eq!(wrong, [""; 0]);
}
