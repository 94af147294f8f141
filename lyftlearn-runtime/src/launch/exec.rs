//! `exec`: the same view without supervision.

use std::ffi::OsString;

use super::credentials;
use super::environment::Gathered;
use super::fault::LaunchFault;
use super::prepare::recipient;
use super::program;
use super::required;
use super::secrets;
use super::statsd;
use crate::account::{self, Account};
use crate::contract::delivered as names;
use crate::deliver::{Keeper, deliver, delivered};
use crate::delivered::{View, variables_at, workload_at};
use crate::error::Error;
use crate::facts::{Facts, Whose};
use crate::held::Directory;
use crate::init;
use crate::problems::Problems;
use crate::resolve::{resolve_with, switched_off, told_beside};
use crate::toolkit;
use crate::workload::Workload;

/// Becomes the program; returns only when that fails.
pub(crate) fn exec(argv: Vec<OsString>) -> Result<u8, Error> {
    if argv.is_empty() {
        return Err(LaunchFault::NoProgram.into());
    }
    let facts = Facts::capture(argv);
    if switched_off(&facts)? {
        return Err(program::pass_through(&facts)?);
    }
    let (settings, documents) = told_beside(&facts)?;
    let account = account::account(&facts, settings.user.as_deref())?;
    let owner = account.as_ref().map(Account::owner);
    let user = owner.map_or_else(|| rustix::process::geteuid().as_raw(), |owner| owner.uid);
    let beside = facts.runtime_beside(Whose::User(user));
    // The program can write there, and this process, which may be root, reads it.
    let facts = match &beside {
        Some(run) => facts.with_held(run.clone()).with_those_of(run),
        None => facts,
    };
    let (workload, variables, optional, obtained) = match beside {
        // The view of the program that is already there, and nothing written over it.
        Some(run) => {
            let workload = workload_in(&facts, &run)?;
            let variables = delivered(&workload, false);
            let optional = optional_beside(&facts, &workload, &variables)?;
            let obtained = secrets::beside(&settings, &run)?;
            (workload, variables, optional, obtained)
        }
        None => {
            let resolved = resolve_with(&facts, &[])?;
            if init::is_pid_one() {
                init::end_by_a_stop()?;
            }
            // No agent stays to serve them: the program asks the same source by itself.
            drop(required::awaited(
                &facts,
                &resolved,
                account.as_ref(),
                false,
            )?);
            let obtained = secrets::obtain(&facts, &resolved)?;
            let settings = resolved.settings.clone();
            let recipient = recipient(Keeper::Successor, account.as_ref(), &resolved.settings);
            let delivery = deliver(
                resolved.workload,
                &resolved.values,
                resolved.toolkit.variables,
                recipient,
            );
            let (workload, variables) = (delivery.workload.clone(), delivery.variables.clone());
            let run = delivery.run();
            let kept = secrets::keep_set(&settings, &obtained, run, &mut Problems::default())?;
            // The program that this process becomes has them as long as it runs.
            if let Some(kept) = kept {
                kept.leave();
            }
            (workload, variables, delivery.optional.clone(), obtained)
        }
    };
    let argv = program::resolve(&facts, &settings.commands, facts.argv(), || {
        let view = View::delivered(workload.clone());
        toolkit::arguments(&view.hyperparameters(&facts)?)
    })?;
    let presented = credentials::beside(&facts, &workload, &settings, account.as_ref());
    let pointed = statsd::beside(&facts, &workload, &settings);
    let gathered = Gathered::new(
        &facts, &workload, &documents, &variables, &optional, &presented, &pointed,
    )?
    .with(obtained);
    let environment = gathered.environment(&facts, &argv, account.as_ref())?;
    if let Some(account) = &account {
        init::become_user(&account.user)?;
    }
    let file = program::file(&facts, &argv);
    Err(init::become_program(&file, &argv, &environment.variables))
}

/// What PID 1 delivered. Where its files lie is where they were found, whatever they say.
fn workload_in(facts: &Facts, run: &Directory) -> Result<Workload, Error> {
    let path = run.path();
    let mut workload = workload_at(facts, &path.join(names::WORKLOAD_FILE))?;
    workload.paths.run = Some(path.to_owned());
    workload.hyperparameters.path = Some(path.join(names::HYPERPARAMETERS_DOCUMENT));
    Ok(workload)
}

/// What PID 1 delivered beyond what the workload says by itself.
fn optional_beside(
    facts: &Facts,
    workload: &Workload,
    variables: &[(String, OsString)],
) -> Result<Vec<(String, String)>, Error> {
    let Some(run) = &workload.paths.run else {
        return Ok(Vec::new());
    };
    let document = variables_at(facts, &run.join(names::ENVIRONMENT_DOCUMENT))?;
    let mut document = document.unwrap_or_default();
    for (name, _) in variables {
        document.remove(name);
    }
    Ok(document.into_iter().collect())
}
