//! `metrics`: what Prometheus would be shown now, as text.

use std::fmt;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::output;
use crate::contract::{delivered, metrics as words, runtime};
use crate::error::{Error, ErrorKind, Fault};
use crate::facts::{Facts, Whose};
use crate::held::Directory;
use crate::metrics::exposition::{Exposition, Format};
use crate::metrics::region::Reader;

/// An agent that does not answer is busy; the region can be read without it.
const PATIENCE: Duration = Duration::from_secs(2);

/// All of its answer, which is text of what a region holds.
const WHOLE: Duration = Duration::from_secs(10);
const ANSWER_BYTES: usize = 256 << 20;

/// Nothing counts here.
#[derive(Debug)]
struct NoRegion {
    run: PathBuf,
}

impl fmt::Display for NoRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.run.join(delivered::METRICS_REGION);
        write!(f, "cannot show metrics: there is no {}", path.display())
    }
}

impl Fault for NoRegion {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Unreadable
    }

    fn hint(&self) -> Option<String> {
        Some(
            "run this in the container of lyftlearn-runtime run, with metrics.region_bytes above 0"
                .to_owned(),
        )
    }
}

pub(super) fn metrics() -> Result<u8, Error> {
    let facts = Facts::capture(Vec::new());
    let usual = || NoRegion {
        run: facts
            .path(delivered::RUN_DIR)
            .unwrap_or_else(|| runtime::RUN_DIR.into()),
    };
    let run = facts.run_directory(Whose::Anybody).ok_or_else(usual)?;
    let text = match asked(&run) {
        Some(text) => text,
        None => rendered(&run)?.into_bytes(),
    };
    output::data(&text)?;
    Ok(0)
}

/// The agent's answer, if there is one and it is whole.
fn asked(run: &Directory) -> Option<Vec<u8>> {
    let mut stream = UnixStream::connect(run.path_to_bind(delivered::METRICS_SOCKET)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    // In this version the response has no chunks.
    let request = format!("GET {} HTTP/1.0\r\nHost: localhost\r\n\r\n", words::PATH);
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    let until = Instant::now() + WHOLE;
    let mut part = [0; 64 << 10];
    loop {
        // The listener may be any process that can write to the run directory.
        if Instant::now() >= until || answer.len() > ANSWER_BYTES {
            return None;
        }
        match stream.read(&mut part).ok()? {
            0 => break,
            length => answer.extend_from_slice(&part[..length]),
        }
    }
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let body = answer.split_off(end + 4);
    let well = answer.starts_with(b"HTTP/1.0 200") && (body.is_empty() || body.ends_with(b"\n"));
    well.then_some(body)
}

fn rendered(run: &Directory) -> Result<String, Error> {
    let none = || NoRegion {
        run: run.path().to_owned(),
    };
    let reader = Reader::of(run)?.ok_or_else(none)?;
    Ok(Exposition::new(reader.snapshot()?, &[], Format::Text).text())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{NoRegion, rendered};
    use crate::error::reports;
    use crate::held::Directory;

    #[test]
    fn the_fault_has_its_report() {
        let run = "/run/lyftlearn".into();
        expect![[r#"
            Unreadable: cannot show metrics: there is no /run/lyftlearn/metrics.region
              hint: run this in the container of lyftlearn-runtime run, with metrics.region_bytes above 0
        "#]]
        .assert_eq(&reports([NoRegion { run }]));
    }

    #[test]
    fn without_a_region_there_is_nothing_to_show() {
        let run = tempfile::tempdir().unwrap();
        let report = rendered(&Directory::open(run.path(), None).unwrap())
            .unwrap_err()
            .report();
        expect![[r#"
            lyftlearn-runtime: cannot show metrics: there is no /nowhere/metrics.region
              hint: run this in the container of lyftlearn-runtime run, with metrics.region_bytes above 0
        "#]]
        .assert_eq(&report.replace(run.path().to_str().unwrap(), "/nowhere"));
    }
}
