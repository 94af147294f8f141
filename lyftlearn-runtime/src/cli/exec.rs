//! `exec`: the same view without supervision.

use std::ffi::OsString;

use lexopt::Parser;

use super::identity;
use super::ingest;
use super::layers::Gathered;
use super::program;
use super::required;
use super::run::recipient;
use super::secrets;
use super::usage::{self, UsageFault};
use super::user::{self, Account};
use crate::contract::delivered as names;
use crate::deliver::{Keeper, deliver, delivered, delivered_beside};
use crate::error::Error;
use crate::facts::Facts;
use crate::init;
use crate::resolve::{View, resolve_with, switched_off, told_beside, variables_at, workload_at};
use crate::toolkit;
use crate::workload::Workload;

pub(super) fn exec(mut words: Parser) -> Result<u8, Error> {
    let argv = usage::options(&mut words, |_, _| Ok(false))?;
    if argv.is_empty() {
        return Err(UsageFault::NoProgram.into());
    }
    let facts = Facts::capture(argv);
    if switched_off(&facts)? {
        return Err(program::pass_through(&facts)?);
    }
    let (settings, documents) = told_beside(&facts)?;
    let account = user::account(&facts, settings.user.as_deref())?;
    let owner = account.as_ref().map(Account::owner);
    let beside = facts
        .word_of_pid_one()
        .and_then(|_| delivered_beside(owner));
    let (workload, variables, optional, obtained) =
        match beside.map(|path| workload_at(&facts, &path)).transpose()? {
            // The view of the program that is already there, and nothing written over it.
            Some(workload) => {
                let variables = delivered(&workload, false);
                let optional = optional_beside(&facts, &workload, &variables)?;
                let obtained = secrets::beside(&facts, &settings, &workload)?;
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
                let run = workload.paths.run.as_deref();
                let kept = secrets::keep_set(&settings, &obtained, run, owner, &mut Vec::new())?;
                // The program that this process becomes has them as long as it runs.
                std::mem::forget(kept);
                (workload, variables, delivery.optional.clone(), obtained)
            }
        };
    let argv = program::resolve(&facts, &settings.commands, facts.argv(), || {
        let view = View::delivered(workload.clone());
        toolkit::arguments(&view.hyperparameters(&facts)?)
    })?;
    let presented = identity::beside(&facts, &workload, &settings, account.as_ref());
    let pointed = ingest::beside(&facts, &workload, &settings);
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
