//! Data to stdout. A reader that has gone is no failure.

use std::fmt;
use std::io::{self, Write};

use crate::error::{Error, ErrorKind, Fault};
use crate::visible::visible;

/// Data cannot be written, to a full disk for example.
#[derive(Debug)]
struct Unwritten;

impl fmt::Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot write to standard output")
    }
}

impl Fault for Unwritten {
    fn kind(&self) -> ErrorKind {
        ErrorKind::System
    }

    fn hint(&self) -> Option<String> {
        Some("check that the output's destination has room".to_owned())
    }
}

/// Data. A reader that has seen enough (`| head -1`) is no failure; a full disk is.
pub(super) fn data(bytes: &[u8]) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(err) if err.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::from(Unwritten).because(err.kind()))
        }
        _ => Ok(()),
    }
}

/// Output for people, who read it on a terminal.
pub(super) fn page(text: &str) -> Result<(), Error> {
    data(visible(text).as_bytes())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::Unwritten;
    use crate::error::reports;

    #[test]
    fn a_full_disk_has_its_report() {
        expect![[r#"
            System: cannot write to standard output
              hint: check that the output's destination has room
        "#]]
        .assert_eq(&reports([Unwritten]));
    }
}
