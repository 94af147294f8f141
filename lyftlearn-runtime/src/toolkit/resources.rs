//! SageMaker's own documents: unchanged, or made from the workload if they do not exist, so that
//! the same job looks the same.

use super::Job;
use super::python::{Dict, Text, Value, loads};
use crate::contract::{runtime, sagemaker, toolkit as words};
use crate::workload::{ChannelMode, Topology};

/// More nodes than any job has; a larger number is a mistake.
const NODES: u32 = 10_000;

/// What the toolkit reads out of `resourceconfig.json`.
#[derive(Debug)]
pub(super) struct Resources {
    pub(super) config: Dict,
    pub(super) hosts: Vec<Value>,
    pub(super) current_host: Value,
    pub(super) instance_type: Value,
    pub(super) group: Value,
    pub(super) network_interface: Value,
    pub(super) topology: Value,
}

impl Resources {
    pub(super) fn of(job: &Job<'_>) -> Self {
        let config = object(job.resource_config).unwrap_or_else(|| synthesised(job));
        let word = |key: &str, default: &str| {
            let found = config.get(key).cloned();
            found.unwrap_or_else(|| Value::text(default))
        };
        Self {
            hosts: list(config.get(words::HOSTS)).to_vec(),
            current_host: word(words::CURRENT_HOST, &job.workload.topology.host),
            // The toolkit fails on null.
            instance_type: match word(words::CURRENT_INSTANCE_TYPE, words::NO_INSTANCE_TYPE) {
                Value::None => Value::text(words::NO_INSTANCE_TYPE),
                document => document,
            },
            group: word(words::CURRENT_GROUP_NAME, words::NO_GROUP_NAME),
            network_interface: word(words::NETWORK_INTERFACE_NAME, sagemaker::NETWORK_INTERFACE),
            topology: config
                .get(words::TOPOLOGY)
                .cloned()
                .unwrap_or(Value::List(Vec::new())),
            config,
        }
    }

    /// Instance groups, by name.
    pub(super) fn groups(&self) -> impl Iterator<Item = (&Value, &Dict)> {
        list(self.config.get(words::INSTANCE_GROUPS))
            .iter()
            .filter_map(|group| match group {
                Value::Dict(group) => Some((group.get(words::INSTANCE_GROUP_NAME)?, group)),
                _ => None,
            })
    }

    /// The nodes on which a distribution runs: those of its groups, or all without groups.
    pub(super) fn distribution_hosts(&self, distributed: &Value) -> Vec<Value> {
        if self.groups().next().is_none() {
            return self.hosts.clone();
        }
        // Python's `in`, for what it is defined.
        let among = |name: &Value| match (distributed, name) {
            (Value::List(list), name) => list.contains(name),
            (Value::Text(text), Value::Text(name)) => text.contains(name),
            (Value::Dict(dict), Value::Text(name)) => dict.iter().any(|(known, _)| known == name),
            _ => false,
        };
        self.groups()
            .filter(|(name, _)| among(name))
            .flat_map(|(_, group)| list(group.get(words::HOSTS)).iter().cloned())
            .collect()
    }

    pub(super) fn instance_type_text(&self) -> &str {
        match &self.instance_type {
            Value::Text(text) => text.as_str().unwrap_or_default(),
            _ => "",
        }
    }
}

pub(super) fn list(value: Option<&Value>) -> &[Value] {
    match value {
        Some(Value::List(list)) => list,
        _ => &[],
    }
}

/// The channels as `inputdataconfig.json` has them, without the runtime's own.
pub(super) fn input_data_config(job: &Job<'_>) -> Dict {
    let mut config = object(job.input_data_config).unwrap_or_else(|| {
        let channels = job.workload.channels.iter().map(|(name, channel)| {
            let mode = match channel.mode {
                ChannelMode::Pipe => "Pipe",
                ChannelMode::FastFile => "FastFile",
                ChannelMode::File | ChannelMode::Mount => "File",
            };
            let mut pairs = vec![(words::INPUT_MODE, Value::text(mode))];
            if let Some(kind) = &channel.content_type {
                pairs.push((words::CONTENT_TYPE, Value::text(kind)));
            }
            if let Some(sharded) = channel.sharded {
                let word = if sharded {
                    words::SHARDED
                } else {
                    words::REPLICATED
                };
                pairs.push((words::DISTRIBUTION_TYPE, Value::text(word)));
            }
            pairs.push((words::RECORD_WRAPPER, Value::text(words::NO_RECORD_WRAPPER)));
            (Text::from(name), Value::dict(pairs))
        });
        Dict::from_pairs(channels.collect())
    });
    config.remove(runtime::CONFIG_CHANNEL);
    config
}

fn object(document: Option<&str>) -> Option<Dict> {
    match loads(document?) {
        Ok(Value::Dict(dict)) => Some(dict),
        _ => None,
    }
}

/// As SageMaker writes it for the same nodes; the one group is what the toolkit itself
/// makes up where SageMaker is not.
fn synthesised(job: &Job<'_>) -> Dict {
    let topology = &job.workload.topology;
    let texts = |list: &[String]| Value::List(list.iter().map(Value::text).collect());
    let hosts = hosts(topology);
    let group = |name: &str, kind: &str, hosts: &[String]| {
        Value::dict([
            (words::INSTANCE_GROUP_NAME, Value::text(name)),
            (words::INSTANCE_TYPE, Value::text(kind)),
            (words::HOSTS, texts(hosts)),
        ])
    };
    let kind = |kind: &Option<String>| {
        kind.clone()
            .unwrap_or_else(|| words::NO_INSTANCE_TYPE.to_owned())
    };
    let current = topology.groups.iter().find(|group| group.current);
    let groups = if topology.groups.is_empty() {
        vec![group(words::NO_GROUP_NAME, words::NO_INSTANCE_TYPE, &hosts)]
    } else {
        let groups = topology.groups.iter();
        groups
            .map(|known| group(&known.name, &kind(&known.instance_type), &known.hosts))
            .collect()
    };
    let interface = topology.network_interface.as_deref();
    let pairs = [
        (words::CURRENT_HOST, Value::text(&topology.host)),
        (
            words::CURRENT_INSTANCE_TYPE,
            Value::text(current.map_or_else(
                || words::NO_INSTANCE_TYPE.to_owned(),
                |group| kind(&group.instance_type),
            )),
        ),
        (
            words::CURRENT_GROUP_NAME,
            Value::text(current.map_or(words::NO_GROUP_NAME, |group| group.name.as_str())),
        ),
        (words::HOSTS, texts(&hosts)),
        (words::INSTANCE_GROUPS, Value::List(groups)),
        (
            words::NETWORK_INTERFACE_NAME,
            Value::text(interface.unwrap_or(sagemaker::NETWORK_INTERFACE)),
        ),
        (words::TOPOLOGY, Value::None),
    ];
    match Value::dict(pairs) {
        Value::Dict(dict) => dict,
        _ => Dict::default(),
    }
}

/// Every node. Where the platform tells only a count, a script still takes the length of
/// the list and its own place in it: rank 0 by its address, the others by made-up names. No
/// list where a launcher ranks the nodes: a place in it would be a guess.
fn hosts(topology: &Topology) -> Vec<String> {
    let (Some(own), Some(nodes @ ..=NODES)) = (topology.node_rank, topology.nodes) else {
        return topology.hosts.clone();
    };
    if !topology.hosts.is_empty() {
        return topology.hosts.clone();
    }
    (0..nodes)
        .map(|rank| match (rank, &topology.master_addr) {
            (rank, _) if rank == own => topology.host.clone(),
            (0, Some(master)) => master.clone(),
            (rank, _) => format!("rank-{rank}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::hosts;
    use crate::workload::Topology;

    fn topology(rank: u32, nodes: u32, known: &[&str]) -> Topology {
        Topology {
            host: "pod-b".to_owned(),
            hosts: known.iter().map(|name| (*name).to_owned()).collect(),
            node_rank: Some(rank),
            nodes: Some(nodes),
            bounds: None,
            local_devices: 0,
            master_addr: Some("pod-a.svc".to_owned()),
            master_port: 7777,
            local_addr: None,
            network_interface: None,
            groups: Vec::new(),
        }
    }

    #[test]
    fn a_counted_cluster_has_a_list_of_that_length() {
        assert_eq!(hosts(&topology(0, 2, &["a", "b"])), ["a", "b"]);
        assert_eq!(
            hosts(&topology(1, 3, &[])),
            ["pod-a.svc", "pod-b", "rank-2"]
        );
        assert_eq!(hosts(&topology(0, 2, &[])), ["pod-b", "rank-1"]);
        assert!(hosts(&topology(0, u32::MAX, &[])).is_empty());
    }
}
