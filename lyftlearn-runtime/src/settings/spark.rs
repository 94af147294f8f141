//! The settings of a Spark driver's network.

use std::net::IpAddr;

use figment::value::Value;

use crate::choice::choice;
use crate::layers::{Form, Key, Parsed, Reader, Unset, one_of, text_of};
use crate::workload::{Network, PortRange};

const PORTS: Form =
    Form::new("a range of an even number of ports, such as \"7078-7109\"; two for each driver");
const NETWORK: Form = Form::new("a network, such as \"10.78.0.0/16\"");
const ADDRESS: Form = Form::new("an address or a host name, such as \"10.77.1.2\"");

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "spark.ports",
        form: PORTS,
        default: Unset::Text("none: Spark picks free ports"),
        doc: "Ports on which Spark drivers in this container listen for executors: the range \
              that the security group admits. The lower half is for RPC, the upper half for \
              blocks, so 32 ports serve 16 drivers.",
        example: "\"20000-20031\"",
    },
    Key {
        name: "spark.executors",
        form: NETWORK,
        default: Unset::Text("none: the default route decides"),
        doc: "The executors' network. A driver advertises the address from which this \
              container reaches it.",
        example: "\"10.78.0.0/16\"",
    },
    Key {
        name: "spark.address",
        form: ADDRESS,
        default: Unset::Text("the address from which this container reaches the executors"),
        doc: "Address that a driver advertises and binds. A host name must resolve to an \
              address of this container.",
        example: "\"10.77.1.2\"",
    },
    Key {
        name: "spark.mode",
        form: Form::choice::<Mode>(),
        default: Unset::Value("auto"),
        doc: "Whether the runtime sets Spark's variables. `auto` sets those that are not set. \
              `off` sets none.",
        example: "\"off\"",
    },
];

/// Whether Spark's variables are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Auto,
    Off,
}

choice!(Mode {
    Self::Auto => "auto",
    Self::Off => "off",
});

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) ports: Option<PortRange>,
    pub(crate) executors: Option<Network>,
    /// An address, or a name.
    pub(crate) address: Option<String>,
    pub(crate) mode: Mode,
}

impl Settings {
    pub(super) fn read(from: &mut Reader) -> Self {
        Self {
            ports: from.optional("spark.ports", ports),
            executors: from.optional("spark.executors", network),
            address: from.optional("spark.address", address),
            mode: from.value("spark.mode", one_of),
        }
    }
}

fn ports(value: &Value) -> Parsed<PortRange> {
    let range = value.as_str().and_then(|text| text.parse().ok());
    range
        .filter(|range: &PortRange| range.count().is_multiple_of(2))
        .ok_or(PORTS.expected)
}

fn network(value: &Value) -> Parsed<Network> {
    let network = value.as_str().and_then(|text| text.parse().ok());
    network.ok_or(NETWORK.expected)
}

fn address(value: &Value) -> Parsed<String> {
    let text = text_of(value, ADDRESS.expected)?;
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let bare = bare.unwrap_or(&text);
    let is_address = bare.parse::<IpAddr>().is_ok();
    // A URI, as which Spark reads it, has no underscore in a host's name.
    let is_name = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || [b'.', b'-'].contains(&byte));
    if is_address {
        Ok(bare.to_owned())
    } else if is_name {
        Ok(text)
    } else {
        Err(ADDRESS.expected)
    }
}
