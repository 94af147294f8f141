//! `spark reach`: connects to a driver's ports from where executors run.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::fault::SparkFault;
use crate::cli::output;
use crate::error::Error;
use crate::facts::Facts;
use crate::resolve::told_beside;
use crate::spark::reach::{Answer, PATIENCE, addresses, reach as ask};
use crate::spark::{MOST_PORTS, admit, ranges};
use crate::workload::{Network, PortRange};

pub(super) fn reach(target: &str) -> Result<u8, Error> {
    let (host, ports) = parsed(target).ok_or(SparkFault::BadTarget)?;
    if ports.count() > MOST_PORTS {
        return Err(SparkFault::TooManyPorts.into());
    }
    let Some(all) = addresses(host) else {
        output::page(&format!(
            "{host}: the advertised name does not resolve in this network\n  \
             fix: advertise the address: unset spark.driver.host, and spark.address if it is a name\n"
        ))?;
        return Ok(1);
    };
    let facts = Facts::capture(Vec::new());
    let address = all[0];
    let answers = ask(address, ports);
    let asking = Asking {
        address,
        ports,
        from: from(&facts, address),
    };
    output::page(&asking.page(&answers))?;
    let free = |answer: &Answer| matches!(answer, Answer::Greeted | Answer::Silent);
    Ok(u8::from(!answers.values().all(free)))
}

/// `10.77.1.2:7078-7109`, `[fd77::2]:7078`, `host:7078`.
fn parsed(target: &str) -> Option<(&str, PortRange)> {
    let (host, ports) = target.rsplit_once(':')?;
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let host = match bare {
        Some(six) => six,
        // An address of IPv6 without brackets has no end.
        None if host.contains(':') => return None,
        None => host,
    };
    (!host.is_empty()).then_some((host, ports.parse().ok()?))
}

/// The network to admit: the executors' network from this image's settings, or this address.
/// Settings may be another image's, so broken ones are ignored.
fn from(facts: &Facts, address: IpAddr) -> Option<Network> {
    let settings = told_beside(facts).ok();
    let named = settings.and_then(|(settings, _)| settings.spark.executors);
    named.or_else(|| facts.source_towards(address)?.to_string().parse().ok())
}

struct Asking {
    address: IpAddr,
    ports: PortRange,
    from: Option<Network>,
}

impl Asking {
    /// Ports grouped by their answer, with advice.
    fn page(&self, answers: &BTreeMap<u16, Answer>) -> String {
        let mut kinds: Vec<&Answer> = answers.values().collect();
        kinds.sort();
        kinds.dedup();
        let line = |kind: &Answer| {
            let of_kind = answers.iter().filter(|(_, answer)| *answer == kind);
            let ports = ranges(of_kind.map(|(port, _)| *port));
            let (means, fix) = self.words(kind);
            let fix = fix.map_or_else(String::new, |fix| format!("  fix: {fix}\n"));
            format!("{} {ports}: {means}\n{fix}", self.address)
        };
        kinds.into_iter().map(line).collect()
    }

    fn words(&self, answer: &Answer) -> (String, Option<String>) {
        let address = self.address.to_string();
        match answer {
            Answer::Greeted => ("reachable".to_owned(), None),
            Answer::Silent => (
                "connected, without a greeting: a Spark driver has this port".to_owned(),
                None,
            ),
            Answer::Refused => (
                "refused: nothing listens there, and the network is probably open; a firewall that sends resets looks the same"
                    .to_owned(),
                Some("start there: lyftlearn-runtime spark listen".to_owned()),
            ),
            Answer::None => (
                format!(
                    "no answer in {} s: dropped by a security group or a network policy, or no route back",
                    PATIENCE.as_secs()
                ),
                Some(admit(self.ports, self.from, &address)),
            ),
            Answer::Unreachable => (
                "no route from here".to_owned(),
                Some("connect the two networks: peering, a transit gateway, a route table".to_owned()),
            ),
            Answer::Failed(why) => (
                format!("cannot connect: {why}"),
                Some("check the limit on open files, and what this container may do".to_owned()),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use expect_test::expect;

    use super::{Answer, Asking, parsed};

    #[test]
    fn a_target_is_a_host_and_ports() {
        let shown = |target: &str| {
            let (host, ports) = parsed(target)?;
            Some(format!("{host} {ports}"))
        };
        assert_eq!(shown("10.77.1.2:7078-7109").unwrap(), "10.77.1.2 7078-7109");
        assert_eq!(
            shown("driver.example.com:7078").unwrap(),
            "driver.example.com 7078"
        );
        assert_eq!(shown("[fd77::2]:7078-7079").unwrap(), "fd77::2 7078-7079");
        for wrong in [
            "10.77.1.2",
            ":7078",
            "fd77::2:7078",
            "a:",
            "a:x",
            "a:2-1",
            "",
        ] {
            assert_eq!(shown(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_answer_is_said_with_what_to_do() {
        let asking = Asking {
            address: "10.77.1.2".parse().unwrap(),
            ports: "7078-7109".parse().unwrap(),
            from: "10.78.0.0/16".parse().ok(),
        };
        let answers = [
            Answer::Greeted,
            Answer::Greeted,
            Answer::Silent,
            Answer::Refused,
            Answer::None,
            Answer::Unreachable,
            Answer::Failed("permission denied".to_owned()),
            Answer::Greeted,
        ];
        let answers: BTreeMap<u16, Answer> = (7078..).zip(answers).collect();
        expect![[r#"
            10.77.1.2 7078-7079, 7085: reachable
            10.77.1.2 7080: connected, without a greeting: a Spark driver has this port
            10.77.1.2 7081: refused: nothing listens there, and the network is probably open; a firewall that sends resets looks the same
              fix: start there: lyftlearn-runtime spark listen
            10.77.1.2 7082: no answer in 3 s: dropped by a security group or a network policy, or no route back
              fix: admit TCP 7078-7109 from 10.78.0.0/16 in the security group of the interface that has 10.77.1.2
            10.77.1.2 7083: no route from here
              fix: connect the two networks: peering, a transit gateway, a route table
            10.77.1.2 7084: cannot connect: permission denied
              fix: check the limit on open files, and what this container may do
        "#]].assert_eq(&asking.page(&answers));
    }
}
