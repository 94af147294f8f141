//! `exec`: the same view without supervision.

use lexopt::Parser;

use super::layers::Gathered;
use super::program;
use super::run::recipient;
use super::usage::{self, UsageFault};
use super::user::{self, Account};
use crate::deliver::{Keeper, deliver, delivered, delivered_beside};
use crate::error::Error;
use crate::facts::Facts;
use crate::init;
use crate::resolve::{resolve_with, switched_off, told_beside, workload_at};

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
    let (workload, variables) = match beside.map(|path| workload_at(&facts, &path)).transpose()? {
        // The view of the program that is already there, and nothing written over it.
        Some(workload) => {
            let variables = delivered(&workload, false);
            (workload, variables)
        }
        None => {
            let resolved = resolve_with(&facts, &[])?;
            let recipient = recipient(Keeper::Successor, account.as_ref(), &resolved.settings);
            let delivery = deliver(resolved.workload, &resolved.values, recipient);
            (delivery.workload.clone(), delivery.variables.clone())
        }
    };
    let argv = program::resolve(&facts, &settings.commands, facts.argv())?;
    let gathered = Gathered::new(&facts, &workload, &documents, &variables)?;
    let environment = gathered.environment(&facts, &argv, account.as_ref())?;
    if let Some(account) = &account {
        init::become_user(&account.user)?;
    }
    let file = program::file(&facts, &argv);
    Err(init::become_program(&file, &argv, &environment))
}
