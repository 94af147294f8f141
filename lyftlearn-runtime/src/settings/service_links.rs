//! Kubernetes names variables after Services: one called `lyftlearn-runtime`
//! makes `LYFTLEARN_RUNTIME_PORT=tcp://10.0.0.1:80` in every pod of its namespace.

/// Whether the kubelet made the variable for a Service, by the names it makes
/// (pkg/kubelet/envvars) or by a value that only it writes.
pub(crate) fn made(suffix: &str, value: &str) -> bool {
    ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|scheme| value.starts_with(scheme))
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
    words.windows(3).any(|window| {
        window[0] == "PORT"
            && window[1].bytes().all(|byte| byte.is_ascii_digit())
            && matches!(window[2], "TCP" | "UDP" | "SCTP")
    })
}
