//! A network without a machine's: the link-local addresses at which AWS gives credentials, and
//! servers of a test's own, which a sandbox joins.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::command::Server;

/// Loopback, the addresses at which AWS serves credentials (SageMaker and ECS, EKS Pod Identity by
/// IPv4 and IPv6), and an unrelated address.
const SETUP: &str = "ip link set lo up\n\
     for address in 169.254.170.2/32 169.254.170.23/32 10.9.8.7/32; do ip address add $address dev lo; done\n\
     ip -6 address add fd00:ec2::23/128 dev lo nodad\n\
     exec \"$@\"";

/// A namespace, alive as long as the program that serves in it.
#[derive(Debug)]
pub struct Network {
    server: Server,
    /// The first line that the program said.
    pub ready: Value,
}

impl Network {
    /// Starts a program that says a line of JSON when it serves, and then answers each line
    /// with another.
    ///
    /// # Panics
    ///
    /// When it cannot be started, or says something else.
    #[must_use]
    pub fn serving(python: &Path, script: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new("unshare");
        command
            .args(["--net", "--", "sh", "-euc", SETUP, "network"])
            .args([python, script])
            .args(arguments);
        let mut server = Server::answering(&mut command);
        let ready = read(&server.line());
        Self { server, ready }
    }

    /// Says a line to the program, and returns what it answers.
    ///
    /// # Panics
    ///
    /// When it is gone.
    #[track_caller]
    pub fn ask(&mut self, question: &Value) -> Value {
        read(&self.server.ask(question))
    }

    /// For processes that join the network.
    #[must_use]
    pub fn namespace(&self) -> PathBuf {
        format!("/proc/{}/ns/net", self.server.id()).into()
    }
}

#[track_caller]
fn read(line: &str) -> Value {
    serde_json::from_str(line).expect("the servers answer with a line of JSON")
}
