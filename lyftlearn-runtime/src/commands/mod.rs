//! The register of subcommands. `--help`, man pages, shell completions and the reference page are
//! all made from it, and the parser takes an option only if it is listed here.
//!
//! Plain data: a start of PID 1 reads none of it but the names.

mod table;

pub use table::COMMANDS;

/// A subcommand, or the whole command line.
#[derive(Debug)]
pub struct Command {
    /// The word on the command line.
    pub name: &'static str,
    /// One line without a full stop.
    pub summary: &'static str,
    /// Paragraphs below the summary.
    pub details: &'static [&'static str],
    /// What stands after the name, a line for each form; empty with subcommands of its own.
    pub usage: &'static [&'static str],
    /// Words that are not options.
    pub arguments: &'static [Argument],
    /// Without `--help`, which every subcommand has.
    pub options: &'static [Flag],
    /// Whole commands.
    pub examples: &'static [Example],
    /// Every code that it can end with.
    pub exit_codes: &'static [ExitCode],
    /// Subcommands below this one.
    pub subcommands: &'static [Command],
}

/// A word that is not an option.
#[derive(Debug)]
pub struct Argument {
    /// As the usage line spells it.
    pub name: &'static str,
    /// What it is, and whether it may be left out.
    pub meaning: &'static str,
    /// What a shell can complete it with.
    pub value: Value,
    /// Whether this word and all that follow are a program's, which get no completion of ours.
    pub program: bool,
}

/// An option.
#[derive(Debug)]
pub struct Flag {
    /// With its hyphens.
    pub name: &'static str,
    /// The name of its value; `None`: it has no value.
    pub value: Option<(&'static str, Value)>,
    /// What it does.
    pub meaning: &'static str,
    /// The value without it.
    pub default: Option<&'static str>,
}

/// What a value can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Anything.
    Text,
    /// A file's path.
    File,
    /// A directory's path.
    Directory,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// One or more of these, separated by commas.
    SomeOf(&'static [&'static str]),
}

/// A command that works as it is written.
#[derive(Debug)]
pub struct Example {
    /// What it is for.
    pub purpose: &'static str,
    /// The command.
    pub command: &'static str,
}

/// An exit code.
#[derive(Debug)]
pub struct ExitCode {
    /// A number, or a formula such as `128+n`.
    pub code: &'static str,
    /// When the command ends with it.
    pub meaning: &'static str,
}

impl Command {
    /// The subcommand that `path` leads to from here.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Command> {
        path.iter().try_fold(self, |command, name| {
            command.subcommands.iter().find(|below| below.name == *name)
        })
    }

    /// The option of that name.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<&Flag> {
        self.options.iter().find(|flag| flag.name == name)
    }

    /// Whether the words after its options are a program's.
    #[must_use]
    pub fn starts_a_program(&self) -> bool {
        self.arguments.iter().any(|argument| argument.program)
    }
}

#[cfg(test)]
mod tests;
