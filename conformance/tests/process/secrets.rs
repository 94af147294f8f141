//! Secrets: fetched before the program starts, delivered to it, and never shown.

mod failing;
mod fetched;
mod private;
mod tls;

use std::io::Write;
use std::process::{Command, Stdio};

use lyftlearn_conformance::canary::Canary;
use lyftlearn_conformance::command::{self, Server};
use lyftlearn_conformance::programs;

use super::*;

/// moto and a strict Confidant, for one test.
struct Servers {
    server: Server,
    ready: Value,
    canary: Canary,
}

impl Servers {
    /// `None` where the packages are not installed.
    fn start() -> Option<Self> {
        let python = programs::python_with_servers()?;
        let canary = Canary::plant();
        let here = programs::repository().join("conformance/tests/process/programs");
        let mut command = Command::new(python);
        command
            .arg(here.join("secret_servers.py"))
            .arg(canary.value())
            .stderr(Stdio::null());
        let mut server = Server::answering(&mut command);
        let ready = serde_json::from_str(&server.line()).expect("the servers are ready");
        Some(Self {
            server,
            ready,
            canary,
        })
    }

    fn text(&self, key: &str) -> &str {
        self.ready[key].as_str().unwrap()
    }

    /// A container with the addresses of the servers, and credentials.
    fn container(&self, world: &World, settings: &str) -> Sandbox {
        self.known(world.sharing(&self.settings(settings)))
    }

    /// The same as a pod.
    fn pod(&self, world: &World, settings: &str) -> Sandbox {
        self.known(world.pod(&self.settings(settings), "{}"))
    }

    fn settings(&self, settings: &str) -> String {
        format!(
            "{settings}\n[confidant]\nurl = \"{}\"\nauth_key = \"alias/authnz\"\nfrom = \"ranking-prod\"\nto = \"confidant-prod\"\n",
            self.text("confidant")
        )
    }

    fn known(&self, container: Sandbox) -> Sandbox {
        container
            .variable("AWS_ENDPOINT_URL", self.text("aws"))
            .variable("AWS_ACCESS_KEY_ID", self.text("key"))
            .variable("AWS_SECRET_ACCESS_KEY", self.text("secret"))
            .variable("AWS_REGION", "eu-west-1")
    }

    /// Gives a secret another value.
    fn put(&mut self, name: &str, value: &str) {
        let _put = self.server.ask(format!("{name} {value}"));
    }

    /// What Confidant has seen: wrong requests, and how often each service was asked for.
    fn seen(&self) -> Value {
        let (host, port) = self
            .text("confidant")
            .trim_start_matches("http://")
            .split_once(':')
            .unwrap();
        let mut stream =
            std::net::TcpStream::connect((host, port.parse::<u16>().unwrap())).unwrap();
        write!(
            stream,
            "GET /wrong HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

macro_rules! servers {
    () => {
        match Servers::start() {
            Some(servers) => servers,
            None => return,
        }
    };
}
use servers;

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
