//! Kubernetes names variables after Services: one called `lyftlearn-runtime`
//! makes `LYFTLEARN_RUNTIME_PORT=tcp://10.0.0.1:80` in every pod of its namespace.

/// Whether the kubelet made the variable for a Service, by the names it makes
/// (pkg/kubelet/envvars). A value alone proves nothing: settings have URLs, too.
pub(super) fn made(suffix: &str, value: &str) -> bool {
    let is_url = ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|scheme| value.starts_with(scheme));
    (is_url && (suffix == "PORT" || suffix.ends_with("_PORT")))
        || suffix == "SERVICE_HOST"
        || suffix.ends_with("_SERVICE_HOST")
        || service_port(suffix)
        || port_detail(suffix)
}

/// `SERVICE_PORT`, `SERVICE_PORT_HTTP`, `X_SERVICE_PORT`.
fn service_port(suffix: &str) -> bool {
    suffix.starts_with("SERVICE_PORT")
        || suffix.ends_with("_SERVICE_PORT")
        || suffix.contains("_SERVICE_PORT_")
}

/// `PORT_80_TCP`, `PORT_80_TCP_ADDR`, `X_PORT_80_UDP_PROTO`.
fn port_detail(suffix: &str) -> bool {
    let words: Vec<&str> = suffix.split('_').collect();
    let words = match words.as_slice() {
        [all @ .., "ADDR" | "PORT" | "PROTO"] if all.len() >= 3 => all,
        all => all,
    };
    let [.., "PORT", number, "TCP" | "UDP" | "SCTP"] = words else {
        return false;
    };
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// Which of these were made for Services, by what the kubelet makes of each: its address, and
/// its port as a URL of that address. A name that only looks like one of them is somebody's own.
#[cfg(feature = "cli")]
pub(crate) struct Services<'a>(Vec<&'a str>);

#[cfg(feature = "cli")]
impl<'a> Services<'a> {
    /// By all names that may be a Service's, with their values.
    pub(crate) fn of(pairs: &[(&'a str, &str)]) -> Self {
        let value = |name: &str| pairs.iter().find(|(known, _)| *known == name);
        let stems = pairs.iter().filter_map(|(name, host)| {
            let stem = name.strip_suffix("SERVICE_HOST")?;
            let host: std::net::IpAddr = host.parse().ok()?;
            let (_, url) = value(&format!("{stem}PORT"))?;
            let (_, place) = url.split_once("://")?;
            let place: std::net::SocketAddr = place.parse().ok()?;
            (place.ip() == host).then_some(stem)
        });
        Self(stems.collect())
    }

    /// Whether it was made for one of them.
    pub(crate) fn have(&self, name: &str) -> bool {
        self.0.iter().any(|stem| {
            name.strip_prefix(stem).is_some_and(|rest| {
                rest == "SERVICE_HOST"
                    || rest == "PORT"
                    || rest.starts_with("PORT_")
                    || service_port(rest)
            })
        })
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::Services;

    #[test]
    fn a_service_is_known_by_its_address_in_two_variables() {
        let pairs = [
            ("DB_SERVICE_HOST", "10.0.0.1"),
            ("DB_SERVICE_PORT", "5432"),
            ("DB_SERVICE_PORT_PG", "5432"),
            ("DB_PORT", "tcp://10.0.0.1:5432"),
            ("DB_PORT_5432_TCP", "tcp://10.0.0.1:5432"),
            ("DB_PORT_5432_TCP_ADDR", "10.0.0.1"),
            ("DB_PASSWORD", "secret"),
            ("SERVICE_HOST", "fd00::1"),
            ("PORT", "tcp://[fd00::1]:80"),
            ("MQ_SERVICE_HOST", "10.0.0.2"),
            ("MQ_PORT", "tcp://10.0.0.3:80"),
            ("CACHE_SERVICE_HOST", "cache.internal"),
            ("BROKER_URL", "tcp://user:password@mq:61616"),
        ];
        let services = Services::of(&pairs);
        let made: Vec<&str> = pairs
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| services.have(name))
            .collect();
        assert_eq!(
            made,
            [
                "DB_SERVICE_HOST",
                "DB_SERVICE_PORT",
                "DB_SERVICE_PORT_PG",
                "DB_PORT",
                "DB_PORT_5432_TCP",
                "DB_PORT_5432_TCP_ADDR",
                "SERVICE_HOST",
                "PORT",
            ]
        );
    }
}
