//! A Spark driver here: its address for executors, its connections, and conflicting settings in the
//! image's own files.

use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::{Finding, Patient, Verdict};
use crate::contract::spark as words;
use crate::facts::Facts;
use crate::platform::{SPARK_PROBLEM, spark_is_meant};
use crate::spark::{Driver, Master, Way, Written, admit, drivers, masters, target, written};
use crate::workload::{CredentialMode, PortRange, Spark};

const CHECK: &str = "spark";

/// A master is a server in the same region, or behind a peering.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    let Some(spark) = &patient.resolved.workload.spark else {
        return vec![Finding::new(CHECK, Verdict::Skipped, "spark.mode is off")];
    };
    let facts = &patient.facts;
    let meant = spark_is_meant(facts, &patient.resolved.settings.spark);
    let mut findings = address(patient, spark, meant);
    if !meant {
        return findings;
    }
    let written = written(facts);
    findings.extend(written.iter().filter_map(|one| file(one, spark, &written)));
    findings.extend(masters(facts, &written).iter().map(reachable));
    findings.extend(keys(patient));
    if let (Some(ports), Some(rpc), Some(blocks)) =
        (spark.ports(), spark.driver_ports, spark.block_ports)
    {
        findings.extend(free(facts, ports, rpc, blocks));
        let running = drivers(facts, rpc, blocks).unwrap_or_default();
        findings.extend(running.iter().map(|driver| {
            let holder = facts.listeners_at(driver.port);
            let holder = holder.first().and_then(|pid| facts.process(*pid));
            told(driver, spark, ports, holder)
        }));
    }
    findings
}

/// The address at which executors find a driver. Its problems were found before.
fn address(patient: &Patient, spark: &Spark, meant: bool) -> Vec<Finding> {
    let problems = patient.resolved.problems.iter();
    let problems = problems.filter_map(|problem| problem.strip_prefix(SPARK_PROBLEM));
    let verdict = if meant {
        Verdict::Failed
    } else {
        Verdict::Note
    };
    let mut found: Vec<Finding> = problems
        .map(|problem| {
            let (detail, fix) = problem.rsplit_once(". ").unwrap_or((problem, ""));
            let finding = Finding::new(CHECK, verdict, detail);
            if fix.is_empty() {
                finding
            } else {
                finding.fix(lower(fix))
            }
        })
        .collect();
    if !found.is_empty() {
        return found;
    }
    found.push(match &spark.address {
        None => Finding::new(CHECK, Verdict::Skipped, spark.why.as_str()),
        // Below another root the kernel is not asked.
        Some(name) if !patient.facts.is_here() || is_here(&patient.facts, name) => {
            Finding::new(CHECK, Verdict::Ok, format!("{name} ({})", spark.why))
        }
        Some(name) => Finding::new(
            CHECK,
            Verdict::Failed,
            format!(
                "{name} ({}) is on no interface of this container: Spark cannot bind it",
                spark.why
            ),
        )
        .fix("unset it, or set it to an address of this container"),
    });
    found
}

/// A sentence of a problem as a fix, which begins in lower case.
fn lower(sentence: &str) -> String {
    let mut letters = sentence.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

fn is_here(facts: &Facts, name: &str) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    match bare.parse() {
        Ok(address) => facts.may_bind(address),
        Err(_) => facts
            .addresses_of(bare)
            .into_iter()
            .any(|one| facts.may_bind(one)),
    }
}

/// What a file of the image says about a driver's place.
fn file(one: &Written, spark: &Spark, all: &[Written]) -> Option<Finding> {
    let Written { key, value, file } = one;
    let at = format!("{key} = {value} in {}", file.display());
    let note = |detail: String| Some(Finding::new(CHECK, Verdict::Note, detail));
    match key.as_str() {
        words::DRIVER_HOST_KEY => note(format!("{at} is what a driver advertises")),
        words::BIND_ADDRESS_KEY if value == "0.0.0.0" || value == "::" => Some(
            Finding::new(
                CHECK,
                Verdict::Failed,
                format!(
                    "{at}: with Spark 4.3 on Kubernetes executors are told to connect to {value}"
                ),
            )
            .fix("remove it"),
        ),
        words::BIND_ADDRESS_KEY => Some(
            Finding::new(
                CHECK,
                Verdict::Note,
                format!("{at}: with Spark 4.3 on Kubernetes executors are told to connect to it"),
            )
            .fix("if they cannot reach it, set spark.kubernetes.executor.useDriverPodIP=false"),
        ),
        words::DRIVER_PORT_KEY if spark.ports().is_some() => {
            note(format!("{at} is used instead of spark.ports"))
        }
        words::BLOCK_PORT_KEY
            if spark.ports().is_some()
                && !all
                    .iter()
                    .any(|one| one.key == words::DRIVER_BLOCK_PORT_KEY) =>
        {
            note(format!(
                "{at} applies to executors; a driver uses spark.ports instead"
            ))
        }
        words::LOCAL_IP => note(format!(
            "{at} sets only where a driver's user interface listens"
        )),
        _ => None,
    }
}

/// Whether a master takes connections.
fn reachable(master: &Master) -> Finding {
    let since = Instant::now();
    let Master { host, port } = master;
    let (said, heard) = channel();
    let place = (host.clone(), *port);
    // A name server that does not answer is left behind.
    std::thread::spawn(move || {
        let mut all = place.to_socket_addrs().ok().into_iter().flatten();
        let connected = all
            .next()
            .map(|one| TcpStream::connect_timeout(&one, PATIENCE));
        let _ = said.send(connected.map(|connected| connected.map(drop)));
    });
    let of = target(
        host,
        PortRange {
            first: *port,
            last: *port,
        },
    );
    let fix = "admit this container in the master's security group, or correct spark.master";
    let finding = match heard.recv_timeout(PATIENCE) {
        Ok(Some(Ok(()))) => Finding::new(CHECK, Verdict::Ok, "connected"),
        Ok(Some(Err(err))) => Finding::new(CHECK, Verdict::Failed, err.kind().to_string()).fix(fix),
        Ok(None) => Finding::new(CHECK, Verdict::Failed, "the name does not resolve").fix(fix),
        Err(_) => Finding::new(CHECK, Verdict::Failed, "no answer in 1 second").fix(fix),
    };
    finding.of(format!("master {of}")).took(since)
}

/// Keys that Spark sends to executors.
fn keys(patient: &Patient) -> Option<Finding> {
    if patient.resolved.workload.credentials.mode == CredentialMode::Broker {
        return None;
    }
    let set = words::COPIED_TO_EXECUTORS.iter();
    let set: Vec<&str> = set
        .copied()
        .filter(|name| patient.facts.text(name).is_some())
        .collect();
    (!set.is_empty()).then(|| {
        let detail = format!(
            "Spark copies {} to executors, where they end with the session",
            set.join(", ")
        );
        Finding::new(CHECK, Verdict::Note, detail).fix("set credentials.mode = \"broker\"")
    })
}

/// The ports that are free for drivers, and the owners of the others.
fn free(facts: &Facts, ports: PortRange, rpc: PortRange, blocks: PortRange) -> Option<Finding> {
    let listening = facts.listening()?;
    let is_held = |port: u16| {
        let mut all = listening.iter();
        all.any(|one| one.transport == crate::facts::Transport::Tcp && one.address.port() == port)
    };
    let all = ports.first..=ports.last;
    let held: Vec<u16> = all.filter(|port| is_held(*port)).collect();
    if held.is_empty() {
        return Some(Finding::new(
            CHECK,
            Verdict::Ok,
            format!("ports {ports} are free"),
        ));
    }
    let count = |of: PortRange| held.iter().filter(|port| of.contains(**port)).count();
    let names: Vec<String> = held
        .iter()
        .map(|port| {
            let holders = facts.listeners_at(*port);
            let name = holders.first().and_then(|pid| facts.process(*pid));
            name.map_or_else(|| port.to_string(), |(name, _)| format!("{port} ({name})"))
        })
        .collect();
    let full = |of: PortRange| u32::try_from(count(of)).ok() >= Some(of.count());
    let detail = format!("of ports {ports} these are in use: {}", names.join(", "));
    Some(if full(rpc) || full(blocks) {
        Finding::new(
            CHECK,
            Verdict::Failed,
            format!("{detail}; no other driver can start"),
        )
        .fix("stop a driver, or set spark.ports to a larger range and admit it")
    } else {
        Finding::new(CHECK, Verdict::Ok, detail)
    })
}

/// The observed state of a running driver.
fn told(
    driver: &Driver,
    spark: &Spark,
    ports: PortRange,
    holder: Option<(String, u64)>,
) -> Finding {
    let address = spark.address.as_deref().unwrap_or("this container");
    let bare = address.trim_start_matches('[').trim_end_matches(']');
    let port = driver.port;
    let at = target(
        bare,
        PortRange {
            first: port,
            last: port,
        },
    );
    let holder = holder.map_or_else(String::new, |(name, seconds)| {
        format!(" ({name}, {seconds} s)")
    });
    let fix = admit(ports, spark.executors, bare);
    match driver.way {
        Way::Nobody => Finding::new(
            CHECK,
            Verdict::Note,
            format!(
                "nothing has connected to {at}{holder}: executors cannot reach it, or there are none. \
                 Run there: lyftlearn-runtime spark reach {at}"
            ),
        )
        .fix(fix),
        Way::NoAnswer(there) => Finding::new(
            CHECK,
            Verdict::Failed,
            format!(
                "{there} asks {at}, and the answer does not get back: outgoing traffic to {there} is blocked"
            ),
        )
        .fix(format!(
            "let TCP from {bare}, ports {ports}, out to {}",
            spark.executors.map_or_else(|| there.to_string(), |network| network.to_string())
        )),
        Way::NoBlocks(count) => Finding::new(
            CHECK,
            Verdict::Note,
            format!(
                "{} connected to {at}, and none to a port for blocks: no task has run yet, or only half of the range is open",
                executors(count)
            ),
        )
        .fix(fix),
        Way::Free(count) => Finding::new(
            CHECK,
            Verdict::Ok,
            format!(
                "{} connected to {at}; the job waits for cores and memory, not for the network",
                executors(count)
            ),
        ),
    }
}

fn executors(count: usize) -> String {
    match count {
        1 => "1 executor is".to_owned(),
        more => format!("{more} executors are"),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{file, told};
    use crate::cli::doctor::line;
    use crate::spark::{Driver, Way, Written};
    use crate::workload::{PortRange, Spark};

    fn driver() -> Spark {
        let ports: PortRange = "7078-7109".parse().unwrap();
        let (rpc, blocks) = ports.halves();
        Spark {
            address: Some("10.77.1.2".to_owned()),
            why: "the way to 10.78.0.0/16".to_owned(),
            driver_ports: Some(rpc),
            block_ports: Some(blocks),
            executors: "10.78.0.0/16".parse().ok(),
        }
    }

    #[test]
    fn what_is_seen_of_a_driver_is_said_with_what_to_do() {
        let there = "10.78.1.2".parse().unwrap();
        let ways = [
            Way::Nobody,
            Way::NoAnswer(there),
            Way::NoBlocks(1),
            Way::Free(2),
        ];
        let spark = driver();
        let ports = spark.ports().unwrap();
        let shown = ways.map(|way| {
            let holder = Some(("java".to_owned(), 184));
            line(&told(&Driver { port: 7078, way }, &spark, ports, holder))
        });
        expect![[r#"
            note  spark      nothing has connected to 10.77.1.2:7078 (java, 184 s): executors cannot reach it, or there are none. Run there: lyftlearn-runtime spark reach 10.77.1.2:7078
                  fix: admit TCP 7078-7109 from 10.78.0.0/16 in the security group of the interface that has 10.77.1.2
            FAIL  spark      10.78.1.2 asks 10.77.1.2:7078, and the answer does not get back: outgoing traffic to 10.78.1.2 is blocked
                  fix: let TCP from 10.77.1.2, ports 7078-7109, out to 10.78.0.0/16
            note  spark      1 executor is connected to 10.77.1.2:7078, and none to a port for blocks: no task has run yet, or only half of the range is open
                  fix: admit TCP 7078-7109 from 10.78.0.0/16 in the security group of the interface that has 10.77.1.2
            ok    spark      2 executors are connected to 10.77.1.2:7078; the job waits for cores and memory, not for the network
        "#]].assert_eq(&shown.concat());
    }

    #[test]
    fn what_an_image_says_is_said() {
        let written = [
            ("spark.driver.host", "driver.example.com"),
            ("spark.driver.bindAddress", "0.0.0.0"),
            ("spark.driver.bindAddress", "10.77.1.2"),
            ("spark.driver.port", "9000"),
            ("spark.blockManager.port", "9001"),
            ("spark.executor.memory", "1g"),
            ("SPARK_LOCAL_IP", "10.77.1.2"),
        ]
        .map(|(key, value)| Written {
            key: key.to_owned(),
            value: value.to_owned(),
            file: "/opt/spark/conf/spark-defaults.conf".into(),
        });
        let spark = driver();
        let shown: String = written
            .iter()
            .filter_map(|one| file(one, &spark, &written))
            .map(|finding| line(&finding))
            .collect();
        expect![[r#"
            note  spark      spark.driver.host = driver.example.com in /opt/spark/conf/spark-defaults.conf is what a driver advertises
            FAIL  spark      spark.driver.bindAddress = 0.0.0.0 in /opt/spark/conf/spark-defaults.conf: with Spark 4.3 on Kubernetes executors are told to connect to 0.0.0.0
                  fix: remove it
            note  spark      spark.driver.bindAddress = 10.77.1.2 in /opt/spark/conf/spark-defaults.conf: with Spark 4.3 on Kubernetes executors are told to connect to it
                  fix: if they cannot reach it, set spark.kubernetes.executor.useDriverPodIP=false
            note  spark      spark.driver.port = 9000 in /opt/spark/conf/spark-defaults.conf is used instead of spark.ports
            note  spark      spark.blockManager.port = 9001 in /opt/spark/conf/spark-defaults.conf applies to executors; a driver uses spark.ports instead
            note  spark      SPARK_LOCAL_IP = 10.77.1.2 in /opt/spark/conf/spark-defaults.conf sets only where a driver's user interface listens
        "#]].assert_eq(&shown);
        // Without ports of ours, those of a file are what holds.
        let free = Spark {
            driver_ports: None,
            block_ports: None,
            ..spark
        };
        assert!(file(&written[3], &free, &written).is_none());
        assert!(file(&written[4], &free, &written).is_none());
    }
}
