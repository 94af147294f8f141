//! The identity layer: real, unmodified clients as programs under the real binary, with nothing
//! but the environment that it delivers, against moto and emulated endpoints in a network
//! namespace of their own.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the emulated world is written and read back; a test fails by panicking"
)]

mod clients;
mod expiry;
mod faults;
mod go;
mod required;
mod sources;

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use lyftlearn_conformance::canary::Canary;
use lyftlearn_conformance::network::Network;
use lyftlearn_conformance::programs::{self, Clients};
use lyftlearn_conformance::sandbox::{self, BINARY, Sandbox};
use lyftlearn_conformance::wait;
use lyftlearn_conformance::world::{World, appears, check_end, ended, the_same};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// Everything that a test of an identity needs.
struct Stage {
    world: World,
    network: Network,
    clients: Clients,
    /// The secret key that the endpoints give.
    secret: Canary,
}

/// Clients with objects to read.
const ALL: &[&str] = &[
    "boto3",
    "aws-cli-1",
    "aws-cli-2",
    "s3fs",
    "pyarrow",
    "s3torchconnector",
    "s5cmd",
    "rclone",
    "polars",
    "deltalake",
    "javascript",
    "java",
    "java-old",
    "java-s3a",
    "rust",
    "rust-provider",
];

/// Those that this machine has: not every distribution has the second AWS CLI.
fn at_hand(clients: &[&'static str]) -> Vec<&'static str> {
    let cli = Path::new("/usr/bin/aws").exists()
        || programs::skipped::<()>("no AWS CLI 2: run `make build` first").is_some();
    let all = clients.iter().copied();
    all.filter(|client| cli || *client != "aws-cli-2").collect()
}

impl Stage {
    /// `None` where that cannot be, or is not installed.
    fn set() -> Option<Self> {
        if !sandbox::possible() {
            return None;
        }
        let clients = Clients::installed()?;
        let python = programs::python_with_servers()?;
        let secret = Canary::plant();
        let script = programs::repository().join("conformance/tests/identity/servers.py");
        let arguments: Vec<&str> = std::iter::once(secret.value())
            .chain(ALL.iter().chain(go::SDKS).copied())
            .collect();
        Some(Self {
            world: World::new(),
            network: Network::serving(&python, &script, &arguments),
            clients,
            secret,
        })
    }

    fn url(&self, name: &str) -> &str {
        self.network.ready[name].as_str().unwrap()
    }

    /// In that network, with every client, and no identity.
    fn bare(&self, settings: &str) -> Sandbox {
        let here = programs::repository().join("conformance/tests/identity/programs");
        let container = self
            .world
            .sharing(settings)
            .network(&self.network)
            .mount_read_only(here, "/opt/reading")
            // Hadoop looks up its user.
            .mount_read_only("/etc/passwd", "/etc/passwd")
            .variable("AWS_REGION", "eu-west-1")
            .variable("HOME", "/root");
        self.clients.mount(container)
    }

    /// As SageMaker and ECS give an identity.
    fn container(&self, settings: &str) -> Sandbox {
        self.bare(settings)
            .variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/role/1")
    }

    /// The argv that reads with these clients.
    fn reading(&self, clients: &[&str]) -> Vec<String> {
        let python = self.clients.python().display().to_string();
        let words = [&python, "-B", "/opt/reading/read.py", self.url("aws")];
        words
            .into_iter()
            .chain(clients.iter().copied())
            .map(ToOwned::to_owned)
            .collect()
    }

    /// A program of ours, by the clients' Python.
    fn program(&self, name: &str, rest: &[&str]) -> Vec<String> {
        let python = self.clients.python().display().to_string();
        let file = format!("/opt/reading/{name}");
        let words = [python.as_str(), "-B", &file, self.url("aws")];
        words
            .into_iter()
            .chain(rest.iter().copied())
            .map(ToOwned::to_owned)
            .collect()
    }

    fn seen(&mut self) -> Value {
        self.network.ask(&json!({}))
    }

    /// What the platform's endpoints were asked.
    fn asked(&mut self) -> Vec<Value> {
        self.seen()["endpoint"].as_array().unwrap().clone()
    }

    fn mood(&mut self, mood: &Value) {
        self.network.ask(&json!({ "mood": mood }));
    }

    /// The keys that read an object, in order.
    fn keys_of(&mut self, client: &str) -> Vec<String> {
        let seen = self.seen();
        let all = seen["aws"].as_array().unwrap().iter();
        all.filter(|entry| entry["client"] == client)
            .map(|entry| entry["key"].as_str().unwrap_or("nobody").to_owned())
            .collect()
    }

    /// All of them came with the one key that the platform was asked for.
    #[track_caller]
    fn check_one_key(&mut self, clients: &[&str]) {
        for client in clients {
            let mut keys = self.keys_of(client);
            keys.dedup();
            assert_eq!(keys, ["ASIA000000000001"], "{client}");
        }
        let asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
    }

    /// What STS was asked for by an action.
    fn sts(&mut self, action: &str) -> Vec<Value> {
        let seen = self.seen();
        let all = seen["aws"].as_array().unwrap().iter();
        all.filter(|entry| entry["form"]["Action"] == action)
            .cloned()
            .collect()
    }

    /// No output has a secret.
    #[track_caller]
    fn check_unseen(&self, output: &Output) {
        for canary in [&self.world.canary, &self.secret] {
            canary.assert_unseen("stdout", &output.stdout);
            canary.assert_unseen("stderr", &output.stderr);
        }
    }
}

macro_rules! stage {
    () => {
        match $crate::Stage::set() {
            Some(stage) => stage,
            None => return,
        }
    };
}
use stage;

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
