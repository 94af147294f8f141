//! Tells a Spark driver about its network: two variables, below everything that a user of Spark can
//! set.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::credentials::Changes;
use crate::contract::spark as words;
use crate::workload::{Spark, spark_host as host};

/// `found` is every name and value that the program would have otherwise, low to high. `None`:
/// Spark's variables are left unchanged.
pub(crate) fn spark<'a>(
    spark: Option<&Spark>,
    found: impl Iterator<Item = (&'a OsStr, &'a OsStr)> + Clone,
) -> Changes {
    let mut changes = Changes::default();
    let Some(spark) = spark else {
        return changes;
    };
    let value = |name: &str| {
        let found = found.clone();
        let of_name = found.filter(|(found, value)| *found == name && !value.is_empty());
        of_name.last().map(|(_, value)| value)
    };
    // One that is set to nothing is worse for Spark than none: it takes that for a name.
    let names = [words::LOCAL_HOSTNAME, words::LOCAL_IP];
    let blank = names.iter().copied().filter(|name| value(name).is_none());
    changes.take(&blank.collect::<Vec<_>>());
    let set = names.iter().any(|name| value(name).is_some());
    if let Some(address) = spark.address.as_deref().filter(|_| !set) {
        changes.set(words::LOCAL_HOSTNAME, host(address));
    }
    if let Some(ours) = options(spark) {
        let theirs = value(words::SUBMIT_OPTS).unwrap_or_default();
        // `exec` of a program that `run` has started: ours are there.
        if !contains(theirs, words::BLOCK_PORT) {
            changes.set(words::SUBMIT_OPTS, before(ours, theirs));
            changes.take(&[words::SUBMIT_OPTS]);
        }
    }
    changes
}

/// Spark goes upwards from both first ports when one is taken, by the same number of steps.
fn options(spark: &Spark) -> Option<String> {
    let (driver, blocks) = (spark.driver_ports?, spark.block_ports?);
    Some(format!(
        "{}{} {}{} {}{}",
        words::DRIVER_PORT,
        driver.first,
        words::BLOCK_PORT,
        blocks.first,
        words::PORT_RETRIES,
        driver.count() - 1
    ))
}

/// Of two options of a JVM with one name the later one counts: theirs.
fn before(ours: String, theirs: &OsStr) -> OsString {
    let mut all = OsString::from(ours);
    if !theirs.is_empty() {
        all.push(" ");
        all.push(theirs);
    }
    all
}

fn contains(text: &OsStr, word: &str) -> bool {
    let mut places = text.as_bytes().windows(word.len());
    places.any(|place| place == word.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::spark;
    use crate::workload::{PortRange, Spark};

    fn driver(address: Option<&str>, ports: Option<&str>) -> Spark {
        let halves = ports.map(|ports| ports.parse::<PortRange>().unwrap().halves());
        Spark {
            address: address.map(ToOwned::to_owned),
            why: String::new(),
            driver_ports: halves.map(|(driver, _)| driver),
            block_ports: halves.map(|(_, blocks)| blocks),
            executors: None,
        }
    }

    #[track_caller]
    fn check(of: &Spark, found: &[(&str, &str)], set: &[(&str, &str)], taken: &[&str]) {
        let pairs = found
            .iter()
            .map(|(name, value)| (OsStr::new(name), OsStr::new(value)));
        let changes = spark(Some(of), pairs);
        let all: Vec<(&str, &str)> = changes
            .set
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        assert_eq!(all, set);
        assert_eq!(changes.taken, taken);
    }

    const HOST: (&str, &str) = ("SPARK_LOCAL_HOSTNAME", "10.77.1.2");
    const BOTH: [&str; 2] = ["SPARK_LOCAL_HOSTNAME", "SPARK_LOCAL_IP"];
    const IP: &str = "SPARK_LOCAL_IP";
    const OPTS: &str = "SPARK_SUBMIT_OPTS";
    const PORTS: &str =
        "-Dspark.driver.port=7078 -Dspark.driver.blockManager.port=7094 -Dspark.port.maxRetries=15";

    #[test]
    fn an_address_is_delivered_unless_the_user_sets_one() {
        let at = driver(Some("10.77.1.2"), None);
        check(&at, &[], &[HOST], &BOTH);
        check(&at, &[(BOTH[0], ""), (IP, "")], &[HOST], &BOTH);
        check(&at, &[(BOTH[0], "x")], &[], &[IP]);
        check(&at, &[(IP, "10.0.0.1")], &[], &[BOTH[0]]);
        check(&at, &[(IP, "10.0.0.1"), (BOTH[0], "")], &[], &[BOTH[0]]);
        let six = driver(Some("fd77::2"), None);
        check(&six, &[], &[(BOTH[0], "[fd77::2]")], &BOTH);
        // A blank one would break every Spark.
        check(&driver(None, None), &[(BOTH[0], "")], &[], &BOTH);
    }

    #[test]
    fn ports_stand_before_what_the_user_has_and_are_not_written_twice() {
        let at = driver(None, Some("7078-7109"));
        check(&at, &[], &[(OPTS, PORTS)], &[BOTH[0], IP, OPTS]);
        check(&at, &[(OPTS, "")], &[(OPTS, PORTS)], &[BOTH[0], IP, OPTS]);
        let theirs = "-Dspark.driver.port=9 -Dx=\"a b\"";
        let both = format!("{PORTS} {theirs}");
        check(
            &at,
            &[(OPTS, theirs)],
            &[(OPTS, &both)],
            &[BOTH[0], IP, OPTS],
        );
        check(&at, &[(OPTS, &both)], &[], &BOTH);
        check(&at, &[(OPTS, PORTS)], &[], &BOTH);
        let two = driver(None, Some("7078-7079"));
        let least = "-Dspark.driver.port=7078 -Dspark.driver.blockManager.port=7079 -Dspark.port.maxRetries=0";
        check(&two, &[], &[(OPTS, least)], &[BOTH[0], IP, OPTS]);
    }

    #[test]
    fn where_spark_is_off_nothing_changes() {
        let found = [(OsStr::new("SPARK_LOCAL_HOSTNAME"), OsStr::new(""))];
        let changes = spark(None, found.into_iter());
        assert!(changes.set.is_empty() && changes.taken.is_empty());
    }
}
