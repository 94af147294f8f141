//! What an image's own files say to Spark: `spark-defaults.conf` and `spark-env.sh`.

use std::path::PathBuf;

use crate::contract::{limits, spark as words};
use crate::facts::Facts;

/// A key of Spark's that a file sets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) file: PathBuf,
}

/// A master that a driver will ask.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Master {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Where Spark looks for its files.
fn directory(facts: &Facts) -> Option<PathBuf> {
    let own = facts.path(words::CONF_DIR);
    own.or_else(|| Some(facts.path(words::HOME)?.join(words::CONF_NAME)))
}

fn text(facts: &Facts, file: &PathBuf) -> String {
    // Spark cannot read an unreadable file either, and reports it.
    let bytes = facts.file(file, limits::SETTINGS_BYTES).ok().flatten();
    String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
}

/// Every key of `spark-defaults.conf`, and the variables of `spark-env.sh` that concern a
/// driver's address.
pub(crate) fn written(facts: &Facts) -> Vec<Written> {
    let Some(directory) = directory(facts) else {
        return Vec::new();
    };
    let defaults = directory.join(words::DEFAULTS_FILE);
    let script = directory.join(words::ENVIRONMENT_FILE);
    let of_defaults = text(facts, &defaults);
    let of_script = text(facts, &script);
    let keys = of_defaults.lines().filter_map(property);
    let variables = of_script.lines().filter_map(assignment);
    let one = |file: &PathBuf, (key, value): (String, String)| Written {
        key,
        value,
        file: file.clone(),
    };
    let keys = keys.map(|pair| one(&defaults, pair));
    keys.chain(variables.map(|pair| one(&script, pair)))
        .collect()
}

/// Java's properties, as far as Spark's files use them: a key, and behind blanks, `=` or `:` its
/// value.
fn property(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with(['#', '!']) {
        return None;
    }
    let is_between = |letter: char| letter.is_whitespace() || ['=', ':'].contains(&letter);
    let (key, value) = line.split_once(is_between)?;
    let value = value.trim_start_matches(is_between);
    Some((key.to_owned(), value.to_owned()))
}

fn assignment(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let (name, value) = line.split_once('=')?;
    let value = value.trim_matches(['"', '\'']);
    (name == words::LOCAL_IP).then(|| (name.to_owned(), value.to_owned()))
}

/// The masters that a driver without another word will ask: of `spark-defaults.conf`, else of
/// the variable.
pub(crate) fn masters(facts: &Facts, written: &[Written]) -> Vec<Master> {
    let mut keys = written.iter().filter(|one| one.key == words::MASTER_KEY);
    let of_file = keys.next_back().map(|one| one.value.clone());
    let url = of_file.or_else(|| Some(facts.text(words::MASTER)?.into_owned()));
    url.map_or_else(Vec::new, |url| parsed(&url))
}

/// `spark://HOST:PORT,HOST:PORT` and `k8s://https://HOST:PORT`; nothing of any other.
fn parsed(url: &str) -> Vec<Master> {
    if let Some(hosts) = url.strip_prefix(words::STANDALONE) {
        return hosts
            .split(',')
            .filter_map(|one| master(one, None))
            .collect();
    }
    let Some(server) = url.strip_prefix(words::KUBERNETES) else {
        return Vec::new();
    };
    let (usual, host) = match server.split_once("://") {
        Some(("http", host)) => (80, host),
        Some((_, host)) => (443, host),
        None => (443, server),
    };
    let host = host.split('/').next().unwrap_or_default();
    master(host, Some(usual)).into_iter().collect()
}

fn master(text: &str, usual: Option<u16>) -> Option<Master> {
    let text = text.trim();
    let with_port = text
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = match with_port {
        // A colon within an IPv6 address does not precede a port.
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port),
        _ => (text, usual?),
    };
    let host = host.trim_matches(['[', ']']);
    (!host.is_empty()).then(|| Master {
        host: host.to_owned(),
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::{Master, masters, parsed, written};
    use crate::facts::Facts;

    #[test]
    fn masters_are_hosts_and_ports() {
        let check = |url: &str, expected: &[(&str, u16)]| {
            let found = parsed(url);
            let shown: Vec<(&str, u16)> = found
                .iter()
                .map(|Master { host, port }| (host.as_str(), *port))
                .collect();
            assert_eq!(shown, expected, "{url}");
        };
        check("spark://10.78.0.1:7077", &[("10.78.0.1", 7077)]);
        check("spark://a:7077,b:7078", &[("a", 7077), ("b", 7078)]);
        check("spark://[fd78::1]:7077", &[("fd78::1", 7077)]);
        check(
            "k8s://https://api.example.com:6443",
            &[("api.example.com", 6443)],
        );
        check(
            "k8s://https://api.example.com/x",
            &[("api.example.com", 443)],
        );
        check("k8s://http://127.0.0.1:8001", &[("127.0.0.1", 8001)]);
        check("k8s://api.example.com", &[("api.example.com", 443)]);
        check("local[*]", &[]);
        check("yarn", &[]);
        check("spark://", &[]);
    }

    #[test]
    fn an_images_files_are_read() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("opt/spark/conf");
        std::fs::create_dir_all(&directory).unwrap();
        let defaults = "# a comment\n\nspark.master spark://10.78.0.1:7077\nspark.driver.host=a\nspark.driver.port : 9\n";
        std::fs::write(directory.join("spark-defaults.conf"), defaults).unwrap();
        let script = "#!/bin/sh\nexport SPARK_LOCAL_IP=\"10.77.1.2\"\nSPARK_WORKER_CORES=2\n";
        std::fs::write(directory.join("spark-env.sh"), script).unwrap();
        let facts = Facts::empty().with_root(root.path());
        assert_eq!(written(&facts), []);
        for facts in [
            facts.clone().with_var("SPARK_HOME", "/opt/spark"),
            facts
                .with_var("SPARK_CONF_DIR", "/opt/spark/conf")
                .with_var("MASTER", "spark://other:1"),
        ] {
            let all = written(&facts);
            let shown: Vec<String> = all
                .iter()
                .map(|one| format!("{}: {} = {}", one.file.display(), one.key, one.value))
                .collect();
            assert_eq!(
                shown,
                [
                    "/opt/spark/conf/spark-defaults.conf: spark.master = spark://10.78.0.1:7077",
                    "/opt/spark/conf/spark-defaults.conf: spark.driver.host = a",
                    "/opt/spark/conf/spark-defaults.conf: spark.driver.port = 9",
                    "/opt/spark/conf/spark-env.sh: SPARK_LOCAL_IP = 10.77.1.2",
                ]
            );
            assert_eq!(masters(&facts, &all).len(), 1);
            assert_eq!(masters(&facts, &all)[0].host, "10.78.0.1");
        }
        let variable = Facts::empty().with_var("MASTER", "spark://other:1");
        assert_eq!(masters(&variable, &[])[0].host, "other");
    }
}
