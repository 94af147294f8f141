//! The binary: everything is in the library's `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A bug of ours is a failure of ours: 125, and never a code that looks like the
    // program's own.
    std::panic::catch_unwind(lyftlearn_runtime::cli::main).unwrap_or(ExitCode::from(125))
}
