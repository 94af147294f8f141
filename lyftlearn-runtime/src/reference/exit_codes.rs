//! `docs/reference/exit-codes.md`: exit codes, and the kinds of error that lead to them.

use std::fmt::Write;

use expect_test::expect_file;

use super::{heading, page};
use crate::error::ErrorKind;

/// Each kind with its Python exception and an example. The match makes the compiler ask for a
/// new kind.
const fn described(kind: ErrorKind) -> (&'static str, &'static str) {
    match kind {
        ErrorKind::Usage => ("LyftlearnRuntimeError", "an option that does not exist"),
        ErrorKind::Settings => ("SettingsError", "a misspelt key in `runtime.toml`"),
        ErrorKind::Unreadable => ("UnreadableError", "a named pipe where a file should be"),
        ErrorKind::Contract => ("ContractError", "a truncated `resourceconfig.json`"),
        ErrorKind::Hyperparameter => (
            "HyperparameterError",
            "`int(\"note\")` of a string that is not a number",
        ),
        ErrorKind::HyperparameterMissing => ("KeyError", "a hyperparameter that does not exist"),
        ErrorKind::Config => ("ConfigError", "a live value that is not UTF-8"),
        ErrorKind::ConfigMissing => ("KeyError", "a live key that does not exist"),
        ErrorKind::Metric => ("ValueError", "a label name with a dash"),
        ErrorKind::Secrets => ("SecretsError", "a required secret that cannot be fetched"),
        ErrorKind::SecretMissing => ("KeyError", "a secret, or a key of one, that does not exist"),
        ErrorKind::Delivery => ("DeliveryError", "a variable over the kernel's limit"),
        ErrorKind::Credentials => ("CredentialsError", "no source of credentials"),
        ErrorKind::ProgramNotFound => ("LyftlearnRuntimeError", "a program that does not exist"),
        ErrorKind::ProgramNotExecutable => (
            "LyftlearnRuntimeError",
            "a program without execute permission",
        ),
        ErrorKind::System => ("LyftlearnRuntimeError", "the kernel refuses a new process"),
    }
}

const ALL: &[ErrorKind] = &[
    ErrorKind::Usage,
    ErrorKind::Settings,
    ErrorKind::Unreadable,
    ErrorKind::Contract,
    ErrorKind::Hyperparameter,
    ErrorKind::HyperparameterMissing,
    ErrorKind::Config,
    ErrorKind::ConfigMissing,
    ErrorKind::Metric,
    ErrorKind::Secrets,
    ErrorKind::SecretMissing,
    ErrorKind::Delivery,
    ErrorKind::Credentials,
    ErrorKind::ProgramNotFound,
    ErrorKind::ProgramNotExecutable,
    ErrorKind::System,
];

#[test]
fn exit_codes() {
    let mut text = page(
        "Exit codes",
        "`run` and `exec` exit with the program's own exit code. The setting `lifecycle.exit_remap` can replace it.",
    );
    text.push_str(
        "\n| code | meaning |\n|---|---|\n\
         | the program's own | the program ended by itself |\n\
         | 128+n | signal n ended the program, or a stop signal arrived before the program was started |\n\
         | 127 | the program or its interpreter does not exist, or the image has no command for `train` or `serve` |\n\
         | 126 | the program exists and cannot be executed |\n\
         | 125 | the runtime failed before the program started; the report is on stderr |\n\n\
         The [other commands](commands.md) exit with 0 for success, and with 2 if the command line is wrong or the command failed. `doctor`, `diff` and `spark` exit with 1 if they found something.\n",
    );
    heading(
        &mut text,
        "Kinds of error",
        "Every error has one kind. Python code gets it as an exception. Kinds that only a running program can meet have no exit code of their own.",
    );
    text.push_str(
        "\n| kind | Python exception | exit code of a start | example |\n|---|---|---|---|\n",
    );
    for kind in ALL {
        let (exception, example) = described(*kind);
        let in_program = exception == "KeyError"
            || matches!(
                kind,
                ErrorKind::Hyperparameter | ErrorKind::Config | ErrorKind::Metric
            );
        let code = match kind {
            _ if in_program => "–".to_owned(),
            _ => kind.exit_code().to_string(),
        };
        writeln!(text, "| {kind:?} | `{exception}` | {code} | {example} |").unwrap();
    }
    expect_file!["../../../docs/reference/exit-codes.md"].assert_eq(&text);
}
