//! The roots that TLS trusts: those of the file that a variable names, else the machine's own.

use std::error::Error;
use std::fmt;
use std::io;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{Error as PemError, PemObject};

use crate::contract::aws;
use crate::workload::Roots;

/// Why the configured roots cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RootsFault {
    roots: Roots,
    flaw: Flaw,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Flaw {
    Unreadable(io::ErrorKind),
    NoCertificate,
}

impl fmt::Display for RootsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Roots { variable, file } = &self.roots;
        let file = file.display();
        match self.flaw {
            Flaw::Unreadable(io::ErrorKind::NotFound) => {
                write!(f, "{variable} names {file}, which does not exist")
            }
            Flaw::Unreadable(kind) => {
                write!(f, "{variable} names {file}, which cannot be read: {kind}")
            }
            Flaw::NoCertificate => {
                write!(f, "{variable} names {file}, which holds no certificate")
            }
        }
    }
}

impl Error for RootsFault {}

impl RootsFault {
    /// The innermost one in the error of a connector.
    pub(crate) fn of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        std::iter::successors(Some(error), |&error| error.source()).find_map(|e| e.downcast_ref())
    }
}

/// What `make` builds with the trusted roots. If the configured roots are invalid, everything but
/// TLS works.
pub(crate) fn connector(
    roots: Option<&Roots>,
    make: impl FnOnce(TlsContext) -> Connector,
) -> SharedHttpConnector {
    match roots.map_or_else(|| Ok(TlsContext::default()), context) {
        Ok(context) => SharedHttpConnector::new(make(context)),
        Err(fault) => SharedHttpConnector::new(Plain {
            connector: make(trusting(TrustStore::empty())),
            fault,
        }),
    }
}

fn context(roots: &Roots) -> Result<TlsContext, RootsFault> {
    let found = certificates(roots).map_err(|flaw| RootsFault {
        roots: roots.clone(),
        flaw,
    })?;
    // This one is read by what speaks TLS, and SSL_CERT_DIR with it.
    if roots.variable == aws::SSL_CERT_FILE {
        return Ok(TlsContext::default());
    }
    let mut store = TrustStore::empty();
    for certificate in found {
        let text = BASE64.encode(certificate);
        store.add_pem_certificate(format!(
            "-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"
        ));
    }
    Ok(trusting(store))
}

/// The same for clients with a TLS implementation of their own.
#[cfg(feature = "cli")]
pub(crate) fn roots(named: Option<&Roots>) -> Result<RootCertStore, RootsFault> {
    let mut store = RootCertStore::empty();
    let found = named.map(|roots| {
        certificates(roots).map_err(|flaw| RootsFault {
            roots: roots.clone(),
            flaw,
        })
    });
    let found = found.transpose()?;
    let is_own = named.is_some_and(|roots| roots.variable != aws::SSL_CERT_FILE);
    // The machine's own, which SSL_CERT_FILE and SSL_CERT_DIR may move.
    let native = || rustls_native_certs::load_native_certs().certs;
    store.add_parsable_certificates(found.filter(|_| is_own).unwrap_or_else(native));
    Ok(store)
}

fn trusting(store: TrustStore) -> TlsContext {
    let context = TlsContext::builder().with_trust_store(store).build();
    context.expect("a trust store alone has nothing to contradict")
}

/// Those of a file that are any use: bundles hold odd ones, and the connector takes no excuse.
fn certificates(roots: &Roots) -> Result<Vec<CertificateDer<'static>>, Flaw> {
    let unless_read = |err: PemError| match err {
        PemError::Io(err) => Flaw::Unreadable(err.kind()),
        _ => Flaw::NoCertificate,
    };
    let mut found = Vec::new();
    for certificate in CertificateDer::pem_file_iter(&roots.file).map_err(unless_read)? {
        match certificate {
            Ok(one) if RootCertStore::empty().add(one.clone()).is_ok() => found.push(one),
            Err(err @ PemError::Io(_)) => return Err(unless_read(err)),
            Ok(_) | Err(_) => {}
        }
    }
    if found.is_empty() {
        return Err(Flaw::NoCertificate);
    }
    Ok(found)
}

/// A way for what needs no trust.
#[derive(Debug)]
struct Plain {
    connector: Connector,
    fault: RootsFault,
}

impl HttpConnector for Plain {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if request.uri().starts_with("https:") {
            let error = ConnectorError::user(self.fault.clone().into());
            return HttpConnectorFuture::ready(Err(error));
        }
        self.connector.call(request)
    }
}

/// Whether it is the certificate that is refused. Whatever else TLS comes to nothing by, such as
/// an alert of a server that is just starting, may pass.
pub(crate) fn is_untrusted(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref() {
            return matches!(error, rustls::Error::InvalidCertificate(_));
        }
        let io = error.downcast_ref::<io::Error>();
        // One within another is no source of it.
        cause = match io.and_then(io::Error::get_ref) {
            Some(within) => Some(within),
            None => error.source(),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use expect_test::expect;
    use rustls::{AlertDescription, CertificateError};

    use super::*;

    /// The sentence about the file, for any variable that names it.
    #[track_caller]
    fn sentence(file: &Path) -> String {
        let said = |variable: &str| {
            let roots = Roots {
                variable: variable.to_owned(),
                file: file.to_owned(),
            };
            let fault = context(&roots).expect_err("nobody is to be trusted");
            let place = file.display().to_string();
            format!("{fault}\n").replace(&place, "/roots")
        };
        let (own, other) = (said("AWS_CA_BUNDLE"), said("SSL_CERT_FILE"));
        assert_eq!(own.replace("AWS_CA_BUNDLE", "SSL_CERT_FILE"), other);
        own
    }

    #[test]
    fn each_fault_of_configured_roots_has_a_message() {
        let directory = tempfile::tempdir().unwrap();
        let text = directory.path().join("text");
        let odd = [
            "no PEM\n",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\n!",
        ];
        let odd = odd.map(|written| {
            std::fs::write(&text, written).unwrap();
            sentence(&text)
        });
        let absent = sentence(&directory.path().join("none"));
        let unreadable = sentence(directory.path());
        expect![[r#"
            AWS_CA_BUNDLE names /roots, which holds no certificate
            AWS_CA_BUNDLE names /roots, which holds no certificate
            AWS_CA_BUNDLE names /roots, which holds no certificate
            AWS_CA_BUNDLE names /roots, which does not exist
            AWS_CA_BUNDLE names /roots, which cannot be read: is a directory
        "#]]
        .assert_eq(&(odd.concat() + &absent + &unreadable));
    }

    /// As tokio-rustls and hyper-rustls wrap it.
    fn wrapped(error: rustls::Error) -> io::Error {
        io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error))
    }

    #[test]
    fn only_a_certificate_error_counts_as_untrusted() {
        let certificate = CertificateError::UnknownIssuer;
        assert!(is_untrusted(&wrapped(certificate.into())));
        for error in [
            rustls::Error::AlertReceived(AlertDescription::InternalError),
            rustls::Error::AlertReceived(AlertDescription::UnrecognisedName),
            rustls::Error::AlertReceived(AlertDescription::CertificateRequired),
            rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType),
        ] {
            assert!(!is_untrusted(&wrapped(error.clone())), "{error}");
        }
    }
}
