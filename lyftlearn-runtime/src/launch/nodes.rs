//! Before a program starts that trains with other nodes: it has a place among them, and the
//! node with rank 0 is there.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::contract::{kubernetes, launchers, torch};
use crate::error::{Error, ErrorKind, Fault};
use crate::facts::Facts;
use crate::held::{self, Owner};
use crate::platform;
use crate::resolve::Resolved;
use crate::settings::Log;
use crate::stderr;

/// Pods of one job start minutes apart where nodes have to be made first.
const PATIENCE: u32 = 300;

/// `python -u -m torch.distributed.run`, or `torchrun` behind an interpreter with options.
const LAUNCHERS_WORDS: usize = 4;

/// For one connection.
const CONNECTS_WITHIN: Duration = Duration::from_secs(2);

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// After this time the log says what the start waits for.
const QUIET: Duration = Duration::from_secs(5);

/// Why a node has no place among the others.
#[derive(Debug)]
struct Placeless;

impl fmt::Display for Placeless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot place this node: ${} is set, but not how many pods train together",
            kubernetes::COMPLETION_INDEX
        )
    }
}

impl Fault for Placeless {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Contract
    }

    fn hint(&self) -> Option<String> {
        let hint = "set topology.nodes to the Job's completions, or to 1 when each pod works alone";
        Some(hint.to_owned())
    }
}

/// Refuses to start a launcher that waits for other nodes if their number is unknown. Otherwise the
/// node with index 0 would train alone and end with success.
pub(super) fn place(facts: &Facts, resolved: &Resolved, argv: &[OsString]) -> Result<(), Error> {
    let topology = &resolved.workload.topology;
    let placed = topology.nodes != Some(1)
        || resolved.settings.topology.nodes.is_some()
        || facts.text(torch::NNODES).is_some();
    if placed || !is_launcher(argv) || !platform::is_below_a_service(facts, &topology.host)? {
        return Ok(());
    }
    Err(Placeless.into())
}

/// By a script or a module among the words before the program's own.
fn is_launcher(argv: &[OsString]) -> bool {
    starts(argv, |name| launchers::TORCHRUNS.contains(&name))
}

fn starts(argv: &[OsString], is: impl Fn(&[u8]) -> bool) -> bool {
    argv.iter().take(LAUNCHERS_WORDS).any(|word| {
        let name = Path::new(word).file_name().unwrap_or(word);
        is(name.as_bytes())
    })
}

/// Gives `owner` the directory that HyperPod's launcher writes each round's hosts into: it ends
/// where it cannot make a file there. Where that is not possible, a problem.
pub(super) fn give_launcher_its_directory(
    argv: &[OsString],
    owner: Option<Owner>,
) -> Option<String> {
    let owner = owner.filter(|_| starts(argv, |name| name == launchers::HYPERPODRUN))?;
    let directory = Path::new(kubernetes::HYPERPOD_POD_FILE).parent()?;
    let err = held::make(directory, owner).err()?;
    Some(format!(
        "cannot give {} to the program's user, whose {} writes there: {}",
        directory.display(),
        kubernetes::HYPERPOD_LAUNCHER,
        err.kind()
    ))
}

/// Why the node with rank 0 cannot be met.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Missing {
    Name,
    Route { address: SocketAddr },
    Answer { address: SocketAddr },
}

#[derive(Debug)]
struct NodesFault {
    master: String,
    missing: Missing,
    seconds: u32,
}

impl fmt::Display for NodesFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            master,
            missing,
            seconds,
        } = self;
        let what = missing.of(master);
        write!(f, "cannot meet the other nodes: {what} after {seconds} s")
    }
}

impl Missing {
    fn of(&self, master: &str) -> String {
        match self {
            Self::Name => format!("{master} does not resolve"),
            Self::Route { address } => format!("{master} ({address}) has no route"),
            Self::Answer { address } => format!("{master} ({address}) does not answer"),
        }
    }
}

impl Fault for NodesFault {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Contract
    }

    fn hint(&self) -> Option<String> {
        Some(
            "is rank 0's container started? on Kubernetes: a headless Service with publishNotReadyAddresses; topology.wait_seconds = 0 does not wait"
                .to_owned(),
        )
    }
}

/// How long this start waits for the node with rank 0, in seconds.
fn patience(resolved: &Resolved) -> u32 {
    let topology = &resolved.workload.topology;
    let waits = topology.is_distributed() && topology.node_rank.is_some_and(|rank| rank > 0);
    let most = resolved.settings.topology.wait_seconds.unwrap_or(PATIENCE);
    if waits && topology.master_addr.is_some() {
        most
    } else {
        0
    }
}

/// Whether the start waits for somebody else.
pub(super) fn waits(resolved: &Resolved) -> bool {
    patience(resolved) > 0
}

/// Waits until the node with rank 0 can be reached. A refused connection is an answer: its
/// host is there, and its launcher will be.
pub(super) fn meet(resolved: &Resolved) -> Result<(), Error> {
    let seconds = patience(resolved);
    let topology = &resolved.workload.topology;
    let Some(master) = topology.master_addr.as_deref().filter(|_| seconds > 0) else {
        return Ok(());
    };
    let begun = Instant::now();
    let mut said = resolved.settings.log == Log::Off;
    loop {
        let Err(missing) = attempt(master, topology.master_port) else {
            return Ok(());
        };
        let waited = begun.elapsed();
        if waited >= Duration::from_secs(seconds.into()) {
            return Err(NodesFault {
                master: master.to_owned(),
                missing,
                seconds,
            }
            .into());
        }
        if !said && waited >= QUIET {
            said = true;
            let what = missing.of(master);
            stderr::line(&format!(
                "waiting up to {seconds} s for the node with rank 0: {what}"
            ));
        }
        std::thread::sleep(PAUSE);
    }
}

/// Of several addresses one that answers is enough.
fn attempt(master: &str, port: u16) -> Result<(), Missing> {
    let addresses = (master, port).to_socket_addrs();
    let mut missing = Missing::Name;
    for address in addresses.into_iter().flatten() {
        match TcpStream::connect_timeout(&address, CONNECTS_WITHIN) {
            Ok(_) => return Ok(()),
            Err(err) => match err.kind() {
                io::ErrorKind::ConnectionRefused => return Ok(()),
                io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                    missing = Missing::Route { address };
                }
                _ => missing = Missing::Answer { address },
            },
        }
    }
    Err(missing)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use expect_test::expect;

    use super::{Missing, NodesFault, Placeless, attempt};
    use crate::error::reports;

    #[test]
    fn a_guess_has_its_report() {
        expect![[r#"
            Contract: cannot place this node: $JOB_COMPLETION_INDEX is set, but not how many pods train together
              hint: set topology.nodes to the Job's completions, or to 1 when each pod works alone
        "#]].assert_eq(&reports([Placeless]));
    }

    #[test]
    fn every_fault_has_its_report() {
        let address = "10.0.1.7:7777".parse().unwrap();
        let of = |missing| NodesFault {
            master: "algo-1".to_owned(),
            missing,
            seconds: 300,
        };
        expect![[r#"
            Contract: cannot meet the other nodes: algo-1 does not resolve after 300 s
              hint: is rank 0's container started? on Kubernetes: a headless Service with publishNotReadyAddresses; topology.wait_seconds = 0 does not wait
            Contract: cannot meet the other nodes: algo-1 (10.0.1.7:7777) has no route after 300 s
              hint: is rank 0's container started? on Kubernetes: a headless Service with publishNotReadyAddresses; topology.wait_seconds = 0 does not wait
            Contract: cannot meet the other nodes: algo-1 (10.0.1.7:7777) does not answer after 300 s
              hint: is rank 0's container started? on Kubernetes: a headless Service with publishNotReadyAddresses; topology.wait_seconds = 0 does not wait
        "#]]
        .assert_eq(&reports([
            of(Missing::Name),
            of(Missing::Route { address }),
            of(Missing::Answer { address }),
        ]));
    }

    #[test]
    fn a_host_that_refuses_is_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(attempt("127.0.0.1", port), Ok(()));
        drop(listener);
        assert_eq!(attempt("127.0.0.1", port), Ok(()));
        assert_eq!(attempt("nobody.invalid", port), Err(Missing::Name));
    }
}
