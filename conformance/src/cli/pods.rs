//! `check --engine kubernetes`: the pod checks in a cluster.

use std::process::ExitCode;

use super::Check;
use lyftlearn_conformance::trouble::{Result, Trouble};

/// What the command line must not have, and what it needs.
fn wrong(line: &Check) -> Vec<String> {
    let mut wrong = Vec::new();
    if line.with_soci {
        wrong.push(
            "--with-soci cannot be used with --engine kubernetes: it converts an OCI layout"
                .to_owned(),
        );
    }
    if line.with.platform.is_some() {
        wrong.push(
            "--platform cannot be used with --engine kubernetes: the pod's node sets the platform"
                .to_owned(),
        );
    }
    if line.image.starts_with("oci:") || line.image.contains("-archive:") {
        wrong.push(format!("{} is on this machine: --engine kubernetes needs a reference that the cluster can pull", line.image));
    }
    wrong
}

/// Runs it.
pub(crate) fn run(line: &Check) -> Result<ExitCode> {
    let wrong = wrong(line);
    if wrong.is_empty() {
        checked(line)
    } else {
        Err(Trouble::Wrong(wrong))
    }
}

#[cfg(not(feature = "kubernetes"))]
fn checked(_: &Check) -> Result<ExitCode> {
    Err(Trouble::Cannot(
        "this build has no Kubernetes client: build it with --features kubernetes".to_owned(),
    ))
}

#[cfg(feature = "kubernetes")]
fn checked(line: &Check) -> Result<ExitCode> {
    use super::check::{bar, ids, out, source, started_at, wrong_patterns};
    use lyftlearn_conformance::check::Choice;
    use lyftlearn_conformance::engine::call::Stop;
    use lyftlearn_conformance::image_toml;
    use lyftlearn_conformance::pods::{self, Cluster};
    use lyftlearn_conformance::report::{Image, Report};
    use std::time::{Duration, Instant};

    let stop = Stop::on_signals()?;
    let (began, started) = (Instant::now(), started_at());
    wrong_patterns(line)?;
    let source = source(&line.files, line.file.as_deref())?;
    let toml = line
        .file
        .as_deref()
        .map(|path| image_toml::read(path, &ids()))
        .transpose()?
        .unwrap_or_default();
    // Every profile: which of them a pod can answer is the cluster's list.
    let all = ["base", "training", "serving", "restricted"];
    let profiles = match (line.profile.is_empty(), toml.profiles.is_empty()) {
        (false, _) => line.profile.clone(),
        (true, false) => toml.profiles.clone(),
        (true, true) => all.map(str::to_owned).to_vec(),
    };
    let choice = Choice {
        profiles,
        only: line.only.clone(),
        skip: line.skip.clone(),
    };
    let (context, namespace) = (line.context.as_deref(), line.namespace.as_deref());
    let cluster = Cluster::connect(context, namespace, &stop, line.keep)?;
    let bar = bar(pods::count(&choice) as u64);
    let limit = line
        .timeout
        .map(|seconds| Duration::from_secs(seconds.into()));
    let findings = pods::run(
        &cluster,
        &line.image,
        &toml,
        &choice,
        limit,
        &started[..10],
        &|id| {
            bar.set_message(id);
            bar.inc(1);
        },
    );
    bar.finish_and_clear();
    // Nothing is left there before the results are shown.
    drop(cluster);
    let report = Report {
        format: 1,
        checker: env!("CARGO_PKG_VERSION").to_owned(),
        image: Image {
            reference: line.image.clone(),
            digest: String::new(),
            architecture: String::new(),
            layers: Vec::new(),
            spans: Vec::new(),
            files: 0,
        },
        engine: Some("kubernetes".to_owned()),
        strict: line.strict,
        started,
        seconds: began.elapsed().as_secs_f64(),
        findings: findings?,
        views: Vec::new(),
        opened: Vec::new(),
    };
    out(line, &report, source.as_ref())
}
