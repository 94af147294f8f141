//! A network without a machine's: the link-local addresses at which AWS gives credentials, and
//! servers of a test's own, which a sandbox joins.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// Loopback, where AWS gives credentials (SageMaker and ECS, EKS Pod Identity by IPv4 and
/// IPv6), and an address that is none of them.
const SETUP: &str = "ip link set lo up\n\
     for address in 169.254.170.2/32 169.254.170.23/32 10.9.8.7/32; do ip address add $address dev lo; done\n\
     ip -6 address add fd00:ec2::23/128 dev lo nodad\n\
     exec \"$@\"";

/// A namespace, alive as long as the program that serves in it.
#[derive(Debug)]
pub struct Network {
    process: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
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
        let mut process = Command::new("unshare")
            .args(["--net", "--", "sh", "-euc", SETUP, "network"])
            .args([python, script])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare (util-linux) is installed");
        let stdin = process.stdin.take();
        let stdout = process.stdout.take().expect("it is piped");
        let mut network = Self {
            process,
            stdin,
            stdout: BufReader::new(stdout),
            ready: Value::Null,
        };
        network.ready = network.line();
        network
    }

    /// Says a line to the program, and returns what it answers.
    ///
    /// # Panics
    ///
    /// When it is gone.
    #[track_caller]
    pub fn ask(&mut self, question: &Value) -> Value {
        let stdin = self.stdin.as_mut().expect("it is piped");
        writeln!(stdin, "{question}").expect("the servers are there");
        self.line()
    }

    /// For who is to join it.
    #[must_use]
    pub fn namespace(&self) -> PathBuf {
        format!("/proc/{}/ns/net", self.process.id()).into()
    }

    #[track_caller]
    fn line(&mut self) -> Value {
        let mut line = String::new();
        let read = self.stdout.read_line(&mut line);
        read.expect("the servers are there");
        serde_json::from_str(&line).expect("the servers answer with a line of JSON")
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
