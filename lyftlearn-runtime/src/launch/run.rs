//! `run`: the view delivered, the program supervised, its end told.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::events::{self, Telling};
use super::prepare::{Prepared, Stages, forget_earlier_reason, prepare, reason_file};
use super::{nodes, outcome, program, required, secrets};
use crate::contract::{delivered, linux};
use crate::deliver::secrets::Kept as KeptSecrets;
use crate::deliver::{Notes, announce, directory_for_an_outcome};
use crate::error::Error;
use crate::facts::Facts;
use crate::held::Directory;
use crate::init::{self, Armed, Ending, LeftBehind, Status};
use crate::metrics::region;
use crate::outcome::{End, How, Orphans, Stopped, remapped};
use crate::platform;
use crate::resolve::{resolve_with, switched_off};
use crate::signal;

/// Time for the report of a start that failed. No platform's deadline runs yet.
const NOT_STARTED_REPORT: Duration = Duration::from_secs(5);

/// Address space that no page stands behind until it is used.
const RESERVE_BYTES: usize = 1 << 20;

/// Delivers the view, runs the program and reports its end. `arguments` are settings from the
/// command line; the result is the exit code.
pub(crate) fn run(
    argv: Vec<OsString>,
    arguments: &[(&'static str, String)],
    mut armed: Armed,
) -> Result<u8, Error> {
    let begun = init::now();
    let facts = Facts::capture(argv);
    if switched_off(&facts)? {
        armed.disarm()?;
        return Err(program::pass_through(&facts)?);
    }
    let long = platform::takes_long(&facts);
    // Deleted at the end of this start or of this process.
    let kept: Mutex<Option<KeptSecrets>> = Mutex::new(None);
    // Known from the settings on, and told whatever happens later.
    let telling: Mutex<Option<Telling>> = Mutex::new(None);
    let stopped = |signal| {
        drop(locked(&kept).take());
        leave_before_the_start(&facts, locked(&telling).take(), signal);
    };
    let resolved = armed.while_starting(long, stopped, || resolve_with(&facts, arguments));
    let prepared = resolved.and_then(|mut resolved| {
        // Below another `run` that one is the job's voice: an end here is not the job's.
        if facts.text(delivered::RUN_DIR).is_some() {
            resolved.events = None;
        }
        if let Some(plan) = &mut resolved.events {
            plan.attempt = events::attempt(begun);
            *locked(&telling) = Telling::of(&resolved);
        }
        let long = long
            || nodes::waits(&resolved)
            || required::waits(&resolved)
            || secrets::fetches(&facts, &resolved);
        armed.while_starting(long, stopped, || {
            prepare(&facts, resolved, &kept, Stages::since(begun))
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
        telling,
        notes,
    } = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            let tmp = facts.path(linux::TMPDIR);
            let tmp = tmp.as_deref().unwrap_or(Path::new(linux::TMP));
            let run = init::is_pid_one()
                .then(|| directory_for_an_outcome(tmp))
                .flatten();
            let end = End {
                run: run.as_ref().map(|run| run.path().to_owned()),
                ..without_a_model(&facts)
            };
            let telling = locked(&telling).take();
            report_not_started(&facts, end, run.as_ref(), telling, None, &error);
            return Err(error);
        }
    };
    let run = delivery.run();
    // Freed at a stop and at the end: memory may have run out by then, and the stop's file and the
    // report need some.
    let mut reserve_of_a_stop = Some(reserve());
    let reserve_of_the_end = reserve();
    let mut announce = |number: i32, requested: Duration, deadline: Duration| {
        drop(reserve_of_a_stop.take());
        if let Some(run) = run {
            announce(run, &signal::name(number), requested, deadline);
        }
    };
    let file = run.map(Directory::file);
    let credentials = telling
        .as_ref()
        .and_then(|telling| telling.credentials.as_ref());
    let secrets = locked(&kept).as_ref().and_then(KeptSecrets::lock);
    let open: Vec<i32> = (file.iter().chain(&secrets).map(AsRawFd::as_raw_fd))
        .chain(credentials.map(AsRawFd::as_raw_fd))
        .chain(
            region
                .iter()
                .filter_map(region::Place::lock)
                .map(AsRawFd::as_raw_fd),
        )
        .chain(notes.as_ref().map(|notes| notes.file().as_raw_fd()))
        .collect();
    let mut region = region;
    let mut started = || {
        // Without room there is no region, and the program's clients report it.
        let _ = region.as_mut().map_or(Ok(()), region::Place::publish);
    };
    let supervised = init::supervise(
        armed,
        program,
        &policy,
        helper,
        &open,
        &mut started,
        &mut announce,
    );
    let ending = match supervised {
        Ok(ending) => ending,
        Err(error) => {
            report_not_started(&facts, end, run, telling, notes, &error);
            return Err(error);
        }
    };
    drop(reserve_of_the_end);
    let end = ended(end, &ending, &exit_remap);
    let telling = telling.filter(|telling| telling.reports(&end));
    if end.completed() && end.snapshot.is_none() && telling.is_none() {
        outcome::completed(&facts, &end, run);
    } else {
        report(&facts, &end, run, telling, notes, ending.report_until);
    }
    drop(region);
    drop(locked(&kept).take());
    drop(delivery);
    Ok(end.exit_code)
}

/// The black box keeps the compiler from removing a vector that is never read.
fn reserve() -> Vec<u8> {
    std::hint::black_box(Vec::with_capacity(RESERVE_BYTES))
}

pub(super) fn locked<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A stop came while the start was being prepared: nothing is started any more.
#[expect(
    clippy::disallowed_methods,
    clippy::exit,
    reason = "the main thread is still preparing, and that may take long"
)]
fn leave_before_the_start(facts: &Facts, telling: Option<Telling>, signal: i32) {
    let exit_code = u8::try_from(128 + signal).unwrap_or(u8::MAX);
    let end = End {
        stop: Some(Stopped {
            signal,
            seconds: None,
        }),
        exit_code,
        ..without_a_model(facts)
    };
    let until = init::now() + NOT_STARTED_REPORT;
    report(facts, &end, None, telling, None, until);
    std::process::exit(exit_code.into());
}

/// Where a reason goes when there is no model to ask.
fn without_a_model(facts: &Facts) -> End {
    let reason_file = reason_file(facts, platform::reason_file(facts));
    // A reason file that cannot be removed is treated as the program's own.
    let _ = forget_earlier_reason(reason_file, None);
    End {
        reason_file: reason_file.map(Path::to_owned),
        quiet: true,
        ..End::default()
    }
}

fn report_not_started(
    facts: &Facts,
    end: End,
    run: Option<&Directory>,
    telling: Option<Telling>,
    notes: Option<Notes>,
    error: &Error,
) {
    let end = End {
        how: How::NotStarted {
            report: error.report(),
        },
        exit_code: error.kind().exit_code(),
        ..end
    };
    let until = init::now() + NOT_STARTED_REPORT;
    report(facts, &end, run, telling, notes, until);
}

/// Has a helper process say why it ended, and tell it.
fn report(
    facts: &Facts,
    end: &End,
    run: Option<&Directory>,
    telling: Option<Telling>,
    notes: Option<Notes>,
    until: Duration,
) {
    let telling = telling.filter(|telling| telling.reports(end));
    let (environment, socket) = match telling {
        Some(telling) => {
            let (environment, socket) = telling.handed(facts, until);
            (Cow::Owned(environment), socket)
        }
        None => (Cow::Borrowed(facts.vars()), None),
    };
    let notes = notes.map_or_else(Notes::new, Ok);
    let reported = notes.and_then(|notes| {
        notes.set_end(end)?;
        let directory = run.map(Directory::file);
        let directory = directory.as_ref().map(AsFd::as_fd);
        let files = directory.into_iter().map(|directory| (directory, 0));
        let files: Vec<_> = files.chain([(notes.file(), 1)]).collect();
        init::run_last_helper(&outcome::words(), &environment, &files, socket, until)
    });
    if let Err(why) = reported {
        outcome::without_a_helper(facts, end, run, &why);
    }
}

fn ended(end: End, ending: &Ending, exit_remap: &[(u8, u8)]) -> End {
    let program = Some(ending.program);
    let mut exit_code = None;
    let how = match ending.status {
        Status::Exited(code) if ending.not_started.is_some() => {
            exit_code = u8::try_from(code).ok();
            let report = ending.not_started.clone().unwrap_or_default();
            How::NotStarted { report }
        }
        Status::Exited(code) => How::Exited { code, program },
        Status::Signalled(signal) => How::Signalled { signal, program },
        Status::Unkillable => How::Unkillable,
    };
    let own = how.exit_code().map(|code| remapped(code, exit_remap));
    End {
        how,
        exit_code: own.or(exit_code).unwrap_or(u8::MAX),
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
