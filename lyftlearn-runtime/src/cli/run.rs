//! `run`: the view delivered, the program supervised, its end told.

use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use lexopt::Parser;

use super::layers::{Gathered, no_room};
use super::usage::{self, UsageFault};
use super::user::{self, Account};
use super::{beside, identity, outcome, output, profile, program, required, secrets, skew};
use crate::contract::{delivered as names, linux};
use crate::deliver::outcome::{End, How, Orphans, Skew, Stopped};
use crate::deliver::secrets::Kept as KeptSecrets;
use crate::deliver::{
    Keeper, Kept, Recipient, announce, deliver, directory_for_an_outcome, forget_reason,
};
use crate::error::Error;
use crate::facts::Facts;
use crate::held::{Directory, Owner};
use crate::init::{
    self, Armed, Budget, Ending, Helper, LeftBehind, Policy, Program, Scope, Status,
};
use crate::metrics::region;
use crate::platform;
use crate::resolve::{Resolved, resolve_with, switched_off};
use crate::settings::{Log, Settings, SignalScope};
use crate::signal;
use crate::toolkit;
use crate::workload::{Role, Workload};

/// For the report of a start that came to nothing; no platform's patience is at stake yet.
const NOT_STARTED_REPORT: Duration = Duration::from_secs(5);

/// Address space that no page stands behind until it is used.
const RESERVE_BYTES: usize = 1 << 20;

/// Everything that is ready when the program can start.
struct Prepared {
    program: Program,
    /// Its directory goes with it, where it is this process's own.
    delivery: Kept,
    /// What it counts in.
    region: Option<region::Place>,
    policy: Policy,
    helper: Option<Helper>,
    exit_remap: Vec<(u8, u8)>,
    /// What the outcome's report will need.
    end: End,
}

pub(super) fn run(mut words: Parser, mut armed: Armed) -> Result<u8, Error> {
    let mut arguments = Vec::new();
    let argv = usage::options(&mut words, |option, words| match option {
        "--signal-scope" => {
            let scope = usage::value(words, "--signal-scope")?;
            let scope = scope
                .to_str()
                .filter(|scope| ["auto", "group", "child"].contains(scope))
                .ok_or(UsageFault::BadValue {
                    option: "--signal-scope",
                    expected: "auto, group or child",
                })?;
            arguments.push(("lifecycle.signal_scope", scope.to_owned()));
            Ok(true)
        }
        _ => Ok(false),
    })?;
    let begun = init::now();
    let facts = Facts::capture(argv);
    if switched_off(&facts)? {
        armed.disarm()?;
        return Err(program::pass_through(&facts)?);
    }
    let long = platform::takes_long(&facts);
    // Taken away by whoever ends this start or this process.
    let kept: Mutex<Option<KeptSecrets>> = Mutex::new(None);
    let stopped = |signal| {
        drop(locked(&kept).take());
        leave_before_the_start(&facts, signal);
    };
    let resolved = armed.while_starting(long, stopped, || resolve_with(&facts, &arguments));
    let prepared = resolved.and_then(|resolved| {
        let long = long || required::waits(&resolved) || secrets::fetches(&facts, &resolved);
        armed.while_starting(long, stopped, || {
            prepare_run(&facts, resolved, &kept, Stages::since(begun))
        })
    });
    let Prepared {
        program,
        delivery,
        region,
        policy,
        helper,
        exit_remap,
        end,
    } = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            let run = init::is_pid_one()
                .then(|| directory_for_an_outcome(Path::new(linux::TMP)))
                .flatten();
            let end = End {
                run: run.as_ref().map(|run| run.path().to_owned()),
                ..without_a_model(&facts)
            };
            report_not_started(&facts, end, run.as_ref(), &error);
            return Err(error);
        }
    };
    let run = delivery.run();
    let mut announce = |number: i32, requested: Duration, deadline: Duration| {
        if let Some(run) = run {
            announce(run, &signal::name(number), requested, deadline);
        }
    };
    // Given back at the end: by then memory may have run out, and the end still has to be
    // told.
    let reserve: Vec<u8> = Vec::with_capacity(RESERVE_BYTES);
    let mut region = region;
    let mut started = || {
        // Without room there is none, and whoever counts says so.
        let _ = region.as_mut().map_or(Ok(()), region::Place::publish);
    };
    let file = run.map(Directory::file);
    let supervised = init::supervise(
        armed,
        program,
        &policy,
        helper,
        file.as_deref(),
        &mut started,
        &mut announce,
    );
    let ending = match supervised {
        Ok(ending) => ending,
        Err(error) => {
            report_not_started(&facts, end, run, &error);
            return Err(error);
        }
    };
    drop(reserve);
    let end = ended(end, &ending, &exit_remap);
    if end.completed() && end.snapshot.is_none() {
        outcome::completed(&facts, &end, run);
    } else {
        let words = outcome::words(&end);
        init::last_errand(&words, facts.vars(), file.as_deref(), ending.report_until);
    }
    drop(region);
    drop(locked(&kept).take());
    drop(delivery);
    Ok(end.exit_code)
}

fn prepare_run(
    facts: &Facts,
    resolved: Resolved,
    kept: &Mutex<Option<KeptSecrets>>,
    mut stages: Stages,
) -> Result<Prepared, Error> {
    stages.end("resolve");
    let keeper = if init::is_pid_one() {
        Keeper::Container
    } else {
        Keeper::Process
    };
    let settings = &resolved.settings;
    let account = user::account(facts, settings.user.as_deref())?;
    let argv = program::resolve(facts, &settings.commands, facts.argv(), || {
        toolkit::arguments(&resolved.values)
    })?;
    let quiet = settings.log == Log::Off;
    let skew = skew::guard(facts, &resolved)?;
    let first = required::awaited(facts, &resolved, account.as_ref(), true)?;
    let obtained = secrets::obtain(facts, &resolved)?;
    stages.end("secrets");
    let noted = resolved.problems.clone();
    let found = program::found_for_a_word(facts, &settings.commands);
    let about_secrets = obtained.problems.clone();
    let policy = policy(settings, &resolved.end);
    let mut delivery = deliver(
        resolved.workload,
        &resolved.values,
        resolved.toolkit.variables,
        recipient(keeper, account.as_ref(), settings),
    );
    let mut export = resolved.export;
    let secret = |name: &str| {
        let mut all = obtained.variables.iter();
        let found = all.find(|variable| variable.name == name)?;
        Some((found.value.as_os_str(), found.overrides))
    };
    export.reveal(&secret, &mut delivery.problems);
    let owner = account.as_ref().map(Account::owner);
    let stale = forget_earlier_reason(facts, delivery.workload.paths.failure.as_deref(), owner);
    delivery.problems.extend(stale);
    let run = delivery.run().cloned();
    note(facts, run.as_ref());
    let descriptors =
        beside::has_descriptors(&delivery.workload, &mut export, &mut delivery.problems);
    let (presented, endpoint) = identity::served(
        facts,
        &delivery.workload,
        run.as_ref(),
        settings,
        account.as_ref(),
        descriptors,
        &mut delivery.problems,
    );
    let (pointed, statsd) = beside::statsd(
        settings,
        &export.clients,
        &delivery.workload,
        run.as_ref(),
        &mut delivery.problems,
    );
    delivery
        .problems
        .extend(profile::write(&settings.identity.profile_files, owner));
    *locked(kept) = secrets::keep_set(settings, &obtained, run.as_ref(), &mut delivery.problems)?;
    let secrets = obtained.set.keys().cloned().collect();
    let gathered = Gathered::new(
        facts,
        &delivery.workload,
        &resolved.variables,
        &delivery.variables,
        &delivery.optional,
        &presented,
        &pointed,
    )?
    .with(obtained);
    let environment = gathered.environment(facts, &argv, account.as_ref())?;
    delivery.problems.extend(no_room(&environment.left_out));
    let region = run
        .as_ref()
        .and_then(|run| beside::make_region(run, settings.region_bytes, &mut delivery.problems));
    stages.end("deliver");
    let export = beside::joined(&statsd, export);
    let pushes = export.pushes();
    let nowhere = beside::is_nowhere(&delivery.workload);
    let mut ports = String::new();
    let helper = beside::helper(
        facts,
        beside::Needs {
            export: &export,
            flush: beside::flush_time(&policy),
            stages: stages.all,
            secrets,
            oom_counter: resolved.oom_counter.clone(),
            skew: skew.as_ref(),
            settings,
            run: run.as_ref(),
            descriptors,
            region_bytes: region.as_ref().map(region::Place::bytes),
            identity: &resolved.identity,
            endpoint,
            first,
            statsd,
            ports: &mut ports,
            problems: &mut delivery.problems,
        },
    );
    if !quiet {
        let mut remarks: Vec<String> = found.into_iter().collect();
        remarks.extend(shown(noted.iter().chain(&delivery.problems)));
        // Nothing but a start finds these, so that `inspect` has none of them.
        remarks.extend(about_secrets);
        remarks.extend(skew.as_ref().and_then(in_words));
        say(&delivery.workload, &ports, &remarks);
    }
    Ok(Prepared {
        program: Program {
            file: program::file(facts, &argv),
            argv,
            environment: environment.variables,
            user: account.map(|account| account.user),
        },
        policy,
        helper,
        exit_remap: settings.exit_remap.clone(),
        end: End {
            oom_counter: resolved.oom_counter,
            owner,
            reason_file: delivery.workload.paths.failure.clone(),
            redact: settings.redact.clone(),
            run: run.map(|run| run.path().to_owned()),
            quiet,
            snapshot: skew::kept_at(&delivery.workload, settings.skew_guard),
            skew,
            pushes,
            nowhere,
            serves: delivery.workload.role == Role::Serving,
            wrapped: program::wrapped(facts, &settings.commands).map(str::to_owned),
            ..End::default()
        },
        delivery: delivery.kept(),
        region,
    })
}

/// Whose the run directory is, for those who come later without an environment.
fn note(facts: &Facts, run: Option<&Directory>) {
    let note = serde_json::to_vec(&facts.note()).expect("plain data has no failure to report");
    // Without it they resolve anew.
    let _ = run.map(|run| run.write(names::RUNTIME_NOTE, &note));
}

fn locked(kept: &Mutex<Option<KeptSecrets>>) -> MutexGuard<'_, Option<KeptSecrets>> {
    kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// How long each part of a start takes.
struct Stages {
    all: Vec<(String, f64)>,
    last: Duration,
}

impl Stages {
    fn since(begun: Duration) -> Self {
        Self {
            all: Vec::new(),
            last: begun,
        }
    }

    fn end(&mut self, stage: &str) {
        let now = init::now();
        let seconds = now.saturating_sub(self.last).as_secs_f64();
        self.all.push((stage.to_owned(), seconds));
        self.last = now;
    }
}

pub(super) fn recipient(
    keeper: Keeper,
    account: Option<&Account>,
    settings: &Settings,
) -> Recipient {
    Recipient {
        keeper,
        owner: account.map(Account::owner),
        // `exec` stands beside the program: a failure there is not the program's.
        exceptions: keeper != Keeper::Successor && settings.python_exceptions,
    }
}

fn policy(settings: &Settings, end: &platform::End) -> Policy {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let reserve = end.reserve_seconds();
    Policy {
        scope: match settings.signal_scope {
            SignalScope::Group => Scope::Group,
            SignalScope::Child => Scope::Child,
            SignalScope::Auto => Scope::Auto,
        },
        asked_by: end.asked_by.clone(),
        stop_signal: settings.stop_signal,
        budget: Budget {
            drain: seconds(end.drain_seconds),
            program: seconds(end.grace_seconds - reserve),
            orphans: seconds(settings.orphan_seconds),
            whole: seconds(end.grace_seconds),
        },
    }
}

/// A stop came while the start was being prepared: nothing is started any more.
#[expect(
    clippy::disallowed_methods,
    clippy::exit,
    reason = "the main thread is still preparing, and that may take long"
)]
fn leave_before_the_start(facts: &Facts, signal: i32) {
    let exit_code = u8::try_from(128 + signal).unwrap_or(u8::MAX);
    let end = End {
        stop: Some(Stopped {
            signal,
            seconds: None,
        }),
        exit_code,
        ..without_a_model(facts)
    };
    report(facts, &end, None);
    std::process::exit(exit_code.into());
}

/// Where a reason goes when there is no model to ask.
fn without_a_model(facts: &Facts) -> End {
    let reason_file = platform::reason_file(facts).map(Path::to_owned);
    // What cannot be taken away is kept as the program's own would be.
    let _ = forget_earlier_reason(facts, reason_file.as_deref(), None);
    End {
        reason_file,
        quiet: true,
        ..End::default()
    }
}

/// An earlier run on the same volume may have left a reason. Below another `run` it is that
/// one's program that wrote it.
fn forget_earlier_reason(
    facts: &Facts,
    reason_file: Option<&Path>,
    owner: Owner,
) -> Option<String> {
    let path = reason_file.filter(|_| facts.text(names::RUN_DIR).is_none())?;
    let err = forget_reason(path, owner).err()?;
    Some(format!(
        "cannot remove {}, which an earlier run left: {}",
        path.display(),
        err.kind()
    ))
}

fn report_not_started(facts: &Facts, end: End, run: Option<&Directory>, error: &Error) {
    let end = End {
        how: How::NotStarted {
            report: error.report(),
        },
        exit_code: error.kind().exit_code(),
        ..end
    };
    report(facts, &end, run);
}

fn report(facts: &Facts, end: &End, run: Option<&Directory>) {
    init::last_errand(
        &outcome::words(end),
        facts.vars(),
        run.map(Directory::file).as_deref(),
        init::now() + NOT_STARTED_REPORT,
    );
}

fn ended(end: End, ending: &Ending, exit_remap: &[(u8, u8)]) -> End {
    let program = Some(ending.program);
    let (how, code) = match ending.status {
        Status::Exited(code) if ending.not_started.is_some() => {
            let report = ending.not_started.clone().unwrap_or_default();
            (How::NotStarted { report }, code)
        }
        Status::Exited(code) => (How::Exited { code, program }, code),
        Status::Signalled(signal) => (How::Signalled { signal, program }, 128 + signal),
        // What the kernel will make of it.
        Status::Unkillable => (
            How::Unkillable,
            128 + nix::sys::signal::Signal::SIGKILL as i32,
        ),
    };
    let code = u8::try_from(code).unwrap_or(u8::MAX);
    let remapped = exit_remap.iter().find(|(from, _)| *from == code);
    End {
        how,
        exit_code: remapped.map_or(code, |(_, to)| *to),
        stop: ending.stop.map(|stop| Stopped {
            signal: stop.signal,
            seconds: Some(ending.ended.saturating_sub(stop.at).as_secs_f64()),
        }),
        killed: ending.killed,
        left_behind: left_behind(&ending.left_behind),
        no_stop: ending.no_stop,
        failed: ending.failed,
        seconds: ending.ended.saturating_sub(ending.started).as_secs_f64(),
        ended: Some(ending.ended.as_secs_f64()),
        ..end
    }
}

fn left_behind(left: &LeftBehind) -> Option<Orphans> {
    let names = left.names.iter().filter(|name| name[0] != 0);
    let name = |name: &[u8; 16]| {
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(16);
        String::from_utf8_lossy(&name[..end]).into_owned()
    };
    (left.count > 0).then(|| Orphans {
        count: left.count,
        killed: left.killed,
        names: names.map(name).collect(),
    })
}

/// So many problems are told in the one line; `inspect` shows all, where somebody can run it.
const TOLD: usize = 3;

fn shown<'a>(problems: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut all: Vec<String> = problems.cloned().collect();
    let more = all.len().saturating_sub(TOLD);
    all.truncate(TOLD);
    if more > 0 {
        let problems = if more == 1 { "problem" } else { "problems" };
        all.push(format!(
            "{more} more {problems}, see lyftlearn-runtime inspect"
        ));
    }
    all
}

/// One line, so that a log shows where it ran, which ports it took, and what is odd about it.
fn say(workload: &Workload, ports: &str, remarks: &[String]) {
    let job = workload
        .job
        .name
        .as_deref()
        .map(|name| format!(", job {name}"))
        .unwrap_or_default();
    let remarks: String = remarks.iter().map(|remark| format!("; {remark}")).collect();
    output::line(&format!(
        "lyftlearn-runtime: {} ({}), {}{job}{ports}{remarks}",
        workload.platform.as_str(),
        workload.flavor.as_str(),
        workload.role.as_str(),
    ));
}

/// What the skew guard found, where there is something to say.
fn in_words(skew: &Skew) -> Option<String> {
    match (&skew.unreadable, skew.undeclared) {
        (Some(why), _) => Some(why.clone()),
        (None, 0) => None,
        (None, count) => {
            let first = skew.differences.first().map_or("", String::as_str);
            let differences = if count == 1 {
                "difference"
            } else {
                "differences"
            };
            Some(format!(
                "{count} {differences} from what trained the model, {first} first"
            ))
        }
    }
}
