//! `lyftlearn-conformance`: checks images; inside of containers it is the helper and the probe.

#![expect(
    clippy::disallowed_methods,
    reason = "a command line of its own: it reads files, variables and the clock"
)]

mod cli;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use cli::{Line, What};
use lyftlearn_conformance::probe;
use lyftlearn_conformance::report::visible;
use lyftlearn_conformance::trouble::Trouble;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    // Not a subcommand: the probe starts in milliseconds, and no help shows it.
    if let Some((first, rest)) = words.split_first()
        && first == "probe"
    {
        return match probe::run(rest) {
            Ok(code) => ExitCode::from(code),
            Err(why) => {
                say(&why);
                ExitCode::from(70)
            }
        };
    }
    let done = match Line::parse().what {
        What::Check(line) => cli::check::run(&line),
        What::Run(line) => cli::other::run(&line),
        What::List { format } => cli::other::list(format),
        What::Explain { id } => cli::other::explain(&id),
        What::Init { image, with } => cli::other::init(image.as_deref(), &with),
        What::Report {
            file,
            compare,
            files,
        } => cli::other::report(&file, compare.as_deref(), &files),
        What::Completions { shell } => cli::other::completions(shell),
        What::Manuals { directory } => cli::manuals::write(&directory),
        What::Demo(demo) => cli::demo::run(&demo),
    };
    done.unwrap_or_else(|trouble| {
        if let Trouble::Wrong(mistakes) = &trouble {
            for mistake in mistakes {
                say(mistake);
            }
        } else {
            say(&trouble.to_string());
        }
        ExitCode::from(trouble.exit_code())
    })
}

fn say(text: &str) {
    // A cause may quote an image or an engine, and a terminal obeys control characters.
    let text = visible(text);
    // A closed stderr is no reason to stop.
    let _ = writeln!(std::io::stderr(), "lyftlearn-conformance: {text}");
}
