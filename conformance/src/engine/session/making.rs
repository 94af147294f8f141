//! A container's helper, its volumes, and the words that start it.

use serde_json::json;

use super::{Container, LABEL, Session};
use crate::engine::call::{Call, strings};
use crate::engine::{Engine, HOST};
use crate::files::{Entry, tarred};
use crate::place::{Copied, Order};
use crate::trouble::Result;

impl Session {
    /// Makes the helper and the volumes of a container, and gives the words that start it.
    pub(super) fn prepared(&self, order: &Order) -> Result<(Container, Vec<String>)> {
        let container = Container {
            name: self.name("image"),
            helper: self.name("helper"),
            volumes: order.mounts.iter().map(|_| self.name("volume")).collect(),
        };
        // A container without volumes is not examined later, so it needs no helper, only no
        // network.
        let network = if order.mounts.is_empty() {
            "none".to_owned()
        } else {
            self.helped(&container, order)?;
            format!("container:{}", container.helper)
        };
        let mut words = strings(["--name", &container.name, "--label", LABEL]);
        words.extend(strings(["--network", &network]));
        // podman before 5 shares the network alone and not the names in it; it makes a host's own name resolve.
        if let (Engine::Podman, [name, ..]) = (self.engine, order.hosts) {
            words.extend(strings(["--hostname", name]));
        }
        // Kept small: an image may write without end.
        let driver = match self.engine {
            Engine::Podman => "k8s-file",
            Engine::Docker => "json-file",
        };
        words.extend(strings([
            "--log-driver",
            driver,
            "--log-opt",
            "max-size=16m",
        ]));
        for (volume, mount) in container.volumes.iter().zip(&order.mounts) {
            let read_only = if mount.read_only { ":ro" } else { "" };
            words.extend([
                "-v".to_owned(),
                format!("{volume}:{}{read_only}", mount.target),
            ]);
        }
        if order.probe {
            words.extend([
                "-v".to_owned(),
                format!("{}:/.conformance:ro", self.probe()?),
            ]);
        }
        for (name, value) in &order.variables {
            words.extend(["-e".to_owned(), format!("{name}={value}")]);
        }
        if let Some(megabytes) = order.memory {
            let memory = format!("{megabytes}m");
            words.extend(strings(["--memory", &memory, "--memory-swap", &memory]));
        }
        if order.restricted {
            words.extend(restrictions(self.engine));
        }
        if let Some(program) = &order.entrypoint {
            words.push(format!("--entrypoint={program}"));
        }
        words.push(order.image.clone());
        words.extend(order.words.iter().cloned());
        Ok((container, words))
    }

    /// Starts the helper of a container, and fills its volumes.
    fn helped(&self, container: &Container, order: &Order) -> Result<()> {
        let mut words = strings(["run", "-d", "--network", "none", "--cap-drop", "ALL"]);
        // Root of the helper reads and writes whatever a program's user left in a volume.
        // And it makes its own network, which the image's container shares without these capabilities.
        for capability in [
            "DAC_OVERRIDE",
            "CHOWN",
            "FOWNER",
            "NET_ADMIN",
            "NET_RAW",
            "NET_BIND_SERVICE",
        ] {
            words.extend(strings(["--cap-add", capability]));
        }
        words.extend(strings(["--name", &container.helper, "--label", LABEL]));
        // With Docker, a container that shares the network shares this, too.
        for name in order.hosts {
            words.extend(["--add-host".to_owned(), format!("{name}:{HOST}")]);
        }
        for (number, volume) in container.volumes.iter().enumerate() {
            words.extend(["-v".to_owned(), format!("{volume}:/v/{number}")]);
        }
        for (number, mount) in order.mounts.iter().enumerate() {
            if let Some(Copied { volume, .. }) = &mount.from {
                words.extend(["-v".to_owned(), format!("{volume}:/from/{number}:ro")]);
            }
            if !mount.own.is_empty() {
                let volume = self.own(&order.image, &mount.target)?;
                words.extend(["-v".to_owned(), format!("{volume}:/own/{number}:ro")]);
            }
        }
        let told = json!({"canary": self.canary, "objects": order.objects}).to_string();
        words.extend(strings([
            self.helper.as_str(),
            "/conformance",
            "probe",
            "stand-in",
            &told,
        ]));
        self.must(Call::new(self.engine.program(), words))?;
        for (number, mount) in order.mounts.iter().enumerate() {
            for name in &mount.own {
                let (from, into) = (
                    format!("/own/{number}/{name}"),
                    format!("/v/{number}/{name}"),
                );
                self.ask(container, &["keep", &from, &into], &[])?;
            }
            if let Some(Copied {
                directory, into, ..
            }) = &mount.from
            {
                let from = format!("/from/{number}/{directory}");
                let into = format!("/v/{number}/{into}");
                self.ask(container, &["copy", &from, &into], &[])?;
            }
        }
        let entries: Vec<Entry> = order
            .mounts
            .iter()
            .enumerate()
            .flat_map(|(number, mount)| {
                let below = move |entry: &Entry| entry.below(&number.to_string());
                mount.entries.iter().map(below)
            })
            .collect();
        if !entries.is_empty() {
            self.ask(container, &["unpack", "/v"], &tarred(&entries)?)?;
        }
        Ok(())
    }
}

/// Words of `run` for what a restricted pod forbids.
fn restrictions(engine: Engine) -> Vec<String> {
    let mut words = strings([
        "--user=48213:48213",
        "--read-only",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        // An emptyDir, as restricted pods mount it.
        "--tmpfs=/tmp:mode=1777",
    ]);
    if engine == Engine::Podman {
        // podman's own additions: an entry in /etc/passwd, writable directories.
        words.extend(strings(["--passwd=false", "--read-only-tmpfs=false"]));
    }
    words
}
