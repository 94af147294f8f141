//! Two networks with a firewall between them: a driver's container, which has the interfaces of a
//! notebook in somebody's VPC, and executors elsewhere.

use std::path::PathBuf;
use std::process::Command;

use crate::command::{self, Server};
use crate::namespace::{self, entering, ok, path};

/// The driver's address that executors can be let through to, and the executors' own.
pub const DRIVER: &str = "10.77.1.2";
/// The same by IPv6.
pub const DRIVER_6: &str = "fd77::2";
/// Where executors are.
pub const EXECUTOR: &str = "10.78.1.2";
/// Their network.
pub const EXECUTORS: &str = "10.78.0.0/16";

/// The driver's interfaces as SageMaker has them: a link-local one first, a bridge of Docker's,
/// the customer's last. Nothing passes the firewall but answers, and what the driver begins.
const SETUP: &str = "
inside() { nsenter --net=/proc/$1/ns/net -- sh -euc \"$2\"; }
ip link add eth2 netns $1 type veth peer name driver netns $2
ip link add eth0 netns $3 type veth peer name executors netns $2
inside $1 '
    ip link add eth0 type veth peer name platform; ip link set platform up; ip address add 169.254.255.10/16 dev eth0; ip link set eth0 up
    ip link add docker0 type bridge; ip address add 172.17.0.1/16 dev docker0; ip link set docker0 up
    ip address add 10.77.1.2/24 dev eth2; ip -6 address add fd77::2/64 dev eth2 nodad; ip link set eth2 up'
inside $3 '
    ip address add 10.78.1.2/24 dev eth0; ip address add 10.79.1.2/32 dev eth0
    ip -6 address add fd78::2/64 dev eth0 nodad; ip link set eth0 up
    ip route add default via 10.78.1.1; ip -6 route add default via fd78::1'
inside $2 '
    echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
    ip address add 10.77.1.1/24 dev driver; ip -6 address add fd77::1/64 dev driver nodad; ip link set driver up
    ip address add 10.78.1.1/24 dev executors; ip -6 address add fd78::1/64 dev executors nodad; ip link set executors up
    ip route add 10.79.1.2/32 via 10.78.1.2
    for tables in iptables ip6tables; do
        $tables -P FORWARD DROP
        $tables -N admitted
        $tables -A FORWARD -j admitted
        $tables -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
        $tables -A FORWARD -i driver -j ACCEPT
    done'
";

/// The default route of the driver's container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Through the firewall.
    Firewall,
    /// Into SageMaker's own network; through the firewall to the executors alone.
    Elsewhere,
    /// By IPv6 alone.
    Six,
    /// Nowhere at all.
    None,
}

/// The networks, alive as long as this.
#[derive(Debug)]
pub struct Networks {
    driver: Server,
    firewall: Server,
    executors: Server,
}

impl Default for Networks {
    fn default() -> Self {
        Self::new()
    }
}

impl Networks {
    /// Makes them; nothing is admitted to the driver, and its default route is
    /// [`Route::Firewall`].
    ///
    /// # Panics
    ///
    /// When they cannot be made.
    #[must_use]
    pub fn new() -> Self {
        let [driver, firewall, executors] = [(); 3].map(|()| namespace::new());
        let mut setup = Command::new("sh");
        setup.args(["-euc", SETUP, "networks"]);
        setup.args([&driver, &firewall, &executors].map(|one| one.id().to_string()));
        ok(&command::output(&mut setup), "the networks");
        let networks = Self {
            driver,
            firewall,
            executors,
        };
        networks.route(Route::Firewall);
        networks
    }

    /// The driver's network namespace.
    #[must_use]
    pub fn driver(&self) -> PathBuf {
        path(&self.driver)
    }

    /// The executors'.
    #[must_use]
    pub fn executors(&self) -> PathBuf {
        path(&self.executors)
    }

    /// Changes the driver's routes.
    ///
    /// # Panics
    ///
    /// When they cannot be changed.
    pub fn route(&self, route: Route) {
        let set = match route {
            Route::Firewall => "ip route add default via 10.77.1.1",
            Route::Elsewhere => {
                "ip route add default dev eth0; ip route add 10.78.0.0/16 via 10.77.1.1"
            }
            Route::Six => "ip -6 route add default via fd77::1",
            Route::None => "true",
        };
        let script = format!(
            "ip route flush scope global; ip route del default 2>/dev/null || true
             ip route del 10.78.0.0/16 2>/dev/null || true
             ip -6 route del default 2>/dev/null || true; {set}"
        );
        self.change(&self.driver, &script);
    }

    /// Admits new connections from the executors to these ports of the driver, such as
    /// `20000:20031`, and to no other.
    ///
    /// # Panics
    ///
    /// When the firewall cannot be changed.
    pub fn admit(&self, ports: &[&str]) {
        let mut script = String::new();
        for tables in ["iptables", "ip6tables"] {
            script.push_str(&format!("{tables} -F admitted\n"));
            for ports in ports {
                script.push_str(&format!(
                    "{tables} -A admitted -i executors -p tcp --dport {ports} -j ACCEPT\n"
                ));
            }
        }
        self.change(&self.firewall, &script);
    }

    /// Admits these ports, and drops the driver's answers from them.
    ///
    /// # Panics
    ///
    /// When the firewall cannot be changed.
    pub fn drop_answers(&self, ports: &str) {
        self.admit(&[ports]);
        let script = format!("iptables -I admitted -i driver -p tcp --sport {ports} -j DROP");
        self.change(&self.firewall, &script);
    }

    /// A command in the executors' network.
    #[must_use]
    pub fn in_executors(&self, program: &str) -> Command {
        entering(&self.executors, program)
    }

    /// A command in the driver's network, outside of its container.
    #[must_use]
    pub fn in_driver(&self, program: &str) -> Command {
        entering(&self.driver, program)
    }

    fn change(&self, namespace: &Server, script: &str) {
        let mut shell = entering(namespace, "sh");
        ok(&command::output(shell.args(["-euc", script])), script);
    }
}
