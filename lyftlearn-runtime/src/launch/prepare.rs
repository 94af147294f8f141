//! Everything before the program: decide, bind, write.

use std::ffi::OsString;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use super::agent::{self, Inputs};
use super::announcement;
use super::credentials;
use super::environment::{Gathered, no_room};
use super::events::Telling;
use super::nodes;
use super::profile;
use super::program;
use super::required;
use super::run::locked;
use super::secrets::{self, Obtained};
use super::skew;
use super::statsd::{self, Listening};
use crate::account::{self, Account};
use crate::contract::delivered as names;
use crate::deliver::secrets::Kept as KeptSecrets;
use crate::deliver::{Delivery, Keeper, Kept, Notes, Recipient, deliver, forget_reason};
use crate::error::Error;
use crate::facts::Facts;
use crate::held::{Directory, Owner};
use crate::init::{self, Budget, MakeHelper, Policy, Program, Scope};
use crate::metrics::region;
use crate::metrics::routes::Export;
use crate::outcome::{End, Skew};
use crate::platform;
use crate::problems::Problems;
use crate::resolve::Resolved;
use crate::settings::{Log, Settings, SignalScope};
use crate::toolkit;
use crate::workload::{Role, Workload};

/// Everything that is ready when the program can start.
pub(super) struct Prepared<'f> {
    pub(super) program: Program,
    /// Its directory goes with it, where it is this process's own.
    pub(super) delivery: Kept,
    /// What it counts in.
    pub(super) region: Option<region::Place>,
    pub(super) policy: Policy,
    /// What makes the agent.
    pub(super) helper: Option<MakeHelper<'f>>,
    pub(super) exit_remap: Vec<(u8, u8)>,
    /// What the outcome's report will need.
    pub(super) end: End,
    /// Destinations of the report about the end.
    pub(super) telling: Option<Telling>,
    /// The secrets that were delivered, for the same report.
    pub(super) notes: Option<Notes>,
}

/// The facts and decisions of a start. Everything that can refuse the start is done before.
struct Decided {
    account: Option<Account>,
    argv: Vec<OsString>,
    policy: Policy,
    skew: Option<Skew>,
    /// The first credentials, where the start has waited for them.
    first: Option<UnixDatagram>,
    obtained: Obtained,
    /// Problems that nothing but a start finds.
    about_secrets: Problems,
    problems: Problems,
}

/// Sockets that wait for their agent. Nothing is written yet.
struct Bound {
    /// Whether there are descriptors for an agent.
    descriptors: bool,
    endpoint: Option<std::io::Result<credentials::Bound>>,
    statsd: Listening,
    scrape: Option<TcpListener>,
    problems: Problems,
}

/// Prepares a start. `kept` has the files of secrets, which are deleted when this process ends.
pub(super) fn prepare<'f>(
    facts: &'f Facts,
    mut resolved: Resolved,
    kept: &Mutex<Option<KeptSecrets>>,
    mut stages: Stages,
) -> Result<Prepared<'f>, Error> {
    stages.end("resolve");
    let decided = decide(facts, &mut resolved)?;
    stages.end("secrets");
    let bound = bind(&mut resolved);
    write(facts, resolved, decided, bound, kept, stages)
}

fn decide(facts: &Facts, resolved: &mut Resolved) -> Result<Decided, Error> {
    let settings = &resolved.settings;
    let account = account::account(facts, settings.user.as_deref())?;
    let argv = program::resolve(facts, &settings.commands, facts.argv(), || {
        toolkit::arguments(&resolved.values)
    })?;
    let skew = skew::guard(facts, resolved)?;
    nodes::place(facts, resolved, &argv)?;
    nodes::meet(resolved)?;
    let first = required::awaited(facts, resolved, account.as_ref(), true)?;
    let obtained = secrets::obtain(facts, resolved)?;
    let policy = policy(settings, &resolved.end);
    let mut problems = Problems::default();
    let secret = |name: &str| {
        let mut all = obtained.variables.iter();
        let found = all.find(|variable| variable.name == name)?;
        Some((found.value.as_os_str(), found.overrides))
    };
    resolved.export.reveal(&secret, &mut problems);
    if let Some(plan) = &mut resolved.events {
        platform::reveal_events(plan, &secret, &mut problems);
    }
    Ok(Decided {
        account,
        argv,
        policy,
        skew,
        first,
        about_secrets: obtained.problems.clone(),
        obtained,
        problems,
    })
}

fn bind(resolved: &mut Resolved) -> Bound {
    let mut problems = Problems::default();
    let workload = &resolved.workload;
    let descriptors = agent::has_descriptors(workload, &mut resolved.export, &mut problems);
    let clients = &resolved.export.clients;
    Bound {
        descriptors,
        endpoint: credentials::bound(workload, descriptors),
        statsd: statsd::bound(
            &resolved.settings,
            clients,
            workload.platform,
            &mut problems,
        ),
        scrape: agent::scrape(&resolved.export, &mut problems),
        problems,
    }
}

fn write<'f>(
    facts: &'f Facts,
    resolved: Resolved,
    decided: Decided,
    bound: Bound,
    kept: &Mutex<Option<KeptSecrets>>,
    mut stages: Stages,
) -> Result<Prepared<'f>, Error> {
    let Bound {
        descriptors,
        endpoint,
        statsd: mut listening,
        scrape,
        problems: about_sockets,
    } = bound;
    let mut telling = Telling::of(&resolved);
    let settings = &resolved.settings;
    let account = decided.account;
    let owner = account.as_ref().map(Account::owner);
    let noted = skew::noted(facts, &resolved, owner);
    let mut delivery = deliver(
        resolved.workload,
        &resolved.values,
        resolved.toolkit.variables,
        recipient(keeper(), account.as_ref(), settings),
    );
    let run = delivery.run().cloned();
    if let (Some(run), Some(noted)) = (&run, noted) {
        // Without it the end has no snapshot, and says so.
        let _ = run.write(names::SNAPSHOT, &noted);
    }
    delivery.problems.extend(decided.problems);
    let failure = delivery.workload.paths.failure.as_deref();
    let stale = forget_earlier_reason(reason_file(facts, failure), owner);
    delivery.problems.extend(stale);
    let unwritable = nodes::give_launcher_its_directory(&decided.argv, owner);
    delivery.problems.extend(unwritable);
    delivery.problems.extend(about_sockets);
    note(facts, run.as_ref());
    let (presented, endpoint) = credentials::presented(
        facts,
        &delivery.workload,
        run.as_ref(),
        settings,
        account.as_ref(),
        endpoint,
        &mut delivery.problems,
    );
    let pointed = statsd::presented(
        settings,
        &mut listening,
        run.as_ref(),
        &mut delivery.problems,
    );
    let profiles = profile::write(&settings.credentials.profile_files, owner);
    delivery.problems.extend(profiles);
    let obtained = decided.obtained;
    *locked(kept) = secrets::keep_set(settings, &obtained, run.as_ref(), &mut delivery.problems)?;
    let notes = secrets::noted(&obtained.set);
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
    let environment = gathered.environment(facts, &decided.argv, account.as_ref())?;
    delivery.problems.extend(no_room(&environment.left_out));
    let region = run
        .as_ref()
        .and_then(|run| make_region(run, settings.region_bytes, &mut delivery.problems));
    stages.end("deliver");
    let export = statsd::joined(&listening, resolved.export);
    let mut ports = String::new();
    let helper = agent::helper(
        facts,
        descriptors,
        Inputs {
            export: &export,
            flush: agent::flush_time(&decided.policy),
            stages: stages.all,
            secrets,
            notes: notes.as_ref(),
            oom_counter: resolved.oom_counter.clone(),
            skew: decided.skew.as_ref(),
            settings,
            run: run.as_ref(),
            region_bytes: region.as_ref().map(region::Place::bytes),
            credential_plan: &resolved.credential_plan,
            endpoint,
            first: decided.first,
            statsd: listening,
            scrape,
            ports: &mut ports,
            events: resolved.events.as_ref(),
            credentials: telling.as_mut().map(|telling| &mut telling.credentials),
            problems: &mut delivery.problems,
        },
    );
    let end = End {
        oom_counter: resolved.oom_counter,
        owner,
        ..end(facts, settings, &delivery, &export, decided.skew)
    };
    if !end.quiet {
        // Most containers run no Spark, and some of them have no address for its driver.
        let spark = platform::spark_is_meant(facts, &settings.spark);
        let shown = resolved.problems.iter();
        let shown = shown.filter(|problem| spark || !problem.starts_with(platform::SPARK_PROBLEM));
        announcement::say(
            &delivery.workload,
            &ports,
            program::found_for_a_word(facts, &settings.commands),
            shown.chain(&delivery.problems),
            decided.about_secrets,
            end.skew.as_ref(),
        );
    }
    Ok(Prepared {
        program: Program {
            file: program::file(facts, &decided.argv),
            argv: decided.argv,
            environment: environment.variables,
            user: account.map(|account| account.user),
        },
        policy: decided.policy,
        helper,
        exit_remap: settings.exit_remap.clone(),
        end,
        telling,
        notes,
        delivery: delivery.kept(),
        region,
    })
}

fn end(
    facts: &Facts,
    settings: &Settings,
    delivery: &Delivery,
    export: &Export,
    skew: Option<Skew>,
) -> End {
    let workload = &delivery.workload;
    End {
        reason_file: reason_file(facts, workload.paths.failure.as_deref()).map(Path::to_owned),
        host: workload
            .topology
            .is_distributed()
            .then(|| workload.topology.host.clone()),
        redact: settings.redact.clone(),
        run: delivery.run().map(|run| run.path().to_owned()),
        quiet: settings.log == Log::Off,
        snapshot: skew::kept_at(workload, settings.skew_guard),
        skew,
        pushes: export.pushes(),
        nowhere: is_nowhere(workload),
        serves: workload.role == Role::Serving,
        wrapped: program::wrapped(facts, &settings.commands).map(str::to_owned),
        ..End::default()
    }
}

fn keeper() -> Keeper {
    if init::is_pid_one() {
        Keeper::Container
    } else {
        Keeper::Process
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
        // `exec` runs next to the program, so a failure there is not a failure of the program.
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

/// Whether no route exports the program's metrics. This is expected on a developer's machine.
fn is_nowhere(workload: &Workload) -> bool {
    workload.metrics.routes.is_empty()
        && platform::conventions(workload.platform).expects_metrics
        && workload.role != Role::Notebook
}

fn make_region(run: &Directory, bytes: u64, problems: &mut Problems) -> Option<region::Place> {
    let place = region::create_in(run, bytes)
        .inspect_err(|err| problems.push(format!("cannot make metrics.region: {}", err.kind())))
        .ok()??;
    let made = place.bytes();
    if made < bytes {
        problems.push(format!(
            "metrics.region has {made} bytes: there was no room for {bytes}"
        ));
    }
    Some(place)
}

/// Records the owner of the run directory for later processes that have no environment.
fn note(facts: &Facts, run: Option<&Directory>) {
    let note = serde_json::to_vec(&facts.note()).expect("plain data has no failure to report");
    // Without it they resolve anew.
    let _ = run.map(|run| run.write(names::RUNTIME_NOTE, &note));
}

/// Where a reason goes. Below another `run` that one reports the job's end: its program may go on
/// after a failure here, and may have written a reason already.
pub(super) fn reason_file<'a>(facts: &Facts, path: Option<&'a Path>) -> Option<&'a Path> {
    path.filter(|_| facts.text(names::RUN_DIR).is_none())
}

/// An earlier run on the same volume may have left a reason.
pub(super) fn forget_earlier_reason(
    reason_file: Option<&Path>,
    owner: Option<Owner>,
) -> Option<String> {
    let path = reason_file?;
    let err = forget_reason(path, owner).err()?;
    Some(format!(
        "cannot remove {}, left by an earlier run: {}",
        path.display(),
        err.kind()
    ))
}

/// How long each part of a start takes.
pub(super) struct Stages {
    all: Vec<(String, f64)>,
    last: Duration,
}

impl Stages {
    pub(super) fn since(begun: Duration) -> Self {
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
