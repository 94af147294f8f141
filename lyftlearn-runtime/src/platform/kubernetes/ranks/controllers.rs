//! What single controllers tell beyond a pair of numbers.

use std::net::IpAddr;

use super::is_called;
use crate::contract::{kubernetes, limits, linux};
use crate::error::Error;
use crate::facts::Facts;
use crate::platform::World;
use crate::platform::fault::ContractFault;
use crate::platform::topology::number;

/// A Volcano pod's place in its task, and the names of the task's pods. Its variables list every
/// task of the job; its own is the one that has this pod in its place.
pub(super) fn volcano(
    world: &World<'_>,
    host: &str,
) -> Result<Option<(usize, Vec<String>)>, Error> {
    let Some(index) = number::<usize>(world, kubernetes::VOLCANO_INDEX)? else {
        return Ok(None);
    };
    let lists = world.facts.vars().iter().filter_map(|(name, value)| {
        let name = name.to_str()?.strip_prefix(kubernetes::VOLCANO_PREFIX)?;
        name.strip_suffix(kubernetes::VOLCANO_HOSTS)?;
        let hosts = value
            .to_str()?
            .split(',')
            .map(|host| host.trim().to_owned());
        Some(hosts.collect::<Vec<_>>())
    });
    let mut own = lists.filter(|hosts| hosts.get(index).is_some_and(|name| is_called(name, host)));
    Ok(own.next().map(|hosts| (index, hosts)))
}

/// The nodes of an MPI job, in its launcher's pod.
pub(super) fn mpi(world: &World<'_>) -> Result<Option<Vec<String>>, Error> {
    let path = kubernetes::MPI_HOSTFILE;
    let Some(bytes) = world.facts.file(path, limits::DOCUMENT_BYTES)? else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&bytes);
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default());
    let hosts: Vec<String> = lines
        .filter_map(|line| line.split_whitespace().next())
        // IntelMPI and MPICH write NAME:SLOTS.
        .map(|host| host.split(':').next().unwrap_or(host).to_owned())
        .collect();
    ContractFault::unless(hosts.len(), limits::NODES, "hosts", path)?;
    Ok((!hosts.is_empty()).then_some(hosts))
}

/// The pod with index 0 of this pod's Indexed Job. Pods have names of their own only below a
/// headless Service: then the kubelet writes this pod's into its hosts file.
pub(super) fn first_of_job(facts: &Facts, host: &str) -> Result<Option<String>, Error> {
    let Some(index) = facts.text(kubernetes::COMPLETION_INDEX) else {
        return Ok(None);
    };
    let Some(job) = host.strip_suffix(&format!("-{index}")) else {
        return Ok(None);
    };
    let entries = hosts_file(facts)?;
    let mut names = entries.iter().flat_map(|(_, names)| names);
    let domain = names.find_map(|name| name.strip_prefix(host)?.strip_prefix('.'));
    Ok(domain.map(|domain| format!("{job}-0.{domain}")))
}

/// A pod's own address: the kubelet writes it into the hosts file.
pub(super) fn own_address(facts: &Facts, host: &str) -> Result<Option<String>, Error> {
    let entries = hosts_file(facts)?;
    let own = entries.into_iter().find(|(address, names)| {
        !address.is_loopback() && names.iter().any(|name| is_called(name, host))
    });
    Ok(own.map(|(address, _)| address.to_string()))
}

/// The loopback address of a node's own name, if the name has no other address (a pod in the node's
/// network has the node's hosts file): gloo would send it to its peers.
pub(super) fn own_loopback(facts: &Facts, host: &str) -> Result<Option<IpAddr>, Error> {
    let entries = hosts_file(facts)?;
    let mut own = entries
        .iter()
        .filter(|(_, names)| names.iter().any(|name| is_called(name, host)));
    let first = own.next().map(|(address, _)| *address);
    Ok(first.filter(|first| first.is_loopback() && own.all(|(address, _)| address.is_loopback())))
}

/// Addresses and their names.
fn hosts_file(facts: &Facts) -> Result<Vec<(IpAddr, Vec<String>)>, Error> {
    let file = facts.file(linux::HOSTS_FILE, limits::KERNEL_FILE_BYTES)?;
    let file = file.unwrap_or_default();
    let text = String::from_utf8_lossy(&file);
    let entries = text.lines().filter_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address = words.next()?.parse().ok()?;
        Some((address, words.map(ToOwned::to_owned).collect()))
    });
    Ok(entries.collect())
}
