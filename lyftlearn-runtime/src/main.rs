//! The binary: everything is in the library's `cli`.
//!
//! Its own entry point, because Rust's usual one ignores SIGPIPE and opens /dev/null in
//! the place of closed standard streams before any code of ours runs: the program would
//! inherit both.
#![no_main]
#![expect(
    unsafe_code,
    reason = "the C library's entry point, and the arguments as it hands them over"
)]

use std::ffi::{CStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStringExt;

#[unsafe(no_mangle)]
extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    // SAFETY: the C library calls this once, with `argc` pointers to strings that end in
    // a NUL and live as long as the process; nothing else has touched them.
    let arguments: Vec<OsString> = (1..usize::try_from(argc).unwrap_or(0))
        .map(|at| unsafe { CStr::from_ptr(*argv.add(at)) })
        .map(|word| OsString::from_vec(word.to_bytes().to_vec()))
        .collect();
    // A bug of ours is a failure of ours: 125, and never a code that looks like the
    // program's own.
    std::panic::catch_unwind(|| lyftlearn_runtime::cli::main(arguments)).map_or(125, c_int::from)
}
