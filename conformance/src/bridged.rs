//! Hosts on one bridge, with an address and a name each: nodes that train together.

use std::path::PathBuf;
use std::process::Command;

use crate::command::{self, Server};
use crate::namespace::{self, ok, path};

/// A pair of interfaces for each host: its own, and one on the bridge.
const SETUP: &str = "
bridge=$1; shift
inside() { nsenter --net=/proc/$1/ns/net -- sh -euc \"$2\"; }
inside $bridge 'ip link add hosts type bridge; ip link set hosts up'
number=0
for host in \"$@\"; do
    number=$((number + 1))
    ip link add eth0 netns $host type veth peer name host$number netns $bridge
    inside $bridge \"ip link set host$number master hosts up\"
    inside $host \"ip address add 10.80.0.$number/24 dev eth0; ip link set eth0 up\"
done
";

/// The hosts, alive as long as this.
#[derive(Debug)]
pub struct Hosts {
    hosts: Vec<Server>,
    _bridge: Server,
    names: Vec<String>,
}

impl Hosts {
    /// Makes as many as there are names.
    ///
    /// # Panics
    ///
    /// When they cannot be made.
    #[must_use]
    pub fn called(names: &[&str]) -> Self {
        let bridge = namespace::new();
        let hosts: Vec<Server> = names.iter().map(|_| namespace::new()).collect();
        let mut setup = Command::new("sh");
        setup.args(["-euc", SETUP, "hosts", &bridge.id().to_string()]);
        setup.args(hosts.iter().map(|host| host.id().to_string()));
        ok(&command::output(&mut setup), "the hosts");
        Self {
            hosts,
            _bridge: bridge,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    /// A host's network namespace.
    #[must_use]
    pub fn namespace(&self, host: usize) -> PathBuf {
        path(&self.hosts[host])
    }

    /// Takes a host off the bridge: no route leads to it.
    pub fn unplug(&self, host: usize) {
        self.link(host, "down");
    }

    /// Puts it back.
    pub fn plug_in(&self, host: usize) {
        self.link(host, "up");
    }

    fn link(&self, host: usize, state: &str) {
        let mut link = namespace::entering(&self.hosts[host], "ip");
        link.args(["link", "set", "eth0", state]);
        ok(&command::output(&mut link), "the link");
    }

    /// What each of them finds at `/etc/hosts`, as a kubelet writes it.
    #[must_use]
    pub fn file(&self) -> String {
        let lines = self.names.iter().enumerate();
        let lines = lines.map(|(at, name)| format!("10.80.0.{}\t{name}\n", at + 1));
        format!(
            "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n{}",
            lines.collect::<String>()
        )
    }
}
