//! Servers that fail in one way.

use super::{Case, GOOD, check};
use crate::check::at_length;

/// The checks of a server's life.
const SERVE: &[&str] = &[
    "serve.ready",
    "serve.ping",
    "serve.answers",
    "serve.drain",
    "serve.exit-zero",
];

/// Servers that fail in one way.
pub(super) const SERVERS: &[Case] = &[
    Case {
        name: "exit-143",
        serve: "exit-143",
        only: SERVE,
        fails: &["serve.exit-zero"],
        said: "exit code 143",
        ..GOOD
    },
    Case {
        name: "drops",
        serve: "drops",
        only: &["serve.ready", "serve.answers", "serve.drain"],
        fails: &["serve.drain"],
        said: "requests were lost",
        ..GOOD
    },
];

/// The same, at length.
pub(super) const MORE_SERVERS: &[Case] = &[
    Case {
        name: "wrong",
        serve: "wrong",
        only: SERVE,
        fails: &["serve.answers"],
        said: "the answer differs from the expected one: {\"sum\": 7.5}",
        ..GOOD
    },
    Case {
        name: "not-ready",
        serve: "not-ready",
        only: SERVE,
        fails: &["serve.ready"],
        said: "status 503",
        ..GOOD
    },
    Case {
        name: "slow-ping",
        serve: "slow-ping",
        only: SERVE,
        fails: &["serve.ready"],
        said: "no status 200",
        ..GOOD
    },
    Case {
        name: "busy",
        serve: "busy",
        only: SERVE,
        fails: &["serve.ping"],
        said: "s under load",
        ..GOOD
    },
    Case {
        name: "hangs",
        serve: "hangs",
        only: &["serve.ready", "serve.ping", "serve.answers"],
        fails: &["serve.ping"],
        said: "s under load",
        ..GOOD
    },
    Case {
        name: "nonsense-500",
        serve: "nonsense-500",
        only: SERVE,
        fails: &["serve.answers"],
        said: "status 500 for a malformed body",
        ..GOOD
    },
    Case {
        name: "dies",
        serve: "dies",
        only: &["serve.ready", "serve.answers"],
        fails: &["serve.answers"],
        said: "no answer for a malformed body",
        ..GOOD
    },
    Case {
        name: "fixed-port",
        serve: "fixed-port",
        only: &["serve.*", "image.label.*"],
        fails: &["serve.bind-to-port"],
        said: "port 8081",
        ..GOOD
    },
    Case {
        name: "unlabelled",
        only: &["serve.bind-to-port", "image.label.*"],
        fails: &["image.label.bind-to-port"],
        said: "the label com.amazonaws.sagemaker.capabilities.accept-bind-to-port is missing",
        ..GOOD
    },
];

#[test]
fn a_server_that_fails_in_one_way_fails_one_check() {
    SERVERS.iter().for_each(check);
    if at_length() {
        MORE_SERVERS.iter().for_each(check);
    }
}
