//! Words of the command line, and what to say when they are wrong.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use lexopt::{Arg, Parser};

use crate::contract::runtime::SUBCOMMANDS;
use crate::error::{Error, ErrorKind, Fault};
use crate::facts::Facts;
use crate::launch::HELP_HINT;

pub(super) const HELP: &str = "\
One view of an ML workload, whichever platform started its container.

usage:
  lyftlearn-runtime run [--signal-scope auto|group|child] [--] [PROGRAM [ARG...]]
      PID 1: delivers the workload's view, starts PROGRAM, forwards signals, reaps.
      `train` and `serve` run what [commands] in runtime.toml says, or else the
      executable of that name; without PROGRAM, commands.default runs.
  lyftlearn-runtime exec [--] PROGRAM [ARG...]
      The same view, then becomes PROGRAM: for kubectl exec and notebooks.
  lyftlearn-runtime inspect [--json] [--root DIR] [--] [PROGRAM [ARG...]]
      Platform, evidence, the whole workload, problems. With --root, as if DIR were /.
  lyftlearn-runtime env [--format export|dotenv|json|nul] [--with-secrets] [--root DIR] [--] [PROGRAM [ARG...]]
      The variables that would be delivered; secrets, which are fetched for it, on request.
  lyftlearn-runtime explain [--json] [--root DIR] [NAME...]
      Which layer set a variable or a setting, and what it stands over. Secrets are hashed.
  lyftlearn-runtime snapshot [--output FILE] [--root DIR] [--] [PROGRAM [ARG...]]
      What a program sees here, as canonical JSON: names, hashes, versions; no secret.
  lyftlearn-runtime diff [--format text|json|html] [--declared FILE] A B
      What differs between two snapshots; exit code 1 when something does that nobody declared.
  lyftlearn-runtime doctor [--json]
      Asks what a program will need: identity, paths, limits, peers; a fix for each failure.
      Exit code 1 when something fails; never longer than 15 seconds.
  lyftlearn-runtime credentials
      The platform's identity as credential_process JSON.
  lyftlearn-runtime metrics
      What Prometheus would be shown now, as text.
  lyftlearn-runtime spark listen [SECONDS]
      Takes the ports of [spark] as a Spark driver would, prints the command to run where the
      executors are, and ends when each was reached: 0, or 1 after 60 seconds, or SECONDS.
  lyftlearn-runtime spark reach ADDRESS:PORTS
      Where the executors are: connects to a driver's ports, all at once, for 3 seconds. Exit
      code 1 when one is not reached, with the fix.

examples:
  ENTRYPOINT [\"lyftlearn-runtime\", \"run\", \"--\"]
  kubectl exec POD -- lyftlearn-runtime exec python3
  docker run IMAGE bash -c 'lyftlearn-runtime inspect'
  kubectl run --rm -i --image IMAGE --restart Never reach -- lyftlearn-runtime spark reach 10.77.1.2:20000-20031

LYFTLEARN_RUNTIME=off makes run and exec do nothing but start PROGRAM.

exit codes of run and exec: the program's own; 128+n when signal n ended it;
126 not executable, 127 not found; 125 when lyftlearn-runtime itself failed.
";

pub(super) enum Subcommand {
    Run,
    Exec,
    Inspect,
    Env,
    Explain,
    Snapshot,
    Diff,
    Doctor,
    #[cfg(feature = "agent")]
    Credentials,
    #[cfg(feature = "agent")]
    Metrics,
    Spark,
    Help,
    Version,
}

/// The command line of `lyftlearn-runtime` itself is wrong.
#[derive(Debug)]
pub(super) enum UsageFault {
    NoSubcommand,
    UnknownSubcommand {
        word: String,
        nearest: Option<&'static str>,
    },
    UnknownOption {
        option: String,
    },
    MissingValue {
        option: &'static str,
    },
    BadValue {
        option: &'static str,
        expected: &'static str,
    },
    UnexpectedWord {
        word: String,
    },
    /// `diff` without its two snapshots.
    NotTwo,
    /// A file that cannot be written.
    Unwritable {
        path: String,
    },
    /// Neither a variable of the program's nor a setting that is set.
    UnknownName {
        name: String,
    },
}

impl fmt::Display for UsageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSubcommand => f.write_str("cannot tell what to do: no subcommand"),
            Self::UnknownSubcommand {
                word,
                nearest: None,
            } => {
                write!(f, "cannot tell what to do: {word} is no subcommand")
            }
            Self::UnknownSubcommand {
                word,
                nearest: Some(near),
            } => {
                write!(
                    f,
                    "cannot tell what to do: {word} is no subcommand; did you mean {near}?"
                )
            }
            Self::UnknownOption { option } => write!(f, "cannot use {option}: not an option here"),
            Self::MissingValue { option } => write!(f, "cannot use {option}: its value is missing"),
            Self::BadValue { option, expected } => {
                write!(f, "cannot use {option}: expected {expected}")
            }
            Self::UnexpectedWord { word } => {
                write!(f, "cannot use {word}: nothing is expected there")
            }
            Self::NotTwo => f.write_str("cannot compare: expected two snapshots"),
            Self::Unwritable { path } => write!(f, "cannot write {path}"),
            Self::UnknownName { name } => {
                write!(
                    f,
                    "cannot explain {name}: no variable of the program's, and no setting that is set"
                )
            }
        }
    }
}

impl Fault for UsageFault {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::NotTwo => {
                    "lyftlearn-runtime diff A B, each made by lyftlearn-runtime snapshot"
                }
                Self::Unwritable { .. } => "check the directory: is it there, and is there room?",
                Self::UnknownName { .. } => "lyftlearn-runtime explain shows all that there are",
                _ => HELP_HINT,
            }
            .to_owned(),
        )
    }
}

pub(super) fn subcommand(words: &mut Parser) -> Result<Subcommand, Error> {
    Ok(match words.next().map_err(|err| option_fault(&err))? {
        None => return Err(UsageFault::NoSubcommand.into()),
        Some(Arg::Long("help") | Arg::Short('h')) => Subcommand::Help,
        Some(Arg::Long("version") | Arg::Short('V')) => Subcommand::Version,
        Some(Arg::Long(option)) => return Err(unknown(&format!("--{option}"))),
        Some(Arg::Short(option)) => return Err(unknown(&format!("-{option}"))),
        Some(Arg::Value(word)) => match word.to_str() {
            Some("run") => Subcommand::Run,
            Some("exec") => Subcommand::Exec,
            Some("inspect") => Subcommand::Inspect,
            Some("env") => Subcommand::Env,
            Some("explain") => Subcommand::Explain,
            Some("snapshot") => Subcommand::Snapshot,
            Some("diff") => Subcommand::Diff,
            Some("doctor") => Subcommand::Doctor,
            #[cfg(feature = "agent")]
            Some("credentials") => Subcommand::Credentials,
            #[cfg(feature = "agent")]
            Some("metrics") => Subcommand::Metrics,
            Some("spark") => Subcommand::Spark,
            Some("help") => Subcommand::Help,
            _ => {
                let word = word.to_string_lossy().into_owned();
                let nearest = SUBCOMMANDS
                    .iter()
                    .copied()
                    .find(|known| strsim::damerau_levenshtein(known, &word) <= 2);
                return Err(UsageFault::UnknownSubcommand { word, nearest }.into());
            }
        },
    })
}

/// Our options, then the program's argv: everything from `--`, or from the first
/// word that is no option, byte for byte.
pub(super) fn options(
    words: &mut Parser,
    mut take: impl FnMut(&str, &mut Parser) -> Result<bool, Error>,
) -> Result<Vec<OsString>, Error> {
    loop {
        // Before the parser sees `--`: it swallows it, and options behind it are the program's.
        let rest = words.try_raw_args();
        if let Some(mut rest) = rest {
            match rest.peek() {
                None => return Ok(Vec::new()),
                Some(word) if word == "--" => {
                    rest.next();
                    return Ok(rest.collect());
                }
                Some(word) if !word.to_string_lossy().starts_with('-') || word == "-" => {
                    return Ok(rest.collect());
                }
                Some(_) => {}
            }
        }
        let option = match words.next().map_err(|err| option_fault(&err))? {
            Some(Arg::Long(name)) => format!("--{name}"),
            Some(Arg::Short(letter)) => format!("-{letter}"),
            Some(Arg::Value(_)) | None => return Ok(Vec::new()),
        };
        if !take(&option, words)? {
            return Err(unknown(&option));
        }
    }
}

/// For commands that look and start nothing: their own options, `--root`, and the argv
/// of the program that they look for.
pub(super) fn looked_at(
    words: &mut Parser,
    mut take: impl FnMut(&str, &mut Parser) -> Result<bool, Error>,
) -> Result<Facts, Error> {
    let mut root = None;
    let argv = options(words, |option, words| match option {
        "--root" => {
            let directory = value(words, "--root")?;
            if !Path::new(&directory).is_dir() {
                let expected = "a directory that exists";
                return Err(UsageFault::BadValue {
                    option: "--root",
                    expected,
                }
                .into());
            }
            root = Some(directory);
            Ok(true)
        }
        _ => take(option, words),
    })?;
    let facts = Facts::capture(argv);
    Ok(match root {
        Some(root) => facts.with_root(root),
        None => facts,
    })
}

/// A file as a person names it: from where they stand.
pub(super) fn absolute(path: &std::ffi::OsStr) -> std::path::PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

/// For commands that take no words of any kind.
pub(super) fn nothing_more(words: &mut Parser) -> Result<(), Error> {
    let rest = options(words, |_, _| Ok(false))?;
    match rest.first() {
        Some(word) => Err(UsageFault::UnexpectedWord {
            word: word.to_string_lossy().into_owned(),
        }
        .into()),
        None => Ok(()),
    }
}

/// An option's value.
pub(super) fn value(words: &mut Parser, option: &'static str) -> Result<OsString, Error> {
    words
        .value()
        .map_err(|_| UsageFault::MissingValue { option }.into())
}

fn unknown(option: &str) -> Error {
    UsageFault::UnknownOption {
        option: option.to_owned(),
    }
    .into()
}

/// What the parser refuses by itself: a value for an option that takes none.
fn option_fault(err: &lexopt::Error) -> Error {
    let option = match err {
        lexopt::Error::UnexpectedValue { option, .. } => option.clone(),
        _ => "an argument".to_owned(),
    };
    unknown(&option)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::UsageFault;
    use crate::error::reports;

    #[test]
    fn every_fault_has_its_report() {
        let word = || "rnu".to_owned();
        let option = "--format";
        expect![[r#"
            Usage: cannot tell what to do: no subcommand
              hint: lyftlearn-runtime --help shows all; an image's ENTRYPOINT is ["lyftlearn-runtime", "run", "--"]
            Usage: cannot tell what to do: rnu is no subcommand
              hint: lyftlearn-runtime --help shows all; an image's ENTRYPOINT is ["lyftlearn-runtime", "run", "--"]
            Usage: cannot tell what to do: rnu is no subcommand; did you mean run?
              hint: lyftlearn-runtime --help shows all; an image's ENTRYPOINT is ["lyftlearn-runtime", "run", "--"]
            Usage: cannot use --verbose: not an option here
              hint: lyftlearn-runtime --help shows all; an image's ENTRYPOINT is ["lyftlearn-runtime", "run", "--"]
            Usage: cannot use --format: its value is missing
              hint: lyftlearn-runtime --help shows all; an image's ENTRYPOINT is ["lyftlearn-runtime", "run", "--"]
            Usage: cannot use --format: expected text, json or html
              hint: lyftlearn-runtime --help shows all; an image's ENTRYPOINT is ["lyftlearn-runtime", "run", "--"]
            Usage: cannot use rnu: nothing is expected there
              hint: lyftlearn-runtime --help shows all; an image's ENTRYPOINT is ["lyftlearn-runtime", "run", "--"]
            Usage: cannot compare: expected two snapshots
              hint: lyftlearn-runtime diff A B, each made by lyftlearn-runtime snapshot
            Usage: cannot write /absent/file
              hint: check the directory: is it there, and is there room?
            Usage: cannot explain XYZZY: no variable of the program's, and no setting that is set
              hint: lyftlearn-runtime explain shows all that there are
        "#]].assert_eq(&reports([
            UsageFault::NoSubcommand,
            UsageFault::UnknownSubcommand {
                word: word(),
                nearest: None,
            },
            UsageFault::UnknownSubcommand {
                word: word(),
                nearest: Some("run"),
            },
            UsageFault::UnknownOption {
                option: "--verbose".to_owned(),
            },
            UsageFault::MissingValue { option },
            UsageFault::BadValue {
                option,
                expected: "text, json or html",
            },
            UsageFault::UnexpectedWord { word: word() },
            UsageFault::NotTwo,
            UsageFault::Unwritable {
                path: "/absent/file".to_owned(),
            },
            UsageFault::UnknownName {
                name: "XYZZY".to_owned(),
            },
        ]));
    }
}
