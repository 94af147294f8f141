//! Network namespaces, each alive as long as a process that does nothing.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::command::Server;

/// A new one, with its loopback up.
#[track_caller]
pub(crate) fn new() -> Server {
    let mut holder = Command::new("unshare");
    holder.args(["--net", "--", "sh", "-euc"]);
    holder.args(["ip link set lo up; echo up; exec cat >/dev/null"]);
    let mut server = Server::answering(holder.stderr(Stdio::null()));
    assert_eq!(server.line(), "up");
    server
}

pub(crate) fn path(namespace: &Server) -> PathBuf {
    format!("/proc/{}/ns/net", namespace.id()).into()
}

/// A command that runs in it.
pub(crate) fn entering(namespace: &Server, program: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net={}", path(namespace).display()));
    command.args(["--", program]);
    command
}

#[track_caller]
pub(crate) fn ok(output: &Output, what: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {said}");
}
