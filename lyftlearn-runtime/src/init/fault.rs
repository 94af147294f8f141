//! What can stand against a start.

use std::fmt;

use nix::errno::Errno;

use crate::error::{Error, ErrorKind, Fault};

#[derive(Debug)]
pub(super) enum InitFault {
    NotFound {
        program: String,
    },
    InterpreterNotFound {
        program: String,
    },
    NotExecutable {
        program: String,
    },
    TooLarge {
        program: String,
    },
    NulByte {
        length: usize,
    },
    /// The program's user cannot be had.
    User {
        uid: u32,
        gid: u32,
    },
    /// A second stage is needed and this binary cannot be found again.
    NotAgain,
    System {
        what: &'static str,
    },
}

impl InitFault {
    /// A refusal of the kernel's, with its reason.
    pub(super) fn system(what: &'static str, errno: Errno) -> Error {
        Error::from(Self::System { what }).because(errno.desc().to_lowercase())
    }
}

impl fmt::Display for InitFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { program } => write!(f, "cannot find the program {program}"),
            Self::InterpreterNotFound { program } => {
                write!(
                    f,
                    "cannot run {program}: it exists, but its interpreter does not"
                )
            }
            Self::NotExecutable { program } => write!(f, "cannot execute {program}"),
            Self::NulByte { length } => {
                write!(
                    f,
                    "cannot pass an argument of {length} bytes to the program: it has a NUL byte"
                )
            }
            Self::TooLarge { program } => {
                write!(
                    f,
                    "cannot start {program}: its arguments and environment are over the kernel's limit"
                )
            }
            Self::User { uid, gid } => write!(f, "cannot become user {uid}:{gid}"),
            Self::NotAgain => f.write_str("cannot become another user: this binary cannot find its own file in /proc or by the path that started it"),
            Self::System { what } => write!(f, "cannot {what}"),
        }
    }
}

impl Fault for InitFault {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } | Self::InterpreterNotFound { .. } => ErrorKind::ProgramNotFound,
            Self::NotExecutable { .. } => ErrorKind::ProgramNotExecutable,
            Self::NulByte { .. } | Self::TooLarge { .. } => ErrorKind::Delivery,
            Self::User { .. } | Self::NotAgain | Self::System { .. } => ErrorKind::System,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::NotFound { .. } => "give a path, or a name that an executable on PATH has",
                Self::InterpreterNotFound { .. } => {
                    "check its first line, or for a binary the dynamic loader it was built for"
                }
                Self::NotExecutable { .. } => {
                    "check its mode (chmod +x), its #! line and its architecture"
                }
                Self::NulByte { .. } => "remove it where it is configured",
                Self::TooLarge { .. } => {
                    "deliver large values as a file in the config directory, and read that"
                }
                Self::User { .. } => {
                    "start the container as root with CAP_SETUID and CAP_SETGID, or without the setting user"
                }
                Self::NotAgain => "mount /proc, or give ENTRYPOINT an absolute path",
                Self::System { .. } => "raise the container's limits on processes, memory or files",
            }
            .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::InitFault;
    use crate::error::reports;

    #[test]
    fn every_fault_has_its_report() {
        let program = || "/opt/train".to_owned();
        expect![[r#"
            ProgramNotFound: cannot find the program /opt/train
              hint: give a path, or a name that an executable on PATH has
            ProgramNotFound: cannot run /opt/train: it exists, but its interpreter does not
              hint: check its first line, or for a binary the dynamic loader it was built for
            ProgramNotExecutable: cannot execute /opt/train
              hint: check its mode (chmod +x), its #! line and its architecture
            Delivery: cannot start /opt/train: its arguments and environment are over the kernel's limit
              hint: deliver large values as a file in the config directory, and read that
            Delivery: cannot pass an argument of 5 bytes to the program: it has a NUL byte
              hint: remove it where it is configured
            System: cannot become user 1000:100
              hint: start the container as root with CAP_SETUID and CAP_SETGID, or without the setting user
            System: cannot become another user: this binary cannot find its own file in /proc or by the path that started it
              hint: mount /proc, or give ENTRYPOINT an absolute path
            System: cannot start the program
              hint: raise the container's limits on processes, memory or files
        "#]].assert_eq(&reports([
            InitFault::NotFound { program: program() },
            InitFault::InterpreterNotFound { program: program() },
            InitFault::NotExecutable { program: program() },
            InitFault::TooLarge { program: program() },
            InitFault::NulByte { length: 5 },
            InitFault::User {
                uid: 1000,
                gid: 100,
            },
            InitFault::NotAgain,
            InitFault::System {
                what: "start the program",
            },
        ]));
    }

    #[test]
    fn what_the_kernel_refuses_has_its_reason() {
        let error = InitFault::system("start the program", nix::errno::Errno::EAGAIN);
        expect![[r#"
            lyftlearn-runtime: cannot start the program
              because: try again
              hint: raise the container's limits on processes, memory or files
        "#]]
        .assert_eq(&error.report());
    }
}
