//! The smaller subcommands.

use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use serde_json::json;

use super::check::{find, ids, others, prefetch, print, source, subject};
use super::{Files, Form, Line, Run, With};
use lyftlearn_conformance::check::{CHECKS, Check};
use lyftlearn_conformance::engine::call::Stop;
use lyftlearn_conformance::engine::session::Session;
use lyftlearn_conformance::image_toml::{self, ImageToml};
use lyftlearn_conformance::layout::Reference;
use lyftlearn_conformance::place::{Input, Place, Word};
use lyftlearn_conformance::report::{Report, text};
use lyftlearn_conformance::trouble::{Result, Trouble};

fn level(check: &Check) -> &'static str {
    check.level.name()
}

fn needs(check: &Check) -> Vec<&'static str> {
    check.needs.iter().map(|need| need.name()).collect()
}

/// `list`
pub(crate) fn list(form: Form) -> Result<ExitCode> {
    let text = match form {
        Form::Json => {
            let all: Vec<_> = CHECKS
                .iter()
                .map(|check| {
                    json!({
                        "id": check.id, "level": level(check), "profile": check.profile.name(),
                        "needs": needs(check), "passes": check.passes, "since": env!("CARGO_PKG_VERSION"),
                    })
                })
                .collect();
            serde_json::to_string_pretty(&all).map_err(|err| Trouble::Cannot(err.to_string()))?
                + "\n"
        }
        Form::Text | Form::Github => CHECKS
            .iter()
            .map(|check| {
                let needs = needs(check).join(", ");
                let needs = if needs.is_empty() {
                    "-".to_owned()
                } else {
                    needs
                };
                format!(
                    "{:26} {:6} {:10} {needs}\n",
                    check.id,
                    level(check),
                    check.profile.name()
                )
            })
            .collect(),
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// `explain`
pub(crate) fn explain(id: &str) -> Result<ExitCode> {
    let Some(check) = CHECKS.iter().find(|check| check.id == id) else {
        let nearest = CHECKS.iter().max_by(|a, b| {
            strsim::jaro_winkler(id, a.id).total_cmp(&strsim::jaro_winkler(id, b.id))
        });
        let nearest = nearest.map(|check| check.id).unwrap_or_default();
        return Err(Trouble::Wrong(vec![format!(
            "there is no check {id}; did you mean {nearest}?"
        )]));
    };
    print(&format!(
        "{} ({}, profile {})\n\npasses when: {}\nwhy: {}\nhow it is measured: {}\nto do: {}\n",
        check.id,
        level(check),
        check.profile.name(),
        check.passes,
        check.why,
        check.how,
        check.mend
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// `init`
pub(crate) fn init(image: Option<&str>, with: &With) -> Result<ExitCode> {
    let mut roles = vec![Word::Train, Word::Serve];
    if let Some(image) = image {
        let stop = Stop::on_signals()?;
        let found = find(image, with, &stop)?;
        roles = subject(&found, ImageToml::default(), with, &stop)?.roles;
    }
    let names: Vec<_> = roles
        .iter()
        .map(|word| {
            if *word == Word::Train {
                "\"training\""
            } else {
                "\"serving\""
            }
        })
        .collect();
    let mut text = format!(
        "# What this image is for, for `lyftlearn-conformance check IMAGE --file image.toml`.\n\
         # Paths are relative to this file. Every key is optional.\n\n\
         [image]\n\
         # What the image does. Without this line: what its [commands] in runtime.toml name.\n\
         roles = [{}]\n\
         # Which checks are run. Add \"restricted\" for clusters with the Pod Security Standard restricted.\n\
         # profiles = [\"base\", \"training\", \"serving\", \"restricted\"]\n",
        names.join(", ")
    );
    if roles.contains(&Word::Train) {
        text.push_str(
            "\n[train]\n\
             # Strings, as on the platforms.\n\
             # hyperparameters = { epochs = \"1\" }\n\
             # A small sample for each channel: a directory.\n\
             # channels.train = \"sample/train\"\n\
             timeout_seconds = 300\n\
             # Below /opt/ml, after a training that ended with 0.\n\
             # expect.files = [\"model/model.joblib\"]\n\
             # Regular expressions, as a metric definition of SageMaker has them.\n\
             # expect.log = ['validation:accuracy=([0-9.]+)']\n\
             # Hyperparameters with which it fails, and a part of the reason that people must then read.\n\
             # expect.failure = { hyperparameters = { epochs = \"x\" }, reason = \"invalid literal\" }\n\
             # A regular expression for the log of a training that resumes from its checkpoints.\n\
             # expect.resume = 'resumed from epoch ([0-9]+)'\n\
             # How much numbers in JSON files of two models may differ.\n\
             # tolerance = 1e-6\n",
        );
    }
    if roles.contains(&Word::Serve) {
        text.push_str(
            "\n[serve]\n\
             # \"trained\": what [train] left; or a directory.\n\
             # model = \"trained\"\n\
             ready = \"/ping\"\n\
             # ready_pod = \"/healthz/ready\"\n\
             ready_seconds = 60\n\
             # request = { path = \"/invocations\", body = \"sample/request.json\", content_type = \"application/json\" }\n\
             # The same bytes, or the same JSON with numbers within the tolerance.\n\
             # expect.body = \"sample/answer.json\"\n\
             # tolerance = 1e-6\n",
        );
    }
    text.push_str(
        "\n# Figures of a start and of the layers: over its budget, that check fails.\n\
         # [budget]\n\
         # ready_seconds = 10\n\
         # layers_caches_mib = 16\n\
         # There must be a SOCI index.\n\
         # [lazy]\n\
         # require = true\n\
         \n# A failure that is known, until its last day.\n\
         # [[waive]]\n\
         # check = \"image.healthcheck\"\n\
         # reason = \"our own hosts need it\"\n\
         # until = 2027-03-31\n",
    );
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<Report> {
    let wrong =
        |why: String| Trouble::Wrong(vec![format!("cannot read {}: {why}", path.display())]);
    let bytes = std::fs::read(path).map_err(|err| wrong(err.to_string()))?;
    let report: Report = serde_json::from_slice(&bytes).map_err(|err| {
        wrong(format!(
            "not a report, at line {}, column {}",
            err.line(),
            err.column()
        ))
    })?;
    if report.format != 1 {
        return Err(wrong(format!(
            "it has format {}, but this version reads format 1",
            report.format
        )));
    }
    Ok(report)
}

/// `report`
pub(crate) fn report(file: &Path, compare: Option<&Path>, files: &Files) -> Result<ExitCode> {
    let report = read(file)?;
    others(&report, files, source(files, None)?.as_ref())?;
    match compare {
        Some(old) => print(&text::compared(&report, &read(old)?))?,
        None => print(&text::whole(&report))?,
    }
    prefetch(&report, files)?;
    Ok(ExitCode::SUCCESS)
}

/// `completions`
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<ExitCode> {
    print(&super::manuals::completions(shell, Line::command()))?;
    Ok(ExitCode::SUCCESS)
}

/// `run`
pub(crate) fn run(line: &Run) -> Result<ExitCode> {
    let stop = Stop::on_signals()?;
    let Some(place) = Place::ALL.iter().find(|place| place.name() == line.place) else {
        let names: Vec<_> = Place::ALL.iter().map(|place| place.name()).collect();
        return Err(Trouble::Wrong(vec![format!(
            "there is no place {}; the places are {}",
            line.place,
            names.join(", ")
        )]));
    };
    if !matches!(Reference::of(&line.image), Reference::Engine(_)) {
        return Err(Trouble::Wrong(vec![
            "cannot run an archive: load it into an engine".to_owned(),
        ]));
    }
    let toml = line
        .file
        .as_deref()
        .map(|path| image_toml::read(path, &ids()))
        .transpose()?
        .unwrap_or_default();
    let found = find(&line.image, &line.with, &stop)?;
    let mut subject = subject(&found, toml, &line.with, &stop)?;
    let engine = found
        .engine()
        .ok_or_else(|| Trouble::Cannot("no engine".to_owned()))?;
    // Kept: the user looks at it and removes it.
    subject.session = Some(Session::open(engine, &stop, true)?);
    let words_of_place = place.word().or_else(|| subject.roles.last().copied());
    let started = started(&subject, *place, words_of_place, &line.words);
    let session = subject.session()?;
    match started {
        Ok(container) => {
            let (program, prefix) = (engine.program(), session.prefix());
            let (name, helper) = (&container.name, &container.helper);
            let mut text = format!(
                "{name} runs as in {}\n\n\
                 its output:       {program} logs -f {name}\n\
                 look around:      {program} exec {name} lyftlearn-runtime inspect\n\
                 stop it:          {program} stop -t {} {name}\n",
                place.name(),
                place.patience(),
            );
            let image = format!("{program} rmi localhost/{prefix}:helper");
            if container.volumes.is_empty() {
                text.push_str(&format!(
                    "remove all of it: {program} rm -f {name}; {image}\n"
                ));
            } else {
                // The helper has the network and the volumes.
                text.push_str(&format!(
                    "probe it:         {program} exec {helper} /conformance probe ready {} /ping 5\n\
                     remove all of it: {program} rm -f {name}; {program} rm -f {helper}; \
                     {program} volume rm $({program} volume ls -q --filter name={prefix}); {image}\n",
                    place.port(),
                ));
            }
            print(&text)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(why) => {
            lyftlearn_conformance::engine::clean::clean(engine, session.prefix());
            Err(why)
        }
    }
}

fn started(
    subject: &lyftlearn_conformance::check::Subject,
    place: Place,
    word: Option<Word>,
    words: &[String],
) -> Result<lyftlearn_conformance::engine::session::Container> {
    let input: Input = match word {
        Some(Word::Serve) => subject.model()?,
        _ => subject.job(None)?,
    };
    let session = subject.session()?;
    let mut order = subject.order(place, word, &input);
    if place == Place::Bare {
        order.words.clear();
    }
    if !words.is_empty() {
        order.words = words.to_vec();
    }
    session.start(&order)
}
