//! `credentials`: the identity as a `credential_process` prints it (AWS SDKs and Tools
//! reference guide, "Process credential provider").

use std::fmt;

use serde::Serialize;

use super::output;
use super::progress::Progress;
use crate::credentials::{source_here, timestamp, unavailable};
use crate::error::{Error, ErrorKind, Fault};
use crate::facts::Facts;

/// The kernel refuses what waiting on a network takes.
#[derive(Debug)]
pub(super) struct NoRuntime;

impl fmt::Display for NoRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot wait for the network")
    }
}

impl Fault for NoRuntime {
    fn kind(&self) -> ErrorKind {
        ErrorKind::System
    }

    fn hint(&self) -> Option<String> {
        Some("raise the container's limit on open files".to_owned())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'a> {
    version: u8,
    access_key_id: &'a str,
    secret_access_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<String>,
}

pub(super) fn credentials() -> Result<u8, Error> {
    let facts = Facts::capture(Vec::new());
    let (credentials, source) = source_here(&facts)?;
    let runtime = runtime()?;
    let progress = Progress::show("waiting for the credential source");
    let found = runtime
        .block_on(source.fetch())
        .map_err(|cause| unavailable(credentials.source, &cause))?
        .credentials;
    drop(progress);
    let document = Document {
        version: 1,
        access_key_id: found.access_key_id(),
        secret_access_key: found.secret_access_key(),
        session_token: found.session_token().filter(|token| !token.is_empty()),
        expiration: found.expiry().map(timestamp),
    };
    let text =
        serde_json::to_string(&document).expect("a document of texts has no failure to report");
    output::data(format!("{text}\n").as_bytes())?;
    Ok(0)
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|err| Error::from(NoRuntime).because(err.kind()))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::NoRuntime;
    use crate::error::reports;

    #[test]
    fn without_a_runtime_there_is_a_report() {
        expect![[r#"
            System: cannot wait for the network
              hint: raise the container's limit on open files
        "#]]
        .assert_eq(&reports([NoRuntime]));
    }
}
