//! The other nodes: their names resolve.

use std::net::ToSocketAddrs;
use std::time::Instant;

use super::{Finding, Patient, Verdict};

/// The first of many tell enough, and all are asked one after another.
const ASKED: usize = 8;

pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    let topology = &patient.resolved.workload.topology;
    if !topology.is_distributed() {
        return vec![Finding::new("peers", Verdict::Skipped, "one node alone")];
    }
    let master = topology.master_addr.as_deref();
    let others = topology.hosts.iter().map(String::as_str);
    let others = others.filter(|name| Some(*name) != master && *name != topology.host);
    let names: Vec<&str> = master.into_iter().chain(others).take(ASKED).collect();
    if names.is_empty() {
        return vec![Finding::new(
            "peers",
            Verdict::Skipped,
            "the platform does not give their names",
        )];
    }
    names.into_iter().map(resolves).collect()
}

fn resolves(name: &str) -> Finding {
    let since = Instant::now();
    // Any port: only the name is asked for.
    let found = (name, 1)
        .to_socket_addrs()
        .ok()
        .and_then(|mut all| all.next());
    match found {
        Some(address) => Finding::new("peers", Verdict::Ok, address.ip().to_string()),
        None => Finding::new("peers", Verdict::Failed, "the name does not resolve")
            .fix("try again, because names of nodes can appear late; on Kubernetes check the headless Service"),
    }
    .of(name)
    .took(since)
}
