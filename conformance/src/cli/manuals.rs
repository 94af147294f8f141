//! Man pages and shell completions of both programs.
//!
//! The checker's own come from its clap command. The runtime has no clap, which PID 1 need not
//! carry: its register becomes a clap command here, where packages are made.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command, CommandFactory, ValueHint};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use lyftlearn_conformance::trouble::{Result, Trouble};
use lyftlearn_runtime::commands::{self, COMMANDS, Example, ExitCode as Code, Value};

use super::Line;

/// `manuals`
pub(crate) fn write(directory: &Path) -> Result<ExitCode> {
    let mut checker = Line::command();
    let mut runtime = command(&COMMANDS, "lyftlearn-runtime");
    for (program, row) in [(&mut runtime, Some(&COMMANDS)), (&mut checker, None)] {
        let name = program.get_name().to_owned();
        for (shell, file) in [
            (Shell::Bash, format!("{name}.bash")),
            (Shell::Fish, format!("{name}.fish")),
            (Shell::Zsh, format!("_{name}")),
        ] {
            let text = completions(shell, program.clone());
            save(directory.join("completions").join(file), text.as_bytes())?;
        }
        // Builds the full names of subcommands.
        program.build();
        pages(program, row, &name, &directory.join("man1"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What a shell completes a program's command line by.
pub(super) fn completions(shell: Shell, mut program: Command) -> String {
    let name = program.get_name().to_owned();
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut program, &name, &mut text);
    // In bash labels, clap_complete 4.6 takes the hyphen in a program's name for the start of a
    // subcommand, and completes no subcommand.
    String::from_utf8_lossy(&text).replace("lyftlearn__subcmd__", "lyftlearn__")
}

/// A page for a command, and one for each below it: `lyftlearn-runtime-spark-listen.1`.
fn pages(
    command: &Command,
    row: Option<&'static commands::Command>,
    name: &str,
    directory: &Path,
) -> Result<()> {
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .source(format!("lyftlearn-runtime {}", env!("CARGO_PKG_VERSION")))
        .date(date());
    let mut text = Vec::new();
    let part = |err: std::io::Error| Trouble::Cannot(format!("cannot write {name}.1: {err}"));
    if let Some(row) = row {
        man.render_title(&mut text).map_err(part)?;
        man.render_name_section(&mut text).map_err(part)?;
        man.render_synopsis_section(&mut text).map_err(part)?;
        man.render_description_section(&mut text).map_err(part)?;
        if !row.subcommands.is_empty() {
            man.render_subcommands_section(&mut text).map_err(part)?;
        }
        man.render_options_section(&mut text).map_err(part)?;
        text.extend(sections(row).into_bytes());
    } else {
        man.render(&mut text).map_err(part)?;
    }
    save(directory.join(format!("{name}.1")), &text)?;
    for below in command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
    {
        let row = row.and_then(|row| row.at(&[below.get_name()]));
        // clap's own `help` has no page.
        if row.is_some()
            || (below.get_name() != "help" && name.starts_with("lyftlearn-conformance"))
        {
            pages(
                below,
                row,
                &format!("{name}-{}", below.get_name()),
                directory,
            )?;
        }
    }
    Ok(())
}

/// The day of this version in the changelog: the day of the build would change with each build.
fn date() -> &'static str {
    let heading = concat!("## ", env!("CARGO_PKG_VERSION"), ", ");
    let lines = include_str!("../../../CHANGELOG.md").lines();
    lines
        .filter_map(|line| line.strip_prefix(heading))
        .next()
        .unwrap_or_default()
}

/// What a clap command has no place for.
fn sections(row: &commands::Command) -> String {
    let mut page = Roff::new();
    if !row.examples.is_empty() {
        page.control("SH", ["EXAMPLES"]);
        for Example { purpose, command } in row.examples {
            page.control("TP", []);
            page.text([roman(format!("{purpose}:"))]);
            page.text([roman(*command)]);
        }
    }
    page.control("SH", ["EXIT STATUS"]);
    for Code { code, meaning } in row.exit_codes {
        page.control("TP", []);
        page.text([roman(*code)]);
        page.text([roman(*meaning)]);
    }
    page.render()
}

/// A row of the register in clap's words.
fn command(row: &'static commands::Command, path: &str) -> Command {
    let help = Arg::new("help")
        .short('h')
        .long("help")
        .action(ArgAction::Help)
        .help("Print help");
    let mut command = Command::new(row.name)
        .about(row.summary)
        .disable_help_subcommand(true)
        .disable_help_flag(true)
        .arg(help);
    if !row.details.is_empty() {
        command = command.long_about(format!("{}.\n\n{}", row.summary, row.details.join("\n\n")));
    }
    if !row.usage.iter().all(|form| form.is_empty()) {
        let forms: Vec<String> = row
            .usage
            .iter()
            .map(|form| format!("{path} {form}"))
            .collect();
        command = command.override_usage(forms.join("\n"));
    }
    for flag in row.options {
        let mut arg = Arg::new(flag.name)
            .long(flag.name.trim_start_matches('-'))
            .help(flag.meaning);
        arg = match flag.value {
            Some((name, value)) => of_kind(arg.value_name(name), value),
            None => arg.action(ArgAction::SetTrue),
        };
        if flag.name == "--version" {
            arg = arg.short('V');
        }
        if let Some(default) = flag.default {
            arg = arg.help(format!("{} [default: {default}]", flag.meaning));
        }
        command = command.arg(arg);
    }
    for (number, argument) in row.arguments.iter().enumerate() {
        let arg = Arg::new(argument.name)
            .value_name(argument.name)
            .help(argument.meaning)
            .index(number + 1);
        let arg = if argument.program {
            arg.trailing_var_arg(true)
                .num_args(0..)
                .value_hint(ValueHint::CommandWithArguments)
        } else {
            of_kind(arg, argument.value)
        };
        command = command.arg(arg);
    }
    for below in row.subcommands {
        command = command.subcommand(self::command(below, &format!("{path} {}", below.name)));
    }
    command
}

fn of_kind(arg: Arg, value: Value) -> Arg {
    match value {
        Value::OneOf(choices) => arg.value_parser(PossibleValuesParser::new(choices)),
        // A shell completes the first of a list.
        Value::SomeOf(choices) => arg
            .value_delimiter(',')
            .value_parser(PossibleValuesParser::new(choices)),
        Value::File => arg.value_hint(ValueHint::FilePath),
        Value::Directory => arg.value_hint(ValueHint::DirPath),
        Value::Text => arg.value_hint(ValueHint::Other),
    }
}

fn save(path: PathBuf, text: &[u8]) -> Result<()> {
    let write = || {
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        std::fs::write(&path, text)
    };
    write().map_err(|err| Trouble::Wrong(vec![format!("cannot write {}: {err}", path.display())]))
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::pages;

    #[test]
    fn the_footer_has_the_day_of_the_version_and_then_its_number() {
        let directory = tempfile::tempdir().unwrap();
        pages(&Command::new("prog"), None, "prog", directory.path()).unwrap();
        let page = std::fs::read_to_string(directory.path().join("prog.1")).unwrap();
        let title = page.lines().find(|line| line.starts_with(".TH ")).unwrap();
        let words: Vec<&str> = title.split_whitespace().collect();
        let digits = |part: &str, length| {
            part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        let day: Vec<&str> = words[3].trim_matches('"').split('-').collect();
        assert!(
            day.len() == 3 && digits(day[0], 4) && digits(day[1], 2) && digits(day[2], 2),
            "{title}"
        );
        assert!(
            title.contains(concat!("lyftlearn-runtime ", env!("CARGO_PKG_VERSION"))),
            "{title}"
        );
    }
}
