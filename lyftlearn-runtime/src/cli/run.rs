//! `run`: the view delivered, the program supervised, its end told.

use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use lexopt::Parser;

use super::layers::{Gathered, no_room};
use super::usage::{self, UsageFault};
use super::user::{self, Account};
use super::{beside, identity, outcome, output, profile, program, required, secrets, skew};
use crate::contract::delivered as names;
use crate::deliver::outcome::{End, How, Skew, Stopped};
use crate::deliver::secrets::Kept as KeptSecrets;
use crate::deliver::{Delivery, Keeper, Kept, Recipient, announce, deliver};
use crate::error::Error;
use crate::facts::Facts;
use crate::init::{self, Armed, Budget, Ending, Helper, Policy, Program, Scope, Status};
use crate::metrics::region;
use crate::platform;
use crate::resolve::{Resolved, resolve_with, switched_off};
use crate::settings::Settings;
use crate::signal;
use crate::toolkit;

/// For the report of a start that came to nothing; no platform's patience is at stake yet.
const NOT_STARTED_REPORT: Duration = Duration::from_secs(5);

/// Address space that no page stands behind until it is used.
const RESERVE_BYTES: usize = 1 << 20;

/// Some two thousand series. A quarter of a millisecond of the start: every page is made
/// before the program is there.
const REGION_BYTES: u64 = 1 << 20;

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
                .filter(|scope| ["group", "child"].contains(scope))
                .ok_or(UsageFault::BadValue {
                    option: "--signal-scope",
                    expected: "group or child",
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
            report_not_started(&facts, without_a_model(&facts), &error);
            return Err(error);
        }
    };
    let (run, owner) = (end.run.clone(), end.owner);
    let mut announce = |number: i32, requested: Duration, deadline: Duration| {
        if let Some(run) = &run {
            announce(run, owner, &signal::name(number), requested, deadline);
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
    let supervised = init::supervise(armed, program, &policy, helper, &mut started, &mut announce);
    let ending = match supervised {
        Ok(ending) => ending,
        Err(error) => {
            report_not_started(&facts, end, &error);
            return Err(error);
        }
    };
    drop(reserve);
    let end = ended(end, &ending, &exit_remap);
    if end.completed() && end.snapshot.is_none() {
        outcome::completed(&facts, &end);
    } else {
        init::last_errand(&outcome::words(&end), facts.vars(), ending.report_until);
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
    let quiet = settings.log.as_deref() == Some("off");
    let skew = skew::guard(facts, &resolved)?;
    let first = required::awaited(facts, &resolved, account.as_ref(), true)?;
    let obtained = secrets::obtain(facts, &resolved)?;
    stages.end("secrets");
    let noted = resolved.problems.len();
    let about_secrets = obtained.problems.clone();
    let policy = policy(settings, resolved.end);
    let mut delivery = deliver(
        resolved.workload,
        &resolved.values,
        resolved.toolkit.variables,
        recipient(keeper, account.as_ref(), settings),
    );
    let mut export = resolved.export;
    if let Some(otlp) = &mut export.otlp {
        let secret = |name: &str| {
            let mut all = obtained.variables.iter();
            let found = all.find(|variable| variable.name == name)?;
            Some((found.value.as_os_str(), found.overrides))
        };
        platform::headers_by_secrets(otlp, secret, &mut delivery.problems);
    }
    let run = delivery.workload.paths.run.clone();
    let owner = account.as_ref().map(Account::owner);
    let descriptors =
        beside::has_descriptors(&delivery.workload, &mut export, &mut delivery.problems);
    let (presented, endpoint) = identity::served(
        facts,
        &delivery.workload,
        settings,
        account.as_ref(),
        descriptors,
        &mut delivery.problems,
    );
    let (pointed, statsd) = beside::statsd(
        settings,
        &export.clients,
        &delivery.workload,
        owner,
        &mut delivery.problems,
    );
    delivery
        .problems
        .extend(profile::write(&settings.identity.profile_files));
    *locked(kept) = secrets::keep_set(
        settings,
        &obtained,
        run.as_deref(),
        owner,
        &mut delivery.problems,
    )?;
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
    let region = run.as_deref().and_then(|run| {
        let bytes = settings.region_bytes.unwrap_or(REGION_BYTES);
        beside::make_region(run, bytes, owner, &mut delivery.problems)
    });
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
            run: run.as_deref(),
            descriptors,
            region_bytes: region.as_ref().map(region::Place::bytes),
            owner,
            identity: &resolved.identity,
            endpoint,
            first,
            statsd,
            ports: &mut ports,
            problems: &mut delivery.problems,
        },
    );
    if !quiet {
        say(
            &delivery,
            &ports,
            noted + delivery.problems.len(),
            &about_secrets,
            skew.as_ref(),
        );
    }
    Ok(Prepared {
        program: Program {
            file: program::file(facts, &argv),
            argv,
            environment: environment.variables,
            user: account.map(|account| account.user),
            not_started: run.as_deref().map(|run| run.join(names::NOT_STARTED_FILE)),
        },
        policy,
        helper,
        exit_remap: settings.exit_remap.clone(),
        end: End {
            oom_counter: resolved.oom_counter,
            owner,
            reason_file: delivery.workload.paths.failure.clone(),
            redact: settings.redact.clone(),
            run,
            quiet,
            snapshot: skew::kept_at(&delivery.workload, settings.skew_guard.as_deref()),
            skew,
            pushes,
            nowhere,
            ..End::default()
        },
        delivery: delivery.kept(),
        region,
    })
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
        exceptions: keeper != Keeper::Successor && settings.notes_exceptions(),
    }
}

fn policy(settings: &Settings, end: platform::End) -> Policy {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let reserve = end.reserve_seconds();
    Policy {
        scope: match settings.signal_scope.as_deref() {
            Some("child") => Scope::Child,
            _ => Scope::Group,
        },
        asked_by: end
            .asked_by
            .iter()
            .filter_map(|name| signal::number(name))
            .collect(),
        stop_signal: settings
            .stop_signal
            .as_deref()
            .and_then(signal::number)
            .unwrap_or(nix::sys::signal::Signal::SIGTERM as i32),
        budget: Budget {
            drain: seconds(end.drain_seconds),
            program: seconds(end.grace_seconds - reserve),
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
    report(facts, &end);
    std::process::exit(exit_code.into());
}

/// Where a reason goes when there is no model to ask.
fn without_a_model(facts: &Facts) -> End {
    End {
        reason_file: platform::reason_file(facts).map(Path::to_owned),
        quiet: true,
        ..End::default()
    }
}

fn report_not_started(facts: &Facts, end: End, error: &Error) {
    let end = End {
        how: How::NotStarted {
            report: error.report(),
        },
        exit_code: error.kind().exit_code(),
        ..end
    };
    report(facts, &end);
}

fn report(facts: &Facts, end: &End) {
    init::last_errand(
        &outcome::words(end),
        facts.vars(),
        init::now() + NOT_STARTED_REPORT,
    );
}

fn ended(end: End, ending: &Ending, exit_remap: &[(u8, u8)]) -> End {
    let program = Some(ending.program);
    let (how, code) = match ending.status {
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
        failed: ending.failed,
        seconds: ending.ended.saturating_sub(ending.started).as_secs_f64(),
        ..end
    }
}

/// One line, so that a log shows where it ran and nothing else.
fn say(
    delivery: &Delivery,
    ports: &str,
    problems: usize,
    about_secrets: &[String],
    skew: Option<&Skew>,
) {
    let workload = &delivery.workload;
    let job = workload
        .job
        .name
        .as_deref()
        .map(|name| format!(", job {name}"))
        .unwrap_or_default();
    let problems = match problems {
        0 => String::new(),
        1 => "; 1 problem, see lyftlearn-runtime inspect".to_owned(),
        many => format!("; {many} problems, see lyftlearn-runtime inspect"),
    };
    // Nothing but a start finds these, so that `inspect` has none of them.
    let secrets: String = about_secrets
        .iter()
        .map(|problem| format!("; {problem}"))
        .collect();
    let skew = skew.map(in_words).unwrap_or_default();
    output::say(&format!(
        "lyftlearn-runtime: {} ({}), {}{job}{ports}{problems}{secrets}{skew}\n",
        workload.platform.as_str(),
        workload.flavor.as_str(),
        workload.role.as_str(),
    ));
}

/// What the skew guard found, where there is something to say.
fn in_words(skew: &Skew) -> String {
    match (&skew.unreadable, skew.undeclared) {
        (Some(why), _) => format!("; {why}"),
        (None, 0) => String::new(),
        (None, count) => {
            let first = skew.differences.first().map_or("", String::as_str);
            let differences = if count == 1 {
                "difference"
            } else {
                "differences"
            };
            format!("; {count} {differences} from what trained the model, {first} first")
        }
    }
}
