//! `run` and `exec`: the same view, with PID 1 and without.

use std::ffi::OsString;

use lexopt::Parser;

use super::output;
use super::program;
use super::usage::{self, UsageFault};
use crate::deliver::{Delivery, Keeper, deliver, delivered, delivered_beside, environment};
use crate::error::Error;
use crate::facts::Facts;
use crate::init::{self, Armed, Program, Scope};
use crate::resolve::{Resolved, image_commands, resolve_with, switched_off, workload_at};
use crate::settings::Commands;

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
    let facts = Facts::capture(argv);
    if switched_off(&facts)? {
        armed.disarm()?;
        return Err(pass_through(&facts)?);
    }
    let resolved = resolve_with(&facts, &arguments)?;
    let scope = match resolved.settings.signal_scope.as_deref() {
        Some("child") => Scope::Child,
        _ => Scope::Group,
    };
    let keeper = if init::is_pid_one() {
        Keeper::Container
    } else {
        Keeper::Process
    };
    // Reading may have taken a while: a stop that came meanwhile ends it here.
    if let Some(code) = armed.stopped()? {
        return Ok(code);
    }
    let (program, delivery) = prepare(&facts, resolved, keeper)?;
    drop(facts);
    let code = init::supervise(&mut armed, program, scope);
    drop(delivery);
    code
}

pub(super) fn exec(mut words: Parser) -> Result<u8, Error> {
    let argv = usage::options(&mut words, |_, _| Ok(false))?;
    if argv.is_empty() {
        return Err(UsageFault::NoProgram.into());
    }
    let facts = Facts::capture(argv);
    if switched_off(&facts)? {
        return Err(pass_through(&facts)?);
    }
    let beside = facts.word_of_pid_one().and_then(|_| delivered_beside());
    let program = match beside.map(|path| workload_at(&facts, &path)).transpose()? {
        // The view of the program that is already there, and nothing written over it.
        Some(workload) => {
            let commands = if needs_commands(&facts) {
                resolve_with(&facts, &[])?.settings.commands
            } else {
                Commands::default()
            };
            let argv = program::resolve(&facts, &commands, facts.argv())?;
            let environment = environment(facts.vars(), &delivered(&workload), &argv)?;
            Program {
                file: program::file(&facts, &argv),
                argv,
                environment,
            }
        }
        None => prepare(&facts, resolve_with(&facts, &[])?, Keeper::Successor)?.0,
    };
    Err(init::become_program(
        &program.file,
        &program.argv,
        Some(program.environment),
    ))
}

fn prepare(
    facts: &Facts,
    resolved: Resolved,
    keeper: Keeper,
) -> Result<(Program, Delivery), Error> {
    let argv = program::resolve(facts, &resolved.settings.commands, facts.argv())?;
    let quiet = resolved.settings.log.as_deref() == Some("off");
    let noted = resolved.problems.len();
    let delivery = deliver(resolved.workload, &resolved.values, keeper);
    let environment = environment(facts.vars(), &delivery.variables, &argv)?;
    if !quiet {
        say(&delivery, noted + delivery.problems.len());
    }
    let file = program::file(facts, &argv);
    Ok((
        Program {
            file,
            argv,
            environment,
        },
        delivery,
    ))
}

/// One line, so that a log shows where it ran and nothing else.
fn say(delivery: &Delivery, problems: usize) {
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
    output::say(&format!(
        "lyftlearn-runtime: {} ({}), {}{job}{problems}\n",
        workload.platform.as_str(),
        workload.flavor.as_str(),
        workload.role.as_str(),
    ));
}

/// The kill switch: nothing but the program. Settings are read only where the words
/// `train`, `serve` or nothing at all leave the program to them.
fn pass_through(facts: &Facts) -> Result<Error, Error> {
    let commands = if needs_commands(facts) {
        image_commands(facts)
    } else {
        Commands::default()
    };
    let argv: Vec<OsString> = program::resolve(facts, &commands, facts.argv())?;
    Ok(init::become_program(
        &program::file(facts, &argv),
        &argv,
        None,
    ))
}

/// Whether the program is left to `[commands]`: no other argv needs a look at settings.
fn needs_commands(facts: &Facts) -> bool {
    let word = facts.argv().first().map(|word| word.to_str());
    matches!(word, None | Some(Some("train" | "serve")))
}
