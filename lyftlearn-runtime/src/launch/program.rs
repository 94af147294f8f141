//! From the argv that the platform gave to the program that runs.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::fault::LaunchFault;
use crate::commands::COMMANDS;
use crate::contract::runtime;
use crate::error::{Error, ErrorKind, Fault};
use crate::facts::Facts;
use crate::init;
use crate::resolve::image_commands;
use crate::settings::Commands;

/// Where execvp(3) looks without a PATH.
const SEARCH: &str = "/bin:/usr/bin";

/// A platform's word that nothing here answers to.
#[derive(Debug)]
struct NoCommand {
    word: &'static str,
}

impl fmt::Display for NoCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word;
        write!(
            f,
            "cannot find a command for {word}: no commands.{word} in the settings, and no executable {word} on PATH"
        )
    }
}

impl Fault for NoCommand {
    fn kind(&self) -> ErrorKind {
        ErrorKind::ProgramNotFound
    }

    fn hint(&self) -> Option<String> {
        let (file, word) = (runtime::IMAGE_SETTINGS, self.word);
        Some(format!(
            "put {word} = [\"python3\", \"{word}.py\"] under [commands] in {file}"
        ))
    }
}

/// The file that PATH alone gives for a platform's word. It may belong to another product with a
/// command of the same name (Ray's `serve`, the training toolkit's `train`).
pub(super) fn found_for_a_word(facts: &Facts, commands: &Commands) -> Option<String> {
    let first = facts.argv().first()?;
    let command = command_of(first.to_str()?, commands)?;
    let file = on_path(facts, first).filter(|_| command.is_none())?;
    Some(format!("{} is {}", first.display(), file.display()))
}

/// The word behind a wrapper of the image's, where `[commands]` says what it means and the
/// wrapper cannot know.
pub(super) fn wrapped<'a>(facts: &'a Facts, commands: &Commands) -> Option<&'a str> {
    let word = facts.wrapped_word()?;
    command_of(word, commands)?.as_ref().map(|_| word)
}

fn command_of<'a>(word: &str, commands: &'a Commands) -> Option<&'a Option<Vec<String>>> {
    match word {
        "train" => Some(&commands.train),
        "serve" => Some(&commands.serve),
        _ => None,
    }
}

/// A subcommand of ours where a program belongs.
#[derive(Debug)]
struct OwnCommand {
    word: String,
}

impl fmt::Display for OwnCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot find the program {}", self.word)
    }
}

impl Fault for OwnCommand {
    fn kind(&self) -> ErrorKind {
        ErrorKind::ProgramNotFound
    }

    fn hint(&self) -> Option<String> {
        let word = &self.word;
        Some(format!(
            "for this runtime's own {word}: docker run --entrypoint lyftlearn-runtime IMAGE {word}"
        ))
    }
}

/// Resolves `train` and `serve` from the settings or PATH, and an empty argv to the image's
/// default. `train` gets the hyperparameters as arguments if a setting asks for it. Any other argv
/// stays as it is, byte for byte.
pub(super) fn resolve(
    facts: &Facts,
    commands: &Commands,
    argv: &[OsString],
    hyperparameters: impl FnOnce() -> Result<Vec<OsString>, Error>,
) -> Result<Vec<OsString>, Error> {
    let Some(first) = argv.first() else {
        let default = commands.default.as_deref().ok_or(LaunchFault::NoProgram)?;
        return Ok(default.iter().map(OsString::from).collect());
    };
    let (word, command) = match first.to_str() {
        Some("train") => ("train", &commands.train),
        Some("serve") => ("serve", &commands.serve),
        Some(word) if COMMANDS.at(&[word]).is_some() && on_path(facts, first).is_none() => {
            return Err(OwnCommand {
                word: word.to_owned(),
            }
            .into());
        }
        _ => return Ok(argv.to_vec()),
    };
    let mut program: Vec<OsString> = match command {
        Some(command) => command.iter().map(OsString::from).collect(),
        None if on_path(facts, first).is_some() => vec![first.clone()],
        None => return Err(NoCommand { word }.into()),
    };
    if word == "train" && commands.hyperparameters_as_args {
        program.extend(hyperparameters()?);
    }
    // What follows the word belongs to whatever it runs; said last, it counts.
    program.extend_from_slice(&argv[1..]);
    Ok(program)
}

/// The file of a program's name: the name itself if it has a slash, else the first executable on
/// PATH, else the first existing file. A name that is not found stays as it is, for the report.
pub(super) fn file(facts: &Facts, argv: &[OsString]) -> PathBuf {
    let name = argv.first().map_or_else(PathBuf::new, PathBuf::from);
    if name.as_os_str().as_bytes().contains(&b'/') {
        return name;
    }
    on_path(facts, name.as_os_str()).unwrap_or(name)
}

fn on_path(facts: &Facts, name: &OsStr) -> Option<PathBuf> {
    let path = facts.text("PATH").unwrap_or(SEARCH.into());
    let files = || {
        let places = path
            .split(':')
            .map(|directory| Path::new(directory).join(name));
        places.filter(|file| file.is_file() && !name.is_empty())
    };
    let executable = |file: &PathBuf| rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok();
    files().find(executable).or_else(|| files().next())
}

/// The kill switch: nothing but the program. Settings are read only where the words
/// `train`, `serve` or nothing at all leave the program to them.
pub(super) fn pass_through(facts: &Facts) -> Result<Error, Error> {
    let commands = if needs_commands(facts) {
        image_commands(facts)
    } else {
        Commands::default()
    };
    let argv = resolve(facts, &commands, facts.argv(), || Ok(Vec::new()))?;
    Ok(init::become_program(
        &file(facts, &argv),
        &argv,
        facts.vars(),
    ))
}

/// Whether the program is left to `[commands]`: no other argv needs a look at settings.
fn needs_commands(facts: &Facts) -> bool {
    let word = facts.argv().first().map(|word| word.to_str());
    matches!(word, None | Some(Some("train" | "serve")))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{NoCommand, OwnCommand};
    use crate::error::reports;

    #[test]
    fn a_word_that_runs_nothing_has_its_report() {
        expect![[r#"
            ProgramNotFound: cannot find a command for train: no commands.train in the settings, and no executable train on PATH
              hint: put train = ["python3", "train.py"] under [commands] in /etc/lyftlearn/runtime.toml
            ProgramNotFound: cannot find a command for serve: no commands.serve in the settings, and no executable serve on PATH
              hint: put serve = ["python3", "serve.py"] under [commands] in /etc/lyftlearn/runtime.toml
        "#]].assert_eq(&reports(["train", "serve"].map(|word| NoCommand { word })));
        let word = "inspect".to_owned();
        expect![[r#"
            ProgramNotFound: cannot find the program inspect
              hint: for this runtime's own inspect: docker run --entrypoint lyftlearn-runtime IMAGE inspect
        "#]].assert_eq(&reports([OwnCommand { word }]));
    }
}
