//! Whether a server can be reached: a connection, and TLS if its URL asks for it. **Nothing is
//! sent.**

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::http::is_near;
use crate::credentials::{is_untrusted, roots};
use crate::workload::Roots;

/// How it was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    Plainly,
    ByTls,
    /// The proxy was, and it alone knows the rest.
    Proxy,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unreached {
    NotAnAddress,
    NoName,
    Nobody,
    NoTls,
    Untrusted,
    /// In the words of the roots' own report.
    NoRoots {
        report: String,
    },
}

/// Reaches the server of a URL as requests do: by a proxy where the environment names one.
pub(crate) fn reach(
    url: &str,
    named: Option<&Roots>,
    patience: Duration,
) -> Result<Reached, Unreached> {
    let to: Uri = url.parse().map_err(|_| Unreached::NotAnAddress)?;
    let proxy = (!is_near(&to))
        .then(|| Matcher::from_env().intercept(&to))
        .flatten();
    if let Some(proxy) = proxy {
        return connect(proxy.uri(), patience).map(|_| Reached::Proxy);
    }
    let stream = connect(&to, patience)?;
    if to.scheme_str() != Some("https") {
        return Ok(Reached::Plainly);
    }
    let trusted = roots(named).map_err(|fault| Unreached::NoRoots {
        report: fault.to_string(),
    })?;
    greet(&to, stream, trusted)?;
    Ok(Reached::ByTls)
}

fn connect(to: &Uri, patience: Duration) -> Result<TcpStream, Unreached> {
    let host = to.host().ok_or(Unreached::NotAnAddress)?;
    let usual = if to.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    let place = (
        host.trim_matches(['[', ']']),
        to.port_u16().unwrap_or(usual),
    );
    let addresses = place.to_socket_addrs().map_err(|_| Unreached::NoName)?;
    let mut found = Err(Unreached::NoName);
    for address in addresses {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => {
                // A socket that takes no time limit is asked without one.
                let _ = stream.set_read_timeout(Some(patience));
                let _ = stream.set_write_timeout(Some(patience));
                return Ok(stream);
            }
            Err(_) => found = Err(Unreached::Nobody),
        }
    }
    found
}

/// The handshake of TLS.
fn greet(to: &Uri, mut stream: TcpStream, trusted: RootCertStore) -> Result<(), Unreached> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| Unreached::NoTls)?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    let host = to.host().unwrap_or_default().trim_matches(['[', ']']);
    let name = ServerName::try_from(host.to_owned()).map_err(|_| Unreached::NotAnAddress)?;
    let greeting = ClientConnection::new(Arc::new(config), name);
    let mut greeting = greeting.map_err(|_| Unreached::NoTls)?;
    while greeting.is_handshaking() {
        greeting
            .complete_io(&mut stream)
            .map_err(|err: io::Error| match is_untrusted(&err) {
                true => Unreached::Untrusted,
                false => Unreached::NoTls,
            })?;
    }
    Ok(())
}
