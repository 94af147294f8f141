//! A standalone cluster of Spark's own, in the executors' network.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use lyftlearn_conformance::command::Server;
use lyftlearn_conformance::firewalled::{EXECUTOR, Networks};
use lyftlearn_conformance::{programs, wait};

/// A master and a worker; they end with this.
pub(crate) struct Cluster {
    pub(crate) python: PathBuf,
    /// Spark's own directory: the package.
    pub(crate) home: PathBuf,
    _work: tempfile::TempDir,
    _servers: [Server; 2],
}

/// Where drivers find it.
pub(crate) fn master() -> String {
    format!("spark://{EXECUTOR}:7077")
}

impl Cluster {
    pub(crate) fn start(networks: &Networks, python: &Path) -> Self {
        let home = programs::asked(python, "import pyspark; print(pyspark.__path__[0])");
        let home = PathBuf::from(home);
        let work = tempfile::tempdir().unwrap();
        let started = |class: &str, words: &[&str], log: &str, ready: &str| {
            let log = work.path().join(log);
            let file = File::create(&log).unwrap();
            let mut command = networks.in_executors("env");
            command
                .args(["-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"])
                .arg(format!("SPARK_HOME={}", home.display()))
                .arg(format!("PYSPARK_PYTHON={}", python.display()))
                .arg(format!("SPARK_WORKER_DIR={}", work.path().display()))
                .arg("SPARK_DAEMON_MEMORY=384m")
                .arg(home.join("bin/spark-class"))
                .arg(format!("org.apache.spark.deploy.{class}"))
                .args(words)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(file);
            let server = Server::start(&mut command).unwrap();
            let text = || std::fs::read_to_string(&log).unwrap_or_default();
            let found = wait::until(Duration::from_secs(120), || {
                text().contains(ready).then_some(())
            });
            assert!(found.is_some(), "{class} is not ready: {}", text());
            server
        };
        let host = ["--host", EXECUTOR, "--webui-port", "0"];
        let port = ["--port", "7077"];
        let first = started(
            "master.Master",
            &[&host[..], &port].concat(),
            "master",
            "New state: ALIVE",
        );
        // More cores than there are: executors of several drivers at once.
        let url = master();
        let most = ["--cores", "12", "--memory", "8g", &url];
        let second = started(
            "worker.Worker",
            &[&host[..], &most].concat(),
            "worker",
            "Successfully registered with master",
        );
        Self {
            python: python.to_owned(),
            home,
            _work: work,
            _servers: [first, second],
        }
    }
}
