//! The variables of OpenTelemetry's SDKs for destinations and resources (OTLP exporter
//! specification; environment variable specification).

/// For all signals; `/v1/metrics` follows it.
pub(crate) const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// For metrics alone, and to the last part of its path.
pub(crate) const METRICS_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";
/// Of each pair the one for metrics alone comes first.
pub(crate) const HEADERS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
    "OTEL_EXPORTER_OTLP_HEADERS",
];
pub(crate) const PROTOCOL: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
];
/// The one protocol that is not spoken by HTTP/1.1.
pub(crate) const GRPC: &str = "grpc";
/// In milliseconds.
pub(crate) const TIMEOUT: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
];
/// What the metrics are of.
pub(crate) const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";
pub(crate) const RESOURCE_ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";

/// Below an endpoint: where metrics are taken.
pub(crate) const METRICS_PATH: &str = "/v1/metrics";
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) const PROTOBUF: &str = "application/x-protobuf";
