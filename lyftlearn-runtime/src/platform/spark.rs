//! How executors elsewhere find a Spark driver of this container.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::World;
use crate::contract::{kubernetes, spark as words};
#[cfg(feature = "cli")]
use crate::facts::Facts;
use crate::facts::Interface;
use crate::problems::Problems;
use crate::settings::spark::{Mode, Settings};
use crate::workload::{Network, Spark, spark_host as host};

/// How every sentence about Spark begins.
pub(crate) const PROBLEM: &str = "spark: ";

/// What variables of Spark's users begin with.
#[cfg(feature = "cli")]
const OF_SPARK: &[&str] = &["SPARK_", "PYSPARK_"];

/// `None` where nothing is to be delivered at all.
pub(super) fn read(world: &World<'_>, problems: &mut Problems) -> Option<Spark> {
    let settings = &world.settings.spark;
    if settings.mode == Mode::Off {
        return None;
    }
    let variable = |name: &str| world.effective(name);
    let facts = world.facts;
    let kernel = Kernel {
        is_here: facts.is_here(),
        source: &|there| facts.source_towards(there),
        interface: &|address| facts.interface_with(address),
        may_bind: &|address| facts.may_bind(address),
        addresses: &|name| facts.addresses_of(name),
    };
    let is_the_images = |name: &str, value: &str| world.is_the_images(name, value);
    Some(plan(settings, &variable, &is_the_images, &kernel, problems))
}

/// Whether Spark is used here, according to a setting or a variable of Spark.
#[cfg(feature = "cli")]
pub(crate) fn is_meant(facts: &Facts, settings: &Settings) -> bool {
    let set = settings.ports.is_some() || settings.executors.is_some();
    let variable = |name: &std::ffi::OsString| {
        let name = name.to_string_lossy();
        OF_SPARK.iter().any(|beginning| name.starts_with(beginning))
    };
    set || settings.address.is_some() || facts.vars().iter().any(|(name, _)| variable(name))
}

/// What the kernel says of this container's network.
struct Kernel<'a> {
    /// Whether it is asked at all: it knows nothing of another root.
    is_here: bool,
    source: &'a dyn Fn(IpAddr) -> Option<IpAddr>,
    interface: &'a dyn Fn(IpAddr) -> Option<Interface>,
    may_bind: &'a dyn Fn(IpAddr) -> bool,
    addresses: &'a dyn Fn(&str) -> Vec<IpAddr>,
}

/// An address and its source, or the reason why there is none.
struct Found {
    address: Option<String>,
    why: String,
}

impl Found {
    fn at(address: impl ToString, why: impl Into<String>) -> Self {
        Self {
            address: Some(address.to_string()),
            why: why.into(),
        }
    }

    fn nowhere(why: impl Into<String>) -> Self {
        Self {
            address: None,
            why: why.into(),
        }
    }
}

fn plan(
    settings: &Settings,
    variable: &dyn Fn(&str) -> Option<String>,
    is_the_images: &dyn Fn(&str, &str) -> bool,
    kernel: &Kernel<'_>,
    problems: &mut Problems,
) -> Spark {
    let executors = settings.executors;
    if variable(words::REMOTE).is_some_and(|remote| remote.starts_with(words::REMOTE_SCHEME)) {
        return Spark {
            address: None,
            why: format!("{} is set: the driver is elsewhere", words::REMOTE),
            driver_ports: None,
            block_ports: None,
            executors,
        };
    }
    let mut about_ours = Problems::default();
    let ours = match &settings.address {
        Some(address) => by_setting(address, kernel, &mut about_ours),
        None => by_route(
            settings,
            variable(kubernetes::SERVICE_HOST),
            kernel,
            &mut about_ours,
        ),
    };
    let found = match (variable(words::LOCAL_HOSTNAME), variable(words::LOCAL_IP)) {
        // A program that this runtime started finds the delivered address.
        (Some(name), _) if ours.address.as_deref().map(host) == Some(name.clone()) => ours,
        (Some(name), _) => by_user(name, is_the_images, problems),
        (None, Some(_)) => Found::nowhere(format!(
            "{} is set, and Spark advertises the name of that address",
            words::LOCAL_IP
        )),
        (None, None) => {
            problems.extend(about_ours);
            ours
        }
    };
    let halves = settings.ports.map(|range| range.halves());
    Spark {
        address: found.address,
        why: found.why,
        driver_ports: halves.map(|(driver, _)| driver),
        block_ports: halves.map(|(_, blocks)| blocks),
        executors,
    }
}

/// What a user has set, and Spark takes.
fn by_user(
    name: String,
    is_the_images: &dyn Fn(&str, &str) -> bool,
    problems: &mut Problems,
) -> Found {
    let variable = words::LOCAL_HOSTNAME;
    if is_loopback(&name) {
        let place = if is_the_images(variable, &name) {
            "the image"
        } else {
            "the environment"
        };
        problems.push(format!(
            "{PROBLEM}{variable}={name} is set in {place}: executors elsewhere will look for the \
             driver on their own machine. Remove it"
        ));
    }
    Found::at(name, format!("{variable} is set"))
}

/// What executors on another machine would look for on their own.
fn is_loopback(name: &str) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<IpAddr>();
    address.is_ok_and(|address| address.is_loopback())
        || ["localhost", "localhost.localdomain"].contains(&name)
}

/// What a setting says outright. Spark binds it, and ends where it cannot: even `local[*]` does.
fn by_setting(address: &str, kernel: &Kernel<'_>, problems: &mut Problems) -> Found {
    let why = "spark.address";
    let meant = match address.parse::<IpAddr>() {
        // Executors would be sent to their own machine, or to no machine.
        Ok(one) if one.is_unspecified() || one.is_loopback() || one.is_multicast() => {
            let cause = format!("spark.address = \"{address}\" cannot be reached from other hosts");
            problems.push(format!(
                "{PROBLEM}{cause}. Set it to an address of this container"
            ));
            return Found::nowhere(cause);
        }
        Ok(one) => vec![one],
        Err(_) => (kernel.addresses)(address),
    };
    if !kernel.is_here || meant.iter().any(|one| (kernel.may_bind)(*one)) {
        return Found::at(address, why);
    }
    let cause = if meant.is_empty() {
        format!("spark.address = \"{address}\" does not resolve")
    } else {
        format!("spark.address = \"{address}\" is on no interface of this container")
    };
    problems.push(format!(
        "{PROBLEM}{cause}, and Spark cannot bind it. Set it to an address of this container"
    ));
    Found::nowhere(cause)
}

/// The address from which the kernel speaks towards executors.
fn by_route(
    settings: &Settings,
    kubernetes: Option<String>,
    kernel: &Kernel<'_>,
    problems: &mut Problems,
) -> Found {
    if !kernel.is_here {
        return Found::nowhere("with --root, routes are unknown");
    }
    if let Some(network) = settings.executors {
        return towards_executors(network, kernel, problems);
    }
    let kubernetes: Option<IpAddr> = kubernetes.and_then(|host| host.parse().ok());
    let ways = [
        (kubernetes, "the route to the API server of Kubernetes"),
        (
            Some(Ipv4Addr::from(words::ANYWHERE_4).into()),
            "the default route",
        ),
        // An IPv4 route that is no use must not become an address of another family, which
        // executors may not have: this one is asked where IPv4 has none at all.
        (
            Some(Ipv6Addr::from(words::ANYWHERE_6).into()),
            "the default route",
        ),
    ];
    let mut ways = ways.into_iter();
    let way = ways.find_map(|(there, way)| Some(((kernel.source)(there?)?, way)));
    let Some((source, way)) = way else {
        return Found::nowhere("no route leads out of this container");
    };
    if !is_reachable(source) || is_dockers(source) {
        let cause = leaves_by(way, source, kernel);
        problems.push(format!(
            "{PROBLEM}no address that other hosts can reach: {cause}. Name the executors' network: \
             spark.executors = \"10.78.0.0/16\""
        ));
        return Found::nowhere(cause);
    }
    Found::at(source, way)
}

fn towards_executors(network: Network, kernel: &Kernel<'_>, problems: &mut Problems) -> Found {
    let way = format!("the route to {network}");
    let (cause, fix) = match (kernel.source)(network.first_host()) {
        Some(source) if is_reachable(source) => return Found::at(source, way),
        Some(source) => (
            leaves_by(&way, source, kernel),
            "Set it: spark.address = \"10.77.1.2\"",
        ),
        None => (
            format!("no route leads to {network}"),
            "Give this container a network from which they are reached",
        ),
    };
    problems.push(format!(
        "{PROBLEM}no address that other hosts can reach: {cause}. {fix}"
    ));
    Found::nowhere(cause)
}

/// Whether an address means this container on another machine, too.
fn is_reachable(address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(four) => four.is_link_local(),
        IpAddr::V6(six) => six.is_unicast_link_local(),
    };
    !(link_local || address.is_loopback() || address.is_unspecified())
}

/// Whether it is of Docker's own bridge, which other machines have as well.
fn is_dockers(address: IpAddr) -> bool {
    let (bridge, prefix) = words::DOCKER_BRIDGE;
    let bridge = Network {
        address: Ipv4Addr::from(bridge).into(),
        prefix,
    };
    bridge.contains(address)
}

fn leaves_by(way: &str, source: IpAddr, kernel: &Kernel<'_>) -> String {
    match (kernel.interface)(source) {
        None => format!("{way} leaves from {source}"),
        Some(Interface { name, addresses }) => {
            let family = |address: &&IpAddr| address.is_ipv4() == source.is_ipv4();
            let of_family = addresses.iter().filter(family);
            let all: Vec<String> = of_family.map(ToString::to_string).collect();
            format!("{way} leaves by {name}, which has only {}", all.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use expect_test::expect;

    use super::{Kernel, Settings, plan};
    use crate::facts::Interface;
    use crate::problems::Problems;
    use crate::settings::spark::Mode;

    /// A container with a link-local interface first, Docker's bridge and a routable one.
    struct Place<'a> {
        /// Where addresses lead that begin so, the first that fits.
        routes: &'a [(&'a str, &'a str)],
        variables: &'a [(&'a str, &'a str)],
        ports: Option<&'a str>,
        executors: Option<&'a str>,
        address: Option<&'a str>,
    }

    const NOTHING: Place<'_> = Place {
        routes: &[],
        variables: &[],
        ports: None,
        executors: None,
        address: None,
    };
    const OWN: &[(&str, &str)] = &[
        ("lo", "127.0.0.1"),
        ("eth0", "169.254.255.10"),
        ("docker0", "172.17.0.1"),
        ("eth2", "10.77.1.2"),
        ("eth3", "fd77::2"),
        ("eth4", "fe80::2"),
    ];

    fn shown(place: &Place<'_>) -> String {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let source = |there: IpAddr| {
            let there = there.to_string();
            let mut routes = place.routes.iter();
            let route = routes.find(|(to, _)| there.starts_with(to))?;
            Some(address(route.1))
        };
        let interface = |of: IpAddr| {
            let name = OWN.iter().find(|(_, own)| address(own) == of)?.0;
            Some(Interface {
                name: name.to_owned(),
                addresses: vec![of],
            })
        };
        let kernel = Kernel {
            is_here: true,
            source: &source,
            interface: &interface,
            may_bind: &|of| OWN.iter().any(|(_, own)| address(own) == of),
            addresses: &|name| match name {
                "notebook" => vec![address("10.77.1.2")],
                "elsewhere" => vec![address("10.99.0.1")],
                _ => Vec::new(),
            },
        };
        let settings = Settings {
            ports: place.ports.map(|text| text.parse().unwrap()),
            executors: place.executors.map(|text| text.parse().unwrap()),
            address: place.address.map(ToOwned::to_owned),
            mode: Mode::Auto,
        };
        let variable = |name: &str| {
            let of_name = place.variables.iter().find(|(known, _)| *known == name);
            of_name.map(|(_, value)| (*value).to_owned())
        };
        let mut problems = Problems::default();
        let spark = plan(&settings, &variable, &|_, _| false, &kernel, &mut problems);
        let problems: String = problems.iter().map(|one| format!("\n  {one}")).collect();
        format!("{}{problems}\n", serde_json::to_string(&spark).unwrap())
    }

    #[test]
    fn the_kernels_route_decides() {
        let default = &[("192.0.2.1", "10.77.1.2"), ("2001:db8::1", "fd77::2")];
        let link_local = &[
            ("10.78.", "10.77.1.2"),
            ("192.0.2.1", "169.254.255.10"),
            ("2001:db8::1", "fd77::2"),
        ];
        let found: String = [
            NOTHING,
            Place {
                routes: default,
                ports: Some("7078-7109"),
                ..NOTHING
            },
            Place {
                routes: &[("2001:db8::1", "fd77::2")],
                ..NOTHING
            },
            Place {
                routes: &[("2001:db8::1", "fe80::2")],
                ..NOTHING
            },
            Place {
                routes: link_local,
                ..NOTHING
            },
            Place {
                routes: link_local,
                executors: Some("10.78.0.0/16"),
                ..NOTHING
            },
            Place {
                routes: link_local,
                executors: Some("10.79.0.0/16"),
                ..NOTHING
            },
            Place {
                routes: &[("10.78.", "169.254.255.10")],
                executors: Some("10.78.0.0/16"),
                ..NOTHING
            },
            Place {
                routes: &[("192.0.2.1", "172.17.0.1")],
                ..NOTHING
            },
            Place {
                routes: &[("172.17.", "172.17.0.1")],
                executors: Some("172.17.0.0/16"),
                ..NOTHING
            },
            Place {
                routes: &[("10.96.", "10.77.1.2"), ("192.0.2.1", "169.254.255.10")],
                variables: &[("KUBERNETES_SERVICE_HOST", "10.96.0.1")],
                ..NOTHING
            },
        ]
        .iter()
        .map(shown)
        .collect();
        expect![[r#"
            {"address":null,"why":"no route leads out of this container","driver_ports":null,"block_ports":null,"executors":null}
            {"address":"10.77.1.2","why":"the default route","driver_ports":"7078-7093","block_ports":"7094-7109","executors":null}
            {"address":"fd77::2","why":"the default route","driver_ports":null,"block_ports":null,"executors":null}
            {"address":null,"why":"the default route leaves by eth4, which has only fe80::2","driver_ports":null,"block_ports":null,"executors":null}
              spark: no address that other hosts can reach: the default route leaves by eth4, which has only fe80::2. Name the executors' network: spark.executors = "10.78.0.0/16"
            {"address":null,"why":"the default route leaves by eth0, which has only 169.254.255.10","driver_ports":null,"block_ports":null,"executors":null}
              spark: no address that other hosts can reach: the default route leaves by eth0, which has only 169.254.255.10. Name the executors' network: spark.executors = "10.78.0.0/16"
            {"address":"10.77.1.2","why":"the route to 10.78.0.0/16","driver_ports":null,"block_ports":null,"executors":"10.78.0.0/16"}
            {"address":null,"why":"no route leads to 10.79.0.0/16","driver_ports":null,"block_ports":null,"executors":"10.79.0.0/16"}
              spark: no address that other hosts can reach: no route leads to 10.79.0.0/16. Give this container a network from which they are reached
            {"address":null,"why":"the route to 10.78.0.0/16 leaves by eth0, which has only 169.254.255.10","driver_ports":null,"block_ports":null,"executors":"10.78.0.0/16"}
              spark: no address that other hosts can reach: the route to 10.78.0.0/16 leaves by eth0, which has only 169.254.255.10. Set it: spark.address = "10.77.1.2"
            {"address":null,"why":"the default route leaves by docker0, which has only 172.17.0.1","driver_ports":null,"block_ports":null,"executors":null}
              spark: no address that other hosts can reach: the default route leaves by docker0, which has only 172.17.0.1. Name the executors' network: spark.executors = "10.78.0.0/16"
            {"address":"172.17.0.1","why":"the route to 172.17.0.0/16","driver_ports":null,"block_ports":null,"executors":"172.17.0.0/16"}
            {"address":"10.77.1.2","why":"the route to the API server of Kubernetes","driver_ports":null,"block_ports":null,"executors":null}
        "#]].assert_eq(&found);
    }

    #[test]
    fn a_configured_address_that_cannot_be_bound_is_not_delivered() {
        let address = |address| Place {
            address: Some(address),
            ..NOTHING
        };
        let found: String = [
            "10.77.1.2",
            "fd77::2",
            "169.254.255.10",
            "notebook",
            "elsewhere",
            "unknown",
            "10.99.0.1",
            "0.0.0.0",
            "127.0.0.1",
        ]
        .map(address)
        .iter()
        .map(shown)
        .collect();
        expect![[r#"
            {"address":"10.77.1.2","why":"spark.address","driver_ports":null,"block_ports":null,"executors":null}
            {"address":"fd77::2","why":"spark.address","driver_ports":null,"block_ports":null,"executors":null}
            {"address":"169.254.255.10","why":"spark.address","driver_ports":null,"block_ports":null,"executors":null}
            {"address":"notebook","why":"spark.address","driver_ports":null,"block_ports":null,"executors":null}
            {"address":null,"why":"spark.address = \"elsewhere\" is on no interface of this container","driver_ports":null,"block_ports":null,"executors":null}
              spark: spark.address = "elsewhere" is on no interface of this container, and Spark cannot bind it. Set it to an address of this container
            {"address":null,"why":"spark.address = \"unknown\" does not resolve","driver_ports":null,"block_ports":null,"executors":null}
              spark: spark.address = "unknown" does not resolve, and Spark cannot bind it. Set it to an address of this container
            {"address":null,"why":"spark.address = \"10.99.0.1\" is on no interface of this container","driver_ports":null,"block_ports":null,"executors":null}
              spark: spark.address = "10.99.0.1" is on no interface of this container, and Spark cannot bind it. Set it to an address of this container
            {"address":null,"why":"spark.address = \"0.0.0.0\" cannot be reached from other hosts","driver_ports":null,"block_ports":null,"executors":null}
              spark: spark.address = "0.0.0.0" cannot be reached from other hosts. Set it to an address of this container
            {"address":null,"why":"spark.address = \"127.0.0.1\" cannot be reached from other hosts","driver_ports":null,"block_ports":null,"executors":null}
              spark: spark.address = "127.0.0.1" cannot be reached from other hosts. Set it to an address of this container
        "#]].assert_eq(&found);
    }

    #[test]
    fn what_a_user_has_set_stays() {
        let variables = |variables| Place {
            routes: &[("192.0.2.1", "10.77.1.2")],
            ports: Some("7078-7109"),
            variables,
            ..NOTHING
        };
        let found: String = [
            &[("SPARK_LOCAL_HOSTNAME", "driver.example.com")][..],
            &[("SPARK_LOCAL_HOSTNAME", "10.77.1.2")],
            &[("SPARK_LOCAL_HOSTNAME", "localhost")],
            &[("SPARK_LOCAL_HOSTNAME", "[::1]")],
            &[("SPARK_LOCAL_IP", "10.77.1.2")],
            &[
                ("SPARK_LOCAL_HOSTNAME", "10.77.1.9"),
                ("SPARK_LOCAL_IP", "10.77.1.2"),
            ],
            &[("SPARK_REMOTE", "sc://driver:15002")],
            &[("SPARK_REMOTE", "local[*]")],
        ]
        .map(variables)
        .iter()
        .map(shown)
        .collect();
        expect![[r#"
            {"address":"driver.example.com","why":"SPARK_LOCAL_HOSTNAME is set","driver_ports":"7078-7093","block_ports":"7094-7109","executors":null}
            {"address":"10.77.1.2","why":"the default route","driver_ports":"7078-7093","block_ports":"7094-7109","executors":null}
            {"address":"localhost","why":"SPARK_LOCAL_HOSTNAME is set","driver_ports":"7078-7093","block_ports":"7094-7109","executors":null}
              spark: SPARK_LOCAL_HOSTNAME=localhost is set in the environment: executors elsewhere will look for the driver on their own machine. Remove it
            {"address":"[::1]","why":"SPARK_LOCAL_HOSTNAME is set","driver_ports":"7078-7093","block_ports":"7094-7109","executors":null}
              spark: SPARK_LOCAL_HOSTNAME=[::1] is set in the environment: executors elsewhere will look for the driver on their own machine. Remove it
            {"address":null,"why":"SPARK_LOCAL_IP is set, and Spark advertises the name of that address","driver_ports":"7078-7093","block_ports":"7094-7109","executors":null}
            {"address":"10.77.1.9","why":"SPARK_LOCAL_HOSTNAME is set","driver_ports":"7078-7093","block_ports":"7094-7109","executors":null}
            {"address":null,"why":"SPARK_REMOTE is set: the driver is elsewhere","driver_ports":null,"block_ports":null,"executors":null}
            {"address":"10.77.1.2","why":"the default route","driver_ports":"7078-7093","block_ports":"7094-7109","executors":null}
        "#]].assert_eq(&found);
    }
}
