//! Facts of another node: `mpirun -x SM_CURRENT_HOST`, and the toolkit's own launchers, carry
//! the first node's variables to every other one.

use crate::contract::toolkit as words;
use crate::workload::Workload;

/// Names whose values come from another node, not from the user; empty if there are none. `found`
/// is the value in this process's environment.
pub(crate) fn inherited(
    workload: &Workload,
    found: impl Fn(&str) -> Option<String>,
) -> &'static [&'static str] {
    let topology = &workload.topology;
    let inherited_host = found(words::SM_CURRENT_HOST);
    let another =
        inherited_host.is_some_and(|host| host != topology.host && topology.hosts.contains(&host));
    if another { words::NODE_FACTS } else { &[] }
}

/// What to say about it.
pub(crate) fn problem(inherited: &[&str]) -> Option<String> {
    (!inherited.is_empty()).then(|| {
        format!(
            "{} names another node of this job: what describes a node was inherited, and is \
             replaced by this node's own",
            words::SM_CURRENT_HOST
        )
    })
}
