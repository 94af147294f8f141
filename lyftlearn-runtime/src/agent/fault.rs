//! Why the agent cannot serve. PID 1 starts it again.

use std::fmt;

use crate::error::{ErrorKind, Fault};

#[derive(Debug)]
pub(super) enum AgentFault {
    Parent,
    AgentConfig,
    Socket,
    Runtime,
}

impl fmt::Display for AgentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Parent => "cannot serve as agent: not started by lyftlearn-runtime run",
            Self::AgentConfig => "cannot serve as agent: its configuration is malformed",
            Self::Socket => "cannot serve as agent: a socket was not passed to it",
            Self::Runtime => "cannot serve as agent",
        })
    }
}

impl Fault for AgentFault {
    fn kind(&self) -> ErrorKind {
        ErrorKind::System
    }

    fn hint(&self) -> Option<String> {
        Some("lyftlearn-runtime run starts it by itself; see the setting agent".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::AgentFault;
    use crate::error::reports;

    #[test]
    fn every_fault_has_its_report() {
        expect![[r#"
            System: cannot serve as agent: not started by lyftlearn-runtime run
              hint: lyftlearn-runtime run starts it by itself; see the setting agent
            System: cannot serve as agent: its configuration is malformed
              hint: lyftlearn-runtime run starts it by itself; see the setting agent
            System: cannot serve as agent: a socket was not passed to it
              hint: lyftlearn-runtime run starts it by itself; see the setting agent
            System: cannot serve as agent
              hint: lyftlearn-runtime run starts it by itself; see the setting agent
        "#]]
        .assert_eq(&reports([
            AgentFault::Parent,
            AgentFault::AgentConfig,
            AgentFault::Socket,
            AgentFault::Runtime,
        ]));
    }
}
