//! `check`: reads the image, runs the checks, writes the reports.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use indicatif::{ProgressBar, ProgressStyle};

use super::{Check, Files, Form, Which, With, pods};
use lyftlearn_conformance::check::{self, Choice, Subject};
use lyftlearn_conformance::engine::Engine;
use lyftlearn_conformance::engine::call::Stop;
use lyftlearn_conformance::engine::image;
use lyftlearn_conformance::engine::session::Session;
use lyftlearn_conformance::engine::soci;
use lyftlearn_conformance::image_toml::{self, ImageToml};
use lyftlearn_conformance::layout::{self, Image, Reference};
use lyftlearn_conformance::report::source::Source;
use lyftlearn_conformance::report::{self, Report};
use lyftlearn_conformance::trouble::{Result, Trouble};
use lyftlearn_conformance::wait;

/// Runs it.
pub(crate) fn run(line: &Check) -> Result<ExitCode> {
    if line.with.engine == Which::Kubernetes {
        return pods::run(line);
    }
    if line.context.is_some() || line.namespace.is_some() {
        return Err(Trouble::Wrong(vec![
            "--context and --namespace need --engine kubernetes".to_owned(),
        ]));
    }
    let stop = Stop::on_signals()?;
    let began = Instant::now();
    let started = started_at();
    wrong_patterns(line)?;
    let source = source(&line.files, line.file.as_deref())?;
    let layout = to_convert(line)?;
    let toml = line
        .file
        .as_deref()
        .map(|path| image_toml::read(path, &ids()))
        .transpose()?
        .unwrap_or_default();
    let found = find(&line.image, &line.with, &stop)?;
    let mut subject = subject(&found, toml, &line.with, &stop)?;
    if let Some(path) = &layout {
        subject.image.soci = soci::converted(path, &subject.architecture, &stop)?;
    }
    subject.today = started[..10].to_owned();
    subject.limit = line
        .timeout
        .map(|seconds| Duration::from_secs(seconds.into()));
    let profiles = if line.profile.is_empty() {
        subject.profiles()
    } else {
        line.profile.clone()
    };
    let choice = Choice {
        profiles,
        only: line.only.clone(),
        skip: line.skip.clone(),
    };
    let checks = choice.checks();
    if let Some(engine) = found.engine()
        && checks
            .iter()
            .any(|check| check.needs.contains(&check::Need::Engine))
    {
        subject.session = Some(Session::open(engine, &stop, line.keep)?);
    }
    let bar = bar(checks.len() as u64);
    let findings = check::run(&subject, &checks, line.jobs.into(), &|id| {
        bar.set_message(id);
        bar.inc(1);
    });
    bar.finish_and_clear();
    let findings = findings?;
    let report = Report {
        format: 1,
        checker: env!("CARGO_PKG_VERSION").to_owned(),
        image: report::Image {
            reference: line.image.clone(),
            digest: subject.image.digest.clone(),
            architecture: subject.image.config.architecture.clone(),
            layers: subject
                .image
                .layers
                .iter()
                .map(|layer| layer.bytes)
                .collect(),
            spans: subject
                .spans()
                .iter()
                .map(|layer| (layer.all, layer.touched))
                .collect(),
            files: subject.image.tree.len(),
        },
        engine: found.engine().map(|engine| engine.program().to_owned()),
        strict: line.strict,
        started,
        seconds: began.elapsed().as_secs_f64(),
        views: views(&subject),
        opened: subject.opened(),
        findings,
    };
    let report = report.without(&subject.canary());
    // The reports come after the containers are gone: a full disk must not leave any behind.
    drop(subject);
    out(line, &report, source.as_ref())
}

/// The moment, for a report.
pub(crate) fn started_at() -> String {
    let started = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    wait::moment(started.as_secs())
}

/// Writes a report in every form that is asked for. The run's exit code is the report's.
pub(crate) fn out(line: &Check, report: &Report, source: Option<&Source>) -> Result<ExitCode> {
    let json =
        serde_json::to_string_pretty(report).map_err(|err| Trouble::Cannot(err.to_string()))?;
    if let Some(path) = &line.json {
        written(path, &json)?;
    }
    others(report, &line.files, source)?;
    match line.format {
        Form::Text => print(&report::text::whole(report))?,
        Form::Json => print(&json)?,
        Form::Github => {
            print(&report::github::annotations(report, source))?;
            if let Some(path) = &line.step_summary {
                appended(path, &report::github::summary(report))?;
            }
        }
    }
    prefetch(report, &line.files)?;
    Ok(ExitCode::from(report.exit_code()))
}

/// The layout that `--with-soci` is about.
fn to_convert(line: &Check) -> Result<Option<PathBuf>> {
    match Reference::of(&line.image) {
        _ if !line.with_soci => Ok(None),
        Reference::Layout(path) | Reference::Archive(path) => Ok(Some(path)),
        Reference::Engine(_) => Err(Trouble::Wrong(vec![
            "--with-soci converts an OCI layout: give oci:DIR or oci-archive:FILE (create one with podman push IMAGE oci:DIR)".to_owned(),
        ])),
    }
}

/// A pattern that means no check would check nothing, and pass.
pub(crate) fn wrong_patterns(line: &Check) -> Result<()> {
    let wrong: Vec<String> = line
        .only
        .iter()
        .chain(&line.skip)
        .filter(|pattern| {
            !check::CHECKS
                .iter()
                .any(|check| image_toml::matches(pattern, check.id))
        })
        .map(|pattern| format!("there is no check {pattern}; `list` shows all"))
        .collect();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Trouble::Wrong(wrong))
    }
}

/// The ids of all checks.
pub(crate) fn ids() -> Vec<&'static str> {
    check::CHECKS.iter().map(|check| check.id).collect()
}

fn views(subject: &Subject) -> Vec<report::Seen> {
    let seen = subject.views().into_iter();
    seen.map(|(place, word, view)| report::Seen {
        place: place.name().to_owned(),
        word: word.text().to_owned(),
        view,
    })
    .collect()
}

/// The files that were opened at the start. It comes after the results, so a missing list is
/// reported last.
pub(crate) fn prefetch(report: &Report, files: &Files) -> Result<()> {
    let Some(path) = &files.prefetch else {
        return Ok(());
    };
    if report.opened.is_empty() {
        return Err(Trouble::Cannot(
            "cannot write the prefetch list: no start was traced to its end; run lazy.files"
                .to_owned(),
        ));
    }
    let text = serde_json::to_string_pretty(&report.opened);
    written(path, &text.map_err(|err| Trouble::Cannot(err.to_string()))?)
}

/// The team's file that findings of the image are shown in.
pub(crate) fn source(files: &Files, toml: Option<&Path>) -> Result<Option<Source>> {
    let wrong = |why: String| Trouble::Wrong(vec![why]);
    let dockerfile = files.dockerfile.as_deref().map(|path| {
        std::fs::read_to_string(path)
            .map_err(|err| wrong(format!("cannot read {}: {err}", path.display())))
    });
    let dockerfile = dockerfile.transpose()?;
    let Some(path) = files.dockerfile.as_deref().or(toml) else {
        return match files.sarif {
            Some(_) => Err(wrong(
                "--sarif needs a file to attach its findings to: give --dockerfile FILE, or --file FILE".to_owned(),
            )),
            None => Ok(None),
        };
    };
    // Reports are read beside a checkout: below it, paths are relative to it.
    let here = std::env::current_dir().unwrap_or_default();
    let relative = path.strip_prefix(&here).unwrap_or(path);
    let relative = relative.strip_prefix("./").unwrap_or(relative);
    Ok(Some(Source {
        path: relative.to_string_lossy().into_owned(),
        dockerfile,
    }))
}

/// JUnit, HTML and SARIF.
pub(crate) fn others(report: &Report, files: &Files, source: Option<&Source>) -> Result<()> {
    if let (Some(path), Some(source)) = (&files.sarif, source) {
        let text = report::sarif::whole(report, source).map_err(Trouble::Cannot)?;
        written(path, &text)?;
    }
    if let Some(path) = &files.junit {
        written(
            path,
            &report::junit::whole(report).map_err(Trouble::Cannot)?,
        )?;
    }
    if let Some(path) = &files.html {
        written(path, &report::html::whole(report))?;
    }
    Ok(())
}

fn appended(path: &Path, text: &str) -> Result<()> {
    let file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|err| Trouble::Cannot(format!("cannot write {}: {err}", path.display())))
}

fn written(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text)
        .map_err(|err| Trouble::Cannot(format!("cannot write {}: {err}", path.display())))
}

/// On stdout, with colours where they are wanted.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut stdout = anstream::stdout();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    written.map_err(|err| Trouble::Cannot(format!("cannot write to stdout: {err}")))
}

pub(crate) fn bar(length: u64) -> ProgressBar {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if !std::io::stderr().is_terminal() || dumb {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {pos}/{len} {msg} ({elapsed})");
    let bar =
        ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Where an image is.
pub(crate) enum Found {
    /// In an engine, under this id.
    Engine(Engine, String),
    /// On disk.
    Disk(Reference),
}

impl Found {
    /// Its engine.
    pub(crate) fn engine(&self) -> Option<Engine> {
        match self {
            Self::Engine(engine, _) => Some(*engine),
            Self::Disk(_) => None,
        }
    }
}

/// Finds it, and pulls it where it must be.
pub(crate) fn find(image: &str, with: &With, stop: &Stop) -> Result<Found> {
    let reference = Reference::of(image);
    let Reference::Engine(name) = &reference else {
        return Ok(Found::Disk(reference));
    };
    let id = |engine: Engine, offline: bool| -> Result<String> {
        let about = image::inspect(engine, name, offline, stop)?;
        Ok(about["Id"].as_str().unwrap_or(name).to_owned())
    };
    let answering: Vec<Engine> = match with.engine {
        Which::Podman => vec![Engine::Podman],
        Which::Docker => vec![Engine::Docker],
        Which::Kubernetes => {
            return Err(Trouble::Wrong(vec![
                "--engine kubernetes works only with check: other commands start or read an image on this machine".to_owned(),
            ]));
        }
        Which::Auto => [Engine::Podman, Engine::Docker]
            .into_iter()
            .filter(|engine| image::answers(*engine, stop))
            .collect(),
    };
    stop.check()?;
    // The one that has it already; else the first pulls it.
    for engine in &answering {
        if let Ok(id) = id(*engine, true) {
            return Ok(Found::Engine(*engine, id));
        }
    }
    match answering.first() {
        None => Err(Trouble::Cannot(
            "cannot reach podman or docker; to check an archive without them, give docker-archive:FILE".to_owned(),
        )),
        Some(engine) => Ok(Found::Engine(*engine, id(*engine, with.offline)?)),
    }
}

/// Reads the image's files.
pub(crate) fn subject(found: &Found, toml: ImageToml, with: &With, stop: &Stop) -> Result<Subject> {
    let native = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    };
    let architecture = with
        .platform
        .as_deref()
        .map_or(native, |platform| platform.trim_start_matches("linux/"));
    let image: Image = match found {
        Found::Engine(engine, id) => image::saved(*engine, id, stop)?,
        Found::Disk(Reference::Layout(directory)) => layout::of_directory(directory, architecture)?,
        Found::Disk(Reference::Archive(file)) => layout::of_archive(file, architecture)?,
        Found::Disk(Reference::Engine(_)) => {
            unreachable!("an engine's image is found in the engine")
        }
    };
    let mut subject = Subject::new(image, toml, architecture);
    if let Found::Engine(_, id) = found {
        subject.id.clone_from(id);
    }
    subject.stop = stop.clone();
    Ok(subject)
}
