//! Spark's standalone cluster, in a separate network.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::command::Server;
use crate::{programs, wait};

/// A master and a worker; they end with this.
#[derive(Debug)]
pub struct Cluster {
    /// The Python that has PySpark.
    pub python: PathBuf,
    /// Spark's own directory: the package.
    pub home: PathBuf,
    /// Where drivers find it.
    pub master: String,
    _work: tempfile::TempDir,
    _servers: [Server; 2],
}

impl Cluster {
    /// Starts it at an address. `entering` makes a command in its network.
    ///
    /// # Panics
    ///
    /// When it is not ready within two minutes.
    #[must_use]
    pub fn start(entering: &dyn Fn(&str) -> Command, address: &str, python: &Path) -> Self {
        let home = programs::asked(python, "import pyspark; print(pyspark.__path__[0])");
        let home = PathBuf::from(home);
        let work = tempfile::tempdir().expect("a temporary directory can be made");
        let started = |class: &str, words: &[&str], log: &str, ready: &str| {
            let log = work.path().join(log);
            let file = File::create(&log).expect("a log can be made");
            let mut command = entering("env");
            command
                .args(["-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"])
                .arg(format!("SPARK_HOME={}", home.display()))
                .arg(format!("PYSPARK_PYTHON={}", python.display()))
                .arg(format!("SPARK_WORKER_DIR={}", work.path().display()))
                .arg("SPARK_DAEMON_MEMORY=384m")
                .arg("SPARK_DAEMON_JAVA_OPTS=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
                .arg(home.join("bin/spark-class"))
                .arg(format!("org.apache.spark.deploy.{class}"))
                .args(words)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(file);
            let server = Server::start(&mut command).expect("a shell can be started");
            let text = || std::fs::read_to_string(&log).unwrap_or_default();
            let found = wait::until(|| text().contains(ready).then_some(()));
            assert!(found.is_some(), "{class} is not ready: {}", text());
            server
        };
        let host = ["--host", address, "--webui-port", "0"];
        let port = ["--port", "7077"];
        let first = started(
            "master.Master",
            &[&host[..], &port].concat(),
            "master",
            "New state: ALIVE",
        );
        // More cores than there are: executors of several drivers at once.
        let url = format!("spark://{address}:7077");
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
            master: url,
            _work: work,
            _servers: [first, second],
        }
    }
}
