//! `spark listen`: takes a driver's ports, and tells whether executors get there.

use std::net::IpAddr;
use std::time::Duration;

use super::fault::SparkFault;
use crate::cli::output;
use crate::cli::progress::Progress;
use crate::error::Error;
use crate::facts::Facts;
use crate::resolve::resolve;
use crate::spark::listen::{Outcome, bind};
use crate::spark::{MOST_PORTS, admit, ranges, target};
use crate::workload::{PortRange, Spark};

const USUAL_SECONDS: u64 = 60;
const MOST_SECONDS: u64 = 3600;

pub(super) fn listen(seconds: Option<&str>) -> Result<u8, Error> {
    let seconds = match seconds {
        None => Some(USUAL_SECONDS),
        Some(digits) => digits.parse().ok(),
    };
    let seconds = seconds.filter(|seconds| (1..=MOST_SECONDS).contains(seconds));
    let limit = Duration::from_secs(seconds.ok_or(SparkFault::BadSeconds)?);
    let facts = Facts::capture(Vec::new());
    let resolved = resolve(&facts)?;
    let why = || SparkFault::NoAddress {
        why: "spark.mode is off".to_owned(),
    };
    let spark = resolved.workload.spark.ok_or_else(why)?;
    let name = spark.address.as_deref();
    let name = name.ok_or_else(|| SparkFault::NoAddress {
        why: spark.why.clone(),
    })?;
    let ports = spark.ports().ok_or(SparkFault::NoPorts)?;
    if ports.count() > MOST_PORTS {
        return Err(SparkFault::TooManyPorts.into());
    }
    let address = own_address(&facts, name)?;
    let refused = |err: std::io::Error| {
        let address = address.to_string();
        Error::from(SparkFault::CannotListen { address }).because(err.kind())
    };
    let listener = bind(address, ports).map_err(refused)?;
    let held = ranges(listener.ports());
    output::page(&begin(&spark, name, ports, &held, &listener.taken, limit))?;
    if held.is_empty() {
        return Ok(1);
    }
    let here = |caller: IpAddr| facts.may_bind(caller);
    let progress = Progress::show(format!(
        "waiting for connections, at most {} s",
        limit.as_secs()
    ));
    let outcome = listener.wait(spark.executors, &here, limit);
    drop(progress);
    output::page(&end(&spark, name, ports, &outcome, limit))?;
    Ok(u8::from(!outcome.missing.is_empty()))
}

/// What a driver would bind.
fn own_address(facts: &Facts, name: &str) -> Result<IpAddr, Error> {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let all = match bare.parse() {
        Ok(address) => vec![address],
        Err(_) => facts.addresses_of(bare),
    };
    let mut own = all.into_iter().filter(|one| facts.may_bind(*one));
    let name = name.to_owned();
    own.next()
        .ok_or_else(|| SparkFault::NotHere { name }.into())
}

/// The bound ports, and the command to run on the other host.
fn begin(
    spark: &Spark,
    name: &str,
    ports: PortRange,
    held: &str,
    taken: &[u16],
    limit: Duration,
) -> String {
    let mut text = String::new();
    if !taken.is_empty() {
        let taken = ranges(taken.iter().copied());
        text.push_str(&format!(
            "already in use here, perhaps by a driver: {taken}\n"
        ));
    }
    if held.is_empty() {
        text.push_str("no port is free: run lyftlearn-runtime doctor here\n");
        return text;
    }
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let place = spark.executors.map_or_else(
        || "in the executors' network".to_owned(),
        |network| format!("in {network}"),
    );
    let target = target(bare, ports);
    text.push_str(&format!(
        "listening at {bare} for {} s, on {held}; run {place}:\n  \
         lyftlearn-runtime spark reach {target}\n\
         in an image without it:\n  \
         bash -c 'for p in {{{}..{}}}; do timeout 3 bash -c \"</dev/tcp/{bare}/$p\" || echo \"$p: not reached\" & done; wait'\n",
        limit.as_secs(),
        ports.first,
        ports.last,
    ));
    text
}

/// The result.
fn end(spark: &Spark, name: &str, ports: PortRange, outcome: &Outcome, limit: Duration) -> String {
    let mut text = String::new();
    for stranger in &outcome.strangers {
        text.push_str(&match spark.executors {
            Some(network) => format!(
                "reached from {stranger}, which is not in {network}: admit only the executors' network\n"
            ),
            None => format!("reached from {stranger}, which is this container: that proves nothing\n"),
        });
    }
    if outcome.missing.is_empty() {
        let reached = ranges(outcome.reached.iter().copied());
        text.push_str(&format!("reached: {reached}\n"));
        return text;
    }
    if outcome.flooded {
        text.push_str("too many connections: this address is open to others\n");
    }
    if !outcome.reached.is_empty() {
        let reached = ranges(outcome.reached.iter().copied());
        text.push_str(&format!("reached: {reached}\n"));
    }
    text.push_str(&format!(
        "not reached in {} s: {}\n  fix: {}\n",
        limit.as_secs(),
        ranges(outcome.missing.iter().copied()),
        admit(ports, spark.executors, name)
    ));
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::expect;

    use super::{begin, end};
    use crate::spark::listen::Outcome;
    use crate::workload::Spark;

    fn driver(executors: Option<&str>) -> Spark {
        Spark {
            address: Some("10.77.1.2".to_owned()),
            why: String::new(),
            driver_ports: None,
            block_ports: None,
            executors: executors.map(|text| text.parse().unwrap()),
        }
    }

    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn what_to_run_there_is_one_line() {
        let ports = "7078-7109".parse().unwrap();
        let network = driver(Some("10.78.0.0/16"));
        let six = Spark {
            address: Some("fd77::2".to_owned()),
            ..driver(None)
        };
        let shown = [
            begin(&network, "10.77.1.2", ports, "7079-7109", &[7078], LIMIT),
            begin(&six, "[fd77::2]", ports, "7078-7109", &[], LIMIT),
            begin(&network, "10.77.1.2", ports, "", &[7078], LIMIT),
        ];
        expect![[r#"
            already in use here, perhaps by a driver: 7078
            listening at 10.77.1.2 for 60 s, on 7079-7109; run in 10.78.0.0/16:
              lyftlearn-runtime spark reach 10.77.1.2:7078-7109
            in an image without it:
              bash -c 'for p in {7078..7109}; do timeout 3 bash -c "</dev/tcp/10.77.1.2/$p" || echo "$p: not reached" & done; wait'

            listening at fd77::2 for 60 s, on 7078-7109; run in the executors' network:
              lyftlearn-runtime spark reach [fd77::2]:7078-7109
            in an image without it:
              bash -c 'for p in {7078..7109}; do timeout 3 bash -c "</dev/tcp/fd77::2/$p" || echo "$p: not reached" & done; wait'

            already in use here, perhaps by a driver: 7078
            no port is free: run lyftlearn-runtime doctor here
        "#]].assert_eq(&shown.join("\n"));
    }

    #[test]
    fn who_came_is_said() {
        let ports = "7078-7081".parse().unwrap();
        let outcome = |reached: &[u16], missing: &[u16], strangers: &[&str]| Outcome {
            reached: reached.iter().copied().collect(),
            missing: missing.iter().copied().collect(),
            strangers: strangers.iter().map(|one| one.parse().unwrap()).collect(),
            flooded: false,
        };
        let network = driver(Some("10.78.0.0/16"));
        let flooded = Outcome {
            flooded: true,
            ..outcome(&[], &[7078], &["10.99.0.1"])
        };
        let shown = [
            end(
                &network,
                "10.77.1.2",
                ports,
                &outcome(&[7078, 7079, 7080, 7081], &[], &[]),
                LIMIT,
            ),
            end(
                &network,
                "10.77.1.2",
                ports,
                &outcome(&[7078, 7079], &[7080, 7081], &["10.99.0.1"]),
                LIMIT,
            ),
            end(
                &driver(None),
                "10.77.1.2",
                ports,
                &outcome(&[], &[7078], &["10.77.1.2"]),
                LIMIT,
            ),
            end(&network, "10.77.1.2", ports, &flooded, LIMIT),
        ];
        expect![[r#"
            reached: 7078-7081

            reached from 10.99.0.1, which is not in 10.78.0.0/16: admit only the executors' network
            reached: 7078-7079
            not reached in 60 s: 7080-7081
              fix: admit TCP 7078-7081 from 10.78.0.0/16 in the security group of the interface that has 10.77.1.2

            reached from 10.77.1.2, which is this container: that proves nothing
            not reached in 60 s: 7078
              fix: admit TCP 7078-7081 from the executors' network in the security group of the interface that has 10.77.1.2

            reached from 10.99.0.1, which is not in 10.78.0.0/16: admit only the executors' network
            too many connections: this address is open to others
            not reached in 60 s: 7078
              fix: admit TCP 7078-7081 from 10.78.0.0/16 in the security group of the interface that has 10.77.1.2
        "#]].assert_eq(&shown.join("\n"));
    }
}
