//! The Spark example, trained as SageMaker trains, in podman's network; its executors are in
//! another one, and a firewall stands between.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use lyftlearn_conformance::cluster::Cluster;
use lyftlearn_conformance::command::{self, Server};
use lyftlearn_conformance::{programs, wait};
use serde_json::Value;

use crate::container::{As, Case};
use crate::place::Place;

const EXECUTOR: &str = "10.78.1.2";

/// Executors behind the engine's own network: only the example's ports are admitted to
/// containers.
const SETUP: &str = "
inside() { nsenter --net=/proc/$1/ns/net -- sh -euc \"$2\"; }
ip link add eth0 netns $1 type veth peer name spark netns $2
inside $1 'ip address add 10.78.1.2/24 dev eth0; ip link set eth0 up; ip route add default via 10.78.1.1'
inside $2 '
    ip address add 10.78.1.1/24 dev spark; ip link set spark up; echo 1 >/proc/sys/net/ipv4/ip_forward
    iptables -I FORWARD -i spark -j DROP
    iptables -I FORWARD -i spark -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
    iptables -I FORWARD -i spark -p tcp --dport 20000:20031 -j ACCEPT'
";

/// A namespace for executors, beside that of the engine's containers.
fn executors(place: &Place) -> Server {
    let mut holder = Command::new("unshare");
    holder.args(["--net", "--", "sh", "-euc"]);
    holder.args(["ip link set lo up; echo up; exec cat >/dev/null"]);
    let mut server = Server::answering(holder.stderr(Stdio::null()));
    assert_eq!(server.line(), "up");
    let mut setup = Command::new("sh");
    setup.args(["-euc", SETUP, "networks"]);
    setup.args([server.id(), place.inside()].map(|id| id.to_string()));
    let output = command::output(&mut setup);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    server
}

#[test]
#[ignore = "takes its time, and wants podman's network for itself: make test-spark"]
fn a_training_job_of_sagemaker_has_executors_in_another_network() {
    let Some(place) = Place::found() else { return };
    let Some(python) = programs::python_with_spark("3.5") else {
        return;
    };
    let executors = executors(place);
    let entering = |program: &str| {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", executors.id()));
        command.args(["--", program]);
        command
    };
    let cluster = Cluster::start(&entering, EXECUTOR, &python);
    let packages = cluster.home.parent().unwrap();
    let example = programs::repository().join("examples/spark");
    let settings = std::fs::read_to_string(example.join("runtime.toml")).unwrap();
    let java = std::fs::read_dir("/etc").unwrap().flatten();
    let java = java.map(|entry| entry.path());
    let java = java.filter(|path| path.to_string_lossy().contains("/etc/java-"));
    let mount = |source: &Path, target: &str| format!("--volume={}:{target}:ro", source.display());
    let mut options: Vec<String> = java
        .map(|path| mount(&path, &path.to_string_lossy()))
        .collect();
    options.extend([
        mount(packages, "/opt/packages"),
        mount(Path::new("/usr/lib/jvm"), "/usr/lib/jvm"),
        mount(&example, "/opt/spark-example"),
        "--env=PYTHONPATH=/opt/packages".to_owned(),
        format!("--env=JAVA_HOME={}", java_home()),
        format!("--env=MASTER={}", cluster.master),
    ]);
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let container = Case {
        name: "spark",
        made: As::Training,
        settings: &settings,
        options: &options,
        argv: &["train"],
    };
    let Some(container) = container.start() else {
        return;
    };
    // Two JVMs start, which takes its time on a busy machine.
    let status = ["inspect", "--format", "{{.State.Status}}", "spark"];
    let ended = wait::within(Duration::from_secs(600), || {
        (place.podman(&status) == "exited").then_some(())
    });
    assert!(ended.is_some(), "{}", container.log());
    let ended = container.end();
    assert_eq!(ended.exit_code, 0, "{}", ended.log);
    let model = container.work.path().join("ml/model/clicks.json");
    let rows: Value = serde_json::from_slice(&std::fs::read(model).unwrap()).unwrap();
    let rows = rows.as_array().unwrap();
    let clicks: u64 = rows.iter().map(|row| row["clicks"].as_u64().unwrap()).sum();
    assert_eq!((rows.len(), clicks), (7, 1_000_000));
}

/// Where this machine's Java is.
fn java_home() -> String {
    let java = std::fs::canonicalize("/usr/bin/java").unwrap();
    let home = java.parent().and_then(Path::parent).unwrap();
    home.display().to_string()
}
