//! Whether the image starts in each place, and what PID 1 makes of signals and orphans.

use std::time::Duration;

use super::running::{self, Started};
use super::{Seen, Subject};
use crate::place::{Input, Place, Word};
use crate::probe;
use crate::probe::program::{Orphans, SIGNALS};
use crate::trouble::Result;

/// The last lines of a log, for a message. A report of the runtime is shown from its first line, which
/// says what failed: causes and the hint are indented below it.
pub(crate) fn last(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let is_below = |line: &&&str| line.starts_with(' ');
    let below = lines.iter().rev().take_while(is_below).count();
    let report = lines.len().saturating_sub(below + 1);
    let is_report = lines
        .get(report)
        .is_some_and(|line| below > 0 && line.starts_with("lyftlearn-runtime: "));
    let kept: Vec<&str> = if is_report {
        lines[report..].to_vec()
    } else {
        // What the program printed may stand before the runtime's own lines: an engine reads standard output and
        // standard error in any order.
        let mut from_end = lines.iter().rev().copied();
        let end = from_end.next();
        let is_programs = |line: &&str| !line.starts_with("lyftlearn-runtime: ");
        let before = from_end.clone().find(is_programs).or(from_end.next());
        before.into_iter().chain(end).collect()
    };
    let kept: Vec<&str> = kept.into_iter().map(str::trim).collect();
    kept.join(" | ").chars().take(400).collect()
}

/// How a container ended, for a message.
pub(super) fn ended(code: Option<i32>) -> String {
    match code {
        Some(code) => format!("it ended with exit code {code}"),
        None => "it was still running when its time limit ended".to_owned(),
    }
}

fn judged(subject: &Subject, started: &Started, place: Place) -> Seen {
    let runtime = super::image::has_runtime(&subject.image.config.config);
    let code = started.ended.code;
    let seen = if !runtime {
        match code {
            Some(code @ 125..=127) => Seen::failed(
                format!("exit code {code}: {}", last(&started.ended.log)),
                "a program that starts",
            ),
            _ => Seen::noted("without lyftlearn-runtime, only the start itself is checked"),
        }
    } else if code != Some(0) {
        Seen::failed(
            format!("{}: {}", ended(code), last(&started.ended.log)),
            "a start in which the program runs",
        )
    } else {
        match &started.view {
            None => Seen::failed(
                "the probe did not run in place of the program",
                "the program that the settings name",
            ),
            Some(view) if !view.problems.is_empty() => {
                Seen::failed(view.problems.join("; "), "a start without problems")
            }
            Some(_) => match place.missing_evidence() {
                Some(missing) => Seen::noted(missing),
                None => Seen::passed(),
            },
        }
    };
    seen.at(place)
        .with_log(&started.ended.log)
        .with_figure("seconds", started.ended.seconds)
}

fn start(subject: &Subject, place: Place) -> Result<Vec<Seen>> {
    let Some(word) = place.word() else {
        return Ok(Vec::new());
    };
    Ok(vec![judged(subject, subject.started(place, word)?, place)])
}

pub(super) fn sagemaker_training(subject: &Subject) -> Result<Vec<Seen>> {
    start(subject, Place::SagemakerTraining)
}

pub(super) fn sagemaker_hosting(subject: &Subject) -> Result<Vec<Seen>> {
    start(subject, Place::SagemakerHosting)
}

/// A place in which an image may have either role.
fn start_each(subject: &Subject, place: Place) -> Result<Vec<Seen>> {
    let mut all = Vec::new();
    for word in &subject.roles {
        all.push(judged(subject, subject.started(place, *word)?, place));
    }
    if all.is_empty() {
        all.push(Seen::skipped("the image claims no role"));
    }
    Ok(all)
}

pub(super) fn sagemaker_multi_container(subject: &Subject) -> Result<Vec<Seen>> {
    start(subject, Place::SagemakerMultiContainer)
}

pub(super) fn sagemaker_transform(subject: &Subject) -> Result<Vec<Seen>> {
    start(subject, Place::SagemakerTransform)
}

pub(super) fn sagemaker_processing(subject: &Subject) -> Result<Vec<Seen>> {
    let place = Place::SagemakerProcessing;
    let started = subject.started(place, Word::Train)?;
    Ok(vec![judged(subject, started, place)])
}

pub(super) fn sagemaker_local(subject: &Subject) -> Result<Vec<Seen>> {
    start_each(subject, Place::SagemakerLocal)
}

pub(super) fn sagemaker_isolated(subject: &Subject) -> Result<Vec<Seen>> {
    start_each(subject, Place::SagemakerIsolated)
}

pub(super) fn kubernetes_pod(subject: &Subject) -> Result<Vec<Seen>> {
    start(subject, Place::KubernetesPod)
}

pub(super) fn kubernetes_job(subject: &Subject) -> Result<Vec<Seen>> {
    start(subject, Place::KubernetesJob)
}

/// Whether an engine has something to start without arguments.
fn starts_alone(subject: &Subject) -> bool {
    let started = &subject.image.config.config;
    let words = started.entrypoint.iter().chain(&started.cmd).flatten();
    words.count() > 0
}

const NOTHING: &str =
    "the image has neither ENTRYPOINT nor CMD: without arguments there is nothing to start";

/// Without arguments: the default command, or an end that says why.
pub(super) fn bare(subject: &Subject) -> Result<Vec<Seen>> {
    let session = subject.session()?;
    let place = Place::Bare;
    if !starts_alone(subject) {
        return Ok(vec![Seen::skipped(NOTHING).at(place)]);
    }
    let order = place.order(&subject.id, None, &Input::default());
    let (_, alone) = session.run(&order, subject.limit(10))?;
    let mut seen = vec![match alone.code {
        Some(code) if code != 0 && alone.log.trim().is_empty() => Seen::failed(
            format!(
                "without arguments {}, and it printed nothing",
                ended(Some(code))
            ),
            "a message with the reason",
        ),
        // A server or a job by default runs, and that is what it is for.
        _ => Seen::passed(),
    }];
    let by_argument = subject.by_argument()?;
    if !by_argument.works && super::image::has_runtime(&subject.image.config.config) {
        let shown = format!(
            "with a program as argument {}: {}",
            ended(by_argument.ended.code),
            last(&by_argument.ended.log)
        );
        seen = vec![
            Seen::failed(shown, "the program's own exit code, 7").with_log(&by_argument.ended.log),
        ];
    }
    Ok(seen
        .into_iter()
        .map(|seen| seen.at(place).with_log(&alone.log))
        .collect())
}

/// With the runtime switched off.
pub(super) fn off(subject: &Subject) -> Result<Vec<Seen>> {
    let session = subject.session()?;
    let mut order = Place::Bare.order(&subject.id, None, &Input::default());
    order.probe = true;
    order.words = [probe::PATH, "probe", "exit", "7"]
        .map(str::to_owned)
        .to_vec();
    order
        .variables
        .push(("LYFTLEARN_RUNTIME".to_owned(), "off".to_owned()));
    let (_, end) = session.run(&order, subject.limit(10))?;
    let seen = if end.code == Some(7) {
        Seen::passed()
    } else {
        Seen::failed(
            format!("{}: {}", ended(end.code), last(&end.log)),
            "the program's own exit code, 7",
        )
    };
    Ok(vec![seen.at(Place::Bare).with_log(&end.log)])
}

/// Starts the probe by the image's arguments, if its entry point does that.
fn by_argument(
    subject: &Subject,
    words: &[&str],
) -> Result<std::result::Result<crate::place::Order, Seen>> {
    if !subject.by_argument()?.works {
        return Ok(Err(Seen::skipped(
            "the entry point does not start the program that its arguments name",
        )
        .at(Place::Bare)));
    }
    let mut order = Place::Bare.order(&subject.id, None, &Input::default());
    order.probe = true;
    order.words = [probe::PATH, "probe"]
        .iter()
        .chain(words)
        .map(|word| (*word).to_owned())
        .collect();
    Ok(Ok(order))
}

pub(super) fn signals(subject: &Subject) -> Result<Vec<Seen>> {
    let order = match by_argument(subject, &["signals"])? {
        Ok(order) => order,
        Err(seen) => return Ok(vec![seen]),
    };
    let session = subject.session()?;
    let (container, mut following) = session.begin(&order, subject.limit(60))?;
    let said = |log: &str, what: &str| {
        log.lines()
            .any(|line| line.trim_end() == format!("signals: {what}"))
    };
    if !following.until(Duration::from_secs(20), &subject.stop, |log| {
        said(log, "ready")
    })? {
        let end = session.end(&container, following)?;
        let seen = Seen::failed(
            format!("the probe does not run: {}", last(&end.log)),
            "a program that runs",
        );
        return Ok(vec![seen.at(Place::Bare).with_log(&end.log)]);
    }
    for signal in SIGNALS {
        // One that ended the container cannot be followed by another.
        if session.signal(&container, signal).is_err() {
            break;
        }
        following.until(Duration::from_secs(5), &subject.stop, |log| {
            said(log, signal)
        })?;
    }
    let end = session.end(&container, following)?;
    let mut wrong = Vec::new();
    for signal in SIGNALS {
        let line = format!("signals: {signal}");
        match end.log.lines().filter(|got| got.trim_end() == line).count() {
            1 => {}
            0 => wrong.push(format!("SIG{signal} did not reach it")),
            count => wrong.push(format!("SIG{signal} reached it {count} times")),
        }
    }
    let seen = if wrong.is_empty() {
        Seen::passed()
    } else {
        Seen::failed(
            wrong.join(", "),
            "each of SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, SIGINT and SIGTERM once",
        )
    };
    Ok(vec![seen.at(Place::Bare).with_log(&end.log)])
}

pub(super) fn orphans(subject: &Subject) -> Result<Vec<Seen>> {
    let order = match by_argument(subject, &["orphans", "500"])? {
        Ok(order) => order,
        Err(seen) => return Ok(vec![seen]),
    };
    let (_, end) = subject.session()?.run(&order, subject.limit(60))?;
    let told = end
        .log
        .lines()
        .find_map(|line| serde_json::from_str::<Orphans>(line.trim_end()).ok());
    let seen = match told {
        Some(Orphans { zombies: 0, .. }) => Seen::passed(),
        Some(Orphans { made, zombies }) => Seen::failed(
            format!("{zombies} of {made} orphans were still zombies after ten seconds"),
            "none",
        ),
        None => Seen::failed(
            format!("{}: {}", ended(end.code), last(&end.log)),
            "no zombies: the entry point reaps orphans",
        ),
    };
    Ok(vec![seen.at(Place::Bare).with_log(&end.log)])
}

/// The start in a restricted pod, for each role.
pub(super) fn restricted(subject: &Subject) -> Result<Vec<Seen>> {
    let place = Place::KubernetesRestricted;
    let mut seen = Vec::new();
    for word in &subject.roles {
        seen.push(judged(subject, subject.started(place, *word)?, place));
    }
    if seen.is_empty() && !starts_alone(subject) {
        seen.push(Seen::skipped(NOTHING).at(place));
    } else if seen.is_empty() {
        let order = Place::KubernetesRestricted.order(&subject.id, None, &Input::default());
        let (_, end) = subject.session()?.run(&order, subject.limit(5))?;
        seen.push(
            match end.code {
                Some(code @ 125..=127) => Seen::failed(
                    format!("exit code {code}: {}", last(&end.log)),
                    "a program that starts",
                ),
                _ => Seen::noted("the image claims no role: only the start itself is checked"),
            }
            .at(place)
            .with_log(&end.log),
        );
    }
    Ok(seen)
}

/// A program that holds, and others beside it: the runtime's tools must find what it was given.
pub(super) fn beside(subject: &Subject, place: Place, word: Word) -> Result<Vec<Seen>> {
    let session = subject.session()?;
    let mut order = running::order(subject, place, word, &subject.job(None)?);
    order.probe = true;
    order
        .variables
        .extend(running::probe_variables(&["see", "and", "hold"]));
    let (container, mut following) = session.begin(&order, subject.limit(60))?;
    let whole = |log: &str| crate::probe::program::view(log).is_some();
    if !following.until(Duration::from_secs(20), &subject.stop, whole)? {
        let end = session.end(&container, following)?;
        let seen = Seen::failed(
            format!("the probe does not run: {}", last(&end.log)),
            "a program that runs",
        );
        return Ok(vec![seen.at(place).with_log(&end.log)]);
    }
    let runtime = subject.image.config.config.entrypoint.iter().flatten();
    let runtime = runtime
        .into_iter()
        .find(|word| word.ends_with("lyftlearn-runtime"))
        .cloned();
    let runtime = runtime.unwrap_or_else(|| "lyftlearn-runtime".to_owned());
    let user = if place == Place::KubernetesRestricted {
        "48213:48213"
    } else {
        "0:0"
    };
    let ask = |words: &[&str]| -> Result<std::result::Result<String, String>> {
        let all: Vec<&str> = [runtime.as_str()].iter().chain(words).copied().collect();
        let said = session.exec(&container, Some(user), &all)?;
        let why = String::from_utf8_lossy(&said.stderr).into_owned();
        Ok(match said.code {
            Some(0) => Ok(said.text()),
            code => Err(format!(
                "`{}` fails with exit code {}: {}",
                words[0],
                code.unwrap_or(-1),
                last(&why)
            )),
        })
    };
    let inspected = ask(&["inspect", "--json"])?;
    let executed = ask(&["exec", "--", probe::PATH, "probe", "see"])?;
    let metrics = ask(&["metrics"])?;
    session.signal(&container, "TERM")?;
    let end = session.end(&container, following)?;
    let view = crate::probe::program::view(&end.log).unwrap_or_default();
    let mut wrong: Vec<String> = metrics.err().into_iter().collect();
    match inspected {
        Err(why) => wrong.push(why),
        Ok(text) => {
            let inspected: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            // `inspect` tells what a start would make of the container; the rest is the start's own.
            for field in [
                "platform",
                "flavor",
                "role",
                "job",
                "topology",
                "lifecycle",
                "resources",
            ] {
                let fields = super::compare::differences(&inspected[field], &view.workload[field]);
                if !fields.is_empty() {
                    wrong.push(format!(
                        "{field} in `inspect` differs from the program's: {}",
                        fields.join(", ")
                    ));
                }
            }
        }
    }
    match executed.map(|text| crate::probe::program::view(&text)) {
        Err(why) => wrong.push(why),
        Ok(None) => wrong.push("`exec` does not start a program".to_owned()),
        Ok(Some(beside)) => {
            let fields = super::compare::differences(&beside.workload, &view.workload);
            if !fields.is_empty() {
                wrong.push(format!(
                    "in a program that `exec` starts, these differ: {}",
                    fields.join(", ")
                ));
            }
        }
    }
    let seen = if wrong.is_empty() {
        Seen::passed()
    } else {
        Seen::failed(wrong.join("; "), "the same values as in the program")
    };
    Ok(vec![seen.at(place).with_log(&end.log)])
}

#[cfg(test)]
mod tests {
    use super::last;

    #[test]
    fn a_report_is_shown_from_its_first_line() {
        let report = [
            "lyftlearn-runtime: cannot read /x",
            "because: denied",
            "advice",
        ];
        let log = format!("a\n{}\n", report.join("\n  "));
        assert_eq!(last(&log), report.join(" | "));
        assert_eq!(last("a\nb\n\nc\n"), "b | c");
        let ours = ["lyftlearn-runtime: started", "lyftlearn-runtime: ended"];
        assert_eq!(
            last(&format!("cause\n{}\n{}\n", ours[0], ours[1])),
            format!("cause | {}", ours[1])
        );
        assert_eq!(last(&ours.join("\n")), ours.join(" | "));
        assert_eq!(last("a\n  b\n  c\n"), "b | c");
        assert_eq!(last(""), "");
    }
}
