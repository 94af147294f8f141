//! Nodes that train together, with unmodified launchers: hosts on a bridge, each a container with the
//! runtime as its PID 1. Run by `make test-distributed`.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the emulated world is written and read back; a test fails by panicking"
)]

mod elastic;
mod mpi;
mod starters;
